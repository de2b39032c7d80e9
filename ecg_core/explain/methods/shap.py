"""SHAP values of chosen beats, as shap's DeepExplainer gives them (Lundberg and Lee 2017; DeepLIFT's rules).

The rules are ours, on ONNX Runtime, all background beats at once: the same values within 1e-6 at 200 beats a second,
where the package gives 35. It stays what they are compared with, and answers for graphs with an operator that has no
rule of ours. GradientExplainer was measured beside it: its sums miss the model's output by up to .8 at 200 samples (54
beats a second) and .4 at 1,000 (11), because it draws them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.explain.target import checked_finite, checked_target, log_odds, log_odds_model
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.models.onnx_backward import BENDS, Backward, NoRule, rescale
from ecg_core.models.onnx_files import open_session
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

if TYPE_CHECKING:
    import keras

_OFF: Final = 0.01
"""Log-odds by which the values of a beat may miss their sum, as in the package."""
_NEAR: Final = 1e-6
_Doubles = npt.NDArray[np.float64]
_Run = Callable[[FloatArray, FloatArray, npt.NDArray[np.int64]], tuple[FloatArray, FloatArray]]


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Say what moved each beat's log-odds of the target class away from the background's mean.

    Of a sample it is the beat's value and the dominant beat's at the same instant together, since the model judges one
    against the other. Samples and context sum to the beat's log-odds minus the background's mean log-odds.

    Raises
    ------
    ExplanationError
        A target is no class, a beat is not finite, or the values do not sum to what they must within .01.
    """
    checked_finite(beats.waveform, beats.context)
    samples, rhythm = _explainer(model)(beats.waveform, beats.context, checked_target(target, len(beats)))
    return Attribution.of_samples(beats, samples, rhythm)


@lru_cache(maxsize=2)
def _explainer(model: LoadedModel) -> _Run:
    try:
        return _by_our_rules(model)
    except NoRule:
        return lambda *beats: by_package(model, *beats)


def _by_our_rules(model: LoadedModel) -> _Run:
    waveforms, contexts = model.background()
    graph = Backward(model.classifier_file)
    bends = [node.input[0] for node in graph.forward if node.op_type in BENDS]
    named = {f"bend_{i}": tensor for i, tensor in enumerate(bends)}
    there = open_session(graph.finished({"logits": graph.logits, **named}))
    background_logits, *before = there.run(None, {"waveform": waveforms, "context": contexts})
    graph = Backward(model.classifier_file)
    seed = graph.input("seed", (len(waveforms), len(CLASSES)))
    moved = graph.back(seed, ("waveform", "context"), rescale(dict(zip(bends, before, strict=True))))
    parts = [
        graph.node("Mul", by, graph.node("Sub", name, graph.constant(values)))
        for by, name, values in zip(moved, ("waveform", "context"), (waveforms, contexts), strict=True)
    ]
    by_sample = graph.node("ReduceSum", parts[0], graph.constant(np.array([2])), keepdims=0)
    means = [graph.node("ReduceMean", part, axes=[0], keepdims=0) for part in (by_sample, parts[1])]
    session = open_session(graph.finished({"samples": means[0], "rhythm": means[1]}))

    def run(waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        logits = model.logits(waveform, context)

        def of_one(row: int) -> tuple[FloatArray, FloatArray]:
            shares = seed_shares(logits[row], background_logits, model.temperature, int(target[row]))
            one = slice(row, row + 1)
            samples, rhythm = session.run(
                None, {"waveform": waveform[one], "context": context[one], "seed": shares.astype(np.float32)}
            )
            base = log_odds(background_logits, model.temperature, np.full(len(background_logits), target[row])).mean()
            own = log_odds(logits[one], model.temperature, target[one])[0]
            off = abs(samples.sum(dtype=np.float64) + rhythm.sum(dtype=np.float64) - (own - base))
            if not off <= _OFF:
                raise ExplanationError(
                    f"SHAP values towards {CLASSES[target[row]]} miss their sum by {off:.2g}.",
                    "Check the beats for values that are not finite, and the model for operations without a rule.",
                )
            return samples, rhythm

        samples = np.empty((len(waveform), WINDOW_SAMPLES), np.float32)
        rhythm = np.empty(context.shape, np.float32)
        with ThreadPoolExecutor(model.threads) as pool:
            for row, (of_samples, of_features) in enumerate(pool.map(of_one, range(len(waveform)))):
                samples[row], rhythm[row] = of_samples, of_features
        return samples, rhythm

    return run


def seed_shares(logits: FloatArray, background: FloatArray, temperature: float, target: int) -> _Doubles:
    """Say how much each logit moved the log-odds of one class, by the rescale rule, against each background beat.

    The log-odds are taken apart as in `ecg_core.explain.target`: ``total + softplus(column - total)``, one after the
    other.

    Parameters
    ----------
    logits : ndarray of float32, shape (5,)
        Of the beat.
    background : ndarray of float32, shape (m, 5)
    temperature : float
    target : int

    Returns
    -------
    ndarray of float64, shape (m, 5)
        Log-odds per logit.
    """
    own, others = (x.astype(np.float64) / temperature for x in (logits, background))
    shares = np.zeros((len(background), len(CLASSES)))
    first, *rest = (c for c in range(len(CLASSES)) if c != target)
    shares[:, target], shares[:, first] = 1, -1
    total, total_of_others = own[first], others[:, first]
    for c in rest:
        x, reference = own[c] - total, others[:, c] - total_of_others
        after, after_of_others = np.logaddexp(x, 0), np.logaddexp(reference, 0)
        near = np.abs(x - reference) < _NEAR
        share = np.where(near, 1 / (1 + np.exp(-x)), (after - after_of_others) / np.where(near, 1, x - reference))
        shares[:, [k for k in range(len(CLASSES)) if k != target]] *= (1 - share)[:, None]
        shares[:, c] = -share
        total, total_of_others = total + after, total_of_others + after_of_others
    return shares / temperature


def by_package(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Give the same by shap's own DeepExplainer, beat by beat.

    Raises
    ------
    ExplanationError
        The package has no rules for this model either, or the values miss their sum by its own check.
    """
    samples = np.zeros((len(waveform), WINDOW_SAMPLES), dtype=np.float32)
    rhythm = np.zeros(context.shape, dtype=np.float32)
    for c in np.unique(target):
        rows = np.flatnonzero(target == c)
        explainer = _package_explainer(model, int(c))
        try:
            values = explainer.shap_values([waveform[rows], context[rows]], check_additivity=True)
        except AssertionError as error:  # the package's way of saying that they do not sum up within .01 log-odds
            raise ExplanationError(
                f"SHAP values towards {CLASSES[c]} miss their sum: {error}",
                "Check the beats for values that are not finite, and the model for operations without a rule.",
            ) from error
        of_waveform, rhythm[rows] = (np.asarray(v)[..., 0] for v in values)
        samples[rows] = of_waveform.sum(axis=2)
    return samples, rhythm


def _has_recurrence(classifier: keras.Model) -> bool:
    import keras

    return any(isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) for layer in classifier.layers)


@lru_cache(maxsize=2 * len(CLASSES))
def _package_explainer(model: LoadedModel, target: int) -> Any:  # noqa: ANN401 — shap is not typed
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
