"""What readers answer: only ever added, with the user and the time; and the beats as the newest answers leave them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.result import BeatTable, Correction, Review, StatedFinding
from ecg_core.store import tables
from ecg_core.store.readings import BEATS

NEAREST_BEAT_S: Final = 0.15
"""A time that a reader gives means the beat within so much of it (ANSI/AAMI EC57's 150 ms)."""


def read_findings(conn: Connection, reading_id: int) -> tuple[StatedFinding, ...]:
    """Return the findings of a reading that its report states, in its order."""
    table = tables.finding
    stated = (table.c.reading_id == reading_id, table.c.sentence.is_not(None))
    rows = conn.execute(select(table.c.kind, table.c.sentence).where(*stated).order_by(table.c.finding_index))
    return tuple(StatedFinding(*row) for row in rows)


def nearest_beat(conn: Connection, scoring_run_id: int, at_s: float) -> tuple[int, float] | None:
    """Find the beat that a time means: its index and time; None where none is near enough."""
    table = tables.beat
    near = table.c.r_time_s.between(at_s - NEAREST_BEAT_S, at_s + NEAREST_BEAT_S)
    query = select(table.c.beat_index, table.c.r_time_s).where(table.c.scoring_run_id == scoring_run_id, near)
    row = conn.execute(query.order_by(func.abs(table.c.r_time_s - at_s)).limit(1)).one_or_none()
    return None if row is None else (int(row.beat_index), float(row.r_time_s))


def write_review(conn: Connection, reading_id: int, review: Review) -> None:
    """Add one answer: a row on the recording with comment and signature, and one for each finding and correction.

    All rows have the same time, the server's.

    Raises
    ------
    StoreError
        It judges a finding that the report does not state.
    """
    known = {finding.kind for finding in read_findings(conn, reading_id)}
    if unknown := sorted(set(review.agrees) - known):
        raise StoreError(f"The report states no finding {unknown[0]!r}.", "Open the report again and review that.")
    shared = {
        "reading_id": reading_id,
        "reviewer_id": _reviewer_id(conn, review.reviewer),
        "reviewed_at": conn.execute(select(tables.now)).scalar_one(),
    }
    rows: list[dict[str, Any]] = [
        {"subject": "finding", "finding": kind, "agrees": agrees} for kind, agrees in review.agrees.items()
    ]
    rows += [_correction_row(correction) for correction in review.corrections]
    rows.append({"subject": "recording", "comment": review.comment or None, "signed": review.signed})
    for row in rows:
        conn.execute(insert(tables.review).values(**shared, **row))


def _correction_row(correction: Correction) -> dict[str, Any]:
    if correction.beat_index is not None:
        place: dict[str, Any] = {"subject": "beat", "beat_index": correction.beat_index}
    else:
        place = {"subject": "interval", "start_s": correction.start_s, "end_s": correction.end_s}
    return {**place, "corrected_class": correction.corrected_class}


def _reviewer_id(conn: Connection, user_name: str) -> int:
    table = tables.reviewer
    conn.execute(insert_or_not(table).values(user_name=user_name).on_conflict_do_nothing())
    return int(conn.execute(select(table.c.reviewer_id).where(table.c.user_name == user_name)).scalar_one())


def read_reviews(conn: Connection, reading_id: int) -> tuple[Review, ...]:
    """Return all answers to a report, oldest first."""
    review, reviewer, beat, part = tables.review, tables.reviewer, tables.beat, tables.reading_run
    query = (
        select(review, reviewer.c.user_name, beat.c.r_time_s)
        .join(reviewer, reviewer.c.reviewer_id == review.c.reviewer_id)
        .join(part, (part.c.reading_id == review.c.reading_id) & (part.c.task == BEATS))
        .outerjoin(beat, (beat.c.scoring_run_id == part.c.scoring_run_id) & (beat.c.beat_index == review.c.beat_index))
        .where(review.c.reading_id == reading_id)
        .order_by(review.c.review_id)
    )
    answers: dict[tuple[Any, Any], list[Any]] = {}
    for row in conn.execute(query):
        answers.setdefault((row.reviewed_at, row.user_name), []).append(row)
    return tuple(_review(reviewed_at, name, rows) for (reviewed_at, name), rows in answers.items())


def _review(reviewed_at: Any, reviewer: str, rows: list[Any]) -> Review:  # noqa: ANN401 (a row's own types)
    about = [row for row in rows if row.subject == "recording"]
    return Review(
        reviewer=reviewer,
        reviewed_at=reviewed_at,
        comment=" ".join(row.comment for row in about if row.comment),
        signed=any(row.signed for row in about),
        agrees={row.finding: row.agrees for row in rows if row.subject == "finding" and row.agrees is not None},
        corrections=tuple(
            Correction(row.start_s, row.end_s, row.corrected_class)
            if row.subject == "interval"
            else Correction(row.r_time_s or 0.0, row.r_time_s or 0.0, row.corrected_class, row.beat_index)
            for row in rows
            if row.corrected_class is not None
        ),
    )


def corrected_readings(conn: Connection) -> list[tuple[int, int, str]]:
    """List the newest reading of each recording with a corrected class, its run of beats, and where its copy is."""
    review, part, reading, ledger = tables.review, tables.reading_run, tables.reading, tables.ingest_ledger
    query = (
        select(reading.c.reading_id, part.c.scoring_run_id, ledger.c.staged_path)
        .distinct(reading.c.recording_id)
        .select_from(review)
        .join(reading, reading.c.reading_id == review.c.reading_id)
        .join(part, (part.c.reading_id == reading.c.reading_id) & (part.c.task == BEATS))
        .join(ledger, ledger.c.recording_id == reading.c.recording_id)
        .where(review.c.corrected_class.is_not(None))
        .order_by(reading.c.recording_id, review.c.review_id.desc())
    )
    return [(int(reading_id), int(run), str(path)) for reading_id, run, path in conn.execute(query)]


def corrected_classes(beats: BeatTable, reviews: tuple[Review, ...]) -> tuple[npt.NDArray[np.int8], list[int]]:
    """Apply the corrections of all signed answers, oldest first.

    Returns
    -------
    class_index : ndarray of int8, shape (n_beats,)
    changed : list of int
        Beats that a reader said something of, whether or not it differs from the model.
    """
    class_index = beats.class_index.copy()
    corrected = np.zeros(len(beats), dtype=bool)
    for review in reviews:
        for correction in review.corrections if review.signed else ():
            if correction.beat_index is not None:
                rows = np.array([correction.beat_index]) if correction.beat_index < len(beats) else np.zeros(0, int)
            else:
                inside = (beats.r_time_s >= correction.start_s) & (beats.r_time_s <= correction.end_s)
                rows = np.flatnonzero(inside)
            class_index[rows] = CLASSES.index(correction.corrected_class)
            corrected[rows] = True
    return class_index, np.flatnonzero(corrected).tolist()
