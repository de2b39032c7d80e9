"""Who writes what: scoring, retraining and upkeep act as ecg_writer, answers as ecg_reviewer, whoever signs in."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from ecg_core.errors import StoreError
from ecg_core.models import SHIPPED_VERSION, load_model
from ecg_core.operations import maintenance
from ecg_core.pipeline import inbox, retrain
from ecg_core.readers import exports, reports, reviewing
from ecg_core.result import Review
from ecg_core.store import arrivals, ledger
from ecg_core.store import models as model_rows
from ecg_core.store.arrivals import Arrival
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.reports import Filters

WATCH = """
CREATE TABLE public.acted (table_name name, who name);
GRANT INSERT ON public.acted TO PUBLIC;
CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.acted VALUES (tg_table_name, current_user);
    RETURN NULL;
END $$;
DO $$
DECLARE
    watched regclass;
BEGIN
    FOR watched IN SELECT oid FROM pg_class
        WHERE relnamespace = 'ecg'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    LOOP
        EXECUTE format(
            'CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON %%s EXECUTE FUNCTION public.watch()', watched
        );
    END LOOP;
END $$;
"""
SCORED = {"arrival", "ingest_ledger", "recording", "scoring_run", "beat", "attribution", "finding", "report", "hourly"}


@pytest.fixture
def acted(settings):
    """Note who writes to which table from now on; call it to read and forget what was noted."""
    engine = owner_engine(settings)
    with engine.begin() as conn:
        conn.exec_driver_sql(WATCH)

    def read() -> dict[str, set[str]]:
        with engine.begin() as conn:
            rows = conn.execute(text("DELETE FROM public.acted RETURNING table_name, who")).all()
        return {table: {who for name, who in rows if name == table} for table, _ in rows}

    return read


def _score(settings, arrive) -> str:
    arrive("a")
    inbox.register_arrivals(settings)
    ((recording_id,),) = inbox.plan_chunks(settings)
    assert inbox.score_chunk(settings, [recording_id], "test")[0]["outcome"] == "scored"
    return recording_id


def test_scoring_acts_as_the_writer_and_answers_as_the_reviewer(settings, arrive, acted, tmp_path):
    recording_id = _score(settings, arrive)
    maintenance.run_checks(settings)
    told = acted()
    assert set(told) >= SCORED
    assert set().union(*told.values()) == {"ecg_writer"}

    (row,) = reports.list_reports(settings, Filters(), urgent_first=True).reports
    assert reports.report_html(settings, row.report_id)
    page = reviewing.review_page(settings, row.report_id)
    review = Review("ada", None, "", True, {finding.kind: True for finding in page.findings}, ())
    reviewing.add_review(settings, row.report_id, review)
    assert reviewing.corrected_beats(settings, recording_id)
    told = acted()
    # That the report was drawn again is the writer's; its urgency changes with the answer.
    assert told.pop("report") == {"ecg_reviewer", "ecg_writer"}
    assert told == {key: {"ecg_reviewer"} for key in ("reviewer", "review", "final_reading", "final_finding")}

    # Ways out read as the writer, and write nothing.
    reports.render_again(settings, recording_id, None, tmp_path / "again")
    exports.export_mart(settings, tmp_path / "mart", date(2020, 1, 1), date(2100, 1, 1))
    exports.export_fhir(settings, recording_id, tmp_path)
    exports.export_annotations(settings, recording_id, tmp_path)
    assert acted() == {}


def test_upkeep_acts_as_the_writer(settings, arrive, acted):
    _score(settings, arrive)
    # Only what has passed its time is dropped by the owner: the writer may not.
    assert "beat_2001_01" not in maintenance.drop_old_partitions(settings.model_copy(update={"retention_months": 12}))
    acted()
    maintenance.make_partitions(settings)
    with store_engine(settings).begin() as conn:
        arrivals.register(
            conn, [Arrival(source="x", recording_id="f" * 64, size_bytes=1, changed_at=0.0, staged_path="f")]
        )
        ledger.claim(conn, ["f" * 64], "dead", -5.0)
    assert maintenance.free_abandoned_claims(settings) == 1
    assert inbox.wait_again(settings) == 0
    maintenance.measure_drift(settings)
    maintenance.run_checks(settings, everything=True)
    told = acted()
    assert {"ingest_ledger", "drift"} <= set(told)
    assert set().union(*told.values()) == {"ecg_writer"}


def test_a_promotion_acts_as_the_writer(settings, acted):
    facts = load_model(SHIPPED_VERSION, settings.models_dir)
    with store_engine(settings).begin() as conn:
        model_rows.register_version(conn, facts.facts, facts.manifest)
        model_rows.record_training_run(
            conn,
            run_id="r",
            challenger=SHIPPED_VERSION,
            champion=SHIPPED_VERSION,
            figures={},
            promoted=True,
            reason="x",
        )
    assert set().union(*acted().values()) == {"ecg_writer"}
    assert retrain.scoring_version(settings) == SHIPPED_VERSION


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE ecg.beat",
        "ALTER TABLE ecg.scoring_run ADD COLUMN mine int",
        "TRUNCATE ecg.report",
        "INSERT INTO ecg.reviewer (user_name) VALUES ('made up')",
        "DELETE FROM ecg.schema_migration",
    ],
)
def test_what_scores_can_neither_drop_nor_alter_nor_review(settings, statement):
    with store_engine(settings).connect() as conn, pytest.raises(ProgrammingError, match=r"permission denied|owner"):
        conn.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ecg.scoring_run SET n_beats = 0",
        "INSERT INTO ecg.beat SELECT * FROM ecg.beat",
        "UPDATE ecg.review SET signed = true",
        "SELECT * FROM ecg.arrival",
        "SELECT ecg.ensure_partitions('2030-01-01')",
        "DROP VIEW ecg_mart.beat",
    ],
)
def test_the_review_form_can_neither_write_scores_nor_change_an_answer(settings, statement):
    engine = store_engine(settings, "ecg_reviewer")
    with engine.connect() as conn, pytest.raises((ProgrammingError, StoreError), match=r"permission denied|owner"):
        conn.execute(text(statement))
