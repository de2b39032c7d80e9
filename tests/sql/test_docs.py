"""The dictionary and the expected schema are those of the database, and a database that differs is told so by name."""

import pytest
from sqlalchemy import text

from ecg_core.store import catalog, dictionary


def test_the_dictionary_is_fresh(conn):
    assert dictionary.DICTIONARY_FILE.read_text() == dictionary.dictionary(conn), "run `ecg db docs`"


def test_the_expected_schema_is_fresh(conn):
    assert catalog.SCHEMA_FILE.read_text() == catalog.describe(conn).as_json(), "run `ecg db docs`"


def test_every_view_table_and_column_is_in_the_dictionary(conn):
    written = dictionary.DICTIONARY_FILE.read_text()
    columns = conn.execute(
        text("""
        SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns
        WHERE table_schema IN ('ecg', 'ecg_mart') AND table_name !~ '_[0-9]{4}_[0-9]{2}$'
        """)
    ).all()
    assert len(columns) > 200
    for table, column in columns:
        section = written.split(f"### `{table}`")[1].split("###")[0]
        assert f"| `{column}` |" in section


def test_a_migrated_database_is_as_expected(conn):
    assert catalog.differences(conn) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE ecg.patient DROP COLUMN first_seen_at CASCADE", "Missing: column ecg.patient.first_seen_at."),
        ("ALTER TABLE ecg.report ADD COLUMN colour text", "Not known to the code: column ecg.report.colour."),
        (
            "ALTER TABLE ecg.hourly ALTER COLUMN n_beats DROP NOT NULL",
            "Different: column ecg.hourly.n_beats should be ",
        ),
        ("DROP INDEX ecg.scoring_run_scored", "Missing: index ecg.scoring_run.scoring_run_scored."),
        ("COMMENT ON VIEW ecg_mart.beat IS 'other'", "Different: view ecg_mart.beat should be "),
        ("COMMENT ON COLUMN ecg.beat.class IS NULL", "Different: column ecg.beat.class should be "),
        ("DROP VIEW ecg_mart.drift", "Missing: view ecg_mart.drift."),
        ("CREATE OR REPLACE VIEW ecg_mart.drift AS SELECT * FROM ecg_mart.drift WHERE false", None),
        ("DROP TRIGGER review_is_added_to ON ecg.review", "Missing: trigger ecg.review.review_is_added_to."),
        ("GRANT SELECT ON ecg.patient TO ecg_analyst", "Not known to the code: grant ecg_analyst on ecg.patient."),
        ("REVOKE SELECT ON ecg_mart.beat FROM ecg_analyst", "Missing: grant ecg_analyst on ecg_mart.beat."),
        (
            "ALTER TABLE ecg.scoring_run DROP CONSTRAINT scoring_run_recording_id_fkey",
            "Missing: constraint ecg.scoring_run",
        ),
        ("DROP TABLE ecg.attribution_2026_11", "Missing: the partition attribution_2026_11 of table ecg.attribution."),
        ("CREATE TABLE ecg.mine (id int)", "Not known to the code: table ecg.mine."),
    ],
)
def test_each_difference_is_named(make_database, known, change, told):
    with known.engine.connect() as conn:
        if "attribution_2026_11" in change:
            month = conn.execute(
                text("SELECT to_char(arrived_month, 'YYYY_MM') FROM ecg.scoring_run LIMIT 1")
            ).scalar_one()
            change, told = (part.replace("2026_11", month) for part in (change, told))
        if told is None:
            change = "CREATE OR REPLACE VIEW ecg_mart.ingest AS " + _definition(conn, "ingest").replace(
                "'UTC'", "'CET'"
            )
            told = "Different: view ecg_mart.ingest should be "
        conn.execute(text(change.replace(":", r"\:")))
        found = catalog.differences(conn)
        conn.rollback()
    assert any(line.startswith(told) for line in found), found
    assert len(found) <= 3


def _definition(conn, view: str) -> str:
    return conn.execute(
        text("SELECT pg_get_viewdef(CAST('ecg_mart.' || :view AS regclass))"), {"view": view}
    ).scalar_one()
