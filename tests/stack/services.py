"""The services of docker-compose.yml without docker: each one's command with exactly its environment, as a process.

What a container has to itself is given to each process: a home folder, a temporary folder, ports. Nothing is shared
between two services but Postgres, redis, the object store and the inbox, as on machines of their own.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import psutil
import yaml
from moto.server import ThreadedMotoServer
from sqlalchemy import make_url

from ecg_core.settings import PREFIX, PROJECT_DIR, Settings
from ecg_core.stack.cluster import installation
from ecg_core.stack.postgres import ensure_postgres, remove_postgres

COMPOSE = yaml.safe_load((PROJECT_DIR / "docker-compose.yml").read_text())
SECRETS = re.findall(r"\$\{(\w+):\?", (PROJECT_DIR / "docker-compose.yml").read_text())
BUCKET = "shared"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(true: Callable[[], object], timeout_s: float, what: str, every_s: float = 0.5) -> float:
    """Wait until something holds; the seconds that it took."""
    started = time.monotonic()
    while not true():
        if time.monotonic() - started > timeout_s:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)
    return time.monotonic() - started


def kill_tree(process: subprocess.Popen) -> None:
    """End a process and all that it started, by SIGKILL, as a machine ends that loses its power."""
    try:
        leader = psutil.Process(process.pid)
        family = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for one in family:  # the leader first, so that it starts no other
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=20)
    process.wait()


@dataclass
class Services:
    """What runs, by name; `variables` are those of the `.env` beside docker-compose.yml."""

    folder: Path
    variables: dict[str, str]
    ports: dict[str, int]
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports['api-server']}"

    @property
    def database_url(self) -> str:
        """Where the scores are, for their owner."""
        return self.environment("init")["ECG_DATABASE_URL"]

    def environment(self, service: str, name: str = "") -> dict[str, str]:
        """Give what the service's environment says, with the addresses of this machine."""
        home = self.folder / (name or service)
        given = {**COMPOSE["services"][service]["environment"]}
        values = {key: self._filled(key, value) for key, value in given.items()}
        values = {key: self._here(value, home) for key, value in values.items() if value is not None}
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT_DIR),
            "TMPDIR": str(home / "tmp"),
            "HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["api-server"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["scheduler"]),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.ports.get(name, 0) or free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.ports["triggerer"]),
        }
        return {**values, **own}

    def _filled(self, key: str, value: object) -> str | None:
        if value is None:
            return self.variables.get(key)
        return re.sub(
            r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: self.variables.get(found[1], found[2] or ""), str(value)
        )

    def _here(self, value: str, home: Path) -> str:
        for there, here in (
            ("@postgres:5432", f"@127.0.0.1:{self.ports['postgres']}"),
            ("@redis:6379", f"@127.0.0.1:{self.ports['redis']}"),
            ("api-server:8080", f"127.0.0.1:{self.ports['api-server']}"),
            ("0.0.0.0:9464", f"127.0.0.1:{self.ports['watch']}"),
            ("//ecg:", "//compose_ecg:"),
            ("//airflow:", "//compose_airflow:"),
            ("/var/lib/ecg", str(home)),
            ("/opt/ecg", str(PROJECT_DIR)),
        ):
            value = value.replace(there, here)
        return re.sub(r"/(airflow|ecg)$", r"/compose_\1", value) if "postgresql" in value else value

    def start(self, service: str, name: str = "") -> subprocess.Popen:
        """Start a service, `name` where there are several of it."""
        name = name or service
        home = self.folder / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        command = [part.replace("$$", "$") for part in COMPOSE["services"][service]["command"]]
        if service == "worker":
            command += ["--celery-hostname", name]  # a container has a host name of its own
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                env=self.environment(service, name),
                cwd=home,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.running[name]

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        for process in self.running.values():
            kill_tree(process)

    def tail(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""


@contextmanager
def composed(folder: Path, inbox: Path, **variables: str) -> Iterator[Services]:
    """Start Postgres with its first start's script, redis, an object store, and run `init`; then it is the caller's.

    Parameters
    ----------
    folder : Path
        What Postgres of root can walk to.
    inbox : Path
    **variables : str
        Of `.env`.
    """
    redis_server = shutil.which("redis-server") or "redis-server"
    database = Settings(_env_file=None, home=folder / "postgres", database_url=None)
    server = make_url(ensure_postgres(database))
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    endpoint = "http://{}:{}".format(*store.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
    boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1"
    ).create_bucket(Bucket=BUCKET)
    secret = {name: secrets.token_hex(32) for name in SECRETS}
    secret["AIRFLOW_FERNET_KEY"] = "A" * 43 + "="
    given = {
        **secret,
        **keys,
        "AWS_ENDPOINT_URL": endpoint,
        "ECG_INBOX": str(inbox),
        "ECG_STORE": f"s3://{BUCKET}/ecg",
        **variables,
    }
    names = ("api-server", "scheduler", "triggerer", "watch", "redis")
    services = Services(folder, given, {"postgres": int(server.port or 0), **{name: free_port() for name in names}})
    try:
        _first_start(given, server)
        services.running["redis"] = subprocess.Popen(
            [
                redis_server,
                "--save",
                "",
                "--port",
                str(services.ports["redis"]),
                "--requirepass",
                given["REDIS_PASSWORD"],
            ],
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        init = services.start("init")
        assert init.wait(600) == 0, services.tail("init")
        yield services
    finally:
        services.stop()
        store.stop()
        remove_postgres(database)


def _first_start(given: dict[str, str], server: object) -> None:
    """Run what docker's Postgres runs at its first start, under names that the embedded one has not yet."""
    script = COMPOSE["configs"]["databases"]["content"].replace("$$", "$").replace("--username postgres", "")
    script = re.sub(r"\b(ROLE|DATABASE|OWNER) (airflow|ecg)\b", r"\1 compose_\2", script)
    script = script.replace("DATABASE ecg TO", "DATABASE compose_ecg TO")
    script = script.replace("compose_airflow, ecg FROM", "compose_airflow, compose_ecg FROM")
    script = re.sub(r"\bTO ecg\b", "TO compose_ecg", script)
    script = script.replace("/etc/ecg/roles.sql", str(PROJECT_DIR / COMPOSE["configs"]["roles"]["file"]))
    url = make_url(server)
    environment = {
        "PATH": f"{installation() / 'bin'}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "PGDATABASE": "postgres",
        **{name: value for name, value in given.items() if name.endswith("PASSWORD")},
    }
    subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)


assert PREFIX == "ECG_"
