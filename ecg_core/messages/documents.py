"""What systems are sent of a reading: made anew for each sending, as the reading stands then."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import select

from ecg_core import depot
from ecg_core.errors import EcgError, SettingsError
from ecg_core.export.dicom import dicom_pdf, dicom_waveform
from ecg_core.export.fhir import fhir_bundle
from ecg_core.export.oru import oru_message
from ecg_core.formats.copies import copy_of, reader
from ecg_core.report import sentences
from ecg_core.report.printing import print_pdf
from ecg_core.result import FinalFacts, Result, RunFacts
from ecg_core.settings import Settings
from ecg_core.store import ledger, tables
from ecg_core.store.database import store_engine
from ecg_core.store.finals import read_final
from ecg_core.store.read_result import read_result, read_run
from ecg_core.store.readings import BEATS, runs_of

if TYPE_CHECKING:
    from pydicom import Dataset

log = structlog.get_logger(__name__)

PRINT_TIMEOUT_S: Final = 60
"""A delivery is another process's after two minutes."""


@dataclass(frozen=True)
class Documents:
    """The documents of one reading, each made when it is asked for.

    Attributes
    ----------
    settings : Settings
    reading_id : int
    """

    settings: Settings
    reading_id: int

    @cached_property
    def _facts(self) -> tuple[Result, RunFacts, FinalFacts | None]:
        with store_engine(self.settings).connect() as connection:
            run = read_run(connection, runs_of(connection, self.reading_id)[BEATS])
            result = read_result(
                connection,
                run.scoring_run_id,
                reading_id=self.reading_id,
                with_signal=False,
                with_explanations=False,
                even_without_beats=True,
            )
            return result, run, read_final(connection, self.reading_id)

    @cached_property
    def _report(self) -> tuple[int, bytes | None]:
        row = tables.report.c
        with store_engine(self.settings).connect() as connection:
            found = connection.execute(
                select(row.report_id, row.path, row.sha256).where(row.reading_id == self.reading_id)
            ).one()
        data = depot.read_checked(self.settings, self.settings.reports_dir / found.path, found.sha256)
        return found.report_id, data

    @property
    def state(self) -> str:
        """Return ``preliminary``, ``final`` or ``amended``, by the review."""
        final = self._facts[2]
        return "preliminary" if final is None else final.state

    @cached_property
    def pdf(self) -> bytes | None:
        """The report on paper; None where it cannot be printed, which the log and the documents say."""
        try:
            with tempfile.TemporaryDirectory(prefix="ecg-pdf-") as name:
                if self._report[1] is None:
                    raise FileNotFoundError
                page = Path(name) / "report.html"
                page.write_bytes(self._report[1])
                return print_pdf(page, timeout_s=PRINT_TIMEOUT_S).read_bytes()
        except (SettingsError, OSError, subprocess.TimeoutExpired) as error:
            log.warning("sent without a PDF", reading=self.reading_id, reason=type(error).__name__)
            return None

    def fhir(self) -> dict[str, Any]:
        """Return the FHIR bundle."""
        return fhir_bundle(*self._facts)

    def as_json(self) -> dict[str, Any]:
        """Return what a webhook is sent: what it is of, how it stands, its findings, and the bundle."""
        result, _, final = self._facts
        findings = result.findings if final is None else final.findings
        return {
            "recording": result.recording.recording_id,
            "report": self._report[0],
            "status": self.state,
            "findings": [{"kind": finding.kind, "urgency": finding.urgency} for finding in findings],
            "fhir": self.fhir(),
        }

    def oru(self, control_id: str) -> str:
        """Return the HL7 v2 message, with the PDF where it can be printed."""
        return oru_message(*self._facts, control_id, self.pdf, self._notes())

    def dicom(self) -> list[Dataset]:
        """Return the DICOM instances: the waveform as recorded, then the PDF; what cannot be made is left out.

        Raises
        ------
        EcgError
            Neither can be made.
        """
        result, run, final = self._facts
        instances, fault = [], None
        try:
            instances.append(dicom_waveform(self._recording(), result, run, final))
        except EcgError as error:
            log.warning("sent without its waveform", reading=self.reading_id, reason=str(error))
            fault = error
        if self.pdf is not None:
            instances.append(dicom_pdf(result, run, final, self.pdf))
        if not instances and fault is not None:
            raise fault
        return instances

    def _recording(self) -> Any:  # noqa: ANN401
        recording_id = self._facts[0].recording.recording_id
        with store_engine(self.settings).connect() as connection:
            path = ledger.staged_path(connection, recording_id)
        key = self.settings.pseudonym_secret()
        return reader(self.settings).read(copy_of(self.settings, path or ""), key, recording_id)

    def _notes(self) -> tuple[str, ...]:
        """Return the findings as the report states them, where the report is, and what is not attached."""
        result, _, final = self._facts
        said = sentences(result if final is None else replace(result, findings=final.findings))
        address = self.settings.public_url.rstrip("/")
        where = [f"Report: {address}/ecg/reports/{self._report[0]}"] if address else []
        return (*said, *where, *([] if self.pdf else ["The report could not be printed here: no PDF is attached."]))
