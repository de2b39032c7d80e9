"""What the atria leave in a stretch of beats: P waves that are alike, or the fine waves of fibrillation."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX
from ecg_core.signal.fourier import row_medians

ATRIAL_NAMES: Final = (
    "qrs_alike",
    "qrs_unlike_share",
    "qrs_width",
    "qrs_width_spread",
    "p_coherence",
    "p_height",
    "p_residue",
    "p_signal_to_residue",
    "p_highest",
    "p_lowest",
    "t_coherence",
    "t_height",
    "t_residue",
    "t_signal_to_residue",
    "residue_4_to_9_hz",
    "residue_12_to_25_hz",
    "residue_4_to_9_hz_height",
    "residue_spectral_entropy",
)
"""The columns that `atrial_activity` gives."""

_QRS: Final = slice(R_INDEX - 20, R_INDEX + 26)
_WIDE_QRS: Final = slice(R_INDEX - 30, R_INDEX + 40)
_P: Final = slice(R_INDEX - 65, R_INDEX - 16)
_T: Final = slice(R_INDEX + 30, R_INDEX + 100)
_BEFORE_QRS: Final = slice(R_INDEX - 80, R_INDEX - 15)
_ALIKE: Final = 0.8
_TINY: Final = 1e-9
_AT_ONCE: Final = 64

BoolArray = npt.NDArray[np.bool_]


def atrial_activity(
    windows_mv: FloatArray, rows: npt.NDArray[np.int64], there: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Describe the P waves of stretches of beats, and what is left before the QRS when the mean beat is taken away.

    The mean beat of a stretch is weighted towards its most usual QRS, so that ventricular beats do not enter it.
    Coherence is the mean correlation of two beats in the P (T) window: P waves that come again make it high. The
    residue before the QRS holds fibrillatory waves (4 to 9 Hz) and noise; heights are in units of the mean beat's QRS.
    The ideas are those of average beat subtraction (Slocum et al. 1985) and P wave absence (Ladavich and Ghoraani
    2015, Biomed Signal Process Control 18:274).

    Parameters
    ----------
    windows_mv : ndarray of float32, shape (n_beats, 256)
    rows : ndarray of int64, shape (n_stretches, n_longest)
        Beats of each stretch.
    there : ndarray of bool, shape (n_stretches, n_longest)
        False where `rows` only fills up.

    Returns
    -------
    features : ndarray of float32, shape (n_stretches, len(ATRIAL_NAMES))
    usual : ndarray of bool, shape (n_stretches, n_longest)
        Beats whose QRS is like that of the stretch's mean beat.
    """
    features = np.full((len(rows), len(ATRIAL_NAMES)), np.nan, np.float32)
    usual = np.zeros(rows.shape, dtype=bool)
    for i in range(0, len(rows), _AT_ONCE):
        part = slice(i, i + _AT_ONCE)
        features[part], usual[part] = _describe(windows_mv[rows[part]], there[part])
    return features, usual


def _describe(beats: FloatArray, there: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Do the work of `atrial_activity` for some stretches: beats has shape (stretches, longest, 256)."""
    qrs = _unit(beats[:, :, _QRS])
    plain = _weighted_mean(beats[:, :, _QRS], there.astype(np.float32))
    weight = np.where(there, np.maximum(_alike(qrs, plain), 0.01) ** 8, 0).astype(np.float32)
    mean_beat = _weighted_mean(beats, weight)
    alike = _alike(qrs, mean_beat[:, _QRS])
    usual = there & (alike >= _ALIKE)
    height = np.ptp(mean_beat[:, _QRS], axis=1) + 1e-6
    width = _width(mean_beat[:, _WIDE_QRS])
    widths = _width(beats[:, :, _WIDE_QRS]) / width[:, None]
    n = np.maximum(there.sum(axis=1), 1)
    columns = [
        np.where(there, alike, 0).sum(axis=1) / n,
        (there & ~usual).sum(axis=1) / n,
        width,
        np.sqrt(np.where(there, (widths - 1) ** 2, 0).sum(axis=1) / n),
        *_wave(beats[:, :, _P], mean_beat[:, _P], weight, height),
        *_bump(mean_beat[:, _P], height),
        *_wave(beats[:, :, _T], mean_beat[:, _T], weight, height),
        *_residue(beats[:, :, _BEFORE_QRS] - mean_beat[:, None, _BEFORE_QRS], weight, height),
    ]
    return np.stack(columns, axis=1).astype(np.float32), usual


def _weighted_mean(values: FloatArray, weight: FloatArray) -> FloatArray:
    total = np.einsum("wks,wk->ws", values, weight)
    mean: FloatArray = total / np.maximum(weight.sum(axis=1), _TINY)[:, None]
    return mean


def _unit(values: FloatArray) -> FloatArray:
    centred = values - values.mean(axis=-1, keepdims=True)
    unit: FloatArray = centred / np.maximum(np.sqrt(np.square(centred).sum(axis=-1, keepdims=True)), _TINY)
    return unit


def _alike(unit_rows: FloatArray, shape: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("wks,ws->wk", unit_rows, _unit(shape)))


def _width(values: FloatArray) -> FloatArray:
    """Participation ratio in samples, as `context_features` takes it."""
    middle = row_medians(values.reshape(-1, values.shape[-1])).reshape(*values.shape[:-1], 1)
    size = np.abs(values - middle)
    width: FloatArray = size.sum(axis=-1) ** 2 / np.maximum(np.square(size).sum(axis=-1), _TINY)
    return width


def _wave(values: FloatArray, mean: FloatArray, weight: FloatArray, height: FloatArray) -> list[FloatArray]:
    """Coherence, height, residue and log of signal to residue of one wave's window."""
    coherence = np.square(_weighted_mean(_unit(values), weight)).sum(axis=1)
    residue = values - mean[:, None, :]
    residue = residue - residue.mean(axis=2, keepdims=True)
    power = (weight * np.square(residue).mean(axis=2)).sum(axis=1) / np.maximum(weight.sum(axis=1), _TINY)
    ratio = np.log(mean.var(axis=1) / np.maximum(power, _TINY) + 1e-6)
    return [coherence, np.ptp(mean, axis=1) / height, np.sqrt(power) / height, ratio]


def _bump(mean: FloatArray, height: FloatArray) -> list[FloatArray]:
    """Highest and lowest point of the P window over the line between its ends."""
    line = np.linspace(0, 1, mean.shape[1], dtype=np.float32)
    first, last = mean[:, :5].mean(axis=1, keepdims=True), mean[:, -5:].mean(axis=1, keepdims=True)
    bump = mean - first * (1 - line) - last * line
    return [bump.max(axis=1) / height, bump.min(axis=1) / height]


def _residue(residue: FloatArray, weight: FloatArray, height: FloatArray) -> list[FloatArray]:
    centred = residue - residue.mean(axis=2, keepdims=True)
    spectrum = fft.rfft(centred * np.hanning(residue.shape[2]).astype(np.float32), 256, axis=2)
    spectra = np.square(spectrum.real) + np.square(spectrum.imag)
    power = np.einsum("wkf,wk->wf", spectra, weight) / np.maximum(weight.sum(axis=1), _TINY)[:, None] + 1e-12
    frequency = np.fft.rfftfreq(256, 1 / ANALYSIS_RATE_HZ)

    def band(low_hz: float, high_hz: float) -> FloatArray:
        total: FloatArray = power[:, (frequency >= low_hz) & (frequency <= high_hz)].sum(axis=1)
        return total

    share = power / power.sum(axis=1, keepdims=True)
    return [
        band(4, 9) / band(2, 40),
        band(12, 25) / band(2, 40),
        np.log(np.sqrt(band(4, 9)) / height + 1e-6),
        -(share * np.log(share)).sum(axis=1),
    ]
