"""Commands around model versions, and the benchmark of the rhythm."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ecg_core.settings import load_settings

console = Console(highlight=False)


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
