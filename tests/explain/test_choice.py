"""Which beats are shown and explained in full."""

import numpy as np

from ecg_core.explain.choice import choose_beats
from ecg_core.labels import CLASSES


def choices(letters, n, analysable=None, deviation=None):
    count = len(letters)
    index = np.array([CLASSES.index(letter) for letter in letters], dtype=np.int8)
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(5), count).astype(np.float32)
    deviation = 2 + np.arange(count, dtype=np.float32) if deviation is None else deviation
    windows = generator.standard_normal((count, 256)).astype(np.float32)
    good = np.ones(count, bool) if analysable is None else analysable
    return choose_beats(index, probabilities, deviation, good, windows, n), index, probabilities


def test_each_class_shows_up_to_three_beats_abnormal_ones_first():
    chosen, index, probabilities = choices("NNNNNVVVVVSSSSS", 12)
    assert [CLASSES[index[beat]] for beat, _ in chosen] == list("VSN" * 3)
    assert [reason for _, reason in chosen] == ["most typical"] * 3 + ["least certain"] * 3 + ["most deviating"] * 3
    assert len({beat for beat, _ in chosen}) == 9
    least = chosen[3][0]
    left = [beat for beat in range(5, 10) if beat != chosen[0][0]]
    assert probabilities[least, 2] == probabilities[left, 2].min()


def look_alike(count, probability):
    """Beats of one class, one shape and these probabilities."""
    generator = np.random.default_rng(0)
    beat = generator.standard_normal(256)
    windows = (beat + 0.05 * generator.standard_normal((count, 256))).astype(np.float32)
    probabilities = np.zeros((count, 5), np.float32)
    probabilities[:, 0] = probability
    probabilities[:, 1] = 1 - probabilities[:, 0]
    return probabilities, windows


def test_beats_that_are_alike_are_explained_once():
    probabilities, windows = look_alike(20, 0.99)
    n, good, usual = np.zeros(20, np.int8), np.ones(20, bool), np.zeros(20, np.float32)
    assert [reason for _, reason in choose_beats(n, probabilities, usual, good, windows, 12)] == ["most typical"]
    deviating = np.full(20, 3.0, np.float32)
    assert len(choose_beats(n, probabilities, deviating, good, windows, 12)) == 1, "all deviate alike"
    windows[7] = -windows[7]
    assert (7, "most deviating") in choose_beats(n, probabilities, deviating, good, windows, 12)
    probabilities[3] = [0.6, 0.4, 0, 0, 0]
    assert (3, "least certain") in choose_beats(n, probabilities, usual, good, windows, 12)


def test_a_beat_that_is_certain_and_usual_is_not_explained_beside_the_typical_one():
    probabilities, windows = look_alike(5, 0.97)
    windows[2] = -windows[2]
    args = np.zeros(5, np.int8), probabilities, np.full(5, 1.9, np.float32), np.ones(5, bool), windows
    assert len(choose_beats(*args, 12)) == 1


def test_choice_keeps_to_its_limit_and_to_analysable_beats():
    chosen, index, _ = choices("NNNNVSF", 2)
    assert [CLASSES[index[beat]] for beat, _ in chosen] == ["V", "S"]
    assert choices("NNNNVSF", 0)[0] == []
    assert choices("", 12)[0] == []
    assert choices("NVN", 12, analysable=np.zeros(3, bool))[0] == []
    only = choices("NNNV", 12, analysable=np.array([True, True, True, False]))[0]
    assert {beat for beat, _ in only} <= {0, 1, 2}
    assert len(choices("V", 12, deviation=np.array([np.nan], np.float32))[0]) == 1
