"""The embedded Postgres, started and killed for real."""

import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import make_url

from ecg_core.errors import StackError
from ecg_core.settings import Settings
from ecg_core.stack import cluster
from ecg_core.stack.cluster import can_enter, installation
from ecg_core.stack.postgres import (
    airflow_database_url,
    database_address,
    ensure_postgres,
    postgres_process,
    remove_postgres,
    stop_postgres,
)

AS_ROOT = os.geteuid() == 0


def settings_for(home: Path, database_url: str | None = None) -> Settings:
    return Settings(_env_file=None, home=home, database_url=database_url)


@pytest.fixture
def own() -> Iterator[Settings]:
    """A server of the test's own, which it may kill."""
    home = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    home.chmod(0o755)
    settings = settings_for(home)
    yield settings
    remove_postgres(settings)
    shutil.rmtree(home)


def query(url: str, statement: str) -> list[tuple]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def kill_server(settings: Settings) -> None:
    process, _ = postgres_process(settings)
    process.kill()
    psutil.wait_procs([process], timeout=10)


def test_both_databases_are_there_and_ecg_is_returned(stack_settings, postgres_url):
    names = {name for (name,) in query(postgres_url, "SELECT datname FROM pg_database")}
    assert {"airflow", "ecg"} <= names
    assert make_url(postgres_url).database == "ecg"
    assert query(airflow_database_url(stack_settings), "SELECT current_database()") == [("airflow",)]


def test_listens_on_loopback_alone_and_asks_for_the_password(stack_settings, postgres_url):
    process, _ = postgres_process(stack_settings)
    assert {connection.laddr.ip for connection in process.net_connections() if connection.status == "LISTEN"} == {
        "127.0.0.1"
    }
    wrong = make_url(postgres_url).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        query(wrong, "SELECT 1")


def test_secrets_are_the_owners_alone(stack_settings, postgres_url):
    folder = stack_settings.home / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    password = make_url(postgres_url).password
    assert password not in " ".join(postgres_process(stack_settings)[0].cmdline())


def test_never_runs_as_root(stack_settings, postgres_url):
    assert postgres_process(stack_settings)[0].uids().real != 0


def test_starting_again_keeps_the_server(stack_settings, postgres_url):
    before = postgres_process(stack_settings)[0].pid
    assert ensure_postgres(stack_settings) == postgres_url
    assert postgres_process(stack_settings)[0].pid == before


def test_killed_server_starts_again_with_its_data_whole(own):
    url = ensure_postgres(own)
    query(url, "CREATE TABLE kept (n int)")
    query(url, "INSERT INTO kept SELECT generate_series(1, 1000)")
    kill_server(own)
    assert postgres_process(own) is None
    assert query(ensure_postgres(own), "SELECT count(*), sum(n) FROM kept") == [(1000, 500500)]


def test_number_of_the_killed_server_may_belong_to_another_process(own):
    url = ensure_postgres(own)
    query(url, "CREATE TABLE kept AS SELECT 1 AS n")
    kill_server(own)
    pid_file = Path(json.loads((own.home / "postgres.json").read_text())["folder"]) / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # Of the user that Postgres runs as: the one case in which Postgres itself takes it for a server.
    owner = pid_file.stat().st_uid
    sleeper = subprocess.Popen(["sleep", "60"], user=owner if AS_ROOT else None)
    try:
        pid_file.write_text("\n".join([str(sleeper.pid), *lines[1:]]))
        assert query(ensure_postgres(own), "SELECT n FROM kept") == [(1,)]
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.fixture
def copied(own) -> Iterator[Settings]:
    """A copy of that home, made with `cp -a` while its server ran."""
    query(ensure_postgres(own), "CREATE TABLE kept AS SELECT 1 AS n")
    query(ensure_postgres(own), "CHECKPOINT")
    home = own.home.with_name(f"{own.home.name}-copy")
    subprocess.run(["cp", "-a", str(own.home), str(home)], check=True)
    yield settings_for(home)
    remove_postgres(settings_for(home))
    shutil.rmtree(home)


def test_a_copied_home_is_its_own(own, copied):
    """Stopping the copy leaves the original alone, and what is written into one is not in the other."""
    assert stop_postgres(copied) is False
    assert postgres_process(own) is not None
    url = ensure_postgres(copied)
    assert make_url(url).port != make_url(ensure_postgres(own)).port
    query(url, "INSERT INTO kept VALUES (2)")
    assert query(ensure_postgres(own), "SELECT n FROM kept") == [(1,)]
    assert stop_postgres(copied) is True
    assert query(ensure_postgres(own), "SELECT n FROM kept") == [(1,)]


def test_a_moved_home_keeps_its_data_and_a_copy_without_them_is_told(own):
    query(ensure_postgres(own), "CREATE TABLE kept AS SELECT 1 AS n")
    stop_postgres(own)
    outside = Path(tempfile.mkdtemp(prefix="ecg-outside-"))
    outside.chmod(0o755)
    facts = json.loads((own.home / "postgres.json").read_text())
    shutil.move(facts["folder"], outside / "postgres")
    (own.home / "postgres.json").write_text(json.dumps({**facts, "folder": str(outside / "postgres")}))
    home = own.home.with_name(f"{own.home.name}-2")
    try:
        shutil.copytree(own.home, home)
        with pytest.raises(StackError, match=r"is a copy of .*begin with an empty database"):
            ensure_postgres(settings_for(home))
        shutil.rmtree(home)
        own.home.rename(home)
        assert query(ensure_postgres(settings_for(home)), "SELECT n FROM kept") == [(1,)]
    finally:
        remove_postgres(settings_for(home))
        home.rename(own.home)
        shutil.rmtree(outside, ignore_errors=True)


def test_a_lost_password_is_a_sentence(own):
    ensure_postgres(own)
    file = own.home / "secrets" / "postgres"
    kept = file.read_text()
    file.unlink()
    with pytest.raises(StackError, match=r"password authentication failed.*put back the one") as raised:
        ensure_postgres(own)
    assert kept not in str(raised.value)
    file.write_text(kept)
    assert query(ensure_postgres(own), "SELECT 1") == [(1,)]


def test_two_starts_at_once_make_one_server(own):
    program = (
        "import sys; from pathlib import Path; from ecg_core.settings import Settings;"
        "from ecg_core.stack.postgres import ensure_postgres;"
        "settings = Settings(_env_file=None, home=Path(sys.argv[1]), database_url=None);"
        "sys.stdout.write('URL ' + ensure_postgres(settings))"
    )

    def start(_: int) -> str:
        command = [sys.executable, "-c", program, str(own.home)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("URL ")[1]

    with ThreadPoolExecutor(3) as pool:
        urls = set(pool.map(start, range(3)))
    assert urls == {database_address(own)}
    data = json.loads((own.home / "postgres.json").read_text())["folder"] + "/data"
    servers = [process for process in psutil.process_iter() if data in _cmdline(process)]
    assert len(servers) == 1


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_taken_port_is_chosen_anew(own):
    ensure_postgres(own)
    _, port = postgres_process(own)
    stop_postgres(own)
    with socket.create_server(("127.0.0.1", port)):
        url = ensure_postgres(own)
    assert make_url(url).port != port
    assert query(url, "SELECT 1") == [(1,)]


def test_interrupted_initialisation_is_done_again(own):
    # As a SIGKILL in the middle of initdb leaves it: a folder that is begun and not renamed.
    unfinished = own.home / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert query(ensure_postgres(own), "SELECT 1") == [(1,)]
    assert not unfinished.exists()


def test_stopping_leaves_no_process_and_may_be_repeated(own):
    ensure_postgres(own)
    children = (server := postgres_process(own)[0]).children(recursive=True)
    assert stop_postgres(own) is True
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in [server, *children])
    assert stop_postgres(own) is False


def test_lost_memory_file_is_told(own):
    (own.home / "postgres.json").write_text("{broken")
    with pytest.raises(StackError, match=r"postgres\.json cannot be read"):
        ensure_postgres(own)
    (own.home / "postgres.json").unlink()


def as_user(user: pwd.struct_passwd, function: Callable[[], str]) -> str:
    """What ``function`` returns, or raises, in a child that has become ``user``.

    A fork and not a new interpreter: root's interpreter may lie where the user cannot walk to.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.write(writer, function().encode())
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return told


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user; everybody else is one already")
def test_ordinary_user():
    user = pwd.getpwnam("daemon")
    home = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    os.chown(home, user.pw_uid, user.pw_gid)
    settings = settings_for(home)

    def live() -> str:
        query(ensure_postgres(settings), "CREATE TABLE kept AS SELECT 1 AS n")
        stop_postgres(settings)
        rows = query(ensure_postgres(settings), "SELECT n FROM kept")
        owner = postgres_process(settings)[0].uids().real
        stop_postgres(settings)
        return f"{rows} {owner}"

    try:
        if not can_enter(installation() / "bin", user):
            pytest.skip("this checkout lies in a folder that is closed to other users")
        assert as_user(user, live) == f"[(1,)] {user.pw_uid}"
        # What an ordinary user began, root goes on with, as that user.
        assert query(ensure_postgres(settings), "SELECT n FROM kept") == [(1,)]
        assert postgres_process(settings)[0].uids().real == user.pw_uid
    finally:
        remove_postgres(settings)
        shutil.rmtree(home)


@pytest.mark.skipif(not AS_ROOT, reason="only root hands the data to another user, who must be able to walk there")
def test_closed_parent_is_left_closed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    settings = settings_for(closed / "home")
    try:
        assert query(ensure_postgres(settings), "SELECT 1") == [(1,)]
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        elsewhere = Path(json.loads((settings.home / "postgres.json").read_text())["folder"])
        assert not elsewhere.is_relative_to(closed)
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    finally:
        remove_postgres(settings)
    assert not elsewhere.exists()


@pytest.mark.skipif(not AS_ROOT, reason="only root hands the server to another user, who must reach its program")
def test_program_in_a_closed_checkout_is_copied(tmp_path, monkeypatch):
    # The wheel as a checkout in root's own folder has it: closed to everybody else.
    wheel = installation()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in (wheel.parent, wheel.parent.with_name(f"{wheel.parent.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, closed / part.name, symlinks=True)
    monkeypatch.setattr(cluster, "installation", lambda: closed / wheel.parent.name / wheel.name)
    settings = settings_for(tmp_path / "home")
    umask = os.umask(0o077)
    try:
        assert query(ensure_postgres(settings), "SELECT 1") == [(1,)]
        assert str(closed) not in postgres_process(settings)[0].cmdline()[0]
    finally:
        os.umask(umask)
        remove_postgres(settings)


def test_own_server_starts_nothing(tmp_path, empty_database):
    settings = settings_for(tmp_path / "home", empty_database)
    assert ensure_postgres(settings) == empty_database
    assert postgres_process(settings) is None
    assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_own_server_is_reached_through_our_driver(tmp_path, scheme):
    url = ensure_postgres(settings_for(tmp_path, f"{scheme}://me:p%40ss@db.example:5433/ecg"))
    assert url == "postgresql+psycopg2://me:p%40ss@db.example:5433/ecg"


def test_own_server_gets_airflows_database(tmp_path, own):
    url = make_url(ensure_postgres(own))
    query(url.render_as_string(hide_password=False), "DROP DATABASE airflow")
    mine = settings_for(tmp_path, url.render_as_string(hide_password=False))
    assert query(airflow_database_url(mine), "SELECT current_database()") == [("airflow",)]


def test_own_server_without_the_right_to_create_says_what_to_run(tmp_path, own):
    url = ensure_postgres(own)
    query(url, "DROP DATABASE airflow")
    query(url, "CREATE ROLE weak LOGIN PASSWORD 'weak'")
    weak = make_url(url).set(username="weak", password="weak").render_as_string(hide_password=False)
    with pytest.raises(StackError, match='CREATE DATABASE airflow OWNER "weak"'):
        airflow_database_url(settings_for(tmp_path, weak))


def test_own_server_that_is_airflows_or_absent_is_told(tmp_path, empty_database):
    airflows = make_url(empty_database).set(database="airflow").render_as_string(hide_password=False)
    with pytest.raises(StackError, match="Airflow's own"):
        airflow_database_url(settings_for(tmp_path, airflows))
    with pytest.raises(StackError, match="does not answer") as raised:
        airflow_database_url(settings_for(tmp_path, "postgresql://me:hidden-word@127.0.0.1:1/ecg"))
    assert "hidden-word" not in str(raised.value)


def test_signal_to_our_group_does_not_reach_the_server(own):
    # Ctrl-C in the terminal that ran `ecg up` goes to its whole process group.
    ensure_postgres(own)
    process, _ = postgres_process(own)
    assert os.getpgid(process.pid) != os.getpgid(0)
