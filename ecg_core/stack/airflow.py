"""Airflow in one process group: `airflow standalone` with the LocalExecutor, on loopback alone."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import structlog
from pydantic import SecretStr

from ecg_core.errors import StackError
from ecg_core.settings import PREFIX, PROJECT_DIR, Settings
from ecg_core.stack.api import API_SERVER, AirflowApi
from ecg_core.stack.files import port_is_free, read_secret, tail, write_atomically
from ecg_core.stack.postgres import airflow_database_url, database_address

log = structlog.get_logger(__name__)

USER = "admin"
MARK = "_ECG_STACK"
"""In the environment of each process that we start, so that none can hide from `ecg down`."""
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
    """Start Airflow unless it runs already, wait until it is healthy, and return its port.

    Raises
    ------
    StackError
        It ended, or was not healthy after five minutes; the message holds the end of its log. Nothing runs then.
    """
    leader = airflow_process(settings)
    if leader is None or dead_children(leader):
        stop_airflow(settings, at_once=True)  # What a killed leader, or one that lost a part, left behind.
        leader = _launch(settings)
    try:
        _wait_until_healthy(settings, leader)
    except StackError:
        stop_airflow(settings)  # Half a stack would be in the way of the next attempt.
        raise
    return airflow_port(settings)


def stop_airflow(settings: Settings, *, at_once: bool = False) -> bool:
    """Stop Airflow and everything that it started; True if there was something to stop.

    Parameters
    ----------
    settings : Settings
    at_once : bool
        Do not ask first: parts that lost one of theirs would wait for it.

    Raises
    ------
    StackError
        A process survived SIGKILL, or belongs to somebody else.
    """
    # Twice: a process may have been born while the first list was made.
    found = False
    for _ in range(2):
        processes = _processes(settings)
        found = found or bool(processes)
        _end(processes, at_once)
    if left := _processes(settings):
        pids = ", ".join(str(process.pid) for process in left)
        raise StackError(f"Processes of Airflow are still there: {pids}.", "End them with the rights of their owner.")
    if found:
        log.info("airflow stopped")
    return found


def airflow_process(settings: Settings) -> psutil.Process | None:
    """Find the leader of Airflow's process group; None where it does not run."""
    leader = _born(settings)
    return leader if leader and not _has_ended(leader) else None


def airflow_port(settings: Settings) -> int:
    """Return the port of Airflow's API and UI: the remembered one, or the setting before the first start."""
    return int(_remembered(settings).get("port", settings.airflow_port))


def airflow_url(settings: Settings) -> str:
    """Return the address of Airflow's UI."""
    return f"http://127.0.0.1:{airflow_port(settings)}"


def airflow_password(settings: Settings) -> str:
    """Return the password of the one user, made when it is first asked for."""
    return read_secret(settings.home / "secrets" / "airflow-password", n_bytes=12)


def airflow_log(settings: Settings) -> Path:
    """Return the log that all parts of Airflow write together."""
    return settings.home / "logs" / "airflow.log"


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


def _launch(settings: Settings) -> psutil.Process:
    port = next(port for port in range(airflow_port(settings), 65536) if port_is_free(port))
    _remember(settings, {"port": port})
    environment = airflow_env(settings) | {MARK: str(settings.home)}
    folder, log_path = _airflow_home(settings), airflow_log(settings)
    airflow = Path(sys.executable).parent / "airflow"
    environment["PATH"] = f"{_shim(folder, airflow)}{os.pathsep}{environment['PATH']}"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as output:
        process = subprocess.Popen(
            [str(airflow), "standalone"],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    leader = psutil.Process(process.pid)
    _remember(settings, {"port": port, "pid": leader.pid, "started_at": leader.create_time()})
    log.info("airflow starting", port=port, pid=leader.pid)
    return leader


def _shim(folder: Path, airflow: Path) -> Path:
    """Write the `airflow` that `standalone` starts its parts with, and return its folder.

    `standalone` knows no way to leave out the log servers, which listen on every interface. Here all
    parts share a disk, and the API server reads the logs from there. Nor does it take an auth manager but its own.
    """
    shim = folder / "bin" / "airflow"
    quoted = shlex.quote(str(airflow))
    lines = [
        "#!/bin/sh",
        f"export AIRFLOW__CORE__AUTH_MANAGER={AUTH_MANAGER}",
        'case "$1" in scheduler|triggerer) set -- "$@" --skip-serve-logs ;; esac',
        f'exec {quoted} "$@"',
    ]
    script = "\n".join([*lines, ""])
    write_atomically(shim, script, mode=0o755)
    return shim.parent


def _wait_until_healthy(settings: Settings, leader: psutil.Process) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    missing, dead = [API_SERVER], set[int]()
    with AirflowApi(airflow_url(settings), USER, airflow_password(settings)) as api:
        while time.monotonic() < deadline:
            if _has_ended(leader):
                raise StackError(*_why(settings, "Airflow ended while it started."))
            # Seen dead twice: `standalone` reaps its short-lived helpers, and never notices that a part has died.
            if dead & (dead := dead_children(leader)):
                raise StackError(*_why(settings, "A part of Airflow ended while it started.", missing))
            missing = api.unhealthy_parts(since=leader.create_time())
            if not missing:
                api.sign_in()  # Refused where another program answers on our port.
                for name, (slots, description) in POOLS.items():
                    api.ensure_pool(name, slots, description)
                return
            time.sleep(0.25)
    raise StackError(*_why(settings, "Airflow was not healthy in time.", missing))


def dead_children(leader: psutil.Process) -> set[int]:
    """Return the parts of Airflow that ended; `standalone` does not notice that they did."""
    try:
        return {child.pid for child in leader.children() if _has_ended(child)}
    except psutil.Error:
        return set()


def _why(settings: Settings, what: str, missing: Sequence[str] = ()) -> tuple[str, str]:
    log_path = airflow_log(settings)
    # The parts write one log, each line opening with its part's name: `dag-processor | …`.
    end = tail(log_path, 25, tuple(part.replace("_", "-") for part in missing if part != "metadatabase"))
    not_up = f" Not up: {', '.join(missing)}." if missing else ""
    return f"{what}{not_up} The end of its log:\n{end}\n", f"Mend what {log_path} names, then run `ecg up` again."


# --- stopping ----------------------------------------------------------------------------------------------


def _processes(settings: Settings) -> list[psutil.Process]:
    """List every process of this home's Airflow: the leader's session, and whoever carries our mark.

    Neither is enough: some parts overwrite their environment with a title, and a task may open a session
    of its own.
    """
    session = _session(settings)
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or _has_ended(process):
                continue
            if os.getsid(process.pid) == session or process.environ().get(MARK) == str(settings.home):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # Gone meanwhile, or somebody else's.
    return found


def _has_ended(process: psutil.Process) -> bool:
    # A zombie has ended too: its parent has not asked for its exit code yet.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _session(settings: Settings) -> int | None:
    """Return the session that we opened, which outlives its leader; None where its number is another's by now."""
    pid = _remembered(settings).get("pid")
    return None if pid is None or (psutil.pid_exists(pid) and _born(settings) is None) else int(pid)


def _born(settings: Settings) -> psutil.Process | None:
    """Find the process that we launched, dead or alive, told from a later one of its number by its birth."""
    memory = _remembered(settings)
    try:
        process = psutil.Process(int(memory["pid"]))
        return process if abs(process.create_time() - float(memory["started_at"])) < 1.0 else None
    except (KeyError, psutil.Error):
        return None


def _end(processes: list[psutil.Process], at_once: bool) -> None:
    for ask in (psutil.Process.terminate, psutil.Process.kill)[at_once:]:
        for process in processes:
            try:
                ask(process)
            except psutil.Error:
                continue
        _, processes = psutil.wait_procs(processes, timeout=_STOP_TIMEOUT_S)


# --- what is remembered ------------------------------------------------------------------------------------


def _memory(settings: Settings) -> Path:
    return settings.home / "airflow.json"


def _remember(settings: Settings, facts: dict[str, Any]) -> None:
    write_atomically(_memory(settings), json.dumps({**facts, "home": str(settings.home)}))


def _remembered(settings: Settings) -> dict[str, Any]:
    # Nothing in it is worth keeping: what cannot be read is written anew at the next start.
    try:
        facts = json.loads(_memory(settings).read_text())
        if not isinstance(facts, dict):
            return {}
        # In a copied home the processes are those of the home that it was copied from.
        return facts if facts.get("home", str(settings.home)) == str(settings.home) else {}
    except (OSError, ValueError):
        return {}
