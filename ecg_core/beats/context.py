"""Scale-free features of a beat's timing, P wave and shape against those of its own recording.

They are ratios and correlations: a heart rate or an amplitude tells patients apart, a ratio tells beats apart. RR
intervals are compared with several references, because each fails somewhere: a median where most beats are ectopic, an
upper quantile after pauses. Intervals that begin or end with a beat of another shape than the dominant one are part of
no reference: the pause after a ventricular beat would make every conducted beat look early.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats.fibrillation import Trees, af_probability_at_beats
from ecg_core.beats.p_wave import p_among_others, p_wave_features
from ecg_core.beats.qrs import (
    _LONG_QRS,
    _WIDE_QRS,
    ODD_SHAPE,
    _width,
    form_features,
    qrs_among_usual,
    sample_of,
    shape_features,
)
from ecg_core.beats.rr import rr_features
from ecg_core.beats.shapes import (
    QRS,
    BoolArray,
    P,
    T,
    by_chunks,
    correlation,
    half_octaves,
)
from ecg_core.recording import FloatArray

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


def context_features(
    windows_mv: FloatArray,
    template_mv: FloatArray,
    rr_prev_ms: FloatArray,
    rr_next_ms: FloatArray,
    analysable: BoolArray,
    r_time_s: npt.NDArray[np.float64],
    trees: Trees | None,
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
    trees : Trees or None
        What ``af_probability`` is told by; without them it is unknown (0).

    Returns
    -------
    ndarray of float32, shape (n, len(CONTEXT_NAMES))
        Finite.
    """
    n = windows_mv.shape[0]
    if n == 0:
        return np.zeros((0, len(CONTEXT_NAMES)), dtype=np.float32)
    qrs_unlike = 1 - correlation(windows_mv[:, QRS], template_mv[QRS])
    odd = qrs_unlike > ODD_SHAPE
    columns = rr_features(rr_prev_ms, rr_next_ms, odd)
    early = np.nan_to_num(columns["rr_prev_to_long_mode"])
    short = np.nan_to_num(columns["rr_prev_to_longest"])
    known = analysable & np.isfinite(rr_prev_ms)
    usual, any_shape = sample_of(known & ~odd), sample_of(known)
    columns |= p_wave_features(windows_mv, template_mv)
    columns |= by_chunks(n, lambda rows: p_among_others(windows_mv[:, P], early, short, usual, rows))
    columns |= by_chunks(n, lambda rows: qrs_among_usual(windows_mv[:, QRS], early, usual, rows))
    columns |= by_chunks(n, lambda rows: form_features(windows_mv[:, _LONG_QRS], columns, any_shape, rows))
    columns |= {
        "af_probability": np.zeros(n, np.float32)
        if trees is None
        else af_probability_at_beats(windows_mv, r_time_s, rr_prev_ms, analysable, trees),
        "qrs_before_unlike_template": np.concatenate([np.zeros(1, np.float32), qrs_unlike[:-1]]),
        "qrs_unlike_template": qrs_unlike,
        "qrs_width_to_template": half_octaves(_width(windows_mv[:, _WIDE_QRS]), _width(template_mv[None, _WIDE_QRS])),
        "qrs_height_to_template": half_octaves(np.ptp(windows_mv[:, QRS], axis=1), np.ptp(template_mv[QRS])),
        **shape_features(windows_mv, template_mv),
        "t_unlike_template": 1 - correlation(windows_mv[:, T], template_mv[T]),
        "qrs_after_unlike_template": np.concatenate([qrs_unlike[1:], np.zeros(1, np.float32)]),
    }
    features: FloatArray = np.stack([columns[name] for name in CONTEXT_NAMES], axis=1).astype(np.float32)
    features[~np.isfinite(features)] = 0.0
    return features
