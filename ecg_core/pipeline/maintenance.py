"""The nightly upkeep of the results database."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import ledger, partitions

log = structlog.get_logger(__name__)

MONTHS_AHEAD = 2


def make_partitions(settings: Settings) -> list[str]:
    """Make the partitions of this month and the next ones, so that scoring seldom has to; the months."""
    this = partitions.month_of(datetime.now(UTC))
    months = [partitions.next_month(this, ahead) for ahead in range(MONTHS_AHEAD + 1)]
    with store_engine(settings).begin() as connection:
        for month in months:
            partitions.ensure_partitions(connection, month)
    return [str(month) for month in months]


def drop_old_partitions(settings: Settings) -> list[str]:
    """Drop beats and attributions older than ``ECG_RETENTION_MONTHS``; names of what was dropped, none where it is 0.

    Raises
    ------
    DatabaseUnavailable
        Somebody has read the old months for too long; try again later.
    """
    if not settings.retention_months:
        return []
    oldest_kept = partitions.next_month(partitions.month_of(datetime.now(UTC)), -settings.retention_months)
    with store_engine(settings).begin() as connection:
        dropped = partitions.drop_partitions_before(connection, oldest_kept)
    if dropped:
        log.info("partitions dropped", before=str(oldest_kept), partitions=dropped)
    return dropped


def free_abandoned_claims(settings: Settings) -> int:
    """Let recordings wait again whose claims have expired; how many. The attempts made stay counted."""
    with store_engine(settings).begin() as connection:
        freed = ledger.free_expired(connection)
    if freed:
        log.info("abandoned claims freed", recordings=freed)
    return freed
