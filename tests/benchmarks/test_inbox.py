"""`ecg benchmark inbox` in its short form."""

from benchmarks.inbox import measure
from benchmarks.throughput import home_of_its_own
from ecg_core.settings import Settings


def test_each_record_is_registered_once_and_later_looks_find_nothing():
    with home_of_its_own(Settings(_env_file=None)) as own:
        figures = measure(own, 100)
    assert figures["files"] == 100
    assert figures["looks"] == 1
    assert figures["later_s"] < figures["first_s"]
