"""Labelled beats, as training, calibration and evaluation take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

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
    """

    waveform: FloatArray
    context: FloatArray
    class_index: npt.NDArray[np.int8]
    record: npt.NDArray[np.str_]
    patient: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return int(self.class_index.size)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> TrainingBeats:
        """Return the beats of these rows (a mask or indices)."""
        return TrainingBeats(*(getattr(self, f.name)[rows] for f in fields(self)))

    def records(self) -> list[str]:
        """Names of the records, sorted."""
        return [str(name) for name in np.unique(self.record)]

    def patients(self) -> list[str]:
        """Names of the patients, sorted."""
        return [str(name) for name in np.unique(self.patient)]


def join_beats(parts: Sequence[TrainingBeats]) -> TrainingBeats:
    """Put several sets of beats into one, in the order given."""
    return TrainingBeats(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(TrainingBeats)))


def hold_out_patients(beats: TrainingBeats, share: float, seed: int) -> list[str]:
    """Choose patients whose beats stop the training and set the calibration.

    Of 500 random draws, the one whose classes stand nearest to the wanted share (in log counts, N, S and V alike)
    is taken: patients differ so much that a single draw often has no ectopic beat.

    Parameters
    ----------
    beats : TrainingBeats
        Of two patients or more.
    share : float
        Of the beats of each class, about.
    seed : int
        The same seed and patients give the same choice.

    Returns
    -------
    list of str
        Sorted; at least one patient, and never all.
    """
    patients = beats.patients()
    counts = np.array([np.bincount(beats.class_index[beats.patient == p], minlength=5)[:3] for p in patients])
    n_held = min(max(1, round(share * len(patients))), len(patients) - 1)
    wanted = np.log(share * counts.sum(axis=0) + 1)
    random = np.random.default_rng(seed)
    draws = [random.permutation(len(patients))[:n_held] for _ in range(500)]
    misses = [float(np.abs(np.log(counts[draw].sum(axis=0) + 1) - wanted).sum()) for draw in draws]
    return sorted(patients[i] for i in draws[int(np.argmin(misses))])
