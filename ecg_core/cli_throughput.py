"""The command `ecg benchmark throughput`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import PostgresDsn
from rich.console import Console
from rich.table import Table

from ecg_core.settings import Settings, load_settings

console = Console(highlight=False)


def benchmark_throughput(
    hours: Annotated[float, typer.Option(min=0.02, max=168, help="length of the recording")] = 24.0,
    quick: Annotated[bool, typer.Option("--quick", help="six minutes at most: see that all of it runs")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Score a day's recording in one fresh process, database and report included, and a slice of it today's way."""
    from ecg_core.datasets import mitdb, physionet
    from ecg_core.pipeline.throughput_benchmark import measure

    settings = load_settings()
    database = physionet.fetch(mitdb.DATABASE, settings.physionet_base, settings.datasets_dir).path
    with home_of_its_own(settings) as own:
        figures = measure(own, database, hours, quick=quick)
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    table = Table("", "", box=None, show_header=False)
    table.add_row("recording", f"{figures['hours']:g} h, {figures['beats']:,} beats, on {figures['cores']} cores")
    for stage, seconds in figures["stages"].items():
        table.add_row(f"  {stage}", f"{seconds:.2f} s")
    table.add_row(
        "all of it",
        f"{figures['seconds']:.1f} s ({figures['cpu_seconds']:.1f} s of CPU), at most {figures['peak_rss_mb']:,} MB",
    )
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


@contextmanager
def home_of_its_own(settings: Settings) -> Iterator[Settings]:
    """Give settings with a new home and an embedded Postgres in it; all of it is gone afterwards."""
    from ecg_core.stack.postgres import ensure_postgres, remove_postgres

    home = Path(tempfile.mkdtemp(prefix="ecg-throughput-"))
    # The user whom root runs Postgres as must be able to walk in.
    home.chmod(0o755)
    own = settings.model_copy(update={"home": home, "database_url": None, "inbox": "", "settle_s": 0.0})
    try:
        yield own.model_copy(update={"database_url": PostgresDsn(ensure_postgres(own))})
    finally:
        remove_postgres(own)
        shutil.rmtree(home, ignore_errors=True)
