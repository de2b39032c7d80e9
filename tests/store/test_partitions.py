"""Partitions by month of arrival: made when needed, also by two writers at once, and dropped when old."""

import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from ecg_core.store import partitions, write_result

TABLES = ("attribution", "attribution_sample", "beat", "chosen_beat", "shapley")


def _there(conn, suffix: str) -> list[str]:
    found = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE :like ORDER BY 1"
    return list(conn.execute(text(found), {"like": f"%{suffix}"}).scalars())


def _arrive_in(conn, recording_id: str, moment: str) -> None:
    conn.execute(
        text(
            "INSERT INTO ecg.ingest_ledger (recording_id, staged_path, size_bytes, first_seen_at) "
            "VALUES (:id, 'x', 1, :at)"
        ),
        {"id": recording_id, "at": moment},
    )


@pytest.mark.parametrize(
    ("arrived", "month"),
    [
        ("2027-02-28 23:59:59+00", "2027-02-01"),
        ("2027-03-01 01:30+02", "2027-02-01"),
        ("2027-03-01 00:00+00", "2027-03-01"),
    ],
)
def test_rows_lie_in_the_month_of_arrival_in_utc(engine, build_result, recording_id_of, arrived, month):
    with engine.connect() as conn:
        _arrive_in(conn, recording_id_of(0), arrived)
        run = write_result.write_result(conn, build_result(60), "test")
        again = write_result.write_result(conn, build_result(60, version="cnn-test-2"), "test")
        for table in TABLES:
            found = (
                "SELECT DISTINCT class.relname, t.arrived_month::text "
                f"FROM ecg.{table} AS t JOIN pg_class AS class ON class.oid = t.tableoid "
                "WHERE scoring_run_id IN (:a, :b)"
            )
            rows = conn.execute(text(found), {"a": run, "b": again}).all()
            assert rows == [(f"{table}_{month[:7].replace('-', '_')}", month)]
        conn.rollback()


def test_two_writers_make_a_month_at_once(empty_engine, build_result, recording_id_of):
    from ecg_core.store import migrate

    migrate(empty_engine)
    with empty_engine.begin() as conn:
        for seed in range(4):
            _arrive_in(conn, recording_id_of(seed), "2029-08-15")
    failed = []

    def write(seed: int) -> None:
        try:
            with empty_engine.begin() as conn:
                write_result.write_result(conn, build_result(2_000, seed=seed), f"writer-{seed}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with empty_engine.connect() as conn:
        assert _there(conn, "2029_08") == [f"{table}_2029_08" for table in TABLES]
        assert conn.execute(text("SELECT count(*) FROM ecg.beat_2029_08")).scalar_one() == 8_000


def test_a_new_partition_has_keys_checks_and_comments(engine):
    with engine.connect() as conn:
        partitions.ensure_partitions(conn, date(2028, 12, 31))
        partitions.ensure_partitions(conn, date(2028, 12, 1))
        assert _there(conn, "2028_12") == [f"{table}_2028_12" for table in TABLES]
        for kind in ("pg_index WHERE indrelid", "pg_constraint WHERE contype IN ('c', 'p') AND conrelid"):
            counted = [
                conn.execute(text(f"SELECT count(*) FROM {kind} = 'ecg.{name}'::regclass")).scalar_one()
                for name in ("beat", "beat_2028_12")
            ]
            assert counted[0] == counted[1] > 0
        comment = conn.execute(text("SELECT obj_description('ecg.beat_2028_12'::regclass, 'pg_class')")).scalar_one()
        assert comment.startswith("Grain: ")
        assert "2028-12" in comment
        conn.rollback()


def test_retention_drops_whole_months_and_leaves_the_summaries(empty_engine, build_result, recording_id_of):
    from ecg_core.store import counts, migrate

    migrate(empty_engine)
    with empty_engine.begin() as conn:
        for seed, arrived in enumerate(("2025-01-10", "2025-02-10", "2025-03-10")):
            _arrive_in(conn, recording_id_of(seed), arrived)
            write_result.write_result(conn, build_result(100, seed=seed), "test")
        before = counts(conn)
    with empty_engine.begin() as conn:
        dropped = partitions.drop_partitions_before(conn, date(2025, 3, 1))
        assert dropped == [f"{table}_2025_{month}" for month in ("01", "02") for table in TABLES]
        assert partitions.drop_partitions_before(conn, date(2025, 3, 31)) == []
        after = counts(conn)
        months = conn.execute(text("SELECT arrived_month::text FROM ecg.dropped_month ORDER BY 1")).scalars()
        assert list(months) == ["2025-01-01", "2025-02-01"]
    assert after["beat"] == before["beat"] / 3
    for name in ("scoring_run", "hourly", "rhythm_episode", "signal_quality", "recording"):
        assert after[name] == before[name] > 0


@pytest.mark.parametrize(
    ("month", "count", "expected"),
    [
        (date(2026, 11, 1), 2, date(2027, 1, 1)),
        (date(2026, 1, 1), -1, date(2025, 12, 1)),
        (date(2026, 5, 1), -17, date(2024, 12, 1)),
    ],
)
def test_next_month(month, count, expected):
    assert partitions.next_month(month, count) == expected


def test_month_of_a_moment_is_utc():
    assert partitions.month_of(datetime.fromisoformat("2026-03-01T01:00:00+02:00")) == date(2026, 2, 1)
    assert partitions.month_of(datetime(2026, 3, 1, tzinfo=UTC)) == date(2026, 3, 1)
