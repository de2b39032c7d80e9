"""The mart as one DuckDB file, made from its Parquet files: a table a view, with their comments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ecg_core.files import as_machine_error


def write_duckdb(parquet: Path, path: Path) -> Path:
    """Gather a folder of Parquet files, as `ecg_core.store.parquet.export_mart` writes them, into one file.

    Parameters
    ----------
    parquet : Path
    path : Path
        Written under a temporary name and renamed; an existing file is replaced.

    Returns
    -------
    Path
        `path`.
    """
    import duckdb

    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.unlink(missing_ok=True)
    try:
        _fill(unfinished, sorted(parquet.glob("*.parquet")))
    except duckdb.IOException as error:
        raise as_machine_error(OSError(str(error)), str(path)) from None
    unfinished.rename(path)
    return path


def _fill(unfinished: Path, files: Sequence[Path]) -> None:
    import duckdb
    import pyarrow.parquet as pq

    with duckdb.connect(str(unfinished)) as database:
        for file in files:
            schema = pq.read_schema(file)
            database.execute(f'CREATE TABLE "{file.stem}" AS SELECT * FROM read_parquet({_quoted(str(file))})')
            comments = {None: schema.metadata[b"comment"], **{f.name: f.metadata[b"comment"] for f in schema}}
            for column, comment in comments.items():
                what = f'TABLE "{file.stem}"' if column is None else f'COLUMN "{file.stem}"."{column}"'
                database.execute(f"COMMENT ON {what} IS {_quoted(comment.decode())}")


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
