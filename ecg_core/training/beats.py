"""Labelled beats, as training, calibration and evaluation take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import Trees

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBeats:
    """One row per beat and lead.

    Attributes
    ----------
    waveform : ndarray of float32, shape (n, 256, 2)
        The beat and its recording's dominant beat, both in units of the latter's QRS peak-to-peak.
    context : ndarray of float32, shape (n, K)
        Rhythm features, `ecg_core.beats.CONTEXT_NAMES`.
    class_index : ndarray of int8, shape (n,)
        Index into `ecg_core.labels.CLASSES`.
    record, patient : ndarray of str, shape (n,)
    in_noise : ndarray of bool, shape (n,)
        Beats with noise added, and detections that are no beats (class Q): purpose ``"noise"`` of
        `prepare.prepare_records`. A classifier learns from them, and the gate compares V in them; no bias, temperature,
        prediction set or other figure is of them. None are where it is left out.
    trees : Trees or None
        What their probability of fibrillation was told by. A version that learns from these beats carries them.
    """

    waveform: FloatArray
    context: FloatArray
    class_index: npt.NDArray[np.int8]
    record: npt.NDArray[np.str_]
    patient: npt.NDArray[np.str_]
    in_noise: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    trees: Trees | None = None

    def __post_init__(self) -> None:
        """Let beats be without noise where nothing is said of it."""
        if self.in_noise.size == 0:
            object.__setattr__(self, "in_noise", np.zeros(self.class_index.size, np.bool_))

    def __len__(self) -> int:
        return int(self.class_index.size)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> TrainingBeats:
        """Return the beats of these rows (a mask or indices)."""
        return TrainingBeats(**{name: getattr(self, name)[rows] for name in _COLUMNS}, trees=self.trees)

    def annotated(self) -> npt.NDArray[np.bool_]:
        """Tell the beats that a reader classified: recordings of the Challenge, patients of their own name, have none.

        All their beats pass for N, and some are not: a model that sees the V among them must not be held back for it.
        Nor are beats in added noise as their reader saw them.
        """
        return np.asarray((self.record != self.patient) & ~self.in_noise)

    def without_noise(self) -> TrainingBeats:
        """Return the beats as they were recorded."""
        return self.select(~self.in_noise) if self.in_noise.any() else self

    def records(self) -> list[str]:
        """Names of the records, sorted."""
        return [str(name) for name in np.unique(self.record)]

    def patients(self) -> list[str]:
        """Names of the patients, sorted."""
        return [str(name) for name in np.unique(self.patient)]


_COLUMNS: Final = tuple(f.name for f in fields(TrainingBeats) if f.name != "trees")


def join_beats(parts: Sequence[TrainingBeats]) -> TrainingBeats:
    """Put several sets of beats into one, in the order given.

    Raises
    ------
    ValueError
        Their probability of fibrillation was told by different trees: one column would hold two features.
    """
    trees = {part.trees.sha256: part.trees for part in parts if part.trees is not None}
    if len(trees) > 1:
        raise ValueError(f"beats whose features rest on different trees: {', '.join(sorted(trees))}")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    return TrainingBeats(**columns, trees=next(iter(trees.values()), None))


def deal_patients(beats: TrainingBeats, n_folds: int) -> list[list[str]]:
    """Deal patients into folds, the rare classes evenly.

    Patients are sorted by their share of all S, V and F beats, and dealt to and fro as cards are.

    Parameters
    ----------
    beats : TrainingBeats
    n_folds : int
        Fewer are made where there are fewer patients.

    Returns
    -------
    list of list of str
        Every patient in one of them; none is empty.
    """
    patients = beats.patients()
    own = [(beats.patient == patient) & ~beats.in_noise for patient in patients]
    counts = np.array([np.bincount(beats.class_index[rows], minlength=5)[1:4] for rows in own])
    load = (counts / np.maximum(counts.sum(axis=0), 1)).sum(axis=1)
    n_folds = min(n_folds, len(patients))
    folds: list[list[str]] = [[] for _ in range(n_folds)]
    for place, i in enumerate(np.argsort(-load, kind="stable")):
        turn, seat = divmod(place, n_folds)
        folds[seat if turn % 2 == 0 else n_folds - 1 - seat].append(patients[i])
    return [sorted(fold) for fold in folds]
