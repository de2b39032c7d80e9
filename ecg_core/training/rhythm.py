"""Learning to tell atrial fibrillation, and how well it is told: folds of the Challenge of 2017, and MIT-BIH.

The trees are learned by scikit-learn and written as arrays, so that scoring needs neither it nor a pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import extract_from_primary_lead
from ecg_core.beats.fibrillation import RHYTHMS, Trees, rhythm_features
from ecg_core.beats.windows import Beats
from ecg_core.datasets import challenge2017
from ecg_core.errors import DatasetError
from ecg_core.models.calibration import fit_temperature
from ecg_core.recording import FloatArray, Recording
from ecg_core.result import AF_WINDOW_S, ANALYSIS_RATE_HZ
from ecg_core.signal import analyse

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

FOLDS: Final = 5
_DRAWS: Final = 1000
DEALS: Final = 3
"""The folds are dealt anew so often, and the figures are means: one deal moves the F1 of 96 recordings by .02."""
_DEPTH: Final = 3
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class RhythmWindows:
    """Windows of 30 s of the Challenge's recordings: a recording of 60 s has two, a shorter one has one.

    Attributes
    ----------
    features : ndarray of float32, shape (n, len(FEATURE_NAMES))
        All NaN where too few beats are analysable.
    recording : ndarray of int64, shape (n,)
        Number of the recording that a window is of.
    rhythm : ndarray of int8, shape (n_recordings,)
        Index into `ecg_core.beats.fibrillation.RHYTHMS`.
    names : tuple of str
        Of the recordings.
    """

    features: FloatArray
    recording: npt.NDArray[np.int64]
    rhythm: npt.NDArray[np.int8]
    names: tuple[str, ...]


def challenge_windows(folder: Path, names: Sequence[str] | None = None) -> RhythmWindows:
    """Prepare the Challenge's recordings, or those of them that are named, walking the same way that scoring walks.

    Raises
    ------
    DatasetUnavailable
        The folder does not hold them.
    """
    found = challenge2017.references(folder)
    rhythms = found if names is None else {name: found[name] for name in names}
    features, numbers = [], []
    for number, recording in enumerate(challenge2017.recordings(folder, list(rhythms))):
        beats = found_beats(recording)
        n_windows = max(1, round(recording.duration_s / AF_WINDOW_S))
        starts = np.linspace(0.0, max(0.0, recording.duration_s - AF_WINDOW_S), n_windows)
        features.append(
            rhythm_features(
                beats.windows_mv, beats.r_index / ANALYSIS_RATE_HZ, beats.rr_prev_ms, beats.analysable, starts
            )
        )
        numbers.append(np.full(n_windows, number))
    codes = np.array([RHYTHMS.index(rhythm) for rhythm in rhythms.values()], dtype=np.int8)
    return RhythmWindows(np.concatenate(features), np.concatenate(numbers), codes, tuple(rhythms))


def found_beats(recording: Recording) -> Beats:
    """Find the beats of a recording on its primary lead, as scoring does; of their context fibrillation is left out."""
    return extract_from_primary_lead(analyse(recording), trees=None)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was learned, and what trees that had not seen a recording said of it.

    Attributes
    ----------
    trees : Trees
        Of all recordings.
    said : ndarray of float32, shape (DEALS, n_recordings, 4)
        Out of fold, calibrated, by deal of the folds.
    """

    trees: Trees
    said: FloatArray


def learn(windows: RhythmWindows, seed: int) -> Learned:
    """Learn from all windows, and judge each recording by trees that had not seen it.

    Raises
    ------
    DatasetError
        A rhythm has fewer recordings than there are folds.
    """
    logits = [held_out_logits(windows, seed + deal) for deal in range(DEALS)]
    told = np.isfinite(windows.features[:, 0])
    truth = windows.rhythm[windows.recording]
    temperature = fit_temperature(logits[0][told].astype(np.float32), truth[told])
    trees = _as_trees(_fit(windows.features[told], truth[told], seed), temperature)
    said = np.stack([of_recordings(windows, each / temperature) for each in logits])
    return Learned(trees, said.astype(np.float32))


def _fit(features: FloatArray, rhythm: npt.NDArray[np.int8], seed: int) -> HistGradientBoostingClassifier:
    """Few shallow trees, each split on a few of the features: 1,000 recordings bear no more (chosen on the folds)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    trees = HistGradientBoostingClassifier(
        max_iter=120,
        max_depth=_DEPTH,
        learning_rate=0.08,
        l2_regularization=5.0,
        min_samples_leaf=15,
        max_features=0.15,
        early_stopping=False,
        random_state=seed,
    )
    # One thread: sums in another order would give other trees.
    with threadpool_limits(limits=1):
        return trees.fit(features, rhythm)


def _as_trees(fitted: HistGradientBoostingClassifier, temperature: float) -> Trees:
    """Turn fitted trees into complete trees of arrays.

    scikit-learn does not export these trees; shap reads them, and documents what `SingleTree` holds.
    """
    from shap import TreeExplainer

    ensemble = TreeExplainer(fitted).model
    grown = ensemble.trees
    n_inner = 2**_DEPTH - 1
    feature = np.zeros((len(grown), n_inner), dtype=np.int64)
    threshold = np.full((len(grown), n_inner), np.inf)
    unknown_left = np.ones((len(grown), n_inner), dtype=bool)
    value = np.zeros((len(grown), n_inner + 1))
    for t, tree in enumerate(grown):
        at = {0: 0}
        for place in range(2 * n_inner + 1):
            node = at[place]
            left, right = int(tree.children_left[node]), int(tree.children_right[node])
            if place >= n_inner:
                value[t, place - n_inner] = tree.values[node, 0]
            elif left < 0:
                at |= {2 * place + 1: node, 2 * place + 2: node}
            else:
                feature[t, place], threshold[t, place] = tree.features[node], tree.thresholds[node]
                unknown_left[t, place] = tree.children_default[node] == left
                at |= {2 * place + 1: left, 2 * place + 2: right}
    # JSON knows no infinity; no feature is as large as this.
    threshold = np.minimum(threshold, 1e30)
    start = np.ravel(ensemble.base_offset).astype(float)
    return Trees(feature, threshold, unknown_left, np.round(value, _DIGITS), start, temperature)


def held_out_logits(windows: RhythmWindows, seed: int) -> npt.NDArray[np.float64]:
    """Ask trees that had not seen a window's recording about it, shape (n, 4); NaN where it has no features."""
    fold = _dealt(windows.rhythm, seed)[windows.recording]
    told = np.isfinite(windows.features[:, 0])
    truth = windows.rhythm[windows.recording]
    logits = np.full((len(fold), len(RHYTHMS)), np.nan)
    for k in range(FOLDS):
        learned, held = told & (fold != k), told & (fold == k)
        trees = _as_trees(_fit(windows.features[learned], truth[learned], seed), 1.0)
        logits[held] = trees.logits(windows.features[held])
    return logits


def _dealt(rhythm: npt.NDArray[np.int8], seed: int) -> npt.NDArray[np.int64]:
    """Fold of each recording, every rhythm spread evenly."""
    random = np.random.default_rng(seed)
    fold = np.zeros(rhythm.size, dtype=np.int64)
    for code, name in enumerate(RHYTHMS):
        members = random.permutation(np.flatnonzero(rhythm == code))
        if members.size < FOLDS:
            raise DatasetError(
                f"{members.size} recordings of rhythm {name} are too few for {FOLDS} folds.", "Fetch more of them."
            )
        fold[members] = np.arange(members.size) % FOLDS
    return fold


def of_recordings(windows: RhythmWindows, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give one answer for each recording, shape (n_recordings, 4): its windows' mean probability, or noise for sure.

    It is noise where no window has features.
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = powers / powers.sum(axis=1, keepdims=True)
    noise = np.eye(len(RHYTHMS))[RHYTHMS.index("~")]
    probability = np.where(np.isfinite(probability), probability, noise)
    n = np.bincount(windows.recording)
    return np.stack([np.bincount(windows.recording, column) / n for column in probability.T], axis=1)


def figures_of(rhythm: npt.NDArray[np.int8], probability: npt.NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Compare what is said of each recording (shape (n, 4)) with its rhythm (shape (n,))."""
    said = probability.argmax(axis=1)
    figures: dict[str, Any] = {"recordings": int(rhythm.size)}
    for code, name in enumerate(RHYTHMS):
        true, called = rhythm == code, said == code
        hits = int((true & called).sum())
        figures[name] = {
            "n": int(true.sum()),
            "sensitivity": share(hits, int(true.sum())),
            "precision": share(hits, int(called.sum())),
            "f1": share(2 * hits, int(true.sum() + called.sum())),
        }
    figures["overall"] = float(np.mean([figures[name]["f1"] for name in "NAO"]))
    af = RHYTHMS.index("A")
    figures["af_ece"] = _calibration_error(probability[:, af], rhythm == af)
    return figures


def f1_intervals(
    rhythm: npt.NDArray[np.int8], deals: Sequence[npt.NDArray[np.floating[Any]]] | FloatArray, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % interval of each rhythm's F1 (its mean over the deals), recordings drawn again with replacement."""
    n = rhythm.size
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _DRAWS).astype(np.float64)
    intervals = {}
    for code, name in enumerate(RHYTHMS):
        true = rhythm == code
        f1 = np.zeros(_DRAWS)
        for probability in deals:
            called = probability.argmax(axis=1) == code
            f1 += 2 * (weights @ (true & called)) / np.maximum(weights @ (true.astype(int) + called), 1)
        low, high = np.percentile(f1 / len(deals), (2.5, 97.5))
        intervals[name] = (round(float(low), 3), round(float(high), 3))
    return intervals


def _calibration_error(probability: npt.NDArray[np.floating[Any]], is_af: npt.NDArray[np.bool_]) -> float:
    bins = np.minimum((probability * 10).astype(int), 9)
    gaps = [abs(float(probability[bins == b].sum() - is_af[bins == b].sum())) for b in np.unique(bins)]
    return sum(gaps) / len(probability)


def mean_figures(each: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the deals, to three digits."""
    first = each[0]
    return {
        name: mean_figures([of[name] for of in each])
        if isinstance(value, dict)
        else value
        if isinstance(value, int)
        else round(float(np.mean([of[name] for of in each])), 3)
        for name, value in first.items()
    }


def share(over: int, under: int) -> float:
    """Return a share; 0 of nothing."""
    return over / under if under else 0.0
