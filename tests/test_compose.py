"""docker-compose.yml, parsed: no docker engine is needed.

Each command and variable in it is checked against the installed Airflow, which a process of its own is
asked about: importing Airflow here would give it this process's folders.
"""

import json
import os
import re
import resource
import shlex
import subprocess
import sys
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from sqlalchemy import create_engine, make_url, text
from typer.testing import CliRunner

import ecg_core
from ecg_core.settings import PREFIX, Settings
from ecg_core.stack.cluster import installation
from ecg_core.store import migrate, open_engine, partitions
from ecg_core.store.catalog import differences
from ecg_core.store.install import role_gap

COMPOSE_FILE = Path(__file__).resolve().parents[1] / "docker-compose.yml"
SOURCE = COMPOSE_FILE.read_text()
COMPOSE = yaml.safe_load(SOURCE)
SERVICES = COMPOSE["services"]
DOCKERFILE = (COMPOSE_FILE.parent / "Dockerfile").read_text()
OURS = {"init", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "watch"}
ONCE = {"init"}

ASK_AIRFLOW = """
import contextlib, json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.providers.celery.executors.celery_executor import app

conf.load_providers_configuration()
known = {f"AIRFLOW__{section}__{key}".upper() for section, facts in conf.configuration_description.items()
         for key in facts["options"]}
refused = {}
for command in json.load(sys.stdin):
    try:
        with contextlib.redirect_stderr(sys.stdout), contextlib.redirect_stdout(None):
            get_parser().parse_args(command)
    except SystemExit as error:
        refused[" ".join(command)] = error.code
print("ANSWER" + json.dumps({"known": sorted(known), "refused": refused, "celery_app": type(app).__name__}))
"""


def words_of(service: dict) -> list[str]:
    """Every command line of a service, shells unwrapped: its command and its health check."""
    lines = []
    for value in (service.get("command"), service.get("healthcheck", {}).get("test")):
        if isinstance(value, str):
            lines.append(value)
        elif value and value[0] in ("sh", "CMD-SHELL"):
            lines += value[-1].replace("\\\n", " ").splitlines()
        elif value:
            lines.append(shlex.join(value[1:] if value[0] == "CMD" else value))
    return lines


def commands(program: str) -> list[list[str]]:
    found = [shlex.split(line.split("|")[0]) for service in SERVICES.values() for line in words_of(service)]
    return [words[1:] for words in found if words and words[0] == program]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor"}
    environment["AIRFLOW__CORE__AUTH_MANAGER"] = SERVICES["init"]["environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    asked = [*commands("airflow"), ["no-such-command"]]
    done = subprocess.run(
        [sys.executable, "-c", ASK_AIRFLOW],
        env=environment,
        cwd=home,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ANSWER" in done.stdout, done.stderr
    return json.loads(done.stdout.split("ANSWER")[1])


def test_all_parts_are_there():
    assert set(SERVICES) == OURS | {"postgres", "redis"}
    assert SERVICES["init"]["restart"] == "no"
    assert {SERVICES[name]["restart"] for name in set(SERVICES) - ONCE} == {"unless-stopped"}


def test_every_lasting_service_has_a_health_check():
    for name in set(SERVICES) - ONCE:
        assert SERVICES[name]["healthcheck"]["test"], name
        assert "disable" not in SERVICES[name]["healthcheck"], name


def test_our_parts_wait_for_what_they_need():
    for name in OURS - ONCE:
        assert SERVICES[name]["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
            "init": {"condition": "service_completed_successfully"},
        }
    assert set(SERVICES["init"]["depends_on"]) == {"postgres", "redis"}


def test_no_secret_has_a_default():
    secret = re.compile(r"PASSWORD|SECRET|KEY")
    used = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", SOURCE)
    assert {name for name, _ in used if secret.search(name)} >= {
        "POSTGRES_PASSWORD",
        "AIRFLOW_DB_PASSWORD",
        "SCORES_DB_PASSWORD",
        "SCORES_WRITER_PASSWORD",
        "SCORES_REVIEWER_PASSWORD",
        "REDIS_PASSWORD",
        "AIRFLOW_ADMIN_PASSWORD",
        "AIRFLOW_FERNET_KEY",
        "AIRFLOW_JWT_SECRET",
        "AIRFLOW_API_SECRET",
        "ECG_PSEUDONYM_KEY",
    }
    assert {name for name, rest in used if secret.search(name) and not rest.startswith(":?")} == set()
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if value is not None and secret.search(name) and not name.endswith("_FILE"):
                assert re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), name


def test_the_head_names_every_variable_without_a_default():
    head = "\n".join(line for line in SOURCE.splitlines() if line.startswith("#"))
    needed = set(re.findall(r"\$\{(\w+):\?", SOURCE))
    assert {name for name in needed if name not in head} == set()


def test_variables_of_the_env_file_are_no_unknown_settings():
    # `.env` is read by docker compose and by Settings alike, which refuses an ECG_ name it does not know.
    names = {name for name in re.findall(r"(?<!\$)\$\{(\w+)", SOURCE) if name.startswith(PREFIX)}
    assert names <= {f"{PREFIX}{field}".upper() for field in Settings.model_fields}


def test_only_the_api_is_published_and_on_loopback_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api-server", "watch"}
    assert all(port.startswith("127.0.0.1:") for port in published["api-server"])
    assert "network_mode" not in SOURCE


def test_images_are_pinned():
    base = re.search(r"^\s*FROM (\S+)$", DOCKERFILE, re.MULTILINE).group(1)
    foreign = {service["image"] for name, service in SERVICES.items() if name not in OURS} | {base}
    for image in foreign:
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-\w+(-\w+)?", image), image
    assert {SERVICES[name]["image"] for name in OURS} == {f"ecg-platform:{ecg_core.__version__}"}


def test_image_holds_code_and_lock_and_runs_as_nobody_in_particular():
    lines = [line.split() for line in DOCKERFILE.splitlines()]
    copied = {source for line in lines if line[:1] == ["COPY"] for source in line[1:-1]}
    assert {
        "requirements.txt",
        "pyproject.toml",
        "LICENSE",
        "ecg_core",
        "dags",
        "plugins",
        "templates",
        "sql",
    } == copied
    missing = {source for source in copied if not (COMPOSE_FILE.parent / source).exists()}
    assert missing == set()
    assert lines[-1] == ["USER", "ecg"]
    for name in OURS:
        assert SERVICES[name]["build"] == COMPOSE["x-platform"]["build"]
        assert SERVICES[name]["cap_drop"] == ["ALL"]
        assert "user" not in SERVICES[name]


def test_airflow_knows_every_command(airflow):
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "celery", "db", "pools", "sync-perm", "users"} == {
        command[0] for command in commands("airflow")
    }
    assert set(airflow["refused"]) == {"no-such-command"}
    assert airflow["celery_app"] == "Celery"


def test_airflow_knows_every_variable(airflow):
    names = {name for service in SERVICES.values() for name in service.get("environment", {})}
    named = {name for name in names if name.startswith("AIRFLOW__")}
    assert len(named) > 10
    assert named - set(airflow["known"]) == set()
    # Used inside the init command, by name.
    assert set(re.findall(r"\$\$(AIRFLOW__\w+)", SOURCE)) <= named


def test_settings_know_every_variable():
    values = {name: value for name, value in SERVICES["worker"]["environment"].items() if name.startswith(PREFIX)}
    filled = {
        name.removeprefix(PREFIX).lower(): re.sub(r"\$\{[^}]*\}", "0123456789abcdef" * 2, value)
        for name, value in values.items()
        if value is not None
    }
    assert set(filled) <= set(Settings.model_fields)
    settings = Settings(_env_file=None, **filled)
    assert settings.home == Path("/var/lib/ecg")
    assert make_url(str(settings.database_url)).host == "postgres"


def test_each_service_signs_in_as_the_role_that_it_needs_and_the_others_not_at_all():
    users = {
        name: make_url(re.sub(r"\$\{[^}]*\}", "filled", service["environment"]["ECG_DATABASE_URL"])).username
        for name, service in SERVICES.items()
        if "ECG_DATABASE_URL" in service.get("environment", {})
    }
    writers = dict.fromkeys(("worker", "watch", "dag-processor"), "ecg_writer")
    assert users == {"init": "ecg", "api-server": "ecg_web", **writers}


def test_every_setting_is_handed_on():
    """What stands in `.env` reaches every part: a key without a value is taken from there, or left out."""
    for name in OURS:
        given = {key for key in SERVICES[name]["environment"] if key.startswith(PREFIX)}
        assert {f"{PREFIX}{field}".upper() for field in Settings.model_fields} - given <= {"ECG_DATABASE_URL"}, name
    assert Settings(_env_file=None).chunk_size == 250


def test_memory_and_logs_are_bounded():
    for name, service in SERVICES.items():
        assert re.fullmatch(r"(\$\{\w+:-)?\d+[gm]\}?", service["mem_limit"]), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def checks_of_python() -> dict[str, str]:
    tests = {name: SERVICES[name].get("healthcheck", {}).get("test", []) for name in OURS}
    return {name: test[-1] for name, test in tests.items() if "-IS" in test}


@pytest.mark.parametrize("name", ["dag-processor", "triggerer"])
@pytest.mark.parametrize(("status", "code"), [("healthy", 0), ("unhealthy", 1), (None, 1)])
def test_a_health_check_tells_the_truth_and_costs_little(name, status, code):
    """Run as it stands there, against an API that says so."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            part = {"status": status} if status else {"status": "healthy"}
            health = {name.replace("-", "_") if status else "another": part}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(health).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as api:
        Thread(target=api.serve_forever, daemon=True).start()
        asked = checks_of_python()[name].replace('"api-server", 8080', f'"127.0.0.1", {api.server_port}')
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-IS", "-c", asked], capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        api.shutdown()
    assert done.returncode == code, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_a_worker_is_healthy_while_it_gives_signs_of_life(tmp_path):
    test = SERVICES["worker"]["healthcheck"]["test"][-1].replace("/tmp", str(tmp_path))
    assert subprocess.run(["sh", "-c", test], stderr=subprocess.DEVNULL).returncode != 0
    (tmp_path / "ecg-worker-alive").touch()
    assert subprocess.run(["sh", "-c", test]).returncode == 0
    os.utime(tmp_path / "ecg-worker-alive", (0, 0))
    assert subprocess.run(["sh", "-c", test]).returncode != 0


def test_our_command_knows_what_init_calls():
    from ecg_core.cli.app import app

    called = commands("ecg")
    assert called == [["db", "migrate"], ["watch"]]
    for words in called:
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def test_first_start_makes_both_databases_apart(postgres_url, empty_database):
    """The script that Postgres runs at its first start, against a real server, under other names."""
    server = make_url(postgres_url)
    script = COMPOSE["configs"]["databases"]["content"].replace("$$", "$").replace("--username postgres", "")
    script = re.sub(r"\b(ROLE|DATABASE|OWNER) (airflow|ecg)\b", r"\1 compose_\2", script)
    script = script.replace("compose_airflow, ecg FROM", "compose_airflow, compose_ecg FROM")
    script = re.sub(r"\bTO ecg\b", "TO compose_ecg", script)
    roles = COMPOSE["configs"]["roles"]["file"]
    script = script.replace("/etc/ecg/roles.sql", str(COMPOSE_FILE.parent / roles))
    environment = {
        "PATH": f"{installation() / 'bin'}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": server.username,
        "PGPASSWORD": server.password,
        "PGDATABASE": make_url(empty_database).database,
        "AIRFLOW_DB_PASSWORD": "a-secret",
        "SCORES_DB_PASSWORD": "e'secret",
        "SCORES_WRITER_PASSWORD": "w'secret",
        "SCORES_REVIEWER_PASSWORD": "r'secret",
    }
    subprocess.run(["sh", "-c", script], env=environment, check=True, capture_output=True)
    # ECG's role may make its schema there, and may not even enter Airflow's database.
    scores = server.set(username="compose_ecg", password="e'secret", database="compose_ecg")
    engine = create_engine(scores)
    assert migrate(engine)
    with engine.connect() as connection:
        assert differences(connection) == []
        owners = connection.execute(
            text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'ecg'")
        ).scalars()
        assert list(owners) == ["ecg_owner"]
        partitions.ensure_partitions(connection, date(2030, 1, 1))
        assert role_gap(connection) is None
    engine.dispose()
    # Tasks sign in as the role that their sessions act as; the pages act as the reviewer, and draw as the writer.
    signs_in = [("ecg_writer", "w'secret", "ecg_writer"), ("ecg_web", "r'secret", "ecg_reviewer")]
    for user, password, role in [*signs_in, ("ecg_web", "r'secret", "ecg_writer")]:
        address = scores.set(username=user, password=password).render_as_string(hide_password=False)
        own = open_engine(address, role)
        with own.connect() as connection:
            assert connection.execute(text("SELECT session_user, current_user")).one() == (user, role)
        own.dispose()
    with create_engine(postgres_url).begin() as connection:
        connection.execute(text("ALTER ROLE ecg_writer PASSWORD NULL"))
    with pytest.raises(Exception, match="permission denied for database"):
        create_engine(scores.set(database="compose_airflow")).connect()
