"""Stretches of a beat's window, and how shapes are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.recording import FloatArray
from ecg_core.result import R_INDEX

FEWEST_BEATS: Final = 10
SAMPLE_BEATS: Final = 600
CHUNK: Final = 2048
USUAL_SHARE: Final = 0.1
P_START, P_END = R_INDEX - 62, R_INDEX - 18
P: Final = slice(P_START, P_END)
QRS: Final = slice(R_INDEX - 20, R_INDEX + 26)
ST: Final = slice(R_INDEX + 26, R_INDEX + 60)
LATE_T: Final = slice(R_INDEX + 40, R_INDEX + 110)
WIDEST: Final = 3.0
T: Final = slice(R_INDEX + 30, R_INDEX + 100)


IntArray = npt.NDArray[np.int64]


BoolArray = npt.NDArray[np.bool_]


def log_rms(difference: FloatArray) -> FloatArray:
    """Return each row's root mean square as a logarithm (base 2); .02 keeps it finite."""
    level: FloatArray = np.log2(np.sqrt(np.square(difference).mean(axis=1)) + np.float32(0.02))
    return level


def above(size: FloatArray, share: float) -> FloatArray:
    """Tens of samples above a share of each row's greatest."""
    return np.asarray((size > share * size.max(axis=1, keepdims=True)).sum(axis=1) / 10, dtype=np.float32)


def by_chunks(n: int, compute: Callable[[slice], dict[str, FloatArray]]) -> dict[str, FloatArray]:
    """Compare some beats at a time with the sample: all at once would take a gigabyte for a day."""
    parts = [compute(slice(start, min(start + CHUNK, n))) for start in range(0, n, CHUNK)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def themselves(sample: IntArray, rows: slice) -> tuple[IntArray, IntArray]:
    """Where, of these rows and the sample's columns, a beat meets itself."""
    columns = np.flatnonzero((sample >= rows.start) & (sample < rows.stop))
    return sample[columns] - rows.start, columns


def mean_over(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the weighted mean of `values` by row of `weights`."""
    mean: FloatArray = (weights @ values) / (weights.sum(axis=1) + 1e-6)
    return mean


def percentile(values: FloatArray, percent: int, beats: int) -> FloatArray:
    """Return the running percentile over so many beats around each."""
    filtered: FloatArray = ndimage.percentile_filter(values, percent, beats, mode="nearest")
    return filtered


def delayed(values: FloatArray, by: int) -> FloatArray:
    """Shift values later by so many beats; NaN comes in."""
    return np.concatenate([np.full(by, np.nan, dtype=np.float32), values])[: values.size]


def half_octaves(value: FloatArray, reference: FloatArray | np.float32) -> FloatArray:
    """Return how many half octaves `value` is above `reference`, between -3 and 3."""
    tiny = np.float32(1e-6)
    ratio: FloatArray = 2 * np.log2(np.maximum(value, tiny) / np.maximum(reference, tiny))
    return np.clip(ratio, -3, 3)


def correlation(rows: FloatArray, template: FloatArray) -> FloatArray:
    """Pearson's correlation of each row with the template; 0 where either does not move."""
    centred = template - template.mean()
    # The template is centred, so the rows' means drop out of the product.
    product = rows @ centred
    spread = np.sqrt(np.maximum(np.einsum("ij,ij->i", rows, rows) - rows.shape[1] * rows.mean(axis=1) ** 2, 0))
    length = spread * np.sqrt(centred @ centred)
    return np.where(length > 1e-6, product / np.maximum(length, np.float32(1e-6)), np.float32(0))
