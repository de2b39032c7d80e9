"""Readings: one recording by one set of model versions, one a task. Report, findings and reviews belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Final

from sqlalchemy import Connection, Integer, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from ecg_core.errors import StoreError
from ecg_core.result import Finding
from ecg_core.store.binary_copy import copy_records
from ecg_core.store.tables import finding, reading, reading_run, scoring_run

BEATS: Final = "beats"
"""The task whose scoring run says of each beat what it is."""

# What is said for each recording is built once.
_VERSIONS: Final = select(scoring_run.c.task, scoring_run.c.model_version).where(
    scoring_run.c.scoring_run_id == any_(bindparam("runs", type_=ARRAY(Integer)))
)
_NEW: Final = insert(reading).on_conflict_do_nothing().returning(reading.c.reading_id)
_NEWEST_OF: Final = (
    select(reading_run.c.reading_id)
    .where(reading_run.c.scoring_run_id == bindparam("run", type_=Integer))
    .order_by(reading_run.c.reading_id.desc())
    .limit(1)
)


def write_reading(
    conn: Connection,
    recording_id: str,
    runs: Mapping[str, int],
    findings: Sequence[Finding] = (),
    sentences: Sequence[str] = (),
) -> int | None:
    """Enter the reading that consists of these scoring runs, with its findings.

    Parameters
    ----------
    conn : Connection
    recording_id : str
    runs : mapping of str to int
        Scoring run by task.
    findings : sequence of Finding
        In the order in which a reader is told them.
    sentences : sequence of str
        How the report states each of them; none where no report is written.

    Returns
    -------
    int or None
        Number of the reading; None where it was there: then nothing is written.
    """
    versions = dict(conn.execute(_VERSIONS, {"runs": list(runs.values())}).tuples().all())
    # A second writer waits here until the first is through.
    new = {"recording_id": recording_id, "versions": versions}
    reading_id: int | None = conn.execute(_NEW, new).scalar_one_or_none()
    if reading_id is None:
        return None
    parts = [{"reading_id": reading_id, "task": task, "scoring_run_id": run} for task, run in runs.items()]
    copy_records(conn, reading_run, parts)
    rows = [
        {"reading_id": reading_id, "finding_index": i, "sentence": sentence, **asdict(one)}
        for i, (one, sentence) in enumerate(zip_longest(findings, sentences))
    ]
    copy_records(conn, finding, rows)
    return reading_id


def reading_of(conn: Connection, scoring_run_id: int) -> int:
    """Find the newest reading that a scoring run is part of.

    Raises
    ------
    StoreError
        There is no such scoring run.
    """
    reading_id = conn.execute(_NEWEST_OF, {"run": scoring_run_id}).scalar_one_or_none()
    if reading_id is None:
        raise StoreError(f"There is no scoring run {scoring_run_id}.", "Write the result before its report.")
    return int(reading_id)


def runs_of(conn: Connection, reading_id: int) -> dict[str, int]:
    """Return the scoring runs of a reading by task."""
    query = select(reading_run.c.task, reading_run.c.scoring_run_id).where(reading_run.c.reading_id == reading_id)
    return dict(conn.execute(query).tuples().all())
