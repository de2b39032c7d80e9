"""One pass over the training beats after the other: which beats, and how they are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.models.layers import MEMBERS
from ecg_core.recording import FloatArray
from ecg_core.training.augment import augment, spoil
from ecg_core.training.beats import TrainingBeats

if TYPE_CHECKING:
    import keras

NORMAL_PER_PASS: Final = 400
"""Normal beats per record and pass, drawn anew for each: one patient's are much alike, and few passes need them all."""
BATCH: Final = 256


def classifier_passes(beats: TrainingBeats, weights: FloatArray, seed: int) -> keras.utils.PyDataset:
    """Batches of ``((waveform, context), one-hot class for each member, weight)``.

    Parameters
    ----------
    beats : TrainingBeats
    weights : ndarray of float32, shape (n,)
        By beat.
    seed : int
    """
    targets = np.eye(len(CLASSES), dtype=np.float32)[beats.class_index]

    def batch(beats: TrainingBeats, rows: npt.NDArray[np.int64], random: np.random.Generator) -> tuple[Any, ...]:
        changed = augment(beats.waveform[rows], random)
        return (changed, beats.context[rows]), np.repeat(targets[rows, None], MEMBERS, axis=1), weights[rows, None]

    return _passes(beats, batch, seed)


def autoencoder_passes(normal: TrainingBeats, seed: int) -> keras.utils.PyDataset:
    """Batches of ``(waveform, beat)``: what goes in is spoilt in half of the beats, the normal beat must come out.

    An autoencoder that only copies normal beats learns to copy abnormal ones as well, the better the wider it is.
    """

    def batch(beats: TrainingBeats, rows: npt.NDArray[np.int64], random: np.random.Generator) -> tuple[Any, ...]:
        changed = augment(beats.waveform[rows], random)
        return spoil(changed, random), changed[:, :, :1]

    return _passes(normal, batch, seed)


def drawn_normal(beats: TrainingBeats, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Choose the rows of one pass: all abnormal beats and up to `NORMAL_PER_PASS` normal ones per record, shuffled."""
    is_normal = beats.class_index == 0
    rows = [np.flatnonzero(~is_normal)]
    for record in beats.records():
        own = np.flatnonzero(is_normal & (beats.record == record))
        rows.append(random.permutation(own)[:NORMAL_PER_PASS])
    return random.permutation(np.concatenate(rows))


def normal_per_pass(beats: TrainingBeats) -> int:
    """Count the normal beats that one pass takes."""
    _, of_record = np.unique(beats.record[beats.class_index == 0], return_counts=True)
    return int(np.minimum(of_record, NORMAL_PER_PASS).sum())


def _passes(beats: TrainingBeats, batch: Any, seed: int) -> keras.utils.PyDataset:  # noqa: ANN401 — a local function
    import keras

    class Passes(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self, beats: TrainingBeats) -> None:
            super().__init__()
            self.beats = beats
            self.random = np.random.default_rng(seed)
            self.order = drawn_normal(beats, self.random)

        def __len__(self) -> int:
            return -(-len(self.order) // BATCH)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            return batch(self.beats, self.order[index * BATCH : (index + 1) * BATCH], self.random)  # type: ignore[no-any-return]

        def on_epoch_end(self) -> None:
            self.order = drawn_normal(self.beats, self.random)

        def let_go(self) -> None:
            """Forget the beats: TensorFlow keeps what it took batches from as long as the process lives."""
            del self.beats

    return Passes(beats)
