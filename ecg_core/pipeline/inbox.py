"""From an inbox of arriving files to scores and reports, without losing or repeating any.

The ledger in Postgres is what is true: every call here may be killed at any point and called again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import psycopg2
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from upath import UPath

from ecg_core.errors import (
    CopyDamaged,
    EcgError,
    ExplanationError,
    IncompleteRecording,
    MachineError,
    PlatformFault,
    RecordingError,
    RowRefused,
    ScoringFailed,
    ScoringGaveUp,
)
from ecg_core.files import as_machine_error
from ecg_core.formats import fingerprint, is_whole
from ecg_core.models import LoadedModel, RecordingModel, load_model
from ecg_core.pipeline.apart import Task, score_apart
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.generated_text import with_generated_text
from ecg_core.pipeline.known_good import check_ourselves
from ecg_core.pipeline.notices import tell_urgent
from ecg_core.pipeline.reading import reader
from ecg_core.pipeline.registering import register_arrivals
from ecg_core.pipeline.score import score_recording
from ecg_core.pipeline.versions import check_registered, labelling_models, scoring_version
from ecg_core.recording import Recording
from ecg_core.report import sentences, write_report
from ecg_core.result import Result, beat_counts
from ecg_core.settings import Settings
from ecg_core.store import arrivals, ledger, write_result
from ecg_core.store.duplicates import refuse_duplicate
from ecg_core.store.readings import BEATS, reading_of

__all__ = [
    "Outcome",
    "plan_chunks",
    "register_arrivals",
    "report_path",
    "score_chunk",
    "score_one",
    "summarise",
    "wait_again",
]

log = structlog.get_logger(__name__)

Outcome = dict[str, object]
LaneName = Literal["fresh", "archive"]


def plan_chunks(
    settings: Settings, limit: int | None = None, inbox: UPath | None = None, lane: LaneName | None = None
) -> list[list[str]]:
    """Split what waits to be scored into chunks of recording ids, oldest first.

    Nothing is claimed here: two runs may plan the same recordings, and the claims in `score_chunk` settle it.

    Parameters
    ----------
    settings : Settings
    limit : int, optional
        At most so many recordings.
    inbox : UPath, optional
        Only what arrived there. Where it is left out: what arrived in the setting's inbox, and what a run over another
        folder has left for ``ECG_CLAIM_LEASE_S``; until then it is that run's alone, with the version that it names.
    lane : {'fresh', 'archive'}, optional
        Only recordings that come as they are made, or only those of an archive; both where it is left out.
    """
    folder = inbox if inbox is not None else UPath(settings.inbox_address)
    left_for_s = settings.claim_lease_s if inbox is None else None
    with store_engine(settings).connect() as connection:
        waiting = ledger.waiting(connection, limit, str(folder), left_for_s, _lane(settings, folder, lane))
    return [waiting[i : i + settings.chunk_size] for i in range(0, len(waiting), settings.chunk_size)]


def _lane(settings: Settings, folder: UPath, lane: LaneName | None) -> ledger.Lane | None:
    if lane is None:
        return None
    folders = tuple(f"{str(folder).rstrip('/')}/{name}" for name in settings.archive_folders)
    return ledger.Lane(lane == "fresh", settings.archive_after_s, folders)


def score_chunk(
    settings: Settings, recording_ids: list[str], owner: str, model_version: str | None = None
) -> list[Outcome]:
    """Claim, score, explain, store and report each recording that nobody else has claimed.

    Parameters
    ----------
    settings : Settings
    recording_ids : list of str
    owner : str
        Who claims. The same owner may take its own claim again, so a task that is killed and retried goes on.
    model_version : str, optional
        A version of the task ``beats``; its champion where it is left out. Of the other tasks the champions answer.

    Returns
    -------
    list of dict
        One per recording that this call took: ``recording_id``, ``outcome`` (``scored``, ``already scored`` or
        ``set aside``), ``reason``, ``beats`` (counts by class), ``stages`` (seconds) and ``report`` (a path).

    Raises
    ------
    EcgError
        What concerns all recordings (no database, a damaged model, a full disk): the chunk stops, no recording pays
        for it, and they stay for a retry or the next run. What fails on one recording alone sets that one aside and
        stops nobody.
    """
    engine = store_engine(settings)
    reader(settings).start()  # beside the loading of the models
    version = model_version or scoring_version(settings)
    model, others = load_model(version, settings.models_dir), labelling_models(settings)
    check_registered(settings, [model, *others])
    outcomes: list[Outcome] = []
    remaining = list(recording_ids)
    while remaining:
        with engine.begin() as connection:
            claim = ledger.claim(connection, remaining, owner, settings.claim_lease_s)
        if claim is None:
            break
        remaining.remove(claim.recording_id)
        task = Task(settings, version, claim.recording_id, claim.staged_path, owner)
        try:
            if claim.attempts > settings.max_attempts:
                outcomes.append(_scored_apart(engine, task))
            else:
                outcomes.append(score_one(engine, settings, model, task.recording_id, task.staged_path, owner, others))
        except BaseException as error:
            _give_back(engine, claim.recording_id, owner)
            if isinstance(error, OSError):
                raise as_ours(error, settings) from error
            raise
    _refuse_all_failed(outcomes)
    return outcomes


def _scored_apart(engine: Engine, task: Task) -> Outcome:
    try:
        return score_apart(task)
    except ScoringGaveUp as fault:
        return _set_aside(engine, task.recording_id, fault)


def _give_back(engine: Engine, recording_id: str, owner: str) -> None:
    """Let a recording wait as if nobody had begun; where Postgres is down, wait a while for it."""
    for pause_s in (0.0, 1.0, 2.0, 4.0, 8.0):
        time.sleep(pause_s)
        try:
            with engine.begin() as connection:
                ledger.give_back(connection, recording_id, owner)
            return
        except (EcgError, SQLAlchemyError):
            continue
    log.warning("claim not given back: it comes free with its lease", recording_id=recording_id)


_OURS: Final = ("scoring failed", "reading failed", "explanation", "row refused")
"""Codes that say that our own code failed on a recording."""


def _refuse_all_failed(outcomes: list[Outcome]) -> None:
    """Raise where our code failed on each of several recordings: they are set aside, but nobody must call that good."""
    if len(outcomes) > 2 and all(outcome.get("code") in _OURS for outcome in outcomes):
        raise PlatformFault(
            f"Our own code failed on all {len(outcomes)} recordings of a chunk, the first: {outcomes[0]['reason']}",
            "They are set aside; after a release that mends it: `ecg retry`.",
        )


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


def score_one(
    engine: Engine,
    settings: Settings,
    model: LoadedModel,
    recording_id: str,
    staged_path: str,
    owner: str,
    others: Sequence[RecordingModel] = (),
) -> Outcome:
    """Read, score, store and report one staged recording; nothing is stored twice for one model version.

    Returns
    -------
    dict
        As `score_chunk` says. A recording that cannot be used, or on which our code fails, is set aside, unless it has
        scores already: those stay.

    Raises
    ------
    Exception
        What concerns all recordings, as it came.
    """
    started = time.perf_counter()

    def read(path: Path, recording_id: str | None = None) -> Recording:
        return reader(settings).read(path, settings.pseudonym_secret(), recording_id)

    def score(recording: Recording) -> Result:
        stages = {"read": time.perf_counter() - started}
        n_explained = settings.explained_beats, settings.explained_abnormal_beats
        result = with_generated_text(score_recording(recording, model, *n_explained, stages, others), settings)
        return replace(result, recording=replace(result.recording, fingerprint=fingerprint(recording)))

    def keep(connection: Connection, settings: Settings, result: Result) -> Path | None:
        return _store_and_report(connection, settings, result, owner)

    try:
        recording = read(_copy(settings, staged_path), recording_id)
        same = (recording_id, fingerprint(recording), recording.patient_pseudonym)
        with engine.begin() as connection:
            refuse_duplicate(connection, *same)
        result = score(recording)
        with engine.begin() as connection:
            refuse_duplicate(connection, *same)
            path = keep(connection, settings, result)
    except Exception as error:
        fault = _fault_of_one(error, settings.recordings_dir / staged_path)
        if fault is None:
            raise
        if fault.code in _OURS:
            log.exception("recording failed", recording_id=recording_id)
            check_ourselves(engine, settings, read, score, keep)
        return _set_aside(engine, recording_id, fault)
    return _logged(
        {
            "recording_id": recording_id,
            "outcome": "scored" if path else "already scored",
            "reason": "",
            "beats": beat_counts(result),
            "stages": {name: round(seconds, 3) for name, seconds in result.stages.items()},
            "report": str(path or report_path(settings, recording_id, result.versions)),
        }
    )


def _copy(settings: Settings, staged_path: str) -> Path:
    """Return our copy of a recording.

    Raises
    ------
    MachineError
        The folder of all copies is out of sight.
    CopyDamaged
        This copy is gone, the others are there.
    """
    folder, path = settings.recordings_dir, settings.recordings_dir / staged_path
    if path.is_file():
        return path
    if not folder.is_dir() or not any(folder.iterdir()):
        raise MachineError(
            f"The copies of recordings ({folder}) are out of sight.", "Mount their disk; nothing else is wrong."
        )
    raise _damaged()


def _damaged() -> CopyDamaged:
    return CopyDamaged(
        "Our own copy of it is gone or not whole.",
        "It is copied again by itself from the inbox; where it lies there no more, send it again.",
    )


def _set_aside(engine: Engine, recording_id: str, fault: EcgError) -> Outcome:
    with engine.begin() as connection:
        ledger.set_aside(connection, recording_id, fault.code, str(fault))
        if isinstance(fault, CopyDamaged):
            arrivals.read_again(connection, recording_id)
    return _logged({"recording_id": recording_id, "outcome": "set aside", "code": fault.code, "reason": str(fault)})


def _fault_of_one(error: Exception, copy: Path) -> EcgError | None:
    """Return what a recording is set aside with; None for an error that the next recording would meet as well."""
    if isinstance(error, IncompleteRecording) and not is_whole(copy):
        return _damaged()
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
    scoring_run_id = write_result.write_result(connection, result, owner, sentences(result))
    result.stages["store"] = time.perf_counter() - started
    path = None
    if scoring_run_id is not None:
        started = time.perf_counter()
        written = write_report(result, report_path(settings, recording_id, result.versions))
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
        tell_urgent(connection, settings, result, reading_id)
    ledger.mark_scored(connection, recording_id)
    return path


def wait_again(settings: Settings, code: str | None = None, recording_id: str | None = None) -> int:
    """Let what was set aside be scored by the next run, after its cause was mended; how many wait now."""
    with store_engine(settings).begin() as connection:
        return ledger.wait_again(connection, code, recording_id)


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


def summarise(settings: Settings, outcomes: list[Outcome]) -> dict[str, object]:
    """Total what a run did, for the run's summary and its asset event.

    Returns
    -------
    dict
        ``scored``, ``already scored``, ``set aside`` (recordings), ``beats`` by class, and ``waiting``: what is left.
    """
    outcome_counts = Counter(str(outcome["outcome"]) for outcome in outcomes)
    beats: Counter[str] = Counter()
    for outcome in outcomes:
        counted = outcome.get("beats")
        if isinstance(counted, dict):
            beats.update(counted)
    with store_engine(settings).connect() as connection:
        left = len(ledger.waiting(connection, None))
    totals: dict[str, object] = {
        **{name: outcome_counts[name] for name in ("scored", "already scored", "set aside")},
        "beats": dict(beats),
        "waiting": left,
    }
    log.info("scoring run done", **totals)
    return totals
