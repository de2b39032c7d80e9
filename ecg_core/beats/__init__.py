"""From R peaks to beat windows, rhythm features and rhythm episodes."""

from ecg_core.beats.context import CONTEXT_NAMES, CONTEXT_PLAYERS, RHYTHM_FEATURES
from ecg_core.beats.fibrillation import Trees, af_probability, af_probability_at_beats
from ecg_core.beats.rhythm import summarise_rhythm
from ecg_core.beats.windows import (
    Beats,
    analysed_leads,
    extract_beats,
    extract_from_leads,
    extract_from_primary_lead,
    joint_context,
    model_inputs,
)

__all__ = [
    "CONTEXT_NAMES",
    "CONTEXT_PLAYERS",
    "RHYTHM_FEATURES",
    "Beats",
    "Trees",
    "af_probability",
    "af_probability_at_beats",
    "analysed_leads",
    "extract_beats",
    "extract_from_leads",
    "extract_from_primary_lead",
    "joint_context",
    "model_inputs",
    "summarise_rhythm",
]
