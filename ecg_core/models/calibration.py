"""Logits to probabilities that mean what they say: temperature scaling (Guo 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ecg_core.models.training_beats import FloatArray


def softmax(logits: FloatArray, temperature: float) -> FloatArray:
    """Turn logits into calibrated probabilities.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, 5)
    temperature : float
        Above 1 makes the model less sure, below 1 surer; the most probable class stays.

    Returns
    -------
    ndarray of float32, shape (n, 5)
        Rows sum to 1.
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def negative_log_likelihood(logits: FloatArray, class_index: npt.NDArray[np.int8], temperature: float) -> float:
    """Return the mean negative log-likelihood of the true classes, in nats."""
    probabilities = softmax(logits, temperature)[np.arange(class_index.size), class_index]
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())


def fit_temperature(logits: FloatArray, class_index: npt.NDArray[np.int8]) -> float:
    """Choose the temperature under which held-out beats are most likely.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, 5)
    class_index : ndarray of int8, shape (n,)

    Returns
    -------
    float
        Between 0.2 and 5.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, class_index, float(np.exp(log_t))),
        bounds=(np.log(0.2), np.log(5.0)),
        method="bounded",
    )
    return float(np.exp(found.x))
