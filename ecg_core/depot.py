"""What all machines share: recordings, reports and model versions, under the one address ``ECG_STORE``.

Every machine works on files of its own home folder. Where ``ECG_STORE`` names a folder or an object store, what is to
last is put there before a row speaks of it, and the home folder is a cache: what it lacks is brought. What is brought
is held against its hash by whoever knows it: a recording is named by that of its content, a version's manifest holds
that of each file, a report's row that of its bytes.

A file is written under a temporary key and then given its own; of a folder the main file comes last, so that a folder
whose main file is there is whole. Without ``ECG_STORE`` the home folder is all there is, and nothing is put or brought.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from upath import UPath

from ecg_core.errors import MachineError
from ecg_core.files import as_machine_error, make_private
from ecg_core.settings import Settings

WRITING: Final = ".writing"
"""Folder of the temporary keys."""
KEPT_S: Final = 86_400.0
"""So long a copy stays in the cache."""
_TRIM_EVERY_S: Final = 3600.0
_AT_ONCE: Final = 8
"""Folders that are put at a time: each waits for the network most of its time."""


def put(settings: Settings, path: Path) -> None:
    """Put a file of the home folder into the store, whole; what has its name there is replaced.

    Raises
    ------
    MachineError
        The store is out of reach, or full.
    """
    if not settings.store:
        return
    with _reaching(settings):
        target, part = _there(settings, path), _root(settings) / WRITING / secrets.token_hex(16)
        if _on_disk(target):
            _refuse_unmounted(settings)
            for folder in (target.parent, part.parent):
                folder.mkdir(parents=True, exist_ok=True)
        target.fs.put_file(str(path), part.path)
        _rename(part, target)


def _rename(part: UPath, target: UPath) -> None:
    if _on_disk(target):
        os.replace(part.path, target.path)
    else:
        target.fs.cp_file(part.path, target.path)
        target.fs.rm_file(part.path)


def _refuse_unmounted(settings: Settings) -> None:
    if not Path(settings.store).is_dir():
        raise MachineError(f"The store {settings.store} is out of sight.", "Mount it; nothing else is wrong.")


def put_folders(settings: Settings, folders: Sequence[tuple[Path, str]]) -> None:
    """Put folders of the home folder into the store, several at a time; what is there already is left.

    Parameters
    ----------
    settings : Settings
    folders : sequence of tuple
        Each with the name of its main file, which is put last.

    Raises
    ------
    MachineError
        As `put`.
    """
    if settings.store and folders:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda folder: _put_folder(settings, *folder), folders))


def _put_folder(settings: Settings, folder: Path, main: str) -> None:
    with _reaching(settings):
        there = _there(settings, folder / main).exists()
    if not there:
        for path in sorted(folder.iterdir(), key=lambda path: path.name == main):
            put(settings, path)


def exists(settings: Settings, path: Path) -> bool:
    """Whether a file of the home folder is there: here, or in the store."""
    if path.exists() or not settings.store:
        return path.exists()
    with _reaching(settings):
        return bool(_there(settings, path).exists())


def bring(settings: Settings, path: Path) -> bool:
    """Bring a file of the home folder from the store, in place of what is there; False where the store has none.

    Raises
    ------
    MachineError
        The store is out of reach.
    """
    if not settings.store:
        return False
    _make_home(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with _reaching(settings), suppress(FileNotFoundError):
            source = _there(settings, path)
            source.fs.get_file(source.path, str(part))
            part.replace(path)
            return True
    finally:
        part.unlink(missing_ok=True)
    return False


def read_checked(settings: Settings, path: Path, sha256: str) -> bytes | None:
    """Read a file of the home folder, brought from the store where it is not here as it was written.

    Returns
    -------
    bytes or None
        None where neither place has the file with this hash.
    """
    for _ in range(2):
        if path.is_file() and hashlib.sha256(data := path.read_bytes()).hexdigest() == sha256:
            return data
        if not bring(settings, path):
            break
    return None


def bring_folder(settings: Settings, folder: Path, into: Path) -> bool:
    """Bring a folder's files from the store into another folder; False where the store has none, or not all yet.

    Raises
    ------
    MachineError
        As `bring`.
    """
    if not settings.store:
        return False
    with _reaching(settings):
        source = _there(settings, folder)
        if _on_disk(source):
            _refuse_unmounted(settings)
        names = [name.rpartition("/")[2] for name in source.fs.find(source.path)]
        for name in names:
            source.fs.get_file((source / name).path, str(into / name))
    return bool(names)


def remove(settings: Settings, folder: Path) -> int:
    """Remove a folder from the store and from the home folder; how many files. Other caches lose it in `KEPT_S`."""
    n_here = sum(path.is_file() for path in folder.rglob("*")) if folder.is_dir() else 0
    shutil.rmtree(folder, ignore_errors=True)
    if not settings.store:
        return n_here
    with _reaching(settings), suppress(FileNotFoundError):
        gone = _there(settings, folder)
        n_there = len(gone.fs.find(gone.path))
        gone.fs.rm(gone.path, recursive=True)
        return n_there
    return n_here


def files(settings: Settings, folders: Sequence[str]) -> Iterator[tuple[str, UPath]]:
    """Yield what lasts, by its name below the home folder: of the store, or of the home folder where there is none.

    What lies in hidden folders is left out: caches and half of things, which are made again.
    """
    for folder in folders:
        with _reaching(settings):
            base = _root(settings) if settings.store else UPath(settings.home)
            top = (base / folder).path.strip("/")
            found = sorted(base.fs.find((base / folder).path))
        for path in found:
            name = f"{folder}/{path.strip('/').removeprefix(top).strip('/')}"
            if not any(part.startswith(".") for part in name.split("/")):
                yield name, base / name


def prepare_cache(settings: Settings) -> int:
    """Make the cache's folders, and drop what has lain there for a day, once an hour at most; how many.

    Without a store nothing is a cache, and all stays.
    """
    mark = settings.home / ".cache-trimmed"
    if settings.store:
        _make_home(settings)
    if not settings.store or (mark.exists() and time.time() - mark.stat().st_mtime < _TRIM_EVERY_S):
        return 0
    mark.touch()
    before = time.time() - KEPT_S
    old = [
        path
        for path in (*settings.recordings_dir.glob("*/*"), *settings.reports_dir.glob("*/*/*"))
        if path.lstat().st_mtime < before
    ]
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return len(old)


def clear_half_written(settings: Settings) -> int:
    """Remove from the store what a process was killed over, a day ago and longer; how many files."""
    if not settings.store:
        return 0
    with _reaching(settings), suppress(FileNotFoundError):
        writing = _root(settings) / WRITING
        old = [path for path in writing.iterdir() if path.stat().st_mtime < time.time() - KEPT_S]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)
    return 0


def _make_home(settings: Settings) -> None:
    """Make the folders of patients on a machine that never was set up otherwise."""
    if not settings.home.exists():
        make_private(settings.home, settings.private_dirs)


def _root(settings: Settings) -> UPath:
    # What another machine wrote a moment ago must be seen: no listing is remembered.
    address = settings.store.rstrip("/")
    return UPath(address, use_listings_cache=False) if "://" in address else UPath(address)


def _there(settings: Settings, path: Path) -> UPath:
    return _root(settings) / path.relative_to(settings.home).as_posix()


def _on_disk(path: UPath) -> bool:
    return path.protocol in ("", "file", "local")


@contextmanager
def _reaching(settings: Settings) -> Iterator[None]:
    """Say in a sentence that the store is out of reach: each kind of store fails in errors of its own."""
    try:
        yield
    except MachineError:
        raise
    except FileNotFoundError:
        raise MachineError(
            f"The store {settings.store} is out of sight: it has no such bucket or folder.",
            "Make it or mount it, or correct ECG_STORE; nothing is wrong with the recordings.",
        ) from None
    except OSError as error:
        raise as_machine_error(error, f"the store ({settings.store})") from error
    except Exception as error:
        raise MachineError(
            f"The store {settings.store} is out of reach ({type(error).__name__}).",
            "Check its address and keys (ECG_STORE, AWS_… and their like). What waits goes on by itself then.",
        ) from error
