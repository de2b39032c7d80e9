"""Which beats are shown and explained in full."""

import numpy as np

from ecg_core.explain.choice import choose_beats
from ecg_core.labels import CLASSES


def choices(letters, n, analysable=None, deviation=None):
    count = len(letters)
    index = np.array([CLASSES.index(letter) for letter in letters], dtype=np.int8)
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), count).astype(np.float32)
    deviation = np.arange(count, dtype=np.float32) if deviation is None else deviation
    windows = generator.standard_normal((count, 256)).astype(np.float32)
    good = np.ones(count, bool) if analysable is None else analysable
    return choose_beats(index, probabilities, deviation, good, windows, n), index, probabilities


def test_each_class_shows_three_beats_abnormal_ones_first():
    chosen, index, probabilities = choices("NNNNNVVVVVSSSSS", 12)
    assert [CLASSES[index[beat]] for beat, _ in chosen] == list("VSN" * 3)
    assert [reason for _, reason in chosen] == ["most typical"] * 3 + ["least certain"] * 3 + ["most deviating"] * 3
    assert len({beat for beat, _ in chosen}) == 9
    least = chosen[3][0]
    left = [beat for beat in range(5, 10) if beat != chosen[0][0]]
    assert probabilities[least, 2] == probabilities[left, 2].min()


def test_choice_keeps_to_its_limit_and_to_analysable_beats():
    chosen, index, _ = choices("NNNNVSF", 2)
    assert [CLASSES[index[beat]] for beat, _ in chosen] == ["V", "S"]
    assert choices("NNNNVSF", 0)[0] == []
    assert choices("", 12)[0] == []
    assert choices("NVN", 12, analysable=np.zeros(3, bool))[0] == []
    only = choices("NNNV", 12, analysable=np.array([True, True, True, False]))[0]
    assert {beat for beat, _ in only} == {0, 1, 2}
    assert len(choices("V", 12, deviation=np.array([np.nan], np.float32))[0]) == 1
