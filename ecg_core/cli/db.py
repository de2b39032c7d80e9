"""Commands around the results database: its address, migrations, checks, documentation, and ways out of it."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from ecg_core.cli.common import console
from ecg_core.errors import StackError
from ecg_core.settings import Settings
from ecg_core.stack import with_database

commands = typer.Typer()
db = typer.Typer(help="The results database.", no_args_is_help=True)


@commands.command()
def export(
    recording: Annotated[
        str | None, typer.Argument(help="start of a recording's id, for fhir, json and wfdb; left out: the whole mart")
    ] = None,
    as_: Annotated[
        Literal["parquet", "duckdb", "omop", "fhir", "json", "wfdb"] | None,
        typer.Option("--as", help="fhir where a recording is named"),
    ] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="first day of arrival, UTC")] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day after the last one")] = None,
    out: Annotated[Path, typer.Option(help="folder of the files")] = Path("ecg-export"),
    model: Annotated[str | None, typer.Option(help="model version of a recording's scores; else the newest")] = None,
) -> None:
    """Write the mart of a period as Parquet, one DuckDB file or OMOP CDM; or one recording as FHIR, JSON or WFDB."""
    from ecg_core.readers import exports

    wanted = as_ or ("fhir" if recording else "parquet")
    if (wanted in ("parquet", "duckdb", "omop")) == (recording is not None):
        told = "parquet, duckdb and omop are of the whole mart, all else of a recording"
        raise typer.BadParameter(told, param_hint="RECORDING")
    settings = with_database()
    if recording is not None:
        write = {"fhir": exports.export_fhir, "json": exports.export_json, "wfdb": exports.export_annotations}
        console.print(str(write[wanted](settings, recording, out, model)), soft_wrap=True, markup=False)
        return
    first = since.date() if since else date(1970, 1, 1)
    after = until.date() if until else datetime.now(UTC).date() + timedelta(days=1)
    if wanted == "duckdb":
        path, rows = exports.export_duckdb(settings, out, first, after)
        console.print(f"{path}  {len(rows)} tables, {sum(rows.values()):,} rows", soft_wrap=True)
        return
    if wanted == "omop":
        written = exports.export_omop(settings, out, first, after)
        for table, n_rows in written.rows.items():
            console.print(f"{out / table}.csv  {n_rows:,} rows", soft_wrap=True, markup=False)
        for reason, (n_recordings, n_persons) in written.left_out.items():
            console.print(
                f"left out, {reason}: {n_recordings:,} recordings of {n_persons:,} known persons", markup=False
            )
        return
    for view, n_rows in exports.export_mart(settings, out, first, after).items():
        console.print(f"{out / view}.parquet  {n_rows:,} rows", soft_wrap=True, markup=False)


@db.command("check")
def db_check() -> None:
    """Compare the database with what the code expects, and name each difference."""
    from ecg_core.store import catalog
    from ecg_core.store.database import owner_engine

    with owner_engine(with_database()).connect() as connection:
        found = catalog.differences(connection)
    for difference in found:
        console.print(difference, markup=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)
    console.print("The database is what the code expects.")


@db.command("docs")
def db_docs() -> None:
    """Write the data dictionary (sql/README.md) and the expected schema from the comments of a migrated database."""
    from ecg_core.store import catalog, dictionary
    from ecg_core.store.database import owner_engine

    with owner_engine(with_database()).connect() as connection:
        catalog.SCHEMA_FILE.write_text(catalog.describe(connection).as_json(), "utf-8")
        dictionary.DICTIONARY_FILE.write_text(dictionary.dictionary(connection), "utf-8")
    console.print(f"{dictionary.DICTIONARY_FILE}\n{catalog.SCHEMA_FILE}", soft_wrap=True)


@db.command("contract")
def db_contract(
    breaking: Annotated[bool, typer.Option("--breaking", help="what was promised may go: a new major version")] = False,
) -> None:
    """Renew the data contract of the mart (sql/contract.odcs.yaml); what would break it is named and not written."""
    from ecg_core.store import contract
    from ecg_core.store.database import owner_engine

    promised = contract.read_contract() if contract.CONTRACT_FILE.is_file() else None
    with owner_engine(with_database()).connect() as connection:
        document = contract.renewed(connection, promised, breaking=breaking)
    contract.CONTRACT_FILE.write_text(contract.as_yaml(document), "utf-8")
    console.print(f"{contract.CONTRACT_FILE}  version {document['version']}", soft_wrap=True)


@db.command("url")
def db_url() -> None:
    """Print the address of the results database, for psql and notebooks; it holds the password."""
    sys.stdout.write(str(with_database().database_url).replace("postgresql+psycopg2:", "postgresql:") + "\n")


@db.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def db_psql(
    context: typer.Context,
    owner: Annotated[bool, typer.Option("--owner", help="as whoever owns the tables, not as the analyst")] = False,
) -> None:
    """Open psql as the analyst's role; what follows is psql's own. No password stands in the list of processes."""
    from sqlalchemy import make_url

    from ecg_core.store.engine import role_password

    settings = with_database()
    url = make_url(str(settings.database_url))
    program = shutil.which("psql")
    if program is None:
        raise StackError("There is no psql on this machine.", "Install Postgres' client (Debian: postgresql-client).")
    # The environment of a process is its user's alone to see.
    environment = {
        "PGHOST": url.host,
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username,
        "PGDATABASE": url.database,
    }
    environment |= {"PGPASSWORD": url.password} if url.password else {}
    if not owner and _is_superuser(settings) and url.password:
        # Signed in as the analyst: what is said in the session leads to no other rights.
        environment |= {"PGUSER": "ecg_analyst", "PGPASSWORD": role_password(url.password, "ecg_analyst")}
    elif not owner:
        environment["PGOPTIONS"] = "-c role=ecg_analyst -c default_transaction_read_only=on -c search_path=ecg_mart"
    known = {name: value for name, value in environment.items() if value}
    os.execve(program, ["psql", *context.args], {**os.environ, **known})


def _is_superuser(settings: Settings) -> bool:
    from sqlalchemy import text

    from ecg_core.store.database import owner_engine

    with owner_engine(settings).connect() as connection:
        return bool(connection.execute(text("SHOW is_superuser")).scalar_one() == "on")


@db.command("migrate")
def db_migrate() -> None:
    """Bring the schema up to date; on a fresh database the shipped model becomes the champion."""
    from ecg_core.pipeline.versions import prepare_database

    settings = with_database()
    applied = prepare_database(settings)
    console.print("\n".join(applied) if applied else "The schema is up to date.")
    _print_role_gap(settings)


def _print_role_gap(settings: Settings) -> None:
    """Say which roles are missing and what mends it, where this user may not make them."""
    from ecg_core.store.database import owner_engine
    from ecg_core.store.install import role_gap

    with owner_engine(settings).connect() as connection:
        if gap := role_gap(connection):
            console.print(gap, markup=False, soft_wrap=True)
