"""Commands around patients, who are known by pseudonyms alone."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from ecg_core.cli.common import console
from ecg_core.errors import SettingsError
from ecg_core.stack import with_database

commands = typer.Typer()
patients = typer.Typer(help="Patients, who are known by pseudonyms alone.", no_args_is_help=True)


pseudonyms = typer.Typer(help="The keys of the patients' pseudonyms.", no_args_is_help=True)


@pseudonyms.command("list")
def list_keys() -> None:
    """List the keys by their ids, the newest first, with how many patients are called by each."""
    from ecg_core.readers.pseudonyms import keys

    for key in keys(with_database()):
        console.print(f"{key.key_id}  {key.n_patients:,} patients" + (f"  {key.site}" if key.site else ""))


@pseudonyms.command()
def rotate() -> None:
    """Make a new key for new patients; those who are known keep their pseudonyms, and the old keys stay for that."""
    from ecg_core.readers.pseudonyms import rotate as make_another

    console.print(f"New patients are called by key {make_another(with_database())} from the next chunk on.")


@patients.command()
def move(
    recording: Annotated[str, typer.Argument(help="id of the recording, or at least 8 characters of its start")],
    to: Annotated[str, typer.Option(help="pseudonym of the right patient")] = "",
    nobody: Annotated[bool, typer.Option("--nobody", help="the right patient is not known")] = False,
) -> None:
    """File a recording under another patient; reports that name it are drawn again, and who moved it is kept."""
    from ecg_core.readers.patients import move as move_recording

    if bool(to) == nobody:
        raise SettingsError("Under whom is not said.", "Give --to PSEUDONYM or --nobody, one of the two.")
    moved = move_recording(with_database(), recording, to or None, getpass.getuser())
    where = f"{moved.was or 'nobody'} → {moved.now or 'nobody'}"
    console.print(f"{moved.recording_id[:16]}: {where}, {moved.redrawn} reports drawn again", soft_wrap=True)


@commands.command("sites")
def list_all_sites(
    enter: Annotated[
        bool, typer.Option("--enter", help="enter the site of recordings that came before the file named it")
    ] = False,
) -> None:
    """List the sites of ECG_SITES: inboxes, roles, and how many recordings they have."""
    from ecg_core.readers.sites import enter_sites, list_sites

    settings = with_database()
    if enter:
        entered = enter_sites(settings)
        console.print(f"{sum(entered.values())} recordings are of a site now that were of none.")
    for site in list_sites(settings):
        facts = (site.name or "no site", f"{site.n_recordings:,} recordings", *site.inboxes)
        console.print("  ".join([*facts, *(f"role {role}" for role in site.roles)]), soft_wrap=True, markup=False)
