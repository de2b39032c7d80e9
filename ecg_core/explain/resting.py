"""Why a superclass of a resting ECG is called: exact Shapley values (1953) over four lead groups and over four waves.

Each is a game of its own. A coalition keeps its players of the recording's median beat and takes the others from the
mean normal median beat of the patients that were learned from; all 16 coalitions are asked. Rhythm, age, sex, and where
the waves begin and end stay those of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import factorial
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.models.resting import RestingModel
from ecg_core.recording import FloatArray
from ecg_core.result.resting import GAMES, STANDARD_LEADS, SUPERCLASSES, TERRITORIES, Game, LabelAttribution, Resting

N_PLAYERS: Final = 4
IS_IN: Final = (np.arange(2**N_PLAYERS)[:, None] >> np.arange(N_PLAYERS) & 1).astype(bool)
"""Which players are in each coalition, shape (16, 4): the first has none, the last all."""
_ST_WITHOUT_T: Final = 20
"""Samples (80 ms) after the QRS complex that are ST where no T wave is bounded."""
_I, _II, _AVR = (STANDARD_LEADS.index(name) for name in ("I", "II", "aVR"))


def explain_resting(model: RestingModel, resting: Resting, labels: Sequence[str]) -> tuple[LabelAttribution, ...]:
    """Play both games for superclasses.

    Parameters
    ----------
    model : RestingModel
    resting : Resting
        Measured, not read from a database.
    labels : sequence of str
        Superclasses to explain.

    Returns
    -------
    tuple of LabelAttribution
        By label, game and player; a game's values sum to the probability, less that with the mean normal beat.
    """
    if not labels:
        return ()
    values = {
        game: shapley_weights() @ asked for game, asked in coalition_probabilities(model, resting, labels).items()
    }
    return tuple(
        LabelAttribution(label, game, player, float(values[game][k, column]))
        for column, label in enumerate(labels)
        for game, players in GAMES.items()
        for k, player in enumerate(players)
    )


def coalition_probabilities(
    model: RestingModel, resting: Resting, labels: Sequence[str]
) -> dict[Game, npt.NDArray[np.float64]]:
    """Ask the model about all coalitions: probabilities by game, shape (16, n_labels), rows in the order of `IS_IN`."""
    beats = [coalition_beats(resting, model.normal_beat_mv, game) for game in GAMES]
    classes = [SUPERCLASSES.index(label) for label in labels]
    asked = model.probabilities(resting, np.concatenate(beats), classes).astype(np.float64)
    return dict(zip(GAMES, np.split(asked, len(beats)), strict=True))


def coalition_beats(resting: Resting, normal_mv: FloatArray, game: Game) -> FloatArray:
    """Make the beats of all coalitions, float32, shape (16, 12, n_columns), in the order of `IS_IN`.

    A lead that cannot be read stays unknown in all of them.
    """
    own = resting.beat_mv
    kept = IS_IN[:, player_of_sample(resting, game)]
    beats = np.where(kept, own, normal_mv[:, : own.shape[1]])
    # Lead aVR belongs to no wall: it follows from I and II where one of them is exchanged alone.
    mixed = kept[:, _I] != kept[:, _II]
    beats[:, _AVR] = np.where(mixed, -(beats[:, _I] + beats[:, _II]) / 2, beats[:, _AVR])
    beats[:, np.isnan(own).any(axis=1)] = np.nan
    return beats.astype(np.float32)


def player_of_sample(resting: Resting, game: Game) -> npt.NDArray[np.int64]:
    """Whose each sample of the median beat is: index into `GAMES`, shape (12, n_columns)."""
    shape = resting.beat_mv.shape
    if game == "leads":
        of_lead = {lead: k for k, name in enumerate(GAMES["leads"]) for lead in TERRITORIES[name]}
        of_lead["aVR"] = of_lead["I"]
        return np.broadcast_to(np.array([of_lead[lead] for lead in STANDARD_LEADS])[:, None], shape)
    on, off, t_on = (resting.points.get(name, np.nan) for name in ("qrs_on", "qrs_off", "t_on"))
    # A T wave that begins within a sample of the QRS complex's end leaves no ST segment.
    t_on = max(t_on, off + 1) if np.isfinite(t_on) and t_on > off else off + _ST_WITHOUT_T
    return np.broadcast_to(np.digitize(np.arange(shape[1]), [on, off + 1, t_on]), shape)


@lru_cache(maxsize=1)
def shapley_weights() -> npt.NDArray[np.float64]:
    """Weights of the coalitions in each player's value, shape (4, 16).

    A coalition of ``s`` players that has the player counts ``(s - 1)! (k - s)! / k!``, the same without it the same
    with a minus.
    """
    k, size = N_PLAYERS, IS_IN.sum(axis=1)
    with_player = np.array([factorial(max(s - 1, 0)) * factorial(k - s) for s in size]) / factorial(k)
    without = np.array([factorial(s) * factorial(max(k - s - 1, 0)) for s in size]) / factorial(k)
    return np.where(IS_IN.T, with_player, -without)
