"""The embedded Postgres: binaries from a wheel, data under the home folder, one server for two databases.

Nothing here needs root, docker or a system database. The server listens on loopback alone, asks for a
password (SCRAM), and runs as the user who starts it; Postgres refuses to run as root, so root starts it
as an unprivileged user who is given a folder of his own.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import structlog

from ecg_core.errors import StackError
from ecg_core.settings import Settings
from ecg_core.stack.cluster import Cluster, can_enter, root_runs_as, run, running, works_in
from ecg_core.stack.files import locked, port_is_free, read_secret, tail, unused_port, write_atomically

if TYPE_CHECKING:
    from psycopg2.extensions import connection as PostgresConnection  # noqa: N812

log = structlog.get_logger(__name__)

ROLE = "ecg"
DATABASES = ("airflow", "ecg")
_SYSTEM_STATE_DIR = Path("/var/lib")
_SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Airflow keeps up to 15 connections for each of its processes.
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The default settings are those of a machine of the nineties. COPY of a day's recording, and sums over tens of
    # millions of rows, want room; compiling queries (JIT) costs more than it gives here.
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
}


def ensure_postgres(settings: Settings) -> str:
    """Start the embedded server unless it runs already.

    Parameters
    ----------
    settings : Settings
        ``home`` says where the data lie; with ``database_url`` set nothing is started.

    Returns
    -------
    str
        SQLAlchemy address of the database ``ecg``, or ``database_url`` where that is set.

    Raises
    ------
    StackError
        The server does not start; the message holds the end of its log.
    """
    if settings.database_url is not None:
        return database_address(settings)
    with _locked(settings):
        cluster = _remembered(settings) or _new_cluster(settings)
        if not (cluster.data_dir / "PG_VERSION").exists():
            _initialise(settings, cluster)
        process = running(cluster)
        if process is None:
            cluster = _start(settings, cluster)
        _create_databases(settings, cluster)
    return database_address(settings)


def stop_postgres(settings: Settings) -> bool:
    """Stop the embedded server and wait for its end; True if there was one to stop.

    Raises
    ------
    StackError
        It is still there after a minute.
    """
    if not settings.home.is_dir():
        return False
    with _locked(settings):
        cluster = _remembered(settings)
        if cluster is None or running(cluster) is None:
            return False
        # "fast" ends the sessions that are still open; "smart" would wait for them.
        command = ["pg_ctl", "stop", "-D", str(cluster.data_dir), "-m", "fast", "-w", "-t", "60"]
        done = run(cluster, command)
        if done.returncode != 0 and running(cluster) is not None:
            raise StackError(
                f"The embedded Postgres did not stop: {done.stdout.strip()}.",
                f"Look into {log_file(settings)}, then run `ecg down` again.",
            )
    log.info("postgres stopped", port=cluster.port)
    return True


def remove_postgres(settings: Settings) -> None:
    """Stop the embedded server and delete its data, wherever they lie. What it held is lost."""
    stop_postgres(settings)
    with _locked(settings):
        if cluster := _remembered(settings):
            shutil.rmtree(cluster.folder, ignore_errors=True)
        _memory(settings).unlink(missing_ok=True)


def postgres_process(settings: Settings) -> tuple[psutil.Process, int] | None:
    """Return the embedded server's process and port, or None where it does not run."""
    cluster = _remembered(settings)
    process = running(cluster) if cluster else None
    return (process, cluster.port) if cluster and process else None


def airflow_database_url(settings: Settings) -> str:
    """Return the SQLAlchemy address of Airflow's own database ``airflow``, on the same server as ``ecg``.

    Where the user brings the server (``database_url``), the database is created if the role may do so.

    Raises
    ------
    StackError
        The embedded server was never started; or the user's server has no database ``airflow`` and
        the role may not create one.
    """
    return _own_airflow_database(settings) if settings.database_url else _embedded_url(settings, "airflow")


def database_address(settings: Settings) -> str:
    """Return the SQLAlchemy address of the database ``ecg``, or of ``database_url``, without starting anything.

    Raises
    ------
    StackError
        The embedded server was never started.
    """
    return _own_url(settings) if settings.database_url else _embedded_url(settings, "ecg")


def log_file(settings: Settings) -> Path:
    """Return the embedded server's log."""
    return settings.home / "logs" / "postgres.log"


# --- the user's own server ---------------------------------------------------------------------------------


def _own_url(settings: Settings) -> str:
    # With the driver that we use, whatever the user wrote.
    from sqlalchemy import make_url

    url = make_url(str(settings.database_url)).set(drivername="postgresql+psycopg2")
    return url.render_as_string(hide_password=False)


def _own_airflow_database(settings: Settings) -> str:
    import psycopg2
    from sqlalchemy import make_url

    url = make_url(_own_url(settings))
    if url.database == "airflow":
        raise StackError(
            "ECG_DATABASE_URL names the database `airflow`, which is Airflow's own.",
            "Name another database of that server, for example `ecg`.",
        )
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with closing(psycopg2.connect(plain, connect_timeout=10)) as connection:
            _create_missing(connection, ["airflow"])
    except psycopg2.errors.InsufficientPrivilege:
        raise StackError(
            f"The server of ECG_DATABASE_URL has no database `airflow`, and {url.username!r} may not create one.",
            f'Run there as an administrator: CREATE DATABASE airflow OWNER "{url.username}";',
        ) from None
    except psycopg2.OperationalError as error:
        raise StackError(
            f"The server of ECG_DATABASE_URL does not answer: {str(error).strip()}.",
            "Start it, or correct ECG_DATABASE_URL.",
        ) from None
    return url.set(database="airflow").render_as_string(hide_password=False)


# --- making and starting the cluster -----------------------------------------------------------------------


def _new_cluster(settings: Settings) -> Cluster:
    settings.home.mkdir(parents=True, exist_ok=True)
    folder = settings.home / "postgres"
    user = root_runs_as()
    if user is None:
        folder.mkdir(mode=0o700, exist_ok=True)
    else:
        if not can_enter(settings.home, user):
            folder = _system_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
    cluster = Cluster(str(folder), unused_port())
    _remember(settings, cluster)
    return cluster


def _system_folder() -> Path:
    """Make a new folder outside the home, for a home whose parents are closed to other users."""
    try:
        state = _SYSTEM_STATE_DIR / "ecg-platform"
        state.mkdir(exist_ok=True)
        state.chmod(0o755)  # Whatever the umask is: the server's user must be able to walk through.
    except OSError:
        state = Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix="ecg-postgres-", dir=state))


def _initialise(settings: Settings, cluster: Cluster) -> None:
    # Into a folder that is renamed at the end: an interrupted initdb leaves nothing that looks finished.
    unfinished = Path(cluster.folder) / "data.unfinished"
    password_file = Path(cluster.folder) / "password"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(read_secret(_password_file(settings)))
    if user := root_runs_as(cluster):
        os.chown(password_file, user.pw_uid, user.pw_gid)
    command = ["initdb", "-D", str(unfinished), "-U", ROLE, "-E", "UTF8", "--locale=C", "--auth=scram-sha-256"]
    done = run(cluster, [*command, f"--pwfile={password_file}"])
    password_file.unlink()
    if done.returncode != 0:
        raise StackError(
            f"The embedded Postgres cannot make its data folder {cluster.folder}: {done.stdout.strip()[-800:]}",
            "Make room there or mend its permissions, or set ECG_DATABASE_URL to a Postgres of your own.",
        )
    unfinished.rename(cluster.data_dir)


def _start(settings: Settings, cluster: Cluster) -> Cluster:
    _clear_after_kill(cluster)
    for attempt in range(3):
        if attempt or not port_is_free(cluster.port):
            cluster = Cluster(cluster.folder, unused_port())
        _remember(settings, cluster)
        options = " ".join(f"-c {name}='{value}'" for name, value in (_SERVER_OPTIONS | {"port": cluster.port}).items())
        log_path = log_file(settings)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        log_path.touch(mode=0o600)
        # The server inherits the open log file: it need not be able to walk to it.
        with log_path.open("ab") as output:
            command = ["pg_ctl", "start", "-D", str(cluster.data_dir), "-w", "-t", "120", "-o", options]
            done = run(cluster, command, output=output.fileno())
        if done.returncode == 0:
            log.info("postgres started", port=cluster.port, folder=cluster.folder)
            return cluster
    raise StackError(
        f"The embedded Postgres does not start. The end of its log:\n{tail(log_file(settings), 15)}",
        f"See {log_file(settings)}; or set ECG_DATABASE_URL to a Postgres of your own.",
    )


def _clear_after_kill(cluster: Cluster) -> None:
    """Make a data folder startable whose server was killed.

    Its pid may belong to another process by now, which Postgres would take for itself; and sessions of
    the dead server may still be ending, which must not write any more when the next one starts.
    """
    left = [process for process in psutil.process_iter() if works_in(process, cluster.data_dir)]
    _, left = psutil.wait_procs(left, timeout=5)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
    (cluster.data_dir / "postmaster.pid").unlink(missing_ok=True)


def _create_databases(settings: Settings, cluster: Cluster) -> None:
    import psycopg2

    password = read_secret(_password_file(settings))
    try:
        with closing(
            psycopg2.connect(host="127.0.0.1", port=cluster.port, user=ROLE, password=password, dbname="postgres")
        ) as connection:
            _create_missing(connection, DATABASES)
    except psycopg2.OperationalError as error:
        raise StackError(
            f"The embedded Postgres refuses us: {' '.join(str(error).split())}.",
            f"Its password stands in {_password_file(settings)}: put back the one that it was made with.",
        ) from None


def _create_missing(connection: PostgresConnection, names: Sequence[str]) -> None:
    from psycopg2 import sql

    connection.autocommit = True  # CREATE DATABASE cannot run inside a transaction.
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


# --- what is remembered ------------------------------------------------------------------------------------


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    settings.home.mkdir(parents=True, exist_ok=True)
    with locked(settings.home / "postgres.lock"):
        yield


def _memory(settings: Settings) -> Path:
    return settings.home / "postgres.json"


def _remember(settings: Settings, cluster: Cluster) -> None:
    write_atomically(_memory(settings), json.dumps({**asdict(cluster), "home": str(settings.home)}))


def _remembered(settings: Settings) -> Cluster | None:
    try:
        facts = json.loads(_memory(settings).read_text())
        home = Path(facts.pop("home", settings.home))
        cluster = Cluster(**facts)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise StackError(
            f"{_memory(settings)} cannot be read: {error}.",
            'It says where the data lie: {"folder": "…", "port": 5432}. Write that again, or delete the file'
            " to begin with an empty database.",
        ) from None
    if not Path(cluster.folder).is_dir():
        return None
    return cluster if home == settings.home else _of_this_home(settings, cluster, home)


def _of_this_home(settings: Settings, cluster: Cluster, home: Path) -> Cluster | None:
    """Return the cluster of a home that was copied or moved: its own data, never those of the home that is still there.

    Raises
    ------
    StackError
        The data lie outside and belong to the home that this one was copied from.
    """
    own = settings.home / "postgres"
    if Path(cluster.folder) == home / "postgres":
        return Cluster(str(own), cluster.port) if own.is_dir() else None
    if not home.exists():
        return cluster  # moved: the data outside it are still its own
    raise StackError(
        f"{settings.home} is a copy of {home}, whose database lies outside it in {cluster.folder} and was not copied.",
        f"Delete {_memory(settings)} to begin with an empty database.",
    )


def _password_file(settings: Settings) -> Path:
    return settings.home / "secrets" / "postgres"


def _embedded_url(settings: Settings, database: str) -> str:
    cluster = _remembered(settings)
    if cluster is None:
        raise StackError("There is no embedded Postgres yet.", "Run `ecg up` first.")
    password = read_secret(_password_file(settings))
    return f"postgresql+psycopg2://{ROLE}:{password}@127.0.0.1:{cluster.port}/{database}"
