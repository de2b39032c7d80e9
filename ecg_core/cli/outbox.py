"""Commands around what people and systems are told."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.table import Table

from ecg_core.cli.common import console
from ecg_core.stack import with_database

outbox = typer.Typer(help="What people and systems are told: alerts, notices, deliveries.", no_args_is_help=True)


@outbox.command("list")
def list_messages(
    everything: Annotated[bool, typer.Option("--all", help="what ended or was acknowledged as well")] = False,
) -> None:
    """List messages, the newest first, with what became of their deliveries."""
    from ecg_core.messages import outbox as use

    table = Table("message", "raised", "severity", "subject", "sent", "waiting", "given up", "acknowledged", box=None)
    for told in use.list_messages(with_database(), open_only=not everything):
        table.add_row(
            str(told.message_id),
            f"{told.created_at:%Y-%m-%d %H:%M} × {told.n_raised}",
            told.severity,
            told.subject,
            *map(str, (told.sent, told.waiting, told.dead)),
            told.acknowledged_by or ("ended" if told.ended_at else ""),
        )
        if told.error:
            table.add_row("", "", "", f"[yellow]{told.error}[/]")
    console.print(table)


@outbox.command("ack")
def acknowledge(
    message: Annotated[int, typer.Argument(help="number of the message")],
    by: Annotated[str | None, typer.Option(help="who has seen it; you where left out")] = None,
) -> None:
    """Say that a message was seen: it is not sent again, nor passed on."""
    from ecg_core.messages import outbox as use

    first = use.acknowledge(with_database(), message, by or getpass.getuser())
    console.print("Acknowledged." if first else "Somebody had acknowledged it before.")


@outbox.command("retry")
def retry(
    message: Annotated[int | None, typer.Argument(help="number of the message; all where left out")] = None,
) -> None:
    """Try again what was given up, after its cause was mended."""
    from ecg_core.messages import outbox as use

    console.print(f"{use.revive(with_database(), message)} deliveries are tried again.")


@outbox.command("test")
def test() -> None:
    """Send a message through every channel, and say of each whether it took it."""
    from ecg_core.messages import outbox as use

    failed = False
    for channel, error in use.try_channels(with_database()).items():
        failed = failed or error is not None
        console.print(f"{channel}: {error or 'sent'}", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
