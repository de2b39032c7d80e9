"""Recordings that have scores, scored again under another model version; the old scores stay beside the new ones."""

from __future__ import annotations

import structlog

from ecg_core.errors import RecordingError
from ecg_core.models import labels_recordings, load_model, load_version, with_version
from ecg_core.pipeline.group import Outcome, ScoringGroup
from ecg_core.pipeline.labelling import label_again
from ecg_core.pipeline.versions import labelling_models, scoring_version
from ecg_core.settings import Settings
from ecg_core.store import ledger
from ecg_core.store.database import store_engine

log = structlog.get_logger(__name__)

Plan = dict[str, object]


def plan_rescoring(
    settings: Settings,
    model_version: str | None = None,
    recording_ids: list[str] | None = None,
    limit: int | None = None,
    dry_run: bool = True,
) -> Plan:
    """Say what would be scored again, and cut it into chunks unless this is a dry run.

    Parameters
    ----------
    settings : Settings
    model_version : str, optional
        The champion of the task ``beats`` where it is left out. A version of another task only adds what it says.
    recording_ids : list of str, optional
        Only these; otherwise every recording that has scores.
    limit : int, optional
        At most so many.
    dry_run : bool
        Only say it.

    Returns
    -------
    dict
        ``model_version``, ``to_score`` (how many), ``dry_run`` and ``chunks`` (lists of recording ids).

    Raises
    ------
    UnknownModelVersion, ModelIntegrityError
        The version cannot be used.
    StoreError
        A recording that was named has no scores.
    """
    version = model_version or scoring_version(settings)
    load_version(version, with_version(settings, version))  # refused where it cannot be used
    with store_engine(settings).connect() as connection:
        ids = ledger.scored_otherwise(connection, version, recording_ids)[:limit]
    chunks = [] if dry_run else [ids[i : i + settings.chunk_size] for i in range(0, len(ids), settings.chunk_size)]
    log.info("rescoring planned", model_version=version, to_score=len(ids), dry_run=dry_run)
    return {"model_version": version, "to_score": len(ids), "dry_run": dry_run, "chunks": chunks}


def rescore_chunk(settings: Settings, recording_ids: list[str], owner: str, model_version: str) -> list[Outcome]:
    """Score, explain, store and report each recording under a version, in one transaction each.

    Nothing is claimed: scores are keyed by (recording, model version), so a task that is repeated, or two runs at
    once, cost time and change nothing.

    Returns
    -------
    list of dict
        One per recording, as `ecg_core.pipeline.inbox.score_chunk` gives them.

    Raises
    ------
    EcgError, OSError
        As `ecg_core.pipeline.inbox.score_chunk` says.
    """
    engine = store_engine(settings)
    model = load_version(model_version, with_version(settings, model_version))
    beats_version = scoring_version(settings) if labels_recordings(model) else model_version
    beats_model, others = load_model(beats_version, with_version(settings, beats_version)), labelling_models(settings)
    group = ScoringGroup(engine, settings, beats_model, others, owner)
    outcomes: list[Outcome] = []
    for recording_id in recording_ids:
        with engine.connect() as connection:
            # A repeated task passes over what it has done before it died.
            if not ledger.scored_otherwise(connection, model_version, [recording_id]):
                continue
            path = ledger.staged_path(connection, recording_id)
        if not labels_recordings(model):
            outcomes += group.add(recording_id, path)
            continue
        try:
            new = label_again(engine, settings, beats_model, model, recording_id, path, owner)
            outcomes.append({"recording_id": recording_id, "outcome": "scored" if new else "already scored"})
        except RecordingError as error:
            outcomes.append({"recording_id": recording_id, "outcome": "set aside", "reason": str(error)})
    return outcomes + group.finish()
