"""Features of what precedes the QRS, against the patient's own P waves."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from ecg_core.beats.shapes import (
    P_END,
    P_START,
    IntArray,
    P,
    by_chunks,
    correlation,
    half_octaves,
    mean_over,
    themselves,
)
from ecg_core.recording import FloatArray
from ecg_core.result.alike import unit_rows

_P_SHIFTS: Final = range(-10, 11, 2)


def p_wave_features(windows_mv: FloatArray, template_mv: FloatArray) -> dict[str, FloatArray]:
    """Compare the stretch before the QRS with the template's and with the neighbours'."""
    columns = by_chunks(len(windows_mv), lambda rows: _likenesses(windows_mv[rows], template_mv[P]))
    like, residual = columns["p_like_template"], columns.pop("residual")
    unit = unit_rows(windows_mv[:, P])
    neighbour = np.concatenate([np.ones(1, np.float32), np.einsum("ij,ij->i", unit[1:], unit[:-1])])
    return columns | {
        "p_like_template_locally": like - ndimage.median_filter(like, 21, mode="nearest"),
        "p_residual_locally": half_octaves(residual, ndimage.median_filter(residual, 41, mode="nearest")),
        "p_like_neighbour": ndimage.median_filter(neighbour, 31, mode="nearest"),
        "p_presence": ndimage.median_filter(like, 31, mode="nearest"),
    }


def _likenesses(windows_mv: FloatArray, p_template: FloatArray) -> dict[str, FloatArray]:
    p = windows_mv[:, P]
    shifted = np.stack([correlation(windows_mv[:, P_START + by : P_END + by], p_template) for by in _P_SHIFTS], axis=1)
    return {
        "p_like_template": correlation(p, p_template),
        "p_like_template_shifted": shifted.max(axis=1),
        "p_shift": np.asarray(_P_SHIFTS)[shifted.argmax(axis=1)] / 5.0,
        "residual": (p - p_template).std(axis=1),
    }


def p_among_others(
    p: FloatArray, early: FloatArray, short: FloatArray, sample: IntArray, rows: slice
) -> dict[str, FloatArray]:
    """Compare the stretch before the QRS with that of up to 600 beats of the recording.

    The P wave of an ectopic focus is that of early beats.
    """
    like = unit_rows(p[rows]) @ unit_rows(p[sample]).T
    itself = themselves(sample, rows)
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
        "p_prematurity_of_alike": mean_over(alike, of_sample),
        "p_shortness_of_alike": mean_over(alike, short[sample]),
        "p_like_own_rr": own,
        "p_like_late_beats": of_late,
        "p_own_over_late": own - of_late,
    }
