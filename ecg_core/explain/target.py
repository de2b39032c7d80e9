"""What is explained: the calibrated log-odds of each class against all others, as one Keras graph.

A class's raw logit means nothing alone, since adding a number to all five changes no probability. Its log-odds
``log(p / (1 - p))`` are what the printed probability says.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel

if TYPE_CHECKING:
    import keras


@lru_cache(maxsize=2)
def log_odds_model(model: LoadedModel) -> keras.Model:
    """Put the calibrated log-odds on top of the classifier.

    Parameters
    ----------
    model : LoadedModel

    Returns
    -------
    keras.Model
        Inputs ``waveform`` and ``context``; output (n, 5).
    """
    import keras

    classifier = model.keras_classifier()
    scaled = classifier.output / model.manifest["calibration"]["temperature"]
    columns = [scaled[:, c : c + 1] for c in range(len(CLASSES))]
    odds = [columns[c] - _log_sum_exp(columns[:c] + columns[c + 1 :]) for c in range(len(CLASSES))]
    return keras.Model(classifier.inputs, keras.layers.Concatenate(name="log_odds")(odds))


def _log_sum_exp(columns: list[keras.KerasTensor]) -> keras.KerasTensor:
    from keras import ops

    # log(e^a + e^b) = a + softplus(b - a): stable, and made of operations that shap's DeepExplainer has rules for.
    total = columns[0]
    for column in columns[1:]:
        total = total + ops.softplus(column - total)
    return total
