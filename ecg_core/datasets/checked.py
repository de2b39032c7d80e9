"""What was fetched and checked, noted beside the files, so that a file is hashed once and not at every start."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

_log = structlog.get_logger(__name__)

_NOTES = ".fetched.json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched database.

    Attributes
    ----------
    path : Path
        Folder ``<target_dir>/<database>/<version>``.
    n_files, n_bytes : int
        What lies there.
    skipped : tuple of str
        Published files that the base does not have.
    sha256 : str
        Of the list of all files with their SHA-256: the training data's identity.
    """

    path: Path
    n_files: int
    n_bytes: int
    skipped: tuple[str, ...]
    sha256: str


class CheckedFiles:
    """What was checked, with size and modification time, so that it need not be checked again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[str, dict[str, Any]] = {}
        self._was_complete = False
        try:
            noted = json.loads((folder / _NOTES).read_text())
            self._files, self._was_complete = dict(noted["files"]), bool(noted["complete"])
        except (OSError, ValueError, KeyError, TypeError):
            _log.debug("no_notes_of_former_fetch", folder=str(folder))

    @property
    def complete(self) -> bool:
        """Whether a former fetch ended well and all of its files are still as they were."""
        return self._was_complete and bool(self._files) and all(self._unchanged(name) for name in self._files)

    def holds(self, name: str, published: str | None, version: str | None) -> bool:
        """Whether the file is there, checked, unchanged, and what is wanted now."""
        noted = self._files.get(name)
        if noted is None or not self._unchanged(name):
            return False
        return bool(noted["sha256"] == published if published else noted["version"] == version)

    def add(self, name: str, sha256: str, version: str | None) -> None:
        """Note a file that was just checked."""
        facts = (self._folder / name).stat()
        entry = {"sha256": sha256, "size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "version": version}
        with self._lock:
            self._files[name] = entry

    def keep_only(self, names: set[str]) -> None:
        """End a fetch that went well: these files are the database."""
        self._files = {name: entry for name, entry in self._files.items() if name in names}
        self._was_complete = True

    def save(self) -> None:
        """Write the notes."""
        fresh = self._folder / f"{_NOTES}.tmp"
        fresh.write_text(json.dumps({"complete": self._was_complete, "files": self._files}, sort_keys=True))
        fresh.replace(self._folder / _NOTES)

    def summary(self, skipped: tuple[str, ...]) -> Fetched:
        """Sum up what lies in the folder."""
        listing = "".join(f"{self._files[name]['sha256']}  {name}\n" for name in sorted(self._files))
        return Fetched(
            path=self._folder,
            n_files=len(self._files),
            n_bytes=sum(entry["size"] for entry in self._files.values()),
            skipped=skipped,
            sha256=hashlib.sha256(listing.encode()).hexdigest(),
        )

    def _unchanged(self, name: str) -> bool:
        noted = self._files[name]
        try:
            facts = (self._folder / name).stat()
        except OSError:
            return False
        return bool(facts.st_size == noted["size"] and facts.st_mtime_ns == noted["mtime_ns"])
