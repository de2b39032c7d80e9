"""Features of the intervals between beats, against several references."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.beats.shapes import FEWEST_BEATS, BoolArray, IntArray, delayed, half_octaves, percentile
from ecg_core.recording import FloatArray

_MODE_BINS: Final = 48
_MODE_OCTAVES: Final = 4
_MODE_BEATS: Final = 60
_MODE_SHARE: Final = 0.12
_MODE_KERNEL: Final = np.array([0.4, 0.9, 1.2, 0.9, 0.4])


def rr_features(rr_prev_ms: FloatArray, rr_next_ms: FloatArray, odd: BoolArray) -> dict[str, FloatArray]:
    """Compute the features of timing, NaN where an interval is unknown.

    References are quantiles and modes of the intervals around. Where nearly all beats are ectopic, only the few
    intervals after pauses tell what is early: hence the 90th and 96th percentile of 121.
    """
    known = np.isfinite(rr_prev_ms)
    conducted = known & ~odd & ~np.concatenate([[False], odd[:-1]])
    usable = next((mask for mask in (conducted, known) if mask.sum() >= FEWEST_BEATS or mask is known), known)
    # References are taken over the usable intervals alone, and each beat looks up those of the next usable one.
    intervals = rr_prev_ms[usable] if usable.any() else np.full(1, 800, dtype=np.float32)
    at = np.clip(np.searchsorted(np.flatnonzero(usable), np.arange(rr_prev_ms.size)), 0, intervals.size - 1)
    overall = np.median(intervals)
    median = ndimage.median_filter(intervals, 21, mode="nearest")
    change = np.clip(5 * np.abs(np.diff(intervals, prepend=intervals[:1])) / median, 0, 3).astype(np.float32)
    local, mode = median[at], _long_mode(intervals)[at]
    longest = percentile(intervals, 96, 121)[at]
    before, second = (delayed(rr_prev_ms, k) for k in (1, 2))
    after = np.concatenate([rr_next_ms[1:], [np.float32(np.nan)]])
    shortest = np.fmin(np.fmin(before, rr_next_ms), np.fmin(second, after))
    return {
        "rr_prev_to_local_median": half_octaves(rr_prev_ms, local),
        "rr_prev_to_local_upper": half_octaves(rr_prev_ms, percentile(intervals, 80, 41)[at]),
        "rr_prev_to_near_upper": half_octaves(rr_prev_ms, percentile(intervals, 70, 11)[at]),
        "rr_prev_to_long_mode": half_octaves(rr_prev_ms, mode),
        "rr_prev_to_longer_tenth": half_octaves(rr_prev_ms, percentile(intervals, 90, 121)[at]),
        "rr_prev_to_longest": half_octaves(rr_prev_ms, longest),
        "rr_before_to_longest": half_octaves(before, longest),
        "longest_to_median": half_octaves(longest, local),
        "rr_next_to_longest": half_octaves(rr_next_ms, longest),
        "rr_prev_to_recording_median": half_octaves(rr_prev_ms, overall),
        "rr_prev_to_rr_before": half_octaves(rr_prev_ms, before),
        "rr_prev_to_second_before": half_octaves(rr_prev_ms, second),
        "rr_prev_to_shortest_around": half_octaves(rr_prev_ms, shortest),
        "rr_before_to_long_mode": half_octaves(before, mode),
        "long_mode_to_median": half_octaves(mode, local),
        "rr_irregularity_9": percentile(change, 70, 9)[at],
        "rr_irregularity": percentile(change, 50, 21)[at],
        "rr_irregularity_61": percentile(change, 60, 61)[at],
        "rr_next_to_local_median": half_octaves(rr_next_ms, local),
        "rr_next_to_long_mode": half_octaves(rr_next_ms, mode),
        "rr_next_to_rr_prev": half_octaves(rr_next_ms, rr_prev_ms),
        "rr_pair_to_long_mode": half_octaves(rr_prev_ms + rr_next_ms, 2 * mode),
    }


def _long_mode(intervals: FloatArray) -> FloatArray:
    """Find the longest of the modes of the 121 intervals around each, in ms, shape of `intervals`."""
    n, overall = intervals.size, np.median(intervals)
    per_octave = _MODE_BINS / _MODE_OCTAVES
    octaves = np.log2(np.maximum(intervals, 1.0) / overall)
    bins = np.clip((octaves + _MODE_OCTAVES / 2) * per_octave, 0, _MODE_BINS - 1).astype(np.int64)
    first, last = np.maximum(np.arange(n) - _MODE_BEATS, 0), np.minimum(np.arange(n) + _MODE_BEATS + 1, n)
    share, summed = (_by_bin(bins, values, first, last) for values in (np.ones(n), octaves))
    smooth = ndimage.convolve1d(share, _MODE_KERNEL, axis=1, mode="constant")
    is_mode = smooth >= _MODE_SHARE
    is_mode[:, 1:] &= smooth[:, 1:] >= smooth[:, :-1]
    is_mode[:, :-1] &= smooth[:, :-1] >= smooth[:, 1:]
    longest = _MODE_BINS - 1 - np.argmax(is_mode[:, ::-1], axis=1)
    longest = np.where(is_mode.any(axis=1), longest, smooth.argmax(axis=1))
    # The mode is the mean of what lies in its bin and in the two beside it.
    near = np.abs(np.arange(_MODE_BINS)[None, :] - longest[:, None]) <= 1
    mode: FloatArray = (
        overall * 2 ** ((summed * near).sum(axis=1) / np.maximum((share * near).sum(axis=1), 1e-9))
    ).astype(np.float32)
    return mode


def _by_bin(bins: IntArray, values: npt.NDArray[np.float64], first: IntArray, last: IntArray) -> FloatArray:
    """Sum values by bin over the stretches first to last, divided by their lengths: shape (n, `_MODE_BINS`)."""
    so_far = np.zeros((bins.size + 1, _MODE_BINS))
    so_far[np.arange(1, bins.size + 1), bins] = values
    np.cumsum(so_far, axis=0, out=so_far)
    mean: FloatArray = (so_far[last] - so_far[first]) / (last - first)[:, None]
    return mean
