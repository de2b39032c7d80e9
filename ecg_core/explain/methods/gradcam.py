"""Grad-CAM (Selvaraju 2017) on the classifier's last convolution."""

from __future__ import annotations

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.cam import gradient_maps
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Where in the beat the last convolution saw what speaks for the target class; see `gradient_maps`."""
    return Attribution.of_samples(beats, gradient_maps(model, beats.waveform, beats.context, target)[0])
