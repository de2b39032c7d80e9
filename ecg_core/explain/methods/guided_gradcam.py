"""Guided Grad-CAM (Selvaraju 2017)."""

from __future__ import annotations

import numpy as np

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.cam import gradient_maps
from ecg_core.explain.gradients import to_maximum_one, way_back
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Multiply Grad-CAM by guided backpropagation (Springenberg 2015), which passes only what speaks for the class.

    Absolute values, maximum 1.
    """
    cams, _ = gradient_maps(model, beats.waveform, beats.context, target)
    (by_sample,) = way_back(model, "guided", beats.waveform, beats.context, target)
    return Attribution.of_samples(beats, to_maximum_one(np.abs(by_sample) * cams))
