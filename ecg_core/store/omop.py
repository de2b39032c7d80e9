"""The mart of a period as tables of the OMOP CDM 5.4 and its waveform extension: CSV files, and SQL that loads them.

What each table holds is a query in ``sql/omop``; ``docs/omop.md`` says what became of what.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection, text

from ecg_core.settings import PROJECT_DIR

_OMOP_DIR: Final = PROJECT_DIR / "sql" / "omop"
TABLES: Final = (
    "cdm_source",
    "person",
    "observation_period",
    "visit_occurrence",
    "procedure_occurrence",
    "measurement",
    "observation",
    "waveform_occurrence",
    "waveform_registry",
    "waveform_channel_metadata",
    "waveform_feature",
)
"""In the order in which they are loaded: each refers to those before it."""
_VOCABULARY: Final = ("domain", "vocabulary", "concept_class", "concept")
_SCRIPTS: Final = ("vocabulary.sql", "waveform_extension.sql", "map.sql")


@dataclass(frozen=True, slots=True)
class Code:
    """How one of our names is called elsewhere: `vocabulary_id` is OMOP's (LOINC or SNOMED)."""

    name: str
    vocabulary_id: str
    concept_code: str


@dataclass(frozen=True, slots=True)
class OmopExport:
    """Rows by table; and what was left out: by reason, how many recordings, of how many known persons."""

    rows: dict[str, int]
    left_out: dict[str, tuple[int, int]]


def export_omop(conn: Connection, folder: Path, since: date, until: date, codes: Iterable[Code]) -> OmopExport:
    """Write what the mart says of recordings that arrived in a period as CSV, a file a table, with ``load.sql``.

    Left out, and counted in ``left_out.csv``, is what the CDM has no place for: recordings of nobody known, without a
    date, without scores, of a person of whom no dated recording says the age; and synthetic ones. Numbers are those of
    this export alone; pseudonyms and ids of recordings stand in the columns of source values.

    Parameters
    ----------
    conn : Connection
        In a transaction in which nothing was asked yet.
    folder : Path
        Made where it is not there; files of an earlier export are replaced.
    since, until : date
        First day, and the day after the last one, UTC.
    codes : iterable of Code
    """
    folder.mkdir(parents=True, exist_ok=True)
    conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    _stage_vocabulary(conn, codes)
    conn.execute(text((_OMOP_DIR / "stage.sql").read_text("utf-8")), {"since": since, "until": until})
    columns: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    for table in TABLES:
        query = (_OMOP_DIR / "tables" / f"{table}.sql").read_text("utf-8")
        rows[table], columns[table] = _copy_out(conn, query, folder / f"{table}.csv")
    left_out = (
        "SELECT reason, count(*) AS n_recordings, count(DISTINCT patient_pseudonym) AS n_persons "
        "FROM omop_left_out WHERE reason IS NOT NULL GROUP BY reason ORDER BY reason"
    )
    _copy_out(conn, left_out, folder / "left_out.csv")
    for name in (*(f"{table}.csv" for table in _VOCABULARY), *_SCRIPTS):
        shutil.copyfile(_OMOP_DIR / name, folder / name)
    (folder / "load.sql").write_text(_load_script(columns), "utf-8")
    counted = conn.execute(text(left_out)).tuples()
    return OmopExport(rows, {reason: (n_recordings, n_persons) for reason, n_recordings, n_persons in counted})


def _stage_vocabulary(conn: Connection, codes: Iterable[Code]) -> None:
    """Make the temporary tables of the concepts that we know, and of what our names are called."""
    with (_OMOP_DIR / "concept.csv").open(encoding="utf-8", newline="") as file:
        concepts = [(row["concept_id"], row["vocabulary_id"], row["concept_code"]) for row in csv.DictReader(file)]
    tables = {
        "omop_concept (concept_id integer, vocabulary_id text, concept_code text)": concepts,
        "omop_code (name text PRIMARY KEY, vocabulary_id text, concept_code text)": [
            (code.name, code.vocabulary_id, code.concept_code) for code in codes
        ],
    }
    for table, rows in tables.items():
        conn.execute(text(f"CREATE TEMP TABLE {table} ON COMMIT DROP"))
        query = text(f"INSERT INTO {table.partition(' ')[0]} VALUES (:a, :b, :c)")
        conn.execute(query, [dict(zip("abc", row, strict=True)) for row in rows])


def _copy_out(conn: Connection, query: str, path: Path) -> tuple[int, list[str]]:
    """Write the rows of a query as CSV with their names; how many, and the names."""
    unfinished = path.with_name(f".{path.name}.tmp")
    driver: Any = conn.connection.dbapi_connection
    with driver.cursor() as cursor, unfinished.open("w+b") as file:
        cursor.copy_expert(f"COPY ({query.rstrip()}\n) TO STDOUT WITH (FORMAT csv, HEADER)", file)
        n_rows = int(cursor.rowcount)
        names = _first_line(file)
    unfinished.rename(path)
    return n_rows, names


def _first_line(file: IO[bytes]) -> list[str]:
    file.seek(0)
    return file.readline().decode().rstrip("\n").split(",")


def _load_script(columns: dict[str, list[str]]) -> str:
    """Say to psql what to load, all or nothing."""
    copies = [
        f"\\copy {table} ({', '.join(names)}) FROM '{table}.csv' WITH (FORMAT csv, HEADER)"
        for table, names in columns.items()
    ]
    head = "-- psql, in this folder, on empty tables of the OMOP CDM 5.4 (search_path at their schema): -f load.sql"
    parts = (head, "\\set ON_ERROR_STOP on", "BEGIN;", *(f"\\i {name}" for name in _SCRIPTS[:2]), *copies, "COMMIT;")
    return "\n".join(parts) + "\n"
