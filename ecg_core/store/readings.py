"""Readings: one recording by one set of model versions, one a task. Report, findings and reviews belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from ecg_core.errors import StoreError
from ecg_core.store.tables import reading, reading_run, scoring_run

BEATS: Final = "beats"
"""The task whose scoring run says of each beat what it is."""


def write_reading(conn: Connection, recording_id: str, runs: Mapping[str, int]) -> int:
    """Enter the reading that consists of these scoring runs; one that is there already is left as it is.

    Parameters
    ----------
    conn : Connection
    recording_id : str
    runs : mapping of str to int
        Scoring run by task.

    Returns
    -------
    int
        Number of the reading.
    """
    of_runs = select(scoring_run.c.scoring_run_id, scoring_run.c.model_version)
    version = dict(conn.execute(of_runs.where(scoring_run.c.scoring_run_id.in_(runs.values()))).tuples().all())
    key = {"recording_id": recording_id, "versions": {task: version[run] for task, run in runs.items()}}
    conn.execute(insert(reading).values(**key).on_conflict_do_nothing())
    found = select(reading.c.reading_id).where(
        reading.c.recording_id == recording_id, reading.c.versions == key["versions"]
    )
    reading_id = int(conn.execute(found).scalar_one())
    rows = [{"reading_id": reading_id, "task": task, "scoring_run_id": run} for task, run in runs.items()]
    conn.execute(insert(reading_run).on_conflict_do_nothing(), rows)
    return reading_id


def reading_of(conn: Connection, scoring_run_id: int) -> int:
    """Find the newest reading that a scoring run is part of.

    Raises
    ------
    StoreError
        There is no such scoring run.
    """
    query = select(reading_run.c.reading_id).where(reading_run.c.scoring_run_id == scoring_run_id)
    reading_id = conn.execute(query.order_by(reading_run.c.reading_id.desc()).limit(1)).scalar_one_or_none()
    if reading_id is None:
        raise StoreError(f"There is no scoring run {scoring_run_id}.", "Write the result before its report.")
    return int(reading_id)
