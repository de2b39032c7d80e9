"""The gradient averaged over noisy copies of the beat (Smilkov 2017)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.gradients import mean_gradients, to_maximum_one
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

COPIES: Final = 24
NOISE: Final = 0.1
"""Standard deviation of the added noise, as a share of the beat's range (Smilkov 2017 takes .1 to .2)."""
_SEED: Final = 0


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Take the absolute mean gradient, maximum 1."""
    waveform, context = beats.waveform, beats.context
    # One drawing for all beats: a beat is explained alike alone and among others.
    noise = np.random.default_rng(_SEED).standard_normal((COPIES, 1, WINDOW_SAMPLES), dtype=np.float32)
    size = NOISE * np.ptp(waveform[:, :, 0], axis=1, keepdims=True)

    def noisy(rows: slice) -> tuple[FloatArray, FloatArray]:
        same = np.broadcast_to(context[rows], (COPIES, *context[rows].shape))
        return waveform[rows, :, 0] + size[rows] * noise, same

    by_sample, _ = mean_gradients(model, waveform, target, noisy, COPIES)
    return Attribution.of_samples(beats, to_maximum_one(np.abs(by_sample)))
