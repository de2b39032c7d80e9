"""Intervals beyond their limits, as findings of what is no resting ECG.

Resting ECGs have criteria of the same kinds, measured on their median beat (`ecg_core.resting`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.result.intervals import LONG_PR_MS, LONG_QTC_MS, WIDE_QRS_MS, corrected_qt, read_from
from ecg_core.result.resting import Measurement
from ecg_core.result.result import Evidence, Finding, Result, Urgency

ERROR_MS: Final = {"pr_long": 11.0, "qrs_wide": 11.0, "qtc_long": 43.0}
"""Standard deviation of a recording's median against a cardiologist's (``ecg benchmark waves``), by kind of finding."""
FEWEST_BEATS: Final = 10
ADULT_FROM_YEARS: Final = 18


def interval_findings(result: Result) -> Iterator[Finding]:
    """State each interval whose median over the recording's normal beats lies beyond its limit, in adults."""
    stated = result.recording.stated
    no_adult = stated.age_years is not None and stated.age_years < ADULT_FROM_YEARS
    if no_adult or (result.resting is not None and not result.resting.not_measured):
        return
    beats = result.beats
    rows = read_from(beats, result.rhythm.episodes)
    _, fridericia = corrected_qt(beats.intervals_ms[:, 2], beats.rr_prev_ms)
    columns = {"pr_ms": beats.intervals_ms[:, 0], "qrs_duration_ms": beats.intervals_ms[:, 1]}
    medians = {name: _median(values, rows) for name, values in {**columns, "qtc_fridericia_ms": fridericia}.items()}
    # Limits of QT are those of narrow complexes.
    is_wide = medians["qrs_duration_ms"] is not None and medians["qrs_duration_ms"][0] >= WIDE_QRS_MS
    for kind, measure, limit_ms in (
        ("pr_long", "pr_ms", LONG_PR_MS),
        ("qrs_wide", "qrs_duration_ms", WIDE_QRS_MS),
        ("qtc_long", "qtc_fridericia_ms", LONG_QTC_MS[stated.sex or "female"]),
    ):
        found = medians[measure]
        if found is None or (kind == "qtc_long" and is_wide):
            continue
        median, row, n = found
        if median > limit_ms or (median == limit_ms and kind != "pr_long"):
            doubted = median - limit_ms < ERROR_MS[kind]
            urgency: Urgency = "doubt" if doubted else "info" if kind == "pr_long" else "notable"
            at_s = float(beats.r_time_s[row])
            value = Measurement(None, measure, median, "ms")
            yield Finding(kind, urgency, (Evidence(at_s, at_s),), n_beats=n, measured=(value,), limit_value=limit_ms)


def _median(values: FloatArray, rows: npt.NDArray[np.bool_]) -> tuple[float, int, int] | None:
    """Return the median, the row of the beat nearest to it, and of how many; None of too few.

    Where most beats have no P wave, what was found before the others may be none.
    """
    known = np.flatnonzero(rows & np.isfinite(values))
    if known.size < max(FEWEST_BEATS, rows.sum() / 2):
        return None
    median = float(np.median(values[known].astype(np.float64)))
    return median, int(known[np.argmin(np.abs(values[known] - median))]), int(known.size)
