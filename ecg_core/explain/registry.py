"""The functions of the declared methods (`ecg_core.result.methods`), all behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel
from ecg_core.result.methods import ATTRIBUTION_METHODS

Explain = Callable[[LoadedModel, ExplainedBeats, Target], Attribution]


def _function(name: str) -> Explain:
    explain: Explain = import_module(f"ecg_core.explain.methods.{name}").explain
    return explain


METHODS: Final[Mapping[str, Explain]] = MappingProxyType({name: _function(name) for name in ATTRIBUTION_METHODS})
"""By name. Each takes (model, beats, target), vectorised over beats, target one class index per beat. Each raises
`ExplanationError` where it cannot be computed for the model, a target is no class, or a beat is not finite. A model
takes one lead, so no lead is a player."""
