"""What keeps the stack up: a part that died, whichever it is, is started again within a minute.

Two processes look every few seconds and bring up what lacks, the other among it: the keeper, which does nothing else,
and `ecg watch`. `ecg down` ends both before it ends the rest; they wait for the lock that it holds.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from threading import Event
from typing import Final

import psutil
import structlog

from ecg_core.errors import StackError
from ecg_core.settings import PREFIX, PROJECT_DIR, Settings, load_settings
from ecg_core.stack.airflow import PARTS, airflow_env, airflow_parts, end_part, start_airflow, stop_airflow
from ecg_core.stack.api import API_SERVER
from ecg_core.stack.files import locked
from ecg_core.stack.postgres import ensure_postgres, postgres_process
from ecg_core.stack.processes import KEEPER, MARK, remembered_process, start_remembered
from ecg_core.stack.watching import start_watch, watch_process

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 4.0
_AFTER_A_FAILURE_S: Final = (5.0, 10.0, 30.0)
_ENDED_WITHOUT_POSTGRES: Final = [part for part in PARTS if part != API_SERVER]
"""They would end by themselves, the scheduler not before its tasks have."""
EMBEDDED: Final = "_ECG_EMBEDDED_POSTGRES"
"""In the environment of `ecg watch`, whose settings name the database, where the server is ours to start."""


def bring_up(settings: Settings) -> str:
    """Start what does not run of Postgres, Airflow, `ecg watch` and the keeper; the database's address.

    Raises
    ------
    StackError
        A part does not start.
    """
    before = postgres_process(settings)
    database_url = ensure_postgres(settings)
    after = postgres_process(settings)
    if before is None and after is not None:
        if _address_is_new(settings, database_url):
            stop_airflow(settings)  # it would ask at the old port for ever
        for part in _ENDED_WITHOUT_POSTGRES:
            end_part(settings, part)
    start_airflow(settings)
    start_watch(settings, {EMBEDDED: "1"} if settings.database_url is None else {})
    _start_keeper(settings)
    return database_url


def _address_is_new(settings: Settings, database_url: str) -> bool:
    try:
        parts = airflow_parts(settings).values()
        return any(part.environ().get(f"{PREFIX}DATABASE_URL") != database_url for part in parts)
    except psutil.Error:
        return False


def missing_parts(settings: Settings) -> set[str]:
    """Name what does not run."""
    airflow = airflow_parts(settings)
    runs = {
        "postgres": settings.database_url is not None or postgres_process(settings) is not None,
        **{f"airflow {part}": part in airflow for part in PARTS},
        "watch": watch_process(settings) is not None,
        "keeper": keeper_process(settings) is not None,
    }
    return {part for part, there in runs.items() if not there}


def keep(settings: Settings, stop: Event) -> None:
    """Look every few seconds, and bring up what is missing, until `stop` is set."""
    failures = 0
    while not stop.wait(LOOK_EVERY_S):
        if not missing_parts(settings):
            continue
        with locked(settings.home / "stack.lock"):
            if not (missing := missing_parts(settings)):
                continue
            log.warning("a part of the stack does not run: it is started again", parts=sorted(missing))
            started = time.monotonic()
            try:
                bring_up(settings)
                failures = 0
                log.warning("the stack is whole again", after_s=round(time.monotonic() - started, 1))
            except (StackError, OSError, psutil.Error) as error:
                log.error("the stack cannot be mended, tried again", reason=str(error))
                stop.wait(_AFTER_A_FAILURE_S[min(failures, 2)])
                failures += 1


def of_the_stack(settings: Settings) -> Settings | None:
    """Return the settings that the stack was started with, seen from `ecg watch`; None where no stack started it."""
    if os.environ.get(MARK) != str(settings.home):
        return None
    return settings.model_copy(update={"database_url": None}) if os.environ.get(EMBEDDED) else settings


def keeper_process(settings: Settings) -> psutil.Process | None:
    """Find the keeper; None where it does not run."""
    return remembered_process(_memory(settings), settings)


def keeper_log(settings: Settings) -> Path:
    """Return its log."""
    return settings.home / "logs" / "keeper.log"


def _start_keeper(settings: Settings) -> None:
    if keeper_process(settings) is not None:
        return
    environment = airflow_env(settings) | KEEPER
    if settings.database_url is None:
        del environment[f"{PREFIX}DATABASE_URL"]
    be_keeper = [sys.executable, "-c", "from ecg_core.stack import keeping; keeping.main()"]
    start_remembered(settings, _memory(settings), keeper_log(settings), be_keeper, environment, PROJECT_DIR)


def _memory(settings: Settings) -> Path:
    return settings.home / "keeper.json"


def main() -> None:
    """Be the keeper. No handler of signals: one that is ended while it waits for the lock must not get it later."""
    keep(load_settings(), Event())
