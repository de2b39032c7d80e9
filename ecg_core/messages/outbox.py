"""Telling people and systems: who is told of what, sending what is due, and what a person says to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Connection

from ecg_core.errors import DeliveryFailed
from ecg_core.messages.quiet import waiting
from ecg_core.messages.result_senders import SCHEMES as RESULT_SCHEMES
from ecg_core.messages.senders import send
from ecg_core.settings import Settings
from ecg_core.store import outbox
from ecg_core.store.acting import acting_for
from ecg_core.store.database import store_engine
from ecg_core.store.outbox import Delivery, Message, Severity, Told

if TYPE_CHECKING:
    from ecg_core.messages.documents import Documents

__all__ = ["Message", "Severity", "Told", "acknowledge", "channels_for", "deliver_due", "escalate", "tell"]

log = structlog.get_logger(__name__)

RESULT: Final = "result"
"""The kind that is what is said of a reading itself; it goes where a rule names it, and nowhere else."""
ESCALATED_KINDS: Final = ("urgent_finding",)
"""Kinds that are passed on where nobody acknowledges them."""


def tell(connection: Connection, settings: Settings, message: Message) -> int | None:
    """Put a message into the outbox, for the channels that the rules name; its number, None where it is open already.

    Call it in the transaction that makes it true. Sending is `deliver_due`'s.
    """
    channels = channels_for(settings, message.kind, message.site)
    at_once = told_at_once(settings, message.kind, message.site)
    channels += [channel for channel in at_once or () if channel not in channels]
    # Systems have no night.
    later = {} if message.kind == RESULT else waiting(settings, message.severity, message.site, channels, at_once)
    message_id = outbox.raise_message(connection, message, channels, settings.repeat_after_s, later)
    if message_id is not None:
        log.info("message raised", message=message_id, kind=message.kind, severity=message.severity, channels=channels)
    return message_id


def channels_for(settings: Settings, kind: str, site: str | None = None, *, escalated: bool = False) -> list[str]:
    """Return the channels that are told of a kind: the first of the rules that fits decides.

    In this order: ``kind!escalated`` of what is passed on, the kind, ``*``; of each the site's own rule first. ``*``
    among the channels of a rule stands for all. Results go where a rule names them; systems that take results alone
    are told of nothing else.
    """
    keys = (RESULT,) if kind == RESULT else (*([f"{kind}!escalated"] if escalated else []), kind, "*")
    chosen = _rule(settings, site, *keys) or ()
    return list(chosen) if kind == RESULT else _for_people(settings, chosen)


def told_at_once(settings: Settings, kind: str, site: str | None = None) -> list[str] | None:
    """Return the channels that a rule ``kind!quiet`` tells at once in quiet hours; None where there is no such rule."""
    chosen = _rule(settings, site, f"{kind}!quiet")
    return None if chosen is None else _for_people(settings, chosen)


def _rule(settings: Settings, site: str | None, *keys: str) -> tuple[str, ...] | None:
    """Return the channels of the first rule that there is, of each key the site's own first."""
    own = settings.site_profiles.get(site or "")
    tables = (own.messages if own else {}, settings.message_rules)
    return next((rules[key] for key in keys for rules in tables if key in rules), None)


def _for_people(settings: Settings, chosen: tuple[str, ...]) -> list[str]:
    addresses = settings.channel_addresses
    wanted = list(addresses) if "*" in chosen else list(chosen)
    return [name for name in wanted if urlsplit(addresses.get(name, "")).scheme not in RESULT_SCHEMES]


def all_rules(settings: Settings) -> list[Mapping[str, tuple[str, ...]]]:
    """Return the rules of the settings, and each site's."""
    return [settings.message_rules, *(site.messages for site in settings.site_profiles.values())]


def deliver_due(settings: Settings) -> dict[str, int]:
    """Send all that is due; how many were ``sent`` and how many ``failed`` (tried again later, or dead)."""
    engine = store_engine(settings)
    counts = {"sent": 0, "failed": 0}
    while True:
        with engine.begin() as connection:
            delivery = outbox.take_due(connection)
        if delivery is None:
            return counts
        try:
            address = settings.channel_addresses.get(delivery.channel)
            if address is None:
                raise DeliveryFailed(f"ECG_CHANNELS names no channel {delivery.channel}.", "Add it, or mend the rules.")
            send(delivery, address, _documents(settings, delivery))
        except DeliveryFailed as error:
            counts["failed"] += 1
            log.warning("delivery failed", delivery=delivery.delivery_id, attempts=delivery.attempts, reason=str(error))
            with engine.begin() as connection:
                outbox.mark_failed(connection, delivery.delivery_id, str(error), settings.delivery_attempts)
        else:
            counts["sent"] += 1
            log.info("delivered", delivery=delivery.delivery_id, channel=delivery.channel, kind=delivery.kind)
            with engine.begin() as connection:
                outbox.mark_sent(connection, delivery.delivery_id)


def _documents(settings: Settings, delivery: Delivery) -> Documents | None:
    if delivery.kind != RESULT or delivery.reading_id is None:
        return None
    from ecg_core.messages.documents import Documents

    return Documents(settings, delivery.reading_id)


def escalate(settings: Settings) -> int:
    """Pass on what nobody acknowledged within ``ECG_ESCALATE_AFTER_S``, each once; how many."""
    passed_on = 0
    with store_engine(settings).begin() as connection:
        for kind in ESCALATED_KINDS:
            for message_id, site in outbox.unacknowledged(connection, kind, settings.escalate_after_s):
                channels = channels_for(settings, kind, site, escalated=True)
                outbox.escalate(connection, message_id, channels)
                log.warning("passed on", message=message_id, kind=kind, channels=channels)
                passed_on += 1
    return passed_on


def acknowledge(settings: Settings, message_id: int, by: str) -> bool:
    """Note that a person has seen a message; False where another had before.

    Raises
    ------
    StoreError
        There is no such message.
    """
    with acting_for(settings, by) as connection:
        return outbox.acknowledge(connection, message_id, by)


def list_messages(settings: Settings, *, open_only: bool = True) -> list[Told]:
    """List messages, the newest first, with what became of their deliveries."""
    with store_engine(settings).connect() as connection:
        return outbox.messages(connection, open_only=open_only)


def revive(settings: Settings, message_id: int | None = None) -> int:
    """Let what was given up be tried again, after its cause was mended; how many deliveries."""
    with store_engine(settings).begin() as connection:
        return outbox.revive(connection, message_id)


def try_channels(settings: Settings) -> dict[str, str | None]:
    """Send a message through each channel at once, past the outbox; by channel, why it did not take it."""
    now = datetime.now(UTC)
    words = "A test of the channel. Nothing happened."
    results: dict[str, str | None] = {}
    for channel, address in settings.channel_addresses.items():
        try:
            send(Delivery(0, 0, channel, 1, "test", "info", "ECG: a test", words, None, now, 1), address)
            results[channel] = None
        except DeliveryFailed as error:
            results[channel] = str(error)
    return results


def give_sign(settings: Settings, part: str) -> None:
    """Note that a part of the platform lives; over a connection of its own, which no fork inherits."""
    from ecg_core.store import open_engine

    engine = open_engine(str(settings.database_url), "ecg_writer")
    try:
        with engine.begin() as connection:
            outbox.give_sign(connection, part)
    finally:
        engine.dispose()
