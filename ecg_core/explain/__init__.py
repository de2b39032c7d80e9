"""Why the model said so: what moved a beat's log-odds, by sample, by wave and by rhythm feature."""

from ecg_core.explain.blend import smallest_blends
from ecg_core.explain.cam import gradcam, gradient_maps, guided_gradcam, has_convolution
from ecg_core.explain.deep_shap import shap_values
from ecg_core.explain.gradients import saliency
from ecg_core.explain.players import compose, sample_player
from ecg_core.explain.reference import ExplainedBeats, beats_of_recording
from ecg_core.explain.registry import METHODS, UNSIGNED, Attribution
from ecg_core.explain.segments import segment_shares
from ecg_core.explain.shapley import players_in_words, shapley_values

__all__ = [
    "METHODS",
    "UNSIGNED",
    "Attribution",
    "ExplainedBeats",
    "beats_of_recording",
    "compose",
    "gradcam",
    "gradient_maps",
    "guided_gradcam",
    "has_convolution",
    "players_in_words",
    "saliency",
    "sample_player",
    "segment_shares",
    "shap_values",
    "shapley_values",
    "smallest_blends",
]
