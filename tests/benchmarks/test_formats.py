"""`ecg benchmark formats`, in its short form: damaged files of every format are read or set aside; none is left."""

import random

import pytest

from benchmarks.formats import measure, mutate


@pytest.fixture(scope="module")
def figures():
    return measure(3 * 30, seed=1)


def test_every_format_is_damaged_and_nothing_crashes(figures):
    assert figures["tried"] == 90
    assert {of["tried"] for of in figures["formats"].values()} == {3}
    assert {"wfdb", "edf+", "dicom", "scp", "csv", "zip", "tar.gz"} <= set(figures["formats"])
    assert [crash for of in figures["formats"].values() for crash in of["crashes"]] == []
    assert figures["crashed"] == 0
    assert sum(of["read"] for of in figures["formats"].values()) > 3


def test_nothing_is_left_on_the_disk(figures):
    assert figures["left_behind"] == 0


def test_memory_and_time_of_each_format_are_told(figures):
    assert all(0 < of["peak_mb"] < 2000 for of in figures["formats"].values())
    assert all(0 <= of["slowest_s"] < 20 for of in figures["formats"].values())


def test_the_same_seed_damages_alike_and_damage_is_done():
    raw = bytes(range(256)) * 20
    damaged = [mutate(raw, random.Random(i)) for i in range(20)]
    assert damaged == [mutate(raw, random.Random(i)) for i in range(20)]
    assert sum(one != raw for one in damaged) >= 19
