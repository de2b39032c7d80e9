"""Scale-free features of a beat's timing, P wave and shape against those of its own recording.

They are ratios and correlations: a heart rate or an amplitude tells patients apart, a ratio tells beats apart. RR
intervals are compared with several references, because each fails somewhere: a median where most beats are ectopic, an
upper quantile after pauses. Intervals that begin or end with a beat of another shape than the dominant one are part of
no reference: the pause after a ventricular beat would make every conducted beat look early.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.beats.fibrillation import af_probability_at_beats
from ecg_core.result import R_INDEX, FloatArray
from ecg_core.signal.fourier import row_medians

_FEATURES: Final = (
    ("rr_prev_to_local_median", "previous_rr"),
    ("rr_prev_to_local_upper", "previous_rr"),
    ("rr_prev_to_near_upper", "previous_rr"),
    ("rr_prev_to_long_mode", "previous_rr"),
    ("rr_prev_to_longer_tenth", "previous_rr"),
    ("rr_prev_to_longest", "previous_rr"),
    ("rr_prev_to_recording_median", "previous_rr"),
    ("rr_prev_to_rr_before", "previous_rr"),
    ("rr_prev_to_second_before", "previous_rr"),
    ("rr_prev_to_shortest_around", "previous_rr"),
    ("rr_before_to_long_mode", "previous_rr"),
    ("rr_before_to_longest", "previous_rr"),
    ("long_mode_to_median", "previous_rr"),
    ("longest_to_median", "previous_rr"),
    ("rr_irregularity_9", "previous_rr"),
    ("rr_irregularity", "previous_rr"),
    ("rr_irregularity_61", "previous_rr"),
    ("af_probability", "previous_rr"),
    ("rr_next_to_local_median", "following_rr"),
    ("rr_next_to_long_mode", "following_rr"),
    ("rr_next_to_longest", "following_rr"),
    ("rr_next_to_rr_prev", "following_rr"),
    ("rr_pair_to_long_mode", "following_rr"),
    ("p_like_template", "p_wave"),
    ("p_like_template_locally", "p_wave"),
    ("p_like_template_shifted", "p_wave"),
    ("p_shift", "pq_segment"),
    ("p_residual_locally", "p_wave"),
    ("p_prematurity_of_alike", "p_wave"),
    ("p_shortness_of_alike", "p_wave"),
    ("p_like_own_rr", "p_wave"),
    ("p_like_late_beats", "p_wave"),
    ("p_own_over_late", "p_wave"),
    ("p_like_neighbour", "p_wave"),
    ("p_presence", "p_wave"),
    ("qrs_before_unlike_template", "previous_rr"),
    ("qrs_unlike_template", "qrs"),
    ("qrs_width_to_template", "qrs"),
    ("qrs_height_to_template", "qrs"),
    ("qrs_prematurity_of_alike", "qrs"),
    ("qrs_share_of_alike", "qrs"),
    ("qrs_share_of_form", "qrs"),
    ("qrs_prematurity_of_form", "qrs"),
    ("qrs_pause_of_form", "qrs"),
    ("qrs_p_of_form", "qrs"),
    ("qrs_share_of_family", "qrs"),
    ("qrs_prematurity_of_family", "qrs"),
    ("qrs_p_of_family", "qrs"),
    ("qrs_residual", "qrs"),
    ("qrs_residual_locally", "qrs"),
    ("qrs_unlike_template_shifted", "qrs"),
    ("qrs_area_to_template", "qrs"),
    ("qrs_half_width_to_template", "qrs"),
    ("qrs_third_width_to_template", "qrs"),
    ("qrs_slope_to_template", "qrs"),
    ("qrs_same_polarity", "qrs"),
    ("st_level", "st_segment"),
    ("t_unlike_template", "t_wave"),
    ("t_residual", "t_wave"),
    ("qrs_after_unlike_template", "following_rr"),
)
CONTEXT_NAMES: Final = tuple(name for name, _ in _FEATURES)
"""The columns of `Beats.context`; each is described in `context_features`."""
CONTEXT_PLAYERS: Final = tuple(player for _, player in _FEATURES)
"""What part of the beat or the rhythm each column speaks of, for the exact Shapley values."""
RHYTHM_FEATURES: Final = CONTEXT_NAMES.index("qrs_unlike_template")
"""So many columns come first that hold timing and P wave and nothing of the beat's own QRS."""

_ODD_SHAPE: Final = 0.3
_FEWEST: Final = 10
_MODE_BINS: Final = 48
_MODE_OCTAVES: Final = 4
_MODE_BEATS: Final = 60
_MODE_SHARE: Final = 0.12
_MODE_KERNEL: Final = np.array([0.4, 0.9, 1.2, 0.9, 0.4])
_SAMPLE: Final = 600
_CHUNK: Final = 2048
_FORM_SOFTNESS: Final = (0.05, 0.15)
_USUAL_SHARE: Final = 0.1
_P_START, _P_END = R_INDEX - 62, R_INDEX - 18
_P: Final = slice(_P_START, _P_END)
_P_SHIFTS: Final = range(-10, 11, 2)
_QRS: Final = slice(R_INDEX - 20, R_INDEX + 26)
_WIDE_QRS: Final = slice(R_INDEX - 30, R_INDEX + 40)
_LONG_QRS: Final = slice(R_INDEX - 25, R_INDEX + 40)
_QRS_SHIFTS: Final = range(-6, 7, 2)
_ST: Final = slice(R_INDEX + 26, R_INDEX + 60)
_LATE_T: Final = slice(R_INDEX + 40, R_INDEX + 110)
_WIDEST: Final = 3.0
_T: Final = slice(R_INDEX + 30, R_INDEX + 100)

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def context_features(
    windows_mv: FloatArray,
    template_mv: FloatArray,
    rr_prev_ms: FloatArray,
    rr_next_ms: FloatArray,
    analysable: BoolArray,
    r_time_s: npt.NDArray[np.float64],
) -> FloatArray:
    """Compute `CONTEXT_NAMES` for every beat.

    ``rr_…_to_…`` are ratios in half octaves (2 log2, clipped to ±3). References: median of 21 intervals, 80th
    percentile of 41, 70th of 11 (``near_upper``), 90th and 96th of 121 (``longer_tenth``, ``longest``: where nearly
    all beats are ectopic, only the few intervals after pauses tell), the longest mode that holds an eighth of the
    121 intervals around,
    the recording's median, the intervals before, the shortest of the four around. ``rr_pair`` is the beat's previous
    and next interval together. ``rr_irregularity…`` are quantiles of the relative differences of neighbouring
    intervals over 9, 21 and 61 of them, times 5. ``af_probability`` is that of the 30 s around (0 where unknown).

    ``p_…`` compare the stretch from 248 to 72 ms before R: its correlation with the template's (also less the median
    of 21 beats, and at the best of 11 shifts up to 40 ms, with that shift in 20 ms); what it differs by against the
    median of 41 beats; with the beat before (median of 31) and the median of 31 correlations with the template
    (``presence``: low where no P waves are). Against up to 600 beats of the recording: how early those with a like
    P wave come (``prematurity_of_alike``: the P wave of an ectopic focus is that of early beats; ``shortness``: the
    same against
    the longest intervals), how like it is to
    those of beats with a like RR interval (``own_rr``) and to those of late beats.

    ``…_unlike_template`` is 1 minus the correlation with the template's same stretch. Width is the stretch over which
    the QRS's absolute value is spread (its participation ratio), height the range; both as ratios in half octaves.
    ``…_residual`` is the logarithm (base 2) of the root mean square difference from the template in units of its QRS
    height (``locally``: less the 40th percentile of 41 beats), ``…_shifted`` the least unlike of 7 shifts up to 24 ms,
    ``half`` and ``third`` the samples above that share of the greatest excursion against the template's, in tens,
    ``st_level`` the mean from 104 to 240 ms after R against the QRS's median and the template's, in QRS heights.
    ``qrs_…_of_alike``: how early, and how many, the usual beats of a like QRS are. ``…_of_form``: of up to 600 beats of
    all shapes those of a like QRS, ``…_of_family`` of a roughly like one: how many they are, how early they come,
    whether a pause follows, and how like the template's what precedes them is: ectopic beats of one focus come again.

    Parameters
    ----------
    windows_mv : ndarray of float32, shape (n, 256)
    template_mv : ndarray of float32, shape (256,)
    rr_prev_ms, rr_next_ms : ndarray of float32, shape (n,)
        NaN where unknown; the features of an unknown interval are 0, as for a beat in time.
    analysable : ndarray of bool, shape (n,)
        Only such beats are compared with.
    r_time_s : ndarray of float64, shape (n,)
        R peaks, seconds from the start.

    Returns
    -------
    ndarray of float32, shape (n, len(CONTEXT_NAMES))
        Finite.
    """
    n = windows_mv.shape[0]
    if n == 0:
        return np.zeros((0, len(CONTEXT_NAMES)), dtype=np.float32)
    qrs_unlike = 1 - _correlation(windows_mv[:, _QRS], template_mv[_QRS])
    odd = qrs_unlike > _ODD_SHAPE
    columns = _rhythm(rr_prev_ms, rr_next_ms, odd)
    early = np.nan_to_num(columns["rr_prev_to_long_mode"])
    short = np.nan_to_num(columns["rr_prev_to_longest"])
    known = analysable & np.isfinite(rr_prev_ms)
    usual, any_shape = _sample(known & ~odd), _sample(known)
    columns |= _p_wave(windows_mv, template_mv)
    columns |= _in_chunks(n, lambda rows: _p_among_others(windows_mv[:, _P], early, short, usual, rows))
    columns |= _in_chunks(n, lambda rows: _qrs_among_usual(windows_mv[:, _QRS], early, usual, rows))
    columns |= _in_chunks(n, lambda rows: _forms(windows_mv[:, _LONG_QRS], columns, any_shape, rows))
    columns |= {
        "af_probability": af_probability_at_beats(windows_mv, r_time_s, rr_prev_ms, analysable),
        "qrs_before_unlike_template": np.concatenate([np.zeros(1, np.float32), qrs_unlike[:-1]]),
        "qrs_unlike_template": qrs_unlike,
        "qrs_width_to_template": _half_octaves(_width(windows_mv[:, _WIDE_QRS]), _width(template_mv[None, _WIDE_QRS])),
        "qrs_height_to_template": _half_octaves(np.ptp(windows_mv[:, _QRS], axis=1), np.ptp(template_mv[_QRS])),
        **_shape(windows_mv, template_mv),
        "t_unlike_template": 1 - _correlation(windows_mv[:, _T], template_mv[_T]),
        "qrs_after_unlike_template": np.concatenate([qrs_unlike[1:], np.zeros(1, np.float32)]),
    }
    features: FloatArray = np.stack([columns[name] for name in CONTEXT_NAMES], axis=1).astype(np.float32)
    features[~np.isfinite(features)] = 0.0
    return features


def _rhythm(rr_prev_ms: FloatArray, rr_next_ms: FloatArray, odd: BoolArray) -> dict[str, FloatArray]:
    """Compute the features of timing, NaN where an interval is unknown."""
    known = np.isfinite(rr_prev_ms)
    conducted = known & ~odd & ~np.concatenate([[False], odd[:-1]])
    usable = next((mask for mask in (conducted, known) if mask.sum() >= _FEWEST or mask is known), known)
    # References are taken over the usable intervals alone, and each beat looks up those of the next usable one.
    intervals = rr_prev_ms[usable] if usable.any() else np.full(1, 800, dtype=np.float32)
    at = np.clip(np.searchsorted(np.flatnonzero(usable), np.arange(rr_prev_ms.size)), 0, intervals.size - 1)
    overall = np.median(intervals)
    median = ndimage.median_filter(intervals, 21, mode="nearest")
    change = np.clip(5 * np.abs(np.diff(intervals, prepend=intervals[:1])) / median, 0, 3).astype(np.float32)
    local, mode = median[at], _long_mode(intervals)[at]
    longest = _percentile(intervals, 96, 121)[at]
    before, second = (_delayed(rr_prev_ms, k) for k in (1, 2))
    after = np.concatenate([rr_next_ms[1:], [np.float32(np.nan)]])
    shortest = np.fmin(np.fmin(before, rr_next_ms), np.fmin(second, after))
    return {
        "rr_prev_to_local_median": _half_octaves(rr_prev_ms, local),
        "rr_prev_to_local_upper": _half_octaves(rr_prev_ms, _percentile(intervals, 80, 41)[at]),
        "rr_prev_to_near_upper": _half_octaves(rr_prev_ms, _percentile(intervals, 70, 11)[at]),
        "rr_prev_to_long_mode": _half_octaves(rr_prev_ms, mode),
        "rr_prev_to_longer_tenth": _half_octaves(rr_prev_ms, _percentile(intervals, 90, 121)[at]),
        "rr_prev_to_longest": _half_octaves(rr_prev_ms, longest),
        "rr_before_to_longest": _half_octaves(before, longest),
        "longest_to_median": _half_octaves(longest, local),
        "rr_next_to_longest": _half_octaves(rr_next_ms, longest),
        "rr_prev_to_recording_median": _half_octaves(rr_prev_ms, overall),
        "rr_prev_to_rr_before": _half_octaves(rr_prev_ms, before),
        "rr_prev_to_second_before": _half_octaves(rr_prev_ms, second),
        "rr_prev_to_shortest_around": _half_octaves(rr_prev_ms, shortest),
        "rr_before_to_long_mode": _half_octaves(before, mode),
        "long_mode_to_median": _half_octaves(mode, local),
        "rr_irregularity_9": _percentile(change, 70, 9)[at],
        "rr_irregularity": _percentile(change, 50, 21)[at],
        "rr_irregularity_61": _percentile(change, 60, 61)[at],
        "rr_next_to_local_median": _half_octaves(rr_next_ms, local),
        "rr_next_to_long_mode": _half_octaves(rr_next_ms, mode),
        "rr_next_to_rr_prev": _half_octaves(rr_next_ms, rr_prev_ms),
        "rr_pair_to_long_mode": _half_octaves(rr_prev_ms + rr_next_ms, 2 * mode),
    }


def _long_mode(intervals: FloatArray) -> FloatArray:
    """Find the longest of the modes of the 121 intervals around each, in ms, shape of `intervals`."""
    n, overall = intervals.size, np.median(intervals)
    per_octave = _MODE_BINS / _MODE_OCTAVES
    octaves = np.log2(np.maximum(intervals, 1.0) / overall)
    bins = np.clip((octaves + _MODE_OCTAVES / 2) * per_octave, 0, _MODE_BINS - 1).astype(np.int64)
    first, last = np.maximum(np.arange(n) - _MODE_BEATS, 0), np.minimum(np.arange(n) + _MODE_BEATS + 1, n)
    share, summed = (_by_bin(bins, values, first, last) for values in (np.ones(n), octaves))
    smooth = ndimage.convolve1d(share, _MODE_KERNEL, axis=1, mode="constant")
    is_mode = smooth >= _MODE_SHARE
    is_mode[:, 1:] &= smooth[:, 1:] >= smooth[:, :-1]
    is_mode[:, :-1] &= smooth[:, :-1] >= smooth[:, 1:]
    longest = _MODE_BINS - 1 - np.argmax(is_mode[:, ::-1], axis=1)
    longest = np.where(is_mode.any(axis=1), longest, smooth.argmax(axis=1))
    # The mode is the mean of what lies in its bin and in the two beside it.
    near = np.abs(np.arange(_MODE_BINS)[None, :] - longest[:, None]) <= 1
    mode: FloatArray = (
        overall * 2 ** ((summed * near).sum(axis=1) / np.maximum((share * near).sum(axis=1), 1e-9))
    ).astype(np.float32)
    return mode


def _by_bin(bins: IntArray, values: npt.NDArray[np.float64], first: IntArray, last: IntArray) -> FloatArray:
    """Sum values by bin over the stretches first to last, divided by their lengths: shape (n, `_MODE_BINS`)."""
    so_far = np.zeros((bins.size + 1, _MODE_BINS))
    so_far[np.arange(1, bins.size + 1), bins] = values
    np.cumsum(so_far, axis=0, out=so_far)
    mean: FloatArray = (so_far[last] - so_far[first]) / (last - first)[:, None]
    return mean


def _p_wave(windows_mv: FloatArray, template_mv: FloatArray) -> dict[str, FloatArray]:
    """Compare the stretch before the QRS with the template's and with the neighbours'."""
    p, p_template = windows_mv[:, _P], template_mv[_P]
    like = _correlation(p, p_template)
    shifted = np.stack(
        [_correlation(windows_mv[:, _P_START + by : _P_END + by], p_template) for by in _P_SHIFTS], axis=1
    )
    difference = p - p_template
    residual = difference.std(axis=1)
    unit = _unit(p)
    neighbour = np.concatenate([np.ones(1, np.float32), np.einsum("ij,ij->i", unit[1:], unit[:-1])])
    return {
        "p_like_template": like,
        "p_like_template_locally": like - ndimage.median_filter(like, 21, mode="nearest"),
        "p_like_template_shifted": shifted.max(axis=1),
        "p_shift": np.asarray(_P_SHIFTS)[shifted.argmax(axis=1)] / 5.0,
        "p_residual_locally": _half_octaves(residual, ndimage.median_filter(residual, 41, mode="nearest")),
        "p_like_neighbour": ndimage.median_filter(neighbour, 31, mode="nearest"),
        "p_presence": ndimage.median_filter(like, 31, mode="nearest"),
    }


def _shape(windows_mv: FloatArray, template_mv: FloatArray) -> dict[str, FloatArray]:
    """Compare QRS, ST segment and T wave with the template's, in units of its QRS height."""
    scale = max(float(np.ptp(template_mv[_QRS])), 1e-6)
    w, t = windows_mv / np.float32(scale), template_mv / np.float32(scale)
    qrs, qrs_template = w[:, _LONG_QRS], t[_LONG_QRS]
    middle, middle_template = row_medians(qrs), np.float32(np.median(qrs_template))
    size = np.abs(qrs - qrs[:, :5].mean(axis=1, keepdims=True))
    size_template = np.abs(qrs_template - qrs_template[:5].mean())
    residual = _log_rms(qrs - qrs_template)
    shifted = [_correlation(w[:, _QRS.start + by : _QRS.stop + by], t[_QRS]) for by in _QRS_SHIFTS]
    steepest, steepest_template = np.abs(np.diff(qrs, axis=1)).max(axis=1), np.abs(np.diff(qrs_template)).max()
    found = {
        "qrs_residual": residual,
        "qrs_residual_locally": residual - _percentile(residual, 40, 41),
        "qrs_unlike_template_shifted": 1 - np.max(shifted, axis=0),
        "qrs_area_to_template": np.log2(size.mean(axis=1) + 0.02) - np.log2(size_template.mean() + 0.02),
        "qrs_half_width_to_template": _above(size, 0.5) - _above(size_template[None], 0.5),
        "qrs_third_width_to_template": _above(size, 0.3) - _above(size_template[None], 0.3),
        "qrs_slope_to_template": np.log2(steepest + 0.01) - np.log2(steepest_template + 0.01),
        "qrs_same_polarity": np.sign(w[:, R_INDEX] - middle) * np.sign(t[R_INDEX] - middle_template),
        "st_level": 2 * (w[:, _ST].mean(axis=1) - middle - (t[_ST].mean() - middle_template)),
        "t_residual": _log_rms((w - t)[:, _LATE_T]),
    }
    return {name: np.clip(values, -_WIDEST, _WIDEST).astype(np.float32) for name, values in found.items()}


def _log_rms(difference: FloatArray) -> FloatArray:
    level: FloatArray = np.log2(np.sqrt(np.square(difference).mean(axis=1)) + np.float32(0.02))
    return level


def _above(size: FloatArray, share: float) -> FloatArray:
    """Tens of samples above a share of each row's greatest."""
    return np.asarray((size > share * size.max(axis=1, keepdims=True)).sum(axis=1) / 10, dtype=np.float32)


def _in_chunks(n: int, compute: Callable[[slice], dict[str, FloatArray]]) -> dict[str, FloatArray]:
    """Compare some beats at a time with the sample: all at once would take a gigabyte for a day."""
    parts = [compute(slice(start, min(start + _CHUNK, n))) for start in range(0, n, _CHUNK)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _p_among_others(
    p: FloatArray, early: FloatArray, short: FloatArray, sample: IntArray, rows: slice
) -> dict[str, FloatArray]:
    """Compare the stretch before the QRS with that of up to 600 beats of the recording."""
    like = _unit(p[rows]) @ _unit(p[sample]).T
    itself = _themselves(sample, rows)
    of_sample = early[sample]
    same_rr = np.exp(-np.square((early[rows, None] - of_sample[None, :]) / np.float32(0.25)))
    alike = np.exp((like - 1) / np.float32(0.1))
    same_rr[itself] = alike[itself] = 0  # no beat speaks for itself
    own = np.einsum("ij,ij->i", same_rr, like) / (same_rr.sum(axis=1) + 1e-3)
    late = np.exp(-np.square(np.minimum(of_sample + 0.3, 0) / 0.2)).astype(np.float32)
    late_like, late_weight = like @ late, np.full(len(like), late.sum())
    late_like[itself[0]] -= late[itself[1]] * like[itself]
    late_weight[itself[0]] -= late[itself[1]]
    of_late = late_like / (late_weight + 1e-3)
    return {
        "p_prematurity_of_alike": _mean_over(alike, of_sample),
        "p_shortness_of_alike": _mean_over(alike, short[sample]),
        "p_like_own_rr": own,
        "p_like_late_beats": of_late,
        "p_own_over_late": own - of_late,
    }


def _qrs_among_usual(qrs: FloatArray, early: FloatArray, sample: IntArray, rows: slice) -> dict[str, FloatArray]:
    """Compare the QRS with those of up to 600 beats of the usual shape."""
    alike = _likeness(qrs, sample, 0.05, rows)
    return {
        "qrs_prematurity_of_alike": _mean_over(alike, early[sample]),
        "qrs_share_of_alike": alike.mean(axis=1),
    }


def _forms(qrs: FloatArray, columns: dict[str, FloatArray], sample: IntArray, rows: slice) -> dict[str, FloatArray]:
    """Compare the QRS with those of up to 600 beats of the recording, whatever their shape."""
    of_sample = {"prematurity": "rr_prev_to_local_median", "pause": "rr_next_to_longest", "p": "p_like_template"}
    values = {name: np.nan_to_num(columns[column][sample]) for name, column in of_sample.items()}
    form, family = (_likeness(qrs, sample, softness, rows) for softness in _FORM_SOFTNESS)
    return {
        "qrs_share_of_form": _half_octaves(form.mean(axis=1), np.float32(_USUAL_SHARE)),
        "qrs_share_of_family": _half_octaves(family.mean(axis=1), np.float32(_USUAL_SHARE)),
        **{f"qrs_{name}_of_form": _mean_over(form, of) for name, of in values.items()},
        **{f"qrs_{name}_of_family": _mean_over(family, values[name]) for name in ("prematurity", "p")},
    }


def _sample(usable: BoolArray) -> IntArray:
    """Choose up to 600 of the usable beats (of all, where fewer than three are) at random with a fixed seed."""
    candidates = np.flatnonzero(usable)
    if candidates.size < 3:
        candidates = np.arange(usable.size)
    if candidates.size > _SAMPLE:
        candidates = np.sort(np.random.default_rng(_SAMPLE).choice(candidates, _SAMPLE, replace=False))
    return candidates


def _likeness(shapes: FloatArray, sample: IntArray, softness: float, rows: slice) -> FloatArray:
    """1 where one of these rows equals one of the sample in shape, falling fast with the correlation; 0 to itself."""
    weights: FloatArray = np.exp((_unit(shapes[rows]) @ _unit(shapes[sample]).T - 1) / np.float32(softness))
    weights[_themselves(sample, rows)] = 0
    return weights


def _themselves(sample: IntArray, rows: slice) -> tuple[IntArray, IntArray]:
    """Where, of these rows and the sample's columns, a beat meets itself."""
    columns = np.flatnonzero((sample >= rows.start) & (sample < rows.stop))
    return sample[columns] - rows.start, columns


def _mean_over(weights: FloatArray, values: FloatArray) -> FloatArray:
    mean: FloatArray = (weights @ values) / (weights.sum(axis=1) + 1e-6)
    return mean


def _percentile(values: FloatArray, percent: int, beats: int) -> FloatArray:
    filtered: FloatArray = ndimage.percentile_filter(values, percent, beats, mode="nearest")
    return filtered


def _delayed(values: FloatArray, by: int) -> FloatArray:
    return np.concatenate([np.full(by, np.nan, dtype=np.float32), values])[: values.size]


def _half_octaves(value: FloatArray, reference: FloatArray | np.float32) -> FloatArray:
    tiny = np.float32(1e-6)
    ratio: FloatArray = 2 * np.log2(np.maximum(value, tiny) / np.maximum(reference, tiny))
    return np.clip(ratio, -3, 3)


def _unit(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    unit: FloatArray = centred / np.maximum(length, np.float32(1e-9))[:, None]
    return unit


def _correlation(rows: FloatArray, template: FloatArray) -> FloatArray:
    """Pearson's correlation of each row with the template; 0 where either does not move."""
    centred = template - template.mean()
    # The template is centred, so the rows' means drop out of the product.
    product = rows @ centred
    spread = np.sqrt(np.maximum(np.einsum("ij,ij->i", rows, rows) - rows.shape[1] * rows.mean(axis=1) ** 2, 0))
    length = spread * np.sqrt(centred @ centred)
    return np.where(length > 1e-6, product / np.maximum(length, np.float32(1e-6)), np.float32(0))


def _width(rows: FloatArray) -> FloatArray:
    """Participation ratio of the absolute values in samples: how many samples share the complex."""
    size = np.abs(rows - row_medians(rows)[:, None])
    width: FloatArray = size.sum(axis=1) ** 2 / np.maximum(np.einsum("ij,ij->i", size, size), np.float32(1e-9))
    return width
