"""The first page of a resting ECG's report: one sheet that says who, how fast, what was found, and shows it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ecg_core.report.changes import standing_banner
from ecg_core.report.head import banners, start_text
from ecg_core.report.resting_view import RestingView
from ecg_core.report.resting_words import value_text
from ecg_core.report.summary import rhythm_sentence
from ecg_core.report.twelve import twelve_leads
from ecg_core.report.view import Fact, FindingView, Table
from ecg_core.report.wording import Shown, number, shown
from ecg_core.result import Finding, Result, Reviewed
from ecg_core.result.resting import STANDARD_LEADS, Measurement, Resting
from ecg_core.texts import say

SHORT_S: Final = 15.0
"""Up to this length the page of twelve leads shows about all there is: nothing else is drawn of the recording."""
_PAPER_MM: Final = 110.0
"""What the first sheet has for the twelve leads, beside up to `_FEW` findings; each more takes some of it."""
_FEW: Final = 6
_FINDING_MM: Final = 6.0
_FOR_ALL: Final = "age_unknown"
"""The doubt that every criterion has, told without numbers."""
_ROWS: Final = ("p_mv", "q_mv", "q_ms", "r_mv", "s_mv", "r2_mv", "j_mv", "j60_mv", "t_mv")
_ALL_LEADS: Final = {
    "rate": ("heart_rate_bpm",),
    "pr": ("pr_ms",),
    "qrs": ("qrs_duration_ms",),
    "qt": ("qt_ms",),
    "qtc": ("qtc_fridericia_ms",),
    "axes": ("p_axis_deg", "qrs_axis_deg", "t_axis_deg"),
}
_UNITS: Final = {
    "heart_rate_bpm": "1/min",
    "p_axis_deg": "deg",
    "qrs_axis_deg": "deg",
    "t_axis_deg": "deg",
}


def resting_view(result: Result, reviewed: Reviewed | None, view_of: Callable[[Finding], FindingView]) -> RestingView:
    """Say and draw the first page.

    Parameters
    ----------
    result : Result
        Measured as a resting ECG.
    reviewed : Reviewed or None
        Who has signed.
    view_of : callable
        Puts a finding into words, with its links.
    """
    resting = measured_of(result)
    shared = _shared_doubts(result)
    findings = tuple(
        view_of(replace(one, doubts=tuple(doubt for doubt in one.doubts if doubt not in shared)))
        for one in result.findings
    )
    return RestingView(
        banners=(*banners(result), standing_banner(reviewed)),
        facts=_facts(result, resting),
        numbers=tuple(Fact(say(f"resting_{name}"), Shown(_number(resting, of), "")) for name, of in _ALL_LEADS.items()),
        rhythm=rhythm_sentence(result),
        findings=findings,
        caveats=_caveats(resting, shared),
        twelve=twelve_leads(result, _PAPER_MM - _FINDING_MM * max(len(result.findings) - _FEW, 0)),
        measurements=_table(resting),
        signed=bool(reviewed and reviewed.signature and reviewed.signature.holds),
    )


def measured_of(result: Result) -> Resting:
    """Return what was measured; a result without it has no such report."""
    if result.resting is None or result.resting.not_measured:
        raise ValueError("The recording was not measured as a resting ECG.")
    return result.resting


def _shared_doubts(result: Result) -> dict[str, list[int]]:
    """Find the doubts that several findings share, with the numbers of these: they are told once, below."""
    numbers: dict[str, list[int]] = {}
    for n, finding in enumerate(result.findings, start=1):
        for doubt in finding.doubts:
            numbers.setdefault(doubt, []).append(n)
    return {doubt: of for doubt, of in numbers.items() if len(of) > 1 or doubt == _FOR_ALL}


def _facts(result: Result, resting: Resting) -> tuple[Fact, ...]:
    recording, subject = result.recording, resting.subject
    identity = shown(recording.recording_id, 100)
    age = say("resting_age_value", years=number(subject.age_years)) if subject.age_years is not None else ""
    sex = say(f"resting_{subject.sex}") if subject.sex else say("resting_not_stated")
    short = shown(recording.recording_id, 13).short.rstrip("…")
    return (
        Fact(say("patient"), shown(recording.patient_pseudonym or say("patient_unknown"), 40)),
        Fact(say("resting_age"), Shown(age or say("resting_not_stated"), "")),
        Fact(say("resting_sex"), Shown(sex, "")),
        Fact(say("start"), Shown(start_text(result), "")),
        Fact(say("device"), shown(recording.device or say("device_unknown"))),
        Fact(
            say("recording"),
            Shown(short, identity.full or identity.short),
        ),
    )


def _number(resting: Resting, names: tuple[str, ...]) -> str:
    values = [resting.value(name) for name in names]
    units = [_UNITS.get(name, "ms") for name in names]
    told = [
        value_text(Measurement(None, name, value, unit)) if math.isfinite(value) else number(None)
        for name, value, unit in zip(names, values, units, strict=True)
    ]
    return " / ".join(told)


def _caveats(resting: Resting, shared: dict[str, list[int]]) -> tuple[str, ...]:
    sentences = [say("resting_child")] if resting.is_child else []
    for doubt, numbers in shared.items():
        told = say(f"doubt_resting_{doubt}")
        of = ", ".join(map(str, numbers))
        sentences.append(told if doubt == _FOR_ALL else say("resting_caveat", numbers=of, doubt=told))
    if resting.derived:
        sentences.append(say("resting_derived", leads=", ".join(resting.derived)))
    if resting.turned:
        sentences.append(say("resting_turned", leads=", ".join(resting.turned)))
    return tuple(sentences)


def _table(resting: Resting) -> Table:
    """Leads across, waves down."""
    values = {(row.name, row.lead): row for row in resting.measurements}

    def cell(name: str, lead: str) -> str:
        row = values.get((name, lead))
        return number(None) if row is None else number(row.value, 0 if row.unit == "ms" else 2)

    rows = tuple((say(f"wave_{name}"), *(cell(name, lead) for lead in STANDARD_LEADS)) for name in _ROWS)
    return Table(say("resting_measurements"), (say("resting_wave"), *STANDARD_LEADS), rows)
