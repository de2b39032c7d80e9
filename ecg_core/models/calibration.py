"""Logits to probabilities that mean what they say: temperature scaling (Guo 2017)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

_BIASES: Final = np.arange(-4, 4.1, 0.25, dtype=np.float32)
_ROUNDS: Final = 2
_FEWEST_BEATS: Final = 50


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

    best = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, class_index, float(np.exp(log_t))),
        bounds=(np.log(0.2), np.log(5.0)),
        method="bounded",
    )
    return float(np.exp(best.x))


def fit_biases(logits: FloatArray, class_index: npt.NDArray[np.int8]) -> FloatArray:
    """Choose what to add to the logits of S and V, so that the mean F1 of N, S and V is best on held-out beats.

    Training shows rare classes more often than they come, and simulated rhythms beside real ones; the biases undo
    that. The most likely biases would be another choice; a few recordings with many false alarms decide those.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, 5)
    class_index : ndarray of int8, shape (n,)

    Returns
    -------
    ndarray of float32, shape (5,)
        In steps of .25, at most 4 in size; 0 but for S and V, and for these where they have fewer than 50 beats. F
        and Q are too few to be asked.
    """
    counts = np.bincount(class_index, minlength=logits.shape[1])
    free = [c for c in (1, 2) if counts[c] >= _FEWEST_BEATS]
    judged = [0, *free]
    biases = np.zeros(logits.shape[1], dtype=np.float32)

    def mean_f1(tried: FloatArray) -> float:
        predicted = (logits + tried).argmax(axis=1)
        calls = np.bincount(predicted, minlength=counts.size)
        hits = np.bincount(class_index[predicted == class_index], minlength=counts.size)
        return float(np.mean(2 * hits[judged] / (counts + calls)[judged]))

    for _ in range(_ROUNDS):
        for c in free:
            steps = np.tile(biases, (_BIASES.size, 1))
            steps[:, c] = _BIASES
            biases = max(steps, key=mean_f1)
    return biases
