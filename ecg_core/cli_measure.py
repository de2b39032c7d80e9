"""The commands that measure: `ecg evaluate`, `ecg benchmark qrs` and `families`, `ecg tune`; and `ecg qrs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
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
    if "mean_of_seeds" in figures:
        mean = figures["mean_of_seeds"]
        f1 = ", ".join(f"{c} {_percent(mean[c]['f1'])}" for c in "NSVF")
        console.print(f"mean of {len(figures['seeds'])} seeds: accuracy {_percent(mean['accuracy'])}, F1 of {f1}")
    if "without_232" in figures:
        console.print(f"{'S F1 without 232':24}{_percent(figures['without_232']['classes']['S']['f1'])}")
    extra = ", ".join(f"{c} {n}" for c, n in figures["extra_called"].items() if n)
    console.print(
        f"{figures['n_beats']:,} beats of {figures['n_patients']} patients; {figures['n_missed']} not detected, "
        f"{figures['n_extra']} detected that nobody annotated{f' (called {extra})' if extra else ''}. "
        f"Looks at DS2 so far: {figures['looks']}."
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


def qrs(
    file: Annotated[Path, typer.Argument(help="a recording; for WFDB the header (.hea)")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with what the recording is")] = False,
) -> None:
    """Find the R peaks of a file: their sample numbers at its own rate, and their times in seconds."""
    from ecg_core.pipeline.files import detect_in_file

    found = detect_in_file(file, load_settings())
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for sample, seconds in zip(found["r_sample"], found["r_time_s"], strict=True):
        sys.stdout.write(f"{sample}\t{seconds:.4f}\n")


def benchmark_qrs(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    records: Annotated[list[str] | None, typer.Option("--record", help="only these; all 48 where left out")] = None,
) -> None:
    """R peaks of MIT-BIH beside sleepecg, NeuroKit2 and wfdb's xqrs: how many are right, and what it costs."""
    from ecg_core.pipeline.qrs_benchmark import RECORDS, measure_detection

    figures = measure_detection(
        load_settings(), records or RECORDS, lambda line: stderr.print(line) if not as_json else None
    )
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    table = Table("detector", "sensitivity", "precision", "missed", "false", "s per lead and hour", box=None)
    rows = {"ecg_core, all leads": {**figures["gross"], **figures}, "ecg_core, first lead": figures["first_lead"]}
    for name, of_one in {**rows, **figures["peers"]}.items():
        if "absent" in of_one:
            table.add_row(name, of_one["absent"])
            continue
        shares = (_percent(of_one[share]) for share in ("sensitivity", "precision"))
        cost = f"{of_one['seconds_per_lead_hour']:.3f}"
        table.add_row(name, *shares, str(of_one["missed"]), str(of_one["extra"]), cost)
    console.print(table)
    stages = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in figures["stages"].items())
    console.print(f"{figures['gross']['beats']:,} beats, {figures['rule']}; peers on the first lead. {stages} s.")
    late = figures["gross_after_5_minutes"]
    console.print(f"After the first 5 minutes: {_percent(late['sensitivity'])}, {_percent(late['precision'])}.")


def benchmark_families(
    family: Annotated[list[str] | None, typer.Option(help="only these; all where left out")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="few beats, few passes, tested on the deciding patients")
    ] = False,
    beats: Annotated[int | None, typer.Option(min=500, help="so many beats at most; all where left out")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="so many passes at most; a family's own where left out")
    ] = None,
    tested_on: Annotated[
        Literal["ds2", "deciding"],
        typer.Option(help="by patients: the test patients, a logged look, or the deciding ones"),
    ] = "ds2",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Train every family by its own published protocol and by patients; hours, unless --quick. Stopped, it goes on."""
    from ecg_core.pipeline.family_benchmark import FAMILIES, QUICK_BEATS, QUICK_EPOCHS, Extent, measure_families

    unknown = sorted(set(family or ()) - set(FAMILIES))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]} is no family; there are {', '.join(FAMILIES)}", param_hint="--family")
    extent = Extent(QUICK_BEATS, QUICK_EPOCHS, "deciding") if quick else Extent(beats, epochs, tested_on)
    figures = measure_families(load_settings(), family or FAMILIES, extent, lambda line: stderr.print(line))
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    table = Table("family", "", "published", "own protocol", "by patients", box=None)
    for name, of_family in figures.items():
        protocols = of_family["own_protocol"], of_family["by_patients"]
        for figure in ("accuracy", "f1", "auc", "lowest_recall"):
            if figure in protocols[0]:
                stated = _percent((of_family["published"] or {}).get(figure))
                table.add_row(name, figure, stated, *(_percent(p.get(figure)) for p in protocols))
    console.print(table)
    if extent != Extent():
        passes = "a family's own" if extent.epochs is None else f"{extent.epochs}"
        console.print(
            f"{'Quick' if quick else 'Cut short'}, not the full protocols: at most {extent.beats or 'all'} beats, "
            f"passes: at most {passes}; by patients tested on {extent.tested_on}."
        )


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
