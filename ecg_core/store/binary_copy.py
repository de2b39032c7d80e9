"""NumPy columns into a table by COPY in Postgres' binary format, built as one structured array.

The format: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format). About 25 times the speed of INSERT.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg2
from sqlalchemy import Connection, Table

from ecg_core.store.engine import refused, unavailable

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_BUFFER_BYTES: Final = 1 << 16

Columns = Mapping[str, npt.NDArray[Any]]


def copy_rows(conn: Connection, table: Table, columns: Columns) -> None:
    """Append rows to `table` within the caller's transaction.

    Parameters
    ----------
    conn : Connection
    table : Table
    columns : mapping of str to ndarray, each of shape (n_rows,)
        By column name. Types must be those of the table: int16, int32, int64, float32, float64, bool, or bytes (``S``)
        that fill their width. NaN becomes NULL.

    Raises
    ------
    RowRefused
        The row breaks a rule of the table.
    DatabaseUnavailable
        The connection is lost.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    stream = io.BytesIO(_HEADER + binary_rows(columns) + _TRAILER)
    cursor = conn.connection.cursor()
    try:
        cursor.copy_expert(f"COPY {table.fullname} ({names}) FROM STDIN (FORMAT binary)", stream, _BUFFER_BYTES)
    except psycopg2.OperationalError as error:
        raise unavailable(error, f"table {table.fullname}") from error
    except (psycopg2.IntegrityError, psycopg2.DataError) as error:
        raise refused(error) from error


def binary_rows(columns: Columns) -> bytes:
    """Encode rows: for each its number of fields, then for each field its length and its bytes, big-endian."""
    n_rows = {values.shape[0] for values in columns.values()}
    if len(n_rows) != 1 or any(values.ndim != 1 for values in columns.values()):
        shapes = {name: values.shape for name, values in columns.items()}
        raise ValueError(f"columns must be of one length: {shapes}")
    fields: list[tuple[str, Any]] = [("n_fields", ">i2")]
    for name, values in columns.items():
        fields += [(f"{name} length", ">i4"), (name, values.dtype.newbyteorder(">"))]
    rows = np.empty(n_rows.pop(), np.dtype(fields))
    rows["n_fields"] = len(columns)
    for name, values in columns.items():
        if values.dtype.kind == "S" and np.any(np.strings.str_len(values) != values.dtype.itemsize):
            raise ValueError(f"texts of {name} must fill their width of {values.dtype.itemsize}")
        rows[name] = values
        rows[f"{name} length"] = values.dtype.itemsize
    return _without_nulls(rows, columns)


def _without_nulls(rows: npt.NDArray[np.void], columns: Columns) -> bytes:
    """Give NaN the length -1, which means NULL, and cut out the bytes that must then not follow."""
    nulls = {
        name: np.isnan(values)
        for name, values in columns.items()
        if values.dtype.kind == "f" and np.isnan(values).any()
    }
    if not nulls:
        return rows.tobytes()
    for name, is_null in nulls.items():
        rows[f"{name} length"][is_null] = -1
    cells = rows.view(np.uint8).reshape(rows.size, rows.itemsize)
    kept = np.ones(cells.shape, dtype=np.bool_)
    for name, is_null in nulls.items():
        offset = rows.dtype.fields[name][1]  # type: ignore[index]  # a structured dtype always has fields
        kept[is_null, offset : offset + columns[name].dtype.itemsize] = False
    return cells[kept].tobytes()
