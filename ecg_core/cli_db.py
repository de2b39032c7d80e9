"""Commands around the results database: checks, documentation, ways out, made-up data, benchmark."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from pydantic import PostgresDsn
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ecg_core.settings import Settings, load_settings

benchmark = typer.Typer(help="Measure; the figures of the README, each by one command.", no_args_is_help=True)
console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def _with_database() -> Settings:
    from ecg_core.stack import ensure_postgres

    settings = load_settings()
    return settings.model_copy(update={"database_url": PostgresDsn(ensure_postgres(settings))})


def add_commands(app: typer.Typer, db: typer.Typer) -> None:
    """Hang these commands into the command `ecg` and its group `db`."""
    app.add_typer(benchmark, name="benchmark")


def fill(n_beats: int, into: str) -> str:
    """Fill a made-up database beside the results database; its address."""
    from ecg_core.pipeline import mart_benchmark

    address = mart_benchmark.made_up_database(str(_with_database().database_url), into)
    columns = (TextColumn("beats"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f}"))
    with Progress(*columns, TimeRemainingColumn(), console=stderr) as progress:
        task = progress.add_task("", total=n_beats)
        there = mart_benchmark.fill_to(address, n_beats, lambda beats: progress.update(task, completed=beats))
    stderr.print(f"The database {into} holds {there:,} made-up beats.")
    return address


@benchmark.command("mart")
def benchmark_mart(
    beats: Annotated[int, typer.Option(min=10_000, help="fill the made-up database up to so many beats")] = 50_000_000,
    into: Annotated[
        str, typer.Option(help="name of the made-up database, beside the results database")
    ] = "ecg_made_up",
    keep: Annotated[bool, typer.Option(help="keep the made-up database; it is large")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON; else times and plans")] = False,
) -> None:
    """Time every question of the mart on a database of made-up beats, and COPY with and without readers."""
    from ecg_core.pipeline import mart_benchmark

    address = fill(beats, into)
    try:
        figures = mart_benchmark.measure_mart(
            address, lambda name, timed: stderr.print(f"{name:40}{timed.grain:12}{timed.seconds:8.3f} s")
        )
    finally:
        if not keep:
            mart_benchmark.drop_made_up_database(str(_with_database().database_url), into)
    if as_json:
        sys.stdout.write(json.dumps(figures.as_json()) + "\n")
        return
    console.print(mart_benchmark.plans_text(figures), markup=False, soft_wrap=True)
    for name, value in figures.as_json().items():
        if name != "queries":
            console.print(f"{name:40}{value:>16,}", markup=False)
