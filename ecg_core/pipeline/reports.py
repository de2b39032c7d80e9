"""Reports for a browser: which there are, and where one lies, asked for by number and never by path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import reports as rows
from ecg_core.store.reports import ReportRow

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One page of the worklist; `older_than` is the number to ask the next page with, None on the last one."""

    reports: tuple[ReportRow, ...]
    older_than: int | None
    total: int


def list_reports(settings: Settings, search: str = "", older_than: int | None = None) -> ReportPage:
    """List reports, the newest first, `PAGE_SIZE` at a time.

    Parameters
    ----------
    settings : Settings
    search : str
        Start of a recording id; all reports where it is empty.
    older_than : int, optional
        The page before's `ReportPage.older_than`.

    Returns
    -------
    ReportPage
        `total` counts what the search finds, over all pages.

    Raises
    ------
    DatabaseUnavailable
    """
    with store_engine(settings).connect() as connection:
        # One more than is shown tells whether there is another page.
        found = rows.list_reports(connection, PAGE_SIZE + 1, search=search, before_report_id=older_than)
        total = rows.count_reports(connection, search)
    shown = tuple(found[:PAGE_SIZE])
    return ReportPage(shown, shown[-1].report_id if len(found) > PAGE_SIZE else None, total)


def report_file(settings: Settings, report_id: int) -> Path | None:
    """Find the file of a report.

    Returns
    -------
    Path or None
        None where there is no such report, or its file is gone.

    Raises
    ------
    DatabaseUnavailable
    """
    with store_engine(settings).connect() as connection:
        relative = rows.report_path(connection, report_id)
    if relative is None:
        return None
    folder = settings.reports_dir.resolve()
    path = (folder / relative).resolve()
    # The row was written by us; but whoever could write one must not reach the rest of the disk through it.
    return path if path.is_relative_to(folder) and path.is_file() else None
