"""PhysioNet databases: only the files that are needed, each checked before it gets its name.

A file is written to ``<name>.part`` and renamed when its SHA-256 is the published one, so a file that has its name is
right. What was checked is noted in ``.fetched.json`` beside the files with size and modification time; a file that has
both unchanged is not hashed again.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from ecg_core.datasets.checked import CheckedFiles, Fetched
from ecg_core.datasets.databases import DATABASES, Database
from ecg_core.datasets.sources import NotThere, Source, open_source
from ecg_core.errors import ChecksumMismatch, DatasetUnavailable

__all__ = ["DATABASES", "Database", "Fetched", "Progress", "fetch"]

_log = structlog.get_logger(__name__)

SUMS = "SHA256SUMS.txt"
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is; `bytes_done` counts what this fetch transferred, not what was there before."""

    files_done: int
    files_total: int
    bytes_done: int


def fetch(
    database: str,
    base: str,
    target_dir: Path,
    on_progress: Callable[[Progress], None] | None = None,
) -> Fetched:
    """Bring a database to ``target_dir``; what is there and right is not fetched again.

    Parameters
    ----------
    database : str
        A key of `DATABASES`.
    base : str
        Folder or http(s) address laid out as PhysioNet's file tree.
    target_dir : Path
    on_progress : callable, optional
        Called now and then, by one thread at a time.

    Raises
    ------
    DatasetUnavailable
        Nothing is there, or the connection is lost for good. What is fetched stays for the next attempt. No error
        where a former fetch was complete: its files are used.
    ChecksumMismatch
        A file is not the published one; it is not kept.
    """
    facts = DATABASES.get(database)
    if facts is None:
        raise DatasetUnavailable(f"No database is called {database!r}.", f"There are: {', '.join(DATABASES)}.")
    folder = target_dir / database / facts.version
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        notes = CheckedFiles(folder)
        try:
            source = open_source(base, f"{database}/{facts.version}")
            try:
                skipped = _bring_all(source, facts, folder, notes, on_progress)
            finally:
                source.close()
        except DatasetUnavailable as error:
            if not notes.complete:
                raise
            _log.warning("fetched_before", database=database, reason=error.what)
            skipped = []
        finally:
            notes.save()
        fetched = notes.summary(tuple(skipped))
    _log.info("fetched", database=database, files=fetched.n_files, bytes=fetched.n_bytes, skipped=len(skipped))
    return fetched


def _bring_all(
    source: Source,
    facts: Database,
    folder: Path,
    notes: CheckedFiles,
    on_progress: Callable[[Progress], None] | None,
) -> list[str]:
    """Bring every wanted file; return the names of those that the source lacks."""
    wanted = _wanted_files(source, facts)
    counter = _Counter(len(wanted), on_progress)
    skipped: list[str] = []

    def bring(name: str) -> None:
        try:
            _bring_one(source, name, wanted[name], folder, notes, counter.add_bytes)
        except NotThere:
            skipped.append(name)
        counter.add_file()

    with ThreadPoolExecutor(_WORKERS) as pool:
        futures = [pool.submit(bring, name) for name in sorted(wanted)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if len(skipped) == len(wanted):
        raise DatasetUnavailable("The base has none of the database's files.", "Set ECG_PHYSIONET_BASE to another.")
    notes.keep_only(set(wanted) - set(skipped))
    return sorted(skipped)


def _wanted_files(source: Source, facts: Database) -> dict[str, str | None]:
    """Needed files with their published SHA-256, None where none is published."""
    pattern = re.compile(facts.wanted)
    try:
        published = _parse_sums(source.text(SUMS))
    except NotThere:
        names = source.names()
        published = dict.fromkeys(_named_by_records(source, facts) if names is None else names)
    wanted = {name: digest for name, digest in published.items() if pattern.fullmatch(name)}
    if not wanted:
        raise DatasetUnavailable("The base has none of the database's files.", "Set ECG_PHYSIONET_BASE to another.")
    return wanted


def _parse_sums(text: str) -> dict[str, str | None]:
    lines = [re.fullmatch(r"([0-9a-f]{64})[ \t]+\*?(\S.*?)\s*", line) for line in text.splitlines()]
    return {match[2].removeprefix("./"): match[1] for match in lines if match}


def _named_by_records(source: Source, facts: Database) -> list[str]:
    try:
        records = source.text("RECORDS").split()
    except NotThere:
        raise DatasetUnavailable(
            f"The base has neither {SUMS} nor RECORDS, so it cannot be known what to fetch.",
            "Set ECG_PHYSIONET_BASE to another, or to a folder.",
        ) from None
    return [record + suffix for record in records for suffix in facts.record_suffixes]


def _bring_one(
    source: Source, name: str, published: str | None, folder: Path, notes: CheckedFiles, on_bytes: Callable[[int], None]
) -> None:
    """Make ``folder/name`` the right file, doing as little as can be."""
    version = None if published else source.version_of(name)
    if notes.holds(name, published, version):
        return
    path, part = folder / name, folder / f"{name}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    if published and path.is_file() and _sha256(path) == published:
        notes.add(name, published, version)
        return
    if not published:
        # Nothing would tell the rest of an older version from the rest of this one.
        part.unlink(missing_ok=True)
    began_anew = not part.exists()
    source.download(name, part, on_bytes)
    digest = _sha256(part)
    if published and digest != published and not began_anew:
        # The beginning, left by a former fetch, was wrong: once more from the start.
        part.unlink()
        source.download(name, part, on_bytes)
        digest = _sha256(part)
    if published and digest != published:
        part.unlink()
        raise ChecksumMismatch(
            f"{name} is not the published file: its SHA-256 differs.", "Fetch again, or from another base."
        )
    part.replace(path)
    notes.add(name, digest, version)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Counter:
    """Counts files and bytes over all threads."""

    def __init__(self, files_total: int, on_progress: Callable[[Progress], None] | None) -> None:
        self._lock = threading.Lock()
        self._files, self._total, self._bytes = 0, files_total, 0
        self._on_progress = on_progress

    def add_bytes(self, n_bytes: int) -> None:
        self._add(0, n_bytes)

    def add_file(self) -> None:
        self._add(1, 0)

    def _add(self, n_files: int, n_bytes: int) -> None:
        with self._lock:
            self._files += n_files
            self._bytes += n_bytes
            if self._on_progress is not None:
                self._on_progress(Progress(self._files, self._total, self._bytes))


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One fetch at a time into a folder, over all processes; the lock goes with the process."""
    with (folder / ".fetch.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
