"""V beats by shape: groups with known members, beats like no other, and marks that hop within one shape."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.made_up import drawn
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.result.morphologies import AFTER_S, BEFORE_S, morphologies

N_SAMPLES = round(ANALYSIS_RATE_HZ * 0.16)


def bump(*parts: tuple[float, float, float]) -> np.ndarray:
    """Sum of Gaussians (height in mV, place and width in s) from R − 160 ms to R + 160 ms."""
    t = np.arange(-N_SAMPLES, N_SAMPLES + 1) / ANALYSIS_RATE_HZ
    return sum(height * np.exp(-(((t - at) / width) ** 2)) for height, at, width in parts)


SHAPES = {
    "up": bump((2.0, 0.0, 0.05)),
    "down": bump((-1.5, 0.02, 0.04), (0.5, -0.06, 0.03)),
    "odd": bump((1.0, -0.07, 0.015), (-1.0, 0.0, 0.015), (1.0, 0.07, 0.015)),
}


def recorded(shapes: list[str], *, hop_s: float = 0.0, noise_mv: float = 0.02) -> Result:
    """One V beat of each shape between normal ones; every second mark hops."""
    result = drawn("NNV" * len(shapes) + "NN")
    random = np.random.default_rng(1)
    signal = random.normal(0, noise_mv, result.signal_mv.shape).astype(np.float32)
    r_time_s = result.beats.r_time_s.copy()
    for i, shape in enumerate(shapes):
        row = 3 * i + 2
        at = round(r_time_s[row] * ANALYSIS_RATE_HZ)
        signal[at - N_SAMPLES : at + N_SAMPLES + 1, :] += SHAPES[shape][:, None]
        r_time_s[row] += hop_s * (i % 2)
    return replace(result, signal_mv=signal, beats=replace(result.beats, r_time_s=r_time_s))


@pytest.mark.parametrize("hop_s", [0.0, 0.04])
def test_each_shape_is_one_group_wherever_in_it_the_mark_stands(hop_s):
    found = morphologies(recorded((["up"] * 4 + ["down"] * 2) * 3 + ["odd"], hop_s=hop_s))
    assert [one.rows.size for one in found.found] == [12, 6]
    assert found.single.tolist() == [3 * 18 + 2]
    peaks = np.argmax(np.abs(found.found[0].average_mv[:, 0])) / ANALYSIS_RATE_HZ - BEFORE_S
    # Aligned, the median is as high as one beat.
    assert found.found[0].average_mv[:, 0].max() == pytest.approx(2.0, abs=0.1)
    assert abs(peaks) <= hop_s + 0.01
    assert len(found.found[0].average_mv) == round((BEFORE_S + AFTER_S) * ANALYSIS_RATE_HZ) + 1


def test_without_v_there_is_nothing_to_sort_and_one_is_a_single():
    assert not morphologies(drawn("N" * 20)).single.size
    alone = morphologies(recorded(["up"]))
    assert (alone.found, alone.single.tolist()) == ((), [2])


def test_what_is_missing_or_not_analysable_is_left_out():
    result = recorded(["up"] * 6)
    analysable = result.beats.analysable.copy()
    analysable[2] = False
    signal = result.signal_mv.copy()
    at = round(result.beats.r_time_s[5] * ANALYSIS_RATE_HZ)
    signal[at - 100 : at + 100] = np.nan
    found = morphologies(replace(result, signal_mv=signal, beats=replace(result.beats, analysable=analysable)))
    assert found.found[0].rows.tolist() == [8, 11, 14, 17]
    assert found.single.tolist() == [5]
