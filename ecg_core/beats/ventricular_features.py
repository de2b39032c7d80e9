"""What a few seconds of one lead look like, without any beat being found: for telling VF, flutter and VT from the rest.

Measures of the literature on shock advice, computed for many windows at once: VF filter leakage (Kuo and Dillman 1978),
spectral moments and bands (Barro et al. 1989), time above a threshold (TCSC, Arafat et al. 2011), phase-space occupancy
(Amann et al. 2007), counts in a narrow band (Jekova and Krasteva 2004), slopes, kurtosis and autocorrelation (as
reviewed by Amann et al. 2005, doi 10.1186/1475-925X-4-60), and beside them amplitudes in millivolts, and the width and
rate of what is steep, which part wide from narrow complexes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ

WINDOW_S: Final = 4.0
HOP_S: Final = 1.0
_BANDS_HZ: Final = ((0.5, 2.0), (2.0, 4.0), (4.0, 7.0), (7.0, 12.0), (12.0, 20.0), (20.0, 35.0))
_LAGS_S: Final = (0.18, 1.4)
_DELAY_S: Final = 0.5
_CELLS: Final = 24

FEATURE_NAMES: Final = (
    "range_mv",
    "deviation_mv",
    "steepest_mv_per_s",
    "slope_95_mv_per_s",
    "slope_median_to_95",
    "slope_over_fifth",
    "slope_over_half",
    "beyond_fifth",
    "beyond_half",
    "near_median",
    "kurtosis",
    "slope_kurtosis",
    "skewness",
    *(f"power_{low:g}_{high:g}_hz" for low, high in _BANDS_HZ),
    "dominant_hz",
    "dominant_share",
    "harmonics_share",
    "centroid_hz",
    "spread_hz",
    "spectral_entropy",
    "leakage",
    "correlation_peak",
    "correlation_lag_s",
    "correlation_first",
    "correlation_first_lag_s",
    "correlation_lowest",
    "correlation_zero_s",
    "phase_cells",
    "band_kurtosis",
    "band_over_half",
    "band_mean_to_highest",
    "complexes_per_s",
    "complex_width_s",
    "low_complexes_per_s",
    "low_complex_width_s",
    "crossings_per_s",
    "quietest_to_largest",
    "flat_share",
)
"""The columns of `window_features`."""


def window_features(windows_mv: FloatArray) -> FloatArray:
    """Describe windows of one cleaned lead.

    Parameters
    ----------
    windows_mv : ndarray of float32, shape (n, round(WINDOW_S * ANALYSIS_RATE_HZ))
        Band-passed 0.5 to 40 Hz.

    Returns
    -------
    ndarray of float32, shape (n, len(FEATURE_NAMES))
        All NaN where a window does not move.
    """
    x = windows_mv - windows_mv.mean(axis=1, keepdims=True)
    moves = np.ptp(x, axis=1) > 1e-4
    features = np.full((len(x), len(FEATURE_NAMES)), np.nan, np.float32)
    if moves.any():
        x = x[moves]
        spectrum = fft.rfft(x, _padded(x.shape[1]), axis=1)
        columns = [*_shape(x), *_spectral(x), _leakage(x), *_correlation(spectrum, x.shape[1])]
        columns += [_phase_cells(x), *_complexes(x, spectrum), *_unrest(x)]
        features[moves] = np.stack(columns, axis=1)
    return features


def _padded(length: int) -> int:
    """Length that holds the autocorrelation up to the longest lag without wrapping around."""
    return int(fft.next_fast_len(length + round(_LAGS_S[1] * ANALYSIS_RATE_HZ), real=True))


def _shape(x: FloatArray) -> list[npt.NDArray[np.floating]]:
    """Amplitudes and slopes, and how they are spread."""
    slope = np.abs(x[:, 2:] - x[:, :-2]) * np.float32(ANALYSIS_RATE_HZ / 2)
    deviation = x.std(axis=1)
    rank = np.partition(slope, (slope.shape[1] // 2, round(0.95 * slope.shape[1])), axis=1)
    middle, high = rank[:, slope.shape[1] // 2], rank[:, round(0.95 * slope.shape[1])]
    steepest = slope.max(axis=1)
    # Products: single precision's powers are computed one by one, and took half of all the time.
    square = np.square(x)
    size = np.abs(x)
    largest = size.max(axis=1)
    centre = np.median(x, axis=1)
    spread = np.ptp(x, axis=1)
    slope_square = np.square(slope).mean(axis=1)
    return [
        spread,
        deviation,
        steepest,
        high,
        middle / (high + 1e-6),
        (slope > 0.2 * steepest[:, None]).mean(axis=1),
        (slope > 0.5 * steepest[:, None]).mean(axis=1),
        (size > 0.2 * largest[:, None]).mean(axis=1),
        (size > 0.5 * largest[:, None]).mean(axis=1),
        (np.abs(x - centre[:, None]) < 0.08 * spread[:, None]).mean(axis=1),
        np.square(square).mean(axis=1) / (deviation**4 + 1e-12),
        np.square(np.square(slope)).mean(axis=1) / (slope_square**2 + 1e-12),
        np.abs((square * x).mean(axis=1)) / (deviation**3 + 1e-9),
    ]


def _spectral(x: FloatArray) -> list[npt.NDArray[np.floating]]:
    n = int(fft.next_fast_len(x.shape[1], real=True))
    taper = np.hanning(x.shape[1]).astype(np.float32)
    frequency = np.fft.rfftfreq(n, 1 / ANALYSIS_RATE_HZ)
    inside = (frequency >= 0.5) & (frequency <= 35)
    spectrum = fft.rfft(x * taper, n, axis=1)[:, inside]
    frequency = frequency[inside]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    power /= power.sum(axis=1, keepdims=True) + 1e-20
    bands = [power[:, (frequency >= low) & (frequency < high)].sum(axis=1) for low, high in _BANDS_HZ]
    searched = (frequency >= 1) & (frequency <= 10)
    dominant = frequency[searched][power[:, searched].argmax(axis=1)]
    near = [np.where(np.abs(frequency - k * dominant[:, None]) <= 0.6, power, 0).sum(axis=1) for k in range(1, 5)]
    centroid = power @ frequency
    spread = np.sqrt(np.maximum(power @ np.square(frequency) - centroid**2, 0))
    entropy = -(power * np.log(power + 1e-12)).sum(axis=1) / np.log(frequency.size)
    return [*bands, dominant, near[0], near[1] + near[2] + near[3], centroid, spread, entropy]


def _leakage(x: FloatArray) -> npt.NDArray[np.floating]:
    """Measure what a filter that cancels the mean period leaves: 0 for a sine, 1 for what has no period."""
    change = np.abs(np.diff(x, axis=1)).sum(axis=1)
    half = np.clip(np.pi * np.abs(x).sum(axis=1) / (change + 1e-9) + 0.5, 1, x.shape[1] // 2).astype(np.int64)
    columns = np.arange(x.shape[1])
    shifted = np.take_along_axis(x, np.maximum(columns - half[:, None], 0), axis=1)
    told = columns >= half[:, None]
    over = np.where(told, np.abs(x + shifted), 0).sum(axis=1)
    return np.asarray(over / (np.where(told, np.abs(x) + np.abs(shifted), 0).sum(axis=1) + 1e-9))


def _correlation(spectrum: npt.NDArray[np.complexfloating], length: int) -> list[npt.NDArray[np.floating]]:
    """Autocorrelation: its highest peak, its first one of some height, its lowest value, its first zero."""
    n = _padded(length)
    first, last = (round(lag * ANALYSIS_RATE_HZ) for lag in _LAGS_S)
    whole = fft.irfft(np.square(spectrum.real) + np.square(spectrum.imag), n, axis=1)[:, : last + 1]
    correlation = whole / (whole[:, :1] + 1e-12)
    # Not biased towards short lags: fewer samples overlap at long ones.
    correlation = correlation * (length / (length - np.arange(last + 1)))
    searched = correlation[:, first:]
    rows = np.arange(len(searched))
    peak = np.zeros(searched.shape, dtype=bool)
    peak[:, 1:-1] = (searched[:, 1:-1] >= searched[:, :-2]) & (searched[:, 1:-1] > searched[:, 2:])
    height = np.where(peak, searched, -1)
    best = height.argmax(axis=1)
    highest = height[rows, best]
    early = (peak & (searched > 0.7 * highest[:, None])).argmax(axis=1)
    zero = (correlation < 0).argmax(axis=1)
    return [
        highest,
        (best + first) / ANALYSIS_RATE_HZ,
        searched[rows, early],
        (early + first) / ANALYSIS_RATE_HZ,
        correlation.min(axis=1),
        zero / ANALYSIS_RATE_HZ,
    ]


def _phase_cells(x: FloatArray) -> npt.NDArray[np.floating]:
    """Share of the cells that the signal visits, drawn against itself half a second later."""
    low, spread = x.min(axis=1, keepdims=True), np.ptp(x, axis=1)[:, None]
    cell = np.minimum((x[:, ::2] - low) / (spread + 1e-9) * _CELLS, _CELLS - 1).astype(np.int64)
    delay = round(_DELAY_S * ANALYSIS_RATE_HZ / 2)
    place = cell[:, :-delay] * _CELLS + cell[:, delay:] + _CELLS**2 * np.arange(len(x))[:, None]
    visited = np.zeros(len(x) * _CELLS**2, dtype=bool)
    visited[place.ravel()] = True
    return np.asarray(visited.reshape(len(x), -1).mean(axis=1))


def _complexes(x: FloatArray, spectrum: npt.NDArray[np.complexfloating]) -> list[npt.NDArray[np.floating]]:
    """How often and how long something is steep: complexes, their rate and width, in two bands."""
    n = _padded(x.shape[1])
    frequency = np.fft.rfftfreq(n, 1 / ANALYSIS_RATE_HZ)
    narrow = np.exp(-0.5 * np.square((frequency - 14) / 4)).astype(np.float32)
    band = np.abs(fft.irfft(spectrum * narrow, n, axis=1)[:, : x.shape[1]])
    envelope = ndimage.uniform_filter1d(band, 15, axis=1)
    square = np.square(band).mean(axis=1)
    found = [
        np.square(np.square(band)).mean(axis=1) / (square**2 + 1e-15),
        (envelope > 0.5 * envelope.max(axis=1, keepdims=True)).mean(axis=1),
        envelope.mean(axis=1) / (envelope.max(axis=1) + 1e-9),
        *_pulses(envelope, 0.4),
    ]
    slope = np.abs(x[:, 3:] - x[:, :-3])
    return [*found, *_pulses(ndimage.uniform_filter1d(slope, 25, axis=1), 0.35)]


def _pulses(envelope: FloatArray, share: float) -> list[npt.NDArray[np.floating]]:
    """Rate and mean width of what stands above a share of the usual highest of a second's block."""
    block = round(ANALYSIS_RATE_HZ)
    blocks = envelope[:, : envelope.shape[1] // block * block].reshape(len(envelope), -1, block).max(axis=2)
    above = envelope > share * np.median(blocks, axis=1)[:, None]
    rises = (above[:, 1:] & ~above[:, :-1]).sum(axis=1)
    return [
        rises * (ANALYSIS_RATE_HZ / envelope.shape[1]),
        above.sum(axis=1) / (np.maximum(rises, 1) * ANALYSIS_RATE_HZ),
    ]


def _unrest(x: FloatArray) -> list[npt.NDArray[np.floating]]:
    crossings = (np.signbit(x[:, 1:]) != np.signbit(x[:, :-1])).mean(axis=1) * ANALYSIS_RATE_HZ
    block = round(0.5 * ANALYSIS_RATE_HZ)
    ranges = np.ptp(x[:, : x.shape[1] // block * block].reshape(len(x), -1, block), axis=2)
    largest = ranges.max(axis=1)
    short = round(0.08 * ANALYSIS_RATE_HZ)
    small = np.ptp(x[:, : x.shape[1] // short * short].reshape(len(x), -1, short), axis=2)
    return [
        crossings,
        ranges.min(axis=1) / (largest + 1e-9),
        (small < 0.06 * largest[:, None]).mean(axis=1),
    ]
