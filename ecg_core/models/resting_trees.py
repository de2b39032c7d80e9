"""The superclasses of a resting ECG by extremely randomised trees over numbers of its median beat, in plain arrays.

Geurts, Ernst and Wehenkel 2006 (Mach Learn 63:3), one forest a superclass. Probabilities are calibrated by a logistic
curve (Platt 1999) and whether a class may be denied or affirmed is told by conformal thresholds for each class and
answer apart (label-conditional: Vovk, Lindsay and Fedorova 2016), both set on patients whom the forest had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ModelIntegrityError
from ecg_core.recording import FloatArray
from ecg_core.result.resting import SUPERCLASSES

ALL: Final = tuple(range(len(SUPERCLASSES)))
_ROWS_AT_ONCE: Final = 256
_LINEAR_UP_TO: Final = 2.0
_MOST_SURE: Final = 1e-3
_DISAGREE: Final = "Take the version's folder from its source again, or train it anew."


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """How features are filled and scaled: centre and scale of the training recordings, each of shape (n_features,)."""

    centre: FloatArray
    scale: FloatArray

    def __call__(self, features: FloatArray) -> FloatArray:
        """Scale; what is missing becomes 0, and beyond 2 the scale is logarithmic, so that no outlier stretches it."""
        scaled = (np.asarray(features, dtype=np.float32) - self.centre) / self.scale
        scaled = np.where(np.isfinite(scaled), scaled, np.float32(0))
        size = np.abs(scaled)
        beyond = _LINEAR_UP_TO + np.log1p(np.maximum(size - _LINEAR_UP_TO, 0))
        return np.asarray(np.sign(scaled) * np.where(size < _LINEAR_UP_TO, size, beyond), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class RestingTrees:
    """A trained model; everything that it learned.

    Attributes
    ----------
    feature_names : ndarray of str, shape (n_features,)
        In the order of the columns.
    centre, scale : ndarray of float32, shape (n_features,)
        `Scaling`.
    node_feature : ndarray of int16, shape (n_nodes,)
        Column that the node asks for; -1 in a leaf.
    node_value : ndarray of float32, shape (n_nodes,)
        Threshold (left where the feature is not above it); in a leaf the share of training recordings of the class.
    node_left, node_right : ndarray of int16, shape (n_nodes,)
        Within the tree.
    root : ndarray of int32, shape (5, n_trees)
        First node of each tree.
    calibration : ndarray of float32, shape (5, 2)
        Slope and offset on the logit.
    least_if_present, most_if_absent : ndarray of float32, shape (5,)
        A class cannot be excluded from that probability on, and cannot be affirmed up to that one.
    """

    feature_names: npt.NDArray[np.str_]
    centre: FloatArray
    scale: FloatArray
    node_feature: npt.NDArray[np.int16]
    node_value: FloatArray
    node_left: npt.NDArray[np.int16]
    node_right: npt.NDArray[np.int16]
    root: npt.NDArray[np.int32]
    calibration: FloatArray
    least_if_present: FloatArray
    most_if_absent: FloatArray

    def probabilities(self, features: FloatArray, classes: Sequence[int] = ALL) -> FloatArray:
        """Calibrated probability of superclasses, shape (n, n_classes); NaN in a feature stands for an unknown value.

        Parameters
        ----------
        features : ndarray of float32, shape (n, n_features)
        classes : sequence of int
            Columns of `SUPERCLASSES` that are asked for: each has trees of its own.

        Raises
        ------
        ValueError
            There are not as many features as the model learned with.
        """
        return calibrated(self.shares(features, classes), self.calibration[list(classes)])

    def shares(self, features: FloatArray, classes: Sequence[int] = ALL) -> FloatArray:
        """Mean answer of the trees before calibration, shape (n, n_classes)."""
        if features.ndim != 2 or features.shape[1] != self.feature_names.size:
            raise ValueError(f"{self.feature_names.size} features a recording are needed; shape is {features.shape}.")
        scaled = Scaling(self.centre, self.scale)(features)
        root = self.root[list(classes)]
        pieces = [self._descend(scaled[i : i + _ROWS_AT_ONCE], root) for i in range(0, len(scaled), _ROWS_AT_ONCE)]
        return np.concatenate(pieces) if pieces else np.empty((0, len(classes)), dtype=np.float32)

    def _descend(self, scaled: FloatArray, root: npt.NDArray[np.int32]) -> FloatArray:
        # One flat list of (recording, tree); those that have come to a leaf are taken off it.
        n_rows, n_features = scaled.shape
        first = np.tile(root.ravel(), n_rows)
        row = np.repeat(np.arange(n_rows, dtype=np.int32) * n_features, root.size)
        values = scaled.ravel()
        walking, node, at = np.arange(first.size, dtype=np.int32), first, first.copy()
        while True:
            asked = self.node_feature.take(node)
            inner = np.flatnonzero(asked >= 0)
            if not inner.size:
                break
            walking, node, asked = walking.take(inner), node.take(inner), asked.take(inner)
            left = values.take(row.take(walking) + asked) <= self.node_value.take(node)
            step = np.where(left, self.node_left.take(node), self.node_right.take(node))
            node = first.take(walking) + step
            at[walking] = node
        shares = self.node_value.take(at).reshape(n_rows, *root.shape)
        mean: FloatArray = shares.mean(axis=-1, dtype=np.float64).astype(np.float32)
        return mean

    def answers(self, probabilities: FloatArray) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Tell which superclasses may be present and which may be absent, each (n, 5); both is 'inconclusive'."""
        return probabilities >= self.least_if_present, probabilities <= self.most_if_absent

    def save(self, path: Path) -> None:
        """Write all arrays into one ``.npz``; nothing is pickled."""
        with path.open("wb") as stream:
            np.savez_compressed(
                stream, allow_pickle=False, **{one.name: getattr(self, one.name) for one in fields(self)}
            )


def load_trees(path: Path) -> RestingTrees:
    """Read what `RestingTrees.save` wrote.

    Raises
    ------
    ModelIntegrityError
        The file is not there, or is no such model.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError) as error:
        raise ModelIntegrityError(f"{path.name} cannot be read as a model of resting ECGs.", _DISAGREE) from error
    wanted = {one.name for one in fields(RestingTrees)}
    if set(arrays) != wanted:
        raise ModelIntegrityError(f"{path.name} lacks or adds: {sorted(wanted ^ set(arrays))}.", _DISAGREE)
    _check(arrays, path.name)
    return RestingTrees(**arrays)


def _check(arrays: Mapping[str, npt.NDArray[np.generic]], name: str) -> None:
    """Raise where a tree would lead out of the arrays."""
    n_nodes, n_features = arrays["node_feature"].size, arrays["feature_names"].size
    same = all(arrays[key].shape == (n_nodes,) for key in ("node_value", "node_left", "node_right"))
    root, asked = np.asarray(arrays["root"], dtype=np.int64), np.asarray(arrays["node_feature"], dtype=np.int64)
    fits = same and root.ndim == 2 and len(root) == len(SUPERCLASSES) and asked.size and asked.max() < n_features
    if not fits or root.min() < 0 or root.max() >= n_nodes:
        raise ModelIntegrityError(f"The arrays of {name} do not fit each other.", _DISAGREE)


def logits(shares: FloatArray) -> FloatArray:
    """Logit of the trees' mean answer, held within sureness that some hundred recordings can bear out."""
    held = np.clip(shares, _MOST_SURE, 1 - _MOST_SURE)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float32)


def calibrated(shares: FloatArray, calibration: FloatArray) -> FloatArray:
    """Apply slope and offset of each class to the logits, shape (n, 5)."""
    probability: FloatArray = 1 / (1 + np.exp(-(logits(shares) * calibration[:, 0] + calibration[:, 1])))
    return probability.astype(np.float32)
