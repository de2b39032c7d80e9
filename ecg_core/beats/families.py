"""Families of beats: those of one shape on all leads, and the average beat of each, measured once.

Single beats are noisy: in a ventricular tachycardia each T wave may pass for a P wave, each width for 110 or 140 ms.
The average of a family is not, and P waves that go their own way vanish from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import peak_prominences

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, WAVE_POINTS
from ecg_core.result.alike import ALIKE, BELONGS, HALF, leaders, same_beat, unit_rows, windows
from ecg_core.signal.waves import qrs_bounds_ms

FAST_MS: Final = 620.0
WIDE_MS: Final = 120.0
_SLOW_MS: Final = 1100.0
_FEWEST: Final = 4
_MOST_FAMILIES: Final = 12
_OF_EACH_PACE: Final = 300
_AVERAGED: Final = 100
_LARGE: Final = 0.1
_ASSOCIATED_SHARE: Final = 0.5
_ASSOCIATED_SPREAD_MS: Final = 25.0
_P_MV: Final = 0.02
_P_OF_QRS: Final = 0.03
_P_AROUND: Final = 10
_P_REACH: Final = 30
_AFTER_QRS: Final = 20
_CLEAR: Final = 5
_EDGE: Final = 2
_SLOPES: Final = 10
_NUDGE: Final = 6
_SEED: Final = 20

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Families:
    """Beats by shape.

    Attributes
    ----------
    of_beat : ndarray of int64, shape (n_beats,)
        Number of the family, -1 for a beat of none.
    shift_s : ndarray of float64, shape (n_beats,)
        From the R mark to where most of the family have it: in a broad complex marks hop.
    qrs_ms : ndarray of float64, shape (n_families,)
        Duration of the average beat's QRS.
    leads_by_p : ndarray of bool, shape (n_families,)
        A P wave comes before most of its beats, at the same distance, and is another wave than the T wave before.
    conducted : int or None
        The family of conducted beats: of those with a tenth of all beats the narrowest; None where none is narrow.
    conducted_within : ndarray of bool, shape (n_beats,)
        The conducted complex stands in the beat, by its slopes, whatever slow waves (tremor) lie over it.
    height_mv : ndarray of float64, shape (n_families,)
        Of the average beat, lowest to highest point, in the lead that shows it best.
    likeness : ndarray of float64, shape (n_families,)
        Correlation of each average with that of the conducted family; 0 where there is none.
    """

    of_beat: IntArray
    shift_s: npt.NDArray[np.float64]
    qrs_ms: npt.NDArray[np.float64]
    leads_by_p: BoolArray
    conducted: int | None
    conducted_within: BoolArray
    height_mv: npt.NDArray[np.float64]
    likeness: npt.NDArray[np.float64]


def find_families(
    signal_mv: FloatArray, r_index: IntArray, rr_ms: FloatArray, waves_ms: FloatArray, analysable: BoolArray
) -> Families:
    """Sort the beats by shape.

    Parameters
    ----------
    signal_mv : ndarray of float32, shape (n, n_leads)
        Cleaned, at `ANALYSIS_RATE_HZ`: up to three leads that can be read.
    r_index : ndarray of int64, shape (n_beats,)
    rr_ms : ndarray of float32, shape (n_beats,)
        NaN where unknown.
    waves_ms : ndarray of float32, shape (n_beats, 8)
    analysable : ndarray of bool, shape (n_beats,)
    """
    n = r_index.size
    cut = windows(signal_mv, r_index, HALF)
    unit = unit_rows(cut.reshape(n, -1)) if n else cut.reshape(0, 1)
    sample = _sample(rr_ms, analysable)
    members = leaders(unit, sample, _MOST_FAMILIES, _FEWEST)
    if not members:
        none = np.zeros(0)
        return Families(np.full(n, -1), np.zeros(n), none, none.astype(bool), None, np.zeros(n, dtype=bool), none, none)
    averages = np.stack([_average(signal_mv, r_index, rr_ms, rows) for rows in members])
    joins, shift = same_beat(averages)
    shapes = unit_rows(np.stack([np.median(unit[rows], axis=0) for rows in members]))
    likeness = unit @ shapes.T
    of_beat = np.where(analysable & (likeness.max(axis=1) >= BELONGS), likeness.argmax(axis=1), -1)
    shift_s = np.where(of_beat >= 0, shift[of_beat], 0) / ANALYSIS_RATE_HZ
    of_beat = np.where(of_beat >= 0, joins[of_beat], -1)
    qrs_ms = qrs_bounds_ms(averages)
    counts = np.bincount(of_beat[of_beat >= 0], minlength=len(members))
    narrow = np.flatnonzero((qrs_ms < WIDE_MS) & (counts >= max(_FEWEST, _LARGE * counts.sum())))
    conducted = int(narrow[qrs_ms[narrow].argmin()]) if narrow.size else None
    to_conducted = shapes @ shapes[conducted] if conducted is not None else np.zeros(len(members))
    led = np.array(
        [
            _leads(waves_ms[of_beat == k]) and _p_stands_apart(averages[k], waves_ms[of_beat == k], rr_ms[of_beat == k])
            for k in range(len(members))
        ]
    )
    middle = averages.shape[1] // 2
    height_mv = np.ptp(averages[:, middle - HALF : middle + HALF + 1], axis=1).max(axis=1).astype(np.float64)
    within = np.zeros(n, dtype=bool) if conducted is None else _within(signal_mv, r_index, averages[conducted])
    return Families(of_beat, shift_s, qrs_ms, led, conducted, within, height_mv, to_conducted.astype(np.float64))


def _average(signal_mv: FloatArray, r_index: IntArray, rr_ms: FloatArray, rows: IntArray) -> FloatArray:
    """Average a family: its slow beats where it has some, since in fast ones the T wave before runs into the QRS."""
    slow = rows[rr_ms[rows] >= FAST_MS]
    chosen = (slow if slow.size >= _FEWEST else rows)[:_AVERAGED]
    average: FloatArray = np.median(windows(signal_mv, r_index[chosen], 2 * HALF + 50), axis=0)
    return average


def _within(signal_mv: FloatArray, r_index: IntArray, average: FloatArray) -> BoolArray:
    """Whether the slopes of an average beat are found in each beat, a little before or after its mark."""
    middle = average.shape[0] // 2
    inner = np.arange(-_SLOPES, _SLOPES + 1)
    slopes = np.diff(average, axis=0)
    shifted = unit_rows(np.stack([slopes[middle + inner + by].ravel() for by in range(-_NUDGE, _NUDGE + 1)]))
    rows = np.diff(signal_mv[np.clip(r_index[:, None] + np.append(inner, _SLOPES + 1), 0, len(signal_mv) - 1)], axis=1)
    return np.asarray((unit_rows(rows.reshape(len(rows), -1)) @ shifted.T).max(axis=1, initial=0) >= ALIKE)


def _sample(rr_ms: FloatArray, analysable: BoolArray) -> IntArray:
    """Draw some beats of each pace, so that a short tachycardia in a long recording is seen."""
    rng = np.random.default_rng(_SEED)
    pace = np.where(rr_ms < FAST_MS, 0, np.where(rr_ms > _SLOW_MS, 2, 1))
    chosen = []
    for each in range(3):
        rows = np.flatnonzero(analysable & (pace == each))
        chosen.append(rng.choice(rows, min(rows.size, _OF_EACH_PACE), replace=False))
    return np.sort(np.concatenate(chosen))


def _leads(waves_ms: FloatArray) -> bool:
    """Whether P waves lead to these beats: most have one, and the PR interval stays the same."""
    p_ms = waves_ms[:, WAVE_POINTS.index("p_peak")]
    known = p_ms[np.isfinite(p_ms)]
    if known.size < max(_FEWEST, _ASSOCIATED_SHARE * p_ms.size):
        return False
    return bool(np.median(np.abs(known - np.median(known))) <= _ASSOCIATED_SPREAD_MS)


def _p_stands_apart(average: FloatArray, waves_ms: FloatArray, rr_ms: FloatArray) -> bool:
    """Whether some lead of a fast family's average has a wave of its own where the P waves are said to be.

    In a wide tachycardia the T wave before is the only wave between two complexes, and passes for a P wave.
    """
    rr = float(np.nanmedian(rr_ms)) if np.isfinite(rr_ms).any() else float("inf")
    if rr >= FAST_MS:
        return True
    middle, per_ms = average.shape[0] // 2, ANALYSIS_RATE_HZ / 1000
    points = np.nanmedian(waves_ms[:, [WAVE_POINTS.index(name) for name in ("p_peak", "qrs_on", "qrs_off")]], axis=0)
    if not np.isfinite(points).all():
        return False
    p_peak, on, off = (round(float(point) * per_ms) for point in points)
    p_peak += middle
    begin = max(0, middle - round(rr * per_ms) + max(_AFTER_QRS, off + _CLEAR))
    end = min(p_peak + _P_REACH, middle + on)
    if end - begin < _P_REACH:
        return False
    return any(
        _waves(sign * lead[begin:end], p_peak - begin, max(_P_MV, _P_OF_QRS * float(np.ptp(lead))))
        for lead in average.T.astype(np.float64)
        for sign in (1.0, -1.0)
    )


def _waves(lead: npt.NDArray[np.float64], p_peak: int, least_mv: float) -> bool:
    """Whether a peak stands near the P wave's place, and another wave before it, with a valley between."""
    peaks = 1 + np.flatnonzero((lead[1:-1] > lead[:-2]) & (lead[1:-1] >= lead[2:]))
    near = peaks[np.abs(peaks - p_peak) <= _P_AROUND]
    if not near.size or peak_prominences(lead, near)[0].max() < least_mv:
        return False
    peak = near[lead[near].argmax()]
    valley = int(lead[:peak].argmin())
    return valley > _EDGE and float(lead[:valley].max() - lead[valley]) >= least_mv
