"""Train one family on the training patients, and leave its component in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import structlog

import ecg_core
from ecg_core.datasets.mitdb import DECIDING, TEST, check_no_leak
from ecg_core.errors import DatasetError
from ecg_core.labels import CLASSES
from ecg_core.models import architectures
from ecg_core.models.augment import augment
from ecg_core.models.balance import Imbalance, class_weights, resample
from ecg_core.models.onnx_files import export_onnx
from ecg_core.models.training_beats import FloatArray, TrainingBeats, hold_out_patients

if TYPE_CHECKING:
    import keras

Family = Literal["cnn", "autoencoder"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
HELD_OUT_SHARE: Final = 0.2
"""Share of the training patients' beats that stops the training and sets the calibration."""
PATIENCE: Final = 4
"""Passes without a better held-out loss before training stops; the best weights are kept."""
_BATCH: Final = 256
_FOCAL_GAMMA: Final = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train: `imbalance` as in the settings, `epochs` at most, `seed` of everything drawn."""

    imbalance: Imbalance = "class_weights"
    epochs: int = 12
    seed: int = 7


def train_family(family: Family, training: TrainingBeats, options: TrainingOptions, out_dir: Path) -> Path:
    """Train one family, deterministically for a seed as far as TensorFlow allows.

    A fifth of the patients (by beats) are held out: their loss stops the training.

    Parameters
    ----------
    family : {"cnn", "autoencoder"}
    training : TrainingBeats
        Of two training patients or more.
    options : TrainingOptions
    out_dir : Path
        Gets the folder ``<family>``.

    Returns
    -------
    Path
        The component: ``<family>.keras``, ``<family>.onnx`` and ``component.json``.

    Raises
    ------
    PatientLeak
        A patient of the deciding or the test set is among the training beats.
    DatasetError
        Fewer than two patients: none could be held out.
    """
    check_no_leak(training.records(), (*DECIDING, *TEST))
    if len(training.patients()) < 2:
        raise DatasetError("Training needs beats of two patients or more.", "Add records of other patients.")
    held_out = hold_out_patients(training, HELD_OUT_SHARE, options.seed)
    is_held = np.isin(training.patient, held_out)
    fit, held = training.select(~is_held), training.select(is_held)
    _make_deterministic(options.seed)
    train = _train_cnn if family == "cnn" else _train_autoencoder
    model, losses = train(fit, held, options)

    folder = out_dir / family
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / f"{family}.keras")
    difference = export_onnx(model, folder / f"{family}.onnx")
    facts = {
        "family": family,
        **asdict(options),
        "code_version": ecg_core.__version__,
        "parameters": int(model.count_params()),
        "fitted_patients": fit.patients(),
        "held_out_patients": held_out,
        "records": training.records(),
        "beats": {c: int(n) for c, n in zip(CLASSES, np.bincount(fit.class_index, minlength=5), strict=True)},
        "held_out_losses": [round(float(loss), 5) for loss in losses],
        "onnx_difference": difference,
    }
    (folder / "component.json").write_text(json.dumps(facts, indent=1))
    _log.info("family trained", family=family, epochs=len(losses), held_out_loss=min(losses), beats=len(fit))
    return folder


def _make_deterministic(seed: int) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _train_cnn(fit: TrainingBeats, held: TrainingBeats, options: TrainingOptions) -> tuple[keras.Model, list[float]]:
    import keras

    weights = class_weights(fit.class_index) if options.imbalance == "class_weights" else np.ones(5, np.float32)
    if options.imbalance in ("smote", "adasyn"):
        fit = resample(fit, cast(Literal["smote", "adasyn"], options.imbalance), options.seed)
    model = architectures.build_cnn(fit.context.shape[1])
    loss = (
        keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=_FOCAL_GAMMA, from_logits=True)
        if options.imbalance == "focal_loss"
        else keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    model.compile(_optimiser(len(fit), options.epochs), loss)
    batches = _batches([fit.waveform, fit.context], _one_hot(fit.class_index), weights[fit.class_index], options.seed)
    held_data = ([held.waveform, held.context], _one_hot(held.class_index), weights[held.class_index])
    return model, _fit(model, batches, held_data, options.epochs)


def _train_autoencoder(
    fit: TrainingBeats, held: TrainingBeats, options: TrainingOptions
) -> tuple[keras.Model, list[float]]:
    normal = fit.select(fit.class_index == 0)
    beat, held_beat = normal.waveform[:, :, :1], held.waveform[held.class_index == 0][:, :, :1]
    model = architectures.build_autoencoder()
    model.compile(_optimiser(len(beat), options.epochs), "mae")
    batches = _batches([beat], None, None, options.seed)
    return model, _fit(model, batches, (held_beat, held_beat), options.epochs)


def _optimiser(n_beats: int, epochs: int) -> keras.optimizers.Optimizer:
    import keras

    steps = max(1, -(-n_beats // _BATCH)) * epochs
    return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=1e-3)


def _one_hot(class_index: npt.NDArray[np.int8]) -> FloatArray:
    return np.eye(len(CLASSES), dtype=np.float32)[class_index]


def _batches(
    inputs: list[FloatArray], targets: FloatArray | None, weights: FloatArray | None, seed: int
) -> keras.utils.PyDataset:
    """Shuffled batches with the first input augmented; without targets the input is its own target."""
    import keras

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.random = np.random.default_rng(seed)
            self.order = self.random.permutation(len(inputs[0]))

        def __len__(self) -> int:
            return -(-len(self.order) // _BATCH)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            rows = self.order[index * _BATCH : (index + 1) * _BATCH]
            changed = augment(inputs[0][rows], self.random)
            if targets is None or weights is None:
                return changed, changed
            return (changed, *(x[rows] for x in inputs[1:])), targets[rows], weights[rows]

        def on_epoch_end(self) -> None:
            self.order = self.random.permutation(len(self.order))

    return Batches()


def _fit(model: keras.Model, batches: keras.utils.PyDataset, held: tuple[Any, ...], epochs: int) -> list[float]:
    import keras

    stop = keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
    history = model.fit(
        batches, validation_data=held, validation_batch_size=1024, epochs=epochs, callbacks=[stop], verbose=0
    )
    return [float(loss) for loss in history.history["val_loss"]]
