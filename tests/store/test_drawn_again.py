"""A result that went through Postgres is drawn to the same bytes, whatever it holds of explanations."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.made_up import drawn
from ecg_core.report import render
from ecg_core.result import PLAYERS, Blend, snap_to_steps
from ecg_core.result.methods import MAPS
from ecg_core.store import read_result, write_result


def _usual():
    result = drawn("N" * 20 + "VVV" + "N" * 20 + "S" + "N" * 9, n_chosen=30)
    random = np.random.default_rng(4)
    chosen = [
        replace(
            beat,
            attributions={method: random.normal(0, 1, 256).astype(np.float32) for method in MAPS},
            shapley={player: float(value) for player, value in zip(PLAYERS, random.normal(0, 1, 7), strict=True)},
            waves_ms=np.where(random.random(8) < 0.3, np.nan, beat.waves_ms).astype(np.float32),
            blend=(None, Blend(float("nan"), "", {}), beat.blend)[beat.beat_index % 3],
            own_reference=beat.beat_index % 2 == 0,
        )
        for beat in result.chosen[16:24]
    ]
    return replace(result, chosen=tuple(chosen), signal_mv=snap_to_steps(result.signal_mv))


def _bare():
    result = _usual()
    chosen = tuple(
        replace(beat, attributions={}, context_shap={}, shapley={}, lime={}, deviation_by_wave={}, blend=None)
        for beat in result.chosen
    )
    return replace(result, chosen=chosen, shapley=drawn("N").shapley)


@pytest.mark.parametrize("result", [_usual(), _bare()], ids=["explained in full", "not explained"])
def test_what_was_stored_is_drawn_to_the_same_bytes(engine, result):
    with engine.begin() as conn:
        run = write_result.write_result(conn, result, "test")
    with engine.connect() as conn:
        again = read_result.read_result(conn, run)
    one, other = render(result).splitlines(), render(again).splitlines()
    different = [(a[:200], b[:200]) for a, b in zip(one, other, strict=False) if a != b]
    assert different == []
    assert len(one) == len(other)
