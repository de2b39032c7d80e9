"""Features of the QRS and what follows it, against the recording's usual shapes."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.beats.shapes import (
    LATE_T,
    QRS,
    SAMPLE_BEATS,
    ST,
    USUAL_SHARE,
    WIDEST,
    BoolArray,
    IntArray,
    above,
    by_chunks,
    correlation,
    half_octaves,
    log_rms,
    mean_over,
    percentile,
    themselves,
)
from ecg_core.recording import FloatArray
from ecg_core.result import R_INDEX
from ecg_core.result.alike import unit_rows
from ecg_core.signal.fourier import row_medians

ODD_SHAPE: Final = 0.3
_FORM_SOFTNESS: Final = (0.05, 0.15)
_WIDE_QRS: Final = slice(R_INDEX - 30, R_INDEX + 40)
_LONG_QRS: Final = slice(R_INDEX - 25, R_INDEX + 40)
_QRS_SHIFTS: Final = range(-6, 7, 2)


def shape_features(windows_mv: FloatArray, template_mv: FloatArray) -> dict[str, FloatArray]:
    """Compare QRS, ST segment and T wave with the template's, in units of its QRS height."""
    columns = by_chunks(len(windows_mv), lambda rows: _shapes(windows_mv[rows], template_mv))
    residual = columns["qrs_residual"]
    columns["qrs_residual_locally"] = residual - percentile(residual, 40, 41)
    return {name: np.clip(values, -WIDEST, WIDEST).astype(np.float32) for name, values in columns.items()}


def _shapes(windows_mv: FloatArray, template_mv: FloatArray) -> dict[str, FloatArray]:
    scale = max(float(np.ptp(template_mv[QRS])), 1e-6)
    w, t = windows_mv / np.float32(scale), template_mv / np.float32(scale)
    qrs, qrs_template = w[:, _LONG_QRS], t[_LONG_QRS]
    middle, middle_template = row_medians(qrs), np.float32(np.median(qrs_template))
    size = np.abs(qrs - qrs[:, :5].mean(axis=1, keepdims=True))
    size_template = np.abs(qrs_template - qrs_template[:5].mean())
    shifted = [correlation(w[:, QRS.start + by : QRS.stop + by], t[QRS]) for by in _QRS_SHIFTS]
    steepest, steepest_template = np.abs(np.diff(qrs, axis=1)).max(axis=1), np.abs(np.diff(qrs_template)).max()
    return {
        "qrs_residual": log_rms(qrs - qrs_template),
        "qrs_unlike_template_shifted": 1 - np.max(shifted, axis=0),
        "qrs_area_to_template": np.log2(size.mean(axis=1) + 0.02) - np.log2(size_template.mean() + 0.02),
        "qrs_half_width_to_template": above(size, 0.5) - above(size_template[None], 0.5),
        "qrs_third_width_to_template": above(size, 0.3) - above(size_template[None], 0.3),
        "qrs_slope_to_template": np.log2(steepest + 0.01) - np.log2(steepest_template + 0.01),
        "qrs_same_polarity": np.sign(w[:, R_INDEX] - middle) * np.sign(t[R_INDEX] - middle_template),
        "st_level": 2 * (w[:, ST].mean(axis=1) - middle - (t[ST].mean() - middle_template)),
        "t_residual": log_rms(w[:, LATE_T] - t[LATE_T]),
    }


def qrs_among_usual(qrs: FloatArray, early: FloatArray, sample: IntArray, rows: slice) -> dict[str, FloatArray]:
    """Compare the QRS with those of up to 600 beats of the usual shape."""
    alike = _likeness(qrs, sample, 0.05, rows)
    return {
        "qrs_prematurity_of_alike": mean_over(alike, early[sample]),
        "qrs_share_of_alike": alike.mean(axis=1),
    }


def form_features(
    qrs: FloatArray, columns: dict[str, FloatArray], sample: IntArray, rows: slice
) -> dict[str, FloatArray]:
    """Compare the QRS with those of up to 600 beats of the recording, whatever their shape.

    Ectopic beats of one focus come again, early and with a pause after them; ``form`` is a like QRS, ``family`` a
    roughly like one.
    """
    of_sample = {"prematurity": "rr_prev_to_local_median", "pause": "rr_next_to_longest", "p": "p_like_template"}
    values = {name: np.nan_to_num(columns[column][sample]) for name, column in of_sample.items()}
    form, family = (_likeness(qrs, sample, softness, rows) for softness in _FORM_SOFTNESS)
    return {
        "qrs_share_of_form": half_octaves(form.mean(axis=1), np.float32(USUAL_SHARE)),
        "qrs_share_of_family": half_octaves(family.mean(axis=1), np.float32(USUAL_SHARE)),
        **{f"qrs_{name}_of_form": mean_over(form, of) for name, of in values.items()},
        **{f"qrs_{name}_of_family": mean_over(family, values[name]) for name in ("prematurity", "p")},
    }


def sample_of(usable: BoolArray) -> IntArray:
    """Choose up to 600 of the usable beats (of all, where fewer than three are) at random with a fixed seed."""
    candidates = np.flatnonzero(usable)
    if candidates.size < 3:
        candidates = np.arange(usable.size)
    if candidates.size > SAMPLE_BEATS:
        candidates = np.sort(np.random.default_rng(SAMPLE_BEATS).choice(candidates, SAMPLE_BEATS, replace=False))
    return candidates


def _likeness(shapes: FloatArray, sample: IntArray, softness: float, rows: slice) -> FloatArray:
    """1 where one of these rows equals one of the sample in shape, falling fast with the correlation; 0 to itself."""
    weights: FloatArray = np.exp((unit_rows(shapes[rows]) @ unit_rows(shapes[sample]).T - 1) / np.float32(softness))
    weights[themselves(sample, rows)] = 0
    return weights


def _width(rows: FloatArray) -> FloatArray:
    """Participation ratio of the absolute values in samples: how many samples share the complex."""
    size = np.abs(rows - row_medians(rows)[:, None])
    width: FloatArray = size.sum(axis=1) ** 2 / np.maximum(np.einsum("ij,ij->i", size, size), np.float32(1e-9))
    return width
