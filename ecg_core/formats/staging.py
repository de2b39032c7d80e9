"""The canonical copy of a recording: neutral names, in a folder named by the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from ecg_core.errors import CorruptHeader, IncompleteRecording, StillChanging
from ecg_core.files import file_sha256, sync_disk
from ecg_core.formats.access import as_recording_error
from ecg_core.formats.inbox import Candidate
from ecg_core.formats.wfdb_header import MAX_HEADER_BYTES, canonical_header, neutral_name, parse_header
from ecg_core.formats.wfdb_record import join_digests

LEFT_OVER: Final = ".staging-"
"""How the name of a folder begins in which a copy is made."""
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged recording: its identity (SHA-256, hex) and the canonical copy's main file."""

    recording_id: str
    path: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """A copy that has no name yet: the identity, the folder it lies in, and its main file's name."""

    recording_id: str
    folder: Path
    main: str


def stage(candidate: Candidate, recordings_dir: Path) -> Staged:
    """Copy a candidate to ``recordings_dir/<id[:2]>/<id>/recording.<ext>``; see `prepare` and `publish`."""
    prepared = prepare(candidate, recordings_dir)
    sync_disk(recordings_dir)
    return publish(prepared, recordings_dir)


def prepare(candidate: Candidate, recordings_dir: Path) -> Prepared:
    """Copy a candidate into a folder ``.staging-…`` of its own.

    The content may be anything: what cannot be parsed is copied as it is, and `ecg_core.formats.read_recording` says
    what is wrong with it.

    Parameters
    ----------
    candidate : Candidate
    recordings_dir : Path

    Raises
    ------
    IncompleteRecording
        A file vanished, or may not be read.
    StillChanging
        A file is another than when it was listed, or changed while it was copied.
    OSError
        The copy cannot be written (a full disk), or the object store is out of reach.
    """
    recordings_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=LEFT_OVER, dir=recordings_dir))
    try:
        main, recording_id = _fill(candidate, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Prepared(recording_id, folder, main)


def publish(prepared: Prepared, recordings_dir: Path) -> Staged:
    """Give a prepared copy its name; the disk must hold it already (`ecg_core.files.sync_disk`).

    The folder's name vouches for its content for good. Where it is there already, the new copy is dropped; but one that
    lost files or parts of them is replaced.
    """
    target = recordings_dir / prepared.recording_id[:2] / prepared.recording_id
    try:
        if target.is_dir() and _sizes(prepared.folder) != _sizes(target):
            _rename(target, prepared.folder.with_name(f"{prepared.folder.name}-damaged"))
        if not target.is_dir():
            target.parent.mkdir(exist_ok=True)
            _rename(prepared.folder, target)
    finally:
        shutil.rmtree(prepared.folder, ignore_errors=True)
    return Staged(prepared.recording_id, target / prepared.main)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def is_whole(main: Path) -> bool:
    """Whether a copy has all files that it was made with; whatever is wrong with it came with the recording then."""
    try:
        raw = main.read_bytes() if main.suffix == ".hea" else b""
        names = parse_header(raw).files if raw else ()
    except CorruptHeader:
        names = ()
    except OSError:
        return False
    ours = [name for number, name in enumerate(names) if name == neutral_name(number)]
    return main.is_file() and all(main.with_name(name).is_file() for name in ours)


def is_content(folder: Path, main: str, recording_id: str) -> bool:
    """Whether the files of a copy are those that a recording is named by.

    Parameters
    ----------
    folder : Path
        Where they lie, whatever it is called.
    main : str
        Name of the main file.
    recording_id : str
    """
    signals = (folder / neutral_name(number) for number in itertools.count())
    parts = [folder / main, *itertools.takewhile(Path.is_file, signals), folder / "recording.toml"]
    digests = [bytes.fromhex(file_sha256(part)) for part in parts if part.is_file()]
    # A file alone is named by itself, unless it is a header that needs none.
    return recording_id in {join_digests(digests), digests[0].hex() if len(digests) == 1 else ""}


def begins_with(whole: Path, part: Path) -> bool:
    """Whether one copy is the beginning of another: each file of it, but for what a header says of the length.

    Parameters
    ----------
    whole, part : Path
        Main files of two copies.
    """
    folders = whole.parent, part.parent
    names = [path.name for path in part.parent.iterdir()]
    if whole.name != part.name or any(not (folders[0] / name).is_file() for name in names):
        return False
    told = [name for name in names if name != "recording.hea"]
    shorter = False
    for name in told:
        long, short = (folder / name for folder in folders)
        shorter |= short.stat().st_size < long.stat().st_size
        if short.stat().st_size > long.stat().st_size or not _same_start(long, short):
            return False
    return shorter


def _same_start(long: Path, short: Path) -> bool:
    """Compare all but the first kilobyte, where formats count what follows, with what the longer file begins with."""
    start = min(1024, short.stat().st_size // 2)
    with long.open("rb") as one, short.open("rb") as other:
        one.seek(start)
        other.seek(start)
        while chunk := other.read(_CHUNK_BYTES):
            if one.read(len(chunk)) != chunk:
                return False
    return True


def clear_left_overs(recordings_dir: Path) -> int:
    """Remove copies that a process was killed over, an hour ago and longer; how many."""
    old = [folder for folder in recordings_dir.glob(f"{LEFT_OVER}*") if time.time() - folder.stat().st_mtime > 3600]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)


def _fill(candidate: Candidate, folder: Path) -> tuple[str, str]:
    """Write the copy into `folder`; return the main file's name and the identity."""
    canonical = None if candidate.missing else _canonical(candidate)
    if canonical is None:
        main = f"recording{neutral_suffix(candidate.name)}"
        digest = _copy(candidate, 0, folder / main)
        if len(candidate.files) < 2 or candidate.missing or not candidate.files[1].name.endswith(".toml"):
            return main, digest.hex()
        # Under another profile the same numbers are another recording.
        return main, join_digests([digest, _copy(candidate, 1, folder / "recording.toml")])
    digests = [hashlib.sha256(canonical).digest()]
    parts = range(1, len(candidate.files))
    digests += [_copy(candidate, place, folder / neutral_name(place - 1)) for place in parts]
    (folder / "recording.hea").write_bytes(canonical)
    return "recording.hea", join_digests(digests)


def _canonical(candidate: Candidate) -> bytes | None:
    """Return the canonical header; None for what is no usable header, or one that changed since it was listed."""
    if not candidate.name.lower().endswith(".hea"):
        return None
    with _opened(candidate, 0) as stream:
        raw = _read(stream, MAX_HEADER_BYTES + 1)
    try:
        header = parse_header(raw)
    except CorruptHeader:
        return None
    if header.segments or len(header.files) != len(candidate.files) - 1:
        return None
    return canonical_header(raw, header)


def _copy(candidate: Candidate, place: int, target: Path) -> bytes:
    """Copy a file and return its SHA-256."""
    digest = hashlib.sha256()
    with _opened(candidate, place) as reader, target.open("wb") as writer:
        while chunk := _read(reader, _CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
        if candidate.on_disk:
            _refuse_another(reader.fileno(), candidate.marks[place])
    return digest.digest()


def _opened(candidate: Candidate, place: int) -> IO[bytes]:
    """Open a file of a candidate, and only the very one that was listed: a link can have taken its name since."""
    source = candidate.files[place]
    try:
        if not candidate.on_disk:
            return cast(IO[bytes], source.open("rb"))
        fd = os.open(str(source.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise as_recording_error(error) from None
    try:
        _refuse_another(fd, candidate.marks[place])
    except BaseException:
        os.close(fd)
        raise
    return os.fdopen(fd, "rb")


def _refuse_another(fd: int, mark: tuple[int, ...]) -> None:
    facts = os.fstat(fd)
    if (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino) != mark:
        raise StillChanging("It changed while it was copied.", "It is taken when it does not change any more.")


def _read(stream: IO[bytes], n_bytes: int) -> bytes:
    try:
        return stream.read(n_bytes)
    except OSError as error:
        raise IncompleteRecording(
            f"A file of the recording cannot be read to its end: {error.strerror or type(error).__name__}.",
            "Check the disk that it lies on; it is tried again at each look.",
        ) from None


def _rename(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        # Another process staged the same content in the meantime.
        if not target.is_dir():
            raise


def neutral_suffix(name: str) -> str:
    """Keep the suffix where it is a plain one: what follows a dot in a name can be a patient's name too."""
    match = re.search(r"(?:\.(?:csv|tsv|txt|json|xml|edf|tar))?\.gz$|\.[a-z0-9]{1,5}$", name.lower(), re.ASCII)
    return match[0] if match else ".bin"
