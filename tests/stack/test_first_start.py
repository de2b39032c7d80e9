"""The first start, killed at any instant: the next one succeeds."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.stack import down, ensure_postgres
from ecg_core.stack.airflow import _processes, airflow_parts
from ecg_core.stack.keeping import missing_parts
from ecg_core.stack.postgres import postgres_process, remove_postgres

POSTGRES = "from ecg_core.settings import load_settings as s; from ecg_core.stack import ensure_postgres as e; e(s())"
UP = "from ecg_core.cli.app import app; app(['up'])"


@pytest.fixture
def fresh() -> Iterator[Settings]:
    home = Path(tempfile.mkdtemp(prefix="ecg-tests-"))
    home.chmod(0o755)
    settings = Settings(_env_file=None, home=home, database_url=None, airflow_port=18680)
    yield settings
    down(settings)
    remove_postgres(settings)
    shutil.rmtree(home)


def start(settings: Settings, code: str) -> subprocess.Popen:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("ECG_", "COVERAGE_"))}
    own = {"ECG_HOME": str(settings.home), "ECG_AIRFLOW_PORT": str(settings.airflow_port)}
    log = (settings.home / "up.log").open("ab")
    with log:
        command = [sys.executable, "-c", code]
        return subprocess.Popen(command, env=plain | own, cwd=PROJECT_DIR, stdout=log, stderr=log)


def kill(settings: Settings, starting: subprocess.Popen, after_s: float, *, everything: bool) -> bool:
    """Kill a start after so many seconds, and all that it has started if the machine goes; False if it had ended."""
    try:
        starting.wait(after_s)
    except subprocess.TimeoutExpired:
        starting.kill()
        starting.wait()
        if everything:
            server = postgres_process(settings)
            for process in [*_processes(settings), *([server[0]] if server else [])]:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.5)
        return True
    return False


@pytest.mark.parametrize("seed", [0])
def test_postgres_killed_while_it_is_made_is_whole_at_the_next_start(fresh, seed):
    rng = random.Random(seed)
    for attempt in range(3):
        kill(fresh, start(fresh, POSTGRES), rng.uniform(0.5, 4.0), everything=attempt % 2 == 0)
    with create_engine(ensure_postgres(fresh)).connect() as connection:
        names = connection.execute(text("SELECT datname FROM pg_database")).scalars().all()
    assert {"ecg", "airflow"} <= set(names)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_the_first_start_killed_at_any_instant_succeeds_at_the_next(fresh, seed):
    """Three kills each, the first anywhere in what a start takes here; one of two takes all that runs with it."""
    rng = random.Random(seed)
    told = []
    for latest_s in (30.0, 60.0, 90.0):
        after_s, everything = rng.uniform(0.3, latest_s), rng.random() < 0.5
        told.append((round(after_s, 1), everything, kill(fresh, start(fresh, UP), after_s, everything=everything)))
    began = time.monotonic()
    last = start(fresh, UP)
    assert last.wait(600) == 0, (fresh.home / "up.log").read_text()[-3000:]
    print(f"killed after {told}, then up after {time.monotonic() - began:.0f} s")  # noqa: T201
    assert missing_parts(fresh) == set()
    assert down(fresh) is True
    assert airflow_parts(fresh) == {}
    found = psutil.process_iter(["cmdline"])  # None of one that ended
    mine = [p.pid for p in found if str(fresh.home) in " ".join(p.info["cmdline"] or ())]
    assert mine == []
