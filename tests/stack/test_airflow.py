"""Airflow on the embedded Postgres, started, killed and stopped for real."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, make_url, text

from ecg_core.errors import StackError
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack import AirflowApi, airflow_env, down, ensure_postgres, status, up
from ecg_core.stack.airflow import PARTS, _memory, _processes, airflow_parts, start_airflow, stop_airflow
from ecg_core.stack.keeping import keeper_process, missing_parts
from ecg_core.stack.postgres import postgres_process, remove_postgres
from ecg_core.stack.processes import MARK, start_remembered
from ecg_core.stack.watching import watch_process
from ecg_core.texts import say_ui


@pytest.fixture
def own() -> Iterator[Settings]:
    """A home of the test's own with a running Postgres and no Airflow."""
    home = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    home.chmod(0o755)
    settings = Settings(_env_file=None, home=home, database_url=None, airflow_port=18480)
    ensure_postgres(settings)
    yield settings
    stop_airflow(settings)
    remove_postgres(settings)
    shutil.rmtree(home)


@pytest.fixture
def shared(stack_settings: Settings, postgres_url: str) -> Settings:
    """The shared home, whose Postgres runs."""
    return stack_settings


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


# --- without starting Airflow ------------------------------------------------------------------------------


def test_environment_holds_the_settings_as_absolute_values(shared, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECG_CHUNK_SIZE", "77")  # Of the caller's shell; the settings in hand say otherwise.
    relative = shared.model_copy(update={"chunk_size": 3})
    relative = Settings(**{**relative.model_dump(), "inbox": "arrivals", "physionet_base": "mirror"}, _env_file=None)
    environment = airflow_env(relative)
    assert environment["ECG_HOME"] == str(shared.home)
    assert environment["ECG_INBOX"] == str(tmp_path / "arrivals")
    assert environment["ECG_PHYSIONET_BASE"] == str(tmp_path / "mirror")
    assert environment["ECG_CHUNK_SIZE"] == "3"
    assert environment["ECG_DATABASE_URL"] == ensure_postgres(shared)
    # And they are settings again for whoever reads them there.
    monkeypatch.undo()
    monkeypatch.chdir("/")
    for name, value in environment.items():
        if name.startswith("ECG_"):
            monkeypatch.setenv(name, value)
    there = Settings(_env_file=None)
    assert there.model_dump(exclude={"database_url"}) == relative.model_dump(exclude={"database_url"})


def test_pseudonym_key_reaches_the_tasks_unmasked(shared):
    keyed = Settings(**{**shared.model_dump(), "pseudonym_key": "0123456789abcdef" * 2}, _env_file=None)
    assert airflow_env(keyed)["ECG_PSEUDONYM_KEY"] == "0123456789abcdef" * 2
    assert "ECG_PSEUDONYM_KEY" not in airflow_env(shared)


def test_environment_keeps_the_users_airflow_variables_but_for_ours(shared, monkeypatch):
    monkeypatch.setenv("AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY", "8")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    environment = airflow_env(shared)
    assert environment["AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY"] == "8"
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert environment["AIRFLOW_HOME"] == str(shared.home / "airflow")
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(PROJECT_DIR / "dags")


def test_the_log_level_reaches_our_loggers_in_the_tasks(shared):
    def levels_of(log_level):
        return airflow_env(shared.model_copy(update={"log_level": log_level}))["AIRFLOW__LOGGING__NAMESPACE_LEVELS"]

    assert levels_of(None) == "ecg_core=INFO"
    assert levels_of("ERROR") == "ecg_core=ERROR"
    # Airflow itself, asked in a process of its own, filters by it.
    code = (
        "import logging; from airflow.sdk.log import configure_logging; configure_logging(); import structlog\n"
        "print([structlog.get_logger(name).is_enabled_for(logging.WARNING) for name in ('ecg_core.pipeline', 'x')])"
    )
    environment = airflow_env(shared.model_copy(update={"log_level": "ERROR"}))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[False, True]"


def test_secrets_are_long_kept_and_the_owners_alone(shared):
    first, second = airflow_env(shared), airflow_env(shared)
    for name in ("API_AUTH__JWT_SECRET", "API__SECRET_KEY"):
        assert first[f"AIRFLOW__{name}"] == second[f"AIRFLOW__{name}"]
        assert len(first[f"AIRFLOW__{name}"]) >= 64
    users = Path(first["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert set(json.loads(users.read_text())) == {"admin"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in users.parent.iterdir()} == {0o600}


def test_environment_before_the_first_start_is_told(tmp_path):
    with pytest.raises(StackError, match="no embedded Postgres yet"):
        airflow_env(Settings(_env_file=None, home=tmp_path, database_url=None))


def test_stray_of_this_home_is_ended_and_of_another_spared(own):
    def sleeper(home: str) -> subprocess.Popen:
        return subprocess.Popen(["sleep", "60"], env=os.environ | {MARK: home}, start_new_session=True)

    stray, foreign = sleeper(str(own.home)), sleeper("/another/home")
    try:
        assert stop_airflow(own) is True
        assert stray.poll() is not None
        assert foreign.poll() is None
        assert stop_airflow(own) is False
    finally:
        foreign.kill()
        foreign.wait()


@pytest.mark.parametrize("memory", ["", "{broken", "[]", '{"pid": OURS, "started_at": 1.0}'])
def test_remembered_process_that_is_not_ours_is_not_taken_for_it(own, memory):
    for name in ("airflow", "airflow-scheduler"):
        (own.home / f"{name}.json").write_text(memory.replace("OURS", str(os.getpid())))
    assert airflow_parts(own) == {}
    assert stop_airflow(own) is False


def test_in_a_copied_home_the_original_is_not_taken_for_its_own(own, tmp_path):
    """`ecg down` in a copy must not stop the home that it was copied from."""
    memory = _memory(own, "scheduler")
    part = start_remembered(own, memory, own.home / "sleep.log", ["sleep", "60"], dict(os.environ), tmp_path)
    shutil.copyfile(memory, tmp_path / memory.name)
    copied = own.model_copy(update={"home": tmp_path})
    assert airflow_parts(copied) == {}
    assert stop_airflow(copied) is False
    assert airflow_parts(own)["scheduler"].pid == part.pid
    assert stop_airflow(own) is True
    assert airflow_parts(own) == {}


@pytest.mark.parametrize(("clock_s", "boot", "ours"), [(-3600, None, True), (3600, None, True), (3600, "other", False)])
def test_a_clock_that_is_set_makes_nobody_another(own, tmp_path, clock_s, boot, ours):
    """A machine that slept, or whose time was put right: what runs is known again, and not started a second time."""
    memory = _memory(own, "scheduler")
    part = start_remembered(own, memory, own.home / "sleep.log", ["sleep", "60"], dict(os.environ), tmp_path)
    facts = json.loads(memory.read_text())
    facts |= {"started_at": facts["started_at"] + clock_s, "boot": boot or facts["boot"]}
    memory.write_text(json.dumps(facts))
    try:
        assert (airflow_parts(own).get("scheduler") is not None) is ours
    finally:
        part.kill()
        part.wait()


def test_failed_start_tells_the_log_and_leaves_nothing(own, monkeypatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "NO_SUCH_LEVEL")
    with pytest.raises(StackError, match="Airflow ended while it started") as raised:
        start_airflow(own)
    assert "NO_SUCH_LEVEL" in str(raised.value)
    assert _processes(own) == []


def test_stopping_what_never_ran_makes_nothing(tmp_path):
    assert down(Settings(_env_file=None, home=tmp_path / "home", database_url=None)) is False
    assert not (tmp_path / "home").exists()


# --- the running stack -------------------------------------------------------------------------------------


def test_signed_in_api_answers_and_a_wrong_password_does_not(stack):
    with stack.api() as api:
        assert api.unhealthy_parts() == []
        assert api.import_errors() == {}
        with pytest.raises(StackError, match=r"\(404\)"):
            api.run("no_such_dag", "no_such_run")
        with pytest.raises(StackError, match="knows no DAG 'no_such_dag'"):
            api.trigger("no_such_dag", timeout_s=0)
    with pytest.raises(StackError, match=r"\(401\)"), AirflowApi(stack.url, stack.user, "wrong") as api:
        api.sign_in()


def test_absent_api_is_a_plain_sentence():
    with AirflowApi("http://127.0.0.1:1", "admin", "x") as api:
        assert api.unhealthy_parts() == ["api-server"]
        with pytest.raises(StackError, match="does not answer"):
            api.dag_ids()


def test_everything_listens_on_loopback_alone(stack, stack_settings):
    processes = [*_processes(stack_settings), postgres_process(stack_settings)[0]]
    listening = {
        connection.laddr
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert {address.ip for address in listening} == {"127.0.0.1"}
    watch = next(part for part in status(stack_settings) if part.name == "watch")
    ports = {make_url(stack.database_url).port, int(stack.url.rsplit(":", 1)[1]), watch.port}
    assert ports == {a.port for a in listening}


def test_starting_again_changes_nothing(stack, stack_settings):
    before = {part.pid for part in status(stack_settings)} | {p.pid for p in airflow_parts(stack_settings).values()}
    assert len(before) == 7
    again = up(stack_settings)
    assert again.already_running
    assert (again.url, again.password, again.database_url) == (stack.url, stack.password, stack.database_url)
    now = {part.pid for part in status(stack_settings)} | {p.pid for p in airflow_parts(stack_settings).values()}
    assert now == before


def test_status_tells_pid_port_and_age(stack, stack_settings):
    parts = {part.name: part for part in status(stack_settings)}
    assert set(parts) == {"postgres", "airflow", "watch", "keeper"}
    for part in parts.values():
        assert part.running
        assert psutil.Process(part.pid).create_time() == part.since
        assert part.note == ""
    assert stack.url.endswith(f":{parts['airflow'].port}")


def test_command_of_the_environment_sees_the_stack(stack, stack_settings):
    done = subprocess.run(
        [Path(sys.executable).parent / "airflow", "config", "get-value", "database", "sql_alchemy_conn"],
        env=airflow_env(stack_settings),
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    address = make_url(done.stdout.split()[-1])
    assert (address.port, address.database) == (make_url(stack.database_url).port, "airflow")


def test_killed_stack_is_cleared_and_starts_again_with_its_data_whole(stack, stack_settings):
    engine = create_engine(stack.database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n"))
    engine.dispose()
    parts, server = airflow_parts(stack_settings), postgres_process(stack_settings)[0]
    assert set(parts) == set(PARTS)
    everything = [p for one in (*parts.values(), server) for p in (one, *one.children(recursive=True))]
    for process in (parts["scheduler"], server):
        process.kill()
    psutil.wait_procs([parts["scheduler"], server], timeout=10)
    assert alive(everything)  # The others, and what the dead ones left behind: this is what `down` must find.
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(make_url(stack.database_url).set(drivername="postgresql").render_as_string(False))

    assert down(stack_settings) is True
    psutil.wait_procs(everything, timeout=10)
    assert alive(everything) == []
    assert [part.running for part in status(stack_settings)] == [False] * 4

    again = up(stack_settings)
    assert not again.already_running
    with create_engine(again.database_url).begin() as connection:
        assert connection.execute(text("SELECT count(*), sum(n) FROM kept")).one() == (1000, 500500)
        connection.execute(text("DROP TABLE kept"))
    with stack.api() as api:  # Address, user and password are still the same.
        assert api.unhealthy_parts() == []


def test_without_postgres_each_page_is_a_sentence_and_no_bare_500(without_postgres, stack):
    """503 and what to do, or what the page shows without a database; asked as a browser asks."""
    token, words = without_postgres
    headers = {"Accept": "text/html", "Authorization": f"Bearer {token}"}
    wrong = {"username": stack.user, "password": "wrong"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=90.0, trust_env=False) as browser:
        answers = {address: browser.get(address) for address in ("/", "/ecg/", "/ecg/reports/1", "/api/v2/dags")}
        answers["/auth/token"] = browser.post("/auth/token", json=wrong)
    for address, answer in answers.items():
        told = f"{address}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500 or (answer.status_code == 503 and words in answer.text), told
        assert "Traceback" not in answer.text, told
    for address in ("/ecg/", "/ecg/reports/1", "/api/v2/dags"):
        assert answers[address].status_code == 503, address


@pytest.fixture
def without_postgres(stack, stack_settings) -> Iterator[tuple[str, str]]:
    """The stack with its server dead and nobody who starts it again; a token from before, and what pages say."""
    with stack.api() as api:
        token = api.sign_in()
    keepers = [keeper_process(stack_settings), watch_process(stack_settings)]
    for keeper in keepers:
        keeper.suspend()
    server = postgres_process(stack_settings)[0]
    server.kill()
    psutil.wait_procs([server], timeout=10)
    yield token, say_ui("status_503")
    for keeper in keepers:
        keeper.resume()
    up(stack_settings)


def test_health_and_metrics_are_told_beside_airflow(stack, stack_settings):
    [port] = [part.port for part in status(stack_settings) if part.name == "watch"]
    told = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    assert "ecg_database_up 1" in told
    health = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
    assert health.status_code == (200 if health.json()["healthy"] else 503)


@pytest.mark.long
@pytest.mark.parametrize("part", [*PARTS, "postgres", "watch", "keeper"])
def test_whatever_part_is_killed_runs_again_within_a_minute_and_no_other_is_started_again(stack, stack_settings, part):
    """But for those that end when they lose Postgres: scheduler, dag processor and triggerer."""
    before = {name: _process_of(stack_settings, name) for name in (*PARTS, "postgres", "watch", "keeper")}
    victim, killed_at, began = before.pop(part), time.time(), time.monotonic()
    victim.kill()
    psutil.wait_procs([victim], timeout=10)
    with stack.api() as api:
        while time.monotonic() < began + 60:
            since = {part: killed_at} if part in PARTS else killed_at if part == "postgres" else 0.0
            if not missing_parts(stack_settings) and not api.unhealthy_parts(since):
                break
            time.sleep(0.25)
        else:
            left = missing_parts(stack_settings), api.unhealthy_parts(since)
            pytest.fail(f"not mended after a minute: {left}")
    print(f"{part} was mended after {time.monotonic() - began:.1f} s")  # noqa: T201
    assert _process_of(stack_settings, part).pid != victim.pid
    if part == "postgres":
        before = {name: before[name] for name in ("api-server", "watch", "keeper")}
    assert {name: _process_of(stack_settings, name).pid for name in before} == {
        name: process.pid for name, process in before.items()
    }


def _process_of(settings: Settings, part: str) -> psutil.Process:
    if part in PARTS:
        return airflow_parts(settings)[part]
    found = {
        "postgres": lambda: postgres_process(settings)[0],
        "watch": lambda: watch_process(settings),
        "keeper": lambda: keeper_process(settings),
    }
    return found[part]()
