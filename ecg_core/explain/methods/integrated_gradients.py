"""Gradients summed along the straight way from the normal beat to the beat (Sundararajan 2017)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.gradients import mean_gradients
from ecg_core.explain.players import aligned_normal
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray

STEPS: Final = 32


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Integrate by the midpoint rule: the values sum to the log-odds' difference, up to the rule's error."""
    normal, normal_context = aligned_normal(beats), beats.normal_context
    by_sample, by_feature = beats.waveform[:, :, 0] - normal, beats.context - normal_context
    steps = ((np.arange(STEPS) + 0.5) / STEPS).astype(np.float32)[:, None, None]

    def on_the_way(rows: slice) -> tuple[FloatArray, FloatArray]:
        return normal[rows] + steps * by_sample[rows], normal_context[rows] + steps * by_feature[rows]

    of_sample, of_feature = mean_gradients(model, beats.waveform, target, on_the_way, STEPS)
    return Attribution.of_samples(beats, by_sample * of_sample, by_feature * of_feature)
