"""The commands that measure: `ecg evaluate beats`, `ecg benchmark qrs`; and `ecg qrs`, R peaks alone."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from ecg_core.settings import load_settings

evaluate = typer.Typer(help="How good a model version is on patients it was not trained on.", no_args_is_help=True)
console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


@evaluate.command("beats")
def evaluate_beats(
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    split: Annotated[
        Literal["ds2", "deciding"], typer.Option(help="the test patients, a look that is logged; or the deciding ones")
    ] = "deciding",
    beats: Annotated[
        Literal["reference", "detected"], typer.Option(help="where annotators found beats, or where the detector does")
    ] = "detected",
    mapping: Annotated[Literal["A", "B"], typer.Option(help="e and j beats count as N (A) or as S (B, EC57)")] = "A",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON with all figures")] = False,
) -> None:
    """Classify every beat of a split, from the signals, and compare with the annotations."""
    from ecg_core.models import SHIPPED_VERSION
    from ecg_core.pipeline.evaluating import evaluate_beats as run

    figures = run(load_settings(), model or SHIPPED_VERSION, split, beats, mapping)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    _print_figures(figures)


def _print_figures(figures: dict[str, Any]) -> None:
    console.print(f"{figures['model']} on {figures['split']}, {figures['beats']} beats, mapping {figures['mapping']}")
    intervals = figures["intervals"].get("classes", {})
    table = Table("class", "beats", "sensitivity", "precision", "F1", "95 % of patients", "mean of patients", box=None)
    for name, of_class in figures["classes"].items():
        rates = (_percent(of_class[rate]) for rate in ("sensitivity", "precision", "f1"))
        interval = " to ".join(_percent(limit) for limit in intervals.get(name, {}).get("f1") or ())
        table.add_row(name, f"{of_class['n']:,}", *rates, interval, _percent(figures["patients"][name]["mean_f1"]))
    console.print(table)
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
    if "without_232" in figures:
        console.print(f"{'S F1 without 232':24}{_percent(figures['without_232']['classes']['S']['f1'])}")
    console.print(
        f"{figures['n_beats']:,} beats of {figures['n_patients']} patients; {figures['n_missed']} not detected, "
        f"{figures['n_extra']} detected that nobody annotated. Looks at DS2 so far: {figures['looks']}."
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
