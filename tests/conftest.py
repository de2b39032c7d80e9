"""What all tests share: real data where it lies, one embedded Postgres, one Airflow."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import make_url

from ecg_core.settings import Settings
from ecg_core.stack import StackInfo, down, up
from ecg_core.stack.postgres import ensure_postgres, remove_postgres

PROJECT_DIR = Path(__file__).resolve().parents[1]
MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", PROJECT_DIR.parent / "shared" / "physionet"))


@pytest.fixture(scope="session")
def mitdb() -> Path:
    """The folder of real MIT-BIH records."""
    folder = MIRROR / "mitdb" / "1.0.0"
    if not folder.is_dir():
        pytest.skip("no PhysioNet mirror here: set ECG_PHYSIONET_BASE to a folder that holds mitdb/1.0.0")
    return folder


@pytest.fixture(scope="session")
def stack_settings() -> Iterator[Settings]:
    """Settings of the embedded stack that the tests share: a home of its own, away from the user's `.ecg`."""
    # Not pytest's tmp_path: its parents are closed to the user that root runs Postgres as.
    home = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    home.chmod(0o755)
    yield Settings(_env_file=None, home=home, database_url=None, airflow_port=18080)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(stack_settings: Settings) -> Iterator[str]:
    """A running embedded Postgres: the address of its database `ecg`."""
    yield ensure_postgres(stack_settings)
    remove_postgres(stack_settings)


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """A fresh, empty database on that server, dropped afterwards; yields its SQLAlchemy address."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = make_url(postgres_url)
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield url.set(database=name).render_as_string(hide_password=False)
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def stack(stack_settings: Settings, postgres_url: str) -> Iterator[StackInfo]:
    """The whole stack with Airflow, started once for all tests (half a minute)."""
    yield up(stack_settings)
    down(stack_settings)
