"""All that is measured of a resting ECG, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ecg_core.resting.amplitudes import Amplitudes, amplitudes, axis_degrees
from ecg_core.resting.median_beat import MedianBeat
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.result.resting import STANDARD_LEADS, Measurement

GLOBAL_UNITS: Final = {
    "heart_rate_bpm": "1/min",
    "p_duration_ms": "ms",
    "pr_ms": "ms",
    "qrs_duration_ms": "ms",
    "qt_ms": "ms",
    "qtc_fridericia_ms": "ms",
    "qtc_bazett_ms": "ms",
    "p_axis_deg": "deg",
    "qrs_axis_deg": "deg",
    "t_axis_deg": "deg",
    "sokolow_lyon_mv": "mV",
    "cornell_mv": "mV",
}
LEAD_UNITS: Final = {
    "p_mv": "mV",
    "q_mv": "mV",
    "q_ms": "ms",
    "r_mv": "mV",
    "s_mv": "mV",
    "r2_mv": "mV",
    "j_mv": "mV",
    "j60_mv": "mV",
    "t_mv": "mV",
}
"""What becomes a row for each lead. Q and S are 0 or negative, R and R' 0 or positive, all others signed."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Global values by name (`GLOBAL_UNITS`; NaN where it cannot be told) and what was measured of each lead."""

    overall: dict[str, float]
    by_lead: Amplitudes

    def at(self, name: str, lead: str) -> float:
        """Value of one lead; NaN where the lead cannot be read."""
        return float(getattr(self.by_lead, name)[STANDARD_LEADS.index(lead)])

    def row(self, name: str, lead: str | None = None) -> Measurement:
        """One value as a row."""
        if lead is None:
            return Measurement(None, name, self.overall[name], GLOBAL_UNITS[name])
        return Measurement(lead, name, self.at(name, lead), LEAD_UNITS.get(name, "ms"))

    def rows(self) -> tuple[Measurement, ...]:
        """All that could be told, global values first."""
        every = [self.row(name) for name in GLOBAL_UNITS]
        every += [self.row(name, lead) for lead in STANDARD_LEADS for name in LEAD_UNITS]
        return tuple(row for row in every if np.isfinite(row.value))


def measured(beat: MedianBeat) -> Measured:
    """Measure a median beat of the twelve standard leads.

    Intervals are those of the boundaries over all leads (the first onset to the last end that the leads together show,
    as AHA/ACC/HRS 2007 ask). The QRS axis is from heights (R less the deeper of Q and S), those of P and T are from
    areas, which noise moves less. Rate and QTc are those of the median RR interval.

    Parameters
    ----------
    beat : MedianBeat
        Of `STANDARD_LEADS`.

    Returns
    -------
    Measured
    """
    found = amplitudes(beat)
    p_on, p_off, qrs_on, qrs_off, t_off = (
        beat.points[name] * 1000 / ANALYSIS_RATE_HZ for name in ("p_on", "p_off", "qrs_on", "qrs_off", "t_off")
    )
    qt_ms, rr_s = t_off - qrs_on, beat.rr_ms / 1000
    deepest = np.minimum(found.q_mv, found.s_mv)
    s_v1, s_v3, r_v5, r_v6, r_avl = (
        values[STANDARD_LEADS.index(lead)]
        for values, lead in (
            (deepest, "V1"),
            (deepest, "V3"),
            (found.r_mv, "V5"),
            (found.r_mv, "V6"),
            (found.r_mv, "aVL"),
        )
    )
    overall = {
        "heart_rate_bpm": 60 / rr_s,
        "p_duration_ms": p_off - p_on,
        "pr_ms": qrs_on - p_on,
        "qrs_duration_ms": qrs_off - qrs_on,
        "qt_ms": qt_ms,
        "qtc_fridericia_ms": qt_ms / rr_s ** (1 / 3),
        "qtc_bazett_ms": qt_ms / rr_s**0.5,
        "p_axis_deg": axis_degrees(found.p_area),
        "qrs_axis_deg": axis_degrees(np.maximum(found.r_mv, found.r2_mv) + deepest),
        "t_axis_deg": axis_degrees(found.t_area),
        "sokolow_lyon_mv": np.fmax(r_v5, r_v6) - s_v1,
        "cornell_mv": r_avl - s_v3,
    }
    return Measured({name: float(value) for name, value in overall.items()}, found)
