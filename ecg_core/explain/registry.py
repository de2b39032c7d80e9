"""All methods behind one interface: ``explain(model, beats, target) -> Attribution``, vectorised over beats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.explain.cam import gradcam, guided_gradcam
from ecg_core.explain.deep_shap import shap_values
from ecg_core.explain.gradients import gradient_x_input, integrated_gradients, saliency, smoothgrad
from ecg_core.explain.lime import lime_weights
from ecg_core.explain.players import CONTEXT_PLAYER_INDEX, aligned_normal, sample_player
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.explain.shapley import shapley_values
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import PLAYERS

Target = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What moved the log-odds of the target class, for n beats.

    Attributes
    ----------
    samples : ndarray of float32, shape (n, 256), or None
        By sample of the beat. None for methods that speak of whole players.
    context : ndarray of float32, shape (n, K), or None
        By rhythm feature. None for methods that say nothing of rhythm, or speak of whole players.
    players : ndarray of float64, shape (n, 7)
        By `ecg_core.result.PLAYERS`: what the samples and features of each sum to.
    absolute : ndarray of float64, shape (n, 7)
        The same of absolute values: signs within a wave do not cancel.
    """

    samples: FloatArray | None
    context: FloatArray | None
    players: npt.NDArray[np.float64]
    absolute: npt.NDArray[np.float64]

    def units(self) -> npt.NDArray[np.float64]:
        """Return the finest that the method tells apart, float64, shape (n, units): what maps are compared by."""
        if self.samples is None:
            return self.players
        parts = [self.samples] if self.context is None else [self.samples, self.context]
        return np.concatenate(parts, axis=1).astype(np.float64)


Explain = Callable[[LoadedModel, ExplainedBeats, Target], Attribution]


def _of_samples(beats: ExplainedBeats, samples: FloatArray, context: FloatArray | None = None) -> Attribution:
    owner = sample_player(beats)
    sums = []
    for values in (lambda x: x, np.abs):
        by_player = np.zeros((len(beats), len(PLAYERS)))
        for i in range(len(PLAYERS)):
            by_player[:, i] = np.where(owner == i, values(samples), 0).sum(axis=1, dtype=np.float64)
            if context is not None:
                by_player[:, i] += values(context[:, i == CONTEXT_PLAYER_INDEX]).sum(axis=1, dtype=np.float64)
        sums.append(by_player)
    return Attribution(samples, context, *sums)


def _of_players(values: npt.NDArray[np.float64]) -> Attribution:
    return Attribution(None, None, values, np.abs(values))


def _shapley(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_players(shapley_values(model, beats, target))


def _lime(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_players(lime_weights(model, beats, target))


def _shap(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_samples(beats, *shap_values(model, beats.waveform, beats.context, target))


def _saliency(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_samples(beats, saliency(model, beats.waveform, beats.context, target))


def _gradient_x_input(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_samples(beats, *gradient_x_input(model, beats.waveform, beats.context, target))


def _integrated_gradients(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    way = beats.waveform, beats.context, aligned_normal(beats), beats.normal_context
    return _of_samples(beats, *integrated_gradients(model, *way, target))


def _smoothgrad(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_samples(beats, smoothgrad(model, beats.waveform, beats.context, target))


def _gradcam(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_samples(beats, gradcam(model, beats.waveform, beats.context, target))


def _guided_gradcam(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    return _of_samples(beats, guided_gradcam(model, beats.waveform, beats.context, target))


METHODS: Final[Mapping[str, Explain]] = MappingProxyType(
    {
        "shapley": _shapley,
        "shap": _shap,
        "integrated_gradients": _integrated_gradients,
        "gradient_x_input": _gradient_x_input,
        "saliency": _saliency,
        "smoothgrad": _smoothgrad,
        "gradcam": _gradcam,
        "guided_gradcam": _guided_gradcam,
        "lime": _lime,
    }
)
"""By name. Each takes (model, beats, target): beats as `ExplainedBeats`, target one class index per beat. Each raises
`ExplanationError` where it cannot be computed for the model, a target is no class, or a beat is not finite. A model
takes one lead, so no lead is a player."""
UNSIGNED: Final = ("saliency", "smoothgrad", "gradcam", "guided_gradcam")
"""Methods that say where, but not whether for the class or against it."""
