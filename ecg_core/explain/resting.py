"""Why a superclass of a resting ECG is called: Shapley values (1953) over lead groups, over waves, and over both.

Each is a game of its own. A coalition keeps its players of the recording's median beat and takes the others from the
mean normal median beat of the patients that were learned from. Of the four lead groups and of the four waves all 16
coalitions are asked: the values are exact. Their 16 products (a wave in a lead group) are estimated from
up to `N_ORDERS` orders of joining (Castro, Gomez and Tejada 2009, Comput Oper Res 36:1726), each with its reverse
(Mitchell, Cooper, Frank and Holmes 2022, JMLR 23:43): their sum is exact, each has a standard error. Rhythm, age, sex,
and where the waves begin and end stay those of the recording.
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
from ecg_core.result.resting import (
    EXACT_GAMES,
    GAMES,
    STANDARD_LEADS,
    SUPERCLASSES,
    TERRITORIES,
    ExactGame,
    LabelAttribution,
    Resting,
)  # fmt: skip

N_ORDERS: Final = 8
"""Orders in which the products join, at most; half of them are the reverse of the others."""
EXACT_ENOUGH: Final = 0.01
"""Half of the orders do where no standard error is above this."""
N_PLAYERS: Final = 4
IS_IN: Final = (np.arange(2**N_PLAYERS)[:, None] >> np.arange(N_PLAYERS) & 1).astype(bool)
"""Which players are in each coalition, shape (16, 4): the first has none, the last all."""
_ST_WITHOUT_T: Final = 20
"""Samples (80 ms) after the QRS complex that are ST where no T wave is bounded."""
_I, _II, _AVR = (STANDARD_LEADS.index(name) for name in ("I", "II", "aVR"))


def explain_resting(model: RestingModel, resting: Resting, labels: Sequence[str]) -> tuple[LabelAttribution, ...]:
    """Play all games for superclasses.

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
    beats = [coalition_beats(resting, model.normal_beat_mv, game) for game in EXACT_GAMES]
    first, more = np.split(sampled_orders(), 2)
    beats.append(joining_beats(resting, model.normal_beat_mv, first))
    *exact, joining = _probabilities(model, resting, beats, labels)
    products, errors = values_of_orders(joining, first)
    if errors.max() > EXACT_ENOUGH:
        beats = [joining_beats(resting, model.normal_beat_mv, more)]
        joining = np.concatenate([joining, *_probabilities(model, resting, beats, labels)])
        products, errors = values_of_orders(joining, sampled_orders())
    exact = [shapley_weights() @ each for each in exact]
    values = dict(zip(GAMES, (*exact, products), strict=True))
    return tuple(
        LabelAttribution(
            label, game, player, float(values[game][k, column]),
            None if game in EXACT_GAMES else float(errors[k, column]),
        )
        for column, label in enumerate(labels)
        for game, players in GAMES.items()
        for k, player in enumerate(players)
    )  # fmt: skip


def coalition_probabilities(
    model: RestingModel, resting: Resting, labels: Sequence[str]
) -> dict[ExactGame, npt.NDArray[np.float64]]:
    """Ask the model about all coalitions: probabilities by game, shape (16, n_labels), rows in the order of `IS_IN`."""
    beats = [coalition_beats(resting, model.normal_beat_mv, game) for game in EXACT_GAMES]
    return dict(zip(EXACT_GAMES, _probabilities(model, resting, beats, labels), strict=True))


def _probabilities(
    model: RestingModel, resting: Resting, beats: Sequence[FloatArray], labels: Sequence[str]
) -> list[npt.NDArray[np.float64]]:
    """Ask about all beats at once; probabilities of each part, shape (n, n_labels)."""
    classes = [SUPERCLASSES.index(label) for label in labels]
    asked = model.probabilities(resting, np.concatenate(beats), classes).astype(np.float64)
    return np.split(asked, np.cumsum([len(part) for part in beats])[:-1])


def coalition_beats(resting: Resting, normal_mv: FloatArray, game: ExactGame) -> FloatArray:
    """Make the beats of all coalitions, float32, shape (16, 12, n_columns), in the order of `IS_IN`."""
    return mixed_beats(resting, normal_mv, IS_IN[:, player_of_sample(resting, game)])


def joining_beats(resting: Resting, normal_mv: FloatArray, orders: npt.NDArray[np.int64]) -> FloatArray:
    """Make the beats of products joining in these orders, (n, 16): none, the first, the first two, …, all; n * 17."""
    player = player_of_sample(resting, "leads") * N_PLAYERS + player_of_sample(resting, "waves")
    joined = np.argsort(orders, axis=1)[:, None, :] < np.arange(len(GAMES["products"]) + 1)[None, :, None]
    return mixed_beats(resting, normal_mv, joined.reshape(-1, joined.shape[-1])[:, player])


def values_of_orders(
    probabilities: npt.NDArray[np.float64], orders: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give the products' Shapley values and their standard errors, each (16, n_labels).

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_orders * 17, n_labels)
        Of `joining_beats`.
    orders : ndarray of int64, shape (n_orders, 16)
        Each followed by its reverse.
    """
    steps = np.diff(probabilities.reshape(len(orders), -1, probabilities.shape[1]), axis=1)
    gained = np.take_along_axis(steps, np.argsort(orders, axis=1)[..., None], axis=1)
    # An order and its reverse are one draw: what they have in common cancels out.
    pairs = (gained[::2] + gained[1::2]) / 2
    return pairs.mean(axis=0), pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))


@lru_cache(maxsize=1)
def sampled_orders() -> npt.NDArray[np.int64]:
    """Give the orders of joining, shape (`N_ORDERS`, 16): always the same, so that scoring twice gives the same."""
    rng = np.random.default_rng(0)
    drawn = [rng.permutation(len(GAMES["products"])) for _ in range(N_ORDERS // 2)]
    return np.array([order for one in drawn for order in (one, one[::-1])])


def mixed_beats(resting: Resting, normal_mv: FloatArray, kept: npt.NDArray[np.bool_]) -> FloatArray:
    """Make beats that keep some of the recording's samples and have the normal beat's elsewhere, as float32.

    Parameters
    ----------
    resting : Resting
    normal_mv : ndarray of float32, shape (12, n_columns)
    kept : ndarray of bool, shape (n, 12, n_columns)

    Returns
    -------
    ndarray of float32, shape (n, 12, n_columns)
        A lead that cannot be read stays unknown in all of them.
    """
    own = resting.beat_mv
    beats = np.where(kept, own, normal_mv[:, : own.shape[1]])
    # Lead aVR belongs to no wall: it follows from I and II where one of them is exchanged alone.
    mixed = kept[:, _I] != kept[:, _II]
    beats[:, _AVR] = np.where(mixed, -(beats[:, _I] + beats[:, _II]) / 2, beats[:, _AVR])
    beats[:, np.isnan(own).any(axis=1)] = np.nan
    return beats.astype(np.float32, copy=False)


def player_of_sample(resting: Resting, game: ExactGame) -> npt.NDArray[np.int64]:
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
