"""What the pages and summaries show: reports, and what became of each arrival."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Subquery, func, select

from ecg_core.labels import CLASSES
from ecg_core.store.tables import arrival, ingest_ledger, recording, report, rhythm_episode, scoring_run


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of the worklist. `beats` are the analysable ones by class; `episodes` counts rhythm episodes by kind."""

    report_id: int
    recording_id: str
    patient_pseudonym: str | None
    model_version: str
    start_time: datetime | None
    duration_s: float
    synthetic: bool
    analysable_share: float
    mean_heart_rate_bpm: float | None
    beats: dict[str, int]
    episodes: dict[str, int]
    written_at: datetime


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """What became of one content at one address.

    `duplicate` is True where the same content had arrived at another address before. The fields from `model_version` on
    are of the newest scoring run, and None or empty where there is none.
    """

    source: str
    recording_id: str
    duplicate: bool
    state: str
    code: str | None
    reason: str | None
    model_version: str | None
    beats: dict[str, int]
    stage_seconds: dict[str, float]
    report_path: str | None


def list_reports(
    conn: Connection, limit: int, search: str = "", before_report_id: int | None = None
) -> list[ReportRow]:
    """Return reports, the newest first.

    Parameters
    ----------
    conn : Connection
    limit : int
    search : str
        Start of a recording id; all where it is empty.
    before_report_id : int, optional
        Only reports older than this one, the last of the page before: far pages are as quick as the first.

    Returns
    -------
    list of ReportRow
    """
    # The page is cut from narrow rows first; only what is shown is joined.
    page = _found(search).order_by(report.c.report_id.desc()).limit(limit)
    if before_report_id is not None:
        page = page.where(report.c.report_id < before_report_id)
    rows = conn.execute(_lines(page.subquery("page"))).mappings()
    return [
        ReportRow(beats=_beats(row), episodes=row["episodes"] or {}, **_fields(row, ReportRow, "beats", "episodes"))
        for row in rows
    ]


def count_reports(conn: Connection, search: str = "") -> int:
    """Count the reports that `list_reports` would page through."""
    return conn.execute(select(func.count()).select_from(_found(search).subquery())).scalar_one()


def report_path(conn: Connection, report_id: int) -> str | None:
    """Return the path of a report by its number; None where there is none."""
    return conn.execute(select(report.c.path).where(report.c.report_id == report_id)).scalar_one_or_none()


def list_arrivals(conn: Connection, source_prefix: str = "") -> list[ArrivalRow]:
    """Return what became of each arrival whose address starts with `source_prefix`, in the order of the addresses."""
    ranked = select(
        arrival.c.source,
        arrival.c.recording_id,
        (func.row_number().over(partition_by=arrival.c.recording_id, order_by=arrival.c.first_seen_at) > 1).label(
            "duplicate"
        ),
    ).subquery()
    newest = (
        select(scoring_run)
        .distinct(scoring_run.c.recording_id)
        .order_by(scoring_run.c.recording_id, scoring_run.c.scoring_run_id.desc())
        .subquery()
    )
    found = (
        select(
            *ranked.c,
            *(ingest_ledger.c[name] for name in ("state", "code", "reason")),
            *(newest.c[name] for name in ("model_version", "stage_seconds", *_CLASS_COUNTS)),
            report.c.path.label("report_path"),
        )
        .join(ingest_ledger, ingest_ledger.c.recording_id == ranked.c.recording_id)
        .outerjoin(newest, newest.c.recording_id == ranked.c.recording_id)
        .outerjoin(report, report.c.scoring_run_id == newest.c.scoring_run_id)
        .where(ranked.c.source.startswith(source_prefix, autoescape=True))
        .order_by(ranked.c.source, ranked.c.recording_id)
    )
    return [
        ArrivalRow(
            beats=_beats(row) if row["model_version"] else {},
            stage_seconds=row["stage_seconds"] or {},
            **_fields(row, ArrivalRow, "beats", "stage_seconds"),
        )
        for row in conn.execute(found).mappings()
    ]


_CLASS_COUNTS = tuple(f"n_class_{name.lower()}" for name in CLASSES)


def _found(search: str) -> Select[tuple[int, int]]:
    found = select(report.c.report_id, report.c.scoring_run_id)
    if not search:
        return found
    starts_so = scoring_run.c.recording_id.startswith(search, autoescape=True)
    return found.join(scoring_run, scoring_run.c.scoring_run_id == report.c.scoring_run_id).where(starts_so)


def _lines(page: Subquery) -> Select[Any]:
    kinds = (
        select(rhythm_episode.c.kind, func.count().label("n"))
        .where(rhythm_episode.c.scoring_run_id == page.c.scoring_run_id)
        .group_by(rhythm_episode.c.kind)
        .correlate(page)
        .subquery()
    )
    episodes = select(func.jsonb_object_agg(kinds.c.kind, kinds.c.n)).select_from(kinds).scalar_subquery()
    run_columns = ("recording_id", "model_version", "analysable_share", "mean_heart_rate_bpm", *_CLASS_COUNTS)
    recording_columns = ("patient_pseudonym", "start_time", "duration_s", "synthetic")
    return (
        select(
            report.c.report_id,
            report.c.written_at,
            *(scoring_run.c[name] for name in run_columns),
            *(recording.c[name] for name in recording_columns),
            episodes.label("episodes"),
        )
        .select_from(page)
        .join(report, report.c.report_id == page.c.report_id)
        .join(scoring_run, scoring_run.c.scoring_run_id == page.c.scoring_run_id)
        .join(recording, recording.c.recording_id == scoring_run.c.recording_id)
        .order_by(report.c.report_id.desc())
    )


def _beats(row: RowMapping) -> dict[str, int]:
    return {name: row[column] for name, column in zip(CLASSES, _CLASS_COUNTS, strict=True)}


def _fields(row: RowMapping, shape: type, *but: str) -> dict[str, Any]:
    return {name: row[name] for name in shape.__dataclass_fields__ if name not in but}  # type: ignore[attr-defined]  # `shape` is one of the dataclasses above
