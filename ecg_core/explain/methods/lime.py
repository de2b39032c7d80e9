"""LIME over the clinical players (Ribeiro 2016), for comparison with the exact Shapley values.

The `lime` package draws perturbed beats and asks about one beat at a time. With seven players all 128 coalitions can be
asked about, so nothing is drawn, and the weighted ridge is the same small matrix for every beat.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.explain.attribution import Attribution, Target
from ecg_core.explain.coalitions import IS_IN, coalition_log_odds, weighted
from ecg_core.explain.reference import ExplainedBeats
from ecg_core.models import LoadedModel

KERNEL_WIDTH: Final = 0.25
RIDGE: Final = 1.0
"""Both as in the package's `lime_image`: cosine distance, ridge of 1 on the weighted squares."""


def explain(model: LoadedModel, beats: ExplainedBeats, target: Target) -> Attribution:
    """Fit the log-odds near the beat by a sum over the players that are in."""
    return Attribution.of_players(weighted(coalition_log_odds(model, beats, target), lime_matrix()))


@lru_cache(maxsize=1)
def lime_matrix() -> npt.NDArray[np.float64]:
    """Give the matrix that turns the 128 log-odds into weights, float64, shape (7, 128)."""
    inside = IS_IN.astype(np.float64)
    distance = 1 - np.sqrt(inside.mean(axis=1))  # cosine distance from the coalition of all
    nearness = np.sqrt(np.exp(-np.square(distance / KERNEL_WIDTH)))
    centre = nearness @ inside / nearness.sum()
    centred = inside - centre  # the intercept is not shrunk
    weighted = centred * nearness[:, None]
    solved: npt.NDArray[np.float64] = np.linalg.solve(
        centred.T @ weighted + RIDGE * np.eye(inside.shape[1]), weighted.T
    )
    return solved
