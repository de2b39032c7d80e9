"""Scale-free features of a beat's timing and shape against those of its own recording.

They are few on purpose, and ratios: a heart rate or an amplitude tells patients apart, a ratio tells beats apart.
RR intervals are compared with several references, because one fails when most beats are ectopic.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from ecg_core.result import R_INDEX, FloatArray

CONTEXT_NAMES: Final = (
    "rr_prev_to_local_median",
    "rr_next_to_local_median",
    "rr_prev_to_local_upper",
    "rr_prev_to_rr_before",
    "rr_next_to_rr_prev",
    "rr_prev_to_recording_median",
    "rr_irregularity",
    "qrs_unlike_template",
    "qrs_width_to_template",
    "qrs_height_to_template",
    "p_like_template",
    "t_unlike_template",
    "qrs_before_unlike_template",
    "qrs_after_unlike_template",
)
"""The columns of `Beats.context`; each is described in `context_features`."""
CONTEXT_PLAYERS: Final = (
    "previous_rr",
    "following_rr",
    "previous_rr",
    "previous_rr",
    "following_rr",
    "previous_rr",
    "previous_rr",
    "qrs",
    "qrs",
    "qrs",
    "p_wave",
    "t_wave",
    "previous_rr",
    "following_rr",
)
"""Which of `ecg_core.result.PLAYERS` each of `CONTEXT_NAMES` belongs to: what the rhythm and the beat before say, to
the previous RR; what comes after, to the following RR; what is computed from a wave, to that wave."""

_LOCAL_BEATS: Final = 21
_UPPER_BEATS: Final = 41
_UPPER_PERCENT: Final = 80
_P: Final = slice(R_INDEX - 62, R_INDEX - 18)
_QRS: Final = slice(R_INDEX - 20, R_INDEX + 26)
_WIDE_QRS: Final = slice(R_INDEX - 30, R_INDEX + 40)
_T: Final = slice(R_INDEX + 30, R_INDEX + 100)


def context_features(
    windows_mv: FloatArray, template_mv: FloatArray, rr_prev_ms: FloatArray, rr_next_ms: FloatArray
) -> FloatArray:
    """Compute `CONTEXT_NAMES` for every beat.

    ``rr_…_to_…`` are ratios in half octaves (2 log2, clipped to ±3): the beat's previous or next interval against the
    median of the 21 intervals around it, the 80th percentile of 41, the interval before, the recording's median.
    ``rr_irregularity`` is the median of 21 differences of neighbouring intervals against the local median, times 5.
    ``…_unlike_template`` is 1 minus the correlation with the template's same stretch, ``p_like_template`` the
    correlation itself (250 to 70 ms before R). Width is the stretch over which the QRS's absolute value is spread
    (its participation ratio), height the range; both as ratios in half octaves.

    Parameters
    ----------
    windows_mv : ndarray of float32, shape (n, 256)
    template_mv : ndarray of float32, shape (256,)
    rr_prev_ms, rr_next_ms : ndarray of float32, shape (n,)
        NaN where unknown; the features of an unknown interval are 0, as for a beat in time.

    Returns
    -------
    ndarray of float32, shape (n, len(CONTEXT_NAMES))
        Finite.
    """
    n = windows_mv.shape[0]
    if n == 0:
        return np.zeros((0, len(CONTEXT_NAMES)), dtype=np.float32)
    unlike = 1 - _correlation(windows_mv[:, _QRS], template_mv[_QRS])
    columns = [
        *_rhythm(rr_prev_ms, rr_next_ms),
        unlike,
        _half_octaves(_width(windows_mv[:, _WIDE_QRS]), _width(template_mv[None, _WIDE_QRS])),
        _half_octaves(np.ptp(windows_mv[:, _QRS], axis=1), np.ptp(template_mv[_QRS])),
        _correlation(windows_mv[:, _P], template_mv[_P]),
        1 - _correlation(windows_mv[:, _T], template_mv[_T]),
        np.concatenate([[0.0], unlike[:-1]]),
        np.concatenate([unlike[1:], [0.0]]),
    ]
    features: FloatArray = np.stack(columns, axis=1).astype(np.float32)
    features[~np.isfinite(features)] = 0.0
    return features


def _rhythm(rr_prev_ms: FloatArray, rr_next_ms: FloatArray) -> list[FloatArray]:
    """Compute the seven features of timing, NaN where an interval is unknown."""
    known = rr_prev_ms[np.isfinite(rr_prev_ms)]
    overall = np.float32(np.median(known)) if known.size else np.float32(800)
    filled = np.where(np.isfinite(rr_prev_ms), rr_prev_ms, overall)
    local = ndimage.median_filter(filled, _LOCAL_BEATS, mode="nearest")
    upper = ndimage.percentile_filter(filled, _UPPER_PERCENT, _UPPER_BEATS, mode="nearest")
    before = np.concatenate([[np.float32(np.nan)], rr_prev_ms[:-1]])
    change = np.abs(np.diff(filled, prepend=filled[0]))
    return [
        _half_octaves(rr_prev_ms, local),
        _half_octaves(rr_next_ms, local),
        _half_octaves(rr_prev_ms, upper),
        _half_octaves(rr_prev_ms, before),
        _half_octaves(rr_next_ms, rr_prev_ms),
        _half_octaves(rr_prev_ms, overall),
        np.clip(5 * ndimage.median_filter(change, _LOCAL_BEATS, mode="nearest") / local, 0, 3),
    ]


def _half_octaves(value: FloatArray, reference: FloatArray | np.float32) -> FloatArray:
    tiny = np.float32(1e-6)
    ratio: FloatArray = 2 * np.log2(np.maximum(value, tiny) / np.maximum(reference, tiny))
    return np.clip(ratio, -3, 3)


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
    size = np.abs(rows - np.median(rows, axis=1, keepdims=True))
    width: FloatArray = size.sum(axis=1) ** 2 / np.maximum(np.einsum("ij,ij->i", size, size), np.float32(1e-9))
    return width
