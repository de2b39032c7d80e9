"""What lies in an inbox: one pass over a folder or an object store, and the files sorted into recordings.

Each entry is its own: one that may not be read, or goes away meanwhile, is told and stops no other. Links that lead out
of the inbox are not followed, and what is no plain file is not opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, Final, cast

from upath import UPath

from ecg_core.errors import CorruptHeader
from ecg_core.formats.profile import FOLDER_PROFILE, NO_PROFILES, PROFILED_SUFFIXES, Profiles, own_profile_name
from ecg_core.formats.wfdb_header import MAX_HEADER_BYTES, parse_header
from ecg_core.formats.wfdb_record import ANNOTATION_SUFFIXES, AWAITS_HEADER

_UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".download", "~")
_OF_THE_SYSTEM: Final = ("lost+found", "$RECYCLE.BIN", "System Volume Information")
_STANDS_ALONE: Final = frozenset(".hea .edf .bdf .dcm .xml .csv .tsv .txt .json .zip .gz .tgz .scp .mwf".split())
"""Files that are recordings of their own, whatever a header says of them."""
_REASON: Final = {
    "PermissionError": "It may not be read: give the user of the platform the right to.",
    "FileNotFoundError": "It went away while it was looked at.",
}


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
    parts : tuple of str
        Names of the files beside the main one, relative to the inbox.
    marks : tuple of tuple of int
        Of each file on a disk: size, times of modification and change (ns), inode. Empty for an object store.
    stamp : str
        Of all files' names and marks: what is replaced has another one, also where size and modification time are the
        same.
    """

    name: str
    files: tuple[UPath, ...]
    missing: tuple[str, ...]
    changed_at: float
    size_bytes: int
    parts: tuple[str, ...] = ()
    marks: tuple[tuple[int, ...], ...] = ()
    stamp: str = ""

    @property
    def on_disk(self) -> bool:
        """Whether it lies in a folder, not in an object store."""
        return bool(self.marks)


Known = Callable[[str], tuple[str, tuple[str, ...]] | None]
"""Of a main file that was read before, by `Candidate.name`: its stamp and parts then."""
_Found = tuple[list[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Told:
    """An entry that is not taken, or a file that belongs to none: what it is called, and why."""

    name: str
    code: str
    reason: str


@dataclass(slots=True)
class Look:
    """What one look found: each file is part of a candidate, known and unchanged, told, or left out by a rule.

    Attributes
    ----------
    candidates : list of Candidate
        By name; without those that are known.
    unchanged : list of str
        Main files whose stamp is the known one.
    told : list of Told
        Entries that could not be looked at, or are not taken; each can be mended.
    ignored : list of Told
        Files that a rule leaves out: hidden, unfinished, annotations beside a record, folders of the system.
    """

    candidates: list[Candidate] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    ignored: list[Told] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _File:
    path: str | UPath
    size_bytes: int
    changed_at: float
    mark: tuple[object, ...]

    def upath(self) -> UPath:
        return UPath(self.path)


def find_candidates(inbox: UPath, profiles: Profiles = NO_PROFILES) -> list[Candidate]:
    """List the recordings in an inbox, by name; see `look_at`."""
    return look_at(inbox, profiles).candidates


def look_at(inbox: UPath, profiles: Profiles = NO_PROFILES, known: Known = lambda name: None) -> Look:
    """Look at everything in an inbox.

    Parameters
    ----------
    inbox : UPath
        A folder or an object-store address; it need not exist. Folders within are walked too, links to folders not.
    profiles : callable, optional
        The profiles (`ecg_core.formats.profile.profiles_of`) of tables that have none in the inbox.
    known : callable, optional
        Main files that have not changed since are not opened.

    Returns
    -------
    Look
        Signal files belong to their header, and the profile of a CSV or JSON file to it. A file that can be a
        recording of its own is one, also where a header names it; so is each segment of a record in segments.

    Raises
    ------
    OSError
        The inbox is out of reach.
    """
    look = Look()
    listed = dict(_list_files(inbox, look))
    files = {name: file for name, file in listed.items() if _counts(name, look)}
    lower = _by_lower_name(files)
    taken = {profile for name in files if (profile := _profile_name(name, listed)) is not None}
    headers = {name for name in files if name.lower().endswith(".hea")}
    stems = {os.path.splitext(name)[0] for name in headers}
    for name in sorted(headers):
        taken |= _sort_in(look, name, files, known, partial(_of_header, name, files, lower, look))
    for name in files:
        stem, suffix = os.path.splitext(name)
        if name in taken or name in headers:
            continue
        if suffix.lower() in ANNOTATION_SUFFIXES and stem in stems:
            look.ignored.append(Told(_printable(name), "annotation", "Annotations beside a record are not read."))
            continue
        profile = _profile_name(name, listed) or _site_profile(inbox, name, profiles, listed)
        awaits = suffix.lower() in AWAITS_HEADER and stem not in stems
        missing = (PurePosixPath(stem).name + ".hea",) if awaits else ()
        _sort_in(look, name, listed, known, partial(_found, [profile] if profile else [], missing))
    look.candidates.sort(key=lambda candidate: candidate.name)
    return look


def _sort_in(
    look: Look, name: str, files: dict[str, _File], known: Known, find: Callable[[], _Found | None]
) -> set[str]:
    """Add a main file to what was found; return the parts that are no recordings of their own."""
    label = _printable(name)
    stamp, parts = known(label) or ("", ())
    if stamp and all(part in files for part in parts) and _stamp([name, *parts], files) == stamp:
        look.unchanged.append(label)
    else:
        found = find()
        if found is None:
            return set()
        parts = tuple(found[0])
        look.candidates.append(_candidate(name, parts, found[1], files))
    return {part for part in parts if os.path.splitext(part)[1].lower() not in _STANDS_ALONE}


def _found(parts: list[str], missing: tuple[str, ...]) -> _Found:
    return parts, missing


def _of_header(name: str, files: dict[str, _File], lower: dict[str, str], look: Look) -> _Found | None:
    """Names of a header's signal files, and which are missing; None where the header itself cannot be read."""
    main = files[name]
    try:
        if main.size_bytes > MAX_HEADER_BYTES:
            return [], ()
        with _opened(main) as stream:
            header = parse_header(stream.read(MAX_HEADER_BYTES + 1))
    except CorruptHeader:
        return [], ()  # reading says what is wrong
    except OSError as error:
        look.told.append(_told(name, error))
        return None
    folder = name.rpartition("/")[0]
    beside = {file: f"{folder}/{file}" if folder else file for file in header.files}
    # A name's case is often lost on the way.
    there = {file: path if path in files else lower.get(path.lower(), "") for file, path in beside.items()}
    return [path for path in there.values() if path], tuple(file for file, path in there.items() if not path)


def _opened(file: _File) -> IO[bytes]:
    if isinstance(file.path, str):
        return os.fdopen(os.open(file.path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    return cast(IO[bytes], file.path.open("rb"))


def _by_lower_name(files: dict[str, _File]) -> dict[str, str]:
    """Return names by their lower case, where only one name has it."""
    lower: dict[str, str] = {}
    for name in files:
        lower[name.lower()] = "" if name.lower() in lower else name
    return lower


def _profile_name(name: str, listed: dict[str, _File]) -> str | None:
    """Name of the profile that holds for a table: its own, or its folder's."""
    if os.path.splitext(name)[1].lower() not in PROFILED_SUFFIXES:
        return None
    folder = name.rpartition("/")[0]
    of_folder = f"{folder}/{FOLDER_PROFILE}" if folder else FOLDER_PROFILE
    return next((profile for profile in (own_profile_name(name), of_folder) if profile in listed), None)


def _site_profile(inbox: UPath, name: str, profiles: Profiles, listed: dict[str, _File]) -> str | None:
    """List the site's profile for a table of this name, and return what it is called in the list."""
    is_table = os.path.splitext(name)[1].lower() in PROFILED_SUFFIXES
    found = profiles(f"{str(inbox).rstrip('/')}/{name}") if is_table else None
    if found is None:
        return None
    facts = found.stat()
    mark = facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino
    listed[f"../{found.name}"] = _File(str(found), facts.st_size, facts.st_mtime, mark)
    return f"../{found.name}"


def _candidate(name: str, parts: tuple[str, ...], missing: tuple[str, ...], files: dict[str, _File]) -> Candidate:
    of_it = [files[name], *(files[part] for part in parts)]
    return Candidate(
        name=_printable(name),
        files=tuple(file.upath() for file in of_it),
        missing=missing,
        changed_at=max(file.changed_at for file in of_it),
        size_bytes=sum(file.size_bytes for file in of_it),
        parts=tuple(_printable(part) for part in parts),
        marks=tuple(file.mark for file in of_it) if isinstance(of_it[0].path, str) else (),  # type: ignore[misc]
        stamp=_stamp([name, *parts], files, missing),
    )


def _stamp(names: list[str], files: dict[str, _File], missing: tuple[str, ...] = ()) -> str:
    marks = repr([*((name, files[name].mark) for name in names), *missing])
    return hashlib.blake2b(marks.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _printable(name: str) -> str:
    """Names that are no UTF-8 cannot be stored; the path itself stays as it is."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _counts(name: str, look: Look) -> bool:
    """Whether a file can be a recording; if not, say by which rule."""
    if any(part.startswith(".") for part in name.split("/")):
        if name.rpartition("/")[2] != FOLDER_PROFILE:
            look.ignored.append(Told(_printable(name), "hidden", "Its name begins with a dot."))
        return False
    if name.lower().endswith(_UNFINISHED):
        look.ignored.append(Told(_printable(name), "unfinished", "Its name is that of a transfer that goes on."))
        return False
    return True


def _told(name: str, error: OSError) -> Told:
    """Say why an entry cannot be looked at."""
    kind = type(error).__name__
    reason = _REASON.get(kind, f"It cannot be read: {error.strerror or kind}.")
    return Told(_printable(name), "went away" if kind == "FileNotFoundError" else "unreadable", reason)


def _list_files(inbox: UPath, look: Look) -> Iterator[tuple[str, _File]]:
    """Yield (name relative to the inbox, file), each file once."""
    if not inbox.exists():
        return
    if inbox.protocol in ("", "file", "local"):
        yield from _list_local(str(inbox.path), look)
        return
    root = str(inbox.path).strip("/")
    for path, facts in inbox.fs.find(inbox.path, detail=True).items():
        name = path.strip("/").removeprefix(root).strip("/")
        if name:
            size, changed_at = int(facts.get("size") or 0), _unix_seconds(facts)
            mark = size, changed_at, str(facts.get("ETag") or facts.get("etag") or "")
            yield name, _File(inbox / name, size, changed_at, mark)


def _list_local(root: str, look: Look) -> Iterator[tuple[str, _File]]:
    folders = [(root, "")]
    inside = os.path.realpath(root) + "/"
    while folders:
        folder, prefix = folders.pop()
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError as error:
            if not prefix:
                raise
            if not isinstance(error, FileNotFoundError):
                look.told.append(_told(prefix, error))
            continue
        for entry in entries:
            name = prefix + entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name.startswith(".") or entry.name in _OF_THE_SYSTEM:
                        look.ignored.append(Told(f"{_printable(name)}/", "hidden", "A hidden folder, or the system's."))
                    else:
                        folders.append((entry.path, f"{name}/"))
                elif (file := _local_file(entry, name, inside, look)) is not None:
                    yield name, file
            except OSError as error:
                nowhere = Told(_printable(name), "link", "A link that leads nowhere: put the file itself there.")
                look.told.append(nowhere if entry.is_symlink() else _told(name, error))


def _local_file(entry: os.DirEntry[str], name: str, inside: str, look: Look) -> _File | None:
    if entry.is_symlink() and not os.path.realpath(entry.path).startswith(inside):
        reason = "A link that leads out of the inbox is not followed: put the file itself there."
        look.told.append(Told(_printable(name), "link", reason))
        return None
    facts = entry.stat()
    if stat.S_ISDIR(facts.st_mode):
        look.ignored.append(Told(_printable(name), "link", "Links to folders are not followed."))
        return None
    if not stat.S_ISREG(facts.st_mode):
        look.told.append(Told(_printable(name), "special file", "It is no file but a device, pipe or socket."))
        return None
    mark = facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino
    return _File(entry.path, facts.st_size, facts.st_mtime, mark)


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
