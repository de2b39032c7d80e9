"""The commands about reports: `ecg report`, `ecg corrections`, `ecg benchmark report`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import PostgresDsn
from rich.console import Console
from rich.table import Table

from ecg_core.settings import Settings, load_settings

console = Console(highlight=False)

Recording = Annotated[str, typer.Argument(help="id of the recording, or enough of its start")]
Model = Annotated[str | None, typer.Option(help="model version; the one that scored last where left out")]


def report(
    recording: Recording,
    out: Annotated[Path, typer.Option(help="folder of the report")] = Path("ecg-results"),
    pdf: Annotated[bool, typer.Option("--pdf", help="print it to PDF as well (needs Chromium)")] = False,
    model: Model = None,
) -> None:
    """Render a report again from Postgres alone: the same rows give the same bytes."""
    from ecg_core.pipeline.reports import print_pdf, render_again

    written = render_again(_with_database(), recording, model, out)
    console.print(f"{written.path}  {written.size_bytes:,} bytes  SHA-256 {written.sha256}", soft_wrap=True)
    if pdf:
        console.print(str(print_pdf(written.path)), soft_wrap=True, markup=False)


def corrections(
    recording: Recording,
    out: Annotated[Path, typer.Option(help="folder of the annotation file")] = Path("ecg-results"),
    model: Model = None,
) -> None:
    """Write the beats as readers corrected them, as WFDB annotations (suffix rev)."""
    from ecg_core.pipeline.reports import ANNOTATOR, corrected_annotations

    data = corrected_annotations(_with_database(), recording, model)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{recording[:16]}.{ANNOTATOR}"
    path.write_bytes(data)
    console.print(str(path), soft_wrap=True, markup=False)


def benchmark_report(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    keep: Annotated[Path | None, typer.Option(help="folder that keeps the reports")] = None,
) -> None:
    """Sizes and render times of a 30-minute and a 24-hour report, and how a real browser shows and prints them."""
    from ecg_core.pipeline.report_benchmark import measure

    figures = measure(keep)
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return
    table = Table("figure", "value", box=None)
    for name, value in figures.items():
        for part, number in value.items() if isinstance(value, dict) else [("", value)]:
            table.add_row(f"{name}.{part}".rstrip("."), "not measured: no Chromium" if number is None else f"{number}")
    console.print(table)


def _with_database() -> Settings:
    """Return the settings with a database that answers, starting the embedded one where none is set."""
    from ecg_core.stack import ensure_postgres

    settings = load_settings()
    return settings.model_copy(update={"database_url": PostgresDsn(ensure_postgres(settings))})
