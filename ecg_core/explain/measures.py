"""Figures of how far an explanation can be trusted, from arrays alone.

Deletion and insertion (Petsiuk 2018) go over the seven players, whose 128 coalitions are all evaluated: a curve of any
order is looked up, and what a random order gives is the mean over all orders, not over a few draws.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.explain.coalitions import IS_IN, N_COALITIONS
from ecg_core.result import PLAYERS

Array = npt.NDArray[np.float64]
_DRAWS: Final = 2000
_SEED: Final = 0
_BIT: Final = 1 << np.arange(len(PLAYERS))


def rank_correlation(one: Array, other: Array) -> Array:
    """Correlate two maps of each beat by Spearman's rank correlation, float64, shape (n,).

    Parameters
    ----------
    one, other : ndarray of float64, shape (n, units)

    Returns
    -------
    ndarray of float64, shape (n,)
        0 where a map is the same everywhere: it says nothing that could agree.
    """
    from scipy.stats import rankdata

    a, b = (rankdata(values, axis=1) for values in (one, other))
    return _correlation(a, b)


def _correlation(a: Array, b: Array) -> Array:
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    size = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    return np.asarray(np.divide((a * b).sum(axis=1), size, out=np.zeros(len(a)), where=size > 0))


def deletion_curve(probability: Array, order: npt.NDArray[np.int64]) -> Array:
    """Probability of the explained class while players are taken out one after the other.

    Parameters
    ----------
    probability : ndarray of float64, shape (n, 128)
        Of each coalition, columns as `IS_IN`.
    order : ndarray of int64, shape (n, 7)
        Players, the first to go first.

    Returns
    -------
    ndarray of float64, shape (n, 8)
        From all in to all out.
    """
    gone = np.concatenate([np.zeros((len(order), 1), np.int64), np.cumsum(_BIT[order], axis=1)], axis=1)
    return np.take_along_axis(probability, N_COALITIONS - 1 - gone, axis=1)


def random_curve(probability: Array) -> Array:
    """Return the mean `deletion_curve` over all 5,040 orders, shape (n, 8)."""
    size = IS_IN.sum(axis=1)
    return np.stack([probability[:, size == k].mean(axis=1) for k in range(len(PLAYERS), -1, -1)], axis=1)


def area(curve: Array) -> Array:
    """Area under each curve by the trapezoid rule, the axis from 0 to 1, shape (n,)."""
    return np.asarray((curve[:, 1:] + curve[:, :-1]).mean(axis=1) / 2)


def gains(probability: Array, score: Array) -> dict[str, Array]:
    """Say how much better a method's order of players is than none.

    Parameters
    ----------
    probability : ndarray of float64, shape (n, 128)
    score : ndarray of float64, shape (n, 7)
        The method's: the higher, the more for the class.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
        ``deletion``: area of the random order minus the method's (players with the highest score go first);
        ``insertion``: area of the method's (they come first) minus random; ``reversed``: area of the reversed order
        minus the method's, for deletion.
    """
    order = np.argsort(-score, axis=1, kind="stable")
    by_chance = area(random_curve(probability))
    deleted, the_other_way = (area(deletion_curve(probability, o)) for o in (order, order[:, ::-1]))
    # Putting in the best first is taking out the worst first, seen from the other end.
    return {
        "deletion": by_chance - deleted,
        "insertion": the_other_way - by_chance,
        "reversed": the_other_way - deleted,
    }


def faithfulness(log_odds: Array, score: Array) -> Array:
    """Correlate what is lost without some players with what the method gave these (Bhatt 2020), over all coalitions.

    Parameters
    ----------
    log_odds : ndarray of float64, shape (n, 128)
    score : ndarray of float64, shape (n, 7)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    return _correlation(log_odds[:, -1:] - log_odds, score @ (~IS_IN).T.astype(np.float64))


def interval_over_patients(values: Array, patient: npt.NDArray[np.str_]) -> tuple[float, float]:
    """Give the 95 % interval of the mean: patients are drawn again, with replacement, 2,000 times.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
    patient : ndarray of str, shape (n,)

    Returns
    -------
    low, high : float
        NaN with fewer than three patients: then nothing can be said of the next one.
    """
    names = np.unique(patient)
    if names.size < 3:
        return float("nan"), float("nan")
    sums = np.array([[values[patient == name].sum(), (patient == name).sum()] for name in names])
    draws = np.random.default_rng(_SEED).integers(names.size, size=(_DRAWS, names.size))
    drawn = sums[draws].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    return float(low), float(high)


def share_of(absolute: Array, players: tuple[str, ...]) -> float:
    """Mean over beats of the share of the absolute attribution that these players have; NaN without any."""
    total = absolute.sum(axis=1)
    chosen = absolute[:, [PLAYERS.index(name) for name in players]].sum(axis=1)
    return float((chosen[total > 0] / total[total > 0]).mean()) if (total > 0).any() else float("nan")
