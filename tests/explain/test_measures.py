"""Figures of trust on games worked out by hand."""

import numpy as np
import pytest

from ecg_core.explain import measures
from ecg_core.explain.coalitions import IS_IN
from ecg_core.result import PLAYERS

PARTS = np.array([0.3, 0.1, 0.0, 0.25, 0.05, 0.2, 0.1])
GAME = (IS_IN @ PARTS)[None]
"""An additive game: probabilities from 0 to 1."""


def test_taking_out_the_best_first_loses_most():
    order = np.argsort(-PARTS)[None]
    curve = measures.deletion_curve(GAME, order)[0]
    assert curve == pytest.approx(1 - np.concatenate([[0], np.cumsum(PARTS[order[0]])]))
    assert measures.random_curve(GAME)[0] == pytest.approx(np.linspace(1, 0, 8)), "a straight line"
    gains = {name: float(gain[0]) for name, gain in measures.gains(GAME, PARTS[None]).items()}
    by_hand = 0.5 - (np.sum(curve) - 0.5 * (curve[0] + curve[-1])) / 7
    assert gains["deletion"] == pytest.approx(by_hand)
    assert gains["insertion"] == pytest.approx(by_hand), "of an additive game"
    assert gains["reversed"] == pytest.approx(2 * by_hand)


def test_a_wrong_order_loses_against_chance():
    assert measures.gains(GAME, -PARTS[None])["deletion"][0] < 0


def test_all_orders_on_average_gain_nothing():
    random = np.random.default_rng(0)
    scores = random.random((4000, len(PLAYERS)))
    gain = measures.gains(np.repeat(GAME, 4000, axis=0), scores)["deletion"]
    assert abs(gain.mean()) < 0.005


def test_faithfulness_of_the_parts_is_one():
    assert measures.faithfulness(GAME, PARTS[None])[0] == pytest.approx(1)
    assert measures.faithfulness(GAME, -PARTS[None])[0] == pytest.approx(-1)


def test_rank_correlation_is_that_of_scipy_and_nothing_where_a_map_is_level():
    from scipy.stats import spearmanr

    random = np.random.default_rng(1)
    a, b = random.random((2, 5, 30)).round(1)
    found = measures.rank_correlation(a, b)
    assert found == pytest.approx([spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)])
    assert measures.rank_correlation(np.zeros((1, 30)), b[:1])[0] == 0


def test_the_interval_is_over_patients():
    """Many beats of one patient do not make it narrow."""
    patient = np.repeat(["a", "b", "c"], 1000)
    values = np.repeat([0.0, 0.5, 1.0], 1000)
    low, high = measures.interval_over_patients(values, patient)
    assert (low, high) == pytest.approx((0.0, 1.0), abs=0.01)
    assert np.isnan(measures.interval_over_patients(values[:2000], patient[:2000])).all(), "two patients say nothing"


def test_shares():
    absolute = np.array([[1.0, 0, 0, 3, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
    assert measures.share_of(absolute, ("qrs",)) == 0.75
    assert np.isnan(measures.share_of(absolute[1:], ("qrs",)))
