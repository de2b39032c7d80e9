"""The command `ecg benchmark waves`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ecg_core.settings import load_settings

console = Console(highlight=False)


def benchmark_waves(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Wave boundaries against a cardiologist's on the QT Database: sensitivity, mean and SD of the error."""
    from ecg_core.pipeline.waves_benchmark import TOLERANCE_MS, measure

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
