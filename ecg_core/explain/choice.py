"""Which beats are shown and explained in full."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray

CLASS_ORDER: Final = ("V", "S", "F", "Q", "N")
REASONS: Final = ("most typical", "least certain", "most deviating")
_MEDIAN_OF: Final = 500


def choose_beats(
    class_index: npt.NDArray[np.int8],
    probabilities: FloatArray,
    deviation: FloatArray,
    analysable: npt.NDArray[np.bool_],
    windows_mv: FloatArray,
    n: int,
) -> list[tuple[int, str]]:
    """Choose up to three analysable beats of each class that is present.

    Most typical is the beat nearest to the class's median beat among its more certain half; least certain has the
    lowest probability of its own class; most deviating the highest deviation. No beat is chosen twice. First come the
    typical beats of all classes, then the least certain, then the most deviating ones; within each, V, S, F, Q, N.

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
    for reason in REASONS:
        for k in order:
            left = members[k][~np.isin(members[k], list(chosen))]
            if left.size and len(chosen) < n:
                certainty = probabilities[left, k]
                chosen[int(left[_pick(reason, certainty, deviation[left], windows_mv[left])])] = reason
    return list(chosen.items())


def _pick(reason: str, certainty: FloatArray, deviation: FloatArray, windows_mv: FloatArray) -> int:
    if reason == "least certain":
        return int(np.argmin(certainty))
    if reason == "most deviating":
        return int(np.argmax(np.nan_to_num(deviation, nan=-np.inf)))
    median = np.median(windows_mv[:: max(1, len(windows_mv) // _MEDIAN_OF)], axis=0)
    distance = np.square(windows_mv - median).sum(axis=1)
    return int(np.argmin(np.where(certainty >= np.median(certainty), distance, np.inf)))
