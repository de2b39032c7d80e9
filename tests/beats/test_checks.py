"""Runs of S that are none and noise taken for beats: the recording's own references bend, these rules do not."""

import numpy as np
import pytest

from ecg_core.beats.checks import (
    as_conducted_in_doubt,
    as_escape_in_doubt,
    as_normal_in_doubt,
    as_ventricular,
    noise_taken_for_beats,
    unfounded_s_runs,
    within_ventricular_runs,
)
from ecg_core.beats.rhythm import runs_in_doubt, summarise_rhythm
from ecg_core.labels import CLASSES

N, S, V = (CLASSES.index(letter) for letter in "NSV")


def rows_of(intervals_ms: list[float], letters: str) -> list[int]:
    rr = np.array([np.nan, *intervals_ms], np.float32)
    classes = np.array([CLASSES.index(letter) for letter in letters])
    return unfounded_s_runs(rr, classes, np.ones(rr.size, bool)).tolist()


def test_the_faster_part_before_a_block_is_no_run():
    # Sinus rhythm at 75/min, then 40/min for good.
    assert rows_of([800] * 9 + [1500] * 10, "S" * 10 + "N" * 10) == list(range(10))


@pytest.mark.parametrize("pace_ms", [420, 900])
def test_a_run_that_begins_early_is_one(pace_ms):
    intervals = [1100] * 9 + [pace_ms] * 5 + [1100] * 5
    assert rows_of(intervals, "N" * 10 + "S" * 5 + "N" * 5) == []


def test_fast_runs_that_end_in_a_slower_rhythm_are_runs_also_at_the_very_start():
    assert rows_of([430] * 5 + [900] * 6, "S" * 6 + "N" * 6) == []


def test_where_most_beats_are_ectopic_a_pause_ends_each_run():
    # The last run is not seen to end.
    intervals = (([850] * 5 + [2400, 850]) * 3)[:-1]
    assert rows_of(intervals, ("S" * 6 + "N") * 2 + "N" * 7) == []


def test_single_beats_and_couplets_are_left_alone():
    assert rows_of([800] * 9, "NNSNNSSNNN") == []


def test_a_beat_in_doubt_is_called_normal_and_both_remain_possible():
    probabilities = np.array([[0.1, 0.9, 0, 0, 0], [0.2, 0.8, 0, 0, 0]], np.float32)
    called, in_set = as_normal_in_doubt(np.array([0]), probabilities, probabilities > 0.5)
    assert called.argmax(axis=1).tolist() == [N, S]
    assert in_set[:, [N, S]].tolist() == [[True, True], [False, True]]
    assert probabilities[0, S] == np.float32(0.9), "what was given is not changed"


def false_of(times_s: list[float], letters: str) -> list[int]:
    r_time_s = np.array(times_s)
    rr = np.diff(r_time_s, prepend=np.nan).astype(np.float32) * 1000
    classes = np.array([CLASSES.index(letter) for letter in letters])
    return np.flatnonzero(noise_taken_for_beats(r_time_s, rr, classes)).tolist()


def test_what_is_called_q_between_two_beats_in_their_rhythm_is_noise():
    assert false_of([0, 0.8, 1.6, 1.9, 2.4, 3.2, 3.5, 3.7, 4.0], "NNNQNNQQN") == [3, 6, 7]


def test_what_is_called_q_and_would_leave_a_gap_may_be_a_beat():
    assert false_of([0, 0.8, 1.6, 2.4, 3.2, 4.0], "NNNQNN") == []


def test_nothing_is_known_of_q_at_the_ends_or_alone():
    assert false_of([0, 0.3, 0.8, 1.6, 1.9], "QNNNQ") == []
    assert false_of([0, 0.3, 0.8], "QQQ") == []


def kinds_of(letters: str, doubted: list[int], in_signal: tuple[int, ...] = ()) -> list[str]:
    classes = np.array([CLASSES.index(letter) for letter in letters], np.int8)
    times = np.arange(classes.size) * 0.8
    rr = np.diff(times, prepend=np.nan).astype(np.float32) * 1000
    rhythm = summarise_rhythm(times, rr, classes, np.ones(classes.size, bool))
    probabilities = np.zeros((classes.size, 5), np.float32)
    probabilities[np.arange(classes.size), classes] = np.where(np.isin(np.arange(classes.size), doubted), 0.5, 0.95)
    in_tachycardia = np.isin(np.arange(classes.size), in_signal)
    return [
        e.kind
        for e in runs_in_doubt(
            rhythm, classes, probabilities, in_tachycardia, np.zeros(classes.size, dtype=bool)
        ).episodes
    ]


def test_a_run_of_beats_in_doubt_is_possible_and_what_else_they_would_make_is_not_told():
    assert kinds_of("NNVVVVNN", []) == ["v_run"]
    assert kinds_of("NNVVVVNN", [3]) == ["v_run"], "one of four"
    assert kinds_of("NNVVVNN", [3, 4]) == ["possible_v_run"]
    assert kinds_of("NNVVVNN", [3, 4], in_signal=(2, 3, 4)) == ["v_run"], "the signal shows a tachycardia"
    assert kinds_of("NNVVNN", [3]) == []
    assert kinds_of("NNVVNN", [1, 4]) == ["v_couplet"], "beats around it are no matter"
    assert kinds_of("NNSSSNN", [2, 3, 4]) == ["s_run"]
    assert kinds_of("NVNVNVNV", []) == ["bigeminy"]
    assert kinds_of("NVNVNVNV", [1, 3, 5]) == []


def test_beats_of_a_tachycardia_in_the_signal_are_as_probable_as_it_is():
    """What the classifier said of N is not said of V."""
    probabilities = np.array(
        [[0.9, 0.05, 0.05, 0, 0], [1, 0, 0, 0, 0], [0.1, 0, 0.9, 0, 0], [1, 0, 0, 0, 0]], np.float32
    )
    rows = np.array([True, True, True, False])
    of_signal = np.array([0.8, 0, 0.8, 0], np.float32)
    called, in_set = as_ventricular(rows, of_signal, probabilities, probabilities > 0.5)
    assert called.argmax(axis=1).tolist() == [V, V, V, N]
    assert called[0].tolist() == pytest.approx([0.9 * 0.2 / 0.95, 0.05 * 0.2 / 0.95, 0.8, 0, 0])
    assert called[1, V] == pytest.approx(0.8), "at the edge the nearest beat inside answers"
    assert called[2, V] == pytest.approx(0.9), "the classifier's own answer stays"
    assert called.sum(axis=1) == pytest.approx(1)
    assert in_set[:, [N, V]].tolist() == [[True, True], [True, True], [False, True], [True, False]]


def test_a_beat_of_conducted_shape_is_ventricular_only_for_sure():
    called = np.array(
        [[0.3, 0.1, 0.6, 0, 0], [0.1, 0.3, 0.6, 0, 0], [0.1, 0.1, 0.8, 0, 0], [0.3, 0.1, 0.6, 0, 0]], np.float32
    )
    in_set = called > 0.5
    probabilities, after = as_conducted_in_doubt(np.array([True, True, True, False]), called, in_set)
    assert probabilities.argmax(axis=1).tolist() == [N, S, V, V]
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert after[:, V].all()
    assert after[:2, [N, S]].sum() == 2


def test_an_escape_beat_is_not_normal_without_doubt():
    called = np.array([[0.9, 0, 0.1, 0, 0], [0.2, 0, 0.8, 0, 0], [0.9, 0, 0.1, 0, 0]], np.float32)
    probabilities, in_set = as_escape_in_doubt(np.array([True, True, False]), called, called > 0.5)
    assert probabilities[:, N] == pytest.approx([0.5, 0.2, 0.9])
    assert in_set[:, V].tolist() == [True, True, False]


def test_a_pause_alone_is_no_slow_rate_but_slow_fibrillation_is():
    def slow(intervals_ms):
        rr = np.array([np.nan, *intervals_ms], np.float32)
        r_time_s = np.concatenate([[0], np.cumsum(intervals_ms)]) / 1000
        rhythm = summarise_rhythm(r_time_s, rr, np.zeros(rr.size, np.int8), np.ones(rr.size, bool))
        return [round(e.heart_rate_bpm) for e in rhythm.episodes if e.kind == "bradycardia"]

    assert slow([800] * 20 + [6000] + [800] * 20) == []
    assert slow([800] * 20 + [1500] * 30) == [40]
    assert slow([2700] * 20) == [22]
    assert slow([900, 1100, 2300, 1000, 1900, 1150] * 5) == [43]


def runs_around(between: str, ms: tuple[float, ...], conducted: bool = False) -> list[int]:
    """Rows taken into a tachycardia of 330 ms: five V, `between` with the intervals `ms` through it, five V."""
    letters = "NNN" + "V" * 5 + between + "V" * 5
    rr_ms = np.array([800.0] * 4 + [330.0] * 4 + list(ms) + [330.0] * 4, dtype=np.float32)
    class_index = np.array([CLASSES.index(letter) for letter in letters])
    shape = (class_index == CLASSES.index("N")) | (conducted & (class_index != CLASSES.index("V")))
    rows = within_ventricular_runs(rr_ms, class_index, np.ones(class_index.size, dtype=bool), shape)
    return np.flatnonzero(rows).tolist()


def test_a_beat_called_otherwise_does_not_end_a_tachycardia_that_goes_on():
    assert runs_around("S", (320, 340)) == [8]
    assert runs_around("SF", (270, 380, 330)) == [8, 9]
    assert runs_around("S", (320, 340), conducted=True) == [8]


def test_what_is_off_the_pace_or_more_than_two_beats_ends_it():
    assert runs_around("S", (200, 900)) == []
    assert runs_around("S", (240, 420), conducted=True) == []
    assert runs_around("SSS", (330, 330, 330, 330)) == []
