"""Which format a file is in, and reading it: the one place that knows all formats.

Another format is one module with a function like `read_wfdb`, and one row in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from upath import UPath

from ecg_core.errors import IncompleteRecording, UnsupportedFormat
from ecg_core.formats.access import as_recording_error
from ecg_core.formats.apple_watch import is_apple_watch, read_apple_watch
from ecg_core.formats.archives import is_archive, unpacked
from ecg_core.formats.assembling import identity_of_file
from ecg_core.formats.cardiosoft import is_cardiosoft, read_cardiosoft
from ecg_core.formats.datakit import KIT_FORMATS
from ecg_core.formats.dicom_waveform import is_dicom, read_dicom
from ecg_core.formats.edf import is_edf, read_edf
from ecg_core.formats.inbox import find_candidates
from ecg_core.formats.ishne import is_ishne, read_ishne
from ecg_core.formats.phone_json import is_json, read_json
from ecg_core.formats.profile import lend_profile
from ecg_core.formats.schiller import is_schiller, read_schiller
from ecg_core.formats.tables import is_table, read_table
from ecg_core.formats.wfdb_record import ANNOTATION_SUFFIXES, AWAITS_HEADER, SIGNAL_SUFFIXES, beside, read_wfdb
from ecg_core.recording import Recording

_SNIFF_BYTES = 16384


@dataclass(frozen=True, slots=True)
class Format:
    """A file format that is read.

    Attributes
    ----------
    title : str
        As a user would call it.
    recognises : callable
        ``(suffix in lower case, the file's first 16384 bytes) -> bool``.
    read : callable
        ``(path, pseudonym key, recording id or None) -> Recording``; raises `RecordingError` alone.
    """

    title: str
    recognises: Callable[[str, bytes], bool]
    read: Callable[[Path, bytes, str | None], Recording]


FORMATS: tuple[Format, ...] = (
    Format("WFDB (a .hea header with its signal files)", lambda suffix, head: suffix == ".hea", read_wfdb),
    Format("DICOM waveform", is_dicom, read_dicom),
    Format("EDF, EDF+ and BDF", is_edf, read_edf),
    Format("ISHNE", is_ishne, read_ishne),
    Format("the CSV that Apple's Health app exports", is_apple_watch, read_apple_watch),
    Format("Schiller XML", is_schiller, read_schiller),
    Format("GE CardioSoft XML", is_cardiosoft, read_cardiosoft),
    *(Format(kit.title, kit.recognises, kit.read) for kit in KIT_FORMATS if kit.name != "mfer"),
    Format("JSON that states its rate and unit", is_json, read_json),
    Format("CSV that states its rate and unit, or has a profile", is_table, read_table),
    # Last: MFER has no mark of its own, only definitions that could be one.
    *(Format(kit.title, kit.recognises, kit.read) for kit in KIT_FORMATS if kit.name == "mfer"),
)


def read_recording(path: Path, pseudonym_key: bytes, recording_id: str | None = None) -> Recording:
    """Read one recording, whatever its format.

    Parameters
    ----------
    path : Path
        Its main file, or for WFDB one of its signal or annotation files.
    pseudonym_key : bytes
        Key of the patients' pseudonyms; several, a line each, the newest first.
    recording_id : str, optional
        The content's SHA-256 where it is known already; computed otherwise.

    Returns
    -------
    Recording
        Signal as float32 (n_samples, n_leads) in millivolts, ECG leads alone; NaN where a sample is missing or stands
        at the limit of the ADC's range.

    Raises
    ------
    UnsupportedFormat, CorruptHeader, IncompleteRecording, TruncatedSignal, UnusableSignal
        Each says what is wrong and what would mend it, without the file's name: it may hold a patient's.
    OSError
        What says nothing about the recording: a full disk, a lost mount. Trying again can help.
    """
    try:
        main = _main_file(path)
        head = _head(main)
        if not head:
            raise IncompleteRecording("The file is empty.", "Send it again: the transfer may have broken off.")
        if is_archive(head):
            with unpacked(main) as folder:
                lend_profile(main, folder)
                inner = _only_recording(folder)
                return _read(inner, _head(inner), pseudonym_key, identity_of_file(main, recording_id))
        return _read(main, head, pseudonym_key, recording_id)
    except OSError as error:
        raise as_recording_error(error, path.parent) from None


def _read(main: Path, head: bytes, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    suffix = main.suffix.lower()
    form = _format_of(suffix, head)
    if form is not None:
        # Absurd gains overflow: what comes of that is told of the signal, not on a terminal.
        with np.errstate(over="ignore", invalid="ignore"):
            return form.read(main, pseudonym_key, recording_id)
    if suffix in AWAITS_HEADER:
        raise IncompleteRecording("A signal or annotation file has come without its header (.hea).", "Send all files.")
    raise UnsupportedFormat(
        "The file is no ECG in a format that is read here.",
        f"What is read: {'; '.join(form.title for form in FORMATS)}; each also in a .zip, .tar.gz or .gz.",
    )


def _format_of(suffix: str, head: bytes) -> Format | None:
    return next((form for form in FORMATS if form.recognises(suffix, head)), None)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_SNIFF_BYTES)


def _only_recording(folder: Path) -> Path:
    """Return the main file of the one recording in an unpacked archive; what is no ECG beside it does not count."""
    found = []
    for candidate in find_candidates(UPath(folder)):
        main = Path(str(candidate.files[0]))
        head = _head(main)
        if head and _format_of(main.suffix.lower(), head) is not None:
            found.append(main)
    if len(found) == 1:
        return found[0]
    raise UnsupportedFormat(
        f"The archive holds {len(found)} recordings that are read here, where it should hold one.",
        "Send an archive for each recording, or send them unpacked.",
    )


def _main_file(path: Path) -> Path:
    """Return the header, where `path` is a signal or annotation file beside one."""
    if path.suffix.lower() in SIGNAL_SUFFIXES | ANNOTATION_SUFFIXES and path.parent.is_dir():
        header = beside(path, f"{path.stem}.hea")
        if header.is_file():
            return header
    if path.exists() and not path.is_file():
        raise UnsupportedFormat("This is a folder or a device, not a file.", "Name the recording's file.")
    return path
