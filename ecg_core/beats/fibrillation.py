"""How probable atrial fibrillation is, by stretches of 30 s: from the RR intervals and the P waves of one lead."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats.atrial import ATRIAL_NAMES, atrial_activity
from ecg_core.beats.irregularity import IRREGULARITY_NAMES, irregularity
from ecg_core.recording import FloatArray
from ecg_core.result import AF_WINDOW_S

FEWEST_INTERVALS: Final = 8
RHYTHMS: Final = ("N", "A", "O", "~")
"""The Challenge's classes: normal, atrial fibrillation, other rhythm, noise; the columns of what the trees say."""
TREES_FILE: Final = "rhythm_trees.json"
"""The trees in the folder of a rhythm version, and in that of a beats version that learned with them."""
_STEADY: Final = ("change_median", "rr_median_spread", "change_over_10_percent", "sample_entropy_6_percent")
FEATURE_NAMES: Final = (*IRREGULARITY_NAMES, *(f"steady_{name}" for name in _STEADY), *ATRIAL_NAMES)
"""The columns of `rhythm_features`; ``steady_…`` only counts intervals between beats of the usual QRS."""
_STEP_S: Final = 15.0
_ROWS_AT_ONCE: Final = 1024
"""Rows that trees are asked about together: what they look at stays in a core's cache."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Boosted trees of depth 3 as arrays, every tree complete; node k's children are 2k + 1 and 2k + 2.

    Attributes
    ----------
    feature : ndarray of int64, shape (n_trees, 7)
    threshold : ndarray of float64, shape (n_trees, 7)
        A value up to it goes left; infinite below a leaf that lies higher up.
    unknown_left : ndarray of bool, shape (n_trees, 7)
        Where NaN goes.
    value : ndarray of float64, shape (n_trees, 8)
        Of the leaves, from left to right.
    start : ndarray of float64, shape (n_classes,)
        Tree t adds to class ``t % n_classes``.
    temperature : float
        The sums are divided by it, so that probabilities mean what they say.
    """

    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]
    unknown_left: BoolArray
    value: npt.NDArray[np.float64]
    start: npt.NDArray[np.float64]
    temperature: float

    def logits(self, features: FloatArray) -> npt.NDArray[np.float64]:
        """Return the sums by class before they are divided by the temperature, shape (n, n_classes)."""
        if len(features) > _ROWS_AT_ONCE:
            parts = range(0, len(features), _ROWS_AT_ONCE)
            return np.concatenate([self.logits(features[i : i + _ROWS_AT_ONCE]) for i in parts])
        trees = np.arange(len(self.feature))
        node = np.zeros((len(features), len(trees)), dtype=np.int64)
        for _ in range(3):
            x = np.take_along_axis(features, self.feature[trees, node], axis=1)
            left = np.where(np.isnan(x), self.unknown_left[trees, node], x <= self.threshold[trees, node])
            node = 2 * node + np.where(left, 1, 2)
        leaves = self.value[trees, node - 7].reshape(len(features), -1, len(self.start))
        return np.asarray(self.start + leaves.sum(axis=1), dtype=np.float64)

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Say how probable each rhythm of `RHYTHMS` is: float32, shape (n, 4), rows sum to 1."""
        logits = self.logits(features) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """Return the content of `TREES_FILE`; `read_trees` gives the same trees back, to the bit."""
        stored = {
            "feature": self.feature.tolist(),
            "threshold": self.threshold.tolist(),
            "unknown_left": self.unknown_left.astype(int).tolist(),
            "value": self.value.tolist(),
            "start": self.start.tolist(),
            "temperature": self.temperature,
        }
        return (json.dumps(stored, separators=(",", ":")) + "\n").encode()

    @property
    def sha256(self) -> str:
        """Of `to_bytes`: what features that rest on these trees are cached by."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def rhythm_probabilities(
    windows_mv: FloatArray,
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: FloatArray,
    analysable: BoolArray,
    starts_s: npt.NDArray[np.float64],
    trees: Trees,
) -> FloatArray:
    """Say how probable each rhythm of `RHYTHMS` is in windows of 30 s.

    Parameters
    ----------
    windows_mv : ndarray of float32, shape (n_beats, 256)
        The beats on one lead, R at index 100.
    r_time_s : ndarray of float64, shape (n_beats,)
    rr_prev_ms : ndarray of float32, shape (n_beats,)
        NaN where unknown.
    analysable : ndarray of bool, shape (n_beats,)
    starts_s : ndarray of float64, shape (n_windows,)
    trees : Trees
        Of a model version (`ecg_core.models`).

    Returns
    -------
    ndarray of float32, shape (n_windows, 4)
        NaN where fewer than `FEWEST_INTERVALS` intervals are known.
    """
    return rhythms_of(rhythm_features(windows_mv, r_time_s, rr_prev_ms, analysable, starts_s), trees)


def rhythms_of(features: FloatArray, trees: Trees) -> FloatArray:
    """Say how probable each rhythm is in windows that `rhythm_features` has described; as `rhythm_probabilities`."""
    probabilities = np.full((len(features), len(RHYTHMS)), np.nan, np.float32)
    known = np.isfinite(features[:, 0])
    if known.any():
        probabilities[known] = trees.probabilities(features[known])
    return probabilities


def af_probability(
    windows_mv: FloatArray,
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: FloatArray,
    analysable: BoolArray,
    duration_s: float,
    trees: Trees,
) -> FloatArray:
    """Say how probable atrial fibrillation is in each 30 s of a recording; a last rest below 30 s has none of its own.

    Returns
    -------
    ndarray of float32, shape (max(1, floor(duration / 30 s)),)
        NaN where unknown. Parameters as for `rhythm_probabilities`.
    """
    features = features_by_30_s(windows_mv, r_time_s, rr_prev_ms, analysable, duration_s)
    return rhythms_of(features, trees)[:, RHYTHMS.index("A")]


def features_by_30_s(
    windows_mv: FloatArray,
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: FloatArray,
    analysable: BoolArray,
    duration_s: float,
) -> FloatArray:
    """Describe the windows of `af_probability` by `FEATURE_NAMES`: all trees are asked about the same ones."""
    starts = np.arange(max(1, int(duration_s / AF_WINDOW_S)), dtype=np.float64) * AF_WINDOW_S
    return rhythm_features(windows_mv, r_time_s, rr_prev_ms, analysable, starts)


def af_probability_at_beats(
    windows_mv: FloatArray,
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: FloatArray,
    analysable: BoolArray,
    trees: Trees,
) -> FloatArray:
    """Say how probable atrial fibrillation is around each beat: windows of 30 s every 15 s, joined by straight lines.

    Returns
    -------
    ndarray of float32, shape (n_beats,)
        NaN where nothing around is known. Parameters as for `rhythm_probabilities`.
    """
    if r_time_s.size == 0:
        return np.zeros(0, np.float32)
    # Recordings of less than 30 s have one window, that holds all of them.
    last = max(0.0, float(r_time_s[-1]) - AF_WINDOW_S)
    starts = np.arange(0.0, last + _STEP_S, _STEP_S)
    af = rhythm_probabilities(windows_mv, r_time_s, rr_prev_ms, analysable, starts, trees)[:, RHYTHMS.index("A")]
    known = np.isfinite(af)
    if not known.any():
        return np.full(r_time_s.size, np.nan, np.float32)
    middles = starts[known] + AF_WINDOW_S / 2
    at_beats = np.interp(r_time_s, middles, af[known])
    nearest = np.clip(np.searchsorted(middles, r_time_s), 1, max(1, middles.size - 1))
    neighbours = middles[np.minimum(np.stack([nearest - 1, nearest]), middles.size - 1)]
    distance = np.abs(neighbours - r_time_s).min(axis=0)
    return np.where(distance <= AF_WINDOW_S, at_beats, np.nan).astype(np.float32)


def rhythm_features(
    windows_mv: FloatArray,
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: FloatArray,
    analysable: BoolArray,
    starts_s: npt.NDArray[np.float64],
) -> FloatArray:
    """Describe windows of 30 s by `FEATURE_NAMES`; parameters as for `rhythm_probabilities`.

    Returns
    -------
    ndarray of float32, shape (n_windows, len(FEATURE_NAMES))
        All NaN where fewer than `FEWEST_INTERVALS` intervals are known.
    """
    first = np.searchsorted(r_time_s, starts_s)
    count = np.searchsorted(r_time_s, starts_s + AF_WINDOW_S) - first
    features = np.full((len(starts_s), len(FEATURE_NAMES)), np.nan, np.float32)
    if r_time_s.size == 0 or not count.any():
        return features
    place = np.arange(count.max())
    rows = np.minimum(first[:, None] + place, r_time_s.size - 1)
    there = (place < count[:, None]) & analysable[rows]
    rr_s = np.where(there, rr_prev_ms[rows] / 1000, np.nan)
    # The interval into a window belongs to no two beats of it.
    rr_s[:, 0] = np.nan
    known = np.isfinite(rr_s).sum(axis=1) >= FEWEST_INTERVALS
    rr_s, rows, there = rr_s[known], rows[known], there[known]
    atrial, usual = atrial_activity(windows_mv, rows, there)
    steady = np.where(usual & np.concatenate([usual[:, :1], usual[:, :-1]], axis=1), rr_s, np.nan)
    columns = [IRREGULARITY_NAMES.index(name) for name in _STEADY]
    features[known] = np.concatenate([irregularity(rr_s), irregularity(steady)[:, columns], atrial], axis=1)
    return features


def read_trees(folder: Path, name: str = TREES_FILE) -> Trees:
    """Read the trees in the folder of a model version."""
    stored = json.loads((folder / name).read_text())
    return Trees(
        feature=np.array(stored["feature"], dtype=np.int64),
        threshold=np.array(stored["threshold"], dtype=np.float64),
        unknown_left=np.array(stored["unknown_left"], dtype=bool),
        value=np.array(stored["value"], dtype=np.float64),
        start=np.array(stored["start"], dtype=np.float64),
        temperature=float(stored["temperature"]),
    )
