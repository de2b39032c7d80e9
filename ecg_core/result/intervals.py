"""From wave boundaries to the intervals that are read off an ECG: PR, QRS, QT and QT corrected for the heart rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result import WAVE_POINTS, BeatTable, RhythmEpisode

LONG_PR_MS: Final = 200.0
WIDE_QRS_MS: Final = 120.0
LONG_QTC_MS: Final = {"male": 450.0, "female": 460.0}
"""AHA/ACCF/HRS 2009 (doi 10.1161/CIRCULATIONAHA.108.191095, 191096), for adults: PR above, QRS and QTc from it."""
NOT_CONDUCTED: Final = (
    *("vf", "vt", "possible_vf", "possible_vt", "possible_v_run"),
    *("wide_complex_tachycardia", "escape", "idioventricular", "pacing"),
)
"""Kinds of episode whose beats are, or may be, ventricular or paced."""
MEASURES: Final = ("pr_ms", "qrs_duration_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms")


@dataclass(frozen=True, slots=True)
class Summary:
    """One interval over the beats of a recording: how many, their median and their quartiles, in ms."""

    n_beats: int
    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float


def intervals_of(waves_ms: FloatArray) -> FloatArray:
    """Measure the intervals between wave boundaries.

    Parameters
    ----------
    waves_ms : ndarray of float32, shape (n_beats, 8)
        `ecg_core.result.WAVE_POINTS`.

    Returns
    -------
    ndarray of float32, shape (n_beats, 3)
        `ecg_core.result.INTERVALS`; NaN where one of the two boundaries is.
    """
    p_on, qrs_on, qrs_off, t_off = (waves_ms[:, WAVE_POINTS.index(p)] for p in ("p_on", "qrs_on", "qrs_off", "t_off"))
    return np.stack([qrs_on - p_on, qrs_off - qrs_on, t_off - qrs_on], axis=1).astype(np.float32)


def corrected_qt(qt_ms: FloatArray, rr_ms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correct the QT interval to a heart rate of 60 per minute.

    Parameters
    ----------
    qt_ms, rr_ms : ndarray of float32, shape (n_beats,)
        The QT interval, and the RR interval before the beat.

    Returns
    -------
    bazett, fridericia : ndarray of float32, shape (n_beats,)
        QT over the square root (Bazett 1920) and over the cube root (Fridericia 1920) of the RR interval in seconds.
    """
    rr_s = rr_ms / np.float32(1000)
    return qt_ms / np.sqrt(rr_s), qt_ms / np.cbrt(rr_s)


def summarise(beats: BeatTable, episodes: Sequence[RhythmEpisode]) -> dict[str, Summary]:
    """Sum up the intervals of the beats that intervals are read from.

    These are the analysable normal beats that follow an analysable normal beat at a known interval: an ectopic beat
    has intervals of its own, and a pause or an early beat before changes QT. Beats in stretches that are, or may be,
    ventricular or paced (`NOT_CONDUCTED`) are left out, whatever their class: their QRS is no conducted beat's.

    Parameters
    ----------
    beats : BeatTable
    episodes : sequence of RhythmEpisode
        Of the same recording.

    Returns
    -------
    dict of str to Summary
        By name (`MEASURES`); those that were measured in no such beat are left out.
    """
    rows = read_from(beats, episodes)
    measured = np.column_stack([beats.intervals_ms, *corrected_qt(beats.intervals_ms[:, 2], beats.rr_prev_ms)])[rows]
    summaries: dict[str, Summary] = {}
    for name, column in zip(MEASURES, measured.T, strict=True):
        known = column[np.isfinite(column)].astype(np.float64)
        if known.size:
            low, middle, high = (float(value) for value in np.percentile(known, (25, 50, 75)))
            summaries[name] = Summary(int(known.size), middle, low, high)
    return summaries


def read_from(beats: BeatTable, episodes: Sequence[RhythmEpisode]) -> npt.NDArray[np.bool_]:
    """Tell which beats intervals are read from, shape (n_beats,): see `summarise`."""
    normal = beats.analysable & (beats.class_index == CLASSES.index("N"))
    for episode in episodes:
        if episode.kind in NOT_CONDUCTED:
            normal[(beats.r_time_s >= episode.start_s) & (beats.r_time_s <= episode.end_s)] = False
    after_normal = np.zeros(len(beats), dtype=np.bool_)
    after_normal[1:] = normal[:-1]
    rows: npt.NDArray[np.bool_] = normal & after_normal & np.isfinite(beats.rr_prev_ms)
    return rows
