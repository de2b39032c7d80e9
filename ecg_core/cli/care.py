"""Commands of day two: what is wrong, a backup, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ecg_core.cli.common import console
from ecg_core.stack import with_database

commands = typer.Typer()

Passphrase = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="file whose first line is the passphrase")
]


@commands.command()
def doctor() -> None:
    """Say what is wrong and what mends it; exit code 1 where something is."""
    from ecg_core.operations.doctor import examine

    wrong = 0
    for found in examine(with_database()):
        if found.wrong is None:
            console.print(f"[green]✓[/] {found.check}")
        else:
            wrong += 1
            console.print(f"[red]✗[/] {found.check}")
            console.print(f"    {found.wrong}", markup=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


@commands.command()
def backup(
    address: Annotated[str, typer.Argument(help="file, or address in an object store; it must not exist yet")],
    passphrase_file: Passphrase = None,
) -> None:
    """Write database, recordings, reports, versions and the pseudonyms' key into one file."""
    from ecg_core.operations.backup import back_up

    made = back_up(with_database(), address, _first_line(passphrase_file))
    console.print(
        f"{made.address}: {made.n_files} files, {sum(made.rows.values()):,} rows, {made.n_bytes / 1e6:.1f} MB",
        soft_wrap=True,
        markup=False,
    )
    if passphrase_file is None:
        console.print("It is not encrypted, and holds the pseudonyms' key: keep it where nobody reads it.")


@commands.command()
def restore(
    address: Annotated[str, typer.Argument(help="what `ecg backup` wrote")], passphrase_file: Passphrase = None
) -> None:
    """Bring a backup back into an empty home and database, and check that all of it is there."""
    from ecg_core.operations.backup import restore as bring_back

    found = bring_back(with_database(), address, _first_line(passphrase_file))
    console.print(
        f"Restored: {found.n_files} files, {sum(found.rows.values()):,} rows, as of {found.made_at}.",
        soft_wrap=True,
        markup=False,
    )


def _first_line(path: Path | None) -> str | None:
    return path.read_text("utf-8").splitlines()[0] if path else None
