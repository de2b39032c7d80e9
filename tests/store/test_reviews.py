"""Answers are only added; the newest signed ones decide what the beats are."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from ecg_core.beats.reviewed import as_reviewed
from ecg_core.errors import StoreError
from ecg_core.result import Correction, Finding, Review
from ecg_core.store import finals, reviews, tables, write_result
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


def test_every_kind_of_correction_comes_back(run):
    engine, reading_id, result = run
    at_s = float(result.beats.r_time_s[3])
    said = (
        Correction(at_s, at_s, "", 3, "no_beat"),
        Correction(7.3, 7.3, "V", None, "added"),
        Correction(9.1, 9.1, "", None, "no_beat"),
        Correction(4.0, 9.0, "", None, "rhythm", "vt"),
    )
    with engine.begin() as conn:
        reviews.write_review(conn, reading_id, Review("ada", None, "", True, {}, said, "ab" * 32))
        [back] = reviews.read_reviews(conn, reading_id)
    assert (back.corrections, back.sha256) == (said, "ab" * 32)


@pytest.mark.parametrize(
    "table", [tables.final_reading, tables.final_beat, tables.final_finding, tables.final_episode], ids=lambda t: t.name
)
def test_what_stood_is_never_changed(run, table):
    engine, reading_id, result = run
    named = Correction(1.0, 5.0, action="rhythm", rhythm="atrial_fibrillation")
    answer = Review("ada", None, "", True, {}, (Correction(0, 0, "V", 4), named))
    with engine.begin() as conn:
        reviews.write_review(conn, reading_id, answer)
        reviewed = as_reviewed(result, reviews.read_reviews(conn, reading_id))
        assert finals.write_final(conn, reading_id, result.beats, reviewed) == finals.newest_final(conn, reading_id)
    with engine.connect() as conn:
        assert conn.execute(text(f"SELECT 1 FROM ecg.{table.name}")).first()
        with pytest.raises((DBAPIError, StoreError)):
            conn.execute(update(table).values(final_id=table.c.final_id))
