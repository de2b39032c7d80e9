"""Intervals beyond their limits are findings; what is nearer than the measurement is exact is in doubt."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.made_up import varied
from ecg_core.recording import Stated
from ecg_core.result.interval_findings import interval_findings


@pytest.fixture
def measured():
    """A made-up result whose normal beats all have these intervals."""

    def make(pr_ms=160.0, qrs_ms=90.0, qt_ms=380.0, stated=Stated(), with_p=1.0):  # noqa: B008 (frozen)
        result = varied()
        n = len(result.beats)
        intervals = np.tile(np.float32([pr_ms, qrs_ms, qt_ms]), (n, 1))
        intervals[np.arange(n) >= with_p * n, 0] = np.nan
        beats = replace(
            result.beats,
            class_index=np.zeros(n, np.int8),
            analysable=np.ones(n, bool),
            rr_prev_ms=np.full(n, 1000, np.float32),
            intervals_ms=intervals,
        )
        recording = replace(result.recording, stated=stated)
        return {f.kind: f for f in interval_findings(replace(result, beats=beats, recording=recording))}

    return make


def test_usual_intervals_are_no_finding(measured):
    assert measured() == {}


@pytest.mark.parametrize(
    ("changed", "kind", "urgency"),
    [
        ({"pr_ms": 240.0}, "pr_long", "info"),
        ({"pr_ms": 205.0}, "pr_long", "doubt"),
        ({"qrs_ms": 150.0}, "qrs_wide", "notable"),
        ({"qrs_ms": 120.0}, "qrs_wide", "doubt"),
        ({"qt_ms": 520.0}, "qtc_long", "notable"),
        ({"qt_ms": 470.0}, "qtc_long", "doubt"),
    ],
)
def test_an_interval_beyond_its_limit_is_stated(measured, changed, kind, urgency):
    found = measured(**changed)
    assert list(found) == [kind]
    assert found[kind].urgency == urgency
    assert found[kind].measured[0].value == pytest.approx(next(iter(changed.values())))
    assert found[kind].evidence


def test_limits_of_qtc_are_those_of_the_sex(measured):
    assert "qtc_long" in measured(qt_ms=455.0, stated=Stated(sex="male"))
    assert "qtc_long" not in measured(qt_ms=455.0, stated=Stated(sex="female"))
    assert "qtc_long" not in measured(qt_ms=455.0)


def test_adult_limits_are_not_held_against_children(measured):
    assert measured(pr_ms=240.0, stated=Stated(age_years=12)) == {}


def test_pr_is_not_told_where_most_beats_have_no_p_wave(measured):
    assert measured(pr_ms=240.0, with_p=0.3) == {}


def test_limits_are_met_as_published_and_qt_is_not_told_of_wide_complexes(measured):
    assert measured(pr_ms=200.0) == {}
    assert list(measured(qrs_ms=120.0)) == ["qrs_wide"]
    assert list(measured(qrs_ms=150.0, qt_ms=520.0)) == ["qrs_wide"]
