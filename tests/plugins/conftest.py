"""An Airflow of the tests' own: scratch home on SQLite, our DAGs and plugins, never the user's."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT_DIR = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory) -> Path:
    """Set up the environment before Airflow is first imported in this process; its database is migrated."""
    if "airflow" not in sys.modules:
        os.environ["AIRFLOW_HOME"] = str(tmp_path_factory.mktemp("airflow"))
        os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
            [
                {
                    "name": name,
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(PROJECT_DIR / folder)},
                }
                for name, folder in (("dags-folder", "dags"), ("scratch", "tests/dags/scratch"))
            ]
        )
        os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PROJECT_DIR / "plugins")
        os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = secrets.token_hex(32)
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    home = Path(os.environ["AIRFLOW_HOME"])
    if not (home / "airflow.db").exists():
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    import airflow  # noqa: F401 (puts the plugins folder on the path)

    return home
