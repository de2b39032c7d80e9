"""In another's name nobody answers: what a session of ecg_reviewer writes is in the name it was opened for, and now."""

import pytest
from pydantic import PostgresDsn
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from ecg_core.result import Review
from ecg_core.settings import Settings
from ecg_core.store import audit, finals, outbox, reviews, tables
from ecg_core.store.acting import acting_for
from ecg_core.store.readings import reading_of

OTHER = "Dr. Mabuse"


@pytest.fixture
def settings(known) -> Settings:
    url = known.engine.url.render_as_string(hide_password=False)
    return Settings(_env_file=None, database_url=PostgresDsn(url))


@pytest.fixture
def reading(known) -> int:
    with known.engine.connect() as conn:
        return reading_of(conn, known.runs[0][0])


ANSWER = """
    INSERT INTO ecg.review (reading_id, reviewer_id, subject, signed)
    SELECT :reading, reviewer_id, 'recording', true FROM ecg.reviewer WHERE user_name = 'Dr. Mabuse'
"""
OPENED = """
    INSERT INTO ecg.audit (user_name, action, recording_id, reading_id)
    SELECT 'Dr. Mabuse', 'opened', recording_id, reading_id FROM ecg.reading WHERE reading_id = :reading
"""
STANDS = """
    INSERT INTO ecg.final_reading (reading_id, state, signed_by, signed_at, signature_holds, urgency, n_beats,
        n_beats_analysable, n_class_n, n_class_s, n_class_v, n_class_f, n_class_q, n_beats_changed)
    SELECT :reading, 'final', reviewer_id, now(), true, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM ecg.reviewer WHERE user_name = 'Dr. Mabuse'
"""


@pytest.mark.parametrize("statement", [ANSWER, OPENED, STANDS])
@pytest.mark.parametrize("said", ["", "Dr. Mabuse", f"{'0' * 64} 1796000000 Dr. Mabuse"])
def test_sql_as_the_reviewer_writes_in_nobodys_name(sign_in, reading, statement, said):
    with sign_in("ecg_reviewer").connect() as conn:
        conn.execute(text("SELECT set_config('ecg.acts_for', :said, true)"), {"said": said})
        with pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text(statement), {"reading": reading})


@pytest.mark.parametrize("statement", [ANSWER, OPENED, STANDS])
def test_who_is_signed_in_writes_in_no_others_name(settings, reading, statement):
    with pytest.raises(ProgrammingError, match="permission denied"), acting_for(settings, "ada") as conn:
        conn.execute(text(statement), {"reading": reading})


def test_a_claim_that_was_seen_is_of_no_use_in_another_session_or_later(settings, sign_in, reading):
    with acting_for(settings, OTHER) as conn:
        claim = conn.execute(text("SELECT current_setting('ecg.acts_for')")).scalar_one()
        with sign_in("ecg_reviewer").connect() as thief:
            thief.execute(text("SELECT set_config('ecg.acts_for', :claim, true)"), {"claim": claim})
            assert thief.execute(text("SELECT ecg.acts_for()")).scalar_one() is None
            with pytest.raises(ProgrammingError, match="in one's own name"):
                thief.execute(text(ANSWER), {"reading": reading})
        conn.rollback()
    mac, moment, name = claim.split(" ", 2)
    with acting_for(settings, OTHER) as conn:
        later = f"{mac} {int(moment) + 3600} {name}"
        conn.execute(text("SELECT set_config('ecg.acts_for', :claim, true)"), {"claim": later})
        assert conn.execute(text("SELECT ecg.acts_for()")).scalar_one() is None


def test_the_key_is_not_for_whoever_answers_and_whoever_reads_it_adds_no_answer(sign_in, reading):
    with sign_in("ecg_reviewer").connect() as conn, pytest.raises(ProgrammingError, match="permission denied"):
        conn.execute(text("SELECT key FROM ecg.answer_key"))
    with sign_in("ecg_writer").connect() as conn:
        assert len(conn.execute(text("SELECT key FROM ecg.answer_key")).scalar_one()) == 32
        with pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text(ANSWER), {"reading": reading})


@pytest.mark.parametrize("name", ["Ada Lovelace", "müller\n'; --", "a\x00b", "\udcff"])
def test_in_ones_own_name_one_opens_and_answers(settings, reading, name):
    with acting_for(settings, name) as conn:
        audit.enter_opened(conn, reading, name, "took")
        reviews.write_review(conn, reading, Review(name, None, "", False, {}, ()))
        (*_, last) = reviews.read_reviews(conn, reading)
        assert last.reviewer == tables.storable(name)
        conn.rollback()


def test_a_notice_is_acknowledged_in_ones_own_name_and_once(known, settings):
    with known.engine.begin() as conn:
        columns = "kind, dedupe_key, severity, subject, body"
        new = f"INSERT INTO ecg.outbox_message ({columns}) VALUES ('test', 't', 'info', 's', 'b')"
        number = conn.execute(text(f"{new} RETURNING message_id")).scalar_one()
    with pytest.raises(ProgrammingError, match="in one's own name"), acting_for(settings, "ada") as conn:
        outbox.acknowledge(conn, number, "grace")
    with acting_for(settings, "ada") as conn:
        assert outbox.acknowledge(conn, number, "ada")
    with pytest.raises(ProgrammingError, match="in one's own name"), acting_for(settings, "grace") as conn:
        conn.execute(text("UPDATE ecg.outbox_message SET acknowledged_by = 'grace', acknowledged_at = now()"))
    with known.engine.begin() as conn:
        conn.execute(text("DELETE FROM ecg.outbox_message"))


def test_what_stood_before_is_not_added_to(known, settings, reading):
    from ecg_core.beats.reviewed import as_reviewed
    from ecg_core.readers.reviewing import _as_scored

    def sign(conn, name):
        reviews.write_review(conn, reading, Review(name, None, "", True, {}, ()))
        result = _as_scored(conn, known.runs[0][0], reading)
        return finals.write_final(conn, reading, result.beats, as_reviewed(result, reviews.read_reviews(conn, reading)))

    finding = (
        "INSERT INTO ecg.final_finding (final_id, finding_index, kind, urgency) VALUES (:final, 90, 'pause', 'info')"
    )
    with acting_for(settings, "ada") as conn:
        assert sign(conn, "ada") is not None
        conn.rollback()
    with known.engine.connect() as conn:
        earlier = conn.execute(text(STANDS + " RETURNING final_id"), {"reading": reading}).scalar_one()
        conn.commit()
    try:
        with pytest.raises(ProgrammingError, match="not added to"), acting_for(settings, OTHER) as conn:
            conn.execute(text(finding), {"final": earlier})
    finally:
        with known.engine.begin() as conn:
            conn.execute(text("DELETE FROM ecg.final_reading WHERE final_id = :final"), {"final": earlier})
