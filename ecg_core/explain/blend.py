"""The counterfactual: how little of the normal beat must be mixed into a beat until the model names another class."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.explain.players import CONTEXT_PLAYER_INDEX, WAVE_PLAYER_INDEX, aligned_normal, sample_player
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import PLAYERS, Blend

GRID: Final = 16
"""Steps in which the way is walked first: a class may turn, turn back and turn again."""
HALVINGS: Final = 6
"""Then the first step on which it turns is halved so often: the share is found within .001."""
_WAYS: Final = np.concatenate([np.ones((1, len(PLAYERS))), np.eye(len(PLAYERS))]).astype(np.float32)
"""Who is blended: all players alike, then each alone, shape (8, 7)."""
_AT_ONCE: Final = 64
"""Beats at a time: their blends take 16 MB."""


def smallest_blends(model: LoadedModel, beats: ExplainedBeats) -> list[Blend]:
    """Blend each beat toward its normal beat, all players alike and each alone, until its class turns.

    All ways of all beats are searched at once: one batch for the grid, one for each halving.

    Parameters
    ----------
    model : LoadedModel
    beats : ExplainedBeats

    Returns
    -------
    list of Blend
        One per beat.
    """
    parts = [_blends(model, beats.select(slice(i, i + _AT_ONCE))) for i in range(0, len(beats), _AT_ONCE)]
    return [blend for part in parts for blend in part]


def _blends(model: LoadedModel, beats: ExplainedBeats) -> list[Blend]:
    n, ways = len(beats), len(_WAYS)
    named = _Blended(model, beats)
    row, way = np.repeat(np.arange(n), ways), np.tile(np.arange(ways), n)
    steps = (np.arange(1, GRID + 1) / GRID).astype(np.float32)
    own = named(np.arange(n), np.zeros((n, len(PLAYERS)), np.float32))
    on_grid = named(np.repeat(row, GRID), np.repeat(_WAYS[way], GRID, axis=0) * np.tile(steps, n * ways)[:, None])
    turns = on_grid.reshape(n * ways, GRID) != own[row][:, None]
    searched = np.flatnonzero(turns.any(axis=1))
    first = turns[searched].argmax(axis=1)
    high, low = steps[first], steps[first] - 1 / GRID
    turned_to = on_grid.reshape(n * ways, GRID)[searched, first]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found = named(row[searched], _WAYS[way[searched]] * middle[:, None])
        beyond = found != own[row[searched]]
        turned_to = np.where(beyond, found, turned_to)
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    shares, classes = np.full((n, ways), np.nan), np.zeros((n, ways), np.int64)
    shares[row[searched], way[searched]], classes[row[searched], way[searched]] = high, turned_to
    return [
        Blend(
            share=float(shares[i, 0]),
            turns_to=CLASSES[classes[i, 0]] if np.isfinite(shares[i, 0]) else "",
            by_player={player: float(share) for player, share in zip(PLAYERS, shares[i, 1:], strict=True)},
        )
        for i in range(n)
    ]


class _Blended:
    """The class that the model names when players of beats are so far out.

    Where only intervals are blended the waveform is the beat's own and passes the convolutions once.
    """

    def __init__(self, model: LoadedModel, beats: ExplainedBeats) -> None:
        self._split, self._beats = model.split_classifier, beats
        self._owner = sample_player(beats)
        self._toward = aligned_normal(beats) - beats.waveform[:, :, 0]
        self._toward_context = beats.normal_context - beats.context
        self._own = self._split.features(beats.waveform)

    def __call__(self, row: npt.NDArray[np.int64], out: FloatArray) -> npt.NDArray[np.int64]:
        changed = np.flatnonzero(out[:, WAVE_PLAYER_INDEX].any(axis=1))
        of = row[changed]
        waveform = self._beats.waveform[of]
        waveform[:, :, 0] += np.take_along_axis(out[changed], self._owner[of], axis=1) * self._toward[of]
        place = row.copy()
        place[changed] = len(self._beats) + np.arange(changed.size)
        features = {
            name: np.concatenate([self._own[name], values])[place]
            for name, values in self._split.features(waveform).items()
        }
        context = self._beats.context[row] + out[:, CONTEXT_PLAYER_INDEX] * self._toward_context[row]
        classes: npt.NDArray[np.int64] = self._split.logits(features, context).argmax(axis=1)
        return classes
