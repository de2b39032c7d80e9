"""The process `ecg watch`, which the stack starts beside Airflow: it must still be there where Airflow is not."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import structlog

from ecg_core.errors import StackError
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack.airflow import airflow_env
from ecg_core.stack.files import tail
from ecg_core.stack.processes import KEEPER, remembered_process, start_remembered

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
        airflow_env(settings) | KEEPER | further,
        PROJECT_DIR,
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
