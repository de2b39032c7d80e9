"""The median beat of a resting ECG, lead by lead, on the signal before any high-pass filter of ours."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal as dsp
from scipy.interpolate import CubicSpline

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, WAVE_POINTS
from ecg_core.signal.cleaning import MAINS_HZ, bridge_gaps

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

R_COLUMN: Final = 130
N_COLUMNS: Final = 400
"""The median beat reaches from 520 ms before the R peak to 1080 ms after it."""

_QRS: Final = (-20, 32)
_ALIKE: Final = 0.9
_FEWEST_BEATS: Final = 3
_MOST_SHIFT: Final = 4
_ARTEFACT: Final = 3.0
_SMALLEST_ARTEFACT_MV: Final = 0.05
# The PQ level: 16 ms that end 8 ms before the QRS complex does begin.
_PQ: Final = (-6, -2)
_P_SHARE: Final = 0.5
_NOTCH_QUALITY: Final = 12.0
# From the P wave to the end of T.
_BEAT: Final = slice(R_COLUMN - 75, R_COLUMN + 125)
NOISIEST_MV: Final = 0.05
"""A lead whose median beat is less exact than this, the smallest ST depression that counts, is not read."""


@dataclass(frozen=True, slots=True, eq=False)
class MedianBeat:
    """One beat that stands for the recording.

    Attributes
    ----------
    signal_mv : ndarray of float32, shape (n_leads, `N_COLUMNS`)
        At `ANALYSIS_RATE_HZ`, the R peak in `R_COLUMN`, the PQ level at 0; NaN in a lead that cannot be read.
    points : dict of str to float
        Column of each of `WAVE_POINTS`, over all leads together; NaN where the wave is absent.
    n_beats : int
        Beats that it is the median of.
    n_left_out : int
        Beats of another shape, and those with an artefact.
    rr_ms : float
        Median RR interval of the whole recording; NaN where there is one beat.
    """

    signal_mv: FloatArray
    points: dict[str, float]
    n_beats: int
    n_left_out: int
    rr_ms: float


def resampled(signal_mv: FloatArray, rate_hz: float) -> FloatArray:
    """Bring the signal as recorded to `ANALYSIS_RATE_HZ`, without any high-pass.

    Parameters
    ----------
    signal_mv : ndarray of float32, shape (n_samples, n_leads)
        NaN where a sample is missing; missing samples are bridged by straight lines.
    rate_hz : float

    Returns
    -------
    ndarray of float32, shape (n_leads, n)
    """
    bridged = np.stack([bridge_gaps(np.ascontiguousarray(column)) for column in signal_mv.T])
    ratio = Fraction(ANALYSIS_RATE_HZ / rate_hz).limit_denominator(1000)
    if ratio == 1:
        return bridged
    up, down = ratio.numerator, ratio.denominator
    # Straight through the ends: a recording that stands off zero must not begin with a step.
    first, last = bridged[:, :1], bridged[:, -1:]
    line = first + (last - first) * np.linspace(0, 1, bridged.shape[1], dtype=np.float32)
    n_out = -(-bridged.shape[1] * up // down)
    back = first + (last - first) * (np.arange(n_out, dtype=np.float32) * down / (up * (bridged.shape[1] - 1)))
    out: FloatArray = dsp.resample_poly(bridged - line, up, down, axis=1) + back
    return out.astype(np.float32)


def without_mains(raw_mv: FloatArray, filters: tuple[str, ...]) -> FloatArray:
    """Take the mains out where cleaning found it humming, with zero phase.

    Beats of a steady rhythm may all meet the hum in one phase, and then no median takes it away.

    Parameters
    ----------
    raw_mv : ndarray of float32, shape (n_leads, n)
        From `resampled`.
    filters : tuple of str
        `ecg_core.signal.CleanSignal.filters`: what cleaning applied, in words.

    Returns
    -------
    ndarray of float32, shape (n_leads, n)
    """
    for frequency_hz in MAINS_HZ:
        if any(f"notch {frequency_hz:g} Hz" in words for words in filters):
            b, a = dsp.iirnotch(frequency_hz, _NOTCH_QUALITY, fs=ANALYSIS_RATE_HZ)
            raw_mv = dsp.filtfilt(b, a, raw_mv, axis=1).astype(np.float32)
    return raw_mv


def median_beat(
    raw_mv: FloatArray, cleaned_mv: FloatArray, usable: BoolArray, r_index: IntArray, waves_ms: FloatArray
) -> MedianBeat | None:
    """Take the median of the beats that are alike, lead by lead.

    - Beats are grouped by the correlation of their QRS complexes over all leads; the largest group stands for the
      recording. In a tie it is the group of the earliest beat.
    - Each beat is moved by up to 16 ms to where its QRS complex fits the group's mean best in all leads together.
    - Wander is removed by a cubic spline through the PQ levels of the beats (Meyer and Keiser 1977, Comput Biomed Res
      10:459): between two PQ levels it bends nothing that is slower than a beat, so ST segments keep their level, which
      a high-pass of .5 Hz would pull towards the baseline. Where there are too few beats the level is constant.
    - A beat that is three times as far from the median as the usual beat is left out, and the median taken again.
    - A lead in which noise still moves the median by `NOISIEST_MV` is not read.

    Parameters
    ----------
    raw_mv : ndarray of float32, shape (n_leads, n)
        From `resampled`.
    cleaned_mv : ndarray of float32, shape (n_leads, n)
        The same after `ecg_core.signal.clean`: beats are compared on it.
    usable : ndarray of bool, shape (n_leads,)
        Leads that have a say in which beats are alike; the others become NaN.
    r_index : ndarray of int64, shape (n_beats,)
        R peaks at `ANALYSIS_RATE_HZ`.
    waves_ms : ndarray of float32, shape (n_beats, 8)
        From `ecg_core.signal.delineate`.

    Returns
    -------
    MedianBeat or None
        None where no three beats are alike, or no lead can be read.
    """
    rr_ms = float(np.median(np.diff(r_index))) * 1000 / ANALYSIS_RATE_HZ if r_index.size > 1 else np.nan
    whole = (r_index >= R_COLUMN // 2) & (r_index < raw_mv.shape[1] - N_COLUMNS // 4)
    beats, waves = r_index[whole], waves_ms[whole]
    if beats.size < _FEWEST_BEATS or not usable.any():
        return None
    complexes = _windows(cleaned_mv[usable], beats, _QRS[0] - _MOST_SHIFT, _QRS[1] + _MOST_SHIFT)
    alike = _largest_group(complexes[..., _MOST_SHIFT:-_MOST_SHIFT])
    if alike.sum() < _FEWEST_BEATS:
        return None
    shift = _shifts(complexes[:, alike])
    beats = beats[alike] + shift
    points = _points(waves[alike] - shift[:, None] * np.float32(1000 / ANALYSIS_RATE_HZ))
    if not np.isfinite(points["qrs_on"]):
        return None
    knots = beats + round(points["qrs_on"]) - R_COLUMN
    level = raw_mv - _baseline(raw_mv, knots)
    windows = _windows(level, beats, -R_COLUMN, N_COLUMNS - R_COLUMN)
    first = np.median(windows, axis=1)
    kept = _without_artefact(windows[usable], first[usable])
    median = first if kept.all() else np.median(windows[:, kept], axis=1)
    median[~usable | (_standard_error(windows[:, kept], median, rr_ms) > NOISIEST_MV)] = np.nan
    return MedianBeat(median, points, int(kept.sum()), int(r_index.size - kept.sum()), rr_ms)


def _windows(rows: FloatArray, at: IntArray, begin: int, end: int) -> FloatArray:
    """Cut out windows, shape (n_leads, n_beats, end - begin); end values go on beyond the ends."""
    columns = np.clip(at[:, None] + np.arange(begin, end), 0, rows.shape[1] - 1)
    return rows[:, columns]


def _largest_group(complexes: FloatArray) -> BoolArray:
    """Beats that are like the beat that has most of its like."""
    flat = complexes - complexes.mean(axis=-1, keepdims=True)
    flat = flat.transpose(1, 0, 2).reshape(flat.shape[1], -1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + np.float32(1e-9)
    alike = flat @ flat.T >= _ALIKE
    group: BoolArray = alike[alike.sum(axis=1).argmax()]
    return group


def _shifts(complexes: FloatArray) -> IntArray:
    """Count the samples by which each beat lies later than the group's mean, shape (n_beats,)."""
    mean = complexes[..., _MOST_SHIFT:-_MOST_SHIFT].mean(axis=1)
    mean = mean - mean.mean(axis=-1, keepdims=True)
    moved = sliding_window_view(complexes, mean.shape[-1], axis=-1)
    fit = np.einsum("knsf,kf->ns", moved, mean)
    shift: IntArray = fit.argmax(axis=1) - _MOST_SHIFT
    return shift


def _points(waves_ms: FloatArray) -> dict[str, float]:
    """Columns of the median boundaries; P and T are there if most beats have them."""
    points: dict[str, float] = {}
    for name, column in zip(WAVE_POINTS, waves_ms.T, strict=True):
        known = column[np.isfinite(column)]
        is_there = known.size >= max(1.0, _P_SHARE * column.size)
        points[name] = R_COLUMN + float(np.median(known)) * ANALYSIS_RATE_HZ / 1000 if is_there else np.nan
    return points


def _baseline(raw_mv: FloatArray, qrs_on: IntArray) -> FloatArray:
    """Spline through the PQ levels; beyond the first and last the level stays."""
    levels = _windows(raw_mv, qrs_on, *_PQ).mean(axis=-1)
    middle = np.clip(qrs_on + (_PQ[0] + _PQ[1]) / 2, 0, raw_mv.shape[1] - 1)
    spline = CubicSpline(middle, levels, axis=1)
    at = np.clip(np.arange(raw_mv.shape[1]), middle[0], middle[-1])
    baseline: FloatArray = spline(at).astype(np.float32)
    return baseline


def _standard_error(windows: FloatArray, median: FloatArray, rr_ms: float) -> FloatArray:
    """How far noise may have moved the median, by lead: the spread of the beats over the root of their number.

    Outside the QRS complex, whose height changes with each breath, and before the next one.
    """
    last = R_COLUMN + int(min(125, 0.6 * rr_ms * ANALYSIS_RATE_HZ / 1000))
    here = np.r_[R_COLUMN - 75 : R_COLUMN + _QRS[0], R_COLUMN + _QRS[1] : last]
    spread = np.sqrt(np.square(windows[..., here] - median[:, None, here]).mean(axis=(1, 2)))
    error: FloatArray = spread / np.sqrt(np.float32(windows.shape[1]))
    return error


def _without_artefact(windows: FloatArray, median: FloatArray) -> BoolArray:
    """Tell which beats are as near to the median as beats are, from the P wave to the end of T."""
    away = np.sqrt(np.square(windows[..., _BEAT] - median[:, None, _BEAT]).mean(axis=(0, 2)))
    kept: BoolArray = away <= max(_SMALLEST_ARTEFACT_MV, _ARTEFACT * float(np.median(away)))
    return kept
