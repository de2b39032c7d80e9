"""The same gradients by Keras and TensorFlow: what `ecg_core.explain.gradients` is checked against.

A graph with an operator that has no rule there is computed here, at the cost of loading and tracing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.target import log_odds_model
from ecg_core.models import LoadedModel
from ecg_core.models.layers import CAM_LAYER
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

if TYPE_CHECKING:
    import keras

BATCH: Final = 256
"""The last batch is padded to this, so that a graph is traced once."""


def traced(
    model: LoadedModel, kind: str
) -> Callable[[FloatArray, FloatArray, npt.NDArray[np.int64]], tuple[FloatArray, ...]]:
    """Trace what `ecg_core.explain.gradients.Kind` names."""
    graph = {"gradients": _gradients, "maps": _maps, "guided": _guided}[kind](model)

    def run(waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.int64]) -> tuple[FloatArray, ...]:
        return _in_batches(graph, (waveform, context, target.astype(np.int32)))

    return run


def _gradients(model: LoadedModel) -> Callable[..., tuple[Any, ...]]:
    import tensorflow as tf

    explained = log_odds_model(model)

    @tf.function(input_signature=_signature(explained))  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, ...]:  # noqa: ANN401 — TensorFlow is not typed
        with tf.GradientTape() as tape:
            tape.watch([waveform, context])
            log_odds = explained([waveform, context], training=False)
            # Beats do not touch each other, so the gradient of the sum is each beat's own.
            chosen = tf.reduce_sum(tf.gather(log_odds, target, batch_dims=1))
        unconnected = tf.UnconnectedGradients.ZERO
        by_waveform, by_context = tape.gradient(chosen, [waveform, context], unconnected_gradients=unconnected)
        return by_waveform[:, :, 0], by_context

    return run  # type: ignore[no-any-return]


def _maps(model: LoadedModel) -> Callable[..., tuple[Any, ...]]:
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

    @tf.function(input_signature=_signature(explained))  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, ...]:  # noqa: ANN401
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            features, log_odds = both([waveform, context], training=False)
            chosen = tf.reduce_sum(tf.gather(log_odds, target, batch_dims=1))
        by_feature, by_sample = tape.gradient(chosen, [features, waveform])
        weights = tf.reduce_mean(by_feature, axis=1, keepdims=True)
        return tf.reduce_sum(features * weights, axis=2), by_sample[:, :, 0]

    return run  # type: ignore[no-any-return]


def _last_convolution(classifier: keras.Model) -> str | None:
    """Name the layer to look at: the one named for it, else the last convolution; None where there is none."""
    import keras

    names = [layer.name for layer in classifier.layers if isinstance(layer, keras.layers.Conv1D)]
    return CAM_LAYER if CAM_LAYER in names else names[-1] if names else None


def _guided(model: LoadedModel) -> Callable[..., tuple[Any, ...]]:
    import keras
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def guided_relu(x: Any) -> Any:  # noqa: ANN401
        return tf.nn.relu(x), lambda dy: dy * tf.cast(dy > 0, dy.dtype) * tf.cast(x > 0, dy.dtype)

    classifier = model.keras_classifier()
    guided = keras.models.clone_model(classifier)
    guided.set_weights(classifier.get_weights())
    for layer in guided.layers:
        if getattr(layer, "activation", None) is keras.activations.relu:
            layer.activation = guided_relu
    explained = log_odds_model(model, classifier=guided)

    @tf.function(input_signature=_signature(explained))  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, ...]:  # noqa: ANN401
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            chosen = tf.reduce_sum(tf.gather(explained([waveform, context], training=False), target, batch_dims=1))
        return (tape.gradient(chosen, waveform)[:, :, 0],)

    return run  # type: ignore[no-any-return]


def _signature(explained: Any) -> list[Any]:  # noqa: ANN401 — Keras is not typed
    """Give what a traced graph takes: a full batch of waveforms, contexts and targets."""
    import tensorflow as tf

    return [
        tf.TensorSpec((BATCH, WINDOW_SAMPLES, 2), tf.float32),
        tf.TensorSpec((BATCH, explained.inputs[1].shape[1]), tf.float32),
        tf.TensorSpec((BATCH,), tf.int32),
    ]


def _in_batches(run: Callable[..., tuple[Any, ...]], inputs: tuple[npt.NDArray[Any], ...]) -> tuple[FloatArray, ...]:
    n = len(inputs[0])
    parts = []
    for start in range(0, max(n, 1), BATCH):
        size = min(BATCH, n - start)
        padded = (np.pad(x[start : start + size], [(0, BATCH - size)] + [(0, 0)] * (x.ndim - 1)) for x in inputs)
        parts.append([np.asarray(out)[:size] for out in run(*padded)])
    return tuple(np.concatenate(of_one) for of_one in zip(*parts, strict=True))
