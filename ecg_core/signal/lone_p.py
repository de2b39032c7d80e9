"""P waves that no QRS follows: in a standstill of the ventricles, or in complete block, they are small and regular.

A detector that looks for small beats in a gap finds them. What tells them from beats that became small is the
recording's own conducted beats: a lone P wave looks like the P wave before them, as tall, in every lead.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ

_LARGEST_SHARE: Final = 0.4
"""Of the usual complex's height; a P wave is rarely a third of it in the lead that shows it best."""
_BEFORE_R_S: Final = (0.3, 0.05)
_HALF_S: Final = 0.06
_UPPER_PERCENT: Final = 75
_ALIKE: Final = 0.85
_AS_TALL: Final = (0.6, 1.7)
_LOWEST_MV: Final = 0.03
_MOST_COMPARED: Final = 300
_FEWEST_BEATS: Final = 5

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def are_lone_p_waves(
    places: IntArray, signal_mv: FloatArray, beats: IntArray, leads: BoolArray | None = None
) -> BoolArray:
    """Tell which small peaks are P waves that no QRS follows; bool, shape (n,).

    Parameters
    ----------
    places : ndarray of int64, shape (n,)
        Sample numbers of what was taken for a complex.
    signal_mv : ndarray of float32, shape (n_samples, n_leads)
        Cleaned, at `ANALYSIS_RATE_HZ`.
    beats : ndarray of int64, shape (m,)
        R peaks of the recording, mostly right.
    leads : ndarray of bool, shape (n_leads,), optional
        Those that can be read; all where left out.

    Returns
    -------
    ndarray of bool, shape (n,)
        All false where there are too few beats to know a P wave from.
    """
    lone = np.zeros(places.size, dtype=np.bool_)
    if beats.size < _FEWEST_BEATS or not places.size:
        return lone
    chosen = np.arange(signal_mv.shape[1]) if leads is None else np.flatnonzero(leads)
    height = np.ptp(_cut(signal_mv, chosen, beats, -_HALF_S, _HALF_S), axis=1).max(axis=1)
    # Not the median: in complete block more may be P waves than complexes.
    usual = float(np.percentile(height, _UPPER_PERCENT))
    tall = beats[height > 0.6 * usual]
    tall = tall[:: max(1, tall.size // _MOST_COMPARED)]
    around = _cut(signal_mv, chosen, places, -_HALF_S, _HALF_S)
    small = np.flatnonzero(np.ptp(around, axis=1).max(axis=1) < _LARGEST_SHARE * usual)
    if not small.size or tall.size < _FEWEST_BEATS:
        return lone
    mean_beat = np.median(_cut(signal_mv, chosen, tall, -_BEFORE_R_S[0] - _HALF_S, 0.1), axis=0)
    before = mean_beat[: round((_BEFORE_R_S[0] - _BEFORE_R_S[1] + 2 * _HALF_S) * ANALYSIS_RATE_HZ)]
    like_p, as_tall = _best_fit(around[small], before)
    like_qrs, _ = _best_fit(around[small], mean_beat[-round((0.1 + 1.5 * _HALF_S) * ANALYSIS_RATE_HZ) :])
    lone[small] = (
        (np.ptp(before, axis=0).max() >= _LOWEST_MV)
        & (like_p >= _ALIKE)
        & (like_p > like_qrs)
        & (as_tall > _AS_TALL[0])
        & (as_tall < _AS_TALL[1])
    )
    return lone


def _cut(signal_mv: FloatArray, leads: IntArray, places: IntArray, from_s: float, to_s: float) -> FloatArray:
    """Windows around places, shape (n, samples, leads)."""
    inside = np.arange(round(from_s * ANALYSIS_RATE_HZ), round(to_s * ANALYSIS_RATE_HZ) + 1)
    at = np.clip(places[:, None] + inside, 0, signal_mv.shape[0] - 1)
    windows: FloatArray = signal_mv[at[..., None], leads]
    return windows


def _best_fit(windows: FloatArray, stretch: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation with the part of a stretch that each window is most like, over all leads, and its size against it."""
    length = windows.shape[1]
    parts = np.lib.stride_tricks.sliding_window_view(stretch, length, axis=0).transpose(0, 2, 1)
    parts = (parts - parts.mean(axis=1, keepdims=True)).reshape(len(parts), -1)
    rows = (windows - windows.mean(axis=1, keepdims=True)).reshape(len(windows), -1)
    products = rows @ parts.T
    size, of_rows = np.linalg.norm(parts, axis=1), np.linalg.norm(rows, axis=1)
    likeness = products / np.maximum(of_rows[:, None] * size, 1e-9)
    best = likeness.argmax(axis=1)
    at = np.arange(len(rows))
    return likeness[at, best], of_rows / np.maximum(size[best], 1e-9)
