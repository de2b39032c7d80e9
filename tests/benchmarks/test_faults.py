"""`ecg benchmark faults`: what it counts, and the short form of it all."""

import copy

import pytest

from benchmarks.faults import Tried, _Bench, measure
from benchmarks.throughput import home_of_its_own
from ecg_core.settings import Settings

TABLES = "beat attribution chosen_beat hourly rhythm_episode signal_quality shapley".split()
UNDISTURBED = {
    "states": {"a": "scored", "b": "set aside"},
    "runs": [("a", "v")],
    "reports": [("a.html", "1")],
    "files": [("a.html", "1")],
    "untold": [],
    **{table: [(1, table)] for table in TABLES},
}


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({}, {}),
        ({"states": {"a": "set aside", "b": "set aside"}}, {"lost": 1}),
        ({"states": {"a": "waiting", "b": "set aside"}}, {"lost": 1, "stuck": 1}),
        ({"states": {"a": "scored"}}, {"untold": 1}),
        ({"runs": [("a", "v"), ("a", "w")]}, {"repeated": 1}),
        ({"beat": [(2, "beat")]}, {"different": 1}),
        ({"files": [("a.html", "")]}, {"different": 1}),
        ({"untold": ["x.dat"]}, {"untold": 1}),
    ],
)
def test_each_kind_of_harm_is_counted(change, counted):
    bench = object.__new__(_Bench)
    bench.undisturbed = copy.deepcopy(UNDISTURBED)
    tried = Tried(tried=1)
    bench._compare(tried, {**copy.deepcopy(UNDISTURBED), **change})
    assert tried == Tried(tried=1, **counted)


@pytest.mark.long
def test_nothing_is_lost_repeated_stuck_different_or_untold():
    with home_of_its_own(Settings(_env_file=None)) as own:
        figures = measure(own, kills=10, hostile=40)
    assert {name: count for name, count in figures["sum"].items() if name != "tried" and count} == {}
    assert figures["kills"] >= 10
