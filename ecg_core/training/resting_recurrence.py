"""The published shape of the twelve-lead task: a two-dimensional network over recurrence plots, with feature blocks.

What the description leaves open is filled in plainly: a patch convolution of 4 × 4, three feature blocks (two
convolutions with batch normalisation, beside a convolution of 1 × 1 that leads past them, then a halving), the mean
over the picture, and one logistic answer a superclass. About 60,000 parameters, so that a processor can train it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.resting.recurrence import SIZE
from ecg_core.result.resting import SUPERCLASSES

if TYPE_CHECKING:
    import keras

_PATCH: Final = 4
_STEM: Final = 16
_BLOCKS: Final = (24, 32, 48)
_DROPOUT: Final = 0.3
_BATCH: Final = 32
_EPOCHS: Final = 25
_LEARNING_RATE: Final = 3e-3
LAST_MAPS: Final = f"block{len(_BLOCKS)}_sum"
"""The last layer with a place in the picture: Grad-CAM's."""


def build_recurrence_cnn(n_leads: int = 12) -> keras.Model:
    """Build the network: pictures of shape (100, 100, n_leads), shares from 0 to 1, to five probabilities."""
    import keras

    pictures = keras.Input((SIZE, SIZE, n_leads), name="recurrence")
    x = keras.layers.Conv2D(_STEM, _PATCH, strides=_PATCH, activation="relu", name="patches")(pictures)
    for place, filters in enumerate(_BLOCKS):
        x = _feature_block(x, filters, f"block{place + 1}")
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(_DROPOUT)(x)
    return keras.Model(pictures, keras.layers.Dense(len(SUPERCLASSES), activation="sigmoid", name="superclass")(x))


def fit_recurrence_cnn(
    plots: npt.NDArray[np.uint8], labels: npt.NDArray[np.bool_], weight: FloatArray, seed: int
) -> Callable[[npt.NDArray[np.uint8]], FloatArray]:
    """Train it; what comes back gives probabilities, shape (n, 5), of other plots. Parameters as below."""
    model = train_recurrence_cnn(plots, labels, weight, seed)

    def probabilities(others: npt.NDArray[np.uint8]) -> FloatArray:
        return np.asarray(model.predict(shares(others), batch_size=_BATCH, verbose=0), dtype=np.float32)

    return probabilities


def train_recurrence_cnn(
    plots: npt.NDArray[np.uint8], labels: npt.NDArray[np.bool_], weight: FloatArray, seed: int
) -> keras.Model:
    """Train it for a fixed number of epochs.

    Parameters
    ----------
    plots : ndarray of uint8, shape (n, 100, 100, n_leads)
        From `ecg_core.resting.recurrence.recurrence_plots`.
    labels : ndarray of bool, shape (n, 5)
    weight : ndarray of float32, shape (n,)
    seed : int
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = build_recurrence_cnn(plots.shape[-1])
    steps = _EPOCHS * -(-len(plots) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), "binary_crossentropy")
    model.fit(
        shares(plots), labels.astype(np.float32), sample_weight=weight, batch_size=_BATCH, epochs=_EPOCHS, verbose=0
    )
    return model


def shares(plots: npt.NDArray[np.uint8]) -> FloatArray:
    """Give the pictures as the network takes them in, from 0 to 1."""
    return plots.astype(np.float32) / np.float32(100)


def _feature_block(x: Any, filters: int, name: str) -> Any:  # noqa: ANN401
    import keras

    past = keras.layers.Conv2D(filters, 1, name=f"{name}_past")(x)
    for k in (1, 2):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{k}")(x)
        x = keras.layers.BatchNormalization(name=f"{name}_norm{k}")(x)
        x = keras.layers.Activation("relu")(x)
    return keras.layers.MaxPooling2D(2, padding="same")(keras.layers.Add(name=f"{name}_sum")([x, past]))
