"""Every rule of sql/checks passes on good data and finds the fault that it is there for."""

import pytest
from pydantic import PostgresDsn
from sqlalchemy import text

from ecg_core.errors import DataQualityError, StoreError
from ecg_core.operations.maintenance import run_checks
from ecg_core.settings import Settings
from ecg_core.store import arrivals, checks, ledger, write_result
from ecg_core.store.arrivals import Arrival
from ecg_core.store.readings import reading_of

RULES = {rule.name: rule for rule in checks.read_rules()}
FAULTS = {
    "beat_outside_recording": "UPDATE ecg.beat SET r_sample = 100000000 WHERE beat_index = 3",
    "probabilities_sum": "UPDATE ecg.beat SET probability_q = probability_q + 0.01 WHERE beat_index = 3",
    "class_is_most_probable": "UPDATE ecg.beat SET class = 'Q' WHERE beat_index = 3",
    "intervals_plausible": "UPDATE ecg.beat SET qt_ms = 1200 WHERE beat_index = 3",
    "beats_as_counted": "DELETE FROM ecg.beat WHERE beat_index = 3",
    "hours_as_counted": "UPDATE ecg.hourly SET n_beats = n_beats + 1",
    "report_without_scores": "DELETE FROM ecg.beat",
    "scores_without_report": "DELETE FROM ecg.report",
    "readings_as_their_runs": "UPDATE ecg.reading_run SET task = 'rhythm'",
    "ledger_says_scored": "UPDATE ecg.ingest_ledger SET state = 'waiting', done_at = NULL",
    "shares_sum": "UPDATE ecg.attribution SET qrs_share = qrs_share / 2 WHERE qrs_share > 0.1",
    "attributions_have_beats": "UPDATE ecg.attribution SET beat_index = beat_index + 100000",
    "shapley_has_beats": "UPDATE ecg.shapley SET beat_index = beat_index + 100000",
    "beats_have_runs": "UPDATE ecg.beat SET scoring_run_id = 99999",
    "claims_abandoned": "UPDATE ecg.ingest_ledger SET state = 'claimed', owner = 'x', done_at = NULL, "
    "lease_until = now() - interval '2 days'",
}


@pytest.fixture(scope="module")
def scored(make_database, build_result, recording_id_of):
    engine = make_database()
    with engine.begin() as conn:
        arrivals.register(
            conn, [Arrival(source="a", recording_id=recording_id_of(0), size_bytes=1, changed_at=0.0, staged_path="a")]
        )
        run = write_result.write_result(conn, build_result(200), "test")
        write_result.write_report(conn, reading_of(conn, run), path="a.html", sha256="a" * 64, size_bytes=1, stages={})
        ledger.mark_scored(conn, recording_id_of(0))
    return engine


@pytest.fixture
def settings(scored, tmp_path) -> Settings:
    url = scored.url.render_as_string(hide_password=False)
    return Settings(_env_file=None, home=tmp_path, database_url=PostgresDsn(url.replace("+psycopg2", "")))


def test_every_rule_has_a_fault_here():
    assert set(FAULTS) == set(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_finds_its_fault_and_nothing_else(scored, name):
    rule = RULES[name]
    with scored.connect() as conn:
        assert checks.check(conn, rule, None).n_rows_broken == 0
        conn.execute(text(FAULTS[name]))
        found = checks.check(conn, rule, None)
        assert found.n_rows_broken > 0
        assert len(found.examples) <= checks.EXAMPLES
        assert all(any(key.endswith(("_id", "_month")) for key in row) for row in found.examples)
        conn.rollback()


def test_old_scores_are_not_looked_at_again(scored):
    with scored.connect() as conn:
        conn.execute(text("UPDATE ecg.scoring_run SET scored_at = now() - interval '3 days'"))
        conn.execute(text(FAULTS["probabilities_sum"]))
        two_days_ago = conn.execute(text("SELECT now() - interval '2 days'")).scalar_one()
        assert checks.check(conn, RULES["probabilities_sum"], two_days_ago).n_rows_broken == 0
        assert checks.check(conn, RULES["probabilities_sum"], None).n_rows_broken == 1
        conn.rollback()


def test_what_retention_dropped_breaks_no_rule(scored):
    with scored.connect() as conn:
        month = conn.execute(
            text("SELECT (arrived_month + interval '1 month')::date FROM ecg.scoring_run")
        ).scalar_one()
        assert len(conn.execute(text("SELECT ecg.drop_partitions_before(:month)"), {"month": month}).all()) == 5
        for rule in RULES.values():
            assert checks.check(conn, rule, None).n_rows_broken == 0, rule.name
        conn.rollback()


def test_a_severe_rule_fails_the_task_and_a_warning_does_not(scored, settings):
    assert run_checks(settings) == dict.fromkeys(sorted(RULES), 0)
    with scored.begin() as conn:
        conn.execute(text("ALTER TABLE ecg.report RENAME TO set_by"))
        conn.execute(text("CREATE TABLE ecg.report (LIKE ecg.set_by INCLUDING ALL)"))
        conn.execute(text("GRANT SELECT ON ecg.report TO ecg_writer"))
    try:
        assert run_checks(settings)["scores_without_report"] == 1
        with scored.begin() as conn:
            conn.execute(text("UPDATE ecg.hourly SET n_beats = n_beats + 1"))
        with pytest.raises(DataQualityError, match="hours_as_counted \\(1 rows\\)"):
            run_checks(settings)
    finally:
        with scored.begin() as conn:
            conn.execute(text("UPDATE ecg.hourly SET n_beats = 200 WHERE n_beats > 200"))
            conn.execute(text("DROP TABLE ecg.report"))
            conn.execute(text("ALTER TABLE ecg.set_by RENAME TO report"))
    with scored.connect() as conn:
        rows = conn.execute(
            text(
                "SELECT rule, severity, n_rows_broken, examples FROM ecg_mart.data_quality WHERE NOT passed ORDER BY 1"
            )
        ).all()
    assert [(row.rule, row.severity, row.n_rows_broken) for row in rows] == [
        ("hours_as_counted", "severe", 1),
        ("scores_without_report", "warning", 1),
        ("scores_without_report", "warning", 1),
    ]
    assert rows[0].examples[0]["n_beats_by_hour"] == 201


@pytest.mark.parametrize("head", ["SELECT 1", "-- A rule.\nSELECT 1", "-- A rule.\n-- Severity: mild\nSELECT 1"])
def test_a_rule_without_its_head_is_refused(tmp_path, head):
    (tmp_path / "rule.sql").write_text(head)
    with pytest.raises(StoreError, match=r"rule\.sql does not begin"):
        checks.read_rules(tmp_path)
