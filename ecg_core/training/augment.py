"""Beats in batches, each time a little different, as other hands and other electrodes would record them."""

from __future__ import annotations

import numpy as np

from ecg_core.recording import FloatArray
from ecg_core.result import R_INDEX

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


def spoil(waveform: FloatArray, random: np.random.Generator) -> FloatArray:
    """Make half of the beats abnormal, each in one of three ways; the dominant beat stays.

    The complex is stretched or narrowed, displaced, scaled and perhaps turned over, as ectopic beats are; or a stretch
    of the beat is moved in time, as P and T waves are; or a bump is added.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n, 256, 2)
        Normal beats.
    random : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape of `waveform`
    """
    n, samples, _ = waveform.shape
    way = random.integers(0, 6, (n, 1))
    place = np.arange(samples)[None, :]
    middle = R_INDEX + random.integers(-8, 9, (n, 1))
    stretched = R_INDEX + (place - middle) / random.uniform(1.2, 3.0, (n, 1))
    size = random.uniform(0.5, 2.0, (n, 1)) * random.choice([-1.0, 1.0], (n, 1))
    start, length = random.integers(0, samples - 56, (n, 1)), random.integers(20, 101, (n, 1))
    in_stretch = (place >= start) & (place < start + length)
    moved = np.where(in_stretch, place + random.integers(-40, 41, (n, 1)), place)
    centre, width = random.uniform(20, samples - 20, (n, 1)), random.uniform(4, 30, (n, 1))
    bump = random.normal(0, 0.5, (n, 1)) * np.exp(-np.square((place - centre) / width))

    beat = waveform[:, :, 0]
    rows = np.arange(n)[:, None]
    spoilt = waveform.copy()
    spoilt[:, :, 0] = np.select(
        [way == 0, way == 1, way == 2],
        [
            size * beat[rows, np.clip(np.rint(stretched), 0, samples - 1).astype(np.int64)],
            beat[rows, np.clip(moved, 0, samples - 1)],
            beat + bump,
        ],
        beat,
    )
    return spoilt
