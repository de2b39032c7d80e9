"""Why the model called a beat so: what moved its log-odds, by sample, by wave and by rhythm feature."""

from ecg_core.explain.attribution import Attribution
from ecg_core.explain.players import compose
from ecg_core.explain.recording import Classified, explain_recordings
from ecg_core.explain.reference import ExplainedBeats, beats_of_recording
from ecg_core.explain.registry import METHODS

__all__ = [
    "METHODS",
    "Attribution",
    "Classified",
    "ExplainedBeats",
    "beats_of_recording",
    "compose",
    "explain_recordings",
]
