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
"""The columns of `Beats.context`. What each means is one line, ``feature_<name>`` in the catalogue of texts, which the
report prints; how it is computed stands in the module of its family (`rr`, `p_wave`, `qrs`)."""
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

    Ratios (``…_to_…``) are in half octaves, 2 log2 between -3 and 3; likenesses are correlations, ``unlike`` is 1 less
    the correlation.

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
