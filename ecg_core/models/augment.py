"""Beats in batches, each time a little different, as other hands and other electrodes would record them."""

from __future__ import annotations

import numpy as np

from ecg_core.models.training_beats import FloatArray

SHIFT_SAMPLES = 3
"""Greatest shift of the window: R peaks are found within about 12 ms of where an annotator put them."""


def augment(waveform: FloatArray, random: np.random.Generator) -> FloatArray:
    """Shift the beat and its recording's dominant beat alike, and add noise and wander to the beat.

    Turning beats upside down, as swapped electrodes would, was tried and cost 7 points of V F1 on the deciding
    patients.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n, 256, 2)
    random : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape of `waveform`
    """
    n, samples, channels = waveform.shape
    shift = random.integers(-SHIFT_SAMPLES, SHIFT_SAMPLES + 1, size=(n, 1))
    columns = np.clip(np.arange(samples)[None, :] + shift, 0, samples - 1)
    changed = waveform[np.arange(n)[:, None], columns]
    # The noise and the wander are the beat's own; the dominant beat is an average and has neither.
    noise = random.standard_normal((n, samples), dtype=np.float32) * random.uniform(0, 0.03, (n, 1)).astype(np.float32)
    phase = random.uniform(0, 2 * np.pi, (n, 1)) + np.linspace(0, np.pi, samples)[None, :]
    wander = np.sin(phase) * random.uniform(0, 0.06, (n, 1))
    changed[:, :, 0] += noise + wander.astype(np.float32)
    return np.asarray(changed, dtype=np.float32).reshape(n, samples, channels)
