"""The model asked about every coalition of the clinical players: all 128 of a beat, none is drawn."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import ExplanationError
from ecg_core.explain.players import CONTEXT_PLAYER_INDEX, WAVE_PLAYER_INDEX, aligned_normal, sample_player
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.explain.target import checked_target, log_odds
from ecg_core.models import LoadedModel
from ecg_core.result import PLAYERS

_CHUNK: Final = 128
"""Beats at a time: their 32 waveforms each take 8 MB, their 128 contexts less."""
N_COALITIONS: Final = 2 ** len(PLAYERS)
IS_IN: Final = (np.arange(N_COALITIONS)[:, None] >> np.arange(len(PLAYERS)) & 1).astype(bool)
"""Which players are in each coalition, shape (128, 7): the first has none, the last all."""


def coalition_log_odds(
    model: LoadedModel, beats: ExplainedBeats, target: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """Evaluate all coalitions: log-odds of the target, float64, shape (n, 128), columns as `IS_IN`.

    The interval players touch the context alone, so only 32 waveforms of a beat pass the convolutions; the contexts
    of all 128 pass the small rest of the graph. The outcome is that of the whole graph.

    Raises
    ------
    ExplanationError
        A target is no class, or a beat is not finite.
    """
    target = checked_target(target, len(beats))
    values = np.empty((len(beats), N_COALITIONS))
    for start in range(0, len(beats), _CHUNK):
        rows = slice(start, start + _CHUNK)
        values[rows] = _of_chunk(model, beats.select(rows), target[rows])
    if not np.isfinite(values).all():
        raise ExplanationError("A log-odds is not finite.", "Check the beats for values that are not finite.")
    return values


def weighted(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum the coalitions' log-odds, shape (n, 128), by players' weights, shape (7, 128): shape (n, 7).

    Each beat's sum is the same to the bit alone and among others, which a product of matrices is not.
    """
    return np.stack([(values * of_player).sum(axis=1) for of_player in weights], axis=1)


def _of_chunk(model: LoadedModel, beats: ExplainedBeats, target: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    n = len(beats)
    waves_in = IS_IN[:, WAVE_PLAYER_INDEX]
    shapes_in, shape_of = np.unique(waves_in, axis=0, return_inverse=True)
    place_of_player = np.zeros(len(PLAYERS), np.int64)
    place_of_player[WAVE_PLAYER_INDEX] = np.arange(len(WAVE_PLAYER_INDEX))
    in_place = shapes_in.T[place_of_player[sample_player(beats)]]  # (n, 256, 32)
    waveform = np.empty((n, len(shapes_in), *beats.waveform.shape[1:]), np.float32)
    own, normal = beats.waveform[:, None, :, 0], aligned_normal(beats)[:, None, :]
    waveform[..., 0] = np.where(in_place.transpose(0, 2, 1), own, normal)
    waveform[..., 1] = beats.waveform[:, None, :, 1]
    context = np.where(
        IS_IN[None][:, :, CONTEXT_PLAYER_INDEX], beats.context[:, None, :], beats.normal_context[:, None, :]
    )
    split = model.split_classifier
    features = split.features(waveform.reshape(-1, *waveform.shape[2:]))
    passed = (np.arange(n)[:, None] * len(shapes_in) + shape_of[None, :]).ravel()
    logits = split.logits({k: v[passed] for k, v in features.items()}, context.reshape(-1, context.shape[2]))
    of_target = np.repeat(target, N_COALITIONS)
    return log_odds(logits, model.temperature, of_target).reshape(n, N_COALITIONS)
