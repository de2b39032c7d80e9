"""Recordings that are sent to the platform by a browser or a program, instead of lying in an inbox.

An upload is an inbox of its own: a folder with a random name, in it a folder a recording, numbered, in it files under
neutral names. Nothing that a sender calls a file decides where or how it lies on the disk; of a name the suffix is
looked at, and which signal files a WFDB header means.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, NamedTuple

from upath import UPath

from ecg_core.arrivals.registering import register_arrivals
from ecg_core.errors import CorruptHeader
from ecg_core.formats.profile import PROFILED_SUFFIXES, own_profile_name
from ecg_core.formats.staging import neutral_suffix
from ecg_core.formats.wfdb_header import MAX_HEADER_BYTES, canonical_header, neutral_name, parse_header
from ecg_core.formats.wfdb_record import ANNOTATION_SUFFIXES
from ecg_core.readers.reports import list_arrivals
from ecg_core.settings import Settings
from ecg_core.store import arrivals
from ecg_core.store import sites as rows
from ecg_core.store.database import store_engine
from ecg_core.texts import say_ui

MOST_FILES: Final = 100
LARGEST_FILE_BYTES: Final = 200_000_000
MOST_BYTES: Final = 2_000_000_000
"""Of all files of one upload."""
KEPT_S: Final = 86_400.0
"""The copies that scoring takes are kept elsewhere; what was uploaded is cleared away after a day."""
_UPLOAD_ID: Final = re.compile(r"[0-9a-f]{32}")
_SETTLED_S: Final = 3600.0


class UploadedFile(NamedTuple):
    """A file as it was sent: its name, which nothing on the disk is called by, and its content."""

    name: str
    content: BinaryIO


@dataclass(slots=True)
class UploadedRecording:
    """Which of the files sent make one recording, and which of its files were not sent."""

    number: int
    files: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What became of one recording of an upload; `outcome` as in `ArrivalOutcome`."""

    number: int
    outcome: str
    reason: str
    report_id: int | None


def take_in(settings: Settings, files: Sequence[UploadedFile], site: str = "") -> tuple[str, list[UploadedRecording]]:
    """Write an upload's files and enter its recordings in the ledger, as if they had settled in an inbox.

    Parameters
    ----------
    settings : Settings
    files : sequence of UploadedFile
    site : str
        Whose recordings they are; empty: no site's.

    Returns
    -------
    upload_id : str
        Name of its folder: 32 hex digits.
    recordings : list of UploadedRecording

    Raises
    ------
    MachineError
        The disk is full.
    """
    _clear_old(settings)
    upload_id = secrets.token_hex(16)
    folder = upload_folder(settings, upload_id, site)
    recordings = _place(files, folder)
    settled = time.time() - _SETTLED_S
    for path in folder.glob("*/*"):
        os.utime(path, (settled, settled))
    at_once = settings.model_copy(update={"settle_s": 0.0, "incomplete_after_s": 0.0})
    register_arrivals(at_once, UPath(folder))
    return upload_id, recordings


def has_room(settings: Settings, site: str) -> bool:
    """Tell whether a site's quota allows for more; that of none always does."""
    with store_engine(settings).connect() as connection:
        return rows.quota_used(connection, settings).get(site, 0.0) < 1.0


def upload_folder(settings: Settings, upload_id: str, site: str = "") -> Path:
    """Return the folder of an upload, absolute."""
    return settings.uploads_dir / site / upload_id


def outcomes(settings: Settings, upload_id: str, sites: Collection[str] | None = None) -> list[UploadOutcome] | None:
    """Tell what became of an upload's recordings so far; None where there is no such upload of these sites.

    `sites` are those whose recordings somebody sees: all where it is None, and where there are none those of no site.
    """
    if not _UPLOAD_ID.fullmatch(upload_id):
        return None
    names = ["", *settings.site_profiles] if sites is None else sorted(sites) or [""]
    told = (_outcomes_in(settings, upload_folder(settings, upload_id, name), sites) for name in names)
    return next((found for found in told if found is not None), None)


def _outcomes_in(settings: Settings, folder: Path, sites: Collection[str] | None) -> list[UploadOutcome] | None:
    prefix = f"{folder}/"
    came = list_arrivals(settings, str(folder))
    with store_engine(settings).connect() as connection:
        not_taken = arrivals.entries(connection, prefix)
        of_others = rows.of_others(connection, [arrival.recording_id for arrival in came], sites)
    found: dict[int, UploadOutcome] = {}
    for arrival in came:
        number = int(arrival.file.split("/")[0])
        kept = UploadOutcome(number, "set aside", say_ui("upload_of_others"), None)
        own = UploadOutcome(number, arrival.outcome, arrival.reason, arrival.report_id)
        found[number] = kept if arrival.recording_id in of_others else own
    for source, entry in not_taken.items():
        number = int(source.removeprefix(prefix).split("/")[0])
        found.setdefault(number, UploadOutcome(number, entry.state, entry.reason, None))
    return [found[number] for number in sorted(found)] if found or folder.is_dir() else None


def _place(files: Sequence[UploadedFile], folder: Path) -> list[UploadedRecording]:
    """Write files under neutral names, those of one recording into one folder."""
    names = [PurePosixPath(file.name.replace("\\", "/")).name for file in files]
    headers = [i for i, name in enumerate(names) if name.lower().endswith(".hea")]
    stems = {os.path.splitext(names[i])[0] for i in headers}
    taken = {i for i, name in enumerate(names) if _annotates(name, stems)}
    recordings = [_place_wfdb(files, names, i, folder) for i in headers]
    taken |= {i for recording in recordings for i in recording.files}
    tables = [i for i, name in enumerate(names) if os.path.splitext(name)[1].lower() in PROFILED_SUFFIXES - {".zip"}]
    profiles = {i: names.index(own) for i in tables if (own := own_profile_name(names[i])) in names}
    taken |= set(profiles.values())
    for i, name in enumerate(names):
        if i in taken:
            continue
        _write(files[i].content, folder / str(i) / f"recording{neutral_suffix(name)}")
        if i in profiles:
            _write(files[profiles[i]].content, folder / str(i) / "recording.toml")
        recordings.append(UploadedRecording(i, [i, profiles[i]] if i in profiles else [i]))
    return sorted(recordings, key=lambda recording: recording.number)


def _annotates(name: str, stems: set[str]) -> bool:
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in ANNOTATION_SUFFIXES and stem in stems


def _place_wfdb(files: Sequence[UploadedFile], names: list[str], header_at: int, folder: Path) -> UploadedRecording:
    own = folder / str(header_at)
    recording = UploadedRecording(header_at, [header_at])
    raw = files[header_at].content.read(MAX_HEADER_BYTES + 1)
    try:
        header = parse_header(raw)
        wanted = header.files
    except CorruptHeader:
        # Reading says what is wrong with it.
        header, wanted = None, ()
    own.mkdir(parents=True)
    (own / "recording.hea").write_bytes(raw if header is None else canonical_header(raw, header))
    for number, name in enumerate(wanted):
        if name in names:
            at = names.index(name)
            files[at].content.seek(0)
            _write(files[at].content, own / neutral_name(number))
            recording.files.append(at)
        else:
            recording.missing.append(name)
    return recording


def _write(content: BinaryIO, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as sink:
        shutil.copyfileobj(content, sink, 1 << 20)


def _clear_old(settings: Settings) -> None:
    """Clear away what was uploaded more than a day ago."""
    folder = settings.uploads_dir
    for upload in (*folder.glob("*"), *folder.glob("*/*")):
        if _UPLOAD_ID.fullmatch(upload.name) and time.time() - upload.stat().st_mtime > KEPT_S:
            shutil.rmtree(upload, ignore_errors=True)
