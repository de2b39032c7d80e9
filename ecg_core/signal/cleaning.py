"""Resampling to the analysis rate and removing wander and noise, without moving any wave in time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import signal as dsp

from ecg_core.errors import UnusableSignal
from ecg_core.recording import Recording
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal.fourier import filtered, lead_batches
from ecg_core.signal.threads import side_by_side

LOWEST_RATE_HZ: Final = 50.0
HIGHEST_RATE_HZ: Final = 10_000.0
HIGH_PASS_HZ: Final = 0.5
LOW_PASS_HZ: Final = 40.0
MAINS_HZ: Final = (50.0, 60.0)
MAINS_MV: Final = 0.05
"""A line of less than this is what the low-pass leaves too little of to matter."""
_MAINS_STRETCH_S: Final = 4.0
_MAINS_STRETCHES: Final = 12
_STANDS_OUT: Final = 8.0
_NOTCH_QUALITY: Final = 12.0
_LEAST_BESIDE_MV: Final = 0.05
"""A lead that shows nothing but mains is left as it is: there is nothing to save."""
_HIGH_PASS_ORDER: Final = 2
_LOW_PASS_ORDER: Final = 4

# A piece is filtered with so much signal on either side; a 0.5 Hz high-pass of order 2 has forgotten
# all but 1e-6 of it by then.
_CONTEXT_S: Final = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class CleanSignal:
    """A recording after resampling and filtering.

    Attributes
    ----------
    signal_mv : ndarray of float32, shape (n, n_leads)
        Millivolts at `ANALYSIS_RATE_HZ`; finite everywhere. Each lead's samples lie side by side in memory.
    filters : tuple of str
        What was really applied, in order, in words.
    """

    signal_mv: npt.NDArray[np.float32]
    filters: tuple[str, ...]


def clean(recording: Recording) -> CleanSignal:
    """Resample to 250 Hz and band-pass 0.5–40 Hz with zero phase; where mains hums, take it out.

    Missing samples (NaN) are bridged by straight lines, so that the filter has something to work on;
    `assess_quality` marks the stretches. Leads are worked on one at a time and in pieces, so that memory stays at
    the input, the output and a few megabytes.

    The band is that of the AHA's recommendation for ambulatory rhythm analysis (0.5–40 Hz); it is too narrow at the
    bottom for judging ST segments, which is not done here.

    Parameters
    ----------
    recording : Recording
        Any rate from 50 to 10,000 Hz; rates that are no ratio of small integers are approximated so closely that
        the time axis is off by less than 10 ms in 24 h.

    Returns
    -------
    CleanSignal

    Raises
    ------
    UnusableSignal
        The sampling rate is outside 50 to 10,000 Hz, or there is no sample or no lead.
    """
    rate = recording.sampling_rate_hz
    if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        raise UnusableSignal(
            f"The sampling rate is {rate:g} Hz.",
            f"Provide a recording with {LOWEST_RATE_HZ:g} to {HIGHEST_RATE_HZ:g} Hz.",
        )
    if recording.signal.ndim != 2 or recording.signal.size == 0:
        raise UnusableSignal("The recording holds no sample.", "Provide a recording with signal in at least one lead.")
    ratio = Fraction(ANALYSIS_RATE_HZ / rate).limit_denominator(10_000)
    sos, words = _band_pass(rate)
    mains = mains_frequencies(recording)
    if mains:
        notches = [_notch(frequency) for frequency in mains]
        sos = np.vstack([sos, *notches])
        words = [*words, *(f"notch {frequency:g} Hz, forwards and backwards (zero phase)" for frequency in mains)]
    n_out = -(-recording.n_samples * ratio.numerator // ratio.denominator)
    # Lead-major memory: every later step reads lead by lead.
    cleaned = np.empty((recording.signal.shape[1], n_out), dtype=np.float32)

    def work(leads: slice) -> bool:
        columns = np.ascontiguousarray(recording.signal[:, leads].T, dtype=np.float32)
        missing = not np.isfinite(columns).all()
        if missing:
            columns = np.stack([bridge_gaps(column) for column in columns])
        cleaned[leads] = filtered(columns, sos, ANALYSIS_RATE_HZ, rate, _CONTEXT_S, ratio)
        return missing

    batches = lead_batches(len(cleaned), recording.n_samples, rate)
    any_missing = any(side_by_side(work, batches, recording.n_samples))
    filters = ["missing samples bridged by straight lines"] if any_missing else []
    if ratio != 1:
        filters.append(f"resampled from {rate:g} to {ANALYSIS_RATE_HZ:g} Hz (in the frequency domain)")
    return CleanSignal(cleaned.T, (*filters, *words))


@lru_cache(maxsize=16)
def _band_pass(rate_hz: float) -> tuple[npt.NDArray[np.float64], list[str]]:
    sections = [dsp.butter(_HIGH_PASS_ORDER, HIGH_PASS_HZ, "highpass", fs=ANALYSIS_RATE_HZ, output="sos")]
    words = [
        f"high-pass {HIGH_PASS_HZ:g} Hz, Butterworth order {_HIGH_PASS_ORDER}, forwards and backwards (zero phase)"
    ]
    # A recording at 80 Hz or less holds nothing above 40 Hz, and no filter is claimed then.
    if rate_hz > 2 * LOW_PASS_HZ:
        sections.append(dsp.butter(_LOW_PASS_ORDER, LOW_PASS_HZ, "lowpass", fs=ANALYSIS_RATE_HZ, output="sos"))
        words.append(
            f"low-pass {LOW_PASS_HZ:g} Hz, Butterworth order {_LOW_PASS_ORDER}, forwards and backwards (zero phase)"
        )
    return np.vstack(sections), words


def mains_frequencies(recording: Recording) -> tuple[float, ...]:
    """Name the mains frequencies, 50 or 60 Hz, that a lead hums with.

    A lead hums where a line of at least `MAINS_MV` stands out of the spectrum around it, in the median of stretches of
    4 s spread over the recording: an artefact hums for a while, mains all the time.
    """
    rate = recording.sampling_rate_hz
    length = min(round(_MAINS_STRETCH_S * rate), recording.n_samples)
    if length < rate:
        return ()
    starts = np.unique(np.linspace(0, recording.n_samples - length, _MAINS_STRETCHES).astype(np.int64))
    window = np.hanning(length).astype(np.float32)
    frequency = np.fft.rfftfreq(length, 1 / rate)
    found = set()
    rows = np.nan_to_num(np.stack([recording.signal[start : start + length].T for start in starts], axis=1))
    spectra = np.median(np.abs(np.fft.rfft(rows * window, axis=2)), axis=1) * (2 / window.sum())
    heart = (frequency >= 1) & (frequency <= LOW_PASS_HZ)
    for amplitude in spectra:
        if np.sqrt(np.square(amplitude[heart]).sum()) < _LEAST_BESIDE_MV:
            continue
        for mains in MAINS_HZ:
            line = amplitude[np.abs(frequency - mains) <= 1.0]
            around = amplitude[(np.abs(frequency - mains) > 2.0) & (np.abs(frequency - mains) <= 6.0)]
            if mains + 6 < rate / 2 and line.max() >= max(MAINS_MV, _STANDS_OUT * np.median(around)):
                found.add(mains)
    return tuple(sorted(found))


@lru_cache(maxsize=2)
def _notch(frequency_hz: float) -> npt.NDArray[np.float64]:
    """Return a second-order section of quality 12: 4 Hz wide, since mains may be off by a few tenths."""
    b, a = dsp.iirnotch(frequency_hz, _NOTCH_QUALITY, fs=ANALYSIS_RATE_HZ)
    return np.concatenate([b, a])[None, :]


def bridge_gaps(column: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give the column itself where nothing is missing, else a bridged copy; all missing gives zeros."""
    missing = ~np.isfinite(column)
    if not missing.any():
        return column
    if missing.all():
        return np.zeros_like(column)
    bridged = np.array(column)
    # Gap by gap from its two neighbours: indices of all that is known would be twice the recording.
    edges = np.flatnonzero(np.diff(missing, prepend=False, append=False))
    first, after = edges[::2], edges[1::2]
    left = column[np.where(first > 0, first - 1, after)]
    right = column[np.where(after < column.size, after, first - 1)]
    length = after - first
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + 1
    share = (place / np.repeat(length + 1, length)).astype(np.float32)
    bridged[missing] = np.repeat(left, length) * (1 - share) + np.repeat(right, length) * share
    return bridged
