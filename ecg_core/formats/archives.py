"""Archives (.zip, .tar.gz, .gz) of one recording, unpacked within limits into a folder that is gone afterwards.

Names in an archive choose nothing outside that folder: one that leads upwards or to a root makes the archive refused,
links and devices too. How much is unpacked is counted while it is, whatever the archive says of itself.
"""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ecg_core.errors import CorruptHeader, RecordingError, UnsupportedFormat

MOST_MEMBERS = 1_000
MOST_BYTES = 2_000_000_000
MOST_RATIO = 100
_UNSUSPICIOUS_BYTES = 10_000_000
_CHUNK_BYTES = 1 << 18
_END_OF_ZIP_BYTES = 70_000
_RESEND = "Send the recording without an archive, or in one that holds it alone."


def is_archive(head: bytes) -> bool:
    """Whether a file begins as ZIP or gzip."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or head[:2] == b"\x1f\x8b"


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpack an archive into a folder of its own, for as long as the context lasts.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        The folder.

    Raises
    ------
    CorruptHeader
        It is damaged, or unpacks to more than a recording is.
    UnsupportedFormat
        It is encrypted.
    OSError
        The disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="ecg-archive-") as name:
        folder = Path(name)
        try:
            with path.open("rb") as stream:
                _unpack(stream, path, folder)
        except RecordingError:
            raise
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
            raise CorruptHeader("The archive is damaged or incomplete.", "Send it again.") from error
        except OSError as error:
            # Places in the archive that are none, and what bzip2 cannot unpack; all else is the machine's fault.
            if error.errno not in (errno.EINVAL, None):
                raise
            raise CorruptHeader("The archive is damaged or incomplete.", "Send it again.") from error
        except (ValueError, NotImplementedError, UnicodeError) as error:
            raise UnsupportedFormat("The archive is packed in a way that is not read.", _RESEND) from error
        yield folder


def _unpack(stream: IO[bytes], path: Path, folder: Path) -> None:
    if stream.read(2) == b"PK":
        _unzip(stream, path, folder)
        return
    stream.seek(0)
    budget = _Budget(path.stat().st_size)
    whole = folder / f"recording{_inner_suffix(path, stream)}"
    with gzip.GzipFile(fileobj=stream) as unzipped:
        _copy(unzipped, whole, budget)
    with whole.open("rb") as unpacked_file:
        is_tar = unpacked_file.read(262)[257:] == b"ustar"
    if is_tar:
        tar = whole.rename(folder / ".archive")
        with tarfile.open(tar, "r:") as members:
            _untar(members, folder, _Budget(path.stat().st_size))
        tar.unlink()


class _Budget:
    """What an archive of so many bytes may still unpack to."""

    def __init__(self, packed_bytes: int) -> None:
        self.left = min(MOST_BYTES, max(_UNSUSPICIOUS_BYTES, MOST_RATIO * packed_bytes))
        self.members = MOST_MEMBERS

    def spend(self, n_bytes: int) -> None:
        self.left -= n_bytes
        if self.left < 0:
            raise CorruptHeader("The archive unpacks to far more than its size lets expect.", _RESEND)

    def member(self) -> None:
        self.members -= 1
        if self.members < 0:
            raise CorruptHeader(f"The archive holds more than {MOST_MEMBERS} files.", _RESEND)


def _unzip(stream: IO[bytes], path: Path, folder: Path) -> None:
    budget = _Budget(path.stat().st_size)
    _refuse_many_entries(stream, path.stat().st_size)
    with zipfile.ZipFile(stream) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in entries:
            budget.member()
            if entry.flag_bits & 1:
                raise UnsupportedFormat("The archive is encrypted.", "Send it without a password.")
        if sum(entry.file_size for entry in entries) > budget.left:
            budget.spend(budget.left + 1)
        for entry in entries:
            target = _place(entry.filename, folder)
            if target is not None and entry.external_attr >> 28 != 0xA:
                with archive.open(entry) as member:
                    _copy(member, target, budget)


def _refuse_many_entries(stream: IO[bytes], size: int) -> None:
    """Look at the number of entries before they are all listed, which takes seconds for a million."""
    stream.seek(max(0, size - _END_OF_ZIP_BYTES))
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    stream.seek(0)
    if at >= 0 and int.from_bytes(tail[at + 10 : at + 12], "little") > MOST_MEMBERS:
        raise CorruptHeader(f"The archive holds more than {MOST_MEMBERS} files.", _RESEND)


def _untar(members: tarfile.TarFile, folder: Path, budget: _Budget) -> None:
    for member in members:
        budget.member()
        if member.isdir():
            continue
        target = _place(member.name, folder)
        if not member.isreg():
            raise CorruptHeader("The archive holds links or devices.", _RESEND)
        content = members.extractfile(member)
        if target is not None and content is not None:
            with content:
                _copy(content, target, budget)


def _place(name: str, folder: Path) -> Path | None:
    """Where a member goes; None for what systems add of their own."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise CorruptHeader("A name in the archive leads out of it.", _RESEND)
    if parts[0] == "__MACOSX" or len(name) > 1_000 or any(len(part.encode("utf-8", "replace")) > 250 for part in parts):
        return None
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _copy(source: IO[bytes] | io.BufferedIOBase, target: Path, budget: _Budget) -> None:
    with target.open("wb") as sink:
        while chunk := source.read(_CHUNK_BYTES):
            budget.spend(len(chunk))
            sink.write(chunk)


def _inner_suffix(path: Path, stream: IO[bytes]) -> str:
    """Return the suffix that a gzipped file had: of its name without ``.gz``, or of the name that gzip kept."""
    inner = Path(path.stem).suffix.lower()
    if not re.fullmatch(r"\.[a-z0-9]{1,5}", inner):
        head = stream.read(300)
        stream.seek(0)
        kept = head[10:].split(b"\0")[0].decode("latin-1") if len(head) > 10 and head[3] & 0x0C == 0x08 else ""
        inner = Path(kept).suffix.lower()
    return inner if re.fullmatch(r"\.[a-z0-9]{1,5}", inner) else ".bin"
