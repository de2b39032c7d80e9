"""Gradients of the log-odds, for the methods that are made of them.

All are towards the target class's calibrated log-odds (`ecg_core.explain.target`) and with respect to the beat, not to
the dominant beat beside it, which is the same in all of a recording's beats. ONNX Runtime computes them on the
classifier's own graph (`ecg_core.models.onnx_backward`). Only a graph with an operator that has no rule there (a
recurrent layer) is left to TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain import keras_gradients
from ecg_core.explain.target import checked_finite, checked_target
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.models.onnx_backward import Backward, NoRule, derivative, guided
from ecg_core.models.onnx_files import in_batches, open_session
from ecg_core.recording import FloatArray

Kind = Literal["gradients", "maps", "guided"]
"""What a way back gives: the gradient by sample and by feature; the last convolution's map (Grad-CAM, before it is cut
at 0) and the gradient by sample; guided backpropagation by sample."""
Run = Callable[[FloatArray, FloatArray, npt.NDArray[np.int64]], tuple[FloatArray, ...]]
_AT_ONCE: Final = 2048
"""Changed copies of beats at a time, about."""
_NEVER: Final = np.float32(1e9)


def gradients(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> tuple[FloatArray, FloatArray]:
    """Compute the log-odds' gradient.

    Returns
    -------
    by_sample : ndarray of float32, shape (n, 256)
    by_feature : ndarray of float32, shape (n, K)

    Raises
    ------
    ExplanationError
        A target is no class, or a beat or a gradient is not finite.
    """
    by_sample, by_feature = way_back(model, "gradients", waveform, context, target)
    return by_sample, by_feature


def mean_gradients(
    model: LoadedModel,
    waveform: FloatArray,
    target: npt.NDArray[np.integer[Any]],
    copies: Callable[[slice], tuple[FloatArray, FloatArray]],
    n_copies: int,
) -> tuple[FloatArray, FloatArray]:
    """Average the gradient over changed copies of each beat, some beats at a time.

    ``copies(rows)`` gives beats (n_copies, rows, 256) and contexts (n_copies, rows, K).
    """
    target = checked_target(target, len(waveform))
    at_once = max(1, _AT_ONCE // n_copies)
    parts: list[list[FloatArray]] = [[], []]
    for start in range(0, max(len(waveform), 1), at_once):
        rows = slice(start, min(start + at_once, len(waveform)))
        beats, contexts = copies(rows)
        changed = np.empty((n_copies, *waveform[rows].shape), np.float32)
        changed[..., 0], changed[..., 1] = beats, waveform[rows, :, 1]
        flat = changed.reshape(-1, *waveform.shape[1:]), contexts.reshape(-1, contexts.shape[2])
        changed_gradients = gradients(model, *flat, np.tile(target[rows], n_copies))
        for part, values in zip(parts, changed_gradients, strict=True):
            part.append(values.reshape(n_copies, -1, values.shape[1]).mean(axis=0))
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def way_back(
    model: LoadedModel,
    kind: Kind,
    waveform: FloatArray,
    context: FloatArray,
    target: npt.NDArray[np.integer[Any]],
) -> tuple[FloatArray, ...]:
    """Compute what `Kind` says.

    Raises
    ------
    ExplanationError
        A target is no class, an input or an output is not finite, or the model has no convolution to make a map of.
    """
    target = checked_target(target, len(waveform))
    checked_finite(waveform, context)
    found = _way_back(model, kind)(waveform, context, target)
    if not all(np.isfinite(values).all() for values in found):
        raise ExplanationError("A gradient is not finite.", "Check the beats for values that are not finite.")
    return found


@lru_cache(maxsize=6)
def _way_back(model: LoadedModel, kind: Kind) -> Run:
    graph = Backward(model.classifier_file)
    try:
        outputs = _OUTPUTS[kind](graph, _log_odds_seed(graph, model.temperature))
    except NoRule:
        return keras_gradients.traced(model, kind)
    session = open_session(graph.finished(outputs))

    def run(waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.int64]) -> tuple[FloatArray, ...]:
        towards = np.eye(len(CLASSES), dtype=np.float32)[target]
        fed = {"waveform": waveform, "context": context, "towards": towards}
        return tuple(in_batches(session, None, fed, model.threads))

    return run


def _log_odds_seed(graph: Backward, temperature: float) -> str:
    """Write the derivative of the log-odds by the logits: 1 for the class, less their share for the others."""
    towards = graph.input("towards", (None, len(CLASSES)))
    per_logit = graph.constant(np.float32(temperature))
    scaled = graph.node("Div", graph.logits, per_logit)
    others = graph.node("Sub", scaled, graph.node("Mul", towards, graph.constant(_NEVER)))
    by_scaled = graph.node("Sub", towards, graph.node("Softmax", others, axis=1))
    return graph.node("Div", by_scaled, per_logit)


def _gradients(graph: Backward, seed: str) -> dict[str, str]:
    by_waveform, by_context = graph.back(seed, ("waveform", "context"), derivative)
    return {"by_sample": _of_the_beat(graph, by_waveform), "by_feature": by_context}


def _maps(graph: Backward, seed: str) -> dict[str, str]:
    seen = graph.last_convolution()
    by_place, by_waveform = graph.back(seed, (seen, "waveform"), derivative)
    places = graph.shape(seen)[2]
    # Products of matrices, since sums over an axis come out otherwise in another batch, in the last digit.
    mean = graph.constant(np.full((places, 1), 1 / places, np.float32))
    weights = graph.node("Transpose", graph.node("MatMul", by_place, mean), perm=[0, 2, 1])
    cam = graph.node("Squeeze", graph.node("MatMul", weights, seen), graph.constant(np.array([1])))
    return {"cam": cam, "by_sample": _of_the_beat(graph, by_waveform)}


def _guided(graph: Backward, seed: str) -> dict[str, str]:
    (by_waveform,) = graph.back(seed, ("waveform",), guided)
    return {"by_sample": _of_the_beat(graph, by_waveform)}


def _of_the_beat(graph: Backward, by_waveform: str) -> str:
    return graph.node("Gather", by_waveform, graph.constant(np.array(0)), axis=2)


_OUTPUTS: Final[Mapping[Kind, Callable[[Backward, str], dict[str, str]]]] = {
    "gradients": _gradients,
    "maps": _maps,
    "guided": _guided,
}


def to_maximum_one(values: FloatArray) -> FloatArray:
    """Divide each row by its highest value; a row without any stays 0."""
    highest = values.max(axis=1, keepdims=True, initial=0)
    scaled: FloatArray = np.divide(values, highest, out=np.zeros_like(values), where=highest > 0)
    return scaled
