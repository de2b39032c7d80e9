"""Commands around model versions, and the benchmark of the rhythm."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import PostgresDsn
from rich.console import Console
from rich.table import Table

from ecg_core.settings import Settings, load_settings

models = typer.Typer(help="Model versions: which scores, which did, and why.", no_args_is_help=True)
console = Console(highlight=False)


def _with_database() -> Settings:
    from ecg_core.stack import ensure_postgres

    settings = load_settings()
    return settings.model_copy(update={"database_url": PostgresDsn(ensure_postgres(settings))})


@models.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the versions: champion, challenger (judged last, not promoted) and archived ones."""
    from ecg_core.pipeline.versions import known_versions

    versions = known_versions(_with_database())
    if as_json:
        sys.stdout.write(json.dumps([asdict(version) for version in versions], default=str) + "\n")
        return
    table = Table("version", "state", "trained", "decided", "why", box=None)
    for version in versions:
        decided = version.decided_at.isoformat(" ", "minutes") if version.decided_at else ""
        trained = version.created_at.isoformat(" ", "minutes")
        table.add_row(version.model_version, version.state, trained, decided, version.reason or "")
    console.print(table)


@models.command("show")
def show_model(
    version: Annotated[str, typer.Argument(help="name of the version")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show a version: what it was trained on, its figures and limits, and every decision about it."""
    from ecg_core.models import load_model
    from ecg_core.pipeline.versions import decisions_about

    settings = _with_database()
    facts = load_model(version, settings.models_dir).facts
    decisions = decisions_about(settings, version)
    if as_json:
        document = {**asdict(facts), "decisions": [asdict(decision) for decision in decisions]}
        sys.stdout.write(json.dumps(document, default=str) + "\n")
        return
    console.print(f"{facts.version}, family {facts.family}, trained {facts.created_at.isoformat(' ', 'minutes')}")
    for title, lines in (("Trained on", facts.training_data), ("Limits", facts.limits)):
        console.print(title, style="bold")
        console.print("\n".join(lines), soft_wrap=True, markup=False)
    console.print("Figures", style="bold")
    for name, value in facts.figures.items():
        if ".calibration." not in name:
            console.print(f"{name:48}{value:>12.4f}", markup=False)
    console.print("Decisions", style="bold")
    for decision in decisions:
        when = decision.decided_at.isoformat(" ", "minutes")
        console.print(f"{when}  {decision.verdict}. {decision.reason}", soft_wrap=True, markup=False)


@models.command("promote")
def promote_model(
    version: Annotated[str, typer.Argument(help="name of the version")],
    reason: Annotated[str, typer.Option(help="why, for those who ask later")] = "Promoted by hand.",
) -> None:
    """Let a version score from the next chunk on, without a comparison."""
    from ecg_core.pipeline.versions import promote_version

    promote_version(_with_database(), version, reason)
    console.print(f"{version} scores from the next chunk on.", soft_wrap=True, markup=False)


@models.command("rollback")
def roll_back_model(
    reason: Annotated[str, typer.Option(help="why, for those who ask later")] = "Rolled back by hand.",
) -> None:
    """Let the version that scored before the champion score again, from the next chunk on."""
    from ecg_core.pipeline.versions import roll_back

    version = roll_back(_with_database(), reason)
    console.print(f"{version} scores again, from the next chunk on.", soft_wrap=True, markup=False)


def benchmark_fibrillation(
    ds2: Annotated[bool, typer.Option("--ds2", help="look at the test records too; the look is logged")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Measure how well atrial fibrillation is told: the Challenge of 2017 on folds, MIT-BIH's rhythm annotations."""
    from ecg_core.pipeline.fibrillation import measure_fibrillation

    figures = measure_fibrillation(load_settings(), ds2)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    folds = figures["challenge_2017"]
    table = Table("rhythm", "recordings", "sensitivity", "precision", "F1", box=None)
    for name in ("N", "A", "O", "~"):
        of = folds[name]
        table.add_row(name, str(of["n"]), *(f"{of[rate]:.3f}" for rate in ("sensitivity", "precision", "f1")))
    console.print(table)
    console.print(f"Challenge's measure (mean F1 of N, A and O): {folds['overall']:.3f}")
    for name in ("mitdb", "ds2"):
        if name in figures:
            of = figures[name]
            rates = ", ".join(f"{rate} {of[rate]:.3f}" for rate in ("sensitivity", "specificity", "precision", "f1"))
            console.print(f"{name} by 30 s: {rates}", soft_wrap=True)
