"""`ecg benchmark …`: every figure of the README by one command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ecg_core.settings import load_settings
from ecg_core.stack import with_database

app = typer.Typer(help="Measure; the figures of the README, each by one command.", no_args_is_help=True)
console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)
_EXPLANATION_COLUMNS = (
    "randomisation_correlation",
    "deletion_gain",
    "stability",
    "faithfulness_correlation",
    "beats_per_second",
)


@app.command("qrs")
def benchmark_qrs(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    records: Annotated[list[str] | None, typer.Option("--record", help="only these; all 48 where left out")] = None,
) -> None:
    """R peaks of MIT-BIH beside sleepecg, NeuroKit2 and wfdb's xqrs: how many are right, and what it costs."""
    from benchmarks.qrs import RECORDS, measure_detection

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


@app.command("families")
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
    from benchmarks.families import FAMILIES, QUICK_BEATS, QUICK_EPOCHS, Extent, measure_families

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


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


@app.command("waves")
def benchmark_waves(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Wave boundaries against a cardiologist's on the QT Database: sensitivity, mean and SD of the error."""
    from benchmarks.waves import TOLERANCE_MS, measure

    figures = measure(load_settings())
    if as_json:
        sys.stdout.write(json.dumps(figures.as_json(), indent=1) + "\n")
        return
    table = Table(
        "boundary", "marks", "found %", "mean ms", "SD ms", "within ms", "2 SD tolerated", "best lead", box=None
    )
    for point, fused in figures.fused.items():
        best = figures.best_lead[point]
        table.add_row(
            point,
            f"{fused.n_marks:,}",
            f"{100 * fused.sensitivity:.2f}",
            f"{fused.mean_ms:+.1f}",
            f"{fused.sd_ms:.1f}",
            f"{fused.sd_within_ms:.1f}",
            f"{TOLERANCE_MS[point]:.1f}" if point in TOLERANCE_MS else "",
            f"{100 * best.sensitivity:.2f} %, {best.mean_ms:+.1f} ± {best.sd_within_ms:.1f}",
        )
    console.print(table)
    intervals = Table("interval", "beats", "mean ms", "SD ms", "records", "medians: mean ms", "SD ms", box=None)
    for name, interval in figures.intervals.items():
        of_beats = (f"{interval.n_beats:,}", f"{interval.mean_ms:+.1f}", f"{interval.sd_ms:.1f}")
        of_medians = (f"{interval.n_records}", f"{interval.median_mean_ms:+.1f}", f"{interval.median_sd_ms:.1f}")
        intervals.add_row(name, *of_beats, *of_medians)
    console.print(intervals)
    console.print(
        f"{figures.n_records} records, {figures.n_beats:,} beats. SD: over all marks; within: mean of the records' own."
        " Best lead: for each mark the better of the two leads alone, mean ± SD within records, as others report."
        f" A P wave is claimed in {100 * figures.p_claimed_without_mark:.1f} % of {figures.n_beats_without_p} beats "
        "without a marked one.",
        soft_wrap=True,
    )


@app.command("quality")
def benchmark_quality(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Measure how well a bad lead is told: the Challenge of 2011, on folds by recording."""
    from benchmarks.quality import measure_quality

    figures = measure_quality(load_settings())
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    console.print(f"{figures['records']} recordings, {figures['bad']} of {figures['leads']} leads bad")
    for name in ("all", "not_bad_in_all"):
        for what in ("fitted", "index"):
            low, high = figures[name][what]["auc_ci"]
            console.print(f"{name} {what}: AUC {figures[name][what]['auc']:.3f} ({low:.3f} to {high:.3f})")


@app.command("rhythm")
def benchmark_fibrillation(
    ds2: Annotated[bool, typer.Option("--ds2", help="look at the test records too; the look is logged")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Measure how well atrial fibrillation is told: the Challenge of 2017 on folds, MIT-BIH's rhythm annotations."""
    from benchmarks.rhythm import measure_fibrillation

    figures = measure_fibrillation(load_settings(), ds2)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    folds = figures["challenge_2017"]
    table = Table("rhythm", "recordings", "sensitivity", "precision", "F1", "95 %", box=None)
    for name in ("N", "A", "O", "~"):
        of = folds[name]
        low, high = folds["classes"][name.replace("~", "noise")]["f1_ci"]
        told = (f"{of[rate]:.3f}" for rate in ("sensitivity", "precision", "f1"))
        table.add_row(name, str(of["n"]), *told, f"{low:.3f} to {high:.3f}")
    console.print(table)
    console.print(f"Challenge's measure (mean F1 of N, A and O): {folds['overall']:.3f}")
    for name in ("mitdb", "ds2"):
        if name in figures:
            of = figures[name]
            rates = ", ".join(f"{rate} {of[rate]:.3f}" for rate in ("sensitivity", "specificity", "precision", "f1"))
            console.print(f"{name} by 30 s: {rates}", soft_wrap=True)


@app.command("report")
def benchmark_report(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    keep: Annotated[Path | None, typer.Option(help="folder that keeps the reports")] = None,
) -> None:
    """Sizes and render times of a 30-minute and a 24-hour report, and how a real browser shows and prints them."""
    from benchmarks.report import measure

    figures = measure(keep)
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    table = Table("figure", "value", box=None)
    for name, value in figures.items():
        for part, number in value.items() if isinstance(value, dict) else [("", value)]:
            table.add_row(f"{name}.{part}".rstrip("."), "not measured: no Chromium" if number is None else f"{number}")
    console.print(table)


@app.command("explanations")
def benchmark_explanations(
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    split: Annotated[
        Literal["deciding", "ds2"], typer.Option(help="patients to measure on; a look at ds2 is logged")
    ] = "deciding",
    quick: Annotated[bool, typer.Option("--quick", help="few beats, no models of other seeds")] = False,
    task: Annotated[Literal["beats", "resting"], typer.Option(help="whose explanations")] = "beats",
) -> None:
    """Test a model version's explanations: whether they depend on what it learned and name what matters."""
    if task == "resting":
        _explanations_of_resting(model, as_json)
        return
    from ecg_core.models import SHIPPED_VERSION, load_model
    from ecg_core.pipeline import examining, retrain
    from ecg_core.pipeline.preload import quiet

    settings = load_settings()
    with quiet():
        folder = Path(retrain.fetch(settings))
        loaded = load_model(model or SHIPPED_VERSION, settings.models_dir)
        document = examining.measure(settings, loaded, folder, split, quick)
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    _print_explanations(document)


def _explanations_of_resting(version: str | None, as_json: bool) -> None:
    from benchmarks.resting_explanations import measure_explanations
    from ecg_core.models import SHIPPED, load_version
    from ecg_core.models.resting import RestingModel

    settings = load_settings()
    loaded = load_version(version or SHIPPED["resting"], settings.models_dir)
    if not isinstance(loaded, RestingModel):
        raise typer.BadParameter(f"{version} is no version of the task resting.")
    document = measure_explanations(Path(settings.physionet_base), loaded)
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    for game, figures in document["games"].items():
        for name, value in figures.items():
            console.print(f"{game}.{name} {value}")
    console.print(
        f"infarctions: share of the attribution on the stated wall's leads {document['mi_share_on_its_wall']}"
    )


def _print_explanations(document: dict[str, Any]) -> None:
    table = Table("method", "passed", *(name.replace("_", " ") for name in _EXPLANATION_COLUMNS), box=None)
    for name, figures in document["methods"].items():
        if "error" in figures:
            table.add_row(name, "no", figures["error"])
            continue
        told = ("–" if figures[column] is None else f"{figures[column]:.3g}" for column in _EXPLANATION_COLUMNS)
        table.add_row(name, "yes" if figures["passed"] else "no", *told)
    console.print(table)
    console.print(f"Offered first: {document['offered_first'] or 'none, since none passed'}")
    for part in ("shapley", "deviation"):
        for name, value in document[part].items():
            console.print(f"{part}.{name} {'–' if value is None else f'{value:.4g}'}")


@app.command("simulated")
def benchmark_simulated(
    each: Annotated[int, typer.Option(min=1, help="recordings of each kind")] = 200,
    first_seed: Annotated[int, typer.Option(min=0, help="seed of the first; rules were made on 0 to 999")] = 1000,
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Count how many simulated recordings of what kills are said with their time and urgency (.1 s each)."""
    from benchmarks.hard_rhythms import measure
    from ecg_core.models import SHIPPED_VERSION, load_model

    loaded = load_model(model or SHIPPED_VERSION, load_settings().models_dir)
    figures = measure(loaded, each, lambda line: stderr.print(line, soft_wrap=True), first_seed)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    table = Table("kind", "recordings", "said", "sensitivity", "with false urgent findings", box=None)
    for kind, of in figures.items():
        table.add_row(kind, str(of["recordings"]), str(of["said"]), f"{of['sensitivity']:.3f}", str(of["false_urgent"]))
    console.print(table)


@app.command("findings")
def benchmark_findings(
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    cases: Annotated[Path | None, typer.Option(help="folder of hard recordings with INDEX.csv")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Count findings that are right, false and missed, by kind, against reference beats and rhythm marks (minutes)."""
    from benchmarks.findings import measure_findings
    from ecg_core.models import SHIPPED_VERSION, load_model

    settings = load_settings()
    loaded = load_model(model or SHIPPED_VERSION, settings.models_dir)
    figures = measure_findings(settings, loaded, lambda line: stderr.print(line, soft_wrap=True), cases)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for database in ("mitdb", "svdb", "qtdb"):
        if database not in figures:
            continue
        table = Table(database, "claimed", "right", "true", "precision", "sensitivity", "false in 24 h", box=None)
        for kind, of in figures[database]["kinds"].items():
            counts = (str(of[name]) for name in ("claimed", "right", "true"))
            rates = (_percent(of[name]) for name in ("precision", "sensitivity"))
            table.add_row(kind, *counts, *rates, f"{of['false_per_24h']:.1f}")
        console.print(table)
        rate = figures[database]["heart_rate"]
        console.print(f"Highest and lowest rate within 5/min in {rate['within_5_bpm']} of {rate['records']} records.")
    for name, of in figures.get("cases", {}).items():
        console.print(f"{name}: must say {of['must_say']}; must not say {of['must_not_say']}", soft_wrap=True)
        console.print("\n".join(f"  {line}" for line in of["said"]), soft_wrap=True, markup=False)


@app.command("resting")
def benchmark_resting(
    family: Annotated[list[str] | None, typer.Option(help="only these; all where left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Superclasses of twelve-lead ECGs by families, on ten folds by patient of PTB-XL (minutes for the flagship)."""
    from benchmarks.resting import run

    run(as_json, family)


@app.command("formats")
def benchmark_formats(
    mutate: Annotated[int, typer.Option(min=1, help="damaged files, over all formats together")] = 10_000,
    seed: Annotated[int, typer.Option(help="same seed, same damage")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with each file that crashed")] = False,
) -> None:
    """Read damaged files of every format within limits (2 GB, 20 s): each must be read or set aside."""
    from benchmarks.formats import measure

    figures = measure(mutate, seed)
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    columns = ("tried", "read", "set_aside", "crashed", "slowest_s", "peak_mb")
    table = Table("format", *columns, box=None)
    for name, of in figures["formats"].items():
        table.add_row(name, *(f"{of[column]:,}" for column in columns))
    console.print(table)
    console.print(
        f"{figures['tried']:,} tried, {figures['crashed']} crashed, {figures['left_behind']} files left behind"
    )


@app.command("faults")
def benchmark_faults(
    kills: Annotated[int, typer.Option(min=10, help="about so many processes are killed; 200 before a release")] = 28,
    files: Annotated[int, typer.Option(min=1, help="damaged files that are read; 10,000 before a release")] = 300,
    seed: Annotated[int, typer.Option(help="same seed, same choices")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Break everything at random instants, and compare with a run that nobody disturbed."""
    from benchmarks.faults import measure
    from benchmarks.throughput import home_of_its_own

    with home_of_its_own(load_settings()) as own:
        figures = measure(own, kills, files, seed)
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    else:
        columns = ("tried", "lost", "repeated", "stuck", "different", "untold")
        table = Table("fault", *columns, box=None)
        for name, found in {**figures["faults"], "all": figures["sum"]}.items():
            table.add_row(name, *(f"{found[column]:,}" for column in columns))
        console.print(table)
    if any(figures["sum"][name] for name in ("lost", "repeated", "stuck", "different", "untold")):
        raise typer.Exit(1)


@app.command("inbox")
def benchmark_inbox(
    files: Annotated[int, typer.Option(min=100, help="files that lie in the inbox")] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Measure looks at a large inbox: the first, and those that find nothing new."""
    from benchmarks.inbox import measure
    from benchmarks.throughput import home_of_its_own

    with home_of_its_own(load_settings()) as own:
        figures = measure(own, files)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    console.print(f"{figures['files']:,} files: {figures['first_s']:g} s, {figures['files_per_second']:g} a second")
    console.print(f"a look that finds nothing new: {figures['later_s']:g} s")


@app.command("throughput")
def benchmark_throughput(
    hours: Annotated[float, typer.Option(min=0.02, max=168, help="length of the recording")] = 24.0,
    resting: Annotated[
        int | None, typer.Option(min=1, help="so many resting ECGs of twelve leads instead, by a process a core")
    ] = None,
    airflow: Annotated[
        int | None, typer.Option(min=1, help="so many resting ECGs through the DAG, and the same without Airflow")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="six minutes at most: see that all of it runs")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Score a day's recording in one fresh process, database and report included, and a slice of it today's way."""
    from benchmarks.throughput import home_of_its_own, measure
    from benchmarks.throughput_airflow import measure_airflow
    from benchmarks.throughput_resting import measure_resting
    from ecg_core.datasets import physionet

    settings = load_settings()
    name = "ptb-xl" if resting or airflow else "mitdb"
    database = physionet.fetch(name, settings.physionet_base, settings.datasets_dir).path
    if airflow:
        figures = measure_airflow(settings, database, airflow, quick=quick)
    else:
        with home_of_its_own(settings) as own:
            if resting:
                figures = measure_resting(own, database, resting, quick=quick)
            else:
                figures = measure(own, database, hours, quick=quick)
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    table = Table("", "", box=None, show_header=False)
    told = f"{figures['hours']:g} h" if "hours" in figures else f"{figures['recordings']:,} resting ECGs"
    table.add_row("recording", f"{told}, {figures['beats']:,} beats, on {figures['cores']} cores")
    for stage, seconds in figures["stages"].items():
        table.add_row(f"  {stage}", f"{seconds:.2f} s")
    cpu = f" ({figures['cpu_seconds']:.1f} s of CPU)" if "cpu_seconds" in figures else ""
    table.add_row("all of it", f"{figures['seconds']:.1f} s{cpu}, at most {figures['peak_rss_mb']:,} MB")
    if "airflow_share" in figures:
        table.add_row("without Airflow", f"{figures['without_airflow_seconds']:.1f} s")
        table.add_row("Airflow's share", f"{figures['airflow_share']:.1%}")
    table.add_row("recordings a second", f"{figures['recordings_per_second']:g}")
    table.add_row("the machine's limit", f"{figures['limit_seconds']:.1f} s: reading, model and database alone")
    table.add_row("explained by Shapley values", f"{figures['beats_with_shapley']:,} beats")
    for step, seconds in figures["today"]["seconds_per_beat"].items():
        table.add_row(f"  today: {step}", f"{seconds * 1000:.3f} ms a beat")
    table.add_row(
        "today, in the same depth", f"{figures['today_seconds']:,.0f} s: {figures['speedup']:.1f} times as long"
    )
    table.add_row("today, maps in batches of 32", f"{figures['speedup_maps_in_batches']:.1f} times as long")
    table.add_row("today, no maps at all", f"{figures['speedup_without_maps']:.1f} times as long")
    table.add_row("today, SHAP for every beat", f"{figures['speedup_all_beats_by_shap']:.0f} times as long")
    console.print(table)


@app.command("mart")
def benchmark_mart(
    beats: Annotated[int, typer.Option(min=10_000, help="fill the made-up database up to so many beats")] = 50_000_000,
    into: Annotated[
        str, typer.Option(help="name of the made-up database, beside the results database")
    ] = "ecg_made_up",
    fill: Annotated[bool, typer.Option("--fill", help="fill that database and keep it, and measure nothing")] = False,
    keep: Annotated[bool, typer.Option(help="keep the made-up database; it is large")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON; else times and plans")] = False,
) -> None:
    """Time every question of the mart on a database of made-up beats, and COPY with and without readers."""
    from benchmarks import mart

    address = _fill(beats, into)
    if fill:
        return
    try:
        figures = mart.measure_mart(
            address, lambda name, timed: stderr.print(f"{name:40}{timed.grain:12}{timed.seconds:8.3f} s")
        )
    finally:
        if not keep:
            mart.drop_made_up_database(str(with_database().database_url), into)
    if as_json:
        sys.stdout.write(json.dumps(figures.as_json()) + "\n")
        return
    console.print(mart.plans_text(figures), markup=False, soft_wrap=True)
    for name, value in figures.as_json().items():
        if name != "queries":
            console.print(f"{name:40}{value:>16,}", markup=False)


def _fill(n_beats: int, into: str) -> str:
    """Fill a made-up database beside the results database; its address."""
    from benchmarks import mart

    address = mart.made_up_database(str(with_database().database_url), into)
    columns = (TextColumn("beats"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f}"))
    with Progress(*columns, TimeRemainingColumn(), console=stderr) as progress:
        task = progress.add_task("", total=n_beats)
        there = mart.fill_to(address, n_beats, lambda beats: progress.update(task, completed=beats))
    stderr.print(f"The database {into} holds {there:,} made-up beats.")
    return address
