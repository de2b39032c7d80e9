"""Months of arrival: the partitions that beats and attributions lie in, made when needed and dropped when old."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, text

from ecg_core.store.tables import StorableText, ingest_ledger, now, recording

_RECORDING_ID: Final = bindparam("recording_id", type_=StorableText)
_FIRST_ARRIVAL: Final = select(
    func.coalesce(
        select(recording.c.arrived_at).where(recording.c.recording_id == _RECORDING_ID).scalar_subquery(),
        select(ingest_ledger.c.first_seen_at).where(ingest_ledger.c.recording_id == _RECORDING_ID).scalar_subquery(),
        now,
    )
)


def first_arrival(conn: Connection, recording_id: str) -> datetime:
    """Return when a recording first arrived: as stored, else as in the ledger, else now."""
    arrived_at: datetime = conn.execute(_FIRST_ARRIVAL, {"recording_id": recording_id}).scalar_one()
    return arrived_at.astimezone(UTC)


def month_of(moment: datetime) -> date:
    """Return the first day of a moment's month in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def next_month(month: date, count: int = 1) -> date:
    """Return the first day of the month that is `count` months later (earlier where negative)."""
    months = month.year * 12 + month.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def ensure_partitions(conn: Connection, month: date) -> None:
    """Make the partitions of a month where they are missing."""
    conn.execute(text("SELECT ecg.ensure_partitions(:month)"), {"month": month})


def drop_partitions_before(conn: Connection, month: date) -> list[str]:
    """Drop the beats and attributions of all recordings that arrived before a month; names of what was dropped.

    Runs, hourly figures, findings and reports stay; `ecg.dropped_month` notes which months are gone.

    Raises
    ------
    DatabaseUnavailable
        Somebody has read the old months for longer than 10 s; try again later.
    """
    conn.execute(text("SET LOCAL lock_timeout = '10s'"))
    return list(conn.execute(text("SELECT ecg.drop_partitions_before(:month)"), {"month": month}).scalars())
