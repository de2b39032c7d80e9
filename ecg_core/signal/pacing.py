"""Spikes of a pacemaker, in the signal as recorded.

A spike lasts 1 to 2 ms; what a recorder makes of it is one to three samples that leave the line and are back within
10 ms. Nothing of the heart is as short: a QRS complex takes 40 ms at least. Single samples that jump are common in bad
recordings, so spikes only count where they come again at a pacemaker's rate, in one polarity and of one height.

Recorders with a band of 40 Hz or less smear spikes beyond recognition (the paced records of MIT-BIH): that none is
found says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.recording import FloatArray, Recording

LOWEST_RATE_HZ: Final = 240.0
"""Below this a spike may fall between two samples."""
_WIDEST_S: Final = 0.010
_LOWEST_MV: Final = 0.2
_OVER_NOISE: Final = 8.0
_AROUND_S: Final = 0.04
_LEAST_RR_S, _LONGEST_RR_S = 0.33, 2.2
_ALIKE: Final = 0.35
_FEWEST: Final = 5
_BASE: Final = 0.4
_REGULAR: Final = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class PacingSpikes:
    """Spikes of a recording.

    Attributes
    ----------
    time_s : ndarray of float64, shape (n,)
        Increasing; both spikes of a pacemaker of two chambers.
    lead : int
        That shows them best.
    """

    time_s: npt.NDArray[np.float64]
    lead: int


def find_pacing_spikes(recording: Recording) -> PacingSpikes | None:
    """Find the spikes of a pacemaker.

    Parameters
    ----------
    recording : Recording
        As recorded, 240 Hz at least: a filter of 40 Hz takes spikes away.

    Returns
    -------
    PacingSpikes or None
        None where fewer than `_FEWEST` spikes come again like a pacemaker's, or the rate is too low to see any.
    """
    if recording.sampling_rate_hz < LOWEST_RATE_HZ or recording.n_samples < 2 * recording.sampling_rate_hz:
        return None
    found: list[PacingSpikes] = []
    for lead in range(recording.signal.shape[1]):
        column = np.array(recording.signal[:, lead])  # a copy, to be worked on in place
        times = _spikes(column, recording.sampling_rate_hz)
        if times.size >= _FEWEST:
            found.append(PacingSpikes(times, lead))
    return max(found, key=lambda spikes: spikes.time_s.size, default=None)


def _spikes(column: FloatArray, rate_hz: float) -> npt.NDArray[np.float64]:
    """List the times of one lead's spikes; empty where they do not come like a pacemaker's."""
    known = np.isfinite(column)
    line = column if known.all() else np.where(known, column, np.float32(0))
    width = 2 * max(1, round(_WIDEST_S / 2 * rate_hz)) + 1
    # What a running median over 20 ms takes away is shorter than 10 ms.
    slow = ndimage.median_filter(line, 2 * width - 1, mode="nearest")
    short = np.subtract(line, slow, out=line)
    noise = 1.4826 * float(np.median(np.abs(short[:: max(1, short.size // 100_000)])))
    least = max(_LOWEST_MV, _OVER_NOISE * noise)
    places = _separate(np.flatnonzero((short > least) | (short < -least)), short, round(_AROUND_S * rate_hz))
    if places.size < _FEWEST:
        return np.empty(0)
    places = places[
        _stands_alone(short, places, round(_AROUND_S * rate_hz), width) & _on_the_line(slow, short, places, width)
    ]
    return _like_a_pacemaker(places / rate_hz, short[places])


def _separate(places: npt.NDArray[np.int64], short: FloatArray, apart: int) -> npt.NDArray[np.int64]:
    """Highest sample of each group."""
    if places.size == 0:
        return places
    groups = np.split(places, np.flatnonzero(np.diff(places) > apart // 2) + 1)
    return np.array([group[np.abs(short[group]).argmax()] for group in groups], dtype=np.int64)


def _stands_alone(short: FloatArray, places: npt.NDArray[np.int64], reach: int, width: int) -> npt.NDArray[np.bool_]:
    """Whether nothing else that short is near: the steep flanks of a QRS complex come in pairs."""
    around = short[np.clip(places[:, None] + np.arange(-reach, reach + 1), 0, short.size - 1)]
    size = np.abs(around)
    middle = size[:, reach].copy()
    size[:, reach - width : reach + width + 1] = 0
    return np.asarray(size.max(axis=1) < 0.35 * middle, dtype=bool)


def _on_the_line(
    slow: FloatArray, short: FloatArray, places: npt.NDArray[np.int64], width: int
) -> npt.NDArray[np.bool_]:
    """Whether the line is level up to there: the tip of an R wave stands on an R wave."""
    around = slow[np.clip(places[:, None] + np.arange(-2 * width, 1), 0, slow.size - 1)]
    return np.asarray(np.ptp(around, axis=1) < _BASE * np.abs(short[places]), dtype=bool)


def _like_a_pacemaker(time_s: npt.NDArray[np.float64], height_mv: FloatArray) -> npt.NDArray[np.float64]:
    """Keep the spikes of one sign and height whose intervals are regular; both of two chambers, where there are two."""
    if time_s.size < _FEWEST:
        return np.empty(0)
    sign = 1 if np.count_nonzero(height_mv > 0) * 2 >= height_mv.size else -1
    of_sign = height_mv * sign > 0
    middle = float(np.median(np.abs(height_mv[of_sign])))
    times = time_s[of_sign & (np.abs(np.abs(height_mv) - middle) < _ALIKE * middle)]
    if times.size < _FEWEST:
        return np.empty(0)
    for step in (1, 2):
        interval = times[step:] - times[:-step]
        usual = interval[(interval >= _LEAST_RR_S) & (interval <= _LONGEST_RR_S)]
        if usual.size >= _FEWEST - 1:
            # A pacemaker keeps its interval to some milliseconds; what follows sensed beats differs.
            near = np.abs(usual - np.median(usual)) < 0.03
            if near.mean() >= _REGULAR and usual.size >= 0.5 * interval.size:
                return np.asarray(times)
    return np.empty(0)
