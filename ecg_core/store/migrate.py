"""Numbered SQL files, each applied once; an upgrade is one transaction, under one lock.

``sql/migrations/0001_name.sql`` is applied before ``0002_…``. The history keeps each file's SHA-256, so a file that was
changed after it was applied is noticed. Migrations go forward only: where one fails, nothing of the upgrade stays, and
the release before runs on as it did.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg2
import structlog
from sqlalchemy import Connection, Engine, text

from ecg_core.errors import MigrationError
from ecg_core.settings import PROJECT_DIR
from ecg_core.store.engine import unavailable
from ecg_core.store.install import acting_as_owner, install

log = structlog.get_logger(__name__)

MIGRATIONS_DIR: Final = PROJECT_DIR / "sql" / "migrations"
_LOCK: Final = 0x0ECC6
"""Number of the advisory lock: one migrator at a time in a database."""
_HISTORY: Final = """
CREATE SCHEMA IF NOT EXISTS ecg;
COMMENT ON SCHEMA ecg IS 'The ECG platform''s own tables.';
CREATE TABLE IF NOT EXISTS ecg.schema_migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.schema_migration IS 'Grain: one migration that was applied.';
COMMENT ON COLUMN ecg.schema_migration.name IS 'Name of its file in sql/migrations.';
COMMENT ON COLUMN ecg.schema_migration.sha256 IS 'SHA-256 of the file as it was applied, 64 hex digits.';
COMMENT ON COLUMN ecg.schema_migration.applied_at IS 'When it was applied.';
"""


@dataclass(frozen=True, slots=True)
class _Migration:
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(engine: Engine, migrations_dir: Path = MIGRATIONS_DIR) -> list[str]:
    """Bring the schema `ecg` up to date, and the views and roles beside it. Two processes may do so at once: one waits.

    Parameters
    ----------
    engine : Engine
    migrations_dir : Path
        Holds the files ``NNNN_name.sql``; views and roles are taken from the folders beside it.

    Returns
    -------
    list of str
        Names of the migrations that this call applied, in order.

    Raises
    ------
    MigrationError
        A file failed (nothing of this call stays) or was changed after it was applied, or the database is newer than
        the code.
    DatabaseUnavailable
        No connection, or another session held a lock for too long.
    """
    files = _read_files(migrations_dir)
    with engine.begin() as conn:
        # lock_timeout holds for this lock too; a migration elsewhere may rightly take a while.
        conn.execute(text("SET LOCAL lock_timeout = '10min'"))
        conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        conn.execute(text("SET LOCAL lock_timeout = '10s'"))
        if conn.execute(text("SELECT to_regclass('ecg.schema_migration')")).scalar() is None:
            conn.exec_driver_sql(_HISTORY)
        pending = _pending(conn, files)
        with acting_as_owner(conn):
            for file in pending:
                _run(conn, file)
        install(conn, migrations_dir.parent, again=bool(pending))
    applied = [file.name for file in pending]
    for name in applied:
        log.info("migration applied", name=name)
    return applied


def _read_files(folder: Path) -> list[_Migration]:
    """Read the files in order; line ends are made alike, so that a checkout's settings change no checksum."""
    files = [_Migration(path.name, path.read_text("utf-8")) for path in sorted(folder.glob("*.sql"))]
    if not files:
        raise MigrationError(f"{folder} holds no migration.", "Run from a complete checkout.")
    for number, file in enumerate(files, start=1):
        if not re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.sql", file.name):
            raise MigrationError(
                f"{file.name} stands where migration {number:04d} should.",
                "Number the files of sql/migrations 0001, 0002, … without a gap: NNNN_name.sql.",
            )
    return files


def _pending(conn: Connection, files: list[_Migration]) -> list[_Migration]:
    history: dict[str, str] = dict(
        conn.execute(text("SELECT name, sha256 FROM ecg.schema_migration ORDER BY name")).tuples().all()
    )
    known = {file.name: file for file in files}
    for name, sha256 in history.items():
        if name not in known:
            raise MigrationError(
                f"The database has had migration {name}, which this code does not know.",
                "The database is newer than the code: update the code, or take the database that belongs to it.",
            )
        if known[name].sha256 != sha256:
            raise MigrationError(
                f"{name} was changed after it was applied to this database.",
                f"Restore {name} as it was released, and put the change into a new migration.",
            )
    return [file for file in files if file.name not in history]


def _run(conn: Connection, file: _Migration) -> None:
    cursor = conn.connection.cursor()
    try:
        # Straight to the driver: a migration may hold % and : as it likes.
        cursor.execute(file.sql)
    except psycopg2.OperationalError as error:
        raise unavailable(error, f"migration {file.name}") from error
    except psycopg2.Error as error:
        message = error.diag.message_primary or "refused"
        raise MigrationError(
            f"{file.name} failed and was rolled back: {message}.", f"Correct {file.name}, then migrate again."
        ) from error
    conn.execute(
        text("INSERT INTO ecg.schema_migration (name, sha256) VALUES (:name, :sha256)"),
        {"name": file.name, "sha256": file.sha256},
    )
