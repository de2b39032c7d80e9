"""The canonical copy of a recording: neutral names, in a folder named by the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from ecg_core.errors import CorruptHeader
from ecg_core.formats.access import as_recording_error
from ecg_core.formats.inbox import Candidate
from ecg_core.formats.wfdb_header import MAX_HEADER_BYTES, canonical_header, neutral_name, parse_header
from ecg_core.formats.wfdb_record import join_digests

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged recording: its identity (SHA-256, hex) and the canonical copy's main file."""

    recording_id: str
    path: Path


def stage(candidate: Candidate, recordings_dir: Path) -> Staged:
    """Copy a candidate to ``recordings_dir/<id[:2]>/<id>/recording.<ext>``.

    Does nothing where the copy is there already. The content may be anything: what cannot be parsed is staged as it
    is, and `ecg_core.formats.read_recording` says what is wrong with it.

    Parameters
    ----------
    candidate : Candidate
    recordings_dir : Path

    Raises
    ------
    IncompleteRecording
        A file vanished, or may not be read.
    OSError
        The copy cannot be written (a full disk), or the inbox is out of reach.
    """
    recordings_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=recordings_dir))
    try:
        main, recording_id = _fill(candidate, folder)
        target = recordings_dir / recording_id[:2] / recording_id
        if not target.is_dir():
            target.parent.mkdir(exist_ok=True)
            _rename(folder, target)
        return Staged(recording_id, target / main)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(candidate: Candidate, folder: Path) -> tuple[str, str]:
    """Write the copy into `folder`; return the main file's name and the identity."""
    source = candidate.files[0]
    canonical = None if candidate.missing else _canonical(source, candidate)
    if canonical is None:
        main = f"recording{_neutral_suffix(candidate.name)}"
        digest = _copy(source, folder / main)
        profiles = [file for file in candidate.files[1:] if file.name.endswith(".toml")]
        if not profiles or candidate.missing:
            return main, digest.hex()
        # Under another profile the same numbers are another recording.
        return main, join_digests([digest, _copy(profiles[0], folder / "recording.toml")])
    digests = [hashlib.sha256(canonical).digest()]
    for number, file in enumerate(candidate.files[1:]):
        digests.append(_copy(file, folder / neutral_name(number)))
    (folder / "recording.hea").write_bytes(canonical)
    return "recording.hea", join_digests(digests)


def _canonical(source: UPath, candidate: Candidate) -> bytes | None:
    """Return the canonical header; None for what is no usable header, or one that changed since it was listed."""
    if not candidate.name.lower().endswith(".hea"):
        return None
    try:
        with source.open("rb") as stream:
            raw = stream.read(MAX_HEADER_BYTES + 1)
        header = parse_header(raw)
    except CorruptHeader:
        return None
    except OSError as error:
        raise as_recording_error(error) from None
    if header.segments or len(header.files) != len(candidate.files) - 1:
        return None
    return canonical_header(raw, header)


def _copy(source: UPath, target: Path) -> bytes:
    """Copy a file and return its SHA-256."""
    digest = hashlib.sha256()
    try:
        reader = source.open("rb")
    except OSError as error:
        raise as_recording_error(error) from None
    with reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        # The folder's name vouches for its content for good: it must be on the disk before the name is.
        os.fsync(writer.fileno())
    return digest.digest()


def _rename(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        # Another process staged the same content in the meantime.
        if not target.is_dir():
            raise


def _neutral_suffix(name: str) -> str:
    """Keep the suffix where it is a plain one: what follows a dot in a name can be a patient's name too."""
    match = re.search(r"(?:\.(?:csv|tsv|txt|json|xml|edf|tar))?\.gz$|\.[a-z0-9]{1,5}$", name.lower(), re.ASCII)
    return match[0] if match else ".bin"
