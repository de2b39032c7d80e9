"""Gradients of the log-odds, batch by batch, for the methods that are made of them.

All are towards the target class's calibrated log-odds (`ecg_core.explain.target`) and with respect to the beat, not to
the dominant beat beside it, which is the same in all of a recording's beats.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.target import checked_target, log_odds_model
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import WINDOW_SAMPLES

BATCH: Final = 256
"""The last batch is padded to this, so that a graph is traced once."""


def mean_gradients(
    model: LoadedModel,
    waveform: FloatArray,
    target: npt.NDArray[np.integer[Any]],
    copies: Callable[[slice], tuple[FloatArray, FloatArray]],
    n_copies: int,
) -> tuple[FloatArray, FloatArray]:
    """Average the gradient over changed copies of each beat, as many beats at a time as fill a few batches.

    ``copies(rows)`` gives beats (n_copies, rows, 256) and contexts (n_copies, rows, K).
    """
    target = checked_target(target, len(waveform))
    at_once = max(1, 8 * BATCH // n_copies)
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
        A target is no class, or a gradient is not finite.
    """
    target = checked_target(target, len(waveform))
    by_sample, by_feature = in_batches(_traced(model), (waveform, context, target.astype(np.int32)))
    return by_sample, by_feature


@lru_cache(maxsize=2)
def _traced(model: LoadedModel) -> Callable[..., tuple[Any, ...]]:
    import tensorflow as tf

    explained = log_odds_model(model)

    @tf.function(input_signature=signature(explained))  # type: ignore[untyped-decorator]
    def run(waveform: Any, context: Any, target: Any) -> tuple[Any, ...]:  # noqa: ANN401 — TensorFlow is not typed
        with tf.GradientTape() as tape:
            tape.watch([waveform, context])
            log_odds = explained([waveform, context], training=False)
            # Beats do not touch each other, so the gradient of the sum is each beat's own.
            chosen = tf.reduce_sum(tf.gather(log_odds, target, batch_dims=1))
        unconnected = tf.UnconnectedGradients.ZERO
        by_waveform, by_context = tape.gradient(chosen, [waveform, context], unconnected_gradients=unconnected)
        return by_waveform[:, :, 0], by_context

    return run  # type: ignore[no-any-return]


def signature(explained: Any) -> list[Any]:  # noqa: ANN401 — Keras is not typed
    """Give what a traced graph takes: a full batch of waveforms, contexts and targets."""
    import tensorflow as tf

    return [
        tf.TensorSpec((BATCH, WINDOW_SAMPLES, 2), tf.float32),
        tf.TensorSpec((BATCH, explained.inputs[1].shape[1]), tf.float32),
        tf.TensorSpec((BATCH,), tf.int32),
    ]


def in_batches(
    run: Callable[..., tuple[Any, ...]],
    inputs: tuple[npt.NDArray[Any], ...],
    finish: Callable[..., tuple[FloatArray, ...]] = lambda *outputs: outputs,
) -> tuple[FloatArray, ...]:
    """Run a traced graph over any number of beats.

    ``finish`` makes what is kept of a batch's outputs, which must be finite: whole maps of a day's beats are large.

    Raises
    ------
    ExplanationError
        An input or an output is not finite. The gradient of an activation may be finite where its input is not.
    """
    n = len(inputs[0])
    if not all(np.isfinite(values).all() for values in inputs):
        raise ExplanationError("A beat is not finite.", "Check the beats for values that are not finite.")
    kept: tuple[FloatArray, ...] = ()
    for start in range(0, max(n, 1), BATCH):
        size = min(BATCH, n - start)
        outputs = [np.asarray(out)[:size] for out in run(*(_padded(x[start : start + BATCH]) for x in inputs))]
        if not all(np.isfinite(out).all() for out in outputs):
            raise ExplanationError("A gradient is not finite.", "Check the beats for values that are not finite.")
        finished = finish(*outputs)
        kept = kept or tuple(np.empty((n, *part.shape[1:]), np.float32) for part in finished)
        for whole, part in zip(kept, finished, strict=True):
            whole[start : start + size] = part
    return kept


def _padded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    missing = BATCH - len(values)
    return np.pad(values, [(0, missing)] + [(0, 0)] * (values.ndim - 1)) if missing else values


def to_maximum_one(values: FloatArray) -> FloatArray:
    """Divide each row by its highest value; a row without any stays 0."""
    highest = values.max(axis=1, keepdims=True, initial=0)
    scaled: FloatArray = np.divide(values, highest, out=np.zeros_like(values), where=highest > 0)
    return scaled
