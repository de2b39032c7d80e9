"""Reports for a browser and for readers: which there are, one by number, and the same again.

A report is asked for by its number, never by a path.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ecg_core import depot
from ecg_core.beats.reviewed import as_reviewed
from ecg_core.readers.reviewing import catch_up, draw_what_stands
from ecg_core.report import WrittenReport, with_reviews, with_whole, write_report
from ecg_core.settings import Settings
from ecg_core.store import audit, finals, read_result, reviews, sites
from ecg_core.store import reports as rows
from ecg_core.store.acting import acting_for
from ecg_core.store.database import store_engine
from ecg_core.store.labels import called_of
from ecg_core.store.patients import last_before
from ecg_core.store.readings import reading_of
from ecg_core.store.reports import MOST_COUNTED, ArrivalRow, Filters, ReportRow
from ecg_core.store.reports import list_arrivals as arrival_rows

__all__ = [
    "MOST_COUNTED",
    "PAGE_SIZE",
    "STAGES",
    "ArrivalOutcome",
    "Filters",
    "ReportPage",
    "ReportRow",
    "is_seen",
    "list_arrivals",
    "list_reports",
    "render_again",
    "report_html",
]
PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One page of the worklist; `after` is what to ask the next page with, None on the last one."""

    reports: tuple[ReportRow, ...]
    after: tuple[int, int] | None
    total: int
    model_versions: tuple[str, ...]
    sites: tuple[str, ...]


def list_reports(
    settings: Settings, filters: Filters, *, urgent_first: bool = False, after: tuple[int, int] | None = None
) -> ReportPage:
    """List reports, the newest or the most urgent first, `PAGE_SIZE` at a time.

    Parameters
    ----------
    settings : Settings
    filters : Filters
    urgent_first : bool
    after : tuple of int, optional
        The page before's `ReportPage.after`.

    Returns
    -------
    ReportPage
        `total` counts what the filters find, over all pages, up to `store.reports.MOST_COUNTED`.

    Raises
    ------
    DatabaseUnavailable
    """
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        # One more than is shown tells whether there is another page.
        found = rows.list_reports(connection, PAGE_SIZE + 1, filters, urgent_first=urgent_first, after=after)
        total = rows.count_reports(connection, filters)
        versions, places = rows.model_versions(connection), sites.sites(connection, filters.sites)
    shown = tuple(found[:PAGE_SIZE])
    more = (shown[-1].priority, shown[-1].report_id) if len(found) > PAGE_SIZE else None
    return ReportPage(shown, more, total, tuple(versions), tuple(places))


def is_seen(settings: Settings, report_id: int, among: Collection[str] | None) -> bool:
    """Tell whether there is such a report, of one of these sites; of any, or of none, where they are None."""
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        return sites.is_seen(connection, report_id, among)


def report_html(settings: Settings, report_id: int, user_name: str | None = None) -> str | None:
    """Read a report, with what readers answered since it was written; that the user opened it is entered.

    Returns
    -------
    str or None
        None where there is no such report, its file is gone, or the file is not the one that was written.

    Raises
    ------
    DatabaseUnavailable
    """
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        facts = rows.report_file_facts(connection, report_id)
        if facts is None:
            return None
        if user_name is not None:
            with acting_for(settings, user_name) as acting:
                audit.enter_opened(acting, facts.reading_id, user_name, "opened")
        answers = reviews.read_reviews(connection, facts.reading_id)
        newest = finals.newest_final(connection, facts.reading_id)
        if newest is None and any(answer.signed for answer in answers):
            catch_up(settings, facts.reading_id)
        elif newest != facts.final_id:
            # Whoever answered did not live to see the report drawn again.
            draw_what_stands(settings, facts.reading_id)
        facts = rows.report_file_facts(connection, report_id) or facts
        folder = settings.reports_dir.resolve()
        path = (folder / facts.path).resolve()
        # The row was written by us; but whoever could write one must not reach the rest of the disk through it.
        if not path.is_relative_to(folder):
            return None
        # What is served runs in the reader's session: only what was written is.
        data = depot.read_checked(settings, path, facts.sha256)
        if data is None:
            return None
        whole = rows.superseded_by(connection, facts.reading_id)
        html = with_whole(data.decode("utf-8"), whole) if whole else data.decode("utf-8")
        if facts.final_id is not None:
            return html
        findings = reviews.read_findings(connection, facts.reading_id) if answers else ()
    return with_reviews(html, answers, [finding.kind for finding in findings])


def render_again(settings: Settings, recording_id: str, model_version: str | None, out: Path) -> WrittenReport:
    """Render the report of a recording from Postgres alone; the same rows give the same bytes.

    Parameters
    ----------
    settings : Settings
    recording_id : str
        Or enough of its start.
    model_version : str, optional
        The one that scored it last where it is left out.
    out : Path
        Folder of the file ``<recording id>.html``.

    Raises
    ------
    StoreError
        It was not scored, or what is stored is damaged.
    """
    with store_engine(settings).connect() as connection:
        scoring_run_id = read_result.find_scoring_run(connection, recording_id, model_version)
        result = read_result.read_result(connection, scoring_run_id)
        answers = reviews.read_reviews(connection, reading_of(connection, scoring_run_id))
        last = last_before(connection, result.recording.recording_id, settings.site_profiles)
    path = out / f"{result.recording.recording_id[:16]}.html"
    return write_report(result, path, answers, as_reviewed(result, answers), last)


STAGES: Final = (
    "read",
    "clean",
    "quality",
    "detect",
    "waves",
    "beats",
    "classify",
    "explain",
    "rhythm",
    "store",
    "report",
)
"""In the order in which a recording passes them."""


@dataclass(frozen=True, slots=True)
class ArrivalOutcome:
    """One arrived file.

    `outcome` is ``scored``, ``already scored``, ``set aside``, ``waiting`` or ``claimed``; `beats` counts analysable
    beats by class; `stages` are seconds; `report` is a path or None, `report_id` its number; `superclasses` are those
    that a resting ECG is called by, with their probabilities, None where it is none.
    """

    file: str
    recording_id: str
    outcome: str
    reason: str
    beats: dict[str, int]
    stages: dict[str, float]
    report: Path | None
    superclasses: dict[str, float] | None = None
    report_id: int | None = None

    def known_before(self) -> ArrivalOutcome:
        """Return the same arrival as a run tells it that found its scores there already."""
        if self.outcome != "scored":
            return self
        return replace(self, outcome="already scored", reason="Its content was scored by an earlier run.")

    def details(self) -> list[str]:
        """Return what a person wants to know of it, a line each."""
        beats = ", ".join(f"{count} {name}" for name, count in self.beats.items() if count)
        stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.stages.items())
        called = ", ".join(f"{name} {p:.2f}" for name, p in (self.superclasses or {}).items()) or "none called"
        superclasses = "" if self.superclasses is None else called
        lines = {
            "": self.reason,
            "superclasses: ": superclasses,
            "beats: ": beats,
            "seconds: ": stages,
            "report: ": str(self.report or ""),
        }
        return [f"{label}{text}" for label, text in lines.items() if text]

    def as_json(self) -> dict[str, object]:
        """Return the names that other programs read."""
        return {
            "file": self.file,
            "recording_id": self.recording_id,
            "outcome": self.outcome,
            "reason": self.reason,
            "beats": self.beats,
            "superclasses": self.superclasses,
            "stages": self.stages,
            "report": str(self.report) if self.report else None,
        }


def list_arrivals(settings: Settings, folder: str) -> list[ArrivalOutcome]:
    """Tell what became of everything that arrived in a folder (or under an address), in the order of the names.

    Of several files with the same content the first that arrived is told as scored, the others as already scored.
    """
    prefix = f"{folder.rstrip('/')}/"
    with store_engine(settings).connect() as connection:
        rows = arrival_rows(connection, prefix)
        called = called_of(connection, [row.recording_id for row in rows])
    first_name = {row.recording_id: row.source.removeprefix(prefix) for row in rows if not row.duplicate}
    told = [_outcome(settings, row, row.source.removeprefix(prefix), first_name) for row in rows]
    return [replace(one, superclasses=called.get(one.recording_id)) for one in told]


def _outcome(settings: Settings, row: ArrivalRow, file: str, first_name: dict[str, str]) -> ArrivalOutcome:
    outcome, reason = row.state, row.reason or ""
    if row.duplicate and row.state == "scored":
        outcome = "already scored"
        reason = f"The same content arrived as {first_name.get(row.recording_id, 'a file elsewhere')}."
    return ArrivalOutcome(
        file=file,
        recording_id=row.recording_id,
        outcome=outcome,
        reason=reason,
        beats=row.beats,
        stages={stage: row.stage_seconds[stage] for stage in STAGES if stage in row.stage_seconds},
        report=settings.reports_dir / row.report_path if row.report_path else None,
        report_id=row.report_id,
    )
