"""Commands around one recording's report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_core.cli.common import console
from ecg_core.stack import with_database

commands = typer.Typer()

Recording = Annotated[str, typer.Argument(help="id of the recording, or enough of its start")]


Model = Annotated[str | None, typer.Option(help="model version; the one that scored last where left out")]


@commands.command()
def report(
    recording: Recording,
    out: Annotated[Path, typer.Option(help="folder of the report")] = Path("ecg-results"),
    pdf: Annotated[bool, typer.Option("--pdf", help="print it to PDF as well (needs Chromium)")] = False,
    model: Model = None,
) -> None:
    """Render a report again from Postgres alone: the same rows give the same bytes."""
    from ecg_core.readers.reports import render_again
    from ecg_core.report.printing import print_pdf

    written = render_again(with_database(), recording, model, out)
    console.print(f"{written.path}  {written.size_bytes:,} bytes  SHA-256 {written.sha256}", soft_wrap=True)
    if pdf:
        console.print(str(print_pdf(written.path)), soft_wrap=True, markup=False)


@commands.command()
def corrections(
    recording: Recording,
    out: Annotated[Path, typer.Option(help="folder of the annotation file")] = Path("ecg-results"),
    model: Model = None,
) -> None:
    """Write the beats as readers corrected them, as WFDB annotations (suffix rev)."""
    from ecg_core.readers.reviewing import CORRECTED, corrected_beats

    data = corrected_beats(with_database(), recording, model)
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{recording[:16]}.{CORRECTED}"
    path.write_bytes(data)
    console.print(str(path), soft_wrap=True, markup=False)
