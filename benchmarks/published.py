"""The published shapes that this project grows from, each with its own windows, classes and way of training.

They are here to be compared: by their own protocol beats are split at random, so that the same patients are on both
sides; by patients they are not. What a description leaves open is filled in plainly and said here: windows are of the
signal as recorded at 360 Hz, around the annotated R peak, each in units of its own standard deviation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ecg_core.datasets.annotated import load_record
from ecg_core.recording import FloatArray

if TYPE_CHECKING:
    import keras

BINARY: Final = ("normal", "abnormal")
_ABNORMAL: Final = {**dict.fromkeys("NLRBej", 0), **dict.fromkeys("AaJSVEFfQ/?rn", 1)}
_NOT_N: Final = {"N": 0, **dict.fromkeys("LRBejAaJSVEFfQ/?rn", 1)}
"""What the LSTM told apart, to judge by its figures: accuracy .98 and F1 .97 together need a third of the beats to be
abnormal, and of MIT-BIH's 109,494 beats 31 % are not of the symbol N (17 % are of classes S, V, F and Q)."""
GROUPED: Final = ("N", "V", "F", "E")
_GROUPED: Final = {**dict.fromkeys("NLRAaJSej", 0), "V": 1, **dict.fromkeys("Ff", 2), "E": 3}
RUN_BEATS: Final = 5
"""Beats of a run; the one in the middle is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """What one published shape sees: inputs (n, …), the index of the class, and whose beat it is."""

    inputs: FloatArray
    class_index: npt.NDArray[np.int8]
    patient: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return int(self.class_index.size)

    def select(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Windows:
        """Return the beats of these rows."""
        return Windows(self.inputs[rows], self.class_index[rows], self.patient[rows])


@dataclass(frozen=True, slots=True)
class PublishedShape:
    """One published system.

    Attributes
    ----------
    classes : tuple of str
    symbols : mapping of str to int
        MIT-BIH's annotation symbols and the class that each is of; beats of other symbols are left out.
    samples, leads : int
        Of a window.
    run : int
        Beats in a row that are one example.
    build : callable
        The graph, not compiled.
    balance : callable
        ``(windows, random) -> (windows, weight by class or None)``, on what is trained on alone.
    learning_rate, batch, epochs, patience : float and int
        Epochs at most; training stops after `patience` passes without gain on a tenth that is kept back.
    published : mapping of str to float
        The figures that its authors give.
    """

    classes: tuple[str, ...]
    symbols: Mapping[str, int]
    samples: int
    leads: int
    run: int
    build: Callable[[], keras.Model]
    balance: Callable[[Windows, np.random.Generator], tuple[Windows, dict[int, float] | None]]
    learning_rate: float
    batch: int
    epochs: int
    patience: int
    published: Mapping[str, float]


def cut_windows(folder: Path, records: Sequence[str], shape: PublishedShape) -> Windows:
    """Cut the windows of a shape out of MIT-BIH records.

    Parameters
    ----------
    folder : Path
        Holds the records.
    records : sequence of str
    shape : PublishedShape

    Returns
    -------
    Windows
        MLII first where a record has it, then its other lead (V5 in few records, most often V1); a beat whose window
        reaches beyond the record is left out.

    Raises
    ------
    DatasetUnavailable
        A record is not there.
    """
    parts = [_of_record(folder, record, shape) for record in records]
    joined = zip(*((w.inputs, w.class_index, w.patient) for w in parts), strict=True)
    return Windows(*(np.concatenate(column) for column in joined))


def _of_record(folder: Path, record: str, shape: PublishedShape) -> Windows:
    import wfdb

    labelled = load_record(folder, record)
    recording = labelled.recording
    order = sorted(range(len(recording.lead_names)), key=lambda k: recording.lead_names[k] != "MLII")[: shape.leads]
    signal = np.nan_to_num(recording.signal[:, order])
    annotation = wfdb.rdann(str(folder / record), "atr")
    is_known = np.isin(annotation.symbol, list(shape.symbols))
    at = np.asarray(annotation.sample)[is_known] - shape.samples // 2
    class_index = np.array([shape.symbols[s] for s in np.asarray(annotation.symbol)[is_known]], dtype=np.int8)
    whole = (at >= 0) & (at + shape.samples <= len(signal))
    at, class_index = at[whole], class_index[whole]
    windows = np.moveaxis(sliding_window_view(signal, shape.samples, axis=0)[at], 1, 2).astype(np.float32)
    windows -= windows.mean(axis=1, keepdims=True)
    windows /= windows.std(axis=1, keepdims=True) + np.float32(1e-3)
    if shape.run:
        reach = shape.run // 2
        runs = np.arange(-reach, reach + 1) + np.arange(reach, max(reach, len(at) - reach))[:, None]
        windows, class_index = windows[runs], class_index[runs[:, reach]]
    return Windows(windows, class_index, np.full(len(class_index), labelled.patient))


def train_shape(
    shape: PublishedShape,
    training: Windows,
    seed: int,
    checkpoint: Path,
    epochs: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[keras.Model, int]:
    """Train a published shape as its authors did; the model and the passes that it took.

    Parameters
    ----------
    shape : PublishedShape
    training : Windows
    seed : int
    checkpoint : Path
        A folder that is there while training runs. One that is there already is of a run that was stopped: training
        goes on after its last whole pass, and remembers its best one.
    epochs : int, optional
        Fewer passes than the shape's own.
    tell : callable
        Is given a line after each pass.
    """
    import keras

    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    kept_back = random.random(len(training)) < 0.1
    fitted, weights = shape.balance(training.select(~kept_back), random)
    model = shape.build()
    is_binary = len(shape.classes) == 2
    model.compile(
        keras.optimizers.Adam(shape.learning_rate),
        "binary_crossentropy" if is_binary else "sparse_categorical_crossentropy",
    )
    n_epochs = min(epochs or shape.epochs, shape.epochs)
    callbacks = [
        _keep_best(checkpoint, shape.patience),
        keras.callbacks.BackupAndRestore(checkpoint, double_checkpoint=True),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: tell(
                f"  pass {epoch + 1} of at most {n_epochs}: loss {logs['loss']:.4f}, kept back {logs['val_loss']:.4f}"
            )
        ),
    ]
    validation = training.select(kept_back)
    history = model.fit(
        fitted.inputs,
        fitted.class_index,
        batch_size=shape.batch,
        epochs=n_epochs,
        validation_data=(validation.inputs, validation.class_index, _weigh(validation, weights)),
        class_weight=weights,
        callbacks=callbacks,
        verbose=0,
    )
    return model, 1 + max(history.epoch, default=n_epochs - 1)


def _keep_best(folder: Path, patience: int) -> keras.callbacks.Callback:
    """Return what Keras's EarlyStopping is, but for one that remembers after a stop which pass was the best so far."""
    import keras

    weights, losses, fresh = (folder / name for name in ("best.weights.h5", "kept_back.json", "fresh.weights.h5"))

    class KeepBest(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is not typed
        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            folder.mkdir(parents=True, exist_ok=True)
            self.by_pass: dict[int, float] = dict(json.loads(losses.read_text())) if losses.is_file() else {}

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
            # A pass that was whole, but not saved before the stop, is taken again.
            self.by_pass = {at: loss for at, loss in self.by_pass.items() if at < epoch} | {epoch: logs["val_loss"]}
            best = min(self.by_pass, key=self.by_pass.__getitem__)
            if best == epoch:
                self.model.save_weights(fresh)
                fresh.rename(weights)
            losses.with_suffix(".tmp").write_text(json.dumps(list(self.by_pass.items())))
            losses.with_suffix(".tmp").rename(losses)
            self.model.stop_training |= epoch - best >= patience

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            self.model.load_weights(weights)

    return KeepBest()


def answer(shape: PublishedShape, model: keras.Model, windows: Windows) -> FloatArray:
    """Return the probability of each class, float32, shape (n, n_classes)."""
    said = np.asarray(model.predict(windows.inputs, batch_size=1024, verbose=0), dtype=np.float32)
    return np.concatenate([1 - said, said], axis=1) if len(shape.classes) == 2 else said


def _weigh(windows: Windows, weights: dict[int, float] | None) -> FloatArray:
    by_class = np.array([1.0 if weights is None else weights.get(c, 1.0) for c in range(8)], np.float32)
    return np.asarray(by_class[windows.class_index])


def _smote(windows: Windows, random: np.random.Generator) -> tuple[Windows, None]:
    from imblearn.over_sampling import SMOTE

    flat = windows.inputs.reshape(len(windows), -1)
    made, class_index = SMOTE(random_state=int(random.integers(1 << 31))).fit_resample(flat, windows.class_index)
    inputs = made.reshape(-1, *windows.inputs.shape[1:]).astype(np.float32)
    return Windows(inputs, class_index.astype(np.int8), np.full(len(inputs), "")), None


def _as_many_of_each(windows: Windows, random: np.random.Generator) -> tuple[Windows, None]:
    """Drop beats of the commoner classes until all are as many."""
    counts = np.bincount(windows.class_index)
    fewest = counts[counts > 0].min()
    rows = [random.permutation(np.flatnonzero(windows.class_index == c))[:fewest] for c in range(counts.size)]
    return windows.select(random.permutation(np.concatenate(rows))), None


def _weighted(windows: Windows, random: np.random.Generator) -> tuple[Windows, dict[int, float]]:
    """Weigh classes by the root of how rare they are: with the plain inverse a hundred beats of E outweigh the rest."""
    counts = np.bincount(windows.class_index)
    return windows, {c: float(np.sqrt(counts.max() / max(int(n), 1))) for c, n in enumerate(counts)}


def _build_cnn() -> keras.Model:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((200, 1)),
            *(
                layer
                for filters in (32, 64, 128)
                for layer in (layers.Conv1D(filters, 5, padding="same", activation="relu"), layers.MaxPooling1D(2))
            ),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def _build_lstm() -> keras.Model:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((180, 2)),
            layers.LSTM(256, return_sequences=True),
            layers.Dropout(0.4),
            layers.LSTM(256),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def _build_cnn_lstm(steps: int, samples: int) -> keras.Model:
    """Conv1D/BatchNorm/MaxPool blocks over steps, flatten, LSTM, softmax; a step is a beat, or a sixth of one."""
    import keras
    from keras import layers

    x = inputs = keras.Input((*((steps,) if steps else ()), samples, 1))
    if not steps:
        x = layers.Reshape((6, samples // 6, 1))(x)
    for filters in (32, 64):
        x = layers.TimeDistributed(layers.Conv1D(filters, 5, padding="same", activation="relu"))(x)
        # Over all steps at once, as when this was published: Keras 3 would normalise each step of a training batch by
        # its own figures, and all of them by their mean afterwards: .93 accurate by its own protocol instead of .99.
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.TimeDistributed(layers.MaxPooling1D(2))(x)
    x = layers.LSTM(64)(layers.TimeDistributed(layers.Flatten())(x))
    return keras.Model(inputs, layers.Dense(len(GROUPED), activation="softmax")(layers.Dropout(0.3)(x)))


def _shape(**changes: Any) -> PublishedShape:  # noqa: ANN401 — fields of PublishedShape
    usual = {"leads": 1, "run": 0, "batch": 256, "learning_rate": 1e-3, "epochs": 30, "patience": 5}
    return PublishedShape(**{**usual, **changes})


SHAPES: Final[dict[str, PublishedShape]] = {
    "cnn": _shape(
        classes=BINARY,
        symbols=_ABNORMAL,
        samples=200,
        build=_build_cnn,
        balance=_smote,
        epochs=20,
        published={"accuracy": 0.967},
    ),
    "lstm": _shape(
        classes=BINARY,
        symbols=_NOT_N,
        samples=180,
        leads=2,
        build=_build_lstm,
        balance=_as_many_of_each,
        learning_rate=1e-4,
        batch=64,
        epochs=20,
        published={"accuracy": 0.98, "f1": 0.97, "auc": 0.98},
    ),
    "cnn_lstm": _shape(
        classes=GROUPED,
        symbols=_GROUPED,
        samples=180,
        build=lambda: _build_cnn_lstm(0, 180),
        balance=_weighted,
        published={"accuracy": 0.94, "lowest_recall": 0.0},
    ),
    "cnn_lstm_runs": _shape(
        classes=GROUPED,
        symbols=_GROUPED,
        samples=180,
        run=RUN_BEATS,
        build=lambda: _build_cnn_lstm(RUN_BEATS, 180),
        balance=_weighted,
        published={"accuracy": 0.94, "lowest_recall": 0.0},
    ),
}
