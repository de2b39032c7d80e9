"""What arrived and what became of it: the ledger that scoring works from.

States: ``waiting`` → ``claimed`` → ``scored`` or ``set aside``. A claim is taken with ``FOR UPDATE SKIP LOCKED`` and
has a lease, so two workers never hold the same recording, and what a dead one held comes free. Times are the server's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Interval,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.dml import ReturningUpdate

from ecg_core.errors import DuplicateSignal, StoreError
from ecg_core.store.arrivals import source_key
from ecg_core.store.tables import StorableText, arrival, ingest_ledger, now, scoring_run

_row: Final = ingest_ledger.c


@dataclass(frozen=True, slots=True)
class Claim:
    """A recording that the caller may score now.

    Attributes
    ----------
    recording_id : str
    staged_path : str
        As it was registered.
    attempts : int
        How often scoring began without an end, this time included. What ended the others may have been anything:
        a machine that was switched off says nothing of the recording.
    """

    recording_id: str
    staged_path: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Lane:
    """Which of the waiting recordings are meant: fresh ones, or those of an archive.

    Attributes
    ----------
    fresh : bool
    old_after_s : float
        A file is of an archive when its newest change was older when it was first seen.
    folders : tuple of str
        Addresses of folders whose files are of an archive, however new.
    """

    fresh: bool
    old_after_s: float
    folders: tuple[str, ...] = ()


def waiting(
    conn: Connection,
    limit: int | None,
    under: Sequence[str] = (),
    left_for_s: float | None = None,
    lane: Lane | None = None,
    before: Mapping[str, int] | None = None,
) -> list[str]:
    """Return recordings that could be claimed now, the longest waiting first.

    Parameters
    ----------
    conn : Connection
    limit : int or None
        At most so many; None for all.
    under : sequence of str, optional
        Only what arrived in the folders of these addresses.
    left_for_s : float, optional
        With `under`: and what arrived elsewhere, but is known for so many seconds.
    lane : Lane, optional
        Only those; all where it is left out.
    before : mapping of str to int, optional
        Addresses of folders whose recordings go before all others, the highest number first.
    """
    order = (*_first(before or {}), _row.first_seen_at, _row.recording_id)
    found = select(_row.recording_id).where(_free()).order_by(*order).limit(limit)
    if under:
        here = _came_to(under)
        left = [_row.first_seen_at < now - timedelta(seconds=left_for_s)] if left_for_s is not None else []
        found = found.where(or_(here, *left))
    if lane is not None:
        found = found.where(_in_lane(lane))
    return list(conn.execute(found).scalars())


def _came_to(addresses: Iterable[str]) -> ColumnElement[bool]:
    prefixes = [source_key(f"{address.rstrip('/')}/") for address in addresses]
    places = [arrival.c.source.startswith(prefix, autoescape=True) for prefix in prefixes]
    return exists().where(arrival.c.recording_id == _row.recording_id, or_(*places))


def _first(before: Mapping[str, int]) -> list[ColumnElement[int]]:
    """Order by the priority of the folder that a recording came to; nothing where no folder has one."""
    of_priority = {priority: [one for one in before if before[one] == priority] for priority in set(before.values())}
    whens = [(_came_to(of_priority[priority]), priority) for priority in sorted(of_priority, reverse=True)]
    return [case(*whens, else_=0).desc()] if whens else []


def _in_lane(lane: Lane) -> ColumnElement[bool]:
    """Tell fresh from archive: of an archive is what no arrival brought in fresh."""
    here = arrival.c.recording_id == _row.recording_id
    age_s = func.extract("epoch", arrival.c.first_seen_at) - arrival.c.file_changed_unix_s
    prefixes = [source_key(f"{folder.rstrip('/')}/") for folder in lane.folders]
    of_archive = [arrival.c.source.startswith(prefix, autoescape=True) for prefix in prefixes]
    fresh = exists().where(here, age_s < lane.old_after_s, *(~said for said in of_archive))
    return or_(fresh, ~exists().where(here)) if lane.fresh else and_(~fresh, exists().where(here))


def sizes(conn: Connection) -> dict[str, int]:
    """Give the size in bytes that each recording arrived with which is not done."""
    found = select(_row.recording_id, _row.size_bytes).where(_row.state.in_(("waiting", "claimed")))
    return dict(conn.execute(found).tuples().all())


def _free() -> ColumnElement[bool]:
    """Nobody works on it: it waits, or its claim was abandoned."""
    return or_(_row.state == "waiting", and_(_row.state == "claimed", _row.lease_until < now))


def _claim() -> ReturningUpdate[str, str, int]:
    """Build the statement of `claim`, once: it is said for each recording."""
    owner = bindparam("owner", type_=StorableText)
    wanted = _row.recording_id == any_(bindparam("recording_ids", type_=ARRAY(StorableText)))
    # Its own claim first; `owner` is NULL for what waits, and a null is no order.
    own_first = func.coalesce(_row.owner == owner, False).desc()
    next_one = (
        select(_row.recording_id)
        .where(wanted, or_(_free(), _row.owner == owner))
        .order_by(own_first, _row.first_seen_at, _row.recording_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    lease_until = now + bindparam("lease", type_=Interval)
    return (
        update(ingest_ledger)
        .where(_row.recording_id == next_one.scalar_subquery())
        .values(state="claimed", owner=owner, attempts=_row.attempts + 1, lease_until=lease_until)
        .returning(_row.recording_id, _row.staged_path, _row.attempts)
    )


_CLAIM: Final = _claim()


def claim(conn: Connection, recording_ids: Sequence[str], owner: str, lease_s: float) -> Claim | None:
    """Take the next of `recording_ids` that nobody else holds. Commit before scoring, so that others see it.

    Parameters
    ----------
    conn : Connection
    recording_ids : sequence of str
    owner : str
        Who claims. The same owner is given its own open claim again, so that a retried task goes on where it died.
    lease_s : float
        After so many seconds others may take the claim over.

    Returns
    -------
    Claim or None
        None where nothing is left to take.
    """
    values = {"recording_ids": list(recording_ids), "owner": owner, "lease": timedelta(seconds=lease_s)}
    taken = conn.execute(_CLAIM, values).one_or_none()
    return None if taken is None else Claim(*taken)


def give_back(conn: Connection, recording_id: str, owner: str) -> None:
    """Give back a claim that `owner` still holds, as if it had never been taken: what failed was not the recording's.

    Somebody else's claim stays.
    """
    conn.execute(
        update(ingest_ledger)
        .where(_row.recording_id == recording_id, _row.state == "claimed", _row.owner == owner)
        .values(state="waiting", owner=None, lease_until=None, attempts=func.greatest(_row.attempts - 1, 0))
    )


def free_expired(conn: Connection) -> int:
    """Let every recording wait again whose claim has expired; how many. Attempts stay counted."""
    expired = update(ingest_ledger).where(_row.state == "claimed", _row.lease_until < now)
    return conn.execute(expired.values(state="waiting", owner=None, lease_until=None)).rowcount


def set_aside(conn: Connection, recording_id: str, code: str, reason: str) -> None:
    """Say that a recording cannot be used: a code and a sentence. What is scored stays scored.

    Raises
    ------
    StoreError
        The ledger does not know the recording.
    """
    _finish(conn, recording_id, _row.state != "scored", state="set aside", code=code, reason=reason)


def mark_scored(conn: Connection, recording_id: str) -> None:
    """Say that a recording's scores and report are stored. Call it in the transaction that stores them.

    Raises
    ------
    StoreError
        The ledger does not know the recording.
    """
    _finish(conn, recording_id, _row.state != "scored", state="scored", code=None, reason=None)


def wait_again(conn: Connection, code: str | None = None, recording_id: str | None = None) -> int:
    """Let what was set aside be scored again, after its cause was mended; its attempts count from nought.

    A duplicate of another recording's signal is scored only where its code or id is named.

    Parameters
    ----------
    conn : Connection
    code : str, optional
        Only what was set aside with this code.
    recording_id : str, optional
        Only the recordings whose id starts so.

    Returns
    -------
    int
        How many wait now.
    """
    again = update(ingest_ledger).where(_row.state == "set aside")
    is_duplicate = _row.code == DuplicateSignal.code
    if code is None and recording_id is None:
        again = again.where(~is_duplicate)
    if code is not None:
        again = again.where(_row.code == code)
    if recording_id is not None:
        again = again.where(_row.recording_id.startswith(recording_id, autoescape=True))
    waiting = {"state": "waiting", "code": None, "reason": None, "done_at": None, "attempts": 0}
    return conn.execute(again.values(**waiting, although_duplicate=_row.although_duplicate | is_duplicate)).rowcount


def scored_otherwise(conn: Connection, model_version: str, recording_ids: Sequence[str] | None) -> list[str]:
    """Return the scored recordings that this model version has not scored, the longest known first.

    Parameters
    ----------
    conn : Connection
    model_version : str
    recording_ids : sequence of str or None
        Only these; None for all.

    Raises
    ------
    StoreError
        One of `recording_ids` is not scored: it must arrive, or its cause be mended, first.
    """
    scored = select(_row.recording_id).where(_row.state == "scored")
    if recording_ids is not None:
        scored = scored.where(_row.recording_id.in_(recording_ids))
        unknown = sorted(set(recording_ids) - set(conn.execute(scored).scalars()))
        if unknown:
            raise StoreError(
                f"{len(unknown)} of the recordings named have no scores, for instance {unknown[0][:16]}….",
                "Give whole recording ids as in ecg_mart.recording; what only waits is scored by ecg_score_inbox.",
            )
    run = scoring_run.c
    done = exists().where(run.recording_id == _row.recording_id, run.model_version == model_version)
    return list(conn.execute(scored.where(~done).order_by(_row.first_seen_at, _row.recording_id)).scalars())


def first_seen_unix_s(conn: Connection, recording_id: str) -> float:
    """Return when a recording was first seen, in Unix seconds."""
    seen = select(func.extract("epoch", _row.first_seen_at)).where(_row.recording_id == recording_id)
    return float(conn.execute(seen).scalar_one())


def staged_path(conn: Connection, recording_id: str) -> str:
    """Return where a recording's canonical copy lies, as it was registered."""
    path: str = conn.execute(select(_row.staged_path).where(_row.recording_id == recording_id)).scalar_one()
    return path


def _finish(conn: Connection, recording_id: str, where: ColumnElement[bool], **values: str | None) -> None:
    ended = update(ingest_ledger).where(_row.recording_id == recording_id, where)
    changed = conn.execute(ended.values(owner=None, lease_until=None, done_at=now, **values)).rowcount
    if not changed and conn.execute(select(_row.state).where(_row.recording_id == recording_id)).first() is None:
        raise StoreError(f"The ledger does not know the recording {recording_id[:16]}….", "Register its arrival first.")
