"""Raising messages, and letting time pass."""

from sqlalchemy import text

from ecg_core.messages import outbox
from ecg_core.messages.outbox import Message
from ecg_core.settings import Settings
from ecg_core.store.database import owner_engine, store_engine


def tell(settings: Settings, kind: str = "run_failed", **facts: object) -> int | None:
    """Raise a message; its number."""
    message = Message(kind, "ECG: something failed", "It did.\nMend it — ✓.", **facts)
    with store_engine(settings).begin() as connection:
        return outbox.tell(connection, settings, message)


def now_due(settings: Settings) -> None:
    """Let the pause before the next attempt be over."""
    with owner_engine(settings).begin() as connection:
        connection.execute(text("UPDATE ecg.outbox_delivery SET due_at = now() WHERE state = 'waiting'"))


def earlier(settings: Settings, seconds: float) -> None:
    """Let all that happened have happened so much earlier."""
    with owner_engine(settings).begin() as connection:
        for table, columns in (
            ("outbox_message", ("created_at", "raised_at", "acknowledged_at")),
            ("outbox_delivery", ("sent_at", "due_at")),
            ("sign_of_life", ("seen_at",)),
        ):
            moved = ", ".join(f"{column} = {column} - interval '{seconds} s'" for column in columns)
            connection.execute(text(f"UPDATE ecg.{table} SET {moved}"))
