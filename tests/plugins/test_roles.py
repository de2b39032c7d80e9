"""Roles of people: a table of each role against each page and action, tried by signing in as each."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from sqlalchemy import create_engine, text

from ecg_core.settings import PROJECT_DIR, ROLE_NAMES

READS = {"worklist", "report", "review form", "model card", "upload page"}
SEES_DAGS = {"see DAGs", "see task logs"}
RUNS_DAGS = {"pause a DAG", "start a DAG", "change a pool"}
MAY = {
    "ecg viewer": READS,
    "ecg clinician": READS | {"sign", "upload"},
    "ecg operator": SEES_DAGS | RUNS_DAGS | {"upload page", "upload"},
    "ecg analyst": READS | SEES_DAGS,
    "ecg admin": READS
    | SEES_DAGS
    | RUNS_DAGS
    | {"sign", "upload", "see connections", "see the audit log", "see users"},
    "Public": set(),
    "nobody": set(),
}


def test_the_roles_are_those_that_settings_may_name(airflow_home):
    from ecg_airflow.rights import ROLES

    assert tuple(ROLES) == ROLE_NAMES


@pytest.fixture
def environment(platform, database, build_scored, tmp_path, airflow_home) -> dict[str, str]:
    """Of an Airflow whose users FAB keeps, as docker-compose.yml sets it, with one report."""
    build_scored(platform, database)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return kept | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_DIR / "plugins"),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__FAB__CONFIG_FILE": str(PROJECT_DIR / "plugins" / "ecg_airflow" / "webserver_config.py"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a" * 64,
        "AIRFLOW__API__SECRET_KEY": "b" * 64,
        "ECG_DATABASE_URL": database,
        "PYTHONPATH": f"{PROJECT_DIR / 'plugins'}:{PROJECT_DIR}",
    }


@pytest.mark.long
def test_each_role_may_what_it_is_for_and_no_more(environment):
    script = Path(__file__).with_name("fab_table.py")
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert "TABLE" in done.stdout, done.stderr[-4000:]
    table = json.loads(done.stdout.rpartition("TABLE")[2])
    for role, answers in table.items():
        refused = {name for name, status in answers.items() if status in (401, 403)}
        assert set(answers) - refused == MAY[role], (role, answers)
    assert table["ecg clinician"]["sign"] == 303
    assert set(table["nobody"].values()) == {401}


@pytest.mark.long
def test_each_sites_clinician_sees_their_own_reports_alone(environment, platform, database, build_scored, tmp_path):
    """As `test_sites.py`, with users whom FAB keeps and the roles that it makes for the sites."""
    build_scored(platform, database, seed=1)
    engine = create_engine(database)
    with engine.begin() as conn:
        sites = "CASE recording_id WHEN :first THEN 'north' ELSE 'south' END"
        first = "SELECT recording_id FROM ecg.reading JOIN ecg.report USING (reading_id) WHERE report_id = 1"
        facts = {"first": conn.execute(text(first)).scalar_one()}
        conn.execute(text(f"UPDATE ecg.recording SET site = {sites}"), facts)
    engine.dispose()
    (tmp_path / "sites.toml").write_text("[north]\nroles = ['Haus Nord']\n[south]\nroles = ['Haus Süd']\n")
    environment |= {"ECG_SITES": str(tmp_path / "sites.toml")}
    script = Path(__file__).with_name("fab_sites.py")
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert "TABLE" in done.stdout, done.stderr[-4000:]
    table = json.loads(done.stdout.rpartition("TABLE")[2])
    found = {name: list(answers.values()) for name, answers in table.items()}
    assert found == {"north": [200, 404, 1], "south": [404, 200, 1], "both": [200, 200, 2], "neither": [404, 404, 0]}


@pytest.mark.long
@pytest.mark.parametrize(("groups", "status"), [(["Kardiologie", "Haus"], 200), (["Haus"], 403)])
def test_people_sign_in_at_an_openid_provider_and_their_groups_give_them_their_roles(
    environment, chromium, tmp_path, groups, status
):
    claims = {"preferred_username": "ada", "email": "ada@example.org", "given_name": "Ada", "groups": groups}
    with socket.socket() as free, run_server_in_thread(user_claims=[User(sub="42", claims=claims)]) as provider:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment |= {
            "ECG_OIDC_ISSUER": f"http://localhost:{provider.server_port}",
            "ECG_OIDC_CLIENT_ID": "ecg",
            "ECG_OIDC_CLIENT_SECRET": "client's secret",
            "ECG_OIDC_ROLES": json.dumps({"Kardiologie": "ecg clinician"}),
            "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        }
        command = [sys.executable, str(Path(__file__).with_name("fab_served.py")), str(port)]
        with (tmp_path / "served.log").open("w") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            assert answers(f"http://localhost:{port}/api/v2/version"), (tmp_path / "served.log").read_text()[-3000:]
            page = chromium.new_page()
            page.goto(f"http://localhost:{port}/auth/login/")
            if f"localhost:{provider.server_port}/" not in page.url:
                page.get_by_text("oidc", exact=False).first.click()
            page.fill("input[name=sub]", "42")
            page.get_by_role("button", name="Authorize").click()
            page.wait_for_url(f"http://localhost:{port}/**")
            shown = page.goto(f"http://localhost:{port}/ecg/")
            assert shown.status == status, page.content()[:2000]
            page.context.close()
        finally:
            server.terminate()
            server.wait(30)


def answers(url: str) -> bool:
    for _ in range(360):
        try:
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.HTTPError:
            time.sleep(0.5)
    return False
