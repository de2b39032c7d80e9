"""What the pages and summaries show: reports, and what became of each arrival."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    Select,
    Subquery,
    Table,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    text,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import REAL

from ecg_core.labels import CLASSES
from ecg_core.result.resting_findings import RESTING_KINDS
from ecg_core.store.readings import BEATS
from ecg_core.store.tables import (
    arrival,
    audit,
    final_finding,
    final_reading,
    finding,
    ingest_ledger,
    model_version,
    reading_run,
    recording,
    report,
    review,
    reviewer,
    scoring_run,
)


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of the worklist.

    All is as it stands after readers' answers. `beats` are the analysable ones by class; `episodes` counts the episodes
    of each finding that has some, 0 for what was found of a resting ECG; `priority` orders the worklist, `urgency`
    counts 100 for each urgent finding; `signed_by` is None where no reader's signature holds; `headline` is the
    sentence of the finding that gives the report its place (or else of the first one that stands), `headline_new`
    whether no earlier recording of the patient has it, None where there is none. `state` is ``signed``, ``in work``
    (somebody took or answered it, or a signature no longer holds) or ``unread``; `worked_by` is who signed, or else who
    took or answered it last.
    """

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
    priority: int
    urgency: int
    signed_by: str | None
    headline: str | None
    headline_new: bool | None
    age_years: int | None
    sex: str | None
    site: str | None
    state: str
    worked_by: str | None


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Where a report lies, relative to the folder of reports, the SHA-256 of its bytes, and what it shows.

    `final_id` is None where it is the report as scored.
    """

    path: str
    sha256: str
    reading_id: int
    final_id: int | None


@dataclass(frozen=True, slots=True)
class ReportKey:
    """What a report is of; `scoring_run_id` is the reading's of the beats."""

    report_id: int
    reading_id: int
    scoring_run_id: int
    recording_id: str
    model_version: str
    duration_s: float


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
    report_id: int | None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a worklist is narrowed to; what is empty or None does not narrow it.

    `quality` is ``good`` (at least 90 % analysable), ``fair`` or ``poor`` (less than half); `finding` is a kind as in
    `ecg_core.result.Finding`; `search` is the start of a recording id or of a patient's pseudonym; `state` is as in
    `ReportRow`; `sites` are those whose recordings somebody sees, None for all.
    """

    search: str = ""
    finding: str = ""
    quality: str = ""
    model_version: str = ""
    state: str = ""
    site: str = ""
    sites: Collection[str] | None = None


_BEATS_OF_REPORT: Final = and_(reading_run.c.reading_id == report.c.reading_id, reading_run.c.task == BEATS)
QUALITY_BOUNDS: Final = {"good": (0.9, 1.01), "fair": (0.5, 0.9), "poor": (-0.01, 0.5)}
MOST_COUNTED: Final = 10_000
"""`count_reports` stops there: nobody reads so many, and counting takes longer than showing."""


def list_reports(
    conn: Connection,
    limit: int,
    filters: Filters = Filters(),
    *,
    urgent_first: bool = False,
    after: tuple[int, int] | None = None,
) -> list[ReportRow]:
    """Return reports, the newest or the most urgent first.

    Parameters
    ----------
    conn : Connection
    limit : int
    filters : Filters
    urgent_first : bool
        By `ReportRow.priority`, and the newest first among equals.
    after : tuple of int, optional
        `priority` and `report_id` of the last row of the page before: far pages are as quick as the first.

    Returns
    -------
    list of ReportRow
    """
    # The page is cut from narrow rows first; only what is shown is joined.
    order = (report.c.priority, report.c.report_id) if urgent_first else (report.c.report_id,)
    page = _filtered(filters).order_by(*(column.desc() for column in order)).limit(limit)
    if after is not None:
        page = page.where(tuple_(*order) < tuple_(*(after if urgent_first else after[1:])))
    rows = conn.execute(_lines(page.subquery("page"), order)).mappings()
    return [
        ReportRow(beats=_beats(row), episodes=row["episodes"] or {}, **_fields(row, ReportRow, "beats", "episodes"))
        for row in rows
    ]


def count_reports(conn: Connection, filters: Filters = Filters()) -> int:
    """Count the reports that `list_reports` would page through, up to `MOST_COUNTED`."""
    query = _filtered(filters).limit(MOST_COUNTED).subquery()
    return conn.execute(select(func.count()).select_from(query)).scalar_one()


def model_versions(conn: Connection) -> list[str]:
    """Name the model versions of the task ``beats`` that have scored, the newest first."""
    used = select(scoring_run.c.scoring_run_id).where(scoring_run.c.model_version == model_version.c.model_version)
    of_beats = model_version.c.task == "beats"
    query = select(model_version.c.model_version).where(of_beats, used.exists())
    return list(conn.execute(query.order_by(model_version.c.created_at.desc()).limit(50)).scalars())


def report_of(conn: Connection, report_id: int) -> ReportKey | None:
    """Say what a report is of; None where there is none."""
    run = scoring_run.c
    query = (
        select(
            *(report.c.report_id, report.c.reading_id),
            *(run.scoring_run_id, run.recording_id, run.model_version, recording.c.duration_s),
        )
        .select_from(report)
        .join(reading_run, _BEATS_OF_REPORT)
        .join(scoring_run, run.scoring_run_id == reading_run.c.scoring_run_id)
        .join(recording, recording.c.recording_id == run.recording_id)
        .where(report.c.report_id == report_id)
    )
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else ReportKey(**row)


def report_file_facts(conn: Connection, report_id: int) -> ReportFile | None:
    """Say where a report lies and what it must hold, by its number; None where there is none."""
    columns = (report.c.path, report.c.sha256, report.c.reading_id, report.c.final_id)
    row = conn.execute(select(*columns).where(report.c.report_id == report_id)).one_or_none()
    return None if row is None else ReportFile(*row)


def report_file_of(conn: Connection, reading_id: int) -> ReportFile | None:
    """Say where the report of a reading lies; None where it has none."""
    columns = (report.c.path, report.c.sha256, report.c.reading_id, report.c.final_id)
    row = conn.execute(select(*columns).where(report.c.reading_id == reading_id)).one_or_none()
    return None if row is None else ReportFile(*row)


def superseded_by(conn: Connection, reading_id: int) -> str | None:
    """Name the recording that came whole after the one of a reading, which was its beginning; None for all others."""
    query = text(
        "SELECT superseded_by FROM ecg_mart.ingest "
        "WHERE recording_id = (SELECT recording_id FROM ecg.reading WHERE reading_id = :reading_id)"
    )
    return conn.execute(query, {"reading_id": reading_id}).scalar_one_or_none()


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
        .where(scoring_run.c.task == "beats")
        .distinct(scoring_run.c.recording_id)
        .order_by(scoring_run.c.recording_id, scoring_run.c.scoring_run_id.desc())
        .subquery()
    )
    part = reading_run.c
    of_run = select(func.max(part.reading_id)).where(part.scoring_run_id == newest.c.scoring_run_id)
    newest_reading = of_run.correlate(newest).scalar_subquery()
    query = (
        select(
            *ranked.c,
            *(ingest_ledger.c[name] for name in ("state", "code", "reason")),
            *(newest.c[name] for name in ("model_version", "stage_seconds", *_CLASS_COUNTS)),
            report.c.path.label("report_path"),
            report.c.report_id,
        )
        .join(ingest_ledger, ingest_ledger.c.recording_id == ranked.c.recording_id)
        .outerjoin(newest, newest.c.recording_id == ranked.c.recording_id)
        .outerjoin(report, report.c.reading_id == newest_reading)
        .where(ranked.c.source.startswith(source_prefix, autoescape=True))
        .order_by(ranked.c.source, ranked.c.recording_id)
    )
    return [
        ArrivalRow(
            beats=_beats(row) if row["model_version"] else {},
            stage_seconds=row["stage_seconds"] or {},
            **_fields(row, ArrivalRow, "beats", "stage_seconds"),
        )
        for row in conn.execute(query).mappings()
    ]


_CLASS_COUNTS = tuple(f"n_class_{name.lower()}" for name in CLASSES)


def _filtered(filters: Filters) -> Select[Any]:
    query = select(report.c.report_id, report.c.reading_id, report.c.priority)
    of_sites = bool(filters.site) or filters.sites is not None
    if filters.search or filters.quality or filters.model_version or of_sites:
        query = query.join(reading_run, _BEATS_OF_REPORT)
        query = query.join(scoring_run, scoring_run.c.scoring_run_id == reading_run.c.scoring_run_id)
    if filters.search or of_sites:
        query = query.join(recording, recording.c.recording_id == scoring_run.c.recording_id)
    if filters.search:
        of_patient = recording.c.patient_pseudonym.startswith(filters.search, autoescape=True)
        query = query.where(recording.c.recording_id.startswith(filters.search, autoescape=True) | of_patient)
    if filters.site:
        query = query.where(recording.c.site == filters.site)
    if filters.sites is not None:
        query = query.where(recording.c.site.in_(sorted(filters.sites)))
    if filters.quality:
        low, high = QUALITY_BOUNDS[filters.quality]
        share = scoring_run.c.analysable_share
        query = query.where(share >= cast(low, REAL), share < cast(high, REAL))
    if filters.model_version:
        query = query.where(scoring_run.c.model_version == filters.model_version)
    if filters.finding:
        final_id = _newest_final(report.c.reading_id)
        scored = select(finding.c.kind).where(
            finding.c.reading_id == report.c.reading_id, finding.c.kind == filters.finding
        )
        stands = select(final_finding.c.kind).where(
            final_finding.c.final_id == final_id, final_finding.c.kind == filters.finding
        )
        query = query.where(stands.exists() | (final_id.is_(None) & scored.exists()))
    if filters.state:
        signed, worked = _signed_by(report.c.reading_id), _is_worked_on(report.c.reading_id)
        if filters.state == "unread":
            # What nobody has answered, nobody has signed.
            query = query.where(~worked)
        else:
            query = query.where(worked, signed.is_not(None) if filters.state == "signed" else signed.is_(None))
    return query


def _newest_final(reading_id: ColumnElement[int]) -> ScalarSelect[int]:
    """Select the number of what stands of a reading; NULL where it stands as it was scored."""
    any_final = final_reading.alias()
    newest = select(func.max(any_final.c.final_id)).where(any_final.c.reading_id == reading_id)
    # However deep it stands: the reading is that of the row, not any.
    return newest.correlate_except(any_final).scalar_subquery()


def _signed_by(reading_id: ColumnElement[int]) -> ColumnElement[str]:
    """Select whose signature holds; NULL where none does. Those of earlier releases have no final values yet."""
    final_id = _newest_final(reading_id)
    holds = (
        select(reviewer.c.user_name)
        .join(final_reading, final_reading.c.signed_by == reviewer.c.reviewer_id)
        .where(final_reading.c.final_id == final_id, final_reading.c.signature_holds)
        .scalar_subquery()
    )
    before = (
        select(reviewer.c.user_name)
        .join(review, review.c.reviewer_id == reviewer.c.reviewer_id)
        .where(review.c.reading_id == reading_id, review.c.signed, final_id.is_(None))
        .order_by(review.c.review_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(holds, before)


def _is_worked_on(reading_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Tell whether somebody took a report or answered it."""
    took = select(audit.c.audit_id).where(audit.c.reading_id == reading_id, audit.c.action == "took")
    answered = select(review.c.review_id).where(review.c.reading_id == reading_id)
    return took.exists() | answered.exists()


def _worked_by(reading_id: ColumnElement[int]) -> ColumnElement[str]:
    """Select who took a report or answered it last; NULL where nobody did."""
    took = select(audit.c.happened_at.label("at"), audit.c.user_name).where(
        audit.c.reading_id == reading_id, audit.c.action == "took"
    )
    answered = (
        select(review.c.reviewed_at, reviewer.c.user_name)
        .join(reviewer, reviewer.c.reviewer_id == review.c.reviewer_id)
        .where(review.c.reading_id == reading_id)
    )
    parts = took.correlate_except(audit), answered.correlate_except(review, reviewer)
    either = union_all(*parts).subquery()
    return select(either.c.user_name).order_by(either.c.at.desc()).limit(1).scalar_subquery()


def _in_a_line(table: Table) -> ColumnElement[bool]:
    """Keep what a line of the worklist names: episodes, and what was found of a resting ECG."""
    return or_(table.c.n_episodes.is_not(None), table.c.kind.in_(RESTING_KINDS))


def _headline(table: Table, where: ColumnElement[bool]) -> ScalarSelect[str]:
    """Select the sentence of the finding that gives a report its place, or else of the first of some."""
    chosen = (report.c.priority_kind == table.c.kind).desc()
    return select(table.c.sentence).where(where).order_by(chosen, table.c.finding_index).limit(1).scalar_subquery()


def _lines(page: Subquery, order: Sequence[Column[Any]]) -> Select[Any]:
    final_id = _newest_final(page.c.reading_id)
    scored = (
        select(func.jsonb_object_agg(finding.c.kind, func.coalesce(finding.c.n_episodes, 0)))
        .where(finding.c.reading_id == page.c.reading_id, _in_a_line(finding))
        .correlate(page)
        .scalar_subquery()
    )
    standing = (
        select(func.jsonb_object_agg(final_finding.c.kind, func.coalesce(final_finding.c.n_episodes, 0)))
        .where(final_finding.c.final_id == final_reading.c.final_id, _in_a_line(final_finding))
        .correlate(final_reading)
        .scalar_subquery()
    )
    reviewed = final_reading.c.final_id.is_not(None)
    first = _headline(finding, finding.c.reading_id == page.c.reading_id)
    episodes = case((reviewed, standing), else_=scored)
    run_columns = ("recording_id", "model_version", "analysable_share")
    standing_columns = ("mean_heart_rate_bpm", *_CLASS_COUNTS)
    recording_columns = ("patient_pseudonym", "start_time", "duration_s", "synthetic", "age_years", "sex", "site")
    signed_by, worked_by = _signed_by(page.c.reading_id), _worked_by(page.c.reading_id)
    state = case((signed_by.is_not(None), "signed"), (worked_by.is_not(None), "in work"), else_="unread")
    return (
        select(
            report.c.report_id,
            report.c.written_at,
            report.c.urgency,
            report.c.priority,
            report.c.priority_new.label("headline_new"),
            signed_by.label("signed_by"),
            state.label("state"),
            func.coalesce(signed_by, worked_by).label("worked_by"),
            *(scoring_run.c[name] for name in run_columns),
            *(
                case((final_reading.c.final_id.is_not(None), final_reading.c[name]), else_=scoring_run.c[name]).label(
                    name
                )
                for name in standing_columns
            ),
            *(recording.c[name] for name in recording_columns),
            episodes.label("episodes"),
            case((reviewed, _headline(final_finding, final_finding.c.final_id == final_id)), else_=first).label(
                "headline"
            ),
        )
        .select_from(page)
        .join(report, report.c.report_id == page.c.report_id)
        .join(reading_run, _BEATS_OF_REPORT)
        .join(scoring_run, scoring_run.c.scoring_run_id == reading_run.c.scoring_run_id)
        .join(recording, recording.c.recording_id == scoring_run.c.recording_id)
        .outerjoin(final_reading, final_reading.c.final_id == final_id)
        .order_by(*(column.desc() for column in order))
    )


def _beats(row: RowMapping) -> dict[str, int]:
    return {name: row[column] for name, column in zip(CLASSES, _CLASS_COUNTS, strict=True)}


def _fields(row: RowMapping, shape: type, *but: str) -> dict[str, Any]:
    return {name: row[name] for name in shape.__dataclass_fields__ if name not in but}  # type: ignore[attr-defined]  # `shape` is one of the dataclasses above
