"""The outbox: what somebody must be told, written with what it is about, and sent until a channel took it.

A message is raised in the transaction that makes it true, so that neither is there without the other. Deliveries are
taken with ``FOR UPDATE SKIP LOCKED`` and a lease: two processes never send the same at once, and what a dead one held
comes free. A process that dies between sending and noting it sends again: receivers tell by the delivery's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from ecg_core.errors import StoreError
from ecg_core.store.tables import now, outbox_delivery, outbox_message, sign_of_life

Severity = Literal["critical", "warning", "info"]
_LEASE: Final = timedelta(minutes=2)
"""So long may one attempt take before another process takes the delivery over."""
_FIRST_PAUSE_S: Final = 15.0
_LONGEST_PAUSE_S: Final = 3600.0
_message: Final = outbox_message.c
_delivery: Final = outbox_delivery.c


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told.

    Attributes
    ----------
    kind : str
        What it is about; rules and runbooks go by it.
    subject, body : str
        One line; sentences. Neither holds a name or identifier of a patient.
    severity : {'critical', 'warning', 'info'}
    key : str
        While a message of this key is open, raising it again only counts; the kind where it is left out.
    once : bool
        Nothing of this key is ever told a second time.
    site : str, optional
    payload : mapping, optional
        What a system is sent beside the sentences.
    reading_id : int, optional
    """

    kind: str
    subject: str
    body: str
    severity: Severity = "warning"
    key: str = ""
    once: bool = False
    site: str | None = None
    payload: Mapping[str, Any] | None = None
    reading_id: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that the caller may send now through one channel."""

    delivery_id: int
    message_id: int
    channel: str
    attempts: int
    kind: str
    severity: str
    subject: str
    body: str
    payload: dict[str, Any] | None
    created_at: datetime
    n_raised: int
    reading_id: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A message as it is listed; `waiting`, `sent` and `dead` count its deliveries, `error` is the last one's."""

    message_id: int
    kind: str
    severity: str
    subject: str
    body: str
    created_at: datetime
    n_raised: int
    ended_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    waiting: int
    sent: int
    dead: int
    error: str | None


def raise_message(
    conn: Connection,
    message: Message,
    channels: Sequence[str],
    repeat_after_s: float,
    later: Mapping[str, datetime] | None = None,
) -> int | None:
    """Put a message into the outbox; where one of its key is open, count, and send it again only after a while.

    One that was acknowledged longer ago than that is closed, and what is raised then is told anew.

    Parameters
    ----------
    conn : Connection
    message : Message
    channels : sequence of str
        Names of those to send it through; with none it stands in the outbox alone.
    repeat_after_s : float
        An open, unacknowledged message is sent again when its last sending began so long ago.
    later : mapping of str to datetime, optional
        Channels through which it is sent not at once, but then.

    Returns
    -------
    int or None
        Its number; None where it was open already.
    """
    key = message.key or message.kind
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"ecg.outbox {key}"})
    if not message.once:
        long_known = _message.acknowledged_at < now - timedelta(seconds=repeat_after_s)
        same = update(outbox_message).where(_message.dedupe_key == key, _message.ended_at.is_(None), long_known)
        conn.execute(same.values(ended_at=now))
    open_ = select(_message.message_id, _message.acknowledged_at).where(_message.dedupe_key == key)
    if not message.once:
        open_ = open_.where(_message.ended_at.is_(None))
    standing = conn.execute(open_.order_by(_message.message_id.desc()).limit(1)).first()
    if standing is not None:
        _count_again(conn, standing.message_id, message)
        if standing.acknowledged_at is None and not message.once:
            _send_again(conn, standing.message_id, channels, repeat_after_s, later)
        return None
    values = {
        "kind": message.kind,
        "dedupe_key": key,
        "severity": message.severity,
        "site": message.site,
        "subject": message.subject,
        "body": message.body,
        "payload": message.payload,
        "reading_id": message.reading_id,
    }
    message_id: int = conn.execute(insert(outbox_message).values(**values).returning(_message.message_id)).scalar_one()
    _send(conn, message_id, channels, later)
    return message_id


def end(conn: Connection, kind: str, keys_that_hold: Sequence[str] = ()) -> int:
    """Close the open messages of a kind whose cause is gone, so that the next one is told anew; how many."""
    gone = update(outbox_message).where(
        _message.kind == kind, _message.ended_at.is_(None), _message.dedupe_key.not_in(list(keys_that_hold))
    )
    return conn.execute(gone.values(ended_at=now)).rowcount


def end_quiet(conn: Connection, kind: str, for_s: float) -> int:
    """Close the open messages of a kind that were not raised for so long; how many."""
    quiet = update(outbox_message).where(
        _message.kind == kind, _message.ended_at.is_(None), _message.raised_at < now - timedelta(seconds=for_s)
    )
    return conn.execute(quiet.values(ended_at=now)).rowcount


def take_due(conn: Connection) -> Delivery | None:
    """Take the delivery that is due the longest, and count the attempt. Commit before sending."""
    due = (
        select(_delivery.delivery_id)
        .where(_delivery.state == "waiting", _delivery.due_at <= now)
        .order_by(_delivery.due_at, _delivery.delivery_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    delivery_id = conn.execute(due).scalar_one_or_none()
    if delivery_id is None:
        return None
    taken = update(outbox_delivery).where(_delivery.delivery_id == delivery_id)
    conn.execute(taken.values(attempts=_delivery.attempts + 1, due_at=now + _LEASE))
    told = (_message.kind, _message.severity, _message.subject, _message.body, _message.payload, _message.created_at)
    row = conn.execute(
        select(
            _delivery.delivery_id,
            _delivery.message_id,
            _delivery.channel,
            _delivery.attempts,
            *told,
            _message.n_raised,
            _message.reading_id,
        )
        .join(outbox_message, _message.message_id == _delivery.message_id)
        .where(_delivery.delivery_id == delivery_id)
    ).one()
    return Delivery(*row)


def mark_sent(conn: Connection, delivery_id: int) -> None:
    """Note that the channel took it."""
    sent = update(outbox_delivery).where(_delivery.delivery_id == delivery_id)
    conn.execute(sent.values(state="sent", sent_at=now, error=None))


def mark_failed(conn: Connection, delivery_id: int, error: str, max_attempts: int) -> None:
    """Note why it failed and try again after a pause that doubles; after `max_attempts` it is dead."""
    pause_s = func.least(_FIRST_PAUSE_S * func.power(2, _delivery.attempts - 1), _LONGEST_PAUSE_S)
    conn.execute(
        update(outbox_delivery)
        .where(_delivery.delivery_id == delivery_id, _delivery.state == "waiting")
        .values(
            state=case((_delivery.attempts >= max_attempts, "dead"), else_="waiting"),
            error=error,
            due_at=now + func.make_interval(0, 0, 0, 0, 0, 0, pause_s),
        )
    )


def revive(conn: Connection, message_id: int | None = None) -> int:
    """Let dead deliveries be tried again from the beginning, of one message or of all; how many."""
    again = update(outbox_delivery).where(_delivery.state == "dead")
    if message_id is not None:
        again = again.where(_delivery.message_id == message_id)
    return conn.execute(again.values(state="waiting", attempts=0, due_at=now)).rowcount


def acknowledge(conn: Connection, message_id: int, by: str) -> bool:
    """Note that a person has seen it; False where another had before. What waits to be sent of it stays so.

    Raises
    ------
    StoreError
        There is no such message.
    """
    seen = update(outbox_message).where(_message.message_id == message_id, _message.acknowledged_at.is_(None))
    if conn.execute(seen.values(acknowledged_at=now, acknowledged_by=by)).rowcount:
        return True
    if conn.execute(select(_message.message_id).where(_message.message_id == message_id)).first() is None:
        raise StoreError(f"The outbox has no message {message_id}.", "`ecg outbox list` shows which there are.")
    return False


def unacknowledged(conn: Connection, kind: str, for_s: float) -> list[tuple[int, str | None]]:
    """Return number and site of what nobody acknowledged for so long and nobody passed on, the oldest first."""
    late = select(_message.message_id, _message.site).where(
        _message.kind == kind,
        _message.acknowledged_at.is_(None),
        _message.ended_at.is_(None),
        _message.escalated_at.is_(None),
        _message.created_at < now - timedelta(seconds=for_s),
    )
    rows = conn.execute(late.order_by(_message.message_id).with_for_update(skip_locked=True))
    return [(message_id, site) for message_id, site in rows.tuples()]


def escalate(conn: Connection, message_id: int, channels: Sequence[str]) -> None:
    """Send a message through further channels, once."""
    conn.execute(update(outbox_message).where(_message.message_id == message_id).values(escalated_at=now))
    _send(conn, message_id, channels)


def messages(conn: Connection, *, open_only: bool = True, limit: int = 100) -> list[Told]:
    """List messages, the newest first; open are those that neither ended nor were acknowledged."""

    def counted(state: str) -> ColumnElement[int]:
        return func.count().filter(_delivery.state == state)

    told = [outbox_message.c[name] for name in Told.__slots__ if name in outbox_message.c]
    query = (
        select(*told, counted("waiting"), counted("sent"), counted("dead"), func.max(_delivery.error))
        .outerjoin(outbox_delivery, _delivery.message_id == _message.message_id)
        .group_by(_message.message_id)
        .order_by(_message.message_id.desc())
        .limit(limit)
    )
    if open_only:
        query = query.where(_message.acknowledged_at.is_(None), _message.ended_at.is_(None))
    return [Told(*tuple(row)) for row in conn.execute(query)]


def forget(conn: Connection, after_s: float) -> int:
    """Delete messages that ended or were acknowledged, and were last raised so long ago; how many.

    Notices about a reading stay: nothing may be told of it twice.
    """
    over = outbox_message.delete().where(
        (_message.ended_at.is_not(None)) | (_message.acknowledged_at.is_not(None)),
        _message.reading_id.is_(None),
        _message.raised_at < now - timedelta(seconds=after_s),
    )
    return conn.execute(over).rowcount


def dead_deliveries(conn: Connection) -> int:
    """Count what was given up."""
    return int(conn.execute(select(func.count()).where(_delivery.state == "dead")).scalar_one())


def give_sign(conn: Connection, part: str, facts: Mapping[str, Any] | None = None) -> None:
    """Note that a part of the platform lives, and what it says of itself."""
    seen = insert(sign_of_life).values(part=part, facts=dict(facts or {}))
    again = {"seen_at": now, "facts": seen.excluded.facts}
    conn.execute(seen.on_conflict_do_update(index_elements=[sign_of_life.c.part], set_=again))


def signs(conn: Connection) -> dict[str, float]:
    """Return how many seconds ago each part gave its last sign of life."""
    age_s = func.extract("epoch", now - sign_of_life.c.seen_at)
    return {part: float(age) for part, age in conn.execute(select(sign_of_life.c.part, age_s)).tuples()}


def _send(
    conn: Connection, message_id: int, channels: Sequence[str], later: Mapping[str, datetime] | None = None
) -> None:
    for channel in dict.fromkeys(channels):
        due = {"due_at": later[channel]} if later and channel in later else {}
        conn.execute(insert(outbox_delivery).values(message_id=message_id, channel=channel, **due))


def _count_again(conn: Connection, message_id: int, message: Message) -> None:
    counted = update(outbox_message).where(_message.message_id == message_id)
    newest = {"subject": message.subject, "body": message.body, "severity": message.severity}
    conn.execute(counted.values(n_raised=_message.n_raised + 1, raised_at=now, **newest))


def _send_again(
    conn: Connection,
    message_id: int,
    channels: Sequence[str],
    repeat_after_s: float,
    later: Mapping[str, datetime] | None,
) -> None:
    """Begin another sending through each channel that has nothing on its way and sent long enough ago."""
    recent = _delivery.sent_at > now - timedelta(seconds=repeat_after_s)
    busy = select(_delivery.channel).where(_delivery.message_id == message_id, (_delivery.state != "sent") | recent)
    held = set(conn.execute(busy).scalars())
    _send(conn, message_id, [channel for channel in channels if channel not in held], later)
