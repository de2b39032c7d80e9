"""Which errors of the file system say something about the recording, and which about the machine."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ecg_core.errors import IncompleteRecording

_ABOUT_THE_FILE = {
    errno.ENOENT: "it is not there",
    errno.EACCES: "it may not be read",
    errno.EPERM: "it may not be read",
    errno.ELOOP: "it is a link that leads nowhere",
    errno.ENOTDIR: "its folder is not there",
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "its name is too long",
}


def as_recording_error(error: OSError, folder: Path | None = None) -> Exception:
    """Return the `IncompleteRecording` that says what is wrong with the file, or `error` itself.

    A full disk, a lost mount or too many open files say nothing about the recording: trying again helps there, and
    the recording must not be set aside for it. Neither does a file that is not the recording's, such as a temporary
    one.

    Parameters
    ----------
    error : OSError
    folder : Path, optional
        Where the recording's files lie; left out where it is known that the error is of one of them.
    """
    if folder is not None and (error.filename is None or not Path(os.fsdecode(error.filename)).is_relative_to(folder)):
        return error
    # Object stores raise these classes without a number.
    number = error.errno or {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES}.get(type(error))
    reason = _ABOUT_THE_FILE.get(number) if number else None
    if reason is None:
        return error
    return IncompleteRecording(
        f"A file of the recording cannot be read: {reason}.",
        "Check that all of its files are there and may be read, then send them again.",
    )
