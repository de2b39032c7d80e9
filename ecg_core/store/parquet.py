"""The mart of a period as Parquet: one file a view, compressed with zstd, with the database's comments as metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, TextClause, text

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE: Final = 50_000
_PERIOD_COLUMNS: Final = {
    "ingest": "first_seen_at",
    "review": "reviewed_at",
    "data_quality": "checked_at",
    "drift": "scored_on",
    "recording": "arrived_at",
    "score": "arrived_at",
}
"""Which time puts a row of a view into a period; views with ``arrived_month`` alone go by whole months."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type_name: str
    comment: str


def export_mart(conn: Connection, folder: Path, since: date, until: date) -> dict[str, int]:
    """Write each view of ``ecg_mart`` to ``<view>.parquet``.

    Rows are those of recordings that arrived from `since` until before `until`, both UTC; views of beats and what hangs
    on them take the whole months that the period touches, because that is how they are stored; model versions and
    their figures are written whole.

    Parameters
    ----------
    conn : Connection
    folder : Path
        Made where it is not there. Files are written under a temporary name and renamed.
    since, until : date

    Returns
    -------
    dict of str to int
        Rows by view.
    """
    folder.mkdir(parents=True, exist_ok=True)
    conn.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    views = conn.execute(text("SELECT viewname FROM pg_views WHERE schemaname = 'ecg_mart' ORDER BY 1")).scalars()
    return {view: _export(conn, view, folder, since, until) for view in list(views)}


def _export(conn: Connection, view: str, folder: Path, since: date, until: date) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    comment, columns = _describe(conn, view)
    schema = pa.schema(
        [pa.field(c.name, _arrow_type(c.type_name), metadata={"comment": c.comment}) for c in columns],
        metadata={"comment": comment, "view": f"ecg_mart.{view}", "since": str(since), "until": str(until)},
    )
    where = _period(view, {column.name for column in columns})
    unfinished = folder / f".{view}.parquet.tmp"
    n_rows = 0
    with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
        query = text(f"SELECT * FROM ecg_mart.{view} {where}")
        period = {"since": since, "until": until, "first_month": since.replace(day=1)} if where else {}
        for rows in _batches(conn, query, period):
            writer.write_batch(_batch(rows, schema))
            n_rows += len(rows)
    unfinished.rename(folder / f"{view}.parquet")
    return n_rows


def _period(view: str, names: set[str]) -> str:
    parts = []
    if view in _PERIOD_COLUMNS:
        column = _PERIOD_COLUMNS[view]
        parts = [f"{column} >= :since", f"{column} < :until"]
    elif "arrived_month" in names:
        # The partitions of other months are not even opened.
        parts = ["arrived_month >= :first_month", "arrived_month < :until"]
    elif "recording_id" in names:
        arrived = "SELECT recording_id FROM ecg_mart.recording WHERE arrived_at >= :since AND arrived_at < :until"
        parts = [f"recording_id IN ({arrived})"]
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def _describe(conn: Connection, view: str) -> tuple[str, list[_Column]]:
    oid = conn.execute(text("SELECT CAST('ecg_mart.' || :view AS regclass)::oid"), {"view": view}).scalar_one()
    comment: str = conn.execute(text("SELECT obj_description(:oid, 'pg_class')"), {"oid": oid}).scalar_one() or ""
    rows = conn.execute(
        text(
            "SELECT attname, format_type(atttypid, NULL), col_description(:oid, attnum) FROM pg_attribute "
            "WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        ),
        {"oid": oid},
    ).tuples()
    return comment, [_Column(name, type_name, column_comment or "") for name, type_name, column_comment in rows]


def _batches(conn: Connection, query: TextClause, period: dict[str, date]) -> Iterator[Sequence[Any]]:
    result = conn.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE).execute(query, period)
    yield from result.partitions(_ROWS_AT_ONCE)


def _batch(rows: Sequence[Any], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    arrays = [
        pa.array([_as_text(value) for value in column] if field.type == pa.string() else column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _as_text(value: object) -> str | None:
    """Return text as it is, and a JSON document as text."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _arrow_type(type_name: str) -> pa.DataType:
    import pyarrow as pa

    base = type_name.removesuffix("[]")
    simple = {
        "text": pa.string(),
        "jsonb": pa.string(),
        "boolean": pa.bool_(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double precision": pa.float64(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", "UTC"),
        "timestamp without time zone": pa.timestamp("us"),
    }[base]
    return pa.list_(simple) if type_name.endswith("[]") else simple
