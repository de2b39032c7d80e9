"""Gradient × input (Shrikumar 2016): the log-odds' first-order parts."""

from __future__ import annotations

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.gradients import gradients
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Multiply each sample and feature by its gradient."""
    by_sample, by_feature = gradients(model, beats.waveform, beats.context, target)
    return Attribution.of_samples(beats, by_sample * beats.waveform[:, :, 0], by_feature * beats.context)
