"""From an inbox of arriving files to scores and reports, without losing or repeating any.

The ledger in Postgres is what is true: every call here may be killed at any point and called again.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from upath import UPath

from ecg_core import depot
from ecg_core.arrivals.registering import register_all, register_arrivals
from ecg_core.errors import (
    EcgError,
    PlatformFault,
    ScoringGaveUp,
)
from ecg_core.formats.copies import reader
from ecg_core.messages import lineage, telemetry
from ecg_core.models import load_model, with_version
from ecg_core.pipeline.apart import Task, score_apart
from ecg_core.pipeline.group import OURS, Outcome, ScoringGroup, as_ours, set_aside
from ecg_core.pipeline.versions import check_registered, labelling_models, scoring_version
from ecg_core.settings import Settings
from ecg_core.store import ledger
from ecg_core.store.database import store_engine

__all__ = [
    "Outcome",
    "plan_chunks",
    "register_all",
    "register_arrivals",
    "score_chunk",
    "summarise",
    "wait_again",
]

log = structlog.get_logger(__name__)

LaneName = Literal["fresh", "archive"]
CHUNK_BYTES: Final = 80_000_000
"""What a chunk's files have at most: about a day of two leads."""
FEWEST_PER_CHUNK: Final = 16
"""Recordings that loading a model pays for."""


def plan_chunks(
    settings: Settings, limit: int | None = None, inbox: UPath | None = None, lane: LaneName | None = None
) -> list[list[str]]:
    """Split what waits to be scored into chunks of recording ids, oldest first, by what they cost.

    Nothing is claimed here: two runs may plan the same recordings, and the claims in `score_chunk` settle it.

    Parameters
    ----------
    settings : Settings
    limit : int, optional
        At most so many recordings.
    inbox : UPath, optional
        Only what arrived there. Where it is left out: what arrived in the settings' inboxes, and what a run over
        another folder has left for ``ECG_CLAIM_LEASE_S``; until then it is that run's alone, with the version that it
        names.
    lane : {'fresh', 'archive'}, optional
        Only recordings that come as they are made, or only those of an archive; both where it is left out.
    """
    folders = [str(inbox)] if inbox is not None else settings.inbox_addresses
    left_for_s = settings.claim_lease_s if inbox is None else None
    with store_engine(settings).connect() as connection:
        waiting = ledger.waiting(connection, limit, folders, left_for_s, _lane(settings, lane), settings.before_others)
        sizes = ledger.sizes(connection)
    return chunks_of(waiting, sizes, settings.chunk_size)


def chunks_of(recording_ids: Sequence[str], size_bytes: Mapping[str, int], most: int) -> list[list[str]]:
    """Cut recordings into chunks by what they cost, in their order.

    A chunk is full with `most` recordings, or with as many bytes as a day of two leads has; few recordings are shared
    out over the cores, in chunks for which loading a model still pays.

    Parameters
    ----------
    recording_ids : sequence of str
    size_bytes : mapping of str to int
        Of each, as it arrived: how long a signal is stands in the file alone.
    most : int
    """
    share = -(-len(recording_ids) // (os.cpu_count() or 1))
    most = min(most, max(FEWEST_PER_CHUNK, share))
    chunks: list[list[str]] = []
    room, free_bytes = 0, 0
    for recording_id in recording_ids:
        size = size_bytes.get(recording_id, 0)
        if room == 0 or size > free_bytes:
            chunks.append([])
            room, free_bytes = most, max(CHUNK_BYTES, size)
        chunks[-1].append(recording_id)
        room, free_bytes = room - 1, free_bytes - size
    return chunks


def _lane(settings: Settings, lane: LaneName | None) -> ledger.Lane | None:
    return ledger.Lane(lane == "fresh", settings.archive_after_s, settings.archives) if lane else None


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
    depot.prepare_cache(settings)
    reader(settings).start()  # beside the loading of the models
    version = model_version or scoring_version(settings)
    model, others = load_model(version, with_version(settings, version)), labelling_models(settings)
    check_registered(settings, [model, *others])
    group = ScoringGroup(engine, settings, model, others, owner)
    outcomes: list[Outcome] = []
    remaining = list(recording_ids)
    claimed: list[str] = []
    try:
        while remaining:
            with engine.begin() as connection:
                claim = ledger.claim(connection, remaining, owner, settings.claim_lease_s)
            if claim is None:
                break
            claimed.append(claim.recording_id)
            remaining.remove(claim.recording_id)
            if claim.attempts > settings.max_attempts:
                task = Task(settings, version, claim.recording_id, claim.staged_path, owner)
                outcomes.append(_scored_apart(engine, task))
            else:
                # What was begun before may be what ended that process: it takes no others with it.
                outcomes += group.add(claim.recording_id, claim.staged_path, alone=claim.attempts > 1)
        outcomes += group.finish()
    except BaseException as error:
        _give_back(engine, claimed, owner)
        _tell_lineage(settings, [version, *(other.version for other in others)], outcomes, failed=True)
        if isinstance(error, OSError):
            raise as_ours(error, settings) from error
        raise
    finally:
        telemetry.flush(settings)
    _tell_lineage(settings, [version, *(other.version for other in others)], outcomes)
    _refuse_all_failed(outcomes)
    return outcomes


def _tell_lineage(
    settings: Settings, versions: Sequence[str], outcomes: Sequence[Outcome], *, failed: bool = False
) -> None:
    scored = sum(outcome["outcome"] == "scored" for outcome in outcomes)
    inputs = [*lineage.stored(settings, "recordings"), *lineage.versions(settings, versions)]
    into = [*lineage.stored(settings, "reports"), *lineage.tables(settings, *_FILLED)]
    facts: dict[str, str | int] = {"scored": scored, "set aside": len(outcomes) - scored}
    if outcomes or failed:
        lineage.tell(settings, "score_chunk", inputs, into, facts, failed=failed)


_FILLED: Final = ("recording", "scoring_run", "reading", "finding", "beat", "attribution", "report")
"""Tables that a recording's scores go into, as far as a reader of lineage asks for them."""


def _scored_apart(engine: Engine, task: Task) -> Outcome:
    try:
        return score_apart(task)
    except ScoringGaveUp as fault:
        return set_aside(engine, task.recording_id, fault)


def _give_back(engine: Engine, recording_ids: list[str], owner: str) -> None:
    """Let what is not done wait as if nobody had begun; where Postgres is down, wait a while for it."""
    for pause_s in (0.0, 1.0, 2.0, 4.0, 8.0):
        time.sleep(pause_s)
        try:
            with engine.begin() as connection:
                for recording_id in recording_ids:
                    ledger.give_back(connection, recording_id, owner)
            return
        except (EcgError, SQLAlchemyError):
            continue
    log.warning("claims not given back: they come free with their lease", recordings=len(recording_ids))


def _refuse_all_failed(outcomes: list[Outcome]) -> None:
    """Raise where our code failed on each of several recordings: they are set aside, but nobody must call that good."""
    if len(outcomes) > 2 and all(outcome.get("code") in OURS for outcome in outcomes):
        raise PlatformFault(
            f"Our own code failed on all {len(outcomes)} recordings of a chunk, the first: {outcomes[0]['reason']}",
            "They are set aside; after a release that mends it: `ecg retry`.",
        )


def wait_again(settings: Settings, code: str | None = None, recording_id: str | None = None) -> int:
    """Let what was set aside be scored by the next run, after its cause was mended; how many wait now."""
    with store_engine(settings).begin() as connection:
        return ledger.wait_again(connection, code, recording_id)


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
