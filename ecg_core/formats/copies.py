"""The one process that reads files for this one, and where our copies of recordings lie."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from ecg_core import depot
from ecg_core.errors import CopyDamaged, MachineError
from ecg_core.formats import Prepared, ReadingLimits, ReadingProcess, publish
from ecg_core.formats.staging import LEFT_OVER, is_content
from ecg_core.settings import Settings


def reader(settings: Settings) -> ReadingProcess:
    """Return the process that reads files within the limits of the settings; it starts at its first use."""
    return _reader(ReadingLimits(settings.read_memory_mb, settings.read_time_s, settings.read_size_mb))


@lru_cache(maxsize=4)
def _reader(limits: ReadingLimits) -> ReadingProcess:
    process = ReadingProcess(limits)
    atexit.register(process.close)
    return process


def copy_of(settings: Settings, staged_path: str) -> Path:
    """Return our copy of a recording.

    Raises
    ------
    MachineError
        The folder of all copies, or the store, is out of sight.
    CopyDamaged
        This copy is gone, the others are there.
    """
    folder, path = settings.recordings_dir, settings.recordings_dir / staged_path
    if path.is_file() or _brought(settings, path):
        return path
    if settings.store:
        raise damaged_copy()
    if not folder.is_dir() or not any(folder.iterdir()):
        raise MachineError(
            f"The copies of recordings ({folder}) are out of sight.", "Mount their disk; nothing else is wrong."
        )
    raise damaged_copy()


def _brought(settings: Settings, path: Path) -> bool:
    """Bring a copy from the store that all machines share; what is not what its name says is taken out of it."""
    if not settings.store:
        return False
    settings.recordings_dir.mkdir(parents=True, exist_ok=True)
    copy, scratch = path.parent, Path(tempfile.mkdtemp(prefix=LEFT_OVER, dir=settings.recordings_dir))
    try:
        if not depot.bring_folder(settings, copy, scratch):
            return False
        if not is_content(scratch, path.name, copy.name):
            depot.remove(settings, copy)
            return False
        publish(Prepared(copy.name, scratch, path.name), settings.recordings_dir)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return path.is_file()


def damaged_copy() -> CopyDamaged:
    """Return the fault of a recording whose copy with us is gone."""
    return CopyDamaged(
        "Our own copy of it is gone or not whole.",
        "It is copied again by itself from the inbox; where it lies there no more, send it again.",
    )
