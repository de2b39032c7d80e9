"""How the trees of `ecg_core.models.resting_trees` are made.

Everything is fixed here, not searched: what was tried beside it stands in the README's table. The Challenge's
recordings count half, because their statements are another hospital's and fewer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets import ptbxl
from ecg_core.models.resting_trees import RestingTrees, Scaling, calibrated, logits
from ecg_core.recording import FloatArray
from ecg_core.result.resting import SUPERCLASSES
from ecg_core.training.resting_set import RestingSet, check_apart, folds_by_patient

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier

N_TREES: Final = 200
MOST_LEAVES: Final = 256
FEWEST_IN_LEAF: Final = 3
SHARE_OF_FEATURES: Final = 0.2
OTHER_DATABASE_WEIGHT: Final = 0.5
INNER_FOLDS: Final = 5
INNER_TREES: Final = 100
"""Calibration needs no more of them, and most of the time goes here."""
ENOUGH: Final = 100
"""With fewer recordings of a superclass a calibration of its own is worth less than one with answers out of fold."""
COVERAGE: Final = 0.9
"""Share of the recordings with a superclass, and of those without it, of whom the right answer stays possible."""
_SEED: Final = 20261129
_RIDGE: Final = 1e-3

Fit = Callable[[RestingSet], Callable[[RestingSet], FloatArray]]
"""Learn from recordings; what comes back tells scores of others, shape (n, 5)."""


def weights(recordings: RestingSet) -> FloatArray:
    """Weight of each recording, shape (n,)."""
    return np.where(recordings.database == ptbxl.DATABASE, 1.0, OTHER_DATABASE_WEIGHT).astype(np.float32)


def fit_scaling(features: FloatArray) -> Scaling:
    """Centre and scale by the quartiles; by the deviation where more than half of the values are the same."""
    known = np.where(np.isfinite(features), features, np.nan)
    low, centre, high = (np.nan_to_num(row) for row in np.nanpercentile(known, [25, 50, 75], axis=0))
    deviation = np.nan_to_num(np.nanstd(known, axis=0))
    scale = (high - low) / 1.35
    scale = np.where(scale < 0.2 * deviation, deviation, scale)
    return Scaling(centre.astype(np.float32), np.where(scale < 1e-9, 1, scale).astype(np.float32))


def fit_resting_trees(recordings: RestingSet, held_back: RestingSet | None = None) -> RestingTrees:
    """Learn trees, calibration and thresholds.

    Calibration and thresholds come from `held_back` alone where it has `ENOUGH` recordings with each superclass.
    Otherwise PTB-XL's recordings among those learned from join it, each answered by trees that had not seen its
    patient (five folds).

    Parameters
    ----------
    recordings : RestingSet
        With some of each superclass.
    held_back : RestingSet, optional
        Of PTB-XL, and of other patients.

    Raises
    ------
    PatientLeak
        A patient is in both.
    """
    grown = grow_trees(recordings)
    shares, labels = np.empty((0, len(SUPERCLASSES)), np.float32), np.empty((0, len(SUPERCLASSES)), np.bool_)
    if held_back is not None:
        check_apart(recordings, held_back)
        shares, labels = grown.shares(held_back.features), held_back.labels
    if labels.sum(axis=0).min(initial=ENOUGH) < ENOUGH or not len(labels):
        more_shares, more_labels = _out_of_fold(recordings)
        shares, labels = np.concatenate([shares, more_shares]), np.concatenate([labels, more_labels])
    calibration = np.array([fit_platt(logits(shares)[:, c], labels[:, c]) for c in range(len(SUPERCLASSES))])
    probabilities = calibrated(shares, calibration.astype(np.float32))
    present, absent = conformal_thresholds(probabilities, labels, COVERAGE)
    return RestingTrees(
        **{
            **{name: getattr(grown, name) for name in RestingTrees.__slots__},
            "calibration": calibration.astype(np.float32),
            "least_if_present": present,
            "most_if_absent": absent,
        }
    )


def _out_of_fold(recordings: RestingSet) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Ask trees that had not seen a patient about PTB-XL's recordings: shares and true superclasses, each (n, 5)."""
    own = np.flatnonzero(recordings.database == ptbxl.DATABASE)
    fold = folds_by_patient(recordings.patient[own], INNER_FOLDS, _SEED)
    shares = np.empty((own.size, len(SUPERCLASSES)), dtype=np.float32)
    for k in range(INNER_FOLDS):
        judged = np.zeros(len(recordings), dtype=bool)
        judged[own[fold == k]] = True
        learned = recordings.select(~judged)
        check_apart(learned, recordings.select(judged))
        shares[fold == k] = grow_trees(learned, INNER_TREES).shares(recordings.features[judged])
    return shares, recordings.labels[own]


def fit_platt(logit: FloatArray, label: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the logistic curve that makes probabilities of logits (Platt 1999), by Newton's method."""
    design = np.stack([logit, np.ones_like(logit)], axis=1).astype(np.float64)
    theta = np.array([1.0, 0.0])
    n_present, n_absent = label.sum(), (~label).sum()
    # Platt's targets: never quite 0 or 1, so that the slope stays finite where the classes do not overlap.
    target = np.where(label, (n_present + 1) / (n_present + 2), 1 / (n_absent + 2))
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        hessian = (design * (p * (1 - p))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (target - p))
        theta += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return float(theta[0]), float(theta[1])


def conformal_thresholds(
    probabilities: FloatArray, labels: npt.NDArray[np.bool_], coverage: float
) -> tuple[FloatArray, FloatArray]:
    """For each class, the least probability of those who have it and the highest of those who do not, at a coverage.

    Returns
    -------
    least_if_present, most_if_absent : ndarray of float32, shape (5,)
        With the finite-sample correction: minus and plus infinity where there are too few to say.
    """
    least = np.full(labels.shape[1], -np.inf, dtype=np.float32)
    most = np.full(labels.shape[1], np.inf, dtype=np.float32)
    for c in range(labels.shape[1]):
        present = np.sort(probabilities[labels[:, c], c])
        absent = np.sort(probabilities[~labels[:, c], c])[::-1]
        for ordered, thresholds in ((present, least), (absent, most)):
            rank = int((1 - coverage) * (ordered.size + 1))
            if rank >= 1:
                thresholds[c] = ordered[rank - 1]
    return least, most


def grow_trees(recordings: RestingSet, n_trees: int = N_TREES) -> RestingTrees:
    """Grow the trees alone: probabilities are not calibrated, thresholds not set."""
    from sklearn.ensemble import ExtraTreesClassifier

    scaling = fit_scaling(recordings.features)
    scaled, weight = scaling(recordings.features), weights(recordings)
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("feature", "value", "left", "right")}
    root = np.empty((len(SUPERCLASSES), n_trees), dtype=np.int32)
    n_nodes = 0
    for c, name in enumerate(SUPERCLASSES):
        label = recordings.labels[:, c]
        if not 0 < label.sum() < label.size:
            raise ValueError(f"To learn {name}, recordings with and without it are needed.")
        forest = ExtraTreesClassifier(
            n_trees, min_samples_leaf=FEWEST_IN_LEAF, max_features=SHARE_OF_FEATURES, max_leaf_nodes=MOST_LEAVES,
            random_state=_SEED + c, n_jobs=1,
        )  # fmt: skip
        forest.fit(scaled, label, sample_weight=weight)
        for k, arrays in enumerate(_trees(forest)):
            root[c, k] = n_nodes
            n_nodes += arrays["feature"].size
            for key, values in arrays.items():
                parts[key].append(values)
    joined = {key: np.concatenate(values) for key, values in parts.items()}
    unset = np.zeros(len(SUPERCLASSES), dtype=np.float32)
    return RestingTrees(
        np.array(recordings.feature_names), scaling.centre, scaling.scale,
        joined["feature"], joined["value"], joined["left"], joined["right"], root,
        np.tile(np.array([1, 0], dtype=np.float32), (len(SUPERCLASSES), 1)), unset, unset,
    )  # fmt: skip


def _trees(forest: ExtraTreesClassifier) -> list[dict[str, npt.NDArray[Any]]]:
    """Each tree as four arrays; thresholds are rounded down, so that float32 features go the same way."""
    out = []
    for estimator in forest.estimators_:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        threshold = tree.threshold.astype(np.float32)
        above = threshold > tree.threshold
        threshold[above] = np.nextafter(threshold[above], np.float32(-np.inf))
        counts = tree.value[:, 0, :]
        share = counts[:, 1] / counts.sum(axis=1)
        out.append(
            {
                "feature": np.where(leaf, -1, tree.feature).astype(np.int16),
                "value": np.where(leaf, share, threshold).astype(np.float32),
                "left": tree.children_left.astype(np.int16),
                "right": tree.children_right.astype(np.int16),
            }
        )
    return out
