"""How much each sample would move the log-odds (Simonyan 2014)."""

from __future__ import annotations

import numpy as np

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.gradients import gradients, to_maximum_one
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Take the absolute gradient, maximum 1."""
    by_sample, _ = gradients(model, beats.waveform, beats.context, target)
    return Attribution.of_samples(beats, to_maximum_one(np.abs(by_sample)))
