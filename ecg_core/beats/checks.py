"""Classes checked by rules that no reference of the recording's own can bend: what a run must look like to be one.

The classifier compares each beat with the recording's usual rhythm. Where the rate changes for good, the faster part
looks early against the slower one, throughout and with certainty. A run of supraventricular ectopic beats begins with
an early beat, or ends; where a recording begins within it, nothing is known of its beginning.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.beats.shapes import correlation
from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result.alike import unit_rows

N, S, V, Q = (CLASSES.index(letter) for letter in "NSVQ")
SHORTEST_RUN: Final = 3
SURE_ENOUGH: Final = 0.75
"""As for a run of V (`ecg_core.beats.rhythm.SURE`)."""
LONGER: Final = 1.4
"""An interval after a run against the median within it: a pause, or a slower rhythm."""
RETURNS: Final = 1.25
"""After a pause the median of the next intervals is below this again; after a change of rhythm it is not."""
FAST_MS: Final = 600.0
_BEFORE, _AFTER, _LATER = 3, 3, 8
_MOST_BETWEEN: Final = 2
_AT_PACE: Final = 0.4
_AT_PACE_EXACTLY: Final = 0.2
_FASTER_MS: Final = 460.0
_EDGE_BEATS: Final = 6
_ALIKE: Final = 0.8
_LONGEST_OF_PACE: Final = 1.25
_MORE_LIKELY_THAN_NOT: Final = 0.51
_MOST: Final = 0.99
_PACE_INTERVALS: Final = 15
_GAP_WITHOUT: Final = 1.4
"""Of the usual interval: on MIT-BIH's training half highest and lowest rates are right in 21 of 26 records, not 18."""

BoolArray = npt.NDArray[np.bool_]


def noise_taken_for_beats(
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: FloatArray,
    class_index: npt.NDArray[np.integer],
) -> BoolArray:
    """Tell which detections are no beats, so that rates and episodes do not count them; bool, shape (n,).

    Those that are called Q and without which the beats around follow one another as they usually do. What is called Q
    and would leave a gap may be a beat that noise spoiled.

    Parameters
    ----------
    r_time_s : ndarray of float64, shape (n,)
    rr_prev_ms : ndarray of float32, shape (n,)
        NaN where unknown.
    class_index : ndarray of int, shape (n,)
    """
    doubted = class_index == Q
    beside = doubted.copy()
    beside[1:] |= doubted[:-1]
    usual = np.flatnonzero(np.isfinite(rr_prev_ms) & ~beside)
    if not doubted.any() or usual.size == 0:
        return np.zeros_like(doubted)
    pace_s = ndimage.median_filter(rr_prev_ms[usual], _PACE_INTERVALS, mode="nearest") / 1000
    rows = np.arange(doubted.size)
    before = np.maximum.accumulate(np.where(doubted, -1, rows))
    after = np.minimum.accumulate(np.where(doubted, doubted.size, rows)[::-1])[::-1]
    inside = doubted & (before >= 0) & (after < doubted.size)
    gap_s = r_time_s[np.minimum(after, doubted.size - 1)] - r_time_s[before]
    near = pace_s[np.minimum(np.searchsorted(usual, rows), usual.size - 1)]
    return np.asarray(inside & (gap_s < _GAP_WITHOUT * near), dtype=np.bool_)


def unfounded_s_runs(
    rr_prev_ms: FloatArray, class_index: npt.NDArray[np.int64], analysable: BoolArray
) -> npt.NDArray[np.int64]:
    """Return the beats of runs of S that a recording, or a stretch of it, begins with and that do not end.

    Runs whose beginning is seen are left to the classifier: on svdb and MIT-BIH's training half a rule for them takes
    as many true ectopic beats as false ones.

    Parameters
    ----------
    rr_prev_ms : ndarray of float32, shape (n,)
        NaN where unknown.
    class_index : ndarray of int, shape (n,)
    analysable : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray of int64, shape (m,)
        Rows, ascending.
    """
    of_s = analysable & (class_index == S)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], of_s.astype(np.int8), [0]])))
    rows = [np.zeros(0, np.int64)]
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        if after - first >= SHORTEST_RUN and not _founded(rr_prev_ms, int(first), int(after)):
            rows.append(np.arange(first, after))
    return np.concatenate(rows)


def as_normal_in_doubt(
    rows: npt.NDArray[np.int64], probabilities: FloatArray, in_set: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Call these beats normal and in doubt: N and S are equally probable, and both remain possible."""
    probabilities, in_set = probabilities.copy(), in_set.copy()
    probabilities[rows[:, None], [N, S]] = probabilities[rows[:, None], [N, S]].mean(axis=1, keepdims=True)
    in_set[rows, N] = in_set[rows, S] = True
    return probabilities, in_set


def as_conducted_in_doubt(
    conducted: BoolArray, probabilities: FloatArray, in_set: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Call beats of the shape of conducted ones N or S where V is not sure; V remains possible.

    On MIT-BIH's DS1 and svdb 33 of 278 such beats are V, 127 S and 114 N.

    Parameters
    ----------
    conducted : ndarray of bool, shape (n,)
    probabilities : ndarray of float32, shape (n, 5)
    in_set : ndarray of bool, shape (n, 5)
    """
    probabilities, in_set = probabilities.copy(), in_set.copy()
    called = conducted & (probabilities.argmax(axis=1) == V) & (probabilities[:, V] < SURE_ENOUGH)
    rows = np.flatnonzero(called)
    instead = np.where(probabilities[rows, S] > probabilities[rows, N], S, N)
    probabilities[rows, V], probabilities[rows, instead] = probabilities[rows, instead], probabilities[rows, V]
    in_set[rows, V] = in_set[rows, instead] = True
    return probabilities, in_set


def as_escape_in_doubt(rows: BoolArray, probabilities: FloatArray, in_set: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Hold beats of a slow wide rhythm in doubt where they are called normal: N and V both remain possible.

    Parameters
    ----------
    rows : ndarray of bool, shape (n,)
    probabilities : ndarray of float32, shape (n, 5)
    in_set : ndarray of bool, shape (n, 5)
    """
    probabilities, in_set = probabilities.copy(), in_set.copy()
    called_normal = np.flatnonzero(rows & (probabilities.argmax(axis=1) == N))
    # Normal stays in front: whether an escape beat is ventricular its width alone does not say.
    equal = probabilities[called_normal[:, None], [N, V]].mean(axis=1, keepdims=True)
    probabilities[called_normal[:, None], [N, V]] = equal
    in_set[called_normal[:, None], [N, V]] = True
    return probabilities, in_set


def in_ventricular_tachycardia(inside: BoolArray, windows_mv: FloatArray, rr_prev_ms: FloatArray) -> BoolArray:
    """Sharpen the edges of ventricular tachycardia, which is found by seconds, to beats; bool, shape (n,).

    Beats inside have its class whatever they look like, but for those at its edges: there a beat belongs to it where it
    looks like the beats in the middle and follows, or is followed, as fast.

    Parameters
    ----------
    inside : ndarray of bool, shape (n,)
        Beats in a stretch that was found.
    windows_mv : ndarray of float32, shape (n, 256)
    rr_prev_ms : ndarray of float32, shape (n,)
    """
    sharpened = np.zeros_like(inside)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        trim = min(_EDGE_BEATS, (after - first) // 3)
        core = slice(first + trim, after - trim)
        around = np.arange(max(0, first - _EDGE_BEATS), min(inside.size, after + _EDGE_BEATS))
        like = correlation(unit_rows(windows_mv[around]), np.median(unit_rows(windows_mv[core]), axis=0)) >= _ALIKE
        pace = _LONGEST_OF_PACE * _median(rr_prev_ms[core], 1)
        next_ms = np.append(rr_prev_ms[1:], np.float32(np.nan))
        fast = (rr_prev_ms[around] <= pace) | (next_ms[around] <= pace)
        belongs = (like & fast) | ((around >= core.start) & (around < core.stop))
        sharpened[around[belongs]] = True
    return sharpened


def within_ventricular_runs(
    rr_prev_ms: FloatArray, class_index: npt.NDArray[np.integer], analysable: BoolArray, conducted: BoolArray
) -> BoolArray:
    """Tell which beats, one or two at once, go on with a fast run of V on either side; bool, shape (n,).

    One tachycardia is told as one: a beat in it that is called otherwise, at its pace, does not end it. Beats of the
    conducted shape must be at its pace exactly, as those that capture the ventricles are not.

    Parameters
    ----------
    rr_prev_ms : ndarray of float32, shape (n,)
    class_index : ndarray of int, shape (n,)
    analysable : ndarray of bool, shape (n,)
    conducted : ndarray of bool, shape (n,)
        Beats of the shape of conducted ones.
    """
    within = np.zeros(class_index.size, dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (analysable & (class_index == V)).astype(np.int8), [0]])))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= SHORTEST_RUN]
    for (first, end), (begin, after) in pairwise(runs):
        pace = _median(np.concatenate([rr_prev_ms[first + 1 : end], rr_prev_ms[begin + 1 : after]]), 1)
        between, through = slice(end, begin), rr_prev_ms[end : begin + 1]
        off_pace = np.abs(through / pace - 1)
        goes_on = (off_pace <= (_AT_PACE_EXACTLY if conducted[between].any() else _AT_PACE)).all()
        if begin - end <= _MOST_BETWEEN and pace <= _FASTER_MS and goes_on:
            within[between] = analysable[between]
    return within


def as_ventricular(
    rows: BoolArray, probability: FloatArray, probabilities: FloatArray, in_set: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Call these beats ventricular, as probable as the tachycardia in the signal; what was called stays possible.

    The other classes share what is left as they did before. Beats that the classifier calls V keep its answer.

    Parameters
    ----------
    rows : ndarray of bool, shape (n,)
    probability : ndarray of float32, shape (n,)
        Of the tachycardia around each beat; 0 outside, where the nearest beat inside answers for those of `rows`.
    probabilities : ndarray of float32, shape (n, 5)
    in_set : ndarray of bool, shape (n, 5)
    """
    probabilities, in_set = probabilities.copy(), in_set.copy()
    inside = np.flatnonzero(probability > 0)
    changed = np.flatnonzero(rows & (probabilities.argmax(axis=1) != V))
    if not inside.size or not changed.size:
        return probabilities, in_set
    after = np.searchsorted(inside, changed).clip(0, inside.size - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(changed - inside[before] < np.abs(inside[after] - changed), inside[before], inside[after])
    of_signal = probability[nearest].clip(_MORE_LIKELY_THAN_NOT, _MOST)
    left = (1 - of_signal) / np.maximum(1 - probabilities[changed, V], np.float32(1e-6))
    probabilities[changed] *= left[:, None]
    probabilities[changed, V] = of_signal
    in_set[changed, V] = True
    return probabilities, in_set


def _founded(rr_prev_ms: FloatArray, first: int, after: int) -> bool:
    if np.isfinite(rr_prev_ms[max(0, first - _BEFORE + 1) : first + 1]).sum() >= _BEFORE:
        return True
    pace, following = _median(rr_prev_ms[first + 1 : after], 1), rr_prev_ms[after : after + _LATER]
    slower_after = pace <= FAST_MS and _median(following[:_AFTER], 1) >= LONGER * pace
    pauses = following.size > 1 and following[0] >= LONGER * pace and _median(following[1:], 1) < RETURNS * pace
    return bool(slower_after or pauses)


def _median(values: FloatArray, fewest: int) -> float:
    """Median of what is known; NaN, which is neither more nor less than anything, where too little is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size >= fewest else float("nan")
