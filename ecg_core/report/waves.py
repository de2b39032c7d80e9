"""The waves of a beat: their intervals over the recording as a table, and their bounds under one beat."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.recording import FloatArray
from ecg_core.report.paper import mm
from ecg_core.report.view import Shape, Table, Text
from ecg_core.report.wording import number, percent
from ecg_core.result import WAVE_POINTS, ChosenBeat, Result
from ecg_core.result.intervals import MEASURES, read_from, summarise
from ecg_core.texts import say, say_count

ERROR_MS: Final = {"pr_ms": 11, "qrs_duration_ms": 11, "qt_ms": 43}
"""Standard deviation of a recording's median against a cardiologist's, as ``ecg benchmark waves`` prints it."""
BRACKETS_MM: Final = 4.5
"""Height of the row of brackets."""
_BOUNDS: Final = {"P": ("p_on", "p_off"), "QRS": ("qrs_on", "qrs_off"), "T": ("t_on", "t_off")}
_FOOT_MM: Final = 1.0


def interval_table(result: Result) -> Table | None:
    """Median and quartiles of each interval; None where none was measured in a normal beat."""
    summaries = summarise(result.beats, result.rhythm.episodes)
    if not summaries:
        return None
    columns = ("interval_name", "interval_median", "interval_middle_half", "interval_beats")
    rows: list[tuple[str, ...]] = []
    for name in MEASURES:
        found = summaries.get(name)
        values = (number(None),) * 2 + (number(0),)
        if found is not None:
            low, high = number(found.lower_quartile_ms), number(found.upper_quartile_ms)
            median = say("interval_ms", value=number(found.median_ms))
            values = (median, say("interval_range", low=low, high=high), number(found.n_beats))
        rows.append((say(f"interval_{name}"), *values))
    return Table(say("interval_caption"), tuple(say(column) for column in columns), tuple(rows))


def interval_text(result: Result) -> str:
    """Say which beats the intervals are of, and how far to trust them."""
    rows = read_from(result.beats, result.rhythm.episodes)
    n = int(rows.sum())
    if n == 0:
        return say("interval_none")
    with_p = int(np.isfinite(result.beats.intervals_ms[rows, 0]).sum())
    sentences = [say_count("interval_beats_text", n, share=percent(with_p / n))]
    sentences.append(say("interval_error", **{name: ERROR_MS[name] for name in ERROR_MS}))
    sentences.append(say("interval_corrected"))
    return " ".join(sentences)


def measured_in(result: Result, chosen: ChosenBeat) -> str:
    """Say the intervals of one beat in a sentence."""
    pr_ms, qrs_ms, qt_ms = (float(value) for value in result.beats.intervals_ms[chosen.beat_index])
    parts = [
        say(f"why_{name}", ms=number(value))
        for name, value in (("pr", pr_ms), ("qrs", qrs_ms), ("qt", qt_ms))
        if np.isfinite(value)
    ]
    if not parts:
        return say("why_no_waves")
    sentence = say("why_waves", parts=", ".join(parts))
    return sentence if np.isfinite(pr_ms) else f"{sentence} {say('why_no_p')}"


def brackets(waves_ms: FloatArray, top_mm: float, left_mm: float, mm_per_ms: float) -> tuple[list[Shape], list[Text]]:
    """Draw P, QRS and T as brackets from onset to end, each with its name; what is absent is not drawn.

    Parameters
    ----------
    waves_ms : ndarray of float32, shape (8,)
        `WAVE_POINTS`, milliseconds from the R peak.
    top_mm : float
        Upper edge of the row.
    left_mm, mm_per_ms : float
        Where the R peak lies across the figure, and its scale.
    """
    d, words = "", []
    for name, points in _BOUNDS.items():
        on_ms, off_ms = (float(waves_ms[WAVE_POINTS.index(point)]) for point in points)
        if np.isfinite(on_ms) and np.isfinite(off_ms):
            on, off = left_mm + on_ms * mm_per_ms, left_mm + off_ms * mm_per_ms
            d += f"M{mm(on)} {mm(top_mm)}v{mm(_FOOT_MM)}H{mm(off)}v-{mm(_FOOT_MM)}"
            words.append(Text(mm((on + off) / 2), mm(top_mm + BRACKETS_MM - 0.4), say(f"wave_{name}"), "segment"))
    return ([Shape(d, "wave")] if d else []), words
