"""Airflow's four parts with the LocalExecutor, on loopback alone, each a process that can be started again by itself.

Not `airflow standalone`, which does not notice that one of its parts died: all of them would have to start again, for
minutes on a machine that has other work.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil
import structlog
from pydantic import SecretStr

from ecg_core.errors import StackError
from ecg_core.settings import PREFIX, PROJECT_DIR, Settings
from ecg_core.stack.api import API_SERVER, AirflowApi
from ecg_core.stack.files import port_is_free, read_secret, tail, write_atomically
from ecg_core.stack.postgres import airflow_database_url, database_address
from ecg_core.stack.processes import (
    KEEPER,
    MARK,
    has_ended,
    read_memory,
    remembered_process,
    remembered_session,
    start_remembered,
)

log = structlog.get_logger(__name__)

USER = "admin"
# All parts share a disk, and the API server reads the logs from there: the log servers would listen on every interface.
PARTS: Final = {
    API_SERVER: (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
"""Parts of Airflow, and what each is told beside its name."""
AUTH_MANAGER = "ecg_airflow.doorkeeper.Doorkept"
POOLS = {
    "ecg_training": (1, "Training: one family after the other, up to 6 GB each"),
    "ecg_archive": (1, "Recordings of archives: never all slots, so that fresh ones find one"),
}
"""Pools that the DAGs name: slots and what they are for."""
_START_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 30.0


def airflow_env(settings: Settings) -> dict[str, str]:
    """Build the environment in which an `airflow` command sees the embedded stack.

    The user's own ``AIRFLOW__…`` variables are kept where this stack does not depend on the value.
    The settings go in as absolute values, so that a task sees the same ones whatever its folder.

    Raises
    ------
    StackError
        Postgres was never started, or the user's server cannot hold Airflow's database.
    """
    folder = _airflow_home(settings)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    return {
        **inherited,
        **_ecg_variables(settings),
        **_airflow_variables(settings),
        "AIRFLOW_HOME": str(folder),
        "PATH": path,
        # Scoring runs on the CPU.
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def start_airflow(settings: Settings) -> int:
    """Start the parts of Airflow that do not run, wait until all are healthy, and return the port.

    Raises
    ------
    StackError
        A part ended, or was not healthy after five minutes; the message holds the end of its log. Where nothing ran
        before, nothing runs then.
    """
    running = airflow_parts(settings)
    missing = [part for part in PARTS if part not in running]
    for part in missing:
        end_part(settings, part)
    if API_SERVER in missing and (len(missing) == len(PARTS) or not port_is_free(airflow_port(settings))):
        missing = [*PARTS]
        running = {}
        # What is left of it, and what would ask at the old port. Not who mends: nobody would, if this one dies now.
        stop_airflow(settings, at_once=True, with_keepers=False)
    try:
        if not running:
            _prepare(settings)
        for part in missing:
            _start(settings, part)
        _wait_until_healthy(settings)
    except StackError:
        if not running:
            stop_airflow(settings, with_keepers=False)
        raise
    return airflow_port(settings)


def stop_airflow(settings: Settings, *, at_once: bool = False, with_keepers: bool = True) -> bool:
    """Stop Airflow and everything that it started; True if there was something to stop.

    Parameters
    ----------
    settings : Settings
    at_once : bool
        Do not ask first: parts that lost one of theirs would wait for it.
    with_keepers : bool
        `ecg watch` and the keeper as well.

    Raises
    ------
    StackError
        A process survived SIGKILL, or belongs to somebody else.
    """
    # Twice: a process may have been born while the first list was made.
    found = False
    for _ in range(2):
        processes = _processes(settings, with_keepers=with_keepers)
        found = found or bool(processes)
        _end(processes, at_once)
    if left := _processes(settings, with_keepers=with_keepers):
        pids = ", ".join(str(process.pid) for process in left)
        raise StackError(f"Processes of Airflow are still there: {pids}.", "End them with the rights of their owner.")
    if found:
        log.info("airflow stopped")
    return found


def airflow_parts(settings: Settings) -> dict[str, psutil.Process]:
    """Find the parts of Airflow that run, by name."""
    found = {part: remembered_process(_memory(settings, part), settings) for part in PARTS}
    return {part: process for part, process in found.items() if process is not None}


def airflow_port(settings: Settings) -> int:
    """Return the port of Airflow's API and UI: the remembered one, or the setting before the first start."""
    return int(read_memory(_port_memory(settings), settings).get("port", settings.airflow_port))


def airflow_url(settings: Settings) -> str:
    """Return the address of Airflow's UI."""
    return f"http://127.0.0.1:{airflow_port(settings)}"


def airflow_password(settings: Settings) -> str:
    """Return the password of the one user, made when it is first asked for."""
    return read_secret(settings.home / "secrets" / "airflow-password", n_bytes=12)


def airflow_log(settings: Settings, part: str) -> Path:
    """Return the log of a part of Airflow."""
    return settings.home / "logs" / f"airflow-{part}.log"


# --- environment -------------------------------------------------------------------------------------------


def _airflow_home(settings: Settings) -> Path:
    return settings.home / "airflow"


def _ecg_variables(settings: Settings) -> dict[str, str]:
    variables = {}
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if value is None or value == "":
            continue
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        # Settings that hold several values are read from the environment as JSON.
        several = isinstance(plain, tuple | list | dict)
        variables[f"{PREFIX}{field}".upper()] = json.dumps(plain) if several else str(plain)
    return variables | {f"{PREFIX}DATABASE_URL": database_address(settings)}


def _airflow_variables(settings: Settings) -> dict[str, str]:
    port, secrets_dir = airflow_port(settings), settings.home / "secrets"
    options = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__DAGS_FOLDER": str(PROJECT_DIR / "dags"),
        "CORE__PLUGINS_FOLDER": str(PROJECT_DIR / "plugins"),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        # The executor forks so many workers at once; each may hold a model.
        "CORE__PARALLELISM": str(max(4, os.cpu_count() or 1)),
        "CORE__FERNET_KEY": read_secret(secrets_dir / "airflow-fernet", n_bytes=32) + "=",
        "CORE__AUTH_MANAGER": AUTH_MANAGER,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_users_file(settings)),
        "DATABASE__SQL_ALCHEMY_CONN": airflow_database_url(settings),
        "LOGGING__BASE_LOG_FOLDER": str(settings.home / "logs" / "airflow"),
        "LOGGING__NAMESPACE_LEVELS": f"ecg_core={settings.log_level or 'INFO'}",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__WORKERS": "1",
        # Its page loads scripts from elsewhere, which no policy of ours lets through.
        "API__ENABLE_SWAGGER_UI": "False",
        "API__SECRET_KEY": read_secret(secrets_dir / "airflow-api", n_bytes=64),
        "API_AUTH__JWT_SECRET": read_secret(secrets_dir / "airflow-jwt", n_bytes=64),
        # Otherwise a finished task can hang for up to five seconds.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # How long a scheduler that has nothing to do waits between looks: .2 took a fifth of a core, day and night.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        # Files that changed are read at once all the same.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        # A new DAG file shows after so many seconds instead of 300.
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    }
    return {f"AIRFLOW__{name}": value for name, value in options.items()}


def _users_file(settings: Settings) -> Path:
    path = settings.home / "secrets" / "airflow-users.json"
    content = json.dumps({USER: airflow_password(settings)})
    if not path.exists() or path.read_text().strip() != content:
        write_atomically(path, content, mode=0o600)
    return path


# --- starting ----------------------------------------------------------------------------------------------


def _prepare(settings: Settings) -> None:
    """Choose a port, begin the logs anew, and bring Airflow's own tables up to date."""
    port = next(port for port in range(airflow_port(settings), 65536) if port_is_free(port))
    write_atomically(_port_memory(settings), json.dumps({"port": port, "home": str(settings.home)}))
    log.info("airflow starting", port=port)
    for part in ("database", *PARTS):
        airflow_log(settings, part).unlink(missing_ok=True)
    migrating = _start(settings, "database", ("db", "migrate"))
    try:
        code = migrating.wait(timeout=_START_TIMEOUT_S)
    except psutil.TimeoutExpired:
        code = None
    if code != 0:
        raise StackError(*_why(settings, "Airflow ended while it started.", "database"))


def _start(settings: Settings, part: str, command: Sequence[str] | None = None) -> psutil.Popen:
    folder = _airflow_home(settings)
    folder.mkdir(parents=True, exist_ok=True)
    airflow = str(Path(sys.executable).parent / "airflow")
    arguments = [airflow, *(command or (part, *PARTS[part]))]
    log_file = airflow_log(settings, part)
    return start_remembered(settings, _memory(settings, part), log_file, arguments, airflow_env(settings), folder)


def _wait_until_healthy(settings: Settings) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    missing = [API_SERVER]
    with AirflowApi(airflow_url(settings), USER, airflow_password(settings)) as api:
        while time.monotonic() < deadline:
            running = airflow_parts(settings)
            if ended := [part for part in PARTS if part not in running]:
                raise StackError(*_why(settings, "A part of Airflow ended while it started.", *ended))
            missing = api.unhealthy_parts({part: process.create_time() for part, process in running.items()})
            if not missing:
                api.sign_in()  # Refused where another program answers on our port.
                for name, (slots, description) in POOLS.items():
                    api.ensure_pool(name, slots, description)
                return
            time.sleep(0.25)
    raise StackError(*_why(settings, "Airflow was not healthy in time.", *missing))


def _why(settings: Settings, what: str, *parts: str) -> tuple[str, str]:
    logs = [airflow_log(settings, part.replace("_", "-")) for part in parts]
    ends = "\n".join(f"The end of {path}:\n{tail(path, 25)}\n" for path in logs if path.exists())
    return f"{what} Not up: {', '.join(parts)}. {ends}", "Mend what that log names, then run `ecg up` again."


# --- stopping ----------------------------------------------------------------------------------------------


def _processes(
    settings: Settings, parts: Sequence[str] = (), *, marked: bool = True, with_keepers: bool = True
) -> list[psutil.Process]:
    """List every process of this home's Airflow: the sessions of its parts, and whoever carries our mark.

    Neither is enough: the environment of a part that is just being started is not its own yet, and a task may open a
    session of its own.
    """
    sessions = {remembered_session(_memory(settings, part), settings) for part in parts or ("database", *PARTS)}
    sessions |= {remembered_session(_port_memory(settings), settings)} - {None}  # of earlier releases
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or has_ended(process):
                continue
            of_parts = os.getsid(process.pid) in sessions
            environment = process.environ() if marked and not of_parts else {}
            spared = not with_keepers and KEEPER.items() <= environment.items()
            if of_parts or (environment.get(MARK) == str(settings.home) and not spared):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # Gone meanwhile, or somebody else's.
    return found


def end_part(settings: Settings, part: str) -> None:
    """End a part at once, or what it left behind when it died: the scheduler's tasks, which are given out again."""
    _end(_processes(settings, (part,), marked=False), at_once=True)


def _end(processes: list[psutil.Process], at_once: bool) -> None:
    for ask in (psutil.Process.terminate, psutil.Process.kill)[at_once:]:
        for process in processes:
            try:
                ask(process)
            except psutil.Error:
                continue
        _, processes = psutil.wait_procs(processes, timeout=_STOP_TIMEOUT_S)


# --- what is remembered ------------------------------------------------------------------------------------


def _memory(settings: Settings, part: str) -> Path:
    return settings.home / f"airflow-{part}.json"


def _port_memory(settings: Settings) -> Path:
    return settings.home / "airflow.json"
