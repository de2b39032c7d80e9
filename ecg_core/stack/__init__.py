"""The embedded stack: Postgres from a wheel and Airflow's parts, started and stopped as one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import PostgresDsn

from ecg_core.settings import Settings, load_settings
from ecg_core.stack.airflow import (
    PARTS,
    USER,
    airflow_env,
    airflow_log,
    airflow_parts,
    airflow_password,
    airflow_port,
    airflow_url,
    stop_airflow,
)
from ecg_core.stack.api import API_SERVER, AirflowApi
from ecg_core.stack.files import locked
from ecg_core.stack.keeping import bring_up, keeper_log, keeper_process
from ecg_core.stack.postgres import ensure_postgres, log_file, postgres_process, stop_postgres
from ecg_core.stack.watching import watch_log, watch_port, watch_process

__all__ = [
    "AirflowApi",
    "PartStatus",
    "StackInfo",
    "airflow_env",
    "down",
    "ensure_postgres",
    "status",
    "up",
    "with_database",
]


@dataclass(frozen=True)
class StackInfo:
    """Where the running stack is and how to sign in."""

    url: str
    user: str
    password: str
    database_url: str
    home: Path
    already_running: bool

    def api(self) -> AirflowApi:
        """Open a session with Airflow's REST API."""
        return AirflowApi(self.url, self.user, self.password)


@dataclass(frozen=True)
class PartStatus:
    """One part of the stack; ``since`` in Unix seconds; ``note`` says what a number cannot."""

    name: str
    running: bool
    pid: int | None = None
    port: int | None = None
    since: float | None = None
    note: str = ""


def up(settings: Settings) -> StackInfo:
    """Start what does not run yet of Postgres, Airflow and what watches them; harmless where all of it runs.

    Raises
    ------
    StackError
        A part does not start; the message holds the end of its log.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with locked(settings.home / "stack.lock"):
        already_running = len(airflow_parts(settings)) == len(PARTS)
        database_url = bring_up(settings)
    return StackInfo(
        url=airflow_url(settings),
        user=USER,
        password=airflow_password(settings),
        database_url=database_url,
        home=settings.home,
        already_running=already_running,
    )


def down(settings: Settings) -> bool:
    """Stop Airflow, then Postgres; True if anything ran. No process is left behind.

    Raises
    ------
    StackError
        A process does not end.
    """
    if not settings.home.is_dir():
        return False
    with locked(settings.home / "stack.lock"):
        airflow_ran = stop_airflow(settings)
        postgres_ran = stop_postgres(settings)
    return airflow_ran or postgres_ran


def status(settings: Settings) -> list[PartStatus]:
    """Tell of each part whether it runs, since when, and where it listens."""
    return [_postgres_status(settings), _airflow_status(settings), _watch_status(settings), _keeper_status(settings)]


def _postgres_status(settings: Settings) -> PartStatus:
    if settings.database_url is not None:
        return PartStatus("postgres", running=False, note="your own, named by ECG_DATABASE_URL; not managed here")
    found = postgres_process(settings)
    if found is None:
        return PartStatus("postgres", running=False, note=f"log: {log_file(settings)}")
    process, port = found
    return _part("postgres", process, port)


def _airflow_status(settings: Settings) -> PartStatus:
    parts = airflow_parts(settings)
    if API_SERVER not in parts:
        return PartStatus("airflow", running=False, note=f"log: {airflow_log(settings, API_SERVER)}")
    with AirflowApi(airflow_url(settings), USER, airflow_password(settings)) as api:
        unhealthy = api.unhealthy_parts()
    note = f"not healthy: {', '.join(unhealthy)}" if unhealthy else ""
    return _part("airflow", parts[API_SERVER], airflow_port(settings), note)


def _watch_status(settings: Settings) -> PartStatus:
    process = watch_process(settings)
    if process is None:
        return PartStatus("watch", running=False, note=f"log: {watch_log(settings)}")
    return _part("watch", process, watch_port(settings) or 0)


def _keeper_status(settings: Settings) -> PartStatus:
    process = keeper_process(settings)
    if process is None:
        return PartStatus("keeper", running=False, note=f"log: {keeper_log(settings)}")
    return _part("keeper", process, None)


def _part(name: str, process: psutil.Process, port: int | None, note: str = "") -> PartStatus:
    return PartStatus(name, running=True, pid=process.pid, port=port, since=process.create_time(), note=note)


def with_database() -> Settings:
    """Return the settings with a database that answers, starting the embedded one where none is set."""
    settings = load_settings()
    return settings.model_copy(update={"database_url": PostgresDsn(ensure_postgres(settings))})
