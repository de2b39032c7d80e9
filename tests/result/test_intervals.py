"""Intervals from boundaries, and over which beats they are summed up."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.labels import CLASSES
from ecg_core.result import BeatTable, RhythmEpisode
from ecg_core.result.intervals import MEASURES, corrected_qt, intervals_of, summarise


def table(letters, qt_ms=400.0, rr_ms=1000.0):
    n = len(letters)
    rr = np.full(n, rr_ms, np.float32)
    rr[:1] = np.nan
    return BeatTable(
        r_sample=np.arange(n, dtype=np.int64) * 250,
        r_time_s=np.arange(n) * 1.0,
        rr_prev_ms=rr,
        rr_next_ms=rr,
        class_index=np.array([CLASSES.index(letter) for letter in letters], np.int8),
        probabilities=np.full((n, 5), 0.2, np.float32),
        deviation=np.zeros(n, np.float32),
        analysable=np.ones(n, bool),
        waves_ms=np.full((n, 8), np.nan, np.float32),
        intervals_ms=np.tile(np.array([160, 90, qt_ms], np.float32), (n, 1)),
        in_set=np.ones((n, 5), bool),
    )


def test_intervals_go_from_onset_to_onset_or_end():
    waves = np.array([[-200, -160, -120, -40, 50, 180, 260, 350], [np.nan] * 3 + [-40, 50] + [np.nan] * 3], np.float32)
    found = intervals_of(waves)
    assert found.dtype == np.float32
    assert np.array_equal(found, [[160, 90, 390], [np.nan, 90, np.nan]], equal_nan=True)
    assert intervals_of(np.zeros((0, 8), np.float32)).shape == (0, 3)


def test_qt_is_corrected_as_published():
    bazett, fridericia = corrected_qt(np.float32([400, 400, np.nan]), np.float32([1000, 640, 1000]))
    assert np.allclose(bazett, [400, 400 / 0.8, np.nan], equal_nan=True)
    assert np.allclose(fridericia, [400, 400 / 0.64 ** (1 / 3), np.nan], equal_nan=True)


def test_only_normal_beats_after_normal_beats_count():
    beats = table("NNNVNNS" + "N" * 10)
    found = summarise(beats, ())
    # Of 15 N the first has no beat before it, and one follows V, one S.
    assert found["qt_ms"].n_beats == 12
    assert tuple(found) == MEASURES
    assert found["pr_ms"].median_ms == 160
    quality = beats.analysable.copy()
    quality[2] = False
    assert summarise(replace(beats, analysable=quality), ())["qt_ms"].n_beats == 11


def test_the_median_is_robust_and_the_quartiles_are_quartiles():
    beats = table("N" * 102)
    intervals = beats.intervals_ms.copy()
    intervals[1:, 2] = np.arange(300, 401)
    intervals[1:, 0] = np.nan
    found = summarise(replace(beats, intervals_ms=intervals), ())
    assert (found["qt_ms"].lower_quartile_ms, found["qt_ms"].median_ms, found["qt_ms"].upper_quartile_ms) == (
        325,
        350,
        375,
    )
    assert found["qtc_bazett_ms"] == found["qt_ms"]
    assert "pr_ms" not in found


@pytest.mark.parametrize("letters", ["", "N", "V" * 20, "NV" * 10])
def test_where_no_beat_counts_nothing_is_stated(letters):
    assert summarise(table(letters), ()) == {}


def test_beats_of_an_escape_rhythm_are_none_of_the_conducted_beats():
    beats = table("N" * 12)
    escape = RhythmEpisode("escape", float(beats.r_time_s[6]), float(beats.r_time_s[-1]), 6, 11, 38.0)
    assert summarise(beats, (escape,))["qt_ms"].n_beats == 5
    pause = replace(escape, kind="bradycardia")
    assert summarise(beats, (pause,))["qt_ms"].n_beats == 11
