"""Geometry of ECG paper and of the report's figures, in millimetres: one SVG user unit is one millimetre.

Every figure is an ``<svg width="…mm" height="…mm" viewBox="0 0 … …">`` with equal numbers, so it prints true to scale.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

MM_PER_S: Final = 25.0
MM_PER_MV: Final = 10.0
MINOR_MM: Final = 1.0
MAJOR_MM: Final = 5.0

STRIP_S: Final = 7.0
"""One row of paper: 175 mm, so that it fits A4 and Letter upright with the calibration pulse beside it."""
CALIBRATION_MM: Final = 10.0
"""Stretch left of the signal that holds the calibration pulse."""
PULSE_MM: Final = 5.0
PULSE_MV: Final = 1.0
MARKS_MM: Final = 10.0
"""Stretch above the first lead that holds the class marks and RR intervals."""
MARGIN_MM: Final = 5.0
"""Paper right of the signal, so that a mark on the last beat is whole."""
WIDTH_MM: Final = CALIBRATION_MM + STRIP_S * MM_PER_S + MARGIN_MM

UP_MM: Final = (15.0, 30.0)
"""Least and most paper above a lead's zero line."""
DOWN_MM: Final = (10.0, 25.0)
"""Least and most paper below it."""

MARK_SHAPES: Final = {
    "N": "m-.6 0a.6 .6 0 1 0 1.2 0a.6 .6 0 1 0-1.2 0z",
    "S": "m0-1.2 1.2 2.1h-2.4z",
    "V": "m0 1.2 1.2-2.1h-2.4z",
    "F": "m-1-1h2v2h-2z",
    "Q": "m-.9-.9 1.8 1.8m0-1.8-1.8 1.8",
}
"""A shape for each class, drawn relative to its centre, so that no class is told by colour alone."""


def mm(value: float) -> str:
    """Spell a length with at most two decimals and nothing superfluous: ``12.5``."""
    return _token(round(value * 100))


def path(x_mm: FloatArray, y_mm: FloatArray, *, coarse: bool = False) -> str:
    """Draw a polyline as SVG path data, in hundredths of a millimetre.

    Parameters
    ----------
    x_mm, y_mm : ndarray, shape (n,)
        The line is broken where a value is not finite.
    coarse : bool
        In tenths, a third of the stroke's width: for figures that nobody measures on.

    Returns
    -------
    str
        Absolute ``M`` and relative ``l``; differences of rounded positions, so errors do not add up. Lone points
        are drawn as a dot (``l0 0``, visible with round caps).
    """
    finite = np.isfinite(x_mm) & np.isfinite(y_mm)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], finite, [False])).astype(np.int8)))
    unit = 10 if coarse else 1
    x = unit * np.rint(np.where(finite, x_mm, 0) * (100 / unit)).astype(np.int64)
    y = unit * np.rint(np.where(finite, y_mm, 0) * (100 / unit)).astype(np.int64)
    return "".join(_piece(x[a:b], y[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True))


def outline(x_mm: FloatArray, upper_mm: FloatArray, lower_mm: FloatArray) -> str:
    """Close the area between two lines over the same `x_mm`; all values finite, shape (n,)."""
    if x_mm.size == 0:
        return ""
    return path(np.concatenate((x_mm, x_mm[::-1])), np.concatenate((upper_mm, lower_mm[::-1])), coarse=True) + "z"


SHARED_GRID_MM: Final = (WIDTH_MM, 150.0)
"""The grid that a page holds once; strips show as much of it as they are large."""


@lru_cache(maxsize=64)
def grid(width_mm: float, height_mm: float, step_mm: float) -> str:
    """All lines of one spacing over the whole paper."""
    across, down = mm(width_mm), mm(height_mm)
    columns = "".join(f"M{mm(i * step_mm)} 0v{down}" for i in range(int(width_mm / step_mm) + 1))
    rows = "".join(f"M0 {mm(i * step_mm)}h{across}" for i in range(int(height_mm / step_mm) + 1))
    return columns + rows


def pulse(baseline_mm: float, mm_per_mv: float = MM_PER_MV) -> str:
    """Calibration pulse: 1 mV high, 5 mm wide, in the stretch left of the signal."""
    flat = (CALIBRATION_MM - PULSE_MM) / 2
    high = PULSE_MV * mm_per_mv
    return f"M0 {mm(baseline_mm)}h{mm(flat)}v-{mm(high)}h{mm(PULSE_MM)}v{mm(high)}h{mm(flat)}"


def columns_min_max(
    column: npt.NDArray[np.int64], values: FloatArray
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
    """Gather values that fall into one column of a drawing, so that no peak is lost where many share one.

    Parameters
    ----------
    column : ndarray of int64, shape (n,)
        Ascending.
    values : ndarray, shape (n,)
        Finite.

    Returns
    -------
    tuple of ndarray, shape (n_occupied,)
        Occupied columns, and the lowest, middle (median) and highest value of each.
    """
    occupied, first = np.unique(column, return_index=True)
    if occupied.size == 0:
        empty = np.zeros(0)
        return occupied, empty, empty, empty
    order = np.lexsort((values, column))
    ordered = values[order]
    last = np.concatenate((first[1:], [column.size])) - 1
    middle = (ordered[(first + last) // 2] + ordered[(first + last + 1) // 2]) / 2
    return occupied, ordered[first], middle, ordered[last]


def _piece(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]) -> str:
    start = f"M{_token(int(x[0]))} {_token(int(y[0]))}"
    if x.size == 1:
        return f"{start}l0 0"
    steps = np.column_stack((np.diff(x), np.diff(y))).ravel()
    values, where = np.unique(steps, return_inverse=True)
    # Each distinct step is spelled once: a long line has few of them.
    words = np.array([_separated(int(value)) for value in values], dtype=object)
    return f"{start}l{''.join(words[where]).lstrip()}"


@lru_cache(maxsize=1 << 16)
def _separated(hundredths: int) -> str:
    token = _token(hundredths)
    return token if token[0] == "-" else f" {token}"


@lru_cache(maxsize=1 << 16)
def _token(hundredths: int) -> str:
    whole, rest = divmod(abs(hundredths), 100)
    fraction = f".{rest:02d}".rstrip("0") if rest else ""
    digits = f"{whole if whole or not rest else ''}{fraction}"
    return f"-{digits}" if hundredths < 0 else digits
