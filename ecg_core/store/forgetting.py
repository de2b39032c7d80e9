"""Remove everything of recordings from the database, whatever tables there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from ecg_core.errors import RowRefused, StoreError

_KEYS: Final = {
    "scoring_run_id": "SELECT scoring_run_id FROM ecg.scoring_run WHERE recording_id = ANY(:ids)",
    "reading_id": "SELECT reading_id FROM ecg.reading WHERE recording_id = ANY(:ids)",
    "report_id": "SELECT report_id FROM ecg.report WHERE reading_id = ANY(:reading_id)",
    "review_id": "SELECT review_id FROM ecg.review WHERE reading_id = ANY(:reading_id)",
    "final_id": "SELECT final_id FROM ecg.final_reading WHERE reading_id = ANY(:reading_id)",
}
"""Numbers by which other tables know a recording, and where they are found."""
_NOT_OF_A_RECORDING: Final = ("inbox_seen", "schema_migration", "installed_file", "dropped_month", "answer_key")


def find_recordings(conn: Connection, name: str) -> list[str]:
    """Return the ids of the recordings that a name means: the start of an id, or a patient's whole pseudonym.

    Raises
    ------
    StoreError
        It means none, or is the start of several ids.
    """
    of_patient = "SELECT recording_id FROM ecg.recording WHERE patient_pseudonym = :name"
    found = list(conn.execute(text(of_patient), {"name": name}).scalars())
    if found:
        return found
    by_id = "SELECT recording_id FROM ecg.ingest_ledger WHERE starts_with(recording_id, :name)"
    found = list(conn.execute(text(by_id), {"name": name}).scalars()) if len(name) >= 8 else []
    if len(found) != 1:
        raise StoreError(
            f"{len(found)} recordings are meant by {name[:16]}.",
            "Give a patient's whole pseudonym, or at least 8 characters of one recording's id.",
        )
    return found


def sources_of(conn: Connection, recording_ids: Sequence[str]) -> list[str]:
    """Return the addresses at which the recordings arrived."""
    query = "SELECT DISTINCT source FROM ecg.arrival WHERE recording_id = ANY(:ids) ORDER BY source"
    return list(conn.execute(text(query), {"ids": list(recording_ids)}).scalars())


def staged_paths(conn: Connection, recording_ids: Sequence[str]) -> list[str]:
    """Return where the copies of the recordings lie, relative to the folder of copies."""
    query = "SELECT staged_path FROM ecg.ingest_ledger WHERE recording_id = ANY(:ids)"
    return list(conn.execute(text(query), {"ids": list(recording_ids)}).scalars())


def forget(conn: Connection, recording_ids: Sequence[str]) -> dict[str, int]:
    """Delete every row that belongs to recordings, and patients of whom no recording is left.

    Tables are found in the catalogue, so that one that a later release brings is not forgotten: each with a column that
    names a recording, or one of the numbers of its runs, readings, reports and reviews.

    Returns
    -------
    dict of str to int
        Rows deleted by table.
    """
    values: dict[str, list[object]] = {"ids": list(recording_ids)}
    for key, query in _KEYS.items():
        values[key] = list(conn.execute(text(query), values).scalars())
    sources = sources_of(conn, recording_ids)
    values |= {"recording_id": list(recording_ids), "source": list(sources), "superseded_by": list(recording_ids)}
    patients = "SELECT DISTINCT patient_pseudonym FROM ecg.recording WHERE recording_id = ANY(:ids)"
    values["patients"] = [one for one in conn.execute(text(patients), values).scalars() if one]
    conn.execute(
        text("UPDATE ecg.ingest_ledger SET superseded_by = NULL WHERE superseded_by = ANY(:ids)"),
        {"ids": values["ids"]},
    )
    deleted = _delete_all(conn, _tables(conn), values)
    orphans = conn.execute(
        text(
            "DELETE FROM ecg.patient p WHERE patient_pseudonym = ANY(:patients) "
            "AND NOT EXISTS (SELECT FROM ecg.recording r WHERE r.patient_pseudonym = p.patient_pseudonym)"
        ),
        values,
    ).rowcount
    return {**deleted, **({"patient": orphans} if orphans else {})}


def _tables(conn: Connection) -> dict[str, list[str]]:
    """Tables and the columns by which they know a recording; partitions are reached through what they belong to."""
    query = """
        SELECT c.relname, array_agg(a.attname ORDER BY a.attname)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'ecg'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY(:columns) AND c.relname <> ALL(:others)
        GROUP BY c.relname ORDER BY c.relname
    """
    columns = ["recording_id", "source", *_KEYS]
    found = conn.execute(text(query), {"columns": columns, "others": list(_NOT_OF_A_RECORDING)})
    return {name: list(names) for name, names in found.tuples()}


def _delete_all(
    conn: Connection, tables: Mapping[str, Sequence[str]], values: Mapping[str, Sequence[object]]
) -> dict[str, int]:
    """Delete from each table; what others still refer to is tried again after them."""
    deleted: Counter[str] = Counter()
    left = list(tables)
    while left:
        stuck = []
        for table in left:
            where = " OR ".join(f"{column} = ANY(:{column})" for column in tables[table])
            try:
                with conn.begin_nested():
                    deleted[table] += conn.execute(text(f"DELETE FROM ecg.{table} WHERE {where}"), values).rowcount
            except (IntegrityError, RowRefused):
                stuck.append(table)
        if stuck == left:
            raise StoreError(
                f"Rows of {', '.join(stuck)} cannot be deleted: others refer to them.",
                "Report it; nothing was deleted.",
            )
        left = stuck
    return {table: count for table, count in sorted(deleted.items()) if count}
