"""Answers are only added; the newest signed ones decide what the beats are."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.result import Correction, Finding, Review
from ecg_core.store import read_result, reviews, tables, write_result
from ecg_core.store.readings import reading_of

FINDINGS = (Finding("v_run", "urgent", n_episodes=1), Finding("v_beats", "notable", n_beats=3))


@pytest.fixture
def run(engine, build_result):
    result = replace(build_result(40, seed=2), findings=FINDINGS)
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, result, "task-1", ("One run.", "3 V."))
        reading_id = reading_of(conn, run_id)
        write_result.write_report(conn, reading_id, path="r.html", sha256="a" * 64, size_bytes=10, stages={})
    return engine, reading_id, result


def test_an_answer_comes_back_with_user_and_time(run):
    engine, reading_id, result = run
    corrections = (Correction(4.0, 9.0, "S"), Correction(0, 0, "V", 7))
    said = Review("ada", None, "Seen\nand <b>thought</b>.", True, {"v_run": False, "v_beats": True}, corrections)
    with engine.begin() as conn:
        assert [f.kind for f in reviews.read_findings(conn, reading_id)] == ["v_run", "v_beats"]
        reviews.write_review(conn, reading_id, said)
        [back] = reviews.read_reviews(conn, reading_id)
    at_s = float(result.beats.r_time_s[7])
    assert back.reviewed_at is not None
    assert replace(back, reviewed_at=None) == replace(
        said, corrections=(corrections[0], Correction(at_s, at_s, "V", 7))
    )


def test_a_change_of_mind_is_another_answer(run):
    engine, reading_id, _ = run
    with engine.begin() as conn:
        reviews.write_review(conn, reading_id, Review("ada", None, "", False, {"v_run": True}, ()))
    with engine.begin() as conn:
        reviews.write_review(conn, reading_id, Review("ada", None, "", True, {"v_run": False}, ()))
        reviews.write_review(conn, reading_id, Review("bob", None, "I agree", True, {}, ()))
        answers = reviews.read_reviews(conn, reading_id)
    assert [(a.reviewer, a.signed, a.agrees) for a in answers] == [
        ("ada", False, {"v_run": True}),
        ("ada", True, {"v_run": False}),
        ("bob", True, {}),
    ]


@pytest.mark.parametrize(
    "change",
    [update(tables.review).values(signed=False), delete(tables.review), text("UPDATE ecg.review SET comment = 'x'")],
)
def test_nobody_changes_or_deletes_an_answer(run, change):
    engine, reading_id, _ = run
    with engine.begin() as conn:
        reviews.write_review(conn, reading_id, Review("ada", None, "", True, {}, ()))
    with engine.connect() as conn, pytest.raises((DBAPIError, StoreError)):
        conn.execute(change)


def test_a_finding_that_the_report_does_not_state_cannot_be_judged(run):
    engine, reading_id, _ = run
    with engine.begin() as conn, pytest.raises(StoreError, match="no finding"):
        reviews.write_review(conn, reading_id, Review("ada", None, "", True, {"pause": True}, ()))


def test_corrected_classes_are_those_of_signed_answers_the_newest_last(run):
    _, _, result = run
    times = result.beats.r_time_s
    draft = Review("ada", None, "", False, {}, (Correction(0, 0, "Q", 0),))
    first = Review("ada", None, "", True, {}, (Correction(float(times[3]), float(times[6]), "F"),))
    second = Review("bob", None, "", True, {}, (Correction(0, 0, "S", 5), Correction(0, 0, "V", 10_000)))
    class_index, told = reviews.corrected_classes(result.beats, (draft, first, second))
    assert told == [3, 4, 5, 6]
    assert [CLASSES[class_index[row]] for row in told] == ["F", "F", "S", "F"]
    assert class_index[0] == result.beats.class_index[0]
    untouched, none = reviews.corrected_classes(result.beats, ())
    assert (untouched == result.beats.class_index).all()
    assert none == []


def test_a_time_means_the_nearest_beat(run):
    engine, _, result = run
    at_s = float(result.beats.r_time_s[9])
    with engine.connect() as conn:
        run_id = read_result.find_scoring_run(conn, result.recording.recording_id)
        assert reviews.nearest_beat(conn, run_id, at_s + 0.1)[0] == 9
        assert reviews.nearest_beat(conn, run_id, 1e6) is None
