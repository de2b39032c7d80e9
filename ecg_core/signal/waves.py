"""Onset, peak and end of P, QRS and T in each beat.

The wavelet delineator of Martínez, Almeida, Olmos, Rocha and Laguna 2004 (IEEE Trans Biomed Eng 51:570, doi
10.1109/TBME.2003.821031), with these deviations:

- Each beat is averaged with those of the six before and the six after that are like it, before it is delineated.
- The QRS complex is bounded where the slope of all leads together (root of the sum of squares) stays below a share
  of its highest value for some milliseconds; it need not be taken apart into Q, R and S.
- T and P are looked for as the strongest bump (hill or valley) of all leads together, between the QRS complex and the
  next beat, and between the T wave before and the QRS complex. The signal is held level outside, so that the flank of
  a larger wave is no bump. Bounds are then found in each lead and averaged, weighted by the bump's height there.
- A bump is a P wave where it comes again from beat to beat: see `_has_p_wave`.
- Everything is worked on for a thousand beats at once.

The parameters were chosen on `qtdb_marks.CHOOSING`, those of `_has_p_wave` also on 140 recordings of the Challenge of
2017 (70 called normal, 70 atrial fibrillation) and on training records of MIT-BIH. What was measured on other patients:
``ecg benchmark waves``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, WAVE_POINTS, Quality
from ecg_core.signal.cleaning import CleanSignal
from ecg_core.signal.threads import side_by_side
from ecg_core.signal.wavelet import (
    HALF_SAMPLE,
    BoolArray,
    IntArray,
    between,
    bumps,
    first_true,
    highest_of,
    is_local_maximum,
    last_true,
    level_outside,
    slopes,
    value_at,
)

# All in samples at 250 Hz. Windows begin `_R` before the R peak.
_R: Final = 130
_WINDOW: Final = 400
_EDGE: Final = 40
_BEATS_AT_ONCE: Final = 1024
# What is said of a beat depends on so many before and after it: `_NEIGHBOURS` and half of `_P_STRETCH`, and one.
_CONTEXT: Final = 16

# Correlation of QRS complexes, and difference of the logarithms of RR, from which beats count as alike in part.
_NEIGHBOURS: Final = 6
_ALIKE: Final = 0.9
_RR_ALIKE: Final = 0.1

# Shares are of the steepest slope of the wave: where the slope falls below them the wave begins or ends.
_QRS_SCALE: Final = 2
_QRS_CORE: Final = (-25, 31)
_QRS_REACH: Final = (-45, 65)
_QRS_LOWEST_MV: Final = 0.02
_QRS_ON_SHARE, _QRS_OFF_SHARE = 0.05, 0.10
_QRS_ON_QUIET, _QRS_OFF_QUIET = 3, 6

_T_SCALE: Final = 4
_T_BUMP_SCALE: Final = 5
_T_AFTER_QRS: Final = 20
_T_LATEST_SHARE_OF_RR, _T_LATEST = 0.55, 165
_T_BEFORE_NEXT_R: Final = 25
_T_SAME: Final = 12
_T_RISE, _T_FALL = 60, 45
_T_ON_SHARE, _T_OFF_SHARE = 0.5, 0.3

_P_SCALE: Final = 3
_P_BUMP_SCALE: Final = 4
_P_EARLIEST: Final = 85
_P_BEFORE_QRS: Final = 6
_P_CLEAR_OF_QRS: Final = 2
_P_SAME: Final = 8
_P_RISE, _P_FALL = 22, 16
_P_ON_SHARE, _P_OFF_SHARE = 0.2, 0.3
_P_LOWEST_MV: Final = 0.015
# So many beats alike, its own included, make an average that a beat's own P wave can be compared with.
_LIKES: Final = 2.0
_P_STRETCH: Final = 17
_P_AGREEMENT, _P_OWN_AGREEMENT = 0.4, 0.1


def delineate(cleaned: CleanSignal, quality: Quality, r_index: npt.NDArray[np.int64]) -> FloatArray:
    """Bound the waves of every beat, on all analysable leads together.

    Parameters
    ----------
    cleaned : CleanSignal
        1 to 12 leads.
    quality : Quality
        Of the same recording: a lead has no say in epochs in which it is not analysable.
    r_index : ndarray of int64, shape (n_beats,)
        R peaks, sample numbers at `ANALYSIS_RATE_HZ`, increasing.

    Returns
    -------
    ndarray of float32, shape (n_beats, 8)
        Milliseconds from the R peak (negative before it) of `WAVE_POINTS`. NaN where the wave is absent, and where
        no lead is analysable.
    """
    n, n_leads = r_index.size, cleaned.signal_mv.shape[1]
    points_ms = np.full((n, len(WAVE_POINTS)), np.nan, dtype=np.float32)
    if n == 0:
        return points_ms
    epoch = np.minimum(r_index // round(quality.epoch_s * ANALYSIS_RATE_HZ), quality.analysable.shape[0] - 1)
    rr = np.concatenate([[_WINDOW], np.diff(r_index), [_WINDOW]])
    at_once = max(64, _BEATS_AT_ONCE // n_leads)

    def bound(start: int) -> None:
        stop = min(n, start + at_once)
        low, high = max(0, start - _CONTEXT), min(n, stop + _CONTEXT)
        points = _delineate(
            _windows(cleaned.signal_mv, r_index[low:high]),
            np.ascontiguousarray(quality.analysable[epoch[low:high]].T),
            rr[low:high],
            rr[low + 1 : high + 1],
        )
        points_ms[start:stop] = points[start - low : stop - low]

    side_by_side(bound, range(0, n, at_once), cleaned.signal_mv.shape[0])
    points_ms *= np.float32(1000 / ANALYSIS_RATE_HZ)
    points_ms[~quality.analysable[epoch].any(axis=1)] = np.nan
    return points_ms


def qrs_bounds_ms(beats_mv: FloatArray) -> npt.NDArray[np.float64]:
    """Measure the QRS duration of average beats, on all leads together: float64, shape (n_beats,).

    Parameters
    ----------
    beats_mv : ndarray of float32, shape (n_beats, n_samples, n_leads)
        At `ANALYSIS_RATE_HZ`, the R peak in the middle; at least .4 s on either side.
    """
    middle = beats_mv.shape[1] // 2
    before, after = min(middle, _R), min(middle, _WINDOW - _R - 1)
    inner = beats_mv[:, middle - before : middle + after + 1].transpose(2, 0, 1)
    windows = np.pad(inner, ((0, 0), (0, 0), (_R - before, _WINDOW - _R - 1 - after)), mode="edge")
    on, off = _qrs(windows)
    return np.asarray((off - on) * (1000 / ANALYSIS_RATE_HZ), dtype=np.float64)


def _windows(signal_mv: FloatArray, r_index: IntArray) -> FloatArray:
    """Cut out windows of all leads, shape (n_leads, n_beats, `_WINDOW`); end values go on beyond the ends."""
    at = np.clip(r_index[:, None] + np.arange(-_R, _WINDOW - _R), 0, signal_mv.shape[0] - 1)
    return np.stack([signal_mv[:, lead][at] for lead in range(signal_mv.shape[1])])


def _delineate(windows: FloatArray, usable: BoolArray, rr_before: IntArray, rr_after: IntArray) -> FloatArray:
    """Give samples from the R peak of `WAVE_POINTS`, shape (n_beats, 8); `usable` is (n_leads, n_beats)."""
    own = windows * usable[..., None]
    averaged, n_alike, n_of_shape = _averaged_with_neighbours(own, rr_before)
    qrs_on, qrs_off = _qrs(averaged)
    t_on, t_peak, t_off = _t_wave(averaged, usable, qrs_off, rr_after)
    # The P wave cannot begin before the T wave of the beat before has ended.
    t_off_before = np.concatenate([[np.nan], t_off[:-1] - _R])
    earliest = _R - rr_before + np.where(np.isfinite(t_off_before), np.minimum(t_off_before, 0.7 * rr_before), 0)
    earliest = np.maximum(earliest, _R - np.where(np.isfinite(t_off_before), _P_EARLIEST, 0.5 * rr_before))
    p_wave = _p_wave(averaged, usable, qrs_on, earliest.astype(np.int64))
    p_wave[:, ~_has_p_wave(own, averaged, n_alike, n_of_shape, p_wave)] = np.nan
    # The mean over leads of one column may miss it by a rounding.
    p_wave[2], t_on = np.minimum(p_wave[2], qrs_on), np.maximum(t_on, qrs_off)
    points = np.stack([*p_wave, qrs_on, qrs_off, t_on, t_peak, t_off], axis=1) - np.float32(_R - HALF_SAMPLE)
    has_qrs = np.ptp(averaged[..., _R + _QRS_CORE[0] : _R + _QRS_CORE[1]], axis=-1).max(axis=0) > _QRS_LOWEST_MV
    points[~has_qrs] = np.nan
    return points


def _has_p_wave(
    own: FloatArray, averaged: FloatArray, n_alike: FloatArray, n_of_shape: FloatArray, p_wave: FloatArray
) -> BoolArray:
    """Tell which of the bumps before a QRS complex are P waves, shape (n_beats,): those that come again.

    A beat's own bump is correlated with the average of its neighbours'. In sinus rhythm they agree; f waves of atrial
    fibrillation do not. The mean of this over the beats around decides for a stretch; a beat in it that has no like
    (it is early) keeps its bump if its QRS complex is that of others, but not if it is a ventricular one.
    """
    first = _R - _P_EARLIEST - _EDGE
    here = slice(first, _R + _EDGE)
    (mine,), (mean,) = slopes(own[..., here], (_P_SCALE,)), slopes(averaged[..., here], (_P_SCALE,))
    has_bump = np.isfinite(p_wave[0])
    on, _, off = np.where(has_bump, p_wave - first, 0).astype(np.int64)
    zone = between(mine.shape[-1], on, off)
    n_others = np.maximum(n_alike - 1, np.float32(1e-3))[:, None]
    mine, others = mine * zone, (mean * n_alike[:, None] - mine) * zone / n_others
    together = np.einsum("knf,knf->n", mine, others)
    size = np.einsum("knf,knf->n", mine, mine) * np.einsum("knf,knf->n", others, others)
    has_likes = n_alike >= _LIKES
    agreement = np.where(has_bump & has_likes, together / np.sqrt(size + np.float32(1e-12)), 0)
    width = min(_P_STRETCH, agreement.size)
    around = np.convolve(agreement, np.ones(width), "same")
    n_around = np.convolve(has_bump & has_likes, np.ones(width), "same")
    in_sinus = around > _P_AGREEMENT * np.maximum(n_around, 1)
    is_p: BoolArray = has_bump & in_sinus & np.where(has_likes, agreement > _P_OWN_AGREEMENT, n_of_shape >= _LIKES)
    return is_p


def _averaged_with_neighbours(windows: FloatArray, rr_before: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Average each beat with those of the `_NEIGHBOURS` before and after it that are like it.

    Returns
    -------
    averaged : ndarray of float32, shape (n_leads, n_beats, n_columns)
    n_alike : ndarray of float32, shape (n_beats,)
        Sum of the weights, its own (1) included: alike in the QRS complex and in the RR interval before.
    n_of_shape : ndarray of float32, shape (n_beats,)
        The same, alike in the QRS complex.
    """
    shape = windows[..., _R - 25 : _R + 50]
    shape = shape - shape.mean(axis=-1, keepdims=True)
    length = np.sqrt(np.einsum("knf,knf->n", shape, shape)) + np.float32(1e-9)
    log_rr = np.log(rr_before).astype(np.float32)
    total, scratch = windows.copy(), np.empty_like(windows)
    n_alike, n_of_shape = np.ones((2, windows.shape[1]), dtype=np.float32)
    for k in range(1, min(_NEIGHBOURS + 1, windows.shape[1])):
        likeness = np.einsum("knf,knf->n", shape[:, k:], shape[:, :-k]) / (length[k:] * length[:-k])
        of_shape = np.clip(2 * (likeness - _ALIKE) / (1 - _ALIKE), 0, 1)
        weight = of_shape * np.clip(2 - np.abs(log_rr[k:] - log_rr[:-k]) / _RR_ALIKE, 0, 1)
        total[:, k:] += np.multiply(weight[:, None], windows[:, :-k], out=scratch[:, k:])
        total[:, :-k] += np.multiply(weight[:, None], windows[:, k:], out=scratch[:, k:])
        for count, more in ((n_alike, weight), (n_of_shape, of_shape)):
            count[k:] += more
            count[:-k] += more
    total /= n_alike[:, None]
    return total, n_alike, n_of_shape


def _qrs(windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns of the QRS complex's onset and end, shape (n_beats,) each."""
    first = _R + _QRS_REACH[0] - _EDGE
    (slope,) = slopes(windows[..., first : _R + _QRS_REACH[1] + _EDGE], (_QRS_SCALE,))
    steepness = np.sqrt(np.einsum("knf,knf->nf", slope, slope))
    r, n = _R - first, steepness.shape[1]
    core = steepness[:, r + _QRS_CORE[0] : r + _QRS_CORE[1]]
    highest = core.max(axis=1)
    steep = core >= 0.5 * highest[:, None]
    first_steep, last_steep = r + _QRS_CORE[0] + first_true(steep), r + _QRS_CORE[0] + last_true(steep)
    before = highest_of(steepness, _QRS_ON_QUIET, -1)
    reach = between(n, np.full_like(first_steep, r + _QRS_REACH[0]), first_steep)
    on = last_true(reach & (before < (_QRS_ON_SHARE * highest)[:, None]))
    on = np.where(on < 0, np.where(reach, before, np.inf).argmin(axis=1), on)
    after = highest_of(steepness, _QRS_OFF_QUIET, 1)
    reach = between(n, last_steep, np.full_like(last_steep, r + _QRS_REACH[1]))
    off = first_true(reach & (after < (_QRS_OFF_SHARE * highest)[:, None]))
    off = np.where(off >= n, np.where(reach, after, np.inf).argmin(axis=1), off)
    return (on + first).astype(np.float32), (off + first).astype(np.float32)


def _strongest_bump(
    bump: FloatArray, usable: BoolArray, low: IntArray, high: IntArray, same: int
) -> tuple[IntArray, FloatArray, BoolArray]:
    """Find the bump that stands out most in all leads together, and its top in each lead.

    Returns
    -------
    column : ndarray of int64, shape (n_leads, n_beats)
    height : ndarray of float32, shape (n_leads, n_beats)
        Signed: < 0 for a valley.
    is_there : ndarray of bool, shape (n_beats,)
    """
    heard = np.where(usable[..., None], bump, np.float32(0))
    together = np.sqrt(np.einsum("knf,knf->nf", heard, heard))
    inside = between(bump.shape[-1], low, high)
    together = np.where(inside & is_local_maximum(together), together, -1)
    top = together.argmax(axis=-1)
    near = inside & between(bump.shape[-1], top - same, top + same)
    column = np.where(near, np.abs(bump), -1).argmax(axis=-1)
    return column, value_at(bump, column), together.max(axis=-1) > 0


def _fused(columns: npt.NDArray[np.generic], valid: BoolArray, weight: FloatArray) -> FloatArray:
    """Average the leads' columns by weight, shape (n_beats,); NaN where no lead is valid."""
    weights = np.where(valid, np.maximum(np.abs(weight), np.float32(1e-9)), 0)
    total = weights.sum(axis=0)
    mean = (weights * columns).sum(axis=0) / np.where(total > 0, total, np.nan)
    fused: FloatArray = mean.astype(np.float32)
    return fused


def _t_wave(windows: FloatArray, usable: BoolArray, qrs_off: FloatArray, rr_after: IntArray) -> FloatArray:
    """Columns of the T wave's onset, peak and end, shape (3, n_beats); NaN where there is none."""
    first = _R - _EDGE
    r, n = _EDGE, windows.shape[-1] - first
    qrs_end = qrs_off.astype(np.int64) - first
    last = np.minimum(r + np.maximum(rr_after - _T_BEFORE_NEXT_R, 40), n - 1)
    level = level_outside(windows[..., first:], qrs_end, last)
    smooth, rough = slopes(level, (_T_SCALE, _T_BUMP_SCALE))
    low = qrs_end + _T_AFTER_QRS
    high = r + np.minimum(_T_LATEST_SHARE_OF_RR * rr_after, _T_LATEST).astype(np.int64)
    step = 2 ** (_T_BUMP_SCALE - 1)
    top, height, there = _strongest_bump(bumps(rough, step), usable, low, np.minimum(high, n - step - 2), _T_SAME)
    rising = smooth * np.sign(height)[..., None]
    up = np.where(between(n, np.maximum(top - _T_RISE, qrs_end + 3), top), rising, -np.inf).argmax(axis=-1)
    down = np.where(between(n, top, top + _T_FALL), rising, np.inf).argmin(axis=-1)
    up_slope, down_slope = value_at(rising, up), value_at(rising, down)
    on = last_true((rising < (_T_ON_SHARE * up_slope)[..., None]) & between(n, np.zeros_like(up), up - 1))
    peak = first_true((rising <= 0) & between(n, up, down))
    off = first_true((rising > (_T_OFF_SHARE * down_slope)[..., None]) & between(n, down + 1, np.full_like(down, n)))
    valid = usable & there & (high > low + 10) & (up_slope > 0) & (down_slope < 0) & (off < n) & (peak < n)
    on = np.maximum(on, qrs_end)
    return np.stack([_fused(column + first, valid, height) for column in (on, peak, off)])


def _p_wave(windows: FloatArray, usable: BoolArray, qrs_on: FloatArray, earliest: IntArray) -> FloatArray:
    """Columns of the P wave's onset, peak and end, shape (3, n_beats); NaN where there is none."""
    first = _R - _P_EARLIEST - _EDGE
    qrs_start = qrs_on.astype(np.int64) - first - _P_CLEAR_OF_QRS
    low = np.maximum(earliest - first, _EDGE)
    level = level_outside(windows[..., first : _R + _EDGE], low, qrs_start)
    fine, rough = slopes(level, (_P_SCALE, _P_BUMP_SCALE))
    n = level.shape[-1]
    high = qrs_start - _P_BEFORE_QRS
    top, height, there = _strongest_bump(bumps(rough, 2 ** (_P_BUMP_SCALE - 1)), usable, low, high, _P_SAME)
    rising = fine * np.sign(height)[..., None]
    up = np.where(between(n, top - _P_RISE, top), rising, -np.inf).argmax(axis=-1)
    down = np.where(between(n, top, np.minimum(top + _P_FALL, qrs_start)), rising, np.inf).argmin(axis=-1)
    up_slope, down_slope = value_at(rising, up), value_at(rising, down)
    on = last_true((rising < (_P_ON_SHARE * up_slope)[..., None]) & between(n, np.zeros_like(up), up - 1))
    peak = first_true((rising <= 0) & between(n, up, down))
    off = first_true((rising > (_P_OFF_SHARE * down_slope)[..., None]) & between(n, down + 1, np.full_like(down, n)))
    off = np.minimum(off, qrs_start)
    above = value_at(level, peak) - 0.5 * (value_at(level, on) + value_at(level, off))
    valid = usable & there & (high > low + 5) & (up_slope > 0) & (down_slope < 0) & (on >= 0) & (peak < n)
    valid &= np.abs(above) > _P_LOWEST_MV
    return np.stack([_fused(column + first, valid, height) for column in (on, peak, off)])
