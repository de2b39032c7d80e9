"""The counterfactual: how little of the normal beat must be mixed into a beat until the model names another class."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.explain.players import aligned_normal, compose
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import PLAYERS, Blend

GRID: Final = 16
"""Steps in which the way is walked first: a class may turn, turn back and turn again."""
HALVINGS: Final = 6
"""Then the first step on which it turns is halved so often: the share is found within .001."""


def smallest_blends(model: LoadedModel, beats: ExplainedBeats) -> list[Blend]:
    """Blend each beat toward its normal beat, all players alike and each alone, until its class turns.

    Parameters
    ----------
    model : LoadedModel
    beats : ExplainedBeats

    Returns
    -------
    list of Blend
        One per beat.
    """
    together, turned = _first_turn(model, beats, np.ones(len(PLAYERS), np.float32))
    alone = {}
    for i, player in enumerate(PLAYERS):
        alone[player] = _first_turn(model, beats, np.eye(len(PLAYERS), dtype=np.float32)[i])[0]
    return [
        Blend(
            share=float(together[row]),
            turns_to=CLASSES[turned[row]] if np.isfinite(together[row]) else "",
            by_player={player: float(shares[row]) for player, shares in alone.items()},
        )
        for row in range(len(beats))
    ]


def _first_turn(
    model: LoadedModel, beats: ExplainedBeats, players: FloatArray
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Share at which the class turns first (NaN: never) and the class then, when these players are blended."""
    n = len(beats)
    normal = aligned_normal(beats)

    def named(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        out = share[:, None].astype(np.float32) * players[None, :]
        classes: npt.NDArray[np.int64] = model.logits(*compose(beats, out, normal)).argmax(axis=1)
        return classes

    own = named(np.zeros(n))
    low, high = np.zeros(n), np.full(n, np.nan)
    for step in np.arange(1, GRID + 1) / GRID:
        turns = np.isnan(high) & (named(np.full(n, step)) != own)
        high[turns], low[turns] = step, step - 1 / GRID
    turned = np.isfinite(high)
    for _ in range(HALVINGS):
        middle = (low + np.where(turned, high, low)) / 2
        beyond = turned & (named(middle) != own)
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    return high, named(np.where(turned, high, 0.0))
