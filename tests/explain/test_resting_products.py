"""The 16 products of lead groups and waves: what a game worked out by hand gives, sums exact, errors honest."""

import numpy as np
import pytest

from ecg_core.explain.resting import N_ORDERS, joining_beats, sampled_orders, values_of_orders
from ecg_core.result.resting import EXACT_GAMES, GAMES, Resting


def asked(worth):
    """What a made-up model says of each coalition of each order; `worth` takes who has joined."""
    joined = np.argsort(sampled_orders(), axis=1)[:, None, :] < np.arange(17)[None, :, None]
    return np.array([[worth(one)] for one in joined.reshape(-1, 16)], dtype=np.float64)


def test_a_game_without_interplay_is_told_exactly():
    weights = np.linspace(-0.3, 0.5, 16)
    values, errors = values_of_orders(asked(lambda joined: 0.2 + joined @ weights), sampled_orders())
    assert values[:, 0] == pytest.approx(weights)
    assert errors[:, 0] == pytest.approx(0, abs=1e-12)


def test_two_that_count_together_share_and_the_sum_is_exact():
    values, errors = values_of_orders(asked(lambda joined: float(joined[3] and joined[9])), sampled_orders())
    # An order and its reverse: each of the two comes last once.
    assert values[[3, 9], 0] == pytest.approx([0.5, 0.5])
    assert np.delete(values[:, 0], [3, 9]) == pytest.approx(0)
    assert errors[:, 0] == pytest.approx(0, abs=1e-12)


def test_what_the_orders_leave_open_is_in_the_standard_error():
    def majority(joined):
        return float(joined[:5].sum() >= 3)

    values, errors = values_of_orders(asked(majority), sampled_orders())
    assert values.sum() == pytest.approx(1)
    assert errors[:5].max() > 0
    # By symmetry each of the five has a fifth; within four standard errors of few draws.
    assert np.abs(values[:5, 0] - 0.2).max() <= 4 * errors[:5].max()


def test_the_orders_come_in_reversed_pairs_and_stay_the_same():
    orders = sampled_orders()
    assert orders.shape == (N_ORDERS, 16)
    np.testing.assert_array_equal(orders[::2], orders[1::2, ::-1])
    assert len({tuple(order) for order in orders.tolist()}) == N_ORDERS


def test_each_product_owns_its_wave_in_its_leads_alone():
    own, normal = np.ones((12, 400), np.float32), np.zeros((12, 400), np.float32)
    resting = Resting(beat_mv=own, points={"qrs_on": 118.0, "qrs_off": 142.0, "t_on": 170.0})
    beats = joining_beats(resting, normal, sampled_orders()).reshape(N_ORDERS, 17, 12, 400)
    assert not beats[:, 0].any()
    assert (beats[:, -1] == 1).all()
    first = GAMES["products"][sampled_orders()[0, 0]]
    group = next(name for name in EXACT_GAMES["leads"] if first.startswith(name))
    leads = {"inferior": [1, 2, 5], "lateral": [0, 4, 10, 11], "septal": [6, 7], "anterior": [8, 9]}[group]
    changed = np.flatnonzero(np.delete(beats[0, 1], 3, axis=0).any(axis=1))
    assert [lead + (lead >= 3) for lead in changed.tolist()] == leads
    wave = first.removeprefix(f"{group}_")
    columns = {"p_wave": (0, 117), "qrs": (118, 142), "st": (143, 169), "t_wave": (170, 399)}[wave]
    at = np.flatnonzero(beats[0, 1, leads[0]])
    assert (at.min(), at.max()) == columns
