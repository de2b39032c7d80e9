"""Guided Grad-CAM (Selvaraju 2017)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.cam import gradient_maps
from ecg_core.explain.gradients import in_batches, signature, to_maximum_one
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.explain.target import checked_target, log_odds_model
from ecg_core.models import LoadedModel


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Multiply Grad-CAM by guided backpropagation (Springenberg 2015), which passes only what speaks for the class.

    Absolute values, maximum 1.
    """
    target = checked_target(target, len(beats))
    cams, _ = gradient_maps(model, beats.waveform, beats.context, target)
    [guided] = in_batches(_traced_guided(model), (beats.waveform, beats.context, target.astype(np.int32)))
    return Attribution.of_samples(beats, to_maximum_one(np.abs(guided) * cams))


@lru_cache(maxsize=2)
def _traced_guided(model: LoadedModel) -> Callable[..., tuple[Any, ...]]:
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

    @tf.function(input_signature=signature(explained))  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, ...]:  # noqa: ANN401
        with tf.GradientTape() as tape:
            tape.watch(waveform)
            chosen = tf.reduce_sum(tf.gather(explained([waveform, context], training=False), target, batch_dims=1))
        return (tape.gradient(chosen, waveform)[:, :, 0],)

    return run  # type: ignore[no-any-return]
