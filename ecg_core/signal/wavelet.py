"""The quadratic spline wavelet transform on rows of windows, and how to search along their columns."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


HALF_SAMPLE: Final = 0.5
"""The slope in a column is that of half a sample after it, at scales from 2."""


def slopes(windows: FloatArray, scales: tuple[int, ...]) -> list[FloatArray]:
    """Transform rows at dyadic scales: at ``2**k`` the slope of what a spline about ``2**k`` samples wide has smoothed.

    The à trous algorithm with the filters of Martínez et al. 2004 (doi 10.1109/TBME.2003.821031), moved back by their
    delay but for `HALF_SAMPLE` (the filters are of even length). Beyond its ends a row goes on at its end values.

    Parameters
    ----------
    windows : ndarray of float32, shape (…, n_columns)
    scales : tuple of int
        Which k, increasing.

    Returns
    -------
    list of ndarray of float32, shape (…, n_columns)
        One for each scale, in the unit of `windows`.
    """
    n, margin = windows.shape[-1], int(2 ** (scales[-1] + 1))
    ends = [np.repeat(windows[..., column], margin, axis=-1) for column in (slice(0, 1), slice(n - 1, n))]
    smooth = np.concatenate([ends[0], windows, ends[1]], axis=-1)
    slopes_by_scale: list[FloatArray] = []
    # Where the first column now lies, a half more or less, in what is left of the row.
    origin = margin
    for k in range(1, scales[-1] + 1):
        step = int(2 ** (k - 1))
        if k in scales:
            first = origin - (step + 1) // 2
            slopes_by_scale.append(2 * (smooth[..., first + step : first + step + n] - smooth[..., first : first + n]))
        if k < scales[-1]:
            inner = smooth[..., step : -2 * step] + smooth[..., 2 * step : -step]
            inner *= np.float32(0.375)
            outer = smooth[..., : -3 * step] + smooth[..., 3 * step :]
            outer *= np.float32(0.125)
            inner += outer
            smooth = inner
            origin -= (3 * step) // 2
    return slopes_by_scale


def bumps(slope: FloatArray, step: int) -> FloatArray:
    """Give how much each row bends downwards over ``2 * step`` samples: > 0 on a hill, < 0 in a valley, 0 on a ramp."""
    bent = np.zeros_like(slope)
    np.subtract(slope[..., : -2 * step], slope[..., 2 * step :], out=bent[..., step:-step])
    return bent


def is_local_maximum(rows: FloatArray) -> BoolArray:
    """Tell where a row is higher than the sample after and at least as high as the one before."""
    is_maximum = np.zeros(rows.shape, dtype=np.bool_)
    is_maximum[..., 1:-1] = (rows[..., 1:-1] >= rows[..., :-2]) & (rows[..., 1:-1] > rows[..., 2:])
    return is_maximum


def highest_of(rows: FloatArray, samples: int, step: int) -> FloatArray:
    """Give at each sample the highest of it and the next (`step` 1) or last (`step` -1) ``samples - 1``."""
    highest = rows.copy()
    for k in range(1, samples):
        later, earlier = slice(k, None), slice(None, -k)
        here, there = (earlier, later) if step == 1 else (later, earlier)
        np.maximum(highest[..., here], rows[..., there], out=highest[..., here])
    return highest


def first_true(mask: BoolArray) -> IntArray:
    """Column of the first True of each row; the number of columns where there is none."""
    column: IntArray = np.where(mask.any(axis=-1), mask.argmax(axis=-1), mask.shape[-1])
    return column


def last_true(mask: BoolArray) -> IntArray:
    """Column of the last True of each row; -1 where there is none."""
    column: IntArray = np.where(mask.any(axis=-1), mask.shape[-1] - 1 - mask[..., ::-1].argmax(axis=-1), -1)
    return column


def between(n_columns: int, low: IntArray, high: IntArray) -> BoolArray:
    """Tell which columns of each row are from `low` to `high`, both included; shape (…, n_columns)."""
    # 16 bits: a comparison of 64 costs four times as much.
    columns = np.arange(n_columns, dtype=np.int16)
    return (columns >= low.astype(np.int16)[..., None]) & (columns <= high.astype(np.int16)[..., None])


def value_at(rows: FloatArray, column: IntArray) -> FloatArray:
    """Value of each row in its own column (the nearest there is)."""
    inside = np.clip(column, 0, rows.shape[-1] - 1)
    value: FloatArray = np.take_along_axis(rows, inside[..., None], axis=-1)[..., 0]
    return value


def level_outside(rows: FloatArray, low: IntArray, high: IntArray) -> FloatArray:
    """Hold each row at its value in column `low` before that, and at that in column `high` after it."""
    columns = np.arange(rows.shape[-1])
    inside = np.clip(columns, low[..., None], high[..., None])
    held: FloatArray = np.take_along_axis(rows, np.broadcast_to(inside, rows.shape), axis=-1)
    return held
