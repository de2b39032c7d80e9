"""The patient's last recording beside this one: what rose, what fell, what is new and what is gone."""

from __future__ import annotations

from collections.abc import Iterator

from ecg_core.report.view import ComparedView, Table
from ecg_core.report.wording import duration, moment, number, percent, shown
from ecg_core.result import Result
from ecg_core.result.past import PastRecording
from ecg_core.result.summary import burdens, interval_flags, longest_pause
from ecg_core.texts import UI_TEXTS, say

Row = tuple[str, str, str]


def compared_view(result: Result, last: PastRecording | None) -> ComparedView | None:
    """Put what stands beside the patient's last recording; None where there is none.

    Parameters
    ----------
    result : Result
        What stands.
    last : PastRecording or None
    """
    if last is None:
        return None
    when = moment(last.start_time) if last.start_time else say("compared_arrived", time=moment(last.arrived_at))
    title = say(
        "compared_title",
        time=when,
        length=duration(last.duration_s),
        recording=last.recording_id[:12],
        state=say(f"compared_{last.state}"),
    )
    columns, now, was = zip(*_rows(result, last), strict=True)
    rows = ((say("compared_now"), *now), (say("compared_last"), *was))
    return ComparedView(Table(title, ("", *columns), rows), " ".join(_kinds(result, last)))


def _rows(result: Result, last: PastRecording) -> Iterator[Row]:
    """Give a quantity's name, what it is now, and what it was."""
    rate, shares = result.rhythm.heart_rate, burdens(result)
    for key, bpm, was_bpm in (
        ("mean", rate.mean_bpm if rate else None, last.mean_heart_rate_bpm),
        ("min", rate.min_bpm if rate else None, last.min_heart_rate_bpm),
        ("max", rate.max_bpm if rate else None, last.max_heart_rate_bpm),
    ):
        yield say(f"compared_rate_{key}"), number(bpm), number(was_bpm)
    yield say("compared_v"), percent(shares.ventricular), percent(last.ventricular)
    yield say("compared_s"), percent(shares.supraventricular), percent(last.supraventricular)
    yield say("compared_af"), percent(shares.fibrillation), percent(last.fibrillation)
    pause = longest_pause(result)
    now_s = pause.end_s - pause.start_s if pause else None
    yield say("compared_pause"), _pause(now_s), _pause(last.longest_pause_s)
    measured = interval_flags(result)
    for name in ("pr_ms", "qrs_duration_ms", "qtc_fridericia_ms"):
        now = measured[name][0] if name in measured else None
        yield say(f"compared_{name}"), number(now), number(last.intervals_ms.get(name))


def _pause(seconds: float | None) -> str:
    return say("none") if seconds is None else say("compared_seconds", s=number(seconds, 1))


def _kinds(result: Result, last: PastRecording) -> Iterator[str]:
    """Say which kinds of finding that ask for attention are new, and which are gone."""
    kinds = [finding.kind for finding in result.findings if finding.urgency in ("urgent", "notable")]
    new = [kind for kind in kinds if kind not in last.kinds]
    gone = [kind for kind in last.kinds if kind not in kinds]
    for key, these in (("compared_new", new), ("compared_gone", gone)):
        if these:
            names = [
                UI_TEXTS.get(f"finding_{kind}") or shown(kind.replace("_", " ")).short for kind in dict.fromkeys(these)
            ]
            yield say(key, kinds=", ".join(names))
    if not new and not gone:
        yield say("compared_same")


def _name(kind: str) -> str:
    return UI_TEXTS.get(f"finding_{kind}") or shown(kind.replace("_", " ")).short
