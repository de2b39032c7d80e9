"""Every question of the analysts has rows on the demo's data after one review; the mart goes out as one DuckDB file."""

from datetime import date

import duckdb
import pytest
from sqlalchemy import text

from ecg_core.cli.demo import fill_inbox
from ecg_core.operations import maintenance
from ecg_core.pipeline import inbox
from ecg_core.readers import exports, reports, reviewing
from ecg_core.result import Correction, Review
from ecg_core.settings import PROJECT_DIR
from ecg_core.store.database import store_engine
from ecg_core.store.reports import Filters

EXAMPLES = sorted((PROJECT_DIR / "sql" / "examples").glob("*.sql"))


@pytest.fixture
def demo(settings, tmp_path):
    """The demo's generated arrivals, scored; one beat corrected, each finding judged, signed; drift measured."""
    nowhere = settings.model_copy(update={"physionet_base": str(tmp_path / "nowhere"), "chunk_size": 100})
    fill_inbox(nowhere, tmp_path / "inbox", lambda line: None)
    inbox.register_arrivals(nowhere)
    for chunk in inbox.plan_chunks(nowhere):
        inbox.score_chunk(nowhere, chunk, "demo")
    [*_, row] = reports.list_reports(nowhere, Filters(finding="v_beats")).reports
    with store_engine(nowhere).connect() as conn:
        first_v = text("SELECT min(r_time_s) FROM ecg.beat JOIN ecg.scoring_run USING (scoring_run_id) "
                       "WHERE recording_id = :id AND class = 'V'")  # fmt: skip
        at_s = conn.execute(first_v, {"id": row.recording_id}).scalar_one()
    page = reviewing.review_page(nowhere, row.report_id)
    agrees = {finding.kind: i % 2 == 0 for i, finding in enumerate(page.findings)}
    reviewing.add_review(nowhere, row.report_id, Review("ada", None, "", True, agrees, (Correction(at_s, at_s, "N"),)))
    maintenance.measure_drift(nowhere)
    return nowhere


def test_every_question_has_rows_and_the_mart_is_one_file(demo, tmp_path):
    assert len(EXAMPLES) >= 20
    with store_engine(demo).connect() as conn:
        empty = [file.stem for file in EXAMPLES if not conn.exec_driver_sql(file.read_text()).all()]
        n_views = conn.execute(text("SELECT count(*) FROM pg_views WHERE schemaname = 'ecg_mart'")).scalar_one()
    assert empty == []
    path, rows = exports.export_duckdb(demo, tmp_path / "out", date(2020, 1, 1), date(2100, 1, 1))
    assert [file.name for file in path.parent.iterdir()] == ["ecg_mart.duckdb"]
    with duckdb.connect(str(path), read_only=True) as mart:
        tables = mart.sql("SELECT table_name, comment FROM duckdb_tables()").fetchall()
        [state] = mart.sql("SELECT state FROM score_final WHERE is_newest AND signature_holds").fetchall()
        [(n_beats,)] = mart.sql("SELECT count(*) FROM beat").fetchall()
        of_score = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'score'"
        types = dict(mart.sql(of_score).fetchall())
    assert len(tables) == n_views
    assert all(comment for _, comment in tables)
    assert (state, n_beats) == (("amended",), rows["beat"])
    assert (types["arrived_at"], types["n_beats"], types["median_pr_ms"]) == (
        "TIMESTAMP WITH TIME ZONE",
        "INTEGER",
        "FLOAT",
    )
