"""Everything of a platform in one file, and back: database, recordings, reports, versions, the pseudonyms' key.

The database is dumped first, in one snapshot. Files are named by their content and written before the rows that name
them, so that all that the dump speaks of is there when the files are read. Airflow's own tables and the fetched
databases are not in it: they can be had again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import structlog
from sqlalchemy import make_url, text
from upath import UPath

import ecg_core
from ecg_core import depot
from ecg_core.errors import BackupError
from ecg_core.operations.sealed import MAGIC, Sealing, Unsealing
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.stack.cluster import installation
from ecg_core.store import counts, outbox
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.migrate import MIGRATIONS_DIR

log = structlog.get_logger(__name__)

_FOLDERS: Final = ("recordings", "reports", "models")
_KEY: Final = "pseudonym.key"
_DUMP: Final = "database.dump"
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: number and bytes of its files, rows by table, and when it was made."""

    address: str
    n_files: int
    n_bytes: int
    rows: dict[str, int]
    made_at: str


def back_up(settings: Settings, address: str, passphrase: str | None = None) -> Backup:
    """Write a backup to a file or an object-store address; it stands there whole, or not at all.

    Parameters
    ----------
    settings : Settings
    address : str
        It must not exist yet.
    passphrase : str, optional
        Encrypts it. Without one it holds the pseudonyms' key readably.

    Raises
    ------
    BackupError
        The address is taken, or the database cannot be dumped.
    """
    target = UPath(address)
    if target.exists():
        raise BackupError(f"{address} exists already.", "Give another name: a backup overwrites nothing.")
    settings.pseudonym_secret()  # so that there is a key to keep
    with tempfile.TemporaryDirectory(prefix="ecg-backup-") as folder:
        dump = Path(folder) / _DUMP
        with store_engine(settings).connect() as connection:
            rows = counts(connection)
        _postgres(settings, "pg_dump", ["--format=custom", "--schema=ecg", "--schema=ecg_mart", f"--file={dump}"])
        with _whole(target) as out:
            sealed = Sealing(out, passphrase) if passphrase else None
            with tarfile.open(fileobj=sealed or out, mode="w|") as archive:  # type: ignore[call-overload]
                hashes = dict(_add(archive, [(_DUMP, UPath(dump)), *_files(settings)]))
                made = {"made_at": datetime.now(UTC).isoformat(), "code": ecg_core.__version__}
                manifest = {
                    **made,
                    "rows": rows,
                    "files": hashes,
                    "key_from_setting": settings.pseudonym_key is not None,
                }
                _add_bytes(archive, _MANIFEST, json.dumps(manifest).encode())
            if sealed:
                sealed.close()
    size = int(target.stat().st_size)
    with store_engine(settings).begin() as connection:
        outbox.give_sign(connection, "backup", {"bytes": size})
    log.info("backed up", files=len(hashes), bytes=size)
    return Backup(address, len(hashes), size, rows, str(manifest["made_at"]))


def restore(settings: Settings, address: str, passphrase: str | None = None) -> Backup:
    """Bring back a backup into a home and a database that hold no recordings, and check that all of it is there.

    The schema is brought up to date where the backup is of an earlier release.

    Raises
    ------
    BackupError
        Home or database hold something, the passphrase is missing or wrong, a file is damaged or missing, or the
        database took not all rows. Home and database are as empty then as before.
    """
    _refuse_what_is_in_use(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.home) as folder:
        found = _unpack(UPath(address), Path(folder), passphrase)
        _load(settings, Path(folder) / _DUMP)
        prepare_database(settings)
        with owner_engine(settings).connect() as connection:
            there = counts(connection)
        short = [name for name, n in found["rows"].items() if there.get(name, 0) < n]
        if short:
            raise BackupError(f"After the restore rows are missing in {', '.join(short)}.", "Take another copy.")
        for name in (*_FOLDERS, _KEY):
            source = Path(folder) / name
            if source.exists():
                shutil.rmtree(settings.home / name, ignore_errors=True)
                source.rename(settings.home / name)
        for name in found["files"] if settings.store else ():
            if name.startswith(_FOLDERS):
                depot.put(settings, settings.home / name)
    n_bytes = int(UPath(address).stat().st_size)
    log.info("restored", files=len(found["files"]), made_at=found["made_at"])
    return Backup(address, len(found["files"]), n_bytes, found["rows"], str(found["made_at"]))


def _refuse_what_is_in_use(settings: Settings) -> None:
    used = [name for name in _FOLDERS if any((settings.home / name).rglob("*.*"))]
    used += ["the store"] if any(depot.files(settings, _FOLDERS)) and settings.store else []
    with owner_engine(settings).connect() as connection:
        made = connection.execute(text("SELECT to_regclass('ecg.ingest_ledger')")).scalar() is not None
        if made and connection.execute(text("SELECT count(*) FROM ecg.ingest_ledger")).scalar_one():
            used.append("the database")
    if used:
        raise BackupError(
            f"A restore needs an empty home and database; there is something in {', '.join(used)}.",
            "Set ECG_HOME to a new folder (and ECG_DATABASE_URL to an empty database), then restore.",
        )


def _files(settings: Settings) -> Iterator[tuple[str, UPath]]:
    if (settings.home / _KEY).is_file():
        yield _KEY, UPath(settings.home / _KEY)
    yield from depot.files(settings, _FOLDERS)


def _add(archive: tarfile.TarFile, files: Iterable[tuple[str, UPath]]) -> Iterator[tuple[str, str]]:
    for name, path in files:
        content = path.read_bytes()
        _add_bytes(archive, name, content)
        yield name, hashlib.sha256(content).hexdigest()


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o600) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


@contextmanager
def _whole(target: UPath) -> Iterator[IO[bytes]]:
    """Write under a temporary name on a disk; an object store shows an object when it is complete."""
    on_disk = target.protocol in ("", "file")
    part = target.with_name(f".{target.name}.part") if on_disk else target
    if on_disk:
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as out:
            yield out
        if on_disk:
            os.chmod(str(part.path), 0o600)
            part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _unpack(source: UPath, folder: Path, passphrase: str | None) -> dict[str, Any]:
    """Unpack into a folder, hold every file against the manifest, and return that."""
    broken = f"{source} is no whole backup"
    try:
        with source.open("rb") as stream:
            start = stream.read(len(MAGIC))
            if start == MAGIC:
                if not passphrase:
                    raise BackupError(f"{source} is encrypted.", "Give its passphrase (--passphrase-file).")
                readable: Any = Unsealing(stream, passphrase)
            else:
                stream.seek(0)
                readable = stream
            with tarfile.open(fileobj=readable, mode="r|") as archive:
                archive.extractall(folder, filter="data")
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BackupError(f"{broken}: {type(error).__name__}.", "Take another copy.") from None
    for name, sha256 in manifest["files"].items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise BackupError(
                f"{broken}: {name.split('/')[0]} holds a file that is not what was written.", "Take another."
            )
    return manifest


def _load(settings: Settings, dump: Path) -> None:
    with owner_engine(settings).begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS ecg_mart, ecg CASCADE"))
        connection.connection.cursor().execute((MIGRATIONS_DIR.parent / "roles" / "roles.sql").read_text("utf-8"))
    _postgres(settings, "pg_restore", ["--exit-on-error", "--single-transaction", str(dump)])


def _postgres(settings: Settings, program: str, arguments: list[str]) -> None:
    """Run one of Postgres' own programs on the results database; the password goes by the environment."""
    url = make_url(str(settings.database_url))
    where = ["--host", str(url.host), "--port", str(url.port or 5432), "--username", str(url.username)]
    done = subprocess.run(
        [str(installation() / "bin" / program), *where, "--no-password", "--dbname", str(url.database), *arguments],
        env={"PGPASSWORD": str(url.password or ""), "PATH": os.environ.get("PATH", os.defpath)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(
            f"{program} failed: {done.stderr.strip()[-600:]}",
            "Mend what it names; `ecg db check` looks at the database.",
        )
