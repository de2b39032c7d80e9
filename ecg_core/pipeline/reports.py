"""Reports for a browser and for readers: which there are, one by number, what readers answer, and the same again.

A report is asked for by its number, never by a path.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from ecg_core.errors import SettingsError, StoreError
from ecg_core.labels import CLASSES
from ecg_core.pipeline.database import store_engine
from ecg_core.report import WrittenReport, with_reviews, write_report
from ecg_core.result import BeatTable, Correction, FindingFacts, Review
from ecg_core.settings import Settings
from ecg_core.store import reports as rows
from ecg_core.store import results, reviews
from ecg_core.store.reports import Filters, ReportKey, ReportRow

PAGE_SIZE: Final = 50
ANNOTATOR: Final = "rev"
"""Suffix of WFDB annotations that hold the beats as readers corrected them."""
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
PRINT_TIMEOUT_S: Final = 180


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One page of the worklist; `after` is what to ask the next page with, None on the last one."""

    reports: tuple[ReportRow, ...]
    after: tuple[int, int] | None
    total: int
    model_versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A report with what it states and what readers answered, oldest first."""

    key: ReportKey
    findings: tuple[FindingFacts, ...]
    reviews: tuple[Review, ...]


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
        versions = rows.model_versions(connection)
    shown = tuple(found[:PAGE_SIZE])
    more = (shown[-1].urgency, shown[-1].report_id) if len(found) > PAGE_SIZE else None
    return ReportPage(shown, more, total, tuple(versions))


def report_html(settings: Settings, report_id: int) -> str | None:
    """Read a report, with what readers answered since it was written.

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
        folder = settings.reports_dir.resolve()
        path = (folder / facts.path).resolve()
        # The row was written by us; but whoever could write one must not reach the rest of the disk through it.
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        data = path.read_bytes()
        # What is served runs in the reader's session: only what was written is.
        if hashlib.sha256(data).hexdigest() != facts.sha256:
            return None
        answers = reviews.read_reviews(connection, facts.scoring_run_id)
        findings = reviews.read_findings(connection, facts.scoring_run_id) if answers else ()
    return with_reviews(data.decode("utf-8"), answers, findings)


def review_page(settings: Settings, report_id: int) -> ReviewPage | None:
    """Gather what a reader answers to; None where there is no such report."""
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        key = rows.report_of(connection, report_id)
        if key is None:
            return None
        findings = reviews.read_findings(connection, key.scoring_run_id)
        return ReviewPage(key, findings, reviews.read_reviews(connection, key.scoring_run_id))


def add_review(settings: Settings, report_id: int, review: Review) -> None:
    """Add a reader's answer; a correction whose begin and end are the same is of the beat that lies nearest.

    Raises
    ------
    StoreError
        There is no such report, no beat lies where one is corrected, or a finding is judged that the report does not
        state. Nothing is written then.
    """
    with store_engine(settings, "ecg_reviewer").begin() as connection:
        key = rows.report_of(connection, report_id)
        if key is None:
            raise StoreError("There is no such report.", "Open it from the worklist.")
        corrections: list[Correction] = []
        for correction in review.corrections:
            if not 0 <= correction.start_s <= correction.end_s <= key.duration_s:
                raise StoreError(
                    f"{correction.start_s:g} to {correction.end_s:g} s does not lie in the recording.",
                    f"It is {key.duration_s:g} s long; give times from its start.",
                )
            if correction.start_s < correction.end_s:
                corrections.append(correction)
                continue
            beat = reviews.nearest_beat(connection, key.scoring_run_id, correction.start_s)
            if beat is None:
                raise StoreError(
                    f"No beat was detected within 150 ms of {correction.start_s:g} s.",
                    "Give the time of a beat as the strips show it, or a stretch.",
                )
            corrections.append(replace(correction, beat_index=beat[0]))
        reviews.write_review(connection, key.scoring_run_id, replace(review, corrections=tuple(corrections)))


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
        scoring_run_id = results.find_scoring_run(connection, recording_id, model_version)
        result = results.read_result(connection, scoring_run_id)
        answers = reviews.read_reviews(connection, scoring_run_id)
    return write_report(result, out / f"{result.recording.recording_id[:16]}.html", answers)


def print_pdf(html: Path) -> Path:
    """Print a report to PDF beside it with a headless Chromium, true to scale.

    Raises
    ------
    SettingsError
        None is installed, or it fails.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise SettingsError(
            "A PDF is printed by Chromium, and none is installed here.",
            "Install it (Debian: apt-get install chromium), or print the HTML file from any browser at 100 %.",
        )
    pdf = html.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        # Its sandbox does not start for root, nor in most containers; the page is ours and reaches no network.
        command += ["--no-sandbox", f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        done = subprocess.run(
            [*command, f"--print-to-pdf={pdf}", html.resolve().as_uri()],
            capture_output=True,
            text=True,
            timeout=PRINT_TIMEOUT_S,
            check=False,
        )
    if done.returncode or not pdf.is_file():
        raise SettingsError(f"{Path(browser).name} printed nothing.", done.stderr.strip()[-300:] or "Try again.")
    return pdf


def corrected_annotations(settings: Settings, recording_id: str, model_version: str | None = None) -> bytes:
    """Give the beats of a recording, as its readers corrected them, as a WFDB annotation file.

    Only signed answers count. Beats that a reader corrected carry the note ``reviewed``.

    Raises
    ------
    StoreError
        It was not scored.
    """
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        scoring_run_id = results.find_scoring_run(connection, recording_id, model_version)
        beats, rate_hz = results.read_beats(connection, scoring_run_id)
        answers = reviews.read_reviews(connection, scoring_run_id)
    class_index, told = reviews.corrected_classes(beats, answers)
    return _annotation_file(beats, class_index, set(told), rate_hz)


def _annotation_file(beats: BeatTable, class_index: np.ndarray, told: set[int], rate_hz: float) -> bytes:
    import wfdb

    kept = [row for row in range(len(beats)) if beats.analysable[row] or row in told]
    if not kept:
        return b"\0\0"  # the end mark alone: no beat
    with tempfile.TemporaryDirectory() as folder:
        wfdb.wrann(
            "beats",
            ANNOTATOR,
            beats.r_sample[kept],
            symbol=[CLASSES[int(class_index[row])] for row in kept],
            aux_note=["reviewed" if row in told else "" for row in kept],
            fs=rate_hz if math.isfinite(rate_hz) else None,
            write_dir=folder,
        )
        return (Path(folder) / f"beats.{ANNOTATOR}").read_bytes()
