"""Versions that are like another but for their classifier's weights: what an explanation must tell apart, or must not.

Cascading randomisation follows Adebayo 2018: weights are drawn anew from the layer that gives the answer downwards.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel
from ecg_core.models.version import with_classifier
from ecg_core.result import ANALYSIS_RATE_HZ, WINDOW_SAMPLES


def weighted_layers(model: LoadedModel) -> list[list[str]]:
    """Name the layers that have weights, from the answer downwards; those of equal shapes (members) together."""
    by_shapes: dict[tuple[tuple[int, ...], ...], list[str]] = {}
    for layer in reversed(model.keras_classifier().layers):
        if layer.weights:
            by_shapes.setdefault(tuple(tuple(w.shape) for w in layer.weights), []).append(layer.name)
    return list(by_shapes.values())


def randomised(model: LoadedModel, n_top: int, folder: Path, seed: int = 0) -> LoadedModel:
    """Draw the weights of the `n_top` topmost groups of layers anew, as before training.

    Parameters
    ----------
    model : LoadedModel
    n_top : int
        Of `weighted_layers`.
    folder : Path
        Must not exist yet.
    seed : int
    """
    import keras

    keras.utils.set_random_seed(seed)
    trained = model.keras_classifier()
    fresh = keras.models.clone_model(trained)
    for name in chain.from_iterable(weighted_layers(model)[n_top:]):
        fresh.get_layer(name).set_weights(trained.get_layer(name).get_weights())
    return with_classifier(model, fresh, folder)


def with_noise(beats: ExplainedBeats, snr_db: float, seed: int = 0) -> ExplainedBeats:
    """Add noise up to 40 Hz, the band of the cleaned signal, to each beat; its features stay as they were.

    Parameters
    ----------
    beats : ExplainedBeats
    snr_db : float
        Power of the beat, about its mean, over that of the noise.
    seed : int
    """
    from dataclasses import replace

    from scipy.signal import butter, sosfiltfilt

    white = np.random.default_rng(seed).standard_normal((len(beats), WINDOW_SAMPLES))
    noise = sosfiltfilt(butter(4, 40.0, fs=ANALYSIS_RATE_HZ, output="sos"), white, axis=1)
    size = beats.waveform[:, :, 0].std(axis=1, keepdims=True) * 10 ** (-snr_db / 20)
    waveform = beats.waveform.copy()
    waveform[:, :, 0] += size * noise / noise.std(axis=1, keepdims=True)
    return replace(beats, waveform=waveform)
