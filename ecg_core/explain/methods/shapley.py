"""Exact Shapley values over the clinical players (Shapley 1953)."""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np
import numpy.typing as npt

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.coalitions import IS_IN, N_COALITIONS, coalition_log_odds, weighted
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel
from ecg_core.result import PLAYERS


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Give `shapley_values` as an attribution."""
    return Attribution.of_players(shapley_values(model, beats, target))


def shapley_values(model: LoadedModel, beats: ExplainedBeats, target: Target) -> npt.NDArray[np.float64]:
    """Say how much each player of each beat, against the normal beat, moved the log-odds of the target class.

    Parameters
    ----------
    model : LoadedModel
    beats : ExplainedBeats
    target : ndarray of int, shape (n,)
        Class towards which each beat is explained.

    Returns
    -------
    ndarray of float64, shape (n, 7)
        By `PLAYERS`, calibrated log-odds. A row sums to the beat's log-odds minus those of its aligned normal beat.

    Raises
    ------
    ExplanationError
        A target is no class, or a beat is not finite.
    """
    return weighted(coalition_log_odds(model, beats, target), shapley_weights())


@lru_cache(maxsize=1)
def shapley_weights() -> npt.NDArray[np.float64]:
    """Weights of the coalitions in each player's value, float64, shape (7, 128).

    A coalition of ``s`` players that has the player counts ``(s - 1)! (k - s)! / k!``, the same without it the same
    with a minus.
    """
    k = len(PLAYERS)
    size = IS_IN.sum(axis=1)
    weights = np.zeros((k, N_COALITIONS))
    for player in range(k):
        has = IS_IN[:, player]
        weights[player, has] = [factorial(s - 1) * factorial(k - s) / factorial(k) for s in size[has]]
        weights[player, ~has] = [-factorial(s) * factorial(k - s - 1) / factorial(k) for s in size[~has]]
    return weights
