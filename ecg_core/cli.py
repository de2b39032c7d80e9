"""The command `ecg`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecg_core.errors import EcgError, RecordingError
from ecg_core.settings import Settings, load_settings

app = typer.Typer(
    help="ECG batch scoring with explanations. For research use, not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The results database.", no_args_is_help=True)
app.add_typer(db, name="db")
console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def main() -> None:
    """Run the command; an error of ours is one plain sentence and exit code 1, not a traceback."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stderr.file))
    try:
        app()
    except EcgError as error:
        stderr.print(f"[bold red]{error.code}[/]: ", end="")
        stderr.print(str(error), markup=False)
        raise SystemExit(1) from None


def _with_database() -> Settings:
    """Return the settings with a database that answers, starting the embedded one where none is set."""
    from ecg_core.stack import ensure_postgres

    settings = load_settings()
    return settings.model_copy(update={"database_url": Settings(database_url=ensure_postgres(settings)).database_url})


@app.command()
def up() -> None:
    """Start the stack: Postgres and Airflow. Harmless where it runs already."""
    from ecg_core.pipeline.database import prepare_database
    from ecg_core.stack import up as start

    prepare_database(_with_database())
    with console.status("Starting Airflow (about 20 s)…"):
        stack = start(load_settings())
    console.print(f"Airflow   {stack.url}   user {stack.user}   password {stack.password}")
    console.print(f"Postgres  {stack.database_url}", soft_wrap=True)


@app.command()
def down() -> None:
    """Stop the stack; nothing of it runs afterwards."""
    from ecg_core.stack import down as stop

    with console.status("Stopping…"):
        stop(load_settings())
    console.print("Nothing runs any more; the data stay.")


@app.command()
def status() -> None:
    """Show what runs, since when, and where."""
    from ecg_core.stack import status as look

    table = Table("part", "running", "pid", "address", "since", box=None)
    for part in look(load_settings()):
        table.add_row(*part.as_row())
    console.print(table)


@app.command()
def demo() -> None:
    """Start the stack and score eight arrivals by Airflow; the reports are there afterwards."""
    from ecg_core.demo import run_demo
    from ecg_core.pipeline.database import prepare_database
    from ecg_core.stack import up as start

    settings = _with_database()
    prepare_database(settings)
    console.print("Starting Postgres and Airflow…")
    stack = start(settings)
    arrivals = run_demo(settings, stack, lambda line: console.print(line, soft_wrap=True, markup=False))
    for arrival in arrivals:
        console.print(arrival.as_text(settings), soft_wrap=True, markup=False)
    console.print(f"\nAirflow stays up: {stack.url} (user {stack.user}, password {stack.password}). Stop it: ecg down")
    console.print("For research use, not for diagnosis.")


@app.command()
def fetch(
    database: Annotated[str, typer.Argument(help="mitdb, qtdb, svdb, incartdb, ptb-xl or challenge-2017")],
) -> None:
    """Bring a PhysioNet database; what is here already and right is not fetched again."""
    from ecg_core.datasets import physionet

    settings = load_settings()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr) as progress:
        task = progress.add_task(database, total=None)

        def show(now: physionet.Progress) -> None:
            progress.update(task, completed=now.n_bytes, total=now.total_bytes, description=database)

        fetched = physionet.fetch(database, settings.physionet_base, settings.datasets_dir, on_progress=show)
    console.print(f"{fetched.path}: {fetched.n_files} files, {fetched.n_bytes / 1e6:.1f} MB", soft_wrap=True)
    if fetched.skipped:
        console.print(f"Not on {settings.physionet_base}, skipped: {len(fetched.skipped)} files.", soft_wrap=True)


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="recordings; for WFDB the header (.hea)")],
    out: Annotated[Path, typer.Option(help="folder of the results")] = Path("ecg-results"),
    as_json: Annotated[bool, typer.Option("--json", help="print the results as JSON instead of writing files")] = False,
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
) -> None:
    """Score files without Airflow and Postgres: one JSON and one HTML report each."""
    from ecg_core.models import SHIPPED_VERSION, load_model
    from ecg_core.pipeline.files import score_file

    settings = load_settings()
    loaded = load_model(model or SHIPPED_VERSION, settings.models_dir)
    failures = 0
    results = []
    for file in files:
        try:
            outcome = score_file(file, loaded, settings, None if as_json else out)
        except RecordingError as error:
            failures += 1
            stderr.print(f"{file}: set aside ({error.code}). {error}", soft_wrap=True, markup=False)
            continue
        results.append(outcome.json)
        if not as_json:
            console.print(f"{file}: {outcome.told} → {outcome.report}", soft_wrap=True, markup=False)
    if as_json:
        print(json.dumps(results if len(files) > 1 else (results or [None])[0], indent=1))  # noqa: T201
    if failures:
        raise typer.Exit(1)


@app.command()
def synth(
    folder: Annotated[Path, typer.Argument(help="where the WFDB files go")],
    name: Annotated[str, typer.Option(help="record name")] = "generated",
    duration_s: Annotated[float, typer.Option(min=1)] = 60.0,
    sampling_rate_hz: Annotated[float, typer.Option(min=100, max=1000)] = 360.0,
    leads: Annotated[int, typer.Option(min=1, max=12)] = 2,
    heart_rate_bpm: Annotated[float, typer.Option(min=20, max=250)] = 70.0,
    pvc_per_minute: Annotated[float, typer.Option(min=0)] = 0.0,
    sveb_per_minute: Annotated[float, typer.Option(min=0)] = 0.0,
    af: Annotated[bool, typer.Option("--af", help="atrial fibrillation")] = False,
    noise_mv: Annotated[float, typer.Option(min=0, help="standard deviation of the added noise")] = 0.01,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 0,
) -> None:
    """Make a recording with annotations by a formula (McSharry's model); it says that it is synthetic."""
    from ecg_core.datasets.synth import synthesise, write_wfdb

    made = synthesise(
        duration_s,
        sampling_rate_hz=sampling_rate_hz,
        n_leads=leads,
        heart_rate_bpm=heart_rate_bpm,
        pvc_per_minute=pvc_per_minute,
        sveb_per_minute=sveb_per_minute,
        af=af,
        noise_mv=noise_mv,
        seed=seed,
    )
    console.print(str(write_wfdb(made, folder, name)), soft_wrap=True, markup=False)


@db.command("migrate")
def db_migrate() -> None:
    """Bring the schema up to date; on a fresh database the shipped model becomes the champion."""
    from ecg_core.pipeline.database import prepare_database

    applied = prepare_database(_with_database())
    console.print("\n".join(applied) if applied else "The schema is up to date.")


@app.command("settings")
def show_settings() -> None:
    """Show every setting: its name, its value, and what it is for."""
    settings = load_settings()
    table = Table("setting", "value", "what it is for", box=None)
    for name, field in Settings.model_fields.items():
        table.add_row(f"ECG_{name}".upper(), str(getattr(settings, name)), field.description)
    console.print(table)
