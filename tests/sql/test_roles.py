"""Each role connects as itself and is refused what it must not do."""

import secrets
import threading
import time
from pathlib import Path

import psycopg2
import pytest
from pydantic import PostgresDsn
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from ecg_core.errors import DatabaseUnavailable, StoreError
from ecg_core.operations.analysts import end_long_statements
from ecg_core.settings import Settings
from ecg_core.store import arrivals, ledger, migrate, open_engine, write_result
from ecg_core.store.arrivals import Arrival
from ecg_core.store.install import ROLES, role_gap
from ecg_core.store.readings import reading_of

PROJECT_DIR = Path(__file__).resolve().parents[2]


def _objects(engine: Engine, schema: str, kinds: str) -> list[str]:
    with engine.connect() as conn:
        found = (
            "SELECT relname FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind = ANY (:kinds)"
        )
        return list(conn.execute(text(found), {"schema": schema, "kinds": list(kinds)}).scalars())


def _refused(engine: Engine, statement: str) -> None:
    with engine.connect() as conn, pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        conn.execute(text(statement))


def test_the_analyst_reads_every_view_of_the_mart(known, sign_in):
    views = _objects(known.engine, "ecg_mart", "v")
    assert len(views) == len(list((PROJECT_DIR / "sql" / "views").glob("*.sql")))
    with sign_in("ecg_analyst").connect() as conn:
        for view in views:
            conn.execute(text(f"SELECT * FROM ecg_mart.{view} LIMIT 3")).all()


def test_the_analyst_reads_nothing_else(known, sign_in):
    """Whatever relation there is outside the mart and the system's own catalogue, no privilege on it."""
    with sign_in("ecg_analyst").connect() as conn:
        readable = conn.execute(
            text("""
            SELECT oid::regclass::text FROM pg_class
            WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
                AND relnamespace::regnamespace::text NOT IN ('ecg_mart', 'pg_catalog', 'information_schema', 'pg_toast')
                AND (has_schema_privilege(relnamespace, 'USAGE') OR has_any_column_privilege(oid, 'SELECT'))
            """)
        ).all()
        callable_ = conn.execute(
            text("""
            SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace::regnamespace::text IN ('ecg', 'ecg_mart')
                AND has_schema_privilege(pronamespace, 'USAGE')
            """)
        ).all()
    assert readable == []
    assert callable_ == []
    for table in _objects(known.engine, "ecg", "rp"):
        _refused(sign_in("ecg_analyst"), f"SELECT * FROM ecg.{table} LIMIT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE ecg_mart.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE VIEW ecg_mart.mine AS SELECT 1",
        "INSERT INTO ecg_mart.model_version (model_version) VALUES ('x')",
        "SELECT ecg.drop_partitions_before(current_date)",
        "SET ROLE ecg_writer",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/hostname')",
    ],
)
def test_the_analyst_changes_nothing(sign_in, statement):
    with sign_in("ecg_analyst").connect() as conn:
        conn.execute(text("SET TRANSACTION READ WRITE"))
        with pytest.raises((ProgrammingError, StoreError), match="permission denied"):
            conn.execute(text(statement))


def test_the_analysts_statements_end(sign_in):
    with sign_in("ecg_analyst").connect() as conn:
        assert conn.execute(text("SHOW statement_timeout")).scalar_one() == "1min"
        assert conn.execute(text("SHOW default_transaction_read_only")).scalar_one() == "on"
        conn.execute(text("SET LOCAL statement_timeout = '50ms'"))
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            conn.execute(text("SELECT pg_sleep(5)"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE mine AS SELECT generate_series(1, 10)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_create(0)",
    ],
)
def test_the_analyst_fills_no_disk_by_setting_its_limits_away(sign_in, statement):
    with sign_in("ecg_analyst").connect() as conn:
        conn.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"))
        conn.commit()
        with pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text(statement))
        conn.rollback()


def test_a_statement_that_sets_its_limit_away_is_ended_from_outside(known, sign_in):
    url = known.engine.url.render_as_string(hide_password=False)
    settings = Settings(_env_file=None, database_url=PostgresDsn(url))
    with sign_in("ecg_analyst").connect() as conn:
        conn.execute(text("SET statement_timeout = 0"))
        conn.commit()
        assert end_long_statements(settings, statement_s=0.3, idle_s=0.3) == 0
        ender = threading.Timer(0.8, end_long_statements, (settings, 0.3))
        ender.start()
        with pytest.raises(DatabaseUnavailable):
            conn.execute(text("SELECT pg_sleep(20)"))
        ender.join()
    with sign_in("ecg_analyst").connect() as conn:
        conn.execute(text("SET idle_in_transaction_session_timeout = 0"))
        time.sleep(0.5)
        assert end_long_statements(settings, idle_s=0.3) == 1
        conn.invalidate()


IDENTITIES = ("Mustermann", "Mabuse", "inbox/", "recording.hea")


def test_no_view_holds_an_identity(known, sign_in):
    """File names with a patient's name, a reviewer's name, free text and paths are in the tables, and in no view."""
    with known.engine.connect() as conn:
        for table, column, word in (
            ("arrival", "source", "Mustermann"),
            ("ingest_ledger", "reason", "Mustermann"),
            ("review", "comment", "Mustermann"),
            ("reviewer", "user_name", "Mabuse"),
            ("ingest_ledger", "staged_path", "recording.hea"),
        ):
            there = f"SELECT count(*) FROM ecg.{table} WHERE {column} LIKE '%{word}%'"
            assert conn.execute(text(there)).scalar_one(), "the test itself shows nothing"
    with sign_in("ecg_analyst").connect() as conn:
        for view in _objects(known.engine, "ecg_mart", "v"):
            everything = (
                conn.execute(text(f"SELECT string_agg(v::text, ' ') FROM ecg_mart.{view} AS v")).scalar_one() or ""
            )
            for word in IDENTITIES:
                assert word not in everything, view


def test_the_writer_scores_and_makes_partitions_but_owns_nothing(sign_in, build_result, recording_id_of):
    writer = sign_in("ecg_writer")
    with writer.connect() as conn:
        arrivals.register(
            conn, [Arrival(source="w", recording_id=recording_id_of(50), size_bytes=1, changed_at=0.0, staged_path="w")]
        )
        conn.execute(
            text("UPDATE ecg.ingest_ledger SET first_seen_at = '2031-05-06' WHERE recording_id = :id"),
            {"id": recording_id_of(50)},
        )
        run = write_result.write_result(conn, build_result(30, seed=50), "task")
        write_result.write_report(conn, reading_of(conn, run), path="w.html", sha256="a" * 64, size_bytes=1, stages={})
        ledger.mark_scored(conn, recording_id_of(50))
        months = conn.execute(
            text("SELECT DISTINCT arrived_month::text FROM ecg.beat WHERE scoring_run_id = :run"), {"run": run}
        )
        assert list(months.scalars()) == ["2031-05-01"]
        conn.rollback()
    for statement in (
        "DROP TABLE ecg.beat",
        "TRUNCATE ecg.beat",
        "DELETE FROM ecg.scoring_run",
        "ALTER TABLE ecg.beat ADD COLUMN mine int",
        "CREATE TABLE ecg.mine (id int)",
        "INSERT INTO ecg.review (reading_id, reviewer_id, subject) VALUES (1, 1, 'recording')",
        "UPDATE ecg.schema_migration SET sha256 = ''",
    ):
        _refused(writer, statement)


def test_the_reviewer_adds_reviews_and_changes_none(known, sign_in):
    reviewer = sign_in("ecg_reviewer")
    with reviewer.connect() as conn:
        reading = reading_of(conn, known.runs[0][0])
        conn.execute(text("INSERT INTO ecg.reviewer (user_name) VALUES ('another')"))
        number = conn.execute(text("SELECT reviewer_id FROM ecg.reviewer WHERE user_name = 'another'")).scalar_one()
        answer = "INSERT INTO ecg.review (reading_id, reviewer_id, subject) VALUES (:run, :me, 'recording')"
        # In its own right for nobody: in whose name is tried by test_own_name.py.
        with pytest.raises(ProgrammingError, match="in one's own name"):
            conn.execute(text(answer), {"run": reading, "me": number})
    for statement in (
        "UPDATE ecg.review SET agrees = true",
        "DELETE FROM ecg.review",
        "UPDATE ecg.scoring_run SET n_beats = 0",
        "SELECT * FROM ecg.arrival",
        "SELECT * FROM ecg.patient",
        "SELECT file_lead_names FROM ecg.recording",
        "DELETE FROM ecg.beat",
    ):
        _refused(reviewer, statement)


def test_not_even_the_owner_changes_a_review(known):
    with known.engine.connect() as conn, pytest.raises(StoreError, match="never changed"):
        conn.execute(text("UPDATE ecg.review SET agrees = NOT agrees"))


def test_the_owner_owns_everything(known):
    with known.engine.connect() as conn:
        others = conn.execute(
            text("""
            SELECT oid::regclass::text, relowner::regrole::text FROM pg_class
            WHERE relnamespace::regnamespace::text IN ('ecg', 'ecg_mart') AND relkind IN ('r', 'p', 'v')
                AND relowner <> 'ecg_owner'::regrole AND NOT relispartition
            """)
        ).all()
    assert others == []


def test_roles_without_a_password_cannot_sign_in(known):
    url = known.engine.url.set(drivername="postgresql", username="ecg_owner", password="")
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url.render_as_string(hide_password=False))


def test_a_user_who_may_not_create_roles_is_told_so_and_gets_all_the_rest(postgres_url, make_database, monkeypatch):
    """As on a server where an administrator made the database; one more role is wanted, for the four are there."""
    from ecg_core.store import install

    name = f"plain_{secrets.token_hex(6)}"
    admin = make_database()
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'"))
        conn.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
    monkeypatch.setattr(install, "ROLES", (*ROLES, "ecg_not_there"))
    url = make_url(postgres_url).set(username=name, password=name, database=name)
    plain = open_engine(url.render_as_string(hide_password=False))
    try:
        assert migrate(plain)
        with plain.connect() as conn:
            assert conn.execute(text("SELECT count(*) FROM ecg_mart.beat")).scalar_one() == 0
            told = role_gap(conn)
        assert told is not None
        assert "ecg_not_there" in told
        assert name in told
        assert "sql/roles/roles.sql" in told
        assert migrate(plain) == []
    finally:
        plain.dispose()
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            conn.execute(text(f"DROP ROLE {name}"))


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("ecg_writer", "SELECT ecg.drop_partitions_before('2100-01-01')"),
        ("ecg_writer", "DELETE FROM ecg.arrival"),
        ("ecg_writer", "SET ROLE ecg_owner"),
        ("ecg_reviewer", "INSERT INTO ecg.review (reviewer_id, reviewed_at) VALUES (1, '2020-01-01')"),
        ("ecg_reviewer", "UPDATE ecg.review SET comment = 'x'"),
        ("ecg_analyst", "SELECT * FROM ecg.inbox_entry"),
    ],
)
def test_no_role_does_what_is_anothers(sign_in, role, statement):
    _refused(sign_in(role), statement)
