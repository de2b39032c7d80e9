"""How far each lead can be trusted, in epochs of 10 s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from ecg_core.recording import FloatArray, Recording
from ecg_core.result import ANALYSIS_RATE_HZ, Quality
from ecg_core.signal.cleaning import CleanSignal
from ecg_core.signal.fourier import lead_batches, row_medians
from ecg_core.signal.threads import side_by_side

EPOCH_S: Final = 10.0
ANALYSABLE_FROM: Final = 0.3
"""Smallest index of an analysable epoch."""

MISSING_SHARE: Final = 0.02
CONSTANT_SHARE: Final = 0.2
CLIPPED_SHARE: Final = 0.01
SMALLEST_MV: Final = 0.15
LARGEST_MV: Final = 20.0

PREFERRED_LEADS: Final = ("II", "MLII", "I", "V5", "V4", "V6", "V3", "V2", "V1", "III", "AVF", "AVL", "AVR")
_KURTOSIS_OF_BEATS: Final = 8.0
_AS_GOOD: Final = 0.05
_EPOCHS_AT_ONCE: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class LeadMeasures:
    """What is measured of each epoch of leads; every array has shape (n_leads, n_epochs)."""

    missing: FloatArray
    constant: FloatArray
    clipped: FloatArray
    range_mv: FloatArray
    noise: FloatArray
    wander: FloatArray
    kurtosis: FloatArray
    similarity: FloatArray


def without_noise_of_beats(
    quality: Quality, r_time_s: npt.NDArray[np.float64], noise_s: npt.NDArray[np.float64]
) -> Quality:
    """Call epochs not analysable on any lead where most of what was taken for beats is noise.

    Parameters
    ----------
    quality : Quality
    r_time_s : ndarray of float64, shape (n,)
        All R peaks.
    noise_s : ndarray of float64, shape (m,)
        Those that noise made.
    """
    if not noise_s.size:
        return quality
    n = len(quality.analysable)
    marks, noise = (
        np.bincount(np.minimum((times / quality.epoch_s).astype(np.int64), n - 1), minlength=n)
        for times in (r_time_s, noise_s)
    )
    return replace(quality, analysable=quality.analysable & ~(noise > 0.5 * marks)[:, None])


def assess_quality(recording: Recording, cleaned: CleanSignal) -> Quality:
    """Rate every epoch of every lead and choose the lead that beats are classified on.

    An epoch is not analysable where more than 2 % of it is missing, a fifth of it is exactly constant (lead off),
    1 % of it lies on the rails of the converter, its range is below 0.15 mV (IEC 60601-2-27 asks monitors to find no
    beats there) or above 20 mV, or where its index is below 0.3.

    The index, 0 to 1, is the smallest of three ratings:

    - noise: the spread (median absolute deviation) of the second difference over 8 ms, which passes 15 to 40 Hz,
      against the height of the QRS complexes (median range of blocks of 2 s). QRS complexes fill too little of the
      time to move a median, and wide ones are too slow to.
    - wander: power of the recorded signal below 1 Hz against that of 5 to 25 Hz, as in basSQI.

    - order: kurtosis of the difference over 32 ms, which passes 5 to 25 Hz (kSQI), or, where that is low, the highest
      autocorrelation at 0.15 to 2 s. Beats stand out or come again; noise does neither. Kurtosis alone would condemn
      ventricular flutter and wide tachycardias, which come again.

    The ideas are those of Li, Mark and Clifford 2008 (Physiol Meas 29:15, kSQI, sSQI, pSQI, basSQI) and Zhao and
    Zhang 2018 (Front Physiol 9:727); the limits were set on DS1 of MIT-BIH and noise added to it.

    Parameters
    ----------
    recording : Recording
    cleaned : CleanSignal
        Of the same recording.

    Returns
    -------
    Quality
        `primary_lead` is the lead with most analysable epochs; of leads within 5 points of the best, the first in
        II, MLII, I, V5, … A last epoch that is shorter than 10 s is rated on the last 10 s of the recording.
    """
    n_samples, n_leads = cleaned.signal_mv.shape
    n_epochs = max(1, -(-n_samples // round(EPOCH_S * ANALYSIS_RATE_HZ)))
    index = np.zeros((n_epochs, n_leads), dtype=np.float32)

    def rate(leads: slice) -> None:
        measures = measure_leads(recording, recording.signal[:, leads], cleaned.signal_mv[:, leads], n_epochs)
        index[:, leads] = _index(measures).T

    longest = max(n_samples, recording.n_samples)
    side_by_side(rate, lead_batches(n_leads, longest, ANALYSIS_RATE_HZ), longest)
    analysable = index >= ANALYSABLE_FROM
    primary = _primary_lead(analysable.mean(axis=0), recording.lead_names)
    return Quality(EPOCH_S, index, analysable, primary, cleaned.filters)


def _index(m: LeadMeasures) -> FloatArray:
    # Straight lines between what is seen in clean recordings (1) and where beats drown (0).
    noise = np.interp(m.noise, [0.01, 0.08], [1.0, 0.0])
    wander = np.interp(np.log10(np.maximum(m.wander, 1e-6)), [0.5, 3.0], [1.0, 0.0])
    order = np.maximum(np.interp(m.kurtosis, [4.0, 8.0], [0.0, 1.0]), np.interp(m.similarity, [0.3, 0.6], [0.0, 1.0]))
    hopeless = (
        (m.missing > MISSING_SHARE)
        | (m.constant > CONSTANT_SHARE)
        | (m.clipped > CLIPPED_SHARE)
        | (m.range_mv < SMALLEST_MV)
        | (m.range_mv > LARGEST_MV)
    )
    return np.where(hopeless, 0.0, np.minimum(np.minimum(noise, wander), order)).astype(np.float32)


def measure_leads(
    recording: Recording, raw: npt.NDArray[np.float32], cleaned: npt.NDArray[np.float32], n_epochs: int
) -> LeadMeasures:
    """Measure leads, as recorded (`raw`) and `cleaned`, (n, n_leads) each, in `n_epochs` epochs of `EPOCH_S`."""
    rate, n_leads = recording.sampling_rate_hz, raw.shape[1]
    raw, cleaned = np.ascontiguousarray(raw.T), np.ascontiguousarray(cleaned.T)
    rails = np.array([_rails(lead) for lead in raw], dtype=np.float32)
    parts: list[list[FloatArray]] = []
    for raw_epochs, clean_epochs in zip(
        _epochs(raw, n_epochs, rate), _epochs(cleaned, n_epochs, ANALYSIS_RATE_HZ), strict=True
    ):
        missing = np.isnan(raw_epochs)
        filled = np.where(missing, np.float32(0), raw_epochs) if missing.any() else raw_epochs
        height, spread, range_mv = _height_and_noise(clean_epochs)
        low, high = np.repeat(rails, len(filled) // n_leads, axis=0).T[..., None]
        found = (
            _share(missing),
            _constant_share(filled, rate),
            _clipped_share(filled, low, high),
            range_mv,
            (spread / np.maximum(height, 1e-6)).astype(np.float32),
            _wander(filled, rate),
            *_order(clean_epochs),
        )
        parts.append([measure.reshape(n_leads, -1) for measure in found])
    return LeadMeasures(*(np.concatenate(column, axis=1) for column in zip(*parts, strict=True)))


def _epochs(leads: npt.NDArray[np.float32], n_epochs: int, rate_hz: float) -> Iterator[npt.NDArray[np.float32]]:
    """Epochs as rows, those of a lead one after the other, so many at a time that memory stays small."""
    n = leads.shape[1]
    length = min(round(EPOCH_S * rate_hz), n)
    starts = np.minimum(np.round(np.arange(n_epochs) * EPOCH_S * rate_hz).astype(np.int64), n - length)
    rows = sliding_window_view(leads, length, axis=1)
    for first in range(0, n_epochs, _EPOCHS_AT_ONCE):
        at = starts[first : first + _EPOCHS_AT_ONCE]
        # Epochs that follow one another without a gap need no copy.
        joined = bool((np.diff(at) == length).all())
        yield (leads[:, at[0] : at[-1] + length] if joined else rows[:, at]).reshape(-1, length)


def _rails(raw: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Lowest and highest value of the lead, where these could be rails: a fifth of the range away from the median."""
    low, high = float(raw.min()), float(raw.max())
    if np.isnan(low):
        # fmin and fmax pass over NaN without a copy of what is known, but take ten times as long.
        low, high = float(np.fmin.reduce(raw)), float(np.fmax.reduce(raw))
    if not np.isfinite(high - low):
        return -np.inf, np.inf
    # A thousandth of the samples is plenty for a median.
    middle = float(np.nanmedian(raw[:: max(1, raw.size // 100_000)]))
    margin = 0.2 * (high - low)
    return (low if middle - low > margin else -np.inf), (high if high - middle > margin else np.inf)


def _clipped_share(epochs: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Share of samples on a rail with both neighbours on it too: a true peak has one or two equal samples."""
    at_rail = (epochs <= low) | (epochs >= high)
    if not at_rail.any():
        return np.zeros(epochs.shape[0], dtype=np.float32)
    inner = at_rail[:, 1:-1] & at_rail[:, :-2] & at_rail[:, 2:]
    return _share(inner)


def _constant_share(epochs: FloatArray, rate_hz: float) -> FloatArray:
    """Share of blocks of .2 s in which the recorded signal does not move at all, as no electrode on skin does."""
    block = max(2, round(0.2 * rate_hz))
    n_blocks = epochs.shape[1] // block
    if n_blocks == 0:
        return _share(np.ptp(epochs, axis=1, keepdims=True) == 0)
    blocks = epochs[:, : n_blocks * block].reshape(epochs.shape[0], n_blocks, block)
    return _share(blocks.max(axis=2) == blocks.min(axis=2))


def _share(true: npt.NDArray[np.bool_]) -> FloatArray:
    """Share of True in each row."""
    share: FloatArray = (true.sum(axis=1) / max(1, true.shape[1])).astype(np.float32)
    return share


def _height_and_noise(epochs: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height of the QRS complexes, spread of the noise and whole range of the cleaned epochs, in mV."""
    n, length = epochs.shape
    block = min(length, round(2 * ANALYSIS_RATE_HZ))
    ranges = np.ptp(epochs[:, : length // block * block].reshape(n, -1, block), axis=2)
    lag = 2
    if length <= 2 * lag:
        return row_medians(ranges), np.zeros(n, dtype=np.float32), ranges.max(axis=1)
    bend = epochs[:, lag:-lag] - 0.5 * (epochs[:, : -2 * lag] + epochs[:, 2 * lag :])
    spread = 1.4826 * row_medians(np.abs(bend))
    return row_medians(ranges), spread.astype(np.float32), ranges.max(axis=1)


def _wander(epochs: FloatArray, rate_hz: float) -> FloatArray:
    """Power below 1 Hz over power from 5 to 25 Hz."""
    centred = epochs - epochs.mean(axis=1, keepdims=True)
    frequency = np.fft.rfftfreq(epochs.shape[1], 1 / rate_hz)
    frequency = frequency[frequency <= 25]
    spectrum = fft.rfft(centred, axis=1, overwrite_x=True)[:, : frequency.size]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    below: FloatArray = power[:, (frequency > 0) & (frequency < 1)].sum(axis=1)
    qrs = power[:, frequency >= 5].sum(axis=1)
    ratio: FloatArray = (below / np.maximum(qrs, 1e-12)).astype(np.float32)
    return ratio


def _order(epochs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Kurtosis of the QRS band, and how much the epoch resembles itself later; 1 where kurtosis is high already."""
    lag = min(8, epochs.shape[1] - 1)
    steep = epochs[:, lag:] - epochs[:, : epochs.shape[1] - lag]
    squares = np.square(steep)
    variance = squares.mean(axis=1)
    kurtosis = np.square(squares).mean(axis=1) / np.maximum(variance**2, 1e-12)
    similarity = np.ones(epochs.shape[0], dtype=np.float32)
    doubtful = kurtosis < _KURTOSIS_OF_BEATS
    if doubtful.any():
        similarity[doubtful] = _similarity(epochs[doubtful])
    return kurtosis.astype(np.float32), similarity


def _similarity(epochs: FloatArray) -> FloatArray:
    """Highest autocorrelation at lags of 0.15 to 2 s, of what lies between 2 and 25 Hz."""
    length = epochs.shape[1]
    spectrum = fft.rfft(epochs, 2 * length, axis=1)
    frequency = np.fft.rfftfreq(2 * length, 1 / ANALYSIS_RATE_HZ)
    spectrum[:, (frequency < 2) | (frequency > 25)] = 0
    products = fft.irfft(np.square(spectrum.real) + np.square(spectrum.imag), axis=1, overwrite_x=True)
    first, last = round(0.15 * ANALYSIS_RATE_HZ), min(round(2 * ANALYSIS_RATE_HZ), length // 2)
    if last <= first:
        return np.zeros(epochs.shape[0], dtype=np.float32)
    # Later lags overlap less.
    lags = np.arange(first, last)
    unbiased = products[:, first:last] / (1 - lags / length)
    highest: FloatArray = (unbiased.max(axis=1) / np.maximum(products[:, 0], 1e-12)).astype(np.float32)
    return highest


def _primary_lead(shares: npt.NDArray[np.float64], names: tuple[str, ...]) -> int:
    def rank(lead: int) -> tuple[int, int]:
        name = names[lead].upper().removeprefix("LEAD").strip()
        return (PREFERRED_LEADS.index(name) if name in PREFERRED_LEADS else len(PREFERRED_LEADS), lead)

    good = np.flatnonzero(shares >= shares.max() - _AS_GOOD)
    return min((int(lead) for lead in good), key=rank)
