"""Who did what with a recording: rows are only ever added."""

from __future__ import annotations

from typing import Final, Literal

from sqlalchemy import Connection, insert, text

from ecg_core.store import tables

AGAIN_AFTER_MIN: Final = 10
"""Opening the same report again within so many minutes is one opening."""
LATELY_MIN: Final = 30

_OPENED: Final = text("""
INSERT INTO ecg.audit (user_name, action, recording_id, reading_id)
SELECT :user, :action, recording_id, reading_id FROM ecg.reading
WHERE reading_id = :reading_id AND NOT EXISTS (
    SELECT FROM ecg.audit
    WHERE audit.reading_id = :reading_id AND audit.user_name = :user AND audit.action = :action
        AND audit.happened_at > clock_timestamp() - make_interval(mins => :minutes)
)
""")


def enter_opened(conn: Connection, reading_id: int, user_name: str, action: Literal["opened", "took"]) -> None:
    """Enter that somebody read a report, or took it to answer; nothing where the same was entered minutes ago."""
    facts = {"reading_id": reading_id, "user": tables.storable(user_name), "action": action, "minutes": AGAIN_AFTER_MIN}
    conn.execute(_OPENED, facts)


def enter_moved(conn: Connection, recording_id: str, user_name: str, was: str | None, now: str | None) -> int:
    """Enter that somebody filed a recording under another patient; the row's number."""
    row = {"user_name": user_name, "action": "moved", "recording_id": recording_id}
    new = insert(tables.audit).values(**row, from_patient=was, to_patient=now)
    return int(conn.execute(new.returning(tables.audit.c.audit_id)).scalar_one())


def took_lately(conn: Connection, reading_id: int, *, but: str) -> list[str]:
    """Name who took a report to answer it within the last `LATELY_MIN` minutes."""
    query = text("""
        SELECT DISTINCT user_name FROM ecg.audit
        WHERE reading_id = :reading_id AND action = 'took' AND user_name <> :but
            AND happened_at > clock_timestamp() - make_interval(mins => :minutes)
        ORDER BY user_name
    """)
    return list(
        conn.execute(query, {"reading_id": reading_id, "but": tables.storable(but), "minutes": LATELY_MIN}).scalars()
    )
