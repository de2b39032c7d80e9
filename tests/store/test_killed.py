"""A writer killed before any of its statements, and run again, leaves the rows of one that was never killed."""

import os
import signal
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, text

from ecg_core.result import Result
from ecg_core.store import binary_copy, ledger, migrate, open_engine, write_result
from ecg_core.store.readings import reading_of
from ecg_core.store.tables import metadata

TIMES = {"first_seen_at", "stored_at", "arrived_at", "scored_at", "written_at", "done_at", "last_seen_at"}
TIMES |= {"registered_at", "first_made_at", "lease_until", "installed_at"}
OF_THE_DATABASE = ("answer_key",)
"""Drawn by lot for each database."""
NOT_COMPARED = TIMES | {"scoring_run_id", "reading_id", "report_id", "attempts"}
"""Times, and numbers given in the order of tries; the latter are replaced by what they stand for."""


def _work(conn: Connection, result: Result) -> None:
    """What the pipeline does for a recording; what is scored already is left alone."""
    recording_id = result.recording.recording_id
    with conn.begin():
        if not ledger.claim(conn, [recording_id], "worker", 60.0):
            return
    with conn.begin():
        run = write_result.write_result(conn, result, "worker")
        if run is not None:
            facts = {"path": f"{recording_id}.html", "sha256": recording_id, "size_bytes": 9}
            write_result.write_report(conn, reading_of(conn, run), **facts, stages={"read": 1.0})
        ledger.mark_scored(conn, recording_id)


def _killed_at(url: str, moment: int, result: Result) -> bool:
    """Do the work in a process that kills itself before its n-th statement or COPY; False where it came to its end."""
    child = os.fork()
    if child == 0:
        engine = open_engine(url)
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        copy = binary_copy._copy

        def counted_copy(*arguments: Any) -> None:
            count()
            copy(*arguments)

        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)
        binary_copy._copy = counted_copy
        with engine.connect() as conn:
            _work(conn, result)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _sums(engine: Engine) -> dict[str, str]:
    """A checksum over each table in the order of its key, with recording and version for the number of a run."""
    with engine.connect() as conn:
        compared = [table for table in metadata.sorted_tables if table.name not in OF_THE_DATABASE]
        return {table.name: conn.execute(text(_sum(table))).scalar_one() for table in compared}


def _sum(table: Table) -> str:
    names = [column.name for column in table.columns]
    kept = [f't."{name}"' for name in names if name not in NOT_COMPARED]
    join = ""
    if "scoring_run_id" in names and table.name != "scoring_run":
        kept = ["r.recording_id AS of_recording", "r.model_version AS of_version", *kept]
        join = "JOIN ecg.scoring_run AS r USING (scoring_run_id)"
    elif "reading_id" in names and table.name != "reading":
        kept = ["r.recording_id AS of_recording", "r.versions AS of_versions", *kept]
        join = "JOIN ecg.reading AS r USING (reading_id)"
    rows = f"SELECT {', '.join(kept)} FROM ecg.{table.name} AS t {join}"
    return f"SELECT md5(coalesce(string_agg(q::text, '|' ORDER BY q::text), '')) FROM ({rows}) AS q"


def test_killed_at_any_statement_and_run_again(empty_database, engine, build_result, arrive):
    results = [build_result(40, seed=seed) for seed in range(2)]
    killed = open_engine(empty_database)
    for target in (killed, engine):
        migrate(target)
        with target.begin() as conn:
            for seed in range(len(results)):
                arrive(conn, seed)
    for result in results:
        moments = 0
        while _killed_at(empty_database, moments + 1, result):
            moments += 1
            with killed.connect() as conn:
                beats = "SELECT count(*) FROM ecg_mart.beat WHERE recording_id = :id"
                visible = conn.execute(text(beats), {"id": result.recording.recording_id}).scalar_one()
                assert visible in (0, 40)
        assert moments > 20
        with engine.connect() as conn:
            _work(conn, result)
    assert _sums(killed) == _sums(engine)
    killed.dispose()
