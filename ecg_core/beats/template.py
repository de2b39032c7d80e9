"""The recording's dominant beat: the shape that most of its beats have when they come in time."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.recording import FloatArray
from ecg_core.result import R_INDEX

QRS: Final = slice(R_INDEX - 20, R_INDEX + 26)
"""80 ms before to 100 ms after the R peak."""
_SHAPE: Final = slice(R_INDEX - 25, R_INDEX + 50)
_ALIKE: Final = 0.9
_SAMPLE: Final = 600
_MEDIAN_OF: Final = 300
_SEED: Final = 20
_UPPER_PERCENT: Final = 80
_UPPER_BEATS: Final = 41


def dominant_beat(windows_mv: FloatArray, rr_prev_ms: FloatArray, analysable: npt.NDArray[np.bool_]) -> FloatArray:
    """Find the template: the median of the largest family of beats of one shape.

    Of up to 600 analysable beats, drawn at random with a fixed seed, each is compared with each; the beat with most
    others like it (correlation at least .9 from 100 ms before to 200 ms after R) leads the family. Beats that come
    early count little, so that in bigeminy the family is that of the conducted beats.

    Parameters
    ----------
    windows_mv : ndarray of float32, shape (n, 256)
    rr_prev_ms : ndarray of float32, shape (n,)
    analysable : ndarray of bool, shape (n,)

    Returns
    -------
    ndarray of float32, shape (256,)
        Zeros where there is no beat.
    """
    if windows_mv.shape[0] == 0:
        return np.zeros(windows_mv.shape[1], dtype=np.float32)
    candidates = np.flatnonzero(analysable)
    if candidates.size == 0:
        candidates = np.arange(windows_mv.shape[0])
    if candidates.size > _SAMPLE:
        # At random, because every second beat of a bigeminy is of one kind.
        candidates = np.sort(np.random.default_rng(_SEED).choice(candidates, _SAMPLE, replace=False))
    weight = _in_time(rr_prev_ms)[candidates]
    shapes = _unit(windows_mv[candidates, _SHAPE])
    alike = shapes @ shapes.T >= _ALIKE
    np.fill_diagonal(alike, True)  # a flat beat is like no other, but like itself
    leader = int(np.argmax((alike @ weight) * weight))
    family = np.flatnonzero(alike[leader])
    # The timeliest members first; their P waves and pauses are the typical ones.
    family = family[np.argsort(-weight[family], kind="stable")][:_MEDIAN_OF]
    family = family[weight[family] >= 0.5 * weight[family[0]]]
    template: FloatArray = np.median(windows_mv[candidates[family]], axis=0).astype(np.float32)
    return template


def _in_time(rr_prev_ms: FloatArray) -> FloatArray:
    """1 for a beat as late as the later fifth of the 41 around it, falling to .05 for early ones; 0.5 where unknown."""
    known = np.isfinite(rr_prev_ms)
    if not known.any():
        return np.full(rr_prev_ms.size, 0.5, dtype=np.float32)
    # Not the median: where most beats are ectopic it is theirs.
    filled = np.where(known, rr_prev_ms, np.median(rr_prev_ms[known]))
    usual = ndimage.percentile_filter(filled, _UPPER_PERCENT, _UPPER_BEATS, mode="nearest")
    early = np.minimum(np.log(filled / usual), 0.0)
    return np.where(known, np.maximum(np.exp(-np.square(early / 0.2)), 0.05), 0.5).astype(np.float32)


def _unit(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    unit: FloatArray = centred / np.maximum(length, np.float32(1e-9))[:, None]
    return unit


def qrs_height(template_mv: FloatArray) -> float:
    """Lowest to highest point of the template's QRS in mV."""
    return float(np.ptp(template_mv[QRS]))
