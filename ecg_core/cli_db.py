"""Commands around the results database: checks, documentation, ways out, made-up data, benchmark."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

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
    app.command("export")(export)
    db.command("check")(db_check)
    db.command("docs")(db_docs)


def tell_role_gap(settings: Settings) -> None:
    """Say which roles are missing and what mends it, where this user may not make them."""
    from ecg_core.pipeline.database import owner_engine
    from ecg_core.store.install import role_gap

    with owner_engine(settings).connect() as connection:
        if gap := role_gap(connection):
            console.print(gap, markup=False, soft_wrap=True)


def export(
    recording: Annotated[
        str | None, typer.Argument(help="start of a recording's id, for fhir and wfdb; left out: the whole mart")
    ] = None,
    as_: Annotated[
        Literal["parquet", "fhir", "wfdb"] | None, typer.Option("--as", help="fhir where a recording is named")
    ] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="first day of arrival, UTC")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day after the last one")] = None,
    out: Annotated[Path, typer.Option(help="folder of the files")] = Path("ecg-export"),
    model: Annotated[str | None, typer.Option(help="model version, for fhir and wfdb; else the newest scores")] = None,
) -> None:
    """Write the mart of a period as Parquet; or one recording's result as FHIR R4, or its beats as WFDB annotations."""
    from ecg_core.pipeline import ways_out

    wanted = as_ or ("fhir" if recording else "parquet")
    if (wanted == "parquet") == (recording is not None):
        raise typer.BadParameter("name a recording for fhir and wfdb, and none for parquet", param_hint="RECORDING")
    settings = _with_database()
    if recording is not None:
        write = ways_out.export_fhir if wanted == "fhir" else ways_out.export_annotations
        console.print(str(write(settings, recording, out, model)), soft_wrap=True, markup=False)
        return
    first = since.date() if since else date(1970, 1, 1)
    after = until.date() if until else datetime.now(UTC).date() + timedelta(days=1)
    for view, n_rows in ways_out.export_mart(settings, out, first, after).items():
        console.print(f"{out / view}.parquet  {n_rows:,} rows", soft_wrap=True, markup=False)


def db_check() -> None:
    """Compare the database with what the code expects, and name each difference."""
    from ecg_core.pipeline.database import owner_engine
    from ecg_core.store import catalog

    with owner_engine(_with_database()).connect() as connection:
        found = catalog.differences(connection)
    for difference in found:
        console.print(difference, markup=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)
    console.print("The database is what the code expects.")


def db_docs() -> None:
    """Write the data dictionary (sql/README.md) and the expected schema from the comments of a migrated database."""
    from ecg_core.pipeline.database import owner_engine
    from ecg_core.store import catalog, dictionary

    with owner_engine(_with_database()).connect() as connection:
        catalog.SCHEMA_FILE.write_text(catalog.describe(connection).as_json(), "utf-8")
        dictionary.DICTIONARY_FILE.write_text(dictionary.dictionary(connection), "utf-8")
    console.print(f"{dictionary.DICTIONARY_FILE}\n{catalog.SCHEMA_FILE}", soft_wrap=True)


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
