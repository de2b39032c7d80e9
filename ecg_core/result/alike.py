"""Beats of one shape: what sorts beats into families, whatever they are asked for."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

HALF: Final = 25
"""Samples on either side of R that are compared: 100 ms."""
ALIKE: Final = 0.9
BELONGS: Final = 0.85
_FARTHEST: Final = 25
_SAME: Final = 0.93

IntArray = npt.NDArray[np.int64]


def unit_rows(rows: FloatArray) -> FloatArray:
    """Centre each row and scale it to length one."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    unit: FloatArray = centred / np.maximum(length, np.float32(1e-9))[:, None]
    return unit


def windows(signal_mv: FloatArray, r_index: IntArray, half: int) -> FloatArray:
    """Cut out each beat, each lead about its own mean, shape (n, 2 × half + 1, leads); end values go on."""
    at = np.clip(r_index[:, None] + np.arange(-half, half + 1), 0, signal_mv.shape[0] - 1)
    cut = signal_mv[at]
    centred: FloatArray = cut - cut.mean(axis=1, keepdims=True)
    return centred


def leaders(unit: FloatArray, sample: IntArray, most: int, fewest: int) -> list[IntArray]:
    """Find the families of a sample, the largest first: each beat that most are like, with those.

    Parameters
    ----------
    unit : ndarray of float32, shape (n, m)
        Beats as `unit_rows` makes them.
    sample : ndarray of int64
        Rows that may found a family.
    most, fewest : int
        Families at most, and beats of one at least.
    """
    rows = unit[sample]
    alike = rows @ rows.T >= ALIKE
    free = np.ones(sample.size, dtype=bool)
    members: list[IntArray] = []
    while len(members) < most and free.any():
        counts = np.where(free, (alike & free).sum(axis=1), 0)
        leader = int(counts.argmax())
        if counts[leader] < fewest:
            break
        family = alike[leader] & free
        members.append(sample[family])
        free &= ~family
    return members


def same_beat(averages: FloatArray) -> tuple[IntArray, IntArray]:
    """Of each family the larger one whose beat it is, marked elsewhere, else itself; and the samples between them.

    Parameters
    ----------
    averages : ndarray of float32, shape (n_families, n_samples, n_leads)
        The largest family first, R in the middle.
    """
    n, middle = len(averages), averages.shape[1] // 2
    joins, shift = np.arange(n), np.zeros(n, np.int64)
    shifts = np.arange(-_FARTHEST, _FARTHEST + 1)
    at = middle + shifts[:, None] + np.arange(-HALF, HALF + 1)
    for k in range(1, n):
        own = unit_rows(averages[k, middle - HALF : middle + HALF + 1].reshape(1, -1))[0]
        for larger in np.unique(joins[:k]):
            moved = averages[larger][at]
            moved = unit_rows((moved - moved.mean(axis=1, keepdims=True)).reshape(shifts.size, -1))
            fit = moved @ own
            if fit.max() >= _SAME:
                joins[k], shift[k] = larger, -shifts[fit.argmax()]
                break
    return joins, shift
