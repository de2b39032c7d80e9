"""What is explained: the calibrated log-odds of each class against all others, as one Keras graph.

A class's raw logit means nothing alone, since adding a number to all five changes no probability. Its log-odds
``log(p / (1 - p))`` are what the printed probability says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray

if TYPE_CHECKING:
    import keras


@lru_cache(maxsize=2 * (2 + len(CLASSES)))
def log_odds_model(model: LoadedModel, target: int | None = None, classifier: keras.Model | None = None) -> keras.Model:
    """Put the calibrated log-odds on top of the classifier.

    Parameters
    ----------
    model : LoadedModel
    target : int, optional
        One class; without it all five.
    classifier : keras.Model, optional
        Takes the place of the model's own, for instance with other activations.

    Returns
    -------
    keras.Model
        Inputs ``waveform`` and ``context``; output (n, 1) or (n, 5).
    """
    import keras

    class LogOdds(keras.layers.Layer):  # type: ignore[misc]
        # A layer of its own, because bare operations would take names that the loaded graph has already.
        def call(self, logits: keras.KerasTensor) -> keras.KerasTensor:
            scaled = logits / temperature
            columns = [scaled[:, c : c + 1] for c in range(len(CLASSES))]
            odds = [columns[c] - _log_sum_exp(columns[:c] + columns[c + 1 :]) for c in range(len(CLASSES))]
            chosen = odds if target is None else odds[target : target + 1]
            return keras.ops.concatenate(chosen, axis=1)

    temperature = model.temperature
    classifier = model.keras_classifier() if classifier is None else classifier
    return keras.Model(classifier.inputs, LogOdds(name="log_odds")(classifier.output))


def log_odds(logits: FloatArray, temperature: float, target: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Compute the same without Keras, in double precision.

    Parameters
    ----------
    logits : ndarray of float32, shape (n, 5)
        Uncalibrated.
    temperature : float
    target : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    scaled = logits.astype(np.float64) / temperature
    own = np.arange(len(target)), target
    chosen = scaled[own]
    scaled[own] = -np.inf
    highest = scaled.max(axis=1, initial=-np.inf)
    with np.errstate(invalid="ignore"):  # what is not finite stays so, for the caller to refuse
        others = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
    return np.asarray(chosen - others, dtype=np.float64)


def checked_target(target: npt.NDArray[np.integer[Any]], n: int) -> npt.NDArray[np.int64]:
    """Refuse targets that are no class index per beat.

    Raises
    ------
    ExplanationError
    """
    if target.shape != (n,) or (n and not 0 <= target.min() <= target.max() < len(CLASSES)):
        raise ExplanationError("The target classes do not fit the beats.", "Give one class index per beat, 0 to 4.")
    return target.astype(np.int64)


def checked_finite(*values: FloatArray) -> None:
    """Refuse beats that are not finite: the gradient of an activation may be finite where its input is not.

    Raises
    ------
    ExplanationError
    """
    if not all(np.isfinite(of_beats).all() for of_beats in values):
        raise ExplanationError("A beat is not finite.", "Check the beats for values that are not finite.")


def _log_sum_exp(columns: list[keras.KerasTensor]) -> keras.KerasTensor:
    from keras import ops

    # log(e^a + e^b) = a + softplus(b - a): stable, and made of operations that shap's DeepExplainer has rules for.
    total = columns[0]
    for column in columns[1:]:
        total = total + ops.softplus(column - total)
    return total
