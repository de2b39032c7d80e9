"""Which beats are shown and explained in full."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray

CLASS_ORDER: Final = ("V", "S", "F", "Q", "N")
REASONS: Final = ("most typical", "least certain", "most deviating")
CERTAIN: Final = 0.95
"""From here on a beat is not explained for being the least certain of its class."""
DEVIATING: Final = 2.0
"""z from which on it may be explained for deviating: one in forty of held-out normal beats reaches it."""
ALIKE: Final = 0.05
"""Beats whose difference has less than this share of their energy look the same, and are explained once where their
probabilities are within `SAME_PROBABILITY`."""
SAME_PROBABILITY: Final = 0.1
_MEDIAN_OF: Final = 500
_AT_ONCE: Final = 4096


def choose_beats(
    class_index: npt.NDArray[np.int8],
    probabilities: FloatArray,
    deviation: FloatArray,
    analysable: npt.NDArray[np.bool_],
    windows_mv: FloatArray,
    n: int,
) -> list[tuple[int, str]]:
    """Choose up to three analysable beats of each class that is present: those that have something to tell.

    Most typical is the beat nearest to the class's median beat among its more certain half; least certain has the
    lowest probability of its own class, where that is below `CERTAIN`; most deviating the highest deviation, from
    `DEVIATING` on. What looks the same as one that is chosen, and is as probable, is passed over: of alike normal beats
    one is explained. First come the typical beats of all classes, then the least certain, then the most deviating ones;
    within each, V, S, F, Q, N.

    Parameters
    ----------
    class_index : ndarray of int8, shape (n_beats,)
    probabilities : ndarray of float32, shape (n_beats, 5)
    deviation : ndarray of float32, shape (n_beats,)
        NaN counts as lowest.
    analysable : ndarray of bool, shape (n_beats,)
    windows_mv : ndarray of float32, shape (n_beats, 256)
    n : int
        Most beats to choose.

    Returns
    -------
    list of (int, str)
        Beat and reason, in the order above.
    """
    chosen: dict[int, str] = {}
    order = [CLASSES.index(letter) for letter in CLASS_ORDER]
    members = {k: np.flatnonzero(analysable & (class_index == k)) for k in order}
    deviation = np.nan_to_num(deviation, nan=-np.inf)
    for reason in REASONS:
        for k in order:
            left = members[k]
            if reason == "least certain":
                left = left[probabilities[left, k] < CERTAIN]
            elif reason == "most deviating":
                left = left[deviation[left] >= DEVIATING]
            for beat in chosen:
                if class_index[beat] == k:
                    left = left[~_tells_the_same(beat, left, windows_mv, probabilities[:, k])]
            if left.size and len(chosen) < n:
                chosen[_pick(reason, left, probabilities[left, k], deviation[left], windows_mv)] = reason
    return list(chosen.items())


def _tells_the_same(
    beat: int, others: npt.NDArray[np.int64], windows_mv: FloatArray, probability: FloatArray
) -> npt.NDArray[np.bool_]:
    own = windows_mv[beat] - windows_mv[beat].mean()
    same: npt.NDArray[np.bool_] = np.abs(probability[others] - probability[beat]) <= SAME_PROBABILITY
    same[same] = _squares(windows_mv, others[same], own, centred=True) <= ALIKE * np.square(own).sum()
    same |= others == beat
    return same


def _pick(
    reason: str, rows: npt.NDArray[np.int64], certainty: FloatArray, deviation: FloatArray, windows_mv: FloatArray
) -> int:
    if reason == "least certain":
        return int(rows[np.argmin(certainty)])
    if reason == "most deviating":
        return int(rows[np.argmax(deviation)])
    median = np.median(windows_mv[rows[:: max(1, rows.size // _MEDIAN_OF)]], axis=0)
    likely = rows[certainty >= np.median(certainty)]
    return int(likely[np.argmin(_squares(windows_mv, likely, median, centred=False))])


def _squares(windows_mv: FloatArray, rows: npt.NDArray[np.int64], shape: FloatArray, *, centred: bool) -> FloatArray:
    """Sum the squared differences of some beats from a shape; a day's beats all at once would take 400 MB."""
    squares = np.empty(rows.size, dtype=np.float32)
    for first in range(0, rows.size, _AT_ONCE):
        part = windows_mv[rows[first : first + _AT_ONCE]]
        part = part - part.mean(axis=1, keepdims=True) if centred else part
        squares[first : first + _AT_ONCE] = np.square(part - shape).sum(axis=1)
    return squares
