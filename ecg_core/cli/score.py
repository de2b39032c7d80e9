"""Commands around single files: bring, make, score, find the beats; and let what was set aside be scored again."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ecg_core.cli.common import console, stderr
from ecg_core.errors import RecordingError
from ecg_core.settings import load_settings
from ecg_core.stack import with_database

commands = typer.Typer()


@commands.command()
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


@commands.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="recordings; for WFDB the header (.hea)")],
    out: Annotated[Path, typer.Option(help="folder of the results")] = Path("ecg-results"),
    as_json: Annotated[bool, typer.Option("--json", help="print the results as JSON instead of writing files")] = False,
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    duplicates: Annotated[bool, typer.Option("--duplicates", help="score a signal that comes twice twice")] = False,
) -> None:
    """Score files without Airflow and Postgres: one JSON and one HTML report each."""
    from ecg_core.pipeline.preload import SCORING_MODULES, preload, quiet

    with console.status("Loading the model…") if not as_json else nullcontext():
        preload(SCORING_MODULES)
    from ecg_core.models import SHIPPED_VERSION, load_model, shipped_labelling, with_version
    from ecg_core.pipeline.score_file import score_file

    settings = load_settings()
    version = model or SHIPPED_VERSION
    loaded = load_model(version, with_version(settings, version))
    others = shipped_labelling(settings.models_dir)
    failures = 0
    seen: dict[str, Path] | None = None if duplicates else {}
    results = []
    for file in files:
        try:
            with quiet():
                outcome = score_file(file, loaded, settings, None if as_json else out, seen, others)
        except RecordingError as error:
            failures += 1
            stderr.print(f"{file}: set aside ({error.code}). {error}", soft_wrap=True, markup=False)
            continue
        results.append(outcome.json)
        if not as_json:
            console.print(f"{file}: {outcome.counts} → {outcome.report}", soft_wrap=True, markup=False)
    if as_json:
        sys.stdout.write(json.dumps(results[0] if len(files) == len(results) == 1 else results) + "\n")
    if failures:
        raise typer.Exit(1)


@commands.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="recordings; for WFDB the header (.hea)")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, one object a file")] = False,
) -> None:
    """Say what is understood of files, and what is doubtful, before anything is scored; nothing is kept."""
    from ecg_core.arrivals.inspect_file import inspect_path, inspection_as_json, inspection_rows

    settings = load_settings()
    found = {str(file): inspect_path(file, settings) for file in files}
    if as_json:
        documents = [{"file": file, **inspection_as_json(one)} for file, one in found.items()]
        sys.stdout.write(json.dumps(documents[0] if len(documents) == 1 else documents) + "\n")
    for file, one in found.items() if not as_json else ():
        console.print(file, soft_wrap=True, markup=False)
        for term, value in inspection_rows(one):
            console.print(f"  {term:<22}{value}", soft_wrap=True, markup=False)
    if not all(one.usable for one in found.values()):
        raise typer.Exit(1)


@commands.command()
def synth(
    folder: Annotated[Path, typer.Argument(help="where the WFDB files go")],
    name: Annotated[str, typer.Option(help="record name")] = "generated",
    duration_s: Annotated[float, typer.Option(min=5)] = 60.0,
    sampling_rate_hz: Annotated[int, typer.Option(min=100, max=2000)] = 360,
    leads: Annotated[int, typer.Option(min=1, max=12)] = 2,
    heart_rate_bpm: Annotated[float, typer.Option(min=25, max=220)] = 70.0,
    pvc_per_minute: Annotated[float, typer.Option(min=0)] = 0.0,
    sveb_per_minute: Annotated[float, typer.Option(min=0)] = 0.0,
    af: Annotated[bool, typer.Option("--af", help="atrial fibrillation")] = False,
    kind: Annotated[str, typer.Option(help="normal, mi, sttc, cd or hyp: the last four with --leads 12")] = "normal",
    noise_mv: Annotated[float, typer.Option(min=0, help="standard deviation of the added noise")] = 0.02,
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
        kind=kind,
    )
    console.print(str(write_wfdb(made, folder, name)), soft_wrap=True, markup=False)


@commands.command()
def retry(
    code: Annotated[str | None, typer.Option(help="only what was set aside with this code")] = None,
    recording: Annotated[str | None, typer.Option(help="only recordings whose id starts so")] = None,
) -> None:
    """Let what was set aside be scored again by the next run, after its cause was mended.

    A signal that was scored under another recording waits again only where its code or id is named.
    """
    from ecg_core.pipeline.inbox import wait_again

    console.print(f"{wait_again(with_database(), code, recording)} recordings wait to be scored again.")


@commands.command("forget")
def forget_command(
    name: Annotated[str, typer.Argument(help="start of a recording's id, or a patient's whole pseudonym")],
    yes: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
) -> None:
    """Remove everything of a recording or a patient from this platform for good, and print a receipt."""
    from ecg_core.readers.forgetting import forget

    settings = with_database()
    if not yes:
        typer.confirm(f"Remove everything of {name[:16]}… for good?", abort=True)
    sys.stdout.write(json.dumps(forget(settings, name), indent=1) + "\n")


@commands.command("inbox")
def inbox_command(
    folder: Annotated[str | None, typer.Argument(help="folder or address; the inbox of the settings")] = None,
    state: Annotated[str | None, typer.Option(help="only scored, waiting, set aside or ignored")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say of every file in the inbox whether it is scored, waits, is set aside or ignored, why, and since when."""
    from upath import UPath

    from ecg_core.arrivals.inbox_listing import list_inbox

    found = list_inbox(with_database(), UPath(folder) if folder else None)
    shown = [listed for listed in found.files if state in (None, listed.state)]
    if as_json:
        rows = [{**asdict(listed), "since": listed.since and listed.since.isoformat()} for listed in shown]
        sys.stdout.write(json.dumps({"counts": found.counts(), "files": rows, "untold": found.untold}) + "\n")
    else:
        for listed in shown:
            since = f"{listed.since:%Y-%m-%d %H:%M}" if listed.since else ""
            part = f"part of {listed.part_of}" if listed.part_of else listed.why
            line = f"{listed.state:<10} {since:<16} {listed.file}  {part}"
            console.print(line, soft_wrap=True, markup=False, highlight=False)
        totals = ", ".join(f"{count} {name}" for name, count in sorted(found.counts().items())) or "no files"
        console.print(f"{len(found.files)} entries: {totals}.", markup=False, highlight=False)
    if found.untold:
        stderr.print(
            f"{len(found.untold)} files are in no row, for instance {found.untold[0]}: report it.", markup=False
        )
        raise typer.Exit(1)


@commands.command()
def qrs(
    file: Annotated[Path, typer.Argument(help="a recording; for WFDB the header (.hea)")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with what the recording is")] = False,
) -> None:
    """Find the R peaks of a file: their sample numbers at its own rate, and their times in seconds."""
    from ecg_core.pipeline.score_file import detect_in_file

    found = detect_in_file(file, load_settings())
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for sample, seconds in zip(found["r_sample"], found["r_time_s"], strict=True):
        sys.stdout.write(f"{sample}\t{seconds:.4f}\n")
