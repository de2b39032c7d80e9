"""Gradients of the log-odds: saliency, gradient × input, integrated gradients, SmoothGrad.

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
IG_STEPS: Final = 32
SMOOTH_COPIES: Final = 24
SMOOTH_NOISE: Final = 0.1
"""Standard deviation of the added noise, as a share of the beat's range (Smilkov 2017 takes .1 to .2)."""
_SEED: Final = 0


def saliency(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> FloatArray:
    """Say how much each sample would move the target's log-odds (Simonyan 2014).

    Parameters
    ----------
    model : LoadedModel
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    target : ndarray of int, shape (n,)
        Class towards which each beat is explained.

    Returns
    -------
    ndarray of float32, shape (n, 256)
        Absolute gradient, maximum 1.

    Raises
    ------
    ExplanationError
        A target is no class, or a gradient is not finite.
    """
    return to_maximum_one(np.abs(gradients(model, waveform, context, target)[0]))


def gradient_x_input(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> tuple[FloatArray, FloatArray]:
    """Multiply each sample and feature by its gradient (Shrikumar 2016): the log-odds' first-order parts.

    Returns
    -------
    samples : ndarray of float32, shape (n, 256)
        Signed, log-odds.
    context : ndarray of float32, shape (n, K)
    """
    of_sample, of_feature = gradients(model, waveform, context, target)
    return of_sample * waveform[:, :, 0], of_feature * context


def integrated_gradients(
    model: LoadedModel,
    waveform: FloatArray,
    context: FloatArray,
    normal: FloatArray,
    normal_context: FloatArray,
    target: npt.NDArray[np.integer[Any]],
) -> tuple[FloatArray, FloatArray]:
    """Sum gradients along the straight way from the normal beat to the beat (Sundararajan 2017), midpoint rule.

    Parameters
    ----------
    model : LoadedModel
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    normal : ndarray of float32, shape (n, 256)
        Where the way begins, for instance `ecg_core.explain.players.aligned_normal`.
    normal_context : ndarray of float32, shape (n, K)
    target : ndarray of int, shape (n,)

    Returns
    -------
    samples : ndarray of float32, shape (n, 256)
        Signed, log-odds; with `context` they sum to the log-odds' difference, up to the rule's error.
    context : ndarray of float32, shape (n, K)
    """
    by_sample, by_feature = waveform[:, :, 0] - normal, context - normal_context
    steps = ((np.arange(IG_STEPS) + 0.5) / IG_STEPS).astype(np.float32)[:, None, None]

    def on_the_way(rows: slice) -> tuple[FloatArray, FloatArray]:
        own = normal[rows] + steps * by_sample[rows]
        return own, normal_context[rows] + steps * by_feature[rows]

    of_sample, of_feature = _mean_gradients(model, waveform, target, on_the_way, IG_STEPS)
    return by_sample * of_sample, by_feature * of_feature


def smoothgrad(
    model: LoadedModel, waveform: FloatArray, context: FloatArray, target: npt.NDArray[np.integer[Any]]
) -> FloatArray:
    """Average the gradient over noisy copies of the beat (Smilkov 2017), the same noise for every call.

    Returns
    -------
    ndarray of float32, shape (n, 256)
        Absolute mean gradient, maximum 1.
    """
    # One drawing for all beats: a beat is explained alike alone and among others.
    noise = np.random.default_rng(_SEED).standard_normal((SMOOTH_COPIES, 1, WINDOW_SAMPLES), dtype=np.float32)
    size = SMOOTH_NOISE * np.ptp(waveform[:, :, 0], axis=1, keepdims=True)

    def noisy(rows: slice) -> tuple[FloatArray, FloatArray]:
        same = np.broadcast_to(context[rows], (SMOOTH_COPIES, *context[rows].shape))
        return waveform[rows, :, 0] + size[rows] * noise, same

    return to_maximum_one(np.abs(_mean_gradients(model, waveform, target, noisy, SMOOTH_COPIES)[0]))


def _mean_gradients(
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
        found = gradients(model, *flat, np.tile(target[rows], n_copies))
        for part, values in zip(parts, found, strict=True):
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
        An output is not finite.
    """
    n = len(inputs[0])
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
