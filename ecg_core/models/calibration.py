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


def fit_biases(logits: FloatArray, class_index: npt.NDArray[np.int8]) -> FloatArray:
    """Choose what to add to each class's logit, so that held-out beats are most likely.

    Training shows rare classes more often than they come, and simulated rhythms beside real ones; the biases undo
    that. Together with the temperature this is bias-corrected temperature scaling (Alexandari 2020).

    Parameters
    ----------
    logits : ndarray of float32, shape (n, 5)
    class_index : ndarray of int8, shape (n,)

    Returns
    -------
    ndarray of float32, shape (5,)
        The first is 0; at most 4 in size.
    """
    from scipy.optimize import minimize

    doubled = logits.astype(np.float64)
    counts = np.bincount(class_index, minlength=logits.shape[1])

    def loss(free: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        # The temperature is free too, or it would be taken for a bias.
        biased = doubled + np.concatenate([[0.0], free[:-1]])
        scaled = biased * np.exp(-free[-1])
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        p = powers / powers.sum(axis=1, keepdims=True)
        rows = np.arange(class_index.size)
        value = -np.log(np.maximum(p[rows, class_index], 1e-12)).mean()
        error = p.copy()
        error[rows, class_index] -= 1
        of_bias = error.mean(axis=0)[1:] * np.exp(-free[-1])
        of_temperature = -(error * scaled).sum(axis=1).mean()
        return float(value), np.concatenate([of_bias, [of_temperature]])

    # A class without beats has nothing to say about its bias.
    bounds = [(-4.0, 4.0) if n else (0.0, 0.0) for n in counts[1:]] + [(-1.6, 1.6)]
    found = minimize(loss, np.zeros(logits.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B")
    return np.concatenate([[0.0], found.x[:-1]]).astype(np.float32)
