"""Grad-CAM and saliency of every beat, both from one backward pass.

Grad-CAM (Selvaraju 2017) looks at the last convolution of the classifier's shape branch; saliency (Simonyan 2014) is
the gradient itself. Both are towards the target class's calibrated log-odds (`ecg_core.explain.target`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.target import checked_target, log_odds_model
from ecg_core.models import LoadedModel
from ecg_core.models.architectures import CAM_LAYER
from ecg_core.result import WINDOW_SAMPLES, FloatArray

_BATCH: Final = 256
"""The last batch is padded to this, so that the graph is traced once."""


def gradcam(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> FloatArray:
    """Where in the beat the shape branch saw what speaks for the target class; see `gradient_maps`."""
    return gradient_maps(model, waveform, context, target)[0]


def saliency(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> FloatArray:
    """How much each sample of the beat would move the target's log-odds; see `gradient_maps`."""
    return gradient_maps(model, waveform, context, target)[1]


def gradient_maps(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> tuple[FloatArray, FloatArray]:
    """Compute Grad-CAM and saliency together, which costs the same as one of them.

    Parameters
    ----------
    model : LoadedModel
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    target : ndarray of int, shape (n,)
        Class towards which each beat is explained.

    Returns
    -------
    gradcam : ndarray of float32, shape (n, 256)
        At least 0 with maximum 1, or all 0 where nothing in the shape speaks for the class. Between the convolution's
        32 places it is interpolated linearly.
    saliency : ndarray of float32, shape (n, 256)
        Absolute gradient with respect to the beat (not to the dominant beat), with maximum 1.

    Raises
    ------
    ExplanationError
        A target is no class, or a gradient is not finite.
    """
    n = len(waveform)
    target = checked_target(target, n)
    run = _traced(model)
    cams = np.zeros((n, WINDOW_SAMPLES), dtype=np.float32)
    gradients = np.zeros((n, WINDOW_SAMPLES), dtype=np.float32)
    for start in range(0, n, _BATCH):
        rows = slice(start, min(start + _BATCH, n))
        size = rows.stop - start
        cam, gradient = run(*(_padded(x[rows]) for x in (waveform, context, target.astype(np.int32))))
        cams[rows] = _upsample(np.maximum(cam.numpy()[:size], 0))
        gradients[rows] = np.abs(gradient.numpy()[:size])
    if not (np.isfinite(cams).all() and np.isfinite(gradients).all()):
        raise ExplanationError("A gradient is not finite.", "Check the beats for values that are not finite.")
    return _to_maximum_one(cams), _to_maximum_one(gradients)


@lru_cache(maxsize=2)
def _traced(model: LoadedModel) -> Callable[..., tuple[Any, Any]]:
    import keras
    import tensorflow as tf

    explained = log_odds_model(model)
    both = keras.Model(explained.inputs, [explained.get_layer(CAM_LAYER).output, explained.output])
    n_context = explained.inputs[1].shape[1]
    signature = [
        tf.TensorSpec((_BATCH, WINDOW_SAMPLES, 2), tf.float32),
        tf.TensorSpec((_BATCH, n_context), tf.float32),
        tf.TensorSpec((_BATCH,), tf.int32),
    ]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, Any]:  # noqa: ANN401 — TensorFlow is not typed
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            features, log_odds = both([waveform, context], training=False)
            # Beats do not touch each other, so the gradient of the sum is each beat's own.
            chosen = tf.reduce_sum(tf.gather(log_odds, target, batch_dims=1))
        by_feature, by_sample = tape.gradient(chosen, [features, waveform])
        weights = tf.reduce_mean(by_feature, axis=1, keepdims=True)
        return tf.reduce_sum(features * weights, axis=2), by_sample[:, :, 0]

    return run  # type: ignore[no-any-return]


def _padded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    missing = _BATCH - len(values)
    return np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1)) if missing else values


def _upsample(cam: FloatArray) -> FloatArray:
    """(n, places) to (n, 256), linear between the centres of the places."""
    places = cam.shape[1]
    at = (np.arange(WINDOW_SAMPLES) + 0.5) * places / WINDOW_SAMPLES - 0.5
    left = np.clip(np.floor(at).astype(int), 0, places - 2)
    share = np.clip(at - left, 0, 1).astype(np.float32)
    return np.asarray(cam[:, left] * (1 - share) + cam[:, left + 1] * share, dtype=np.float32)


def _to_maximum_one(values: FloatArray) -> FloatArray:
    highest = values.max(axis=1, keepdims=True, initial=0)
    scaled: FloatArray = np.divide(values, highest, out=np.zeros_like(values), where=highest > 0)
    return scaled
