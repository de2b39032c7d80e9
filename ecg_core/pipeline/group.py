"""Recordings that are scored together: the models are asked about their beats at once, each is stored by itself."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psycopg2
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ecg_core import depot
from ecg_core.errors import (
    CopyDamaged,
    EcgError,
    ExplanationError,
    IncompleteRecording,
    PlatformFault,
    RecordingError,
    RowRefused,
    ScoringFailed,
)
from ecg_core.files import as_machine_error
from ecg_core.formats import fingerprint, is_whole
from ecg_core.formats.copies import copy_of, damaged_copy, reader
from ecg_core.messages import telemetry
from ecg_core.messages.notices import tell_result, tell_urgent
from ecg_core.models import LoadedModel, RecordingModel
from ecg_core.pipeline.generated_text import with_generated_text
from ecg_core.pipeline.known_good import check_ourselves
from ecg_core.pipeline.score import Described, describe, score_described
from ecg_core.recording import Recording
from ecg_core.report import sentences, write_report
from ecg_core.result import Result, beat_counts
from ecg_core.settings import Settings
from ecg_core.sites import with_time_zone
from ecg_core.store import arrivals, ledger, sites, worklist, write_result
from ecg_core.store.duplicates import refuse_duplicate
from ecg_core.store.patients import as_filed, last_before, under_known_pseudonym
from ecg_core.store.readings import BEATS, reading_of

log = structlog.get_logger(__name__)

Outcome = dict[str, object]
GROUP: Final = 32
"""Recordings that the models are asked about together, at most."""
GROUP_SIGNAL_S: Final = 1800.0
"""A group is full with so much signal: a day's recording is one by itself."""
OURS: Final = ("scoring failed", "reading failed", "explanation", "row refused")
"""Codes that say that our own code failed on a recording."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A recording that was read, and what tells it from others of the same signal."""

    recording_id: str
    staged_path: str
    fingerprint: str
    site: str | None
    described: Described

    @property
    def same(self) -> tuple[str, str, str | None, str | None]:
        """What `refuse_duplicate` asks for."""
        return self.recording_id, self.fingerprint, self.described.recording.patient_pseudonym, self.site


class ScoringGroup:
    """Some staged recordings whose beats the models are asked about together; each is stored and reported by itself.

    Nothing is stored twice for one set of model versions. A recording that cannot be used, or on which our code fails,
    is set aside, unless it has scores already: those stay. The others of its group do not notice.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    model : LoadedModel
    others : sequence of RecordingModel
    owner : str
        Who scores.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        model: LoadedModel,
        others: Sequence[RecordingModel],
        owner: str,
    ) -> None:
        self._engine, self._settings, self._model, self._others, self._owner = engine, settings, model, others, owner
        self._waiting: list[_Waiting] = []

    def add(self, recording_id: str, staged_path: str, *, alone: bool = False) -> list[Outcome]:
        """Read a recording and find its beats.

        Returns
        -------
        list of dict
            Of what is done by now, as `ecg_core.pipeline.inbox.score_chunk` says.

        Raises
        ------
        Exception
            What concerns all recordings, as it came.
        """
        outcomes = self.finish() if alone else []
        started = time.perf_counter()
        try:
            with self._engine.begin() as connection:
                site = sites.site_of(connection, self._settings, recording_id)
            recording = self._read(copy_of(self._settings, staged_path), recording_id, site)
            read_s = time.perf_counter() - started
            mark = fingerprint(recording)
            with self._engine.begin() as connection:
                recording = under_known_pseudonym(connection, recording)
                refuse_duplicate(connection, recording_id, mark, recording.patient_pseudonym, site)
            described = describe(recording, self._model, {"read": read_s})
        except Exception as error:
            return [*outcomes, self._failed(recording_id, staged_path, error)]
        self._waiting.append(_Waiting(recording_id, staged_path, mark, site, described))
        signal_s = sum(waiting.described.recording.duration_s for waiting in self._waiting)
        full = len(self._waiting) >= GROUP or signal_s >= GROUP_SIGNAL_S
        return outcomes + self.finish() if alone or full else outcomes

    def finish(self) -> list[Outcome]:
        """Score, store and report what was added; as `add`."""
        waiting, self._waiting = self._waiting, []
        return self._scored(waiting) if waiting else []

    def _scored(self, group: list[_Waiting]) -> list[Outcome]:
        n_explained = self._settings.explained_beats, self._settings.explained_abnormal_beats
        try:
            results = score_described([one.described for one in group], self._model, *n_explained, self._others)
        except Exception as error:
            if len(group) == 1:
                return [self._failed(group[0].recording_id, group[0].staged_path, error)]
            log.warning("scored one by one", recordings=len(group), error=type(error).__name__)
            return [outcome for one in group for outcome in self._scored([one])]
        return [self._stored(one, result) for one, result in zip(group, results, strict=True)]

    def _stored(self, one: _Waiting, result: Result) -> Outcome:
        result = replace(result, recording=replace(result.recording, fingerprint=one.fingerprint))
        try:
            result = with_generated_text(result, self._settings)
            with self._engine.begin() as connection:
                refuse_duplicate(connection, *one.same)
                path = self._keep(connection, self._settings, result)
        except Exception as error:
            return self._failed(one.recording_id, one.staged_path, error)
        if path and self._settings.otel_endpoint:
            self._trace(result)
        return _logged(
            {
                "recording_id": one.recording_id,
                "outcome": "scored" if path else "already scored",
                "reason": "",
                "beats": beat_counts(result),
                "stages": {name: round(seconds, 3) for name, seconds in result.stages.items()},
                "report": str(path or report_path(self._settings, one.recording_id, result.versions)),
            }
        )

    def _trace(self, result: Result) -> None:
        recording_id = result.recording.recording_id
        with self._engine.connect() as connection:
            arrived_s = ledger.first_seen_unix_s(connection, recording_id)
        facts: dict[str, str | int] = {"recording_id": recording_id, "beats": sum(beat_counts(result).values())}
        facts |= {f"model_version.{task}": version for task, version in result.versions.items()}
        telemetry.trace_recording(self._settings, arrived_s, result.stages, facts)

    def check_itself(self) -> None:
        """Walk a generated recording through all that others go through; nothing of it stays.

        Raises
        ------
        PlatformFault
            It fails on that too.
        """
        check_ourselves(self._engine, self._settings, self._read, self._score, self._keep)

    def _failed(self, recording_id: str, staged_path: str, error: Exception) -> Outcome:
        """Set aside a recording whose own fault it is; raise what the next one would meet as well."""
        fault = _fault_of_one(error, self._settings.recordings_dir / staged_path)
        if fault is None:
            raise error
        if fault.code in OURS:
            log.error("recording failed", recording_id=recording_id, exc_info=error)
            self.check_itself()
        return set_aside(self._engine, recording_id, fault)

    def _read(self, path: Path, recording_id: str | None = None, site: str | None = None) -> Recording:
        recording = reader(self._settings).read(path, self._settings.pseudonym_secret(site), recording_id)
        own = self._settings.site_profiles.get(site or "")
        return replace(recording, start_time=with_time_zone(recording.start_time, own.time_zone if own else None))

    def _score(self, recording: Recording) -> Result:
        n_explained = self._settings.explained_beats, self._settings.explained_abnormal_beats
        (result,) = score_described([describe(recording, self._model)], self._model, *n_explained, self._others)
        return result

    def _keep(self, connection: Connection, settings: Settings, result: Result) -> Path | None:
        return _store_and_report(connection, settings, result, self._owner)


def score_one(
    engine: Engine,
    settings: Settings,
    model: LoadedModel,
    recording_id: str,
    staged_path: str,
    owner: str,
    others: Sequence[RecordingModel] = (),
) -> Outcome:
    """Score one recording as a group of its own; as `ScoringGroup.add`."""
    (outcome,) = ScoringGroup(engine, settings, model, others, owner).add(recording_id, staged_path, alone=True)
    return outcome


def set_aside(engine: Engine, recording_id: str, fault: EcgError) -> Outcome:
    """Enter in the ledger why a recording has no scores."""
    with engine.begin() as connection:
        ledger.set_aside(connection, recording_id, fault.code, str(fault))
        if isinstance(fault, CopyDamaged):
            arrivals.read_again(connection, recording_id)
    return _logged({"recording_id": recording_id, "outcome": "set aside", "code": fault.code, "reason": str(fault)})


def _fault_of_one(error: Exception, copy: Path) -> EcgError | None:
    """Return what a recording is set aside with; None for an error that the next recording would meet as well."""
    if isinstance(error, IncompleteRecording) and not is_whole(copy):
        return damaged_copy()
    if isinstance(error, RecordingError | ExplanationError | RowRefused):
        return error
    if isinstance(error, EcgError | OSError | SQLAlchemyError | psycopg2.Error):
        return None
    return ScoringFailed(
        f"Our own code failed on it ({type(error).__name__}).",
        "Report it with the traceback in the task's log; after a release that mends it: `ecg retry`.",
    )


def _store_and_report(connection: Connection, settings: Settings, result: Result, owner: str) -> Path | None:
    """All rows of a recording or none: the report's row is written last, after its file was renamed into place."""
    recording_id = result.recording.recording_id
    started = time.perf_counter()
    result = replace(result, recording=as_filed(connection, result.recording))
    scoring_run_id = write_result.write_result(connection, result, owner, sentences(result))
    result.stages["store"] = time.perf_counter() - started
    sites.write_site(connection, recording_id, sites.site_of(connection, settings, recording_id))
    path = None
    if scoring_run_id is not None:
        started = time.perf_counter()
        path = report_path(settings, recording_id, result.versions)
        written = write_report(result, path, last=last_before(connection, recording_id, settings.site_profiles))
        depot.put(settings, written.path)
        result.stages["report"] = time.perf_counter() - started
        reading_id = reading_of(connection, scoring_run_id)
        write_result.write_report(
            connection,
            reading_id,
            path=str(written.path.relative_to(settings.reports_dir)),
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            stages=result.stages,
        )
        path = written.path
        worklist.place(connection, settings, [reading_id])
        tell_urgent(connection, settings, result, reading_id)
        tell_result(connection, settings, recording_id, reading_id)
    ledger.mark_scored(connection, recording_id)
    return path


def report_path(settings: Settings, recording_id: str, versions: Mapping[str, str]) -> Path:
    """Where the report of a reading lies, given its versions by task; named by content, never by patient or file.

    The name is short however many tasks there are: the version of the beats, and a hash of all.
    """
    of_all = hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:12]
    return settings.reports_dir / recording_id[:2] / recording_id / f"{versions[BEATS]}-{of_all}.html"


def _logged(outcome: Outcome) -> Outcome:
    """Log the one canonical line of a recording."""
    log.info("recording done", **{key: value for key, value in outcome.items() if value != ""})
    return outcome


def as_ours(error: Exception, settings: Settings) -> EcgError:
    """Put what concerns all recordings in a sentence that says what it is."""
    if isinstance(error, EcgError):
        return error
    if not isinstance(error, OSError):
        return PlatformFault(f"Scoring cannot go on ({type(error).__name__}).", "The task's log says where.")
    places = {
        settings.reports_dir: "the reports",
        settings.recordings_dir: "the copies of recordings",
        settings.models_dir: "the model versions",
        Path(tempfile.gettempdir()): "temporary files (TMPDIR)",
        settings.home: "the home folder",
    }
    path = Path(os.fsdecode(error.filename)) if error.filename else None
    found = next((folder for folder in places if path is not None and path.is_relative_to(folder)), None)
    return as_machine_error(error, f"{places[found]} ({found})" if found else str(path or "temporary files"))
