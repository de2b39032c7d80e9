"""What `ecg benchmark faults` breaks besides killing: each a context in which something is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecg_core.pipeline import inbox
from ecg_core.settings import Settings


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Take a folder away, and bring it back."""
    away = folder.with_name(f"{folder.name}-away")
    folder.rename(away)
    yield
    if folder.exists():
        shutil.rmtree(folder)
    away.rename(folder)


@contextmanager
def broken_copies(settings: Settings) -> Iterator[None]:
    """Lose the signals of two staged copies, for good."""
    inbox.register_arrivals(settings)
    for path in list(settings.recordings_dir.rglob("signal0.dat"))[:2]:
        path.unlink()
    yield


@contextmanager
def no_temporary_folder() -> Iterator[None]:
    """Let TMPDIR name a folder that is not there."""
    before, gone = tempfile.tempdir, tempfile.mkdtemp()
    tempfile.tempdir = gone
    os.rmdir(gone)
    yield
    tempfile.tempdir = before


@contextmanager
def in_the_way(folder: Path) -> Iterator[None]:
    """Put a file where a folder should be."""
    folder.touch()
    yield
    folder.unlink()


@contextmanager
def twice(settings: Settings) -> Iterator[None]:
    """Send a recording a second time, under another folder."""
    twice = Path(settings.inbox) / "again"
    twice.mkdir()
    for path in Path(settings.inbox).glob("r0.*"):
        shutil.copy(path, twice)
    yield


@contextmanager
def touched(settings: Settings) -> Iterator[None]:
    """Touch a signal file all the time."""
    with _again_and_again((Path(settings.inbox) / "r2.dat").touch):
        yield


@contextmanager
def going_and_coming(settings: Settings) -> Iterator[None]:
    """Take a signal file away and bring it back, all the time."""
    here, away = Path(settings.inbox) / "r2.dat", settings.home / "r2.dat"

    def go_or_come() -> None:
        shutil.move(*((here, away) if here.exists() else (away, here)))

    with _again_and_again(go_or_come):
        yield
    if not here.exists():
        go_or_come()


@contextmanager
def _again_and_again(what: Callable[[], None]) -> Iterator[None]:
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(0.02):
            what()

    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    done.set()
    thread.join()


@contextmanager
def in_the_future(settings: Settings) -> Iterator[None]:
    """Let all files come from a clock that is a day fast."""
    for path in Path(settings.inbox).iterdir():
        os.utime(path, (time.time() + 86_400, time.time() + 86_400))
    yield


def may_mount() -> bool:
    """Say whether small disks can be mounted here."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return done.returncode == 0


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Put a disk of the given mount options over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    yield
    subprocess.run(["umount", "-l", str(folder)], check=True)
