"""A patient's recordings, as they stand, and the one before another."""

from dataclasses import replace
from datetime import datetime

import pytest

from ecg_core.result import Finding
from ecg_core.result.reviewed import Reviewed, Signature
from ecg_core.store import finals, reviews, write_result
from ecg_core.store.patients import history_of, last_before
from ecg_core.store.readings import reading_of

FINDINGS = (
    Finding("v_run", "urgent", n_episodes=1, n_beats=4),
    Finding("pause", "urgent", n_episodes=2, longest_s=3.5),
    Finding("atrial_fibrillation", "notable", n_episodes=1, total_s=6.0),
    Finding("s_couplet", "info", n_episodes=1, n_beats=2),
)


@pytest.fixture
def of_one(build_result):
    """A recording of one patient by its seed and its start."""

    def make(seed, start_time, findings=FINDINGS):
        result = build_result(20, seed=seed)
        facts = replace(result.recording, patient_pseudonym="one", start_time=start_time)
        return replace(result, recording=facts, findings=findings)

    return make


def store(conn, result):
    return reading_of(conn, write_result.write_result(conn, result, "task-1"))


def test_the_last_one_is_the_one_that_was_recorded_before(engine, of_one, build_result):
    days = {1: 3, 2: 5, 3: 1}
    results = {seed: of_one(seed, datetime(2026, 3, day, 9)) for seed, day in days.items()}
    with engine.begin() as conn:
        for result in (*results.values(), build_result(20, seed=9)):
            store(conn, result)
        ids = {seed: result.recording.recording_id for seed, result in results.items()}
        assert [one.recording_id for one in history_of(conn, "one")] == [ids[2], ids[1], ids[3]]
        last = last_before(conn, ids[2], {})
        assert (last.recording_id, last_before(conn, ids[3], {})) == (ids[1], None)
        assert (last.kinds, last.n_urgent, last.longest_pause_s) == (("v_run", "pause", "atrial_fibrillation"), 2, 3.5)
        assert last.fibrillation == pytest.approx(6 / results[1].recording.duration_s)
        assert last_before(conn, build_result(20, seed=9).recording.recording_id, {}) is None


def test_what_readers_signed_is_what_it_is_compared_with(engine, of_one):
    first, second = of_one(1, datetime(2026, 3, 1)), of_one(2, None)
    with engine.begin() as conn:
        reading_id = store(conn, first)
        store(conn, second)
        reviews.reviewer_id(conn, "ada")
        struck = replace(first, findings=first.findings[2:])
        signature = Signature("ada", None, None, holds=True)
        reviewed = Reviewed(struck, first.beats.class_index.astype("int64"), "amended", signature)
        finals.write_final(conn, reading_id, first.beats, reviewed)
        last = last_before(conn, second.recording.recording_id, {})  # without a clock: by arrival
    assert (last.state, last.kinds, last.n_urgent, last.longest_pause_s) == (
        "amended",
        ("atrial_fibrillation",),
        0,
        None,
    )
