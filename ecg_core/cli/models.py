"""Commands around model versions: which scores, which did and why, how good one is, and the search for better ones."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from ecg_core.cli.common import console, percent, stderr
from ecg_core.settings import load_settings
from ecg_core.stack import with_database

commands = typer.Typer()
models = typer.Typer(help="Model versions: which scores, which did, and why.", no_args_is_help=True)
evaluate = typer.Typer(help="How good a model version is on patients it was not trained on.", no_args_is_help=True)


@models.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the versions by task: champion, challenger (judged last, not promoted) and archived ones."""
    from ecg_core.pipeline.versions import known_versions

    versions = known_versions(with_database())
    if as_json:
        sys.stdout.write(json.dumps([asdict(version) for version in versions], default=str) + "\n")
        return
    table = Table("task", "version", "state", "trained", "decided", "why", box=None)
    for version in versions:
        decided = version.decided_at.isoformat(" ", "minutes") if version.decided_at else ""
        trained = version.created_at.isoformat(" ", "minutes")
        table.add_row(version.task, version.model_version, version.state, trained, decided, version.reason or "")
    console.print(table)


@models.command("show")
def show_model(
    version: Annotated[str, typer.Argument(help="name of the version")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show a version: what it was trained on, its figures and limits, and every decision about it."""
    from ecg_core.models import load_version, with_version
    from ecg_core.pipeline.versions import decisions_about

    settings = with_database()
    facts = load_version(version, with_version(settings, version)).facts
    decisions = decisions_about(settings, version)
    if as_json:
        document = {**asdict(facts), "decisions": [asdict(decision) for decision in decisions]}
        sys.stdout.write(json.dumps(document, default=str) + "\n")
        return
    trained = facts.created_at.isoformat(" ", "minutes")
    console.print(f"{facts.version}, task {facts.task}, family {facts.family}, trained {trained}")
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


@models.command("card")
def show_card(version: Annotated[str, typer.Argument(help="name of the version")]) -> None:
    """Print the card of a version, in Markdown: training data, figures with intervals, confusion, limits, decisions."""
    from ecg_core.readers.model_card import as_markdown, model_card

    sys.stdout.write(as_markdown(model_card(with_database(), version)))


@models.command("promote")
def promote_model(
    version: Annotated[str, typer.Argument(help="name of the version")],
    reason: Annotated[str, typer.Option(help="why, for those who ask later")] = "Promoted by hand.",
) -> None:
    """Let a version answer its task from the next chunk on, without a comparison."""
    from ecg_core.pipeline.versions import promote_version

    promote_version(with_database(), version, reason)
    console.print(f"{version} scores from the next chunk on.", soft_wrap=True, markup=False)


@models.command("rollback")
def roll_back_model(
    reason: Annotated[str, typer.Option(help="why, for those who ask later")] = "Rolled back by hand.",
    task: Annotated[str, typer.Option(help="whose champion is taken back")] = "beats",
) -> None:
    """Let the version that answered a task before its champion answer it again, from the next chunk on."""
    from ecg_core.pipeline.versions import roll_back

    version = roll_back(with_database(), reason, task)
    console.print(f"{version} scores again, from the next chunk on.", soft_wrap=True, markup=False)


@evaluate.command("beats")
def evaluate_beats(
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    split: Annotated[
        Literal["ds2", "deciding", "svdb-test", "svdb-deciding"],
        typer.Option(help="MIT-BIH's or svdb's test patients, a look that is logged; or those that decide a promotion"),
    ] = "deciding",
    beats: Annotated[
        Literal["reference", "detected"], typer.Option(help="where annotators found beats, or where the detector does")
    ] = "detected",
    mapping: Annotated[Literal["A", "B"], typer.Option(help="e and j beats count as N (A) or as S (B, EC57)")] = "A",
    seeds: Annotated[
        bool, typer.Option("--seeds", help="and the mean with two more, trained alike from other seeds (minutes)")
    ] = False,
    noise: Annotated[bool, typer.Option("--noise", help="with electrode motion and muscle noise added")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON with all figures")] = False,
) -> None:
    """Classify every beat of a split, from the signals, and compare with the annotations."""
    from ecg_core.models import SHIPPED_VERSION
    from ecg_core.pipeline.evaluating import evaluate_beats as run

    figures = run(load_settings(), model or SHIPPED_VERSION, split, beats, mapping, seeds=seeds, noise=noise)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    _print_figures(figures)


def _print_figures(figures: dict[str, Any]) -> None:
    noise = ", noise added" if figures["noise"] else ""
    what = f"{figures['beats']} beats, mapping {figures['mapping']}{noise}"
    console.print(f"{figures['model']} on {figures['split']}, {what}")
    intervals = figures["intervals"].get("classes", {})
    table = Table("class", "beats", "sensitivity", "precision", "F1", "95 % of patients", "mean of patients", box=None)
    sets = Table("prediction sets", "hold the class", "hold others too", box=None)
    for name, of_class in figures["classes"].items():
        rates = (percent(of_class[rate]) for rate in ("sensitivity", "precision", "f1"))
        interval = " to ".join(percent(limit) for limit in intervals.get(name, {}).get("f1") or ())
        table.add_row(name, f"{of_class['n']:,}", *rates, interval, percent(figures["patients"][name]["mean_f1"]))
        sets.add_row(name, percent(of_class["coverage"]), percent(figures["set_sizes"]["more_than_one"][name]))
    console.print(table)
    console.print(sets)
    for name in (
        "accuracy",
        "macro_f1_nsv",
        "macro_f1",
        "j_kappa",
        "ece",
        "brier",
        "coverage",
        "worst_patient_coverage",
    ):
        console.print(f"{name:24}{figures[name]:.4f}" if figures[name] is not None else name)
    if figures["set_sizes"]["mean"] is not None:
        console.print(f"{'classes in a set, mean':24}{figures['set_sizes']['mean']:.2f}")
    if "mean_of_seeds" in figures:
        mean = figures["mean_of_seeds"]
        f1 = ", ".join(f"{c} {percent(mean[c]['f1'])}" for c in "NSVF")
        console.print(f"mean of {len(figures['seeds'])} seeds: accuracy {percent(mean['accuracy'])}, F1 of {f1}")
    if "without_232" in figures:
        console.print(f"{'S F1 without 232':24}{percent(figures['without_232']['classes']['S']['f1'])}")
    extra = ", ".join(f"{c} {n}" for c, n in figures["extra_called"].items() if n)
    console.print(
        f"{figures['n_beats']:,} beats of {figures['n_patients']} patients; {figures['n_missed']} not detected, "
        f"{figures['n_extra']} detected that nobody annotated{f' (called {extra})' if extra else ''}. "
        f"Looks at DS2 so far: {figures['looks']}."
    )


@commands.command()
def tune(
    trials: Annotated[int, typer.Option(min=1, help="trials in all, those of earlier searches included")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Search the flagship's settings on folds by patients of the training part; stop it and it goes on later."""
    from dataclasses import asdict

    from ecg_core.pipeline import tuning

    best = tuning.tune(load_settings(), trials, lambda line: stderr.print(line, markup=False, soft_wrap=True))
    if as_json:
        sys.stdout.write(json.dumps(asdict(best)) + "\n")
        return
    console.print(
        f"Best of {best.trials} trials: macro F1 {best.macro_f1:.4f} on training patients held out in turn, by"
    )
    for name, value in best.settings.items():
        console.print(f"ECG_{name.upper()}={value}")
