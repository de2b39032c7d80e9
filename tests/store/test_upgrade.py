"""A database of the first release, with data in it, becomes what a fresh one would be."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from ecg_core.labels import CLASSES
from ecg_core.result import INTERVALS, SEGMENTS_MS, Result
from ecg_core.result.intervals import MEASURES
from ecg_core.store import migrate, read_result, write_result
from ecg_core.store.migrate import MIGRATIONS_DIR
from ecg_core.store.tables import CHOSEN_VALUES, metadata

FIRST_RELEASE = ("0001", "0002", "0003")
AS_BEFORE = (
    "patient recording model_version scoring_run beat chosen_beat attribution_sample rhythm_episode signal_quality"
).split()


@pytest.fixture
def first_release(empty_engine: Engine, engine: Engine, build_result, tmp_path: Path) -> list[Result]:
    """Fill `empty_engine` with the first release's schema and what `engine` holds, as that release wrote it."""
    results = [build_result(300, seed=seed) for seed in range(2)]
    with engine.begin() as conn:
        for result in results:
            write_result.write_result(conn, result, "test")
    folder = tmp_path / "first" / "migrations"
    folder.mkdir(parents=True)
    for name in FIRST_RELEASE:
        shutil.copy(next(MIGRATIONS_DIR.glob(f"{name}_*.sql")), folder)
    assert len(migrate(empty_engine, folder)) == 3
    with engine.connect() as new, empty_engine.begin() as old:
        for name in AS_BEFORE:
            _copy(new, old, name)
        runs = dict(new.execute(text("SELECT recording_id, scoring_run_id FROM ecg.scoring_run")).tuples().all())
        for result in results:
            _write_old_attributions(old, runs[result.recording.recording_id], result)
        old.execute(
            text(
                "INSERT INTO ecg.ingest_ledger (recording_id, staged_path, size_bytes, first_seen_at) "
                "VALUES (:id, 'x', 1, '2026-01-31 23:30+00')"
            ),
            {"id": results[0].recording.recording_id},
        )
    return results


def _copy(new: Connection, old: Connection, name: str) -> None:
    kept = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ecg' AND table_name = :name"
    columns = ", ".join(f'"{column}"' for column in old.execute(text(kept), {"name": name}).scalars())
    rows = new.connection.cursor()
    rows.execute(f"SELECT {columns} FROM ecg.{name}")
    found = rows.fetchall()
    marks = ", ".join(["%s"] * len(found[0]))
    as_json = [tuple(_json(value) for value in row) for row in found]
    old.connection.cursor().executemany(
        f"INSERT INTO ecg.{name} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})", as_json
    )


def _json(value: object) -> object:
    from psycopg2.extras import Json

    return Json(value) if isinstance(value, dict) else value


def _write_old_attributions(old: Connection, run: int, result: Result) -> None:
    for given in result.attributions:
        rows = [(run, beat, given.method, *map(float, given.segment_shares[beat])) for beat in range(len(result.beats))]
        columns = ", ".join(f"{name}_share" for name in SEGMENTS_MS)
        into = f"INSERT INTO ecg.attribution (scoring_run_id, beat_index, method, {columns})"
        old.connection.cursor().executemany(f"{into} VALUES (%s, %s, %s, %s, %s, %s)", rows)


def _rows(engine: Engine, table: str, order: str) -> list[dict]:
    left_out = {"arrived_at", "stored_at", "arrived_month", "registered_at", "first_seen_at", "prediction_set"}
    # What the first release did not measure is unknown of its scores, and stays so.
    left_out |= {*INTERVALS, *(f"median_{name}" for name in MEASURES), "n_beats_with_qt", "waves_ms", *CHOSEN_VALUES}
    left_out |= {"own_reference"}
    with engine.connect() as conn:
        found = conn.execute(text(f"SELECT * FROM ecg.{table} ORDER BY {order}")).mappings()
        return [{name: value for name, value in row.items() if name not in left_out} for row in found]


def test_all_rows_are_there_and_as_a_fresh_database_would_have_them(first_release, empty_engine, engine):
    assert migrate(empty_engine) == sorted(path.name for path in MIGRATIONS_DIR.glob("*.sql"))[len(FIRST_RELEASE) :]
    for name in (*AS_BEFORE, "attribution"):
        key = ", ".join(column.name for column in metadata.tables[f"ecg.{name}"].primary_key)
        upgraded = _rows(empty_engine, name, key)
        assert upgraded
        assert upgraded == _rows(engine, name, key), name


def test_beats_from_before_prediction_sets_claim_none(first_release, empty_engine):
    migrate(empty_engine)
    with empty_engine.connect() as conn:
        found = conn.execute(
            text("SELECT DISTINCT prediction_set, inconclusive FROM ecg_mart.beat WHERE analysable")
        ).all()
        assert found == [(None, None)]
        run = conn.execute(text("SELECT min(scoring_run_id) FROM ecg.scoring_run")).scalar_one()
        beats = read_result.read_result(conn, run, with_signal=False).beats
    assert np.array_equal(beats.in_set, beats.probabilities >= np.float32(0.2)), "a report of then still tells doubt"


def test_what_sql_sums_up_is_what_was_summed_up_at_scoring(first_release, empty_engine, engine):
    migrate(empty_engine)
    by_sql, by_numpy = (
        [*_rows(one, "hourly", "1, 2"), *_rows(one, "method_agreement", "1, 2, 3, 4")] for one in (empty_engine, engine)
    )
    assert len(by_sql) == len(by_numpy) > 0
    for one, other in zip(by_sql, by_numpy, strict=True):
        for name in one:
            expected = pytest.approx(other[name], rel=1e-5) if isinstance(other[name], float) else other[name]
            assert one[name] == expected, name


def test_months_are_those_of_arrival(first_release, empty_engine):
    migrate(empty_engine)
    with empty_engine.connect() as conn:
        months = dict(conn.execute(text("SELECT recording_id, arrived_month::text FROM ecg_mart.score")).tuples().all())
        for table in ("beat", "attribution", "chosen_beat", "attribution_sample"):
            wrong = (
                f"SELECT count(*) FROM ecg.{table} AS t JOIN ecg.scoring_run AS r USING (scoring_run_id) "
                "WHERE t.arrived_month <> r.arrived_month"
            )
            assert conn.execute(text(wrong)).scalar_one() == 0
    assert months[first_release[0].recording.recording_id] == "2026-01-01"


def test_the_upgraded_database_takes_new_results(first_release, empty_engine, build_result):
    migrate(empty_engine)
    with empty_engine.begin() as conn:
        assert write_result.write_result(conn, build_result(20, seed=7), "test")
        assert write_result.write_result(conn, first_release[0], "test") is None


def test_hours_hold_what_their_beats_say(engine, build_result):
    """Three hours, counted by hand from the arrays."""
    result = build_result(12_000, seed=3)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "test")
    found = _rows(engine, "hourly", "hour_index")
    beats = result.beats
    assert [row["hour_index"] for row in found] == [0, 1, 2]
    for row in found:
        of_hour = (beats.r_time_s // 3600) == row["hour_index"]
        rows = np.flatnonzero(of_hour & beats.analysable)
        assert row["n_beats"] == of_hour.sum()
        assert row["n_class_v"] == (beats.class_index[rows] == CLASSES.index("V")).sum()
        called = beats.probabilities[rows, beats.class_index[rows]]
        assert row["n_uncertain"] == (beats.in_set[rows].sum(axis=1) != 1).sum()
        assert row["mean_class_probability"] == pytest.approx(float(called.mean()), rel=1e-5)
        rr = beats.rr_prev_ms[of_hour]
        assert row["mean_heart_rate_bpm"] == pytest.approx(60000 / float(np.nanmean(rr)), rel=1e-4)
        assert row["min_heart_rate_bpm"] < row["mean_heart_rate_bpm"] < row["max_heart_rate_bpm"]


def test_an_hour_without_intervals_has_no_rate(engine, build_result):
    with engine.begin() as conn:
        write_result.write_result(conn, build_result(1), "test")
    (row,) = _rows(engine, "hourly", "hour_index")
    assert (row["n_beats"], row["mean_heart_rate_bpm"], row["min_heart_rate_bpm"]) == (1, None, None)
    assert row["mean_deviation_z"] is None or math.isfinite(row["mean_deviation_z"])
