"""SHAP values of chosen beats, by shap's DeepExplainer (Lundberg and Lee 2017; DeepLIFT's rules).

GradientExplainer was measured beside it: its sums miss the model's output by up to .8 at 200 samples (54 beats a
second) and .4 at 1,000 (11), because it draws them; DeepExplainer's are off by 1e-6 at 35 beats a second.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_core.errors import ExplanationError
from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.explain.target import checked_target, log_odds_model
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

if TYPE_CHECKING:
    import keras


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Say what moved each beat's log-odds of the target class away from the background's mean.

    Of a sample it is the beat's value and the dominant beat's at the same instant together, since the model judges one
    against the other. Samples and context sum to the beat's log-odds minus the background's mean log-odds.

    Raises
    ------
    ExplanationError
        A target is no class, or the values do not sum to what they must within .01 (the package's own check).
    """
    target = checked_target(target, len(beats))
    samples = np.zeros((len(beats), WINDOW_SAMPLES), dtype=np.float32)
    rhythm = np.zeros(beats.context.shape, dtype=np.float32)
    for c in np.unique(target):
        rows = np.flatnonzero(target == c)
        of_waveform, of_context = _explain(model, int(c), beats.waveform[rows], beats.context[rows])
        samples[rows] = of_waveform.sum(axis=2)
        rhythm[rows] = of_context
    return Attribution.of_samples(beats, samples, rhythm)


def _explain(
    model: LoadedModel, target: int, waveform: FloatArray, context: FloatArray
) -> tuple[FloatArray, FloatArray]:
    try:
        values = _explainer(model, target).shap_values([waveform, context], check_additivity=True)
    except AssertionError as error:  # the package's way of saying that they do not sum up within .01 log-odds
        raise ExplanationError(
            f"SHAP values towards {CLASSES[target]} miss their sum: {error}",
            "Check the beats for values that are not finite, and the model for operations without a rule.",
        ) from error
    of_waveform, of_context = (np.asarray(v)[..., 0] for v in values)
    return of_waveform, of_context


def _has_recurrence(classifier: keras.Model) -> bool:
    import keras

    return any(isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) for layer in classifier.layers)


@lru_cache(maxsize=2 * len(CLASSES))
def _explainer(model: LoadedModel, target: int) -> Any:  # noqa: ANN401 — shap is not typed
    """DeepExplainer of one class against the background."""
    # Asked first: once it has failed, it leaves TensorFlow without gradients in this process.
    if _has_recurrence(model.keras_classifier()):
        raise ExplanationError(
            f"shap's DeepExplainer cannot explain {model.version}: it has no rules for recurrent layers.",
            "Choose exact Shapley values or integrated gradients.",
        )
    import shap

    with warnings.catch_warnings():
        # It warns on every TensorFlow above 2.4; that the values sum up is checked for each beat.
        warnings.simplefilter("ignore")
        return shap.DeepExplainer(log_odds_model(model, target), list(model.background()))
