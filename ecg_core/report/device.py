"""What the file states of the patient and its device of the ECG, beside our own; and what is doubtful in the file."""

from __future__ import annotations

from typing import Final

from ecg_core.recording import OLDEST_AGE_YEARS
from ecg_core.report.view import DeviceView, Fact, Table
from ecg_core.report.wording import Clock, Shown, number, shown
from ecg_core.result import Result
from ecg_core.result.intervals import summarise
from ecg_core.texts import say, say_or

MOST_EVENTS: Final = 50
_OURS: Final = {"qrs_ms": "qrs_duration_ms"}
"""Our intervals by the device's names of them, where these differ."""


def device_view(result: Result) -> DeviceView | None:
    """Say what file and device state; None where they state nothing and nothing is doubtful."""
    stated = result.recording.stated
    facts = [
        Fact(say(f"stated_{name}"), shown(value, 400))
        for name, value in (
            ("pacemaker", "" if stated.pacemaker is None else say("stated_yes" if stated.pacemaker else "stated_no")),
            ("filters", "; ".join(stated.filters)),
            ("symptoms", "; ".join(stated.symptoms)),
            ("indications", "; ".join(stated.indications)),
            ("drugs", "; ".join(drug.words() for drug in stated.drugs)),
        )
        if value
    ]
    view = DeviceView(
        facts=tuple(facts),
        statements=tuple(shown(text, 400) for text in stated.statements),
        measurements=_measurements(result),
        events=_events(result),
        doubts=tuple(shown(doubt.text, 400) for doubt in result.recording.doubts),
    )
    return view if any((facts, view.statements, view.measurements, view.events, view.doubts)) else None


def patient_facts(result: Result) -> tuple[Fact, ...]:
    """Age and sex, why the ECG was recorded and what the person takes, where the file states them."""
    stated = result.recording.stated
    age = "" if stated.age_years is None else say("stated_years", years=stated.age_years)
    if stated.age_years == OLDEST_AGE_YEARS:
        age = say("stated_oldest")
    sex = say(f"stated_{stated.sex}") if stated.sex else ""
    said = ", ".join(part for part in (age, sex) if part)
    facts = (
        Fact(say("stated_patient"), Shown(said, "")),
        Fact(say("stated_indications_head"), shown("; ".join(stated.indications), 80)),
        Fact(say("stated_drugs_head"), shown("; ".join(drug.words() for drug in stated.drugs), 120)),
    )
    return tuple(fact for fact in facts if fact.value.short)


def _measurements(result: Result) -> Table | None:
    rows = tuple(
        (say_or(f"measured_{name}", name.replace("_", " ")), number(value), _here(result, name))
        for name, value in result.recording.stated.measurements
    )
    columns = ("measured_what", "measured_device", "measured_here")
    return Table(say("measured_caption"), tuple(say(name) for name in columns), rows) if rows else None


def _here(result: Result, name: str) -> str:
    """Give our own figure of the same name: the median of all beats, the mean heart rate."""
    if name == "heart_rate_per_min":
        rate = result.rhythm.heart_rate
        return number(rate.mean_bpm if rate else None)
    summary = summarise(result.beats, result.rhythm.episodes).get(_OURS.get(name, name))
    return number(summary.median_ms if summary else None)


def _events(result: Result) -> Table | None:
    clock = Clock(result.recording.start_time)
    events = result.recording.stated.events
    rows = tuple((clock.at(at_s), shown(text, 200).short) for at_s, text in events[:MOST_EVENTS])
    caption = say("events_caption", n=len(rows), total=len(events))
    return Table(caption, (say("events_time"), say("events_text")), rows) if rows else None
