"""How rare classes are made to count in training: resampling or weights.

SMOTE (Chawla 2002) and ADASYN (He 2008) come from imbalanced-learn and work on the flattened waveform and context.
Neither may fill a class up without end: synthetic beats of a class that is one patient only repeat that patient.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.training.beats import TrainingBeats

Imbalance = Literal["simulation", "smote", "adasyn", "class_weights", "focal_loss", "none"]
IMBALANCES: Final = get_args(Imbalance)
MAX_NORMAL: Final = 12_000
"""Beats of the commonest class that resampling starts from, so that it stays within a few hundred megabytes."""
MAX_GROWTH: Final = 6
"""A class grows by this factor at most."""
MAX_WEIGHT: Final = 3.0
_NEIGHBOURS: Final = 5
_FEWEST_WEIGHTED: Final = 50
_log = structlog.get_logger(__name__)


def class_weights(class_index: npt.NDArray[np.int8], n_normal: int) -> FloatArray:
    """Weight classes by the root of how rare they are.

    The plain inverse of the frequency makes one patient's few fusion beats outweigh all else. A class of fewer than
    50 beats keeps weight 1.

    Parameters
    ----------
    class_index : ndarray of int8, shape (n,)
    n_normal : int
        Normal beats that a pass takes, of all there are.

    Returns
    -------
    ndarray of float32, shape (5,)
        1 for the commonest class, at most `MAX_WEIGHT`.
    """
    counts = np.bincount(class_index, minlength=len(CLASSES)).astype(np.float64)
    counts[0] = n_normal
    weights = np.sqrt(counts.max() / np.maximum(counts, 1.0))
    weights[counts < _FEWEST_WEIGHTED] = 1.0
    return np.asarray(np.minimum(weights, MAX_WEIGHT), dtype=np.float32)


def resample(beats: TrainingBeats, method: Literal["smote", "adasyn"], seed: int) -> TrainingBeats:
    """Add synthetic beats of the rare classes.

    Parameters
    ----------
    beats : TrainingBeats
    method : {"smote", "adasyn"}
    seed : int

    Returns
    -------
    TrainingBeats
        At most `MAX_NORMAL` beats of the commonest class and all others, then the synthetic ones, whose record and
        patient are ``"synthetic"``. A class with too few beats to interpolate stays as it is.
    """
    beats = _cap_commonest(beats, seed)
    wanted = _wanted_counts(beats.class_index)
    n, width = len(beats), beats.context.shape[1]
    flat = np.concatenate([beats.waveform.reshape(n, -1), beats.context], axis=1)
    made, made_class = _synthesise(flat, beats.class_index, wanted, method, seed)
    waveform = made[:, : flat.shape[1] - width].reshape(-1, *beats.waveform.shape[1:])
    name = np.full(len(made), "synthetic")
    return TrainingBeats(
        waveform=np.concatenate([beats.waveform, waveform]),
        context=np.concatenate([beats.context, made[:, flat.shape[1] - width :]]),
        class_index=np.concatenate([beats.class_index, made_class]),
        record=np.concatenate([beats.record, name]),
        patient=np.concatenate([beats.patient, name]),
        in_noise=np.concatenate([beats.in_noise, np.zeros(len(made), np.bool_)]),
        trees=beats.trees,
    )


def _cap_commonest(beats: TrainingBeats, seed: int) -> TrainingBeats:
    counts = np.bincount(beats.class_index, minlength=len(CLASSES))
    commonest = np.flatnonzero(beats.class_index == counts.argmax())
    surplus = np.random.default_rng(seed).permutation(commonest)[MAX_NORMAL:]
    return beats.select(np.setdiff1d(np.arange(len(beats)), surplus))


def _wanted_counts(class_index: npt.NDArray[np.int8]) -> dict[int, int]:
    counts = np.bincount(class_index, minlength=len(CLASSES))
    targets = {c: min(int(counts.max()), MAX_GROWTH * int(n)) for c, n in enumerate(counts) if n > _NEIGHBOURS}
    return {c: target for c, target in targets.items() if target > counts[c]}


def _synthesise(
    flat: FloatArray, class_index: npt.NDArray[np.int8], wanted: dict[int, int], method: str, seed: int
) -> tuple[FloatArray, npt.NDArray[np.int8]]:
    from imblearn.over_sampling import ADASYN, SMOTE

    made, made_class = [flat[:0]], [class_index[:0]]
    for c, target in wanted.items():
        sampler = (
            SMOTE(sampling_strategy={c: target}, k_neighbors=_NEIGHBOURS, random_state=seed)
            if method == "smote"
            else ADASYN(sampling_strategy={c: target}, n_neighbors=_NEIGHBOURS, random_state=seed)
        )
        try:
            x, y = sampler.fit_resample(flat, class_index)
        except (ValueError, RuntimeError) as error:
            # ADASYN makes nothing where a class has no neighbours of another class.
            _log.info("class not resampled", klass=CLASSES[c], method=method, reason=str(error))
            continue
        made.append(x[len(flat) :].astype(np.float32))
        made_class.append(y[len(flat) :].astype(np.int8))
    return np.concatenate(made), np.concatenate(made_class)
