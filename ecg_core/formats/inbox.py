"""What lies in an inbox: one pass over a folder or an object store, and the files sorted into recordings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import structlog
from upath import UPath

from ecg_core.errors import CorruptHeader
from ecg_core.formats.profile import FOLDER_PROFILE, PROFILED_SUFFIXES, own_profile_name, site_profile
from ecg_core.formats.wfdb_header import MAX_HEADER_BYTES, parse_header
from ecg_core.formats.wfdb_record import ANNOTATION_SUFFIXES, AWAITS_HEADER

_log = structlog.get_logger(__name__)

_UNFINISHED = (".tmp", ".part", "~")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One recording as it lies in an inbox.

    Attributes
    ----------
    name : str
        Main file's path relative to the inbox (``"ward3/100.hea"``).
    files : tuple of UPath
        Main file first, then the signal files in the header's order, or the profile of a table.
    missing : tuple of str
        Files that the header names, or the header that a signal file needs, and that are not there.
    changed_at : float
        Newest modification time of the files, Unix seconds.
    size_bytes : int
        Of all files together.
    """

    name: str
    files: tuple[UPath, ...]
    missing: tuple[str, ...]
    changed_at: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _File:
    path: UPath
    size_bytes: int
    changed_at: float


def find_candidates(inbox: UPath, profiles: Path | None = None) -> list[Candidate]:
    """List the recordings in an inbox.

    Parameters
    ----------
    inbox : UPath
        A folder or an object-store address; it need not exist. Folders within are walked too, links to folders not.
    profiles : Path, optional
        The site's folder of profiles (`ecg_core.formats.profile`), for tables that have none in the inbox.

    Returns
    -------
    list of Candidate
        By name. Hidden files and unfinished ones (``*.tmp``, ``*.part``, ``*~``) are left out. Signal and annotation
        files that belong to a header are part of it, and so is the profile of a CSV or JSON file; every other file is a
        candidate, ECG or not.

    Raises
    ------
    OSError
        The inbox is out of reach.
    """
    listed = dict(_list_files(inbox))
    files = {name: file for name, file in listed.items() if _counts(name)}
    candidates, taken = [], set[str]()
    beside = {name: profile for name in files if (profile := _profile_name(name, listed)) is not None}
    taken |= set(beside.values())
    for name in files:
        if name.lower().endswith(".hea"):
            candidate, members = _wfdb_candidate(name, files)
            candidates.append(candidate)
            taken |= members
    # Segments of a record in segments belong to its header.
    candidates = [candidate for candidate in candidates if candidate.name not in taken]
    stems = {os.path.splitext(name)[0] for name in files if name.lower().endswith(".hea")}
    for name, file in files.items():
        stem, suffix = os.path.splitext(name)
        belongs = suffix.lower() in ANNOTATION_SUFFIXES and stem in stems
        if name in taken or belongs or suffix.lower() == ".hea":
            continue
        awaits = suffix.lower() in AWAITS_HEADER and stem not in stems
        missing = (PurePosixPath(stem).name + ".hea",) if awaits else ()
        held = listed[beside[name]] if name in beside else _site_profile(name, profiles)
        candidates.append(_candidate(name, [file, *([held] if held else [])], missing))
    return sorted(candidates, key=lambda candidate: candidate.name)


def _profile_name(name: str, listed: dict[str, _File]) -> str | None:
    """Name of the profile that holds for a table: its own, or its folder's."""
    if os.path.splitext(name)[1].lower() not in PROFILED_SUFFIXES:
        return None
    folder = name.rpartition("/")[0]
    of_folder = f"{folder}/{FOLDER_PROFILE}" if folder else FOLDER_PROFILE
    return next((profile for profile in (own_profile_name(name), of_folder) if profile in listed), None)


def _site_profile(name: str, profiles: Path | None) -> _File | None:
    """Return the site's profile for a table in a folder of this name."""
    is_table = os.path.splitext(name)[1].lower() in PROFILED_SUFFIXES
    found = site_profile(profiles, PurePosixPath(name).parent.name) if is_table else None
    if found is None:
        return None
    facts = found.stat()
    return _File(UPath(found), facts.st_size, facts.st_mtime)


def _wfdb_candidate(name: str, files: dict[str, _File]) -> tuple[Candidate, set[str]]:
    """Return the recording of a header, and the names of the files that belong to it."""
    main = files[name]
    try:
        if main.size_bytes > MAX_HEADER_BYTES:
            return _candidate(name, [main], ()), set()
        header = parse_header(main.path.read_bytes())
    except (CorruptHeader, FileNotFoundError, PermissionError):
        # Reading says what is wrong; a header that vanished is no longer there at the next look.
        return _candidate(name, [main], ()), set()
    wanted = header.files or tuple(f"{segment}.hea" for segment in header.segments if segment != "~")
    folder = name.rpartition("/")[0]
    beside = {file: f"{folder}/{file}" if folder else file for file in wanted}
    there = [path for path in beside.values() if path in files]
    missing = tuple(file for file, path in beside.items() if path not in files)
    return _candidate(name, [main, *(files[path] for path in there)], missing), set(there) - {name}


def _candidate(name: str, files: list[_File], missing: tuple[str, ...]) -> Candidate:
    return Candidate(
        # Names that are no UTF-8 cannot be stored; the path itself stays as it is.
        name=name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
        files=tuple(file.path for file in files),
        missing=missing,
        changed_at=max(file.changed_at for file in files),
        size_bytes=sum(file.size_bytes for file in files),
    )


def _counts(name: str) -> bool:
    return not name.endswith(_UNFINISHED) and not any(part.startswith(".") for part in name.split("/"))


def _list_files(inbox: UPath) -> Iterator[tuple[str, _File]]:
    """Yield (name relative to the inbox, file), each file once."""
    if not inbox.exists():
        return
    if inbox.protocol in ("", "file", "local"):
        yield from _list_local(inbox, str(inbox.path), "")
        return
    root = str(inbox.path).strip("/")
    for path, facts in inbox.fs.find(inbox.path, detail=True).items():
        name = path.strip("/").removeprefix(root).strip("/")
        if name:
            yield name, _File(inbox / name, int(facts.get("size") or 0), _unix_seconds(facts))


def _list_local(inbox: UPath, folder: str, prefix: str) -> Iterator[tuple[str, _File]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    yield from _list_local(inbox, entry.path, f"{name}/")
                continue
            try:
                facts = entry.stat()
            except OSError as error:
                # A link that leads nowhere, or a file that vanished.
                _log.warning("inbox_entry_skipped", reason=error.strerror)
                continue
            if stat.S_ISREG(facts.st_mode):
                yield name, _File(UPath(entry.path), facts.st_size, facts.st_mtime)


def _unix_seconds(facts: dict[str, Any]) -> float:
    """Modification time as file systems of fsspec give it: each under its own name, as number, date or text."""
    for key in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        value = facts.get(key)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return 0.0
