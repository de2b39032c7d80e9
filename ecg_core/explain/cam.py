"""Grad-CAM and saliency in one pass through the model, for models that have a convolution."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.explain.gradients import to_maximum_one, way_back
from ecg_core.models import LoadedModel
from ecg_core.models.onnx_backward import Backward
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

IN_ONE_PASS: Final = ("gradcam", "saliency")
"""The methods that `gradient_maps` gives, in its order."""


@lru_cache(maxsize=2)
def has_convolution(model: LoadedModel) -> bool:
    """Say whether Grad-CAM can be computed for this model."""
    return any(node.op_type == "Conv" for node in Backward(model.classifier_file).forward)


def gradient_maps(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> tuple[FloatArray, FloatArray]:
    """Compute Grad-CAM and saliency together, which costs the same as one of them.

    Parameters
    ----------
    model : LoadedModel
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    target : ndarray of int, shape (n,)
        Class towards which each beat is explained.

    Returns
    -------
    gradcam : ndarray of float32, shape (n, 256)
        At least 0 with maximum 1, or all 0 where nothing in the shape speaks for the class. Between the convolution's
        places it is interpolated linearly.
    saliency : ndarray of float32, shape (n, 256)
        Absolute gradient with respect to the beat (not to the dominant beat), with maximum 1.

    Raises
    ------
    ExplanationError
        A target is no class, a gradient is not finite, or the model has no convolution.
    """
    cam, by_sample = way_back(model, "maps", waveform, context, target)
    return to_maximum_one(_upsample(np.maximum(cam, 0))), to_maximum_one(np.abs(by_sample))


def _upsample(cam: FloatArray) -> FloatArray:
    """(n, places) to (n, 256), linear between the centres of the places."""
    places = cam.shape[1]
    at = (np.arange(WINDOW_SAMPLES) + 0.5) * places / WINDOW_SAMPLES - 0.5
    left = np.clip(np.floor(at).astype(int), 0, places - 2)
    share = np.clip(at - left, 0, 1).astype(np.float32)
    return np.asarray(cam[:, left] * (1 - share) + cam[:, left + 1] * share, dtype=np.float32)
