"""Why a network over recurrence plots says what it says: Grad-CAM and SHAP on the pictures, carried back to time.

A picture's place (i, j) tells whether the samples of stretch i and of stretch j are alike, so what it is given is given
to both, half to each: sums stay what they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

if TYPE_CHECKING:
    import keras

DRAWS: Final = 64
_BATCH: Final = 32


def recurrence_gradcam(model: keras.Model, layer: str, pictures: FloatArray, target: int) -> FloatArray:
    """Grad-CAM (Selvaraju et al. 2017) in two dimensions, towards one class, over time.

    Parameters
    ----------
    model : keras.Model
        Pictures to probabilities, each by a logistic curve.
    layer : str
        Whose feature maps are weighed.
    pictures : ndarray of float32, shape (n, side, side, n_leads)
    target : int
        Column of the probabilities.

    Returns
    -------
    ndarray of float32, shape (n, side)
        One value a stretch of time, at least 0 with maximum 1, or all 0. The feature maps mix the leads: for these see
        `recurrence_shap`.
    """
    import keras
    import tensorflow as tf

    both = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])
    maps = []
    for first in range(0, len(pictures), _BATCH):
        with tf.GradientTape() as tape:
            features, answer = both(tf.constant(pictures[first : first + _BATCH]), training=False)
            log_odds = _log_odds(answer[:, target])
        weights = tf.reduce_mean(tape.gradient(log_odds, features), axis=(1, 2), keepdims=True)
        cam = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1, keepdims=True))
        maps.append(tf.image.resize(cam, pictures.shape[1:3])[..., 0].numpy())
    relevance = carried_back(np.concatenate(maps)[..., None])[..., 0]
    largest = relevance.max(axis=1, keepdims=True)
    scaled: FloatArray = np.divide(relevance, largest, out=np.zeros_like(relevance), where=largest > 0)
    return scaled


def recurrence_shap(
    model: keras.Model, pictures: FloatArray, background: FloatArray, target: int, draws: int = DRAWS, seed: int = 0
) -> FloatArray:
    """SHAP by expected gradients (Erion et al. 2021), towards one class, over time and lead.

    Parameters
    ----------
    model : keras.Model
    pictures : ndarray of float32, shape (n, side, side, n_leads)
    background : ndarray of float32, shape (m, side, side, n_leads)
        Of normal ECGs.
    target : int
    draws : int
        Of a background picture and a place on the way from it.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, side, n_leads)
        Sums to the log-odds less their mean over the background, as far as the draws allow.
    """
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    values = np.zeros(pictures.shape, np.float32)
    for row, picture in enumerate(pictures):
        chosen = background[rng.integers(len(background), size=draws)]
        # One draw from each of as many equal parts of the way: less is left to chance.
        share = ((np.arange(draws) + rng.random(draws)) / draws).astype(np.float32)[:, None, None, None]
        for first in range(0, draws, _BATCH):
            part = slice(first, first + _BATCH)
            at = tf.constant(chosen[part] + share[part] * (picture - chosen[part]))
            with tf.GradientTape() as tape:
                tape.watch(at)
                log_odds = _log_odds(model(at, training=False)[:, target])
            gradient = tape.gradient(log_odds, at).numpy()
            values[row] += ((picture - chosen[part]) * gradient).sum(axis=0) / draws
    return carried_back(values)


def carried_back(values: npt.NDArray[np.float32]) -> FloatArray:
    """Give each place's value to its two stretches of time, half each: (n, side, side, k) to (n, side, k)."""
    back: FloatArray = ((values.sum(axis=1) + values.sum(axis=2)) / 2).astype(np.float32)
    return back


def _log_odds(probability: Any) -> Any:  # noqa: ANN401 — TensorFlow is not typed
    import tensorflow as tf

    held = tf.clip_by_value(probability, 1e-6, 1 - 1e-6)
    return tf.math.log(held / (1 - held))
