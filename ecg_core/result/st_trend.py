"""How the ST level of normal beats moves through a recording, against the recording's own middle.

No finding rests on it. A Holter's leads are not those of a resting ECG, its recorder's bandwidth is mostly not stated,
and lying down or turning over moves ST as well: the trend shows where to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result.result import ANALYSIS_RATE_HZ, Result

SHORTEST_S: Final = 600.0
BY_MINUTE_UNTIL_S: Final = 2 * 3600.0
FEWEST_BEATS: Final = 8
FEWEST_WINDOWS: Final = 5
AFTER_J_MS: Final = 60.0
MOST_LEADS: Final = 3
_READABLE_SHARE: Final = 0.5
_AROUND: Final = 2
"""Samples on either side of a level that are averaged: 20 ms in all."""
_SAMPLED: Final = 600
_REACH: Final = 40
_QUIET: Final = 0.06
_QUIET_SAMPLES: Final = 4
_BEFORE_QRS_MS: Final = 24.0

IntArray = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class StTrend:
    """ST levels by window and lead.

    Attributes
    ----------
    window_s : float
        A minute, or five in recordings of more than two hours.
    leads : tuple of int
    level_mv : ndarray of float64, shape (n_windows, n_leads)
        Median over the window's normal beats: level `AFTER_J_MS` after the J point, above that before the QRS complex;
        NaN where fewer than `FEWEST_BEATS` can be measured.
    low_mv, high_mv : ndarray of float64, shape (n_windows, n_leads)
        Quartiles of the same beats.
    baseline_mv : ndarray of float64, shape (n_leads,)
        Median of `level_mv` over the recording.
    n_beats : ndarray of int64, shape (n_windows, n_leads)
    from_r_ms : tuple of float
        Where in each beat the level before the QRS complex and that of ST are taken, in ms from R.
    """

    window_s: float
    leads: tuple[int, ...]
    level_mv: Floats
    low_mv: Floats
    high_mv: Floats
    baseline_mv: Floats
    n_beats: IntArray
    from_r_ms: tuple[float, float]


def st_trend(result: Result) -> StTrend | None:
    """Measure the trend; None where the recording is short, or no lead gives `FEWEST_WINDOWS`.

    Measured alike in every beat: where the median normal beat of the recording begins and ends, on its leads together.
    Beats are only looked at where the lead can be read.
    """
    table, duration_s = result.beats, result.recording.duration_s
    rows = np.flatnonzero(table.analysable & (table.class_index == CLASSES.index("N")) & ~table.inconclusive)
    leads = _leads(result)
    if duration_s < SHORTEST_S or rows.size < FEWEST_WINDOWS * FEWEST_BEATS or not leads:
        return None
    r_index = np.rint(table.r_time_s[rows] * ANALYSIS_RATE_HZ).astype(np.int64)
    bounds = _bounds(result.signal_mv, leads, r_index)
    if bounds is None:
        return None
    before = bounds[0] - round(_BEFORE_QRS_MS * ANALYSIS_RATE_HZ / 1000)
    after = bounds[1] + round(AFTER_J_MS * ANALYSIS_RATE_HZ / 1000)
    levels = _level(result.signal_mv, leads, r_index + after) - _level(result.signal_mv, leads, r_index + before)
    levels[~_readable(result, rows, leads)] = np.nan
    window_s = 60.0 if duration_s <= BY_MINUTE_UNTIL_S else 300.0
    window = (table.r_time_s[rows] // window_s).astype(np.int64)
    n_windows = int(np.ceil(duration_s / window_s))
    quartiles, n_beats = _by_window(levels, window, n_windows)
    known = np.isfinite(quartiles[1]).sum(axis=0) >= FEWEST_WINDOWS
    if not known.any():
        return None
    low, middle, high = quartiles[:, :, known]
    return StTrend(
        window_s,
        tuple(np.array(leads)[known].tolist()),
        middle,
        low,
        high,
        np.nanmedian(middle, axis=0),
        n_beats[:, known],
        (1000 * before / ANALYSIS_RATE_HZ, 1000 * after / ANALYSIS_RATE_HZ),
    )


def _leads(result: Result) -> tuple[int, ...]:
    """Name the primary lead and others that can be read most of the time, in the file's order."""
    quality = result.quality
    share = quality.analysable.mean(axis=0) if len(quality.analysable) else np.zeros(0)
    best = [int(lead) for lead in np.argsort(-share, kind="stable") if share[lead] >= _READABLE_SHARE]
    best.sort(key=lambda lead: lead != quality.primary_lead)
    return tuple(sorted(best[:MOST_LEADS]))


def _bounds(signal_mv: FloatArray, leads: tuple[int, ...], r_index: IntArray) -> tuple[int, int] | None:
    """Find where the QRS complex of the median beat begins and ends, in samples from R.

    From R outwards to where the leads' slopes together stay small; None where they never do.
    """
    even = r_index[np.unique(np.linspace(0, r_index.size - 1, min(r_index.size, _SAMPLED)).astype(np.int64))]
    around = np.arange(-_REACH - _QUIET_SAMPLES, _REACH + _QUIET_SAMPLES + 1)
    cut = signal_mv[np.clip(even[:, None] + around, 0, len(signal_mv) - 1)][..., leads]
    median = np.nanmedian(cut - np.nanmean(cut, axis=1, keepdims=True), axis=0)
    slope = np.abs(np.diff(np.nan_to_num(median), axis=0)).sum(axis=1)
    quiet = slope <= _QUIET * slope.max()
    middle = len(around) // 2
    off = next((i for i in range(middle, middle + _REACH) if quiet[i : i + _QUIET_SAMPLES].all()), None)
    on = next((i for i in range(middle, middle - _REACH, -1) if quiet[i - _QUIET_SAMPLES : i].all()), None)
    return (on - middle, off - middle) if on is not None and off is not None else None


def _level(signal_mv: FloatArray, leads: tuple[int, ...], at: IntArray) -> Floats:
    around = np.arange(-_AROUND, _AROUND + 1)
    cut = signal_mv[np.clip(at[:, None] + around, 0, len(signal_mv) - 1)]
    return np.asarray(cut[..., leads].mean(axis=1), dtype=np.float64)


def _readable(result: Result, rows: IntArray, leads: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    quality = result.quality
    epoch = np.clip((result.beats.r_time_s[rows] // quality.epoch_s).astype(np.int64), 0, len(quality.analysable) - 1)
    return np.asarray(quality.analysable[epoch][:, leads])


def _by_window(levels: Floats, window: IntArray, n_windows: int) -> tuple[Floats, IntArray]:
    """Return quartiles, shape (3, n_windows, n_leads), and how many beats they are of."""
    quartiles = np.full((3, n_windows, levels.shape[1]), np.nan)
    n_beats = np.zeros((n_windows, levels.shape[1]), dtype=np.int64)
    edges = np.searchsorted(window, np.arange(n_windows + 1))
    for i, (a, b) in enumerate(pairwise(edges)):
        n_beats[i] = np.isfinite(levels[a:b]).sum(axis=0)
        enough = n_beats[i] >= FEWEST_BEATS
        if enough.any():
            quartiles[:, i, enough] = np.nanquantile(levels[a:b][:, enough], (0.25, 0.5, 0.75), axis=0)
    return quartiles, n_beats
