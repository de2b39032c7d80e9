"""Commands that start, stop and show the stack."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from ecg_core.cli.common import console
from ecg_core.settings import Settings, load_settings
from ecg_core.stack import with_database

if TYPE_CHECKING:
    from ecg_core.stack import StackInfo

commands = typer.Typer()


def _start() -> tuple[Settings, StackInfo]:
    from ecg_core.pipeline.versions import prepare_database
    from ecg_core.stack import up as start_stack

    settings = with_database()
    prepare_database(settings)
    with console.status("Starting Airflow (about 20 s)…"):
        return settings, start_stack(load_settings())


@commands.command()
def up() -> None:
    """Start the stack: Postgres and Airflow. Harmless where it runs already."""
    _, stack = _start()
    _print_stack(stack)


def _print_stack(stack: StackInfo) -> None:
    from sqlalchemy import make_url

    console.print(f"Airflow   {stack.url}   user {stack.user}   password {stack.password}", soft_wrap=True)
    # Without its password: what is printed ends up in logs.
    console.print(f"Postgres  {make_url(stack.database_url)}   (`ecg db psql` opens it)", soft_wrap=True, markup=False)
    with stack.api() as api:
        for dag_id, when in api.next_runs().items():
            needs = _NEEDS.get(dag_id, "")
            console.print(f"Next      {when:%Y-%m-%d %H:%M} UTC  {dag_id}  {needs}", soft_wrap=True, markup=False)


_NEEDS = {
    "ecg_retrain_nightly": "trains for 1 to 4 h, one core and up to 6 GB at a time (setting ECG_RETRAIN_SCHEDULE)",
    "ecg_maintenance": "minutes",
}


@commands.command()
def down() -> None:
    """Stop the stack; nothing of it runs afterwards."""
    from ecg_core.stack import down as stop

    with console.status("Stopping…"):
        stop(load_settings())
    console.print("Nothing runs any more; the data stay.")


@commands.command()
def status() -> None:
    """Show what runs, since when, and where."""
    from ecg_core.stack import status as look

    table = Table("part", "", "pid", "port", "since", "", box=None)
    for part in look(load_settings()):
        since = datetime.fromtimestamp(part.since).isoformat(" ", "seconds") if part.since else ""
        table.add_row(
            part.name,
            "[green]runs[/]" if part.running else "[yellow]does not run[/]",
            str(part.pid or ""),
            str(part.port or ""),
            since,
            part.note,
        )
    console.print(table)


@commands.command()
def demo() -> None:
    """Start the stack, let eight files arrive, and let Airflow score them; the reports are there afterwards."""
    from ecg_core.cli.demo import run_demo

    settings, stack = _start()
    arrivals = run_demo(settings, stack, lambda line: console.print(line, soft_wrap=True, markup=False))
    for arrival in arrivals:
        console.print(f"\n{arrival.file}: {arrival.outcome}", style="bold", soft_wrap=True, markup=False)
        for line in arrival.details():
            console.print(f"  {line}", soft_wrap=True, markup=False)
    console.print(f"\nAll of it as JSON: {settings.home / 'demo.json'}", soft_wrap=True)
    console.print("The stack stays up; `make down` stops it.")
    _print_stack(stack)
    console.print("For research use, not for diagnosis.")


@commands.command("receive-dicom")
def receive_dicom() -> None:
    """Take what devices and archives send by DICOM (C-STORE) into the inbox, until it is stopped."""
    import signal
    from threading import Event

    from ecg_core.arrivals.receiving import receive_dicom as receive

    settings, stop = load_settings(), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    console.print(f"{settings.dicom_ae_title} at {settings.dicom_address}, into the inbox", markup=False)
    receive(settings, stop)


@commands.command()
def watch() -> None:
    """Look after the platform until it is stopped: alerts, messages, metrics, health. `ecg up` starts it by itself."""
    import signal
    from threading import Event, Thread

    from ecg_core.operations.otel_metrics import send_metrics
    from ecg_core.operations.watch import serve
    from ecg_core.operations.watch import watch as look_after
    from ecg_core.stack.keeping import keep, of_the_stack

    settings, stop = with_database(), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if (own := of_the_stack(settings)) is not None:
        Thread(target=keep, args=(own, stop), daemon=True).start()
    host, port = (server := serve(settings)).server_address[:2]
    console.print(f"http://{host!s}:{port}/metrics and /health", markup=False)
    sending = send_metrics(settings)
    look_after(settings, stop)
    if sending is not None:
        sending.shutdown()
    server.shutdown()
