"""Roles of people: a table of each role against each page and action, tried by signing in as each."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.long
def test_each_role_may_what_it_is_for_and_no_more(platform, database, build_scored, tmp_path, airflow_home):
    build_scored(platform, database)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_DIR / "plugins"),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__FAB__CONFIG_FILE": str(PROJECT_DIR / "plugins" / "ecg_airflow" / "webserver_config.py"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a" * 64,
        "AIRFLOW__API__SECRET_KEY": "b" * 64,
        "ECG_DATABASE_URL": database,
        "PYTHONPATH": str(PROJECT_DIR / "plugins"),
    }
    script = Path(__file__).with_name("fab_table.py")
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert "TABLE" in done.stdout, done.stderr[-4000:]
    table = json.loads(done.stdout.rpartition("TABLE")[2])
    refused = {
        role: {name for name, status in answers.items() if status in (401, 403)} for role, answers in table.items()
    }
    for role, answers in table.items():
        assert set(answers) - refused[role] == MAY[role], (role, answers)
    assert table["ecg clinician"]["sign"] == 303
    assert set(table["nobody"].values()) == {401}
