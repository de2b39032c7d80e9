"""Processes of the stack that outlive whoever starts them: each is written down, and carries a mark."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import psutil

from ecg_core.settings import Settings
from ecg_core.stack.files import write_atomically

MARK: Final = "_ECG_STACK"
"""In the environment of each process that we start, so that none can hide from `ecg down`."""
KEEPER: Final = {"_ECG_STACK_KEEPER": "1"}
"""In the environment of those that start the others again: who mends never ends them."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_KEEP_ENVIRONMENT: Final = {"SPT_NOENV": "1"}
"""For setproctitle, which would write a title over the environment, and the mark with it."""


def start_remembered(
    settings: Settings, memory: Path, log_file: Path, arguments: list[str], environment: dict[str, str], folder: Path
) -> psutil.Popen:
    """Start a process in a session of its own, and write down which it is.

    Parameters
    ----------
    settings : Settings
    memory : Path
        Where `remembered_process` finds it again.
    log_file : Path
        What it prints is added there.
    arguments : list of str
    environment : dict
        All of its environment but the mark of the stack.
    folder : Path
        Where it runs.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as output:
        process = psutil.Popen(
            arguments,
            env=environment | _KEEP_ENVIRONMENT | {MARK: str(settings.home)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    facts = {"pid": process.pid, "home": str(settings.home), **_birth(process)}
    write_atomically(memory, json.dumps(facts))
    return process


def remembered_process(memory: Path, settings: Settings) -> psutil.Process | None:
    """Find a process that was written down and runs; one that only got its number is not taken for it."""
    process = _born(read_memory(memory, settings))
    return process if process is not None and not has_ended(process) else None


def remembered_session(memory: Path, settings: Settings) -> int | None:
    """Return the session of a process that was written down, which outlives it; None where its number is another's."""
    facts = read_memory(memory, settings)
    pid = facts.get("pid")
    return None if pid is None or (psutil.pid_exists(pid) and _born(facts) is None) else int(pid)


def read_memory(memory: Path, settings: Settings) -> dict[str, Any]:
    """Read what was written down: nothing where it cannot be read, or in a copied home is the original's."""
    try:
        facts = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and facts.get("home", str(settings.home)) == str(settings.home) else {}


def has_ended(process: psutil.Process) -> bool:
    """Whether it ended; a zombie has, too: its parent has not asked for its exit code yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _birth(process: psutil.Process) -> dict[str, Any]:
    born = process.create_time()
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    return {"started_at": born, "after_boot_s": born - psutil.boot_time(), "boot": boot}


def _born(facts: dict[str, Any]) -> psutil.Process | None:
    """Find the process, dead or alive, told from a later one of its number by its birth."""
    try:
        process = psutil.Process(int(facts["pid"]))
        now = _birth(process)
        # Where the clock was set, a process seems born at another time, but as long after the machine's start.
        same = abs(now["started_at"] - facts["started_at"]) < 1.0 or (
            now["boot"] == facts["boot"] and abs(now["after_boot_s"] - facts["after_boot_s"]) < 1.0
        )
        return process if same else None
    except (KeyError, TypeError, ValueError, psutil.Error):
        return None
