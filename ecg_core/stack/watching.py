"""The process `ecg watch`, which the stack starts beside Airflow: it must still be there where Airflow is not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import structlog

from ecg_core.errors import StackError
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack.airflow import MARK, airflow_env
from ecg_core.stack.files import tail, write_atomically

log = structlog.get_logger(__name__)

_START_TIMEOUT_S = 60.0


def start_watch(settings: Settings, further: dict[str, str]) -> None:
    """Start it unless it runs already, and wait until it answers. `stop_airflow` ends it, as all of the stack.

    Parameters
    ----------
    settings : Settings
    further : dict
        Of its environment.

    Raises
    ------
    StackError
        It ended, or did not answer within a minute; the message holds the end of its log.
    """
    if watch_process(settings) is not None:
        return
    path = watch_log(settings)
    process = start_remembered(
        settings,
        _memory(settings),
        path,
        [sys.executable, "-m", "ecg_core.cli.app", "watch"],
        airflow_env(settings) | further,
    )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while watch_port(settings) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackError(
                f"`ecg watch` does not start. The end of its log:\n{tail(path, 10)}\n",
                f"Mend what {path} names, then run `ecg up` again.",
            )
        time.sleep(0.1)
    log.info("watch started", pid=process.pid)


def watch_process(settings: Settings) -> psutil.Process | None:
    """Find it; None where it does not run."""
    return remembered_process(_memory(settings), settings)


def start_remembered(
    settings: Settings, memory: Path, log_file: Path, arguments: list[str], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a process of the stack's that outlives this one, and write down which it is.

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
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            arguments,
            env=environment | {MARK: str(settings.home)},
            cwd=PROJECT_DIR,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    facts = {"pid": process.pid, "started_at": psutil.Process(process.pid).create_time(), "home": str(settings.home)}
    write_atomically(memory, json.dumps(facts))
    return process


def remembered_process(memory: Path, settings: Settings) -> psutil.Process | None:
    """Find a process that was written down; one that only got its number is not taken for it."""
    try:
        facts = json.loads(memory.read_text())
        process = psutil.Process(int(facts["pid"]))
        ours = facts["home"] == str(settings.home) and abs(process.create_time() - float(facts["started_at"])) < 1.0
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def watch_port(settings: Settings) -> int | None:
    """Return where it listens; None where it does not."""
    try:
        process = watch_process(settings)
        listening = process.net_connections() if process else []
    except psutil.Error:
        return None
    return next((c.laddr.port for c in listening if c.status == psutil.CONN_LISTEN), None)


def watch_log(settings: Settings) -> Path:
    """Return its log."""
    return settings.home / "logs" / "watch.log"


def _memory(settings: Settings) -> Path:
    return settings.home / "watch.json"
