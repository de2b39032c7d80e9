"""The command `ecg`."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import structlog
import typer
from rich.table import Table

from ecg_core.cli import care, db, models, outbox, patients, reports, score, stack
from ecg_core.cli.common import console, stderr
from ecg_core.errors import EcgError, SettingsError
from ecg_core.files import as_machine_error, is_about_the_disk
from ecg_core.settings import Settings, load_settings

app = typer.Typer(
    help="ECG batch scoring with explanations. For research use, not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(db.db, name="db")
app.add_typer(models.models, name="models")
app.add_typer(outbox.outbox, name="outbox")
app.add_typer(patients.patients, name="patients")
app.add_typer(patients.pseudonyms, name="pseudonyms")
app.add_typer(models.evaluate, name="evaluate")
# Commands without a group: those of each module stand beside one another.
for _module in (stack, score, reports, db, models, care, patients):
    app.add_typer(_module.commands)


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
        _end_with(error)
    except OSError as error:
        if not is_about_the_disk(error):
            raise
        _end_with(as_machine_error(error, f"{error.filename or 'what was to be written'}"))


def _end_with(error: EcgError) -> NoReturn:
    stderr.print(f"{error.code}: {error}", style="red", markup=False, soft_wrap=True)
    raise SystemExit(1) from None


def _lowest_level() -> int:
    """Level of `ECG_LOG_LEVEL`; settings that do not fit are named by the command that needs them."""
    try:
        name = load_settings().log_level
    except SettingsError:
        name = None
    return logging.getLevelNamesMapping()[name or "WARNING"]


@app.command(
    "benchmark",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def benchmark(context: typer.Context) -> None:
    """Measure: the figures of the README, each by one command (`ecg benchmark --help`)."""
    try:
        from benchmarks.cli import app as benchmarks
    except ModuleNotFoundError:
        raise SettingsError(
            "The benchmarks are not installed here.", "They stand in the project's repository: run it from a checkout."
        ) from None
    benchmarks(args=context.args, prog_name="ecg benchmark")


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
