"""A patient's recordings for the pages, and moving one that was filed under the wrong patient."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from ecg_core import depot
from ecg_core.beats.reviewed import as_reviewed
from ecg_core.errors import StoreError
from ecg_core.report import write_report
from ecg_core.report.history import history_view
from ecg_core.report.view import HistoryView
from ecg_core.settings import Settings
from ecg_core.sites import Site
from ecg_core.store import audit, finals, patients, read_result, reviews, worklist
from ecg_core.store import reports as rows
from ecg_core.store.database import store_engine
from ecg_core.store.readings import BEATS, runs_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Moved:
    """A recording that is filed under another patient now; `redrawn` counts the reports that were drawn again."""

    recording_id: str
    was: str | None
    now: str | None
    redrawn: int


def patient_page(
    settings: Settings, patient_pseudonym: str, sites: Collection[str] | None = None
) -> HistoryView | None:
    """Gather a patient's recordings, of `sites` where they are given; None where there are none that were scored."""
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        history = patients.history_of(connection, patient_pseudonym, sites)
    return history_view(history) if history else None


def move(
    settings: Settings, recording: str, patient_pseudonym: str | None, by: str, sites: Collection[str] | None = None
) -> Moved:
    """File a recording under another patient, enter who did, and draw again every report that names or compares it.

    Parameters
    ----------
    settings : Settings
    recording : str
        Its id, or at least eight characters of its start.
    patient_pseudonym : str or None
        A patient who is known; None for nobody.
    by : str
        Who moves it.
    sites : collection of str, optional
        Those whose recordings and patients they see; all where it is left out.

    Raises
    ------
    StoreError
        No such recording or patient, or it is filed there already. Nothing is changed then.
    """
    with store_engine(settings).begin() as connection:
        recording_id = patients.recording_named(connection, recording, sites)
        was = patients.patient_of(connection, recording_id)
        if patient_pseudonym is not None and not patients.is_known(connection, patient_pseudonym, sites):
            raise StoreError(
                "There is no patient with that pseudonym.", "The worklist and the patients' pages show pseudonyms."
            )
        if patient_pseudonym == was:
            raise StoreError("It is filed under that patient already.", "Nothing was changed.")
        touched = {recording_id, *_followers(connection, settings.site_profiles, recording_id)}
        patients.file_under(connection, recording_id, patient_pseudonym)
        audit_id = audit.enter_moved(connection, recording_id, by, was, patient_pseudonym)
        touched |= _followers(connection, settings.site_profiles, recording_id)
        readings = [each for one in sorted(touched) for each in patients.readings_with_report(connection, one)]
        worklist.place(connection, settings, readings)
    redrawn = sum(draw_again(settings, reading_id, f"moved-{audit_id}") for reading_id in readings)
    log.info("recording moved", recording_id=recording_id, by=by, redrawn=redrawn)
    return Moved(recording_id, was, patient_pseudonym, redrawn)


def _followers(connection: Connection, sites: Mapping[str, Site], recording_id: str) -> set[str]:
    """Return the recordings whose report compares with this one."""
    patient = patients.patient_of(connection, recording_id)
    history = patients.history_of(connection, patient) if patient else ()
    after = (patients.last_before(connection, one.recording_id, sites) for one in history)
    pairs = zip(history, after, strict=True)
    return {one.recording_id for one, last in pairs if last is not None and last.recording_id == recording_id}


def draw_again(settings: Settings, reading_id: int, why: str) -> bool:
    """Render a report again beside the old file; False where retention has dropped what it is drawn from."""
    with store_engine(settings).begin() as connection:
        reviews.lock_reading(connection, reading_id)
        file = rows.report_file_of(connection, reading_id)
        if file is None:
            return False
        answers = reviews.read_reviews(connection, reading_id)
        try:
            result = read_result.read_result(connection, runs_of(connection, reading_id)[BEATS], reading_id=reading_id)
        except StoreError as error:
            if error.retryable:
                raise
            log.warning("report not drawn again", reading_id=reading_id, reason=str(error))
            return False
        stem = re.sub(r"-(moved-[0-9]+|site)$", "", file.path.removesuffix(".html"))
        name = f"{stem}-{why}.html"
        last = patients.last_before(connection, result.recording.recording_id, settings.site_profiles)
        written = write_report(result, settings.reports_dir / name, answers, as_reviewed(result, answers), last)
        depot.put(settings, written.path)
        finals.replace_report(connection, reading_id, path=name, sha256=written.sha256, size_bytes=written.size_bytes)
    return True
