"""The mart's files say what they are, and its questions find their rows by index and by partition."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from ecg_core.store import write_result

PROJECT_DIR = Path(__file__).resolve().parents[2]
VIEWS = sorted((PROJECT_DIR / "sql" / "views").glob("*.sql"))
NAMED_IN_THE_ISSUE = set(
    "recording beat finding rhythm_episode hourly attribution_segment attribution_sample model_version model_metric "
    "review ingest data_quality drift".split()
)
UNITS = ("_s", "_ms", "_mv", "_hz", "_bpm", "_id", "_index", "_at", "_on", "_month", "_bytes", "_z", "share")


def test_all_views_are_there():
    assert {path.stem for path in VIEWS} >= NAMED_IN_THE_ISSUE


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.stem)
def test_each_file_states_grain_sources_and_caveats(path):
    lines = path.read_text().splitlines()
    assert lines[0] == f"-- {path.stem}"
    for line, word in zip(lines[1:4], ("Grain", "Sources", "Caveats"), strict=True):
        assert re.fullmatch(rf"-- {word}: .+\.", line)
    assert lines[4] == f"CREATE OR REPLACE VIEW ecg_mart.{path.stem} AS"


def test_numbers_have_their_unit_in_their_name(conn):
    """Real numbers only: counts begin with n_, and what has no unit is named here."""
    without = {
        "measured_value",
        "metric_value",
        "mean_value",
        "reference_mean_value",
        "population_stability_index",
        "log_odds",
        "value",
        "limit_value",
        "standard_error",
    }
    names = conn.execute(
        text("""
        SELECT DISTINCT column_name FROM information_schema.columns
        WHERE table_schema = 'ecg_mart' AND data_type IN ('real', 'double precision', 'numeric')
        """)
    ).scalars()
    assert [n for n in names if not n.endswith(UNITS) and "probability" not in n and n not in without] == []


def test_the_mart_shows_no_magic_values(conn):
    for view in VIEWS:
        found = conn.execute(text(f"SELECT count(*) FROM ecg_mart.{view.stem} AS v WHERE v::text ~ 'NaN|[(,]-1[,)]'"))
        assert found.scalar_one() == 0, view.stem


@pytest.fixture(scope="module")
def many(make_database, build_result):
    """300 short and 3 long recordings in three months: enough for the planner to want an index."""
    engine = make_database()
    with engine.begin() as conn:
        for month in range(3):
            for seed in range(month * 101, month * 101 + 101):
                result = build_result(20_000 if seed % 101 == 0 else 30, seed=seed)
                conn.execute(
                    text(
                        "INSERT INTO ecg.ingest_ledger (recording_id, staged_path, size_bytes, first_seen_at) "
                        "VALUES (:id, 'x', 1, make_timestamptz(2026, :month, 1 + :day, 0, 0, 0))"
                    ),
                    {"id": result.recording.recording_id, "month": month + 1, "day": seed % 28},
                )
                write_result.write_result(conn, result, "test")
        # Small tables are read whole, rightly: make these large.
        conn.execute(
            text(
                "INSERT INTO ecg.ingest_ledger (recording_id, staged_path, size_bytes, first_seen_at) "
                "SELECT encode(sha256(i::text::bytea), 'hex'), 'x', 1, timestamptz '2025-01-01' + i * interval '1 h' "
                "FROM generate_series(1, 9000) AS i ON CONFLICT DO NOTHING"
            )
        )
        conn.execute(
            text(
                "INSERT INTO ecg.hourly (scoring_run_id, hour_index, n_beats, n_beats_analysable, n_class_n, "
                "n_class_s, n_class_v, n_class_f, n_class_q, n_uncertain) "
                "SELECT 1, i, 1, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(100, 9000) AS i"
            )
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))
    return engine


def _plan(engine, query: str) -> str:
    with engine.connect() as conn:
        return "\n".join(conn.execute(text(f"EXPLAIN {query}")).scalars())


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM ecg_mart.beat WHERE scoring_run_id = 7 AND beat_index = 3", "beat_{}_pkey"),
        ("SELECT * FROM ecg_mart.beat WHERE recording_id = '{id}'", "beat_{}_pkey"),
        (
            "SELECT count(*) FROM ecg.beat WHERE scoring_run_id = 102 AND class <> 'N' AND analysable",
            "beat_{}_scoring_run",
        ),
        ("SELECT * FROM ecg_mart.attribution_segment WHERE recording_id = '{id}'", "attribution_{}_pkey"),
        ("SELECT * FROM ecg_mart.attribution_sample WHERE recording_id = '{id}'", "attribution_sample_{}_pkey"),
        ("SELECT * FROM ecg_mart.hourly WHERE scoring_run_id = 7", "hourly_pkey"),
        ("SELECT * FROM ecg_mart.score WHERE recording_id = '{id}'", "scoring_run_recording_id_model_version_key"),
        ("SELECT * FROM ecg.scoring_run WHERE scored_at > now() + interval '1 day'", "scoring_run_scored"),
        ("SELECT * FROM ecg_mart.recording WHERE recording_id = '{id}'", "recording_pkey"),
        ("SELECT * FROM ecg.recording WHERE arrived_at BETWEEN '2026-02-03' AND '2026-02-04'", "recording_arrived"),
        (
            "SELECT * FROM ecg_mart.ingest WHERE first_seen_at BETWEEN '2026-02-03' AND '2026-02-04'",
            "ingest_ledger_arrived",
        ),
    ],
    ids=lambda value: value[:60] if value.startswith("SELECT") else None,
)
def test_rows_are_found_by_index(many, query, index):
    with many.connect() as conn:
        the_7th = "SELECT recording_id FROM ecg.scoring_run WHERE scoring_run_id = 7"
        recording_id = conn.execute(text(the_7th)).scalar_one()
    plan = _plan(many, query.replace("{id}", recording_id))
    wanted = {index.format(month) for month in ("2026_01", "2026_02", "2026_03")}
    assert any(name in plan for name in wanted), plan


def test_a_month_reads_its_partition_alone(many):
    plan = _plan(many, "SELECT count(*) FROM ecg_mart.beat WHERE arrived_month = '2026-02-01'")
    assert "beat_2026_02" in plan
    assert "beat_2026_01" not in plan
    assert "beat_2026_03" not in plan


def test_questions_by_hour_do_not_read_beats(many):
    def reads_beats(name):
        plan = _plan(many, (PROJECT_DIR / "sql" / "examples" / f"{name}.sql").read_text().replace(":", r"\:"))
        return bool(re.search(r" on (beat|attribution)_\d", plan))

    by_hour = ("ectopic_burden", "changed_class", "review_first", "throughput", "beats_per_class")
    assert [name for name in by_hour if reads_beats(name)] == []
    assert reads_beats("wave_behind_v_calls")
