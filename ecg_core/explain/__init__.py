"""Why the model said so: what moved a beat's logit, by sample, by stretch of the beat and by rhythm feature."""

from ecg_core.explain.gradients import gradcam, gradient_maps, saliency
from ecg_core.explain.segments import segment_shares
from ecg_core.explain.shapley import shap_values

__all__ = ["gradcam", "gradient_maps", "saliency", "segment_shares", "shap_values"]
