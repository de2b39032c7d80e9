"""From an inbox of arriving files to scores and reports, without losing or repeating any.

The ledger in Postgres is what is true: every call here may be killed at any point and called again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg2
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from upath import UPath

from ecg_core.errors import (
    EcgError,
    ExplanationError,
    RecordingError,
    RowRefused,
    ScoringFailed,
)
from ecg_core.formats import fingerprint
from ecg_core.models import LoadedModel, RecordingModel, load_model
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.reading import reader
from ecg_core.pipeline.registering import register_arrivals
from ecg_core.pipeline.score import score_recording
from ecg_core.pipeline.versions import labelling_models, scoring_version
from ecg_core.report import sentences, write_report
from ecg_core.result import Result, beat_counts
from ecg_core.settings import Settings
from ecg_core.store import ledger, write_result
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


def plan_chunks(settings: Settings, limit: int | None = None, inbox: UPath | None = None) -> list[list[str]]:
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
    """
    folder = inbox if inbox is not None else UPath(settings.inbox_address)
    left_for_s = settings.claim_lease_s if inbox is None else None
    with store_engine(settings).connect() as connection:
        waiting = ledger.waiting(connection, limit, str(folder), left_for_s)
    return [waiting[i : i + settings.chunk_size] for i in range(0, len(waiting), settings.chunk_size)]


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
    EcgError, OSError
        What concerns all recordings (no database, a damaged model, a full disk); they stay for a retry. What fails on
        one recording alone sets that one aside and stops nobody.
    """
    engine = store_engine(settings)
    reader(settings).start()  # beside the loading of the models
    version = model_version or scoring_version(settings)
    model, others = load_model(version, settings.models_dir), labelling_models(settings)
    outcomes: list[Outcome] = []
    remaining = list(recording_ids)
    while remaining:
        with engine.begin() as connection:
            claim = ledger.claim(connection, remaining, owner, settings.claim_lease_s, settings.max_attempts)
        if claim is None:
            break
        remaining.remove(claim.recording_id)
        outcomes.append(score_one(engine, settings, model, claim.recording_id, claim.staged_path, owner, others))
    return outcomes


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
    EcgError, OSError
        As `score_chunk` says.
    """
    pseudonym_key = settings.pseudonym_secret()
    started = time.perf_counter()
    try:
        recording = reader(settings).read(settings.recordings_dir / staged_path, pseudonym_key, recording_id)
        read_s = time.perf_counter() - started
        same = (recording_id, fingerprint(recording), recording.patient_pseudonym)
        with engine.begin() as connection:
            refuse_duplicate(connection, *same)
        result = score_recording(
            recording, model, settings.explained_beats, settings.explained_abnormal_beats, {"read": read_s}, others
        )
        result = replace(result, recording=replace(result.recording, fingerprint=same[1]))
        with engine.begin() as connection:
            refuse_duplicate(connection, *same)
            path = _store_and_report(connection, settings, result, owner)
    except Exception as error:
        fault = _fault_of_one(error)
        if fault is None:
            raise
        if not isinstance(error, RecordingError):
            log.exception("recording failed", recording_id=recording_id)
        with engine.begin() as connection:
            ledger.set_aside(connection, recording_id, fault.code, str(fault))
        return _logged({"recording_id": recording_id, "outcome": "set aside", "reason": str(fault)})
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


def _fault_of_one(error: Exception) -> EcgError | None:
    """Return what a recording is set aside with; None for an error that the next recording would meet as well."""
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
        write_result.write_report(
            connection,
            reading_of(connection, scoring_run_id),
            path=str(written.path.relative_to(settings.reports_dir)),
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            stages=result.stages,
        )
        path = written.path
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
