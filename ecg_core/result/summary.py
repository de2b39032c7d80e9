"""What a reader asks first of a recording: the rhythm that underlies it, its burdens and its extremes; decided once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.result.intervals import LONG_PR_MS, LONG_QTC_MS, WIDE_QRS_MS, read_from, summarise
from ecg_core.result.resting import Resting
from ecg_core.result.result import Result, RhythmEpisode

MOSTLY: Final = 0.5
P_BEFORE_MOST: Final = 0.7
"""P waves before so many normal beats that follow one: the atria lead."""
SINUS_P_AXIS_DEG: Final = (0.0, 75.0)
"""The P wave of the sinus node in the frontal plane (Surawicz and Knilans, 2008)."""
LIMITS_MS: Final[dict[str, tuple[float, float]]] = {
    "pr_ms": (120.0, LONG_PR_MS),
    "qrs_duration_ms": (0.0, WIDE_QRS_MS),
    "qtc_fridericia_ms": (340.0, LONG_QTC_MS["female"]),
}
"""Below or above which a median is flagged (AHA/ACCF/HRS 2009)."""
SLOW_SINUS_BPM: Final = 50.0
"""Below it sinus bradycardia (ACC/AHA/HRS 2018)."""
FAST_SINUS_BPM: Final = 100.0
"""Above it sinus tachycardia (ACC/AHA/HRS 2015)."""

RHYTHMS: Final = (
    *("vf", "vt", "v_run", "wide_complex_tachycardia", "svt"),
    *("escape", "idioventricular", "atrial_fibrillation"),
)
"""Kinds of episode that are a rhythm of their own: what takes most of the time underlies."""

Flag = Literal["", "short", "long"]


@dataclass(frozen=True, slots=True)
class Burdens:
    """Shares, 0 to 1: of analysable beats of class V and S, of the time in fibrillation; None: not known."""

    ventricular: float | None
    supraventricular: float | None
    fibrillation: float | None


def underlying_rhythm(result: Result) -> tuple[str, float | None]:
    """Say what most of the recording is, and the share (0 to 1) of it that this rests on.

    Returns
    -------
    kind : str
        Of `RHYTHMS` the first that takes most of the time (the share is of time); else by the P waves before normal
        beats that follow a normal beat, ``p_waves`` or ``few_p_waves`` (the share is of those beats), ``sinus``,
        ``sinus_bradycardia`` or ``sinus_tachycardia`` where twelve leads tell their axis as well; ``unknown`` where
        there is none.
    share : float or None
    """
    for kind in RHYTHMS:
        total_s = sum(e.end_s - e.start_s for e in _of(result, kind))
        if total_s > MOSTLY * result.recording.duration_s:
            return kind, min(1.0, total_s / result.recording.duration_s)
    rows = read_from(result.beats, result.rhythm.episodes)
    if not rows.any():
        return "unknown", None
    with_p = float(np.isfinite(result.beats.intervals_ms[rows, 0]).mean())
    if with_p < P_BEFORE_MOST:
        return "few_p_waves", with_p
    return _of_the_atria(result.resting), with_p


def _of_the_atria(resting: Resting | None) -> str:
    low, high = SINUS_P_AXIS_DEG
    if resting is None or not low <= resting.value("p_axis_deg") <= high:
        return "p_waves"
    rate_bpm = resting.value("heart_rate_bpm")
    if rate_bpm < SLOW_SINUS_BPM:
        return "sinus_bradycardia"
    return "sinus_tachycardia" if rate_bpm > FAST_SINUS_BPM else "sinus"


def burdens(result: Result) -> Burdens:
    """Give the shares that a reader asks for."""
    table, n = result.beats, int(result.beats.analysable.sum())

    def share(letter: str) -> float | None:
        return float((table.analysable & (table.class_index == CLASSES.index(letter))).sum()) / n if n else None

    stretches = _of(result, "atrial_fibrillation")
    looked_for = bool(result.af.size) or bool(stretches)
    total_s = sum(e.end_s - e.start_s for e in stretches)
    time = min(1.0, total_s / result.recording.duration_s) if looked_for and result.recording.duration_s else None
    return Burdens(share("V"), share("S"), time)


def longest_pause(result: Result) -> RhythmEpisode | None:
    """Return the longest pause; None where there is none."""
    return max(_of(result, "pause"), key=lambda e: e.end_s - e.start_s, default=None)


def worst_run(result: Result) -> RhythmEpisode | None:
    """Return the longest of what is ventricular in a row, the fastest of equals; None where there is none."""
    runs = [e for kind in ("vf", "vt", "wide_complex_tachycardia", "v_run") for e in _of(result, kind)]
    order = {"vf": 2, "vt": 1}
    return max(runs, key=lambda e: (order.get(e.kind, 0), e.end_s - e.start_s, e.heart_rate_bpm or 0.0), default=None)


def interval_flags(result: Result) -> dict[str, tuple[float, Flag]]:
    """Give the median of each interval in ms, with ``short`` or ``long`` where it lies outside `LIMITS_MS`."""
    found: dict[str, tuple[float, Flag]] = {}
    for name, summary in summarise(result.beats, result.rhythm.episodes).items():
        low, high = LIMITS_MS.get(name, (0.0, np.inf))
        if name == "qtc_fridericia_ms" and result.recording.stated.sex == "male":
            high = LONG_QTC_MS["male"]
        flag: Flag = "short" if summary.median_ms < low else "long" if summary.median_ms >= high else ""
        found[name] = (summary.median_ms, flag)
    return found


def _of(result: Result, kind: str) -> list[RhythmEpisode]:
    return [episode for episode in result.rhythm.episodes if episode.kind == kind]
