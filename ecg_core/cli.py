"""The command `ecg`."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from pydantic import PostgresDsn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecg_core import cli_db, cli_explain, cli_measure, cli_models, cli_report, cli_throughput, cli_waves
from ecg_core.errors import EcgError, RecordingError, SettingsError
from ecg_core.settings import Settings, load_settings

if TYPE_CHECKING:
    from ecg_core.stack import StackInfo

app = typer.Typer(
    help="ECG batch scoring with explanations. For research use, not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The results database.", no_args_is_help=True)
app.add_typer(db, name="db")
cli_db.add_commands(app, db)
cli_db.benchmark.command("report")(cli_report.benchmark_report)
cli_db.benchmark.command("explanations")(cli_explain.benchmark_explanations)
cli_db.benchmark.command("throughput")(cli_throughput.benchmark_throughput)
cli_db.benchmark.command("waves")(cli_waves.benchmark_waves)
cli_db.benchmark.command("qrs")(cli_measure.benchmark_qrs)
cli_db.benchmark.command("families")(cli_measure.benchmark_families)
app.add_typer(cli_measure.evaluate, name="evaluate")
app.command()(cli_measure.qrs)
cli_db.benchmark.command("fibrillation")(cli_models.benchmark_fibrillation)
app.add_typer(cli_models.models, name="models")
app.command()(cli_measure.tune)
app.command()(cli_report.report)
app.command()(cli_report.corrections)
console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def main() -> None:
    """Run the command; an error of ours is one plain sentence and exit code 1, not a traceback."""
    # A descriptor of its own: our warnings are read even where native code is told to be quiet.
    ours = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(_lowest_level()),
        logger_factory=structlog.PrintLoggerFactory(ours),
    )
    try:
        app()
    except EcgError as error:
        stderr.print(f"{error.code}: {error}", style="red", markup=False, soft_wrap=True)
        raise SystemExit(1) from None


def _lowest_level() -> int:
    """Level of `ECG_LOG_LEVEL`; settings that do not fit are named by the command that needs them."""
    try:
        name = load_settings().log_level
    except SettingsError:
        name = None
    return logging.getLevelNamesMapping()[name or "WARNING"]


def _with_database() -> Settings:
    """Return the settings with a database that answers, starting the embedded one where none is set."""
    from ecg_core.stack import ensure_postgres

    settings = load_settings()
    return settings.model_copy(update={"database_url": PostgresDsn(ensure_postgres(settings))})


def _start() -> tuple[Settings, StackInfo]:
    from ecg_core.pipeline.database import prepare_database
    from ecg_core.stack import up as start_stack

    settings = _with_database()
    prepare_database(settings)
    with console.status("Starting Airflow (about 20 s)…"):
        return settings, start_stack(load_settings())


@app.command()
def up() -> None:
    """Start the stack: Postgres and Airflow. Harmless where it runs already."""
    _, stack = _start()
    _print_stack(stack)


def _print_stack(stack: StackInfo) -> None:
    console.print(f"Airflow   {stack.url}   user {stack.user}   password {stack.password}", soft_wrap=True)
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


@app.command()
def demo() -> None:
    """Start the stack, let eight files arrive, and let Airflow score them; the reports are there afterwards."""
    from ecg_core.demo import run_demo

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


@app.command()
def fetch(
    database: Annotated[str, typer.Argument(help="mitdb, qtdb, svdb, incartdb, nstdb, ptb-xl or challenge-2017")],
) -> None:
    """Bring a PhysioNet database; what is here already and right is not fetched again."""
    from ecg_core.datasets import physionet

    settings = load_settings()
    columns = (TextColumn(database), BarColumn(), MofNCompleteColumn(), TextColumn("files, {task.fields[mb]:.1f} MB"))
    with Progress(*columns, TimeRemainingColumn(), console=stderr) as progress:
        task = progress.add_task(database, total=None, mb=0.0)

        def show(now: physionet.Progress) -> None:
            progress.update(task, completed=now.files_done, total=now.files_total, mb=now.bytes_done / 1e6)

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
    from ecg_core.pipeline.preload import SCORING_MODULES, preload, quiet

    with console.status("Loading the model…") if not as_json else nullcontext():
        preload(SCORING_MODULES)
    from ecg_core.models import SHIPPED_VERSION, load_model
    from ecg_core.pipeline.files import score_file

    settings = load_settings()
    loaded = load_model(model or SHIPPED_VERSION, settings.models_dir)
    failures = 0
    results = []
    for file in files:
        try:
            with quiet():
                outcome = score_file(file, loaded, settings, None if as_json else out)
        except RecordingError as error:
            failures += 1
            stderr.print(f"{file}: set aside ({error.code}). {error}", soft_wrap=True, markup=False)
            continue
        results.append(outcome.json)
        if not as_json:
            console.print(f"{file}: {outcome.told} → {outcome.report}", soft_wrap=True, markup=False)
    if as_json:
        sys.stdout.write(json.dumps(results[0] if len(files) == len(results) == 1 else results) + "\n")
    if failures:
        raise typer.Exit(1)


@app.command()
def synth(
    folder: Annotated[Path | None, typer.Argument(help="where the WFDB files go")] = None,
    database: Annotated[bool, typer.Option("--database", help="fill a database with made-up beats instead")] = False,
    beats: Annotated[int, typer.Option(min=1, help="with --database: so many beats")] = 1_000_000,
    into: Annotated[str, typer.Option(help="with --database: its name, beside the results database")] = "ecg_made_up",
    name: Annotated[str, typer.Option(help="record name")] = "generated",
    duration_s: Annotated[float, typer.Option(min=5)] = 60.0,
    sampling_rate_hz: Annotated[int, typer.Option(min=100, max=2000)] = 360,
    leads: Annotated[int, typer.Option(min=1, max=12)] = 2,
    heart_rate_bpm: Annotated[float, typer.Option(min=25, max=220)] = 70.0,
    pvc_per_minute: Annotated[float, typer.Option(min=0)] = 0.0,
    sveb_per_minute: Annotated[float, typer.Option(min=0)] = 0.0,
    af: Annotated[bool, typer.Option("--af", help="atrial fibrillation")] = False,
    noise_mv: Annotated[float, typer.Option(min=0, help="standard deviation of the added noise")] = 0.02,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 0,
) -> None:
    """Make a recording with annotations by a formula (McSharry's model); it says that it is synthetic."""
    if database:
        cli_db.fill(beats, into)
        return
    if folder is None:
        raise typer.BadParameter("name the folder where the WFDB files go, or --database", param_hint="FOLDER")
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


@app.command()
def retry(
    code: Annotated[str | None, typer.Option(help="only what was set aside with this code")] = None,
    recording: Annotated[str | None, typer.Option(help="only recordings whose id starts so")] = None,
) -> None:
    """Let what was set aside be scored again by the next run, after its cause was mended."""
    from ecg_core.pipeline.inbox import wait_again

    console.print(f"{wait_again(_with_database(), code, recording)} recordings wait to be scored again.")


@db.command("url")
def db_url() -> None:
    """Print the address of the results database, for psql and notebooks; it holds the password."""
    sys.stdout.write(str(_with_database().database_url).replace("postgresql+psycopg2:", "postgresql:") + "\n")


@db.command("migrate")
def db_migrate() -> None:
    """Bring the schema up to date; on a fresh database the shipped model becomes the champion."""
    from ecg_core.pipeline.database import prepare_database

    settings = _with_database()
    applied = prepare_database(settings)
    console.print("\n".join(applied) if applied else "The schema is up to date.")
    cli_db.tell_role_gap(settings)


@app.command("settings")
def show_settings() -> None:
    """Show every setting: its name, its value, and what it is for."""
    settings = load_settings()
    table = Table("setting", "value", "what it is for", box=None)
    for name, field in Settings.model_fields.items():
        value = "(set)" if name == "database_url" and settings.database_url else str(getattr(settings, name))
        table.add_row(f"ECG_{name}".upper(), value, field.description)
    console.print(table)


if __name__ == "__main__":
    main()
