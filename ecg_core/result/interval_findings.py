"""Intervals beyond their limits, as findings of what is no resting ECG (those have criteria of their own)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from ecg_core.result.intervals import corrected_qt, read_from
from ecg_core.result.resting import Measurement
from ecg_core.result.result import Evidence, Finding, Result, Urgency


@dataclass(frozen=True, slots=True)
class IntervalLimit:
    """From `limit_ms` on (`female_ms` in women, and where the sex is not stated) an interval is a finding.

    `error_ms` is the standard deviation of a recording's median against a cardiologist's (``ecg benchmark waves``):
    what is nearer to the limit is in doubt.
    """

    measure: str
    limit_ms: float
    female_ms: float
    error_ms: float


INTERVAL_LIMITS: Final = {
    "long_pr": IntervalLimit("pr_ms", 201.0, 201.0, 11.0),
    "wide_qrs": IntervalLimit("qrs_duration_ms", 120.0, 120.0, 11.0),
    "long_qtc": IntervalLimit("qtc_fridericia_ms", 450.0, 460.0, 43.0),
}
"""AHA/ACCF/HRS 2009 (doi 10.1161/CIRCULATIONAHA.108.191095 and 191096), for adults."""
FEWEST_BEATS: Final = 10
ADULT_FROM_YEARS: Final = 18


def interval_findings(result: Result) -> Iterator[Finding]:
    """State each interval whose median over the recording's normal beats lies beyond its limit, in adults."""
    stated = result.recording.stated
    no_adult = stated.age_years is not None and stated.age_years < ADULT_FROM_YEARS
    if no_adult or (result.resting is not None and not result.resting.not_measured):
        return
    beats = result.beats
    rows = read_from(beats)
    _, fridericia = corrected_qt(beats.intervals_ms[:, 2], beats.rr_prev_ms)
    measured = {
        "pr_ms": beats.intervals_ms[:, 0],
        "qrs_duration_ms": beats.intervals_ms[:, 1],
        "qtc_fridericia_ms": fridericia,
    }
    for kind, limit in INTERVAL_LIMITS.items():
        values = measured[limit.measure].astype(np.float64)
        known = np.flatnonzero(rows & np.isfinite(values))
        # Where most beats have no P wave, what was found before the others may be none.
        if known.size < max(FEWEST_BEATS, rows.sum() / 2):
            continue
        median = float(np.median(values[known]))
        at_ms = limit.limit_ms if stated.sex == "male" else limit.female_ms
        if median < at_ms:
            continue
        urgency: Urgency = "doubt" if median - at_ms < limit.error_ms else "notable"
        at_s = float(beats.r_time_s[known[np.argmin(np.abs(values[known] - median))]])
        value = Measurement(None, limit.measure, median, "ms")
        yield Finding(
            kind, urgency, (Evidence(at_s, at_s),), n_beats=int(known.size), measured=(value,), limit_value=at_ms
        )
