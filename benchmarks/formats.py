"""Damaged files of every format, read as the platform reads: each must be read or set aside, within its limits.

The files are the made-up ECG of ``tests/formats/format_writers.py``, one of each format, and archives of two of them.
Mutation number i of a format is the same in every run of the same seed.
"""

from __future__ import annotations

import importlib.util
import io
import os
import random
import re
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ecg_core.errors import EcgError, MachineError, ReadingDied, ReadingFailed, ReadingLimit, RecordingError
from ecg_core.formats import ReadingLimits, ReadingProcess
from ecg_core.settings import PROJECT_DIR

LIMITS: Final = ReadingLimits(memory_mb=2000, time_s=20.0, size_mb=500)
ARCHIVES: Final = ("zip", "tar.gz")
_HUGE: Final = (b"99999999", b"-1", b"0", b"1e308", b"2147483647", b"4294967295", b"nan")


@dataclass(slots=True)
class Tried:
    """What became of a format's damaged files; `crashed`: stopped by a limit, or told as the fault of the machine."""

    tried: int = 0
    read: int = 0
    set_aside: int = 0
    crashed: int = 0
    slowest_s: float = 0.0
    peak_mb: int = 0
    crashes: list[dict[str, object]] = field(default_factory=list)


def measure(n_mutations: int, seed: int = 0, limits: ReadingLimits = LIMITS) -> dict[str, Any]:
    """Damage files of all formats in turn, and read each.

    Parameters
    ----------
    n_mutations : int
        Over all formats together.
    seed : int
    limits : ReadingLimits
        Of the process that reads.

    Returns
    -------
    dict
        ``formats`` (`Tried` by name), ``tried``, ``crashed``, and ``left_behind``: files that reading left on the disk.
    """
    with _own_temporary_folder() as scratch:
        originals = _originals(scratch / "originals")
        inbox, process = scratch / "inbox", ReadingProcess(limits)
        inbox.mkdir()
        found = {}
        try:
            for place, (name, files) in enumerate(originals.items()):
                numbers = range(place, n_mutations, len(originals))
                found[name] = _try_format(name, files, numbers, seed, inbox, process)
        finally:
            process.close()
        left_behind = [path for path in (scratch / "tmp").rglob("*") if path.is_file()]
    return {
        "formats": {name: asdict(tried) for name, tried in found.items()},
        "tried": sum(tried.tried for tried in found.values()),
        "crashed": sum(tried.crashed for tried in found.values()),
        "left_behind": len(left_behind),
    }


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Damage a file's bytes in one to three ways: cut, flipped, doubled, left out, overwritten, numbers made huge."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        # Headers stand at the beginning: half of the damage is done there.
        end = len(data) if rng.random() < 0.5 else min(len(data), 2048)
        at = rng.randrange(max(1, end))
        length = rng.choice((1, 4, 64, 1024))
        way = rng.randrange(7)
        if way == 0:
            del data[at:]
        elif way == 1:
            for _ in range(rng.choice((1, 3, 30))):
                place = rng.randrange(max(1, end))
                data[place : place + 1] = bytes([rng.randrange(256)])
        elif way == 2:
            data[at:at] = data[at : at + length]
        elif way == 3:
            del data[at : at + length]
        elif way == 4:
            data[at : at + length] = rng.choice((b"\0", b"\xff", b"9", b"<", b'"')) * length
        elif way == 5:
            numbers = list(re.finditer(rb"\d+", data[:end]))
            if numbers:
                chosen = rng.choice(numbers)
                data[chosen.start() : chosen.end()] = rng.choice(_HUGE)
        else:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0"))
    return bytes(data)


def _try_format(
    name: str, files: dict[str, bytes], numbers: range, seed: int, inbox: Path, process: ReadingProcess
) -> Tried:
    tried = Tried()
    _forget_peak(process)
    for number in numbers:
        rng = random.Random(f"{seed} {name} {number}")
        chosen = rng.choice(sorted(files))
        for file, raw in files.items():
            (inbox / file).write_bytes(mutate(raw, rng) if file == chosen else raw)
        started = time.perf_counter()
        try:
            process.read(inbox / next(iter(files)), b"benchmark")
            tried.read += 1
        except (ReadingDied, ReadingFailed, ReadingLimit, MachineError, OSError) as error:
            # An OSError says that the machine is at fault, and stops a whole chunk: no file may cause one.
            tried.crashed += 1
            tried.crashes.append({"number": number, "kind": type(error).__name__, "reason": str(error)})
        except RecordingError:
            tried.set_aside += 1
        tried.tried += 1
        tried.slowest_s = max(tried.slowest_s, round(time.perf_counter() - started, 3))
    tried.peak_mb = _peak_mb(process)
    for file in files:
        (inbox / file).unlink(missing_ok=True)
    return tried


def _originals(folder: Path) -> dict[str, dict[str, bytes]]:
    """Write each format once; its files by name, the main file first."""
    writers = _writers()
    found: dict[str, dict[str, bytes]] = {}
    for name in [*writers.TWELVE, *writers.ONE_LEAD, *writers.FURTHER]:
        own = folder / name.replace(" ", "-")
        own.mkdir(parents=True)
        path, _ = writers.write(own, name)
        others = sorted(file for file in own.iterdir() if file != path)
        found[name] = {file.name: file.read_bytes() for file in (path, *others)}
    found["zip"] = {"r.zip": _zipped(found["wfdb"])}
    found["tar.gz"] = {"r.tar.gz": _tarred(found["edf+"])}
    return found


def _zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return content.getvalue()


def _tarred(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return content.getvalue()


def _writers() -> ModuleType:
    path = PROJECT_DIR / "tests" / "formats" / "format_writers.py"
    spec = importlib.util.spec_from_file_location("format_writers", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise EcgError("The writers of made-up files are not here.", "Run it from a checkout of the repository.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _own_temporary_folder() -> Iterator[Path]:
    """Make a folder, and let whatever reading puts on the disk land in its ``tmp``."""
    before, usual = os.environ.get("TMPDIR"), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="ecg-mutated-") as name:
        (Path(name) / "tmp").mkdir()
        os.environ["TMPDIR"], tempfile.tempdir = str(Path(name) / "tmp"), None
        try:
            yield Path(name)
        finally:
            tempfile.tempdir = usual
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before


def _forget_peak(process: ReadingProcess) -> None:
    """Let Linux count the process's largest memory anew."""
    process.start()
    if (pid := process.pid) is not None:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            return


def _peak_mb(process: ReadingProcess) -> int:
    try:
        held = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        return 0
    return round(int(held[1]) / 1000) if held else 0
