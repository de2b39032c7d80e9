"""Heart rate variability from the intervals between normal beats.

Definitions: Task Force of the ESC and NASPE, "Heart rate variability", Circulation 1996;93:1043–1065. The spectrum is
Welch's over windows of five minutes of the intervals resampled to 4 Hz by straight lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.result import Result

FloatArray = npt.NDArray[np.float64]

FEWEST_INTERVALS: Final = 20
"""Nothing is said of less."""
WINDOW_S: Final = 300.0
"""The Task Force's short-term recording: no spectrum from less."""
LF_HZ: Final = (0.04, 0.15)
HF_HZ: Final = (0.15, 0.4)
_RATE_HZ: Final = 4.0
_LONGEST_GAP_S: Final = 5.0
"""Ectopic beats are bridged by a straight line; a window with a longer gap between normal beats is left out."""


@dataclass(frozen=True, slots=True)
class Variability:
    """Measures in milliseconds, `pnn50` as a share; None where the recording is too short for one.

    `n` counts intervals between normal beats, `share` is theirs among all intervals; `windows` counts the five-minute
    windows of the spectrum.
    """

    n: int
    share: float
    mean_nn_ms: float
    sdnn_ms: float
    rmssd_ms: float | None
    pnn50: float | None
    lf_hf: float | None
    windows: int


def intervals(result: Result) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Give the intervals that end at each beat.

    Returns
    -------
    rr_ms : ndarray of float64, shape (n_beats,)
    known : ndarray of bool, shape (n_beats,)
        Both beats are analysable and the interval is measured.
    normal : ndarray of bool, shape (n_beats,)
        Known, and both beats are N.
    """
    table = result.beats
    rr_ms = table.rr_prev_ms.astype(np.float64)
    before = np.concatenate(([False], table.analysable[:-1]))[: len(table)]
    known = table.analysable & before & np.isfinite(rr_ms) & (rr_ms > 0)
    is_normal = table.class_index == CLASSES.index("N")
    normal_before = np.concatenate(([False], is_normal[:-1]))[: len(table)]
    return rr_ms, known, known & is_normal & normal_before


def variability(result: Result) -> Variability | None:
    """Measure the variability of a recording; None where there are fewer than `FEWEST_INTERVALS` normal intervals."""
    rr_ms, known, normal = intervals(result)
    nn_ms = rr_ms[normal]
    if nn_ms.size < FEWEST_INTERVALS:
        return None
    # Successive differences: only where this interval and the one before are both between normal beats.
    both = normal[1:] & normal[:-1]
    steps = (rr_ms[1:] - rr_ms[:-1])[both]
    lf_hf, windows = _spectrum(result.beats.r_time_s[normal], nn_ms)
    return Variability(
        n=int(nn_ms.size),
        share=float(nn_ms.size / known.sum()),
        mean_nn_ms=float(nn_ms.mean()),
        sdnn_ms=float(nn_ms.std(ddof=1)),
        rmssd_ms=float(np.sqrt(np.mean(steps**2))) if steps.size else None,
        pnn50=float(np.mean(np.abs(steps) > 50)) if steps.size else None,
        lf_hf=lf_hf,
        windows=windows,
    )


def _spectrum(times_s: FloatArray, nn_ms: FloatArray) -> tuple[float | None, int]:
    """Ratio of low to high frequency power, and how many windows it is the mean of."""
    if times_s[-1] - times_s[0] < WINDOW_S:
        return None, 0
    grid = np.arange(times_s[0], times_s[-1], 1 / _RATE_HZ)
    even = np.interp(grid, times_s, nn_ms)
    gaps = times_s[1:][np.diff(times_s) > _LONGEST_GAP_S]
    size = round(WINDOW_S * _RATE_HZ)
    n = even.size // size
    starts = grid[: n * size : size]
    # A gap spoils the window that it ends in and the one that it begins in.
    bad = np.zeros(n, dtype=bool)
    begins = times_s[:-1][np.diff(times_s) > _LONGEST_GAP_S]
    for begin, end in zip(begins, gaps, strict=True):
        bad |= (starts < end) & (starts + WINDOW_S > begin)
    windows = even[: n * size].reshape(n, size)[~bad]
    if windows.size == 0:
        return None, 0
    centred = (windows - windows.mean(axis=1, keepdims=True)) * np.hanning(size)
    power = (np.abs(np.fft.rfft(centred, axis=1)) ** 2).mean(axis=0)
    frequency = np.fft.rfftfreq(size, 1 / _RATE_HZ)
    low, high = (power[(frequency >= a) & (frequency < b)].sum() for a, b in (LF_HZ, HF_HZ))
    return (float(low / high) if high > 0 else None), int(windows.shape[0])
