"""Grad-CAM and saliency in one pass through the model, for models that have a convolution."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.gradients import in_batches, signature, to_maximum_one
from ecg_core.explain.target import checked_target, log_odds_model
from ecg_core.models import LoadedModel
from ecg_core.models.layers import CAM_LAYER
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

if TYPE_CHECKING:
    import keras


IN_ONE_PASS: Final = ("gradcam", "saliency")
"""The methods that `gradient_maps` gives, in its order."""


def has_convolution(model: LoadedModel) -> bool:
    """Say whether Grad-CAM can be computed for this model."""
    return _last_convolution(model.keras_classifier()) is not None


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
        places it is interpolated linearly.
    saliency : ndarray of float32, shape (n, 256)
        Absolute gradient with respect to the beat (not to the dominant beat), with maximum 1.

    Raises
    ------
    ExplanationError
        A target is no class, a gradient is not finite, or the model has no convolution.
    """
    target = checked_target(target, len(waveform))

    def finish(cam: FloatArray, gradient: FloatArray) -> tuple[FloatArray, ...]:
        return to_maximum_one(_upsample(np.maximum(cam, 0))), to_maximum_one(np.abs(gradient))

    cams, gradients = in_batches(_traced(model), (waveform, context, target.astype(np.int32)), finish)
    return cams, gradients


def _last_convolution(classifier: keras.Model) -> str | None:
    """Name the layer to look at: the one named for it, else the last convolution; None where there is none."""
    import keras

    names = [layer.name for layer in classifier.layers if isinstance(layer, keras.layers.Conv1D)]
    return CAM_LAYER if CAM_LAYER in names else names[-1] if names else None


@lru_cache(maxsize=2)
def _traced(model: LoadedModel) -> Callable[..., tuple[Any, ...]]:
    import keras
    import tensorflow as tf

    explained = log_odds_model(model)
    layer = _last_convolution(model.keras_classifier())
    if layer is None:
        raise ExplanationError(
            f"Grad-CAM cannot be computed for {model.version}: it has no convolution.",
            "Choose a method that looks at the input, for instance saliency or exact Shapley values.",
        )
    both = keras.Model(explained.inputs, [explained.get_layer(layer).output, explained.output])

    @tf.function(input_signature=signature(explained))  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, ...]:  # noqa: ANN401 — TensorFlow is not typed
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            features, log_odds = both([waveform, context], training=False)
            # Beats do not touch each other, so the gradient of the sum is each beat's own.
            chosen = tf.reduce_sum(tf.gather(log_odds, target, batch_dims=1))
        by_feature, by_sample = tape.gradient(chosen, [features, waveform])
        weights = tf.reduce_mean(by_feature, axis=1, keepdims=True)
        return tf.reduce_sum(features * weights, axis=2), by_sample[:, :, 0]

    return run  # type: ignore[no-any-return]


def _upsample(cam: FloatArray) -> FloatArray:
    """(n, places) to (n, 256), linear between the centres of the places."""
    places = cam.shape[1]
    at = (np.arange(WINDOW_SAMPLES) + 0.5) * places / WINDOW_SAMPLES - 0.5
    left = np.clip(np.floor(at).astype(int), 0, places - 2)
    share = np.clip(at - left, 0, 1).astype(np.float32)
    return np.asarray(cam[:, left] * (1 - share) + cam[:, left + 1] * share, dtype=np.float32)
