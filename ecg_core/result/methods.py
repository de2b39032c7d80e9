"""What is declared of each attribution method. `ecg_core.explain` computes them, store and report show them.

A method is a row here, a module of its name in `ecg_core.explain.methods`, and ``method_<name>`` in the catalogue of
texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Beats = Literal["every", "abnormal", "chosen"]


@dataclass(frozen=True, slots=True)
class Method:
    """One attribution method.

    Attributes
    ----------
    of : {"samples", "players"}
        What it gives values to: samples of the beat (a map), or whole `ecg_core.result.PLAYERS`.
    signed : bool
        Whether it says for the class or against it (log-odds); the others say only where, from 0 to 1.
    beats : {"every", "abnormal", "chosen"}
        Which beats get it, the chosen ones in any case: every beat as shares by segment, abnormal beats up to a cap,
        or the chosen ones alone.
    """

    of: Literal["samples", "players"]
    signed: bool
    beats: Beats = "chosen"


ATTRIBUTION_METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "shapley": Method("players", signed=True, beats="abnormal"),
        "shap": Method("samples", signed=True),
        "integrated_gradients": Method("samples", signed=True),
        "gradient_x_input": Method("samples", signed=True),
        "saliency": Method("samples", signed=False, beats="every"),
        "smoothgrad": Method("samples", signed=False),
        "guided_gradcam": Method("samples", signed=False),
        "gradcam": Method("samples", signed=False, beats="every"),
        "lime": Method("players", signed=True),
    }
)
"""By name, in the order in which they are offered where nothing was tested."""
MAPS: Final = tuple(name for name, method in ATTRIBUTION_METHODS.items() if method.of == "samples")
FEATURE_METHOD: Final = "shap"
"""The method whose values of the rhythm features are kept and shown."""
INSENSITIVE: Final = 0.5
"""A map that correlates more than this with the map of random weights shows little of what was learned.

What is compared is the map as a reader sees it: with its signs where the method has them. The same of absolute values
is measured beside it (``randomisation_correlation_absolute``) and is above .5 for the methods that compare with the
normal beat: where a beat differs from normal is a fact of the beat, whatever the model makes of it.
"""
STABLE: Final = 0.65
"""Rank correlation between equal models that published methods reach at best."""


def is_signed(name: str) -> bool:
    """Say whether a method tells for from against; one that is not declared (any more) is drawn as if it did not."""
    return name in ATTRIBUTION_METHODS and ATTRIBUTION_METHODS[name].signed


def given_to(beats: Beats) -> tuple[str, ...]:
    """Name the methods that go to these beats."""
    return tuple(name for name, method in ATTRIBUTION_METHODS.items() if method.beats == beats)
