"""A recording that is known to be good, scored every hour: the platform is well where that works from end to end."""

from __future__ import annotations

import time

import structlog

from ecg_core import depot
from ecg_core.models import load_model, with_version
from ecg_core.pipeline.group import ScoringGroup
from ecg_core.pipeline.versions import check_registered, labelling_models, scoring_version
from ecg_core.settings import Settings
from ecg_core.store import outbox
from ecg_core.store.database import store_engine

log = structlog.get_logger(__name__)

SIGN = "canary"
"""The part whose sign of life says when it last got through."""


def score_canary(settings: Settings) -> float:
    """Write, read, score, explain, store and report a generated recording, as any other; nothing of it stays.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    PlatformFault
        A step failed: the same would fail on what arrives.
    ModelError, MachineError, StoreError
        A champion, the store that machines share, or Postgres cannot be used.
    """
    started = time.perf_counter()
    engine = store_engine(settings)
    version = scoring_version(settings)
    model, others = load_model(version, with_version(settings, version)), labelling_models(settings)
    check_registered(settings, [model, *others])
    depot.exists(settings, settings.recordings_dir / SIGN)  # raises where the store does not answer
    ScoringGroup(engine, settings, model, others, SIGN).check_itself()
    took_s = time.perf_counter() - started
    with engine.begin() as connection:
        outbox.give_sign(connection, SIGN, {"seconds": round(took_s, 3)})
    log.info("canary scored", seconds=round(took_s, 1), model_version=version)
    return took_s
