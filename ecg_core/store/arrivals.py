"""What was found at which address: entered in the ledger by content, or kept as an entry that is not taken yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, extract, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from ecg_core.store.tables import StorableText, arrival, inbox_entry, inbox_seen, ingest_ledger, now, storable

Registration = Literal["new", "known", "already scored", "sent again"]
_REGISTRATION_OF_STATE: Final[dict[str, Registration]] = {
    "waiting": "known",
    "claimed": "known",
    "scored": "already scored",
    "set aside": "sent again",
}
_MAX_SOURCE_BYTES: Final = 2048
"""What fits into an index of Postgres with room to spare."""
_row: Final = ingest_ledger.c


@dataclass(frozen=True, slots=True)
class Arrival:
    """A content that was found at an address.

    Attributes
    ----------
    source : str
        Address of the main file.
    recording_id : str
        SHA-256 of the content.
    size_bytes : int
    changed_at : float
        Newest change of its files, Unix seconds.
    staged_path : str
        Where its canonical copy lies.
    stamp : str
        Of all its files as they lie there.
    parts : tuple of str
        Its files beside the main one.
    """

    source: str
    recording_id: str
    size_bytes: int
    changed_at: float
    staged_path: str
    stamp: str = ""
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an inbox that is in no ledger; `age_s` is how long it has looked so, by the server's clock."""

    source: str
    state: Literal["waiting", "set aside"]
    code: str
    reason: str
    stamp: str = ""
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a content at an address: the ledger's state, why, since when, and how its files looked."""

    state: str
    reason: str
    since: datetime
    stamp: str


def source_key(source: str) -> str:
    """Return an address as the tables have it.

    It differs from `source` only where that holds NUL or bytes that are no UTF-8, or is longer than 2,048 bytes.
    """
    key = storable(source)
    if len(key.encode()) <= _MAX_SOURCE_BYTES:
        return key
    start = key.encode()[: _MAX_SOURCE_BYTES - 80].decode(errors="ignore")
    return f"{start}… sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def register(conn: Connection, arrivals: Sequence[Arrival]) -> list[Registration]:
    """Enter contents that were found at addresses; doing so again changes nothing but when they were last seen.

    A content that was set aside waits again: whoever sends a file again wants it to be tried. Entries of the same
    addresses are removed.

    Returns
    -------
    list of {"new", "known", "already scored", "sent again"}
        One per arrival. ``new``: this content was never seen anywhere; else what is known of it, whatever its name was
        then.
    """
    if not arrivals:
        return []
    # In one order for all: two looks at once must not wait for each other.
    contents = {a.recording_id: a for a in sorted(arrivals, key=lambda a: a.recording_id)}
    entered = set(
        conn.execute(
            insert(ingest_ledger)
            .values([_content(a) for a in contents.values()])
            .on_conflict_do_nothing()
            .returning(_row.recording_id)
        ).scalars()
    )
    places = {(source_key(a.source), a.recording_id): a for a in sorted(arrivals, key=lambda a: a.source)}
    seen = insert(arrival).values([_place(source, a) for (source, _), a in places.items()])
    taken_over = ("size_bytes", "file_changed_unix_s", "stamp", "parts")
    conn.execute(
        seen.on_conflict_do_update(
            index_elements=[arrival.c.source, arrival.c.recording_id],
            set_={**{name: seen.excluded[name] for name in taken_over}, "last_seen_at": now},
        )
    )
    forget_entries(conn, [source for source, _ in places])
    stated = select(_row.recording_id, _row.state).where(_among(_row.recording_id, list(contents)))
    states = dict(conn.execute(stated).tuples().all())
    again = [recording_id for recording_id, state in states.items() if state == "set aside"]
    conn.execute(
        update(ingest_ledger)
        .where(_among(_row.recording_id, again), _row.state == "set aside")
        .values(state="waiting", code=None, reason=None, done_at=None, attempts=0)
    )
    found: list[Registration] = []
    for one in arrivals:
        found.append("new" if one.recording_id in entered else _REGISTRATION_OF_STATE[states[one.recording_id]])
        entered.discard(one.recording_id)
    return found


def seen_sources(conn: Connection, prefix: str = "") -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return stamp and parts of what was last read at each address that starts so; look addresses up by `source_key`.

    A file whose stamp is the same need not be read again.
    """
    newest = (
        select(arrival.c.source, func.coalesce(arrival.c.stamp, ""), arrival.c.parts)
        .distinct(arrival.c.source)
        .where(arrival.c.source.startswith(prefix, autoescape=True))
        .order_by(arrival.c.source, arrival.c.last_seen_at.desc())
    )
    return {source: (stamp, tuple(parts)) for source, stamp, parts in conn.execute(newest).tuples()}


def earlier(conn: Connection, source: str, recording_id: str) -> list[tuple[str, str]]:
    """Return id and staged path of other contents that came at an address before, and are no part of a longer one."""
    found = (
        select(_row.recording_id, _row.staged_path)
        .join(arrival, arrival.c.recording_id == _row.recording_id)
        .where(arrival.c.source == source_key(source), _row.recording_id != recording_id, _row.superseded_by.is_(None))
    )
    return [(before, path) for before, path in conn.execute(found).tuples()]


def supersede(conn: Connection, part: str, whole: str) -> None:
    """Say that a content was the beginning of another that came later; what still waits of it is set aside."""
    conn.execute(update(ingest_ledger).where(_row.recording_id == part).values(superseded_by=whole))
    waits = update(ingest_ledger).where(_row.recording_id == part, _row.state == "waiting")
    reason = f"It was a part of a recording that has come whole since: {whole[:16]}. Nothing need be done."
    conn.execute(waits.values(state="set aside", code="superseded", reason=reason, done_at=now))


def was_mount(conn: Connection, address: str) -> bool:
    """Tell whether a file system was mounted at an inbox when it was looked at last."""
    found = select(inbox_seen.c.is_mount).where(inbox_seen.c.address == source_key(address))
    return bool(conn.execute(found).scalar_one_or_none())


def note_inbox(conn: Connection, address: str, is_mount: bool) -> None:
    """Keep whether a file system is mounted at an inbox."""
    new = insert(inbox_seen).values(address=source_key(address), is_mount=is_mount)
    values = {"is_mount": new.excluded.is_mount, "looked_at": now}
    conn.execute(new.on_conflict_do_update(index_elements=[inbox_seen.c.address], set_=values))


def outcomes(conn: Connection, prefix: str) -> dict[str, Outcome]:
    """Return what became of the content that was last read at each address that starts so."""
    since = func.coalesce(_row.done_at, _row.first_seen_at)
    newest = (
        select(arrival.c.source, _row.state, _row.reason, since, arrival.c.stamp, _row.superseded_by)
        .join(ingest_ledger, _row.recording_id == arrival.c.recording_id)
        .distinct(arrival.c.source)
        .where(arrival.c.source.startswith(prefix, autoescape=True))
        .order_by(arrival.c.source, arrival.c.last_seen_at.desc())
    )
    return {
        row[0]: Outcome(row[1], row[2] or (_REPLACED.format(row[5][:16]) if row[5] else ""), row[3], row[4] or "")
        for row in conn.execute(newest).tuples()
    }


_REPLACED: Final = "It was a part of a recording that has come whole since: {}."


def read_again(conn: Connection, recording_id: str) -> None:
    """Let the next look read a content again where it lies."""
    conn.execute(update(arrival).where(arrival.c.recording_id == recording_id).values(stamp=None))


def entries(conn: Connection, prefix: str) -> dict[str, Entry]:
    """Return the entries of an inbox by their address."""
    c = inbox_entry.c
    found = select(c.source, c.state, c.code, c.reason, c.stamp, extract("epoch", now - c.since)).where(
        c.source.startswith(prefix, autoescape=True)
    )
    return {
        row[0]: Entry(row[0], row[1], row[2], row[3], row[4], float(row[5])) for row in conn.execute(found).tuples()
    }


def write_entries(conn: Connection, found: Sequence[Entry]) -> None:
    """Keep entries; those that look and are as before keep the time since when they do."""
    for start in range(0, len(found), 1000):
        rows = {source_key(entry.source): entry for entry in found[start : start + 1000]}
        new = insert(inbox_entry).values(
            [
                {"source": source, "state": e.state, "code": e.code, "reason": e.reason, "stamp": e.stamp}
                for source, e in sorted(rows.items())
            ]
        )
        same = (inbox_entry.c.stamp == new.excluded.stamp) & (inbox_entry.c.code == new.excluded.code)
        conn.execute(
            new.on_conflict_do_update(
                index_elements=[inbox_entry.c.source],
                set_={
                    **{name: new.excluded[name] for name in ("state", "code", "reason", "stamp")},
                    "since": case((same, inbox_entry.c.since), else_=now),
                },
            )
        )


def forget_entries(conn: Connection, sources: Sequence[str]) -> None:
    """Remove the entries of these addresses, given as the tables have them."""
    if sources:
        conn.execute(delete(inbox_entry).where(_among(inbox_entry.c.source, sources)))


def server_time(conn: Connection) -> float:
    """Return the server's clock, Unix seconds."""
    return float(conn.execute(select(extract("epoch", now))).scalar_one())


def _content(a: Arrival) -> dict[str, object]:
    return {"recording_id": a.recording_id, "staged_path": a.staged_path, "size_bytes": a.size_bytes}


def _place(source: str, a: Arrival) -> dict[str, object]:
    return {
        "source": source,
        "recording_id": a.recording_id,
        "size_bytes": a.size_bytes,
        "file_changed_unix_s": a.changed_at,
        "stamp": a.stamp,
        "parts": list(a.parts),
    }


def _among(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """One parameter, however many values there are."""
    return column == func.any(bindparam(None, list(values), type_=ARRAY(StorableText)))
