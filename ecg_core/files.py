"""Files: hashes, and writing that leaves no half."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ecg_core.errors import MachineError

_WHAT_MENDS = {
    errno.ENOSPC: ("is full", "Free space on it."),
    errno.EDQUOT: ("has no room left for this user", "Free space on it, or raise the quota."),
    errno.EROFS: ("can only be read", "Mount it so that it can be written."),
    errno.EACCES: ("may not be written", "Give the user of the platform the right to."),
}


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_about_the_disk(error: OSError) -> bool:
    """Whether it says what a disk lacks, or who may write to it."""
    return _number(error) in _WHAT_MENDS


def _number(error: OSError) -> int:
    """Return its number; libraries put it into words alone, and NumPy says how much it could not write."""
    if re.fullmatch(r"\d+ requested and \d+ written", str(error)):
        return errno.ENOSPC
    return error.errno or next((number for number in _WHAT_MENDS if os.strerror(number) in str(error)), 0)


def as_machine_error(error: OSError, place: str) -> MachineError:
    """Say what a disk lacks that something of ours was to be written to or read from.

    Parameters
    ----------
    error : OSError
    place : str
        What lies there, for instance ``"the copies of recordings (/data/recordings)"``.
    """
    what, mend = _WHAT_MENDS.get(_number(error), (f"fails ({error.strerror or type(error).__name__})", "Check it."))
    return MachineError(
        f"The disk of {place} {what}.", f"{mend} Nothing is wrong with the recordings: they go on when it has passed."
    )


def sync_disk(folder: Path) -> None:
    """Wait until everything that was written to the folder's file system is on its disk."""
    import ctypes

    fd = os.open(folder, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "syncfs"):
            os.sync()
        elif libc.syncfs(fd):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


def make_private(home: Path, folders: Sequence[Path]) -> None:
    """Make folders that are their owner's alone.

    Parameters
    ----------
    home : Path
        Closed too; where root made it, others may walk through it, but not look: root's Postgres runs as another user.
    folders : sequence of Path
    """
    for folder in (home, *folders):
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(0o711 if folder == home and os.geteuid() == 0 else 0o700)
