"""What readers answer: only ever added, with the user and the time."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from ecg_core.errors import StoreError
from ecg_core.result import Correction, Review, StatedFinding
from ecg_core.result.reviewed import Action
from ecg_core.store import tables
from ecg_core.store.readings import BEATS

_LOCK: Final = 0x52455649
"""First half of the key that readers of one reading take turns by."""


def read_findings(conn: Connection, reading_id: int) -> tuple[StatedFinding, ...]:
    """Return the findings of a reading that its report states, in its order."""
    table = tables.finding
    stated = (table.c.reading_id == reading_id, table.c.sentence.is_not(None))
    rows = conn.execute(select(table.c.kind, table.c.sentence).where(*stated).order_by(table.c.finding_index))
    return tuple(StatedFinding(*row) for row in rows)


def lock_reading(conn: Connection, reading_id: int) -> None:
    """Let one reader at a time answer to a reading, until the transaction ends."""
    conn.execute(select(func.pg_advisory_xact_lock(_LOCK, reading_id)))


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
        "reviewer_id": reviewer_id(conn, review.reviewer),
        "reviewed_at": conn.execute(select(tables.now)).scalar_one(),
    }
    rows: list[dict[str, Any]] = [
        {"subject": "finding", "finding": kind, "agrees": agrees} for kind, agrees in review.agrees.items()
    ]
    rows += [_correction_row(correction) for correction in review.corrections]
    about = {"comment": review.comment or None, "signed": review.signed, "signed_sha256": review.sha256}
    rows.append({"subject": "recording", **about})
    for row in rows:
        conn.execute(insert(tables.review).values(**shared, **row))


def _correction_row(correction: Correction) -> dict[str, Any]:
    what = {
        "corrected_class": correction.corrected_class or None,
        "rhythm": correction.rhythm or None,
        "no_beat": correction.action == "no_beat",
    }
    if correction.beat_index is not None:
        return {"subject": "beat", "beat_index": correction.beat_index, **what}
    subject = "added_beat" if correction.action in ("added", "no_beat") else "interval"
    return {"subject": subject, "start_s": correction.start_s, "end_s": correction.end_s, **what}


def reviewer_id(conn: Connection, user_name: str) -> int:
    """Return the number of a reviewer, who is entered where they never answered before."""
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
        corrections=tuple(map(_correction, (row for row in rows if row.subject in _OF_BEATS and _says_something(row)))),
        sha256=next((row.signed_sha256 for row in about if row.signed), None),
    )


_OF_BEATS: Final = ("beat", "added_beat", "interval")


def _says_something(row: Any) -> bool:  # noqa: ANN401 (a row's own types)
    return bool(row.corrected_class or row.rhythm or row.no_beat)


def _correction(row: Any) -> Correction:  # noqa: ANN401 (a row's own types)
    start_s, end_s = (row.start_s, row.end_s) if row.start_s is not None else (row.r_time_s or 0.0,) * 2
    action: Action = "class"
    if row.no_beat:
        action = "no_beat"
    elif row.rhythm:
        action = "rhythm"
    elif row.subject == "added_beat":
        action = "added"
    return Correction(start_s, end_s, row.corrected_class or "", row.beat_index, action, row.rhythm or "")


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
        .where(or_(review.c.corrected_class.is_not(None), review.c.no_beat))
        .order_by(reading.c.recording_id, review.c.review_id.desc())
    )
    return [(int(reading_id), int(run), str(path)) for reading_id, run, path in conn.execute(query)]
