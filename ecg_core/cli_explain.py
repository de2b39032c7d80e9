"""The command about explanations: `ecg benchmark explanations`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from ecg_core.settings import load_settings

console = Console(highlight=False)
COLUMNS = ("randomisation_correlation", "deletion_gain", "stability", "faithfulness_correlation", "beats_per_second")


def benchmark_explanations(
    model: Annotated[str | None, typer.Option(help="model version; the shipped one where left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    split: Annotated[
        Literal["deciding", "ds2"], typer.Option(help="patients to measure on; a look at ds2 is logged")
    ] = "deciding",
    quick: Annotated[bool, typer.Option("--quick", help="few beats, no models of other seeds")] = False,
) -> None:
    """Test a model version's explanations: whether they depend on what it learned and name what matters."""
    from ecg_core.models import SHIPPED_VERSION, load_model
    from ecg_core.pipeline import explanation_benchmark, retrain
    from ecg_core.pipeline.preload import quiet

    settings = load_settings()
    with quiet():
        folder = Path(retrain.fetch(settings))
        loaded = load_model(model or SHIPPED_VERSION, settings.models_dir)
        document = explanation_benchmark.measure(settings, loaded, folder, split, quick)
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    _show(document)


def _show(document: dict[str, Any]) -> None:
    table = Table("method", "passed", *(name.replace("_", " ") for name in COLUMNS), box=None)
    for name, figures in document["methods"].items():
        if "error" in figures:
            table.add_row(name, "no", figures["error"])
            continue
        told = ("–" if figures[column] is None else f"{figures[column]:.3g}" for column in COLUMNS)
        table.add_row(name, "yes" if figures["passed"] else "no", *told)
    console.print(table)
    console.print(f"Offered first: {document['offered_first'] or 'none, since none passed'}")
    for part in ("shapley", "deviation"):
        for name, value in document[part].items():
            console.print(f"{part}.{name} {'–' if value is None else f'{value:.4g}'}")
