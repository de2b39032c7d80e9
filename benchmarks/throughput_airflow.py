"""`ecg benchmark throughput --airflow N`: resting ECGs through the real DAG, beside the same chunks without Airflow.

Both register, plan and score the same recordings, each in a home and a database of its own, in as many processes as
Airflow has slots. What the DAG's run takes longer is Airflow's share: starting tasks, handing on what they say, and the
processes of its own that run beside.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import text

from benchmarks.throughput import DEPTH, figures, home_of_its_own, in_a_fresh_process
from benchmarks.throughput_resting import WITHOUT_FRILLS, resting_ecgs
from ecg_core.errors import StackError
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.stack import down, up
from ecg_core.stack.airflow import airflow_parts
from ecg_core.store.database import store_engine

_DAG: Final = "ecg_score_inbox"
_RUN_LIMIT_S: Final = 3600.0
_NEVER: Final = "0 0 29 2 *"
"""The benchmark's run is the only one."""
_LOOK_EVERY_S: Final = 0.5
_STAGES: Final = """
SELECT key, round(sum(value::text::numeric), 2)::float FROM ecg.scoring_run, jsonb_each(stage_seconds)
WHERE task = 'beats' GROUP BY key
"""
_BEATS: Final = "SELECT coalesce(sum(n_beats_analysable), 0) FROM ecg.scoring_run"
_REPORTS: Final = "SELECT count(*) FROM ecg.report"


def measure_airflow(settings: Settings, database: Path, n: int, *, quick: bool = False) -> dict[str, Any]:
    """Score `n` resting ECGs by the DAG and without it.

    Parameters
    ----------
    settings : Settings
    database : Path
        PTB-XL's folder.
    n : int
    quick : bool
        Of today's way as little as can be timed.

    Returns
    -------
    dict
        ``kind`` (``airflow``), ``seconds`` of the DAG's run from its start to its end, ``without_airflow_seconds``,
        ``airflow_share`` (of the run's seconds, those that it takes longer than without), ``recordings``,
        ``recordings_per_second``, ``beats``, ``stages``, ``peak_rss_mb`` of the tasks' processes together,
        ``limit_seconds`` (reading, model and database alone, on all cores), and of today's way what
        `benchmarks.throughput.figures` says.

    Raises
    ------
    StackError
        Airflow does not start, or the run failed.
    EcgError
        A process ended without its figures.
    DatasetUnavailable
        None of PTB-XL's recordings is to be had.
    """
    slots = max(4, os.cpu_count() or 1)
    with home_of_its_own(settings) as own:
        prepare_database(own)
        header = resting_ecgs(database, own.home / "inbox", n)
        plain = in_a_fresh_process(own, "benchmarks.throughput_process", str(slots))
        today = in_a_fresh_process(own, "benchmarks.usual_way", str(header), "quick" if quick else "resting")
    # Airflow's tasks find imported what is slow to import, and so does this side.
    without = plain["seconds"] - plain["stages"]["start"]
    with home_of_its_own(settings) as own:
        found = _by_the_dag(own, database, n)
    limit = sum(found["stages"][stage] for stage in WITHOUT_FRILLS) / (os.cpu_count() or 1)
    return {
        "kind": "airflow",
        "recordings_per_second": round(found["recordings"] / found["seconds"], 2),
        "cores": os.cpu_count(),
        "without_airflow_seconds": round(without, 2),
        "airflow_share": round((found["seconds"] - without) / found["seconds"], 3),
        "limit_seconds": round(limit, 2),
    } | figures(found, today)


def _by_the_dag(own: Settings, database: Path, n: int) -> dict[str, Any]:
    embedded = own.model_copy(update={"database_url": None, "score_schedule": _NEVER, "airflow_port": 18_500})
    prepare_database(own)
    try:
        with up(embedded).api() as api:
            api.wait_for_dag(_DAG)
            resting_ecgs(database, own.home / "inbox", n)
            with _largest_of_tasks(embedded) as largest:
                run = api.wait(_DAG, api.trigger(_DAG), _RUN_LIMIT_S)
        return _told(own, run) | {"peak_rss_mb": round(max(largest))}
    finally:
        down(embedded)


def _told(own: Settings, run: dict[str, Any]) -> dict[str, Any]:
    if run["state"] != "success":
        raise StackError(f"The run of {_DAG} is {run['state']}.", "See the tasks' logs.")
    started, ended = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    with store_engine(own).connect() as connection:
        counts = {name: int(connection.execute(text(query)).scalar_one()) for name, query in DEPTH.items()}
        return counts | {
            "seconds": round((ended - started).total_seconds(), 2),
            "recordings": int(connection.execute(text(_REPORTS)).scalar_one()),
            "beats": int(connection.execute(text(_BEATS)).scalar_one()),
            "stages": dict(connection.execute(text(_STAGES)).tuples().all()),
        }


@contextmanager
def _largest_of_tasks(settings: Settings) -> Iterator[list[float]]:
    """Look now and then how much memory the processes that run tasks take together, in MB."""
    seen, ended = [0.0], threading.Event()
    scheduler = airflow_parts(settings).get("scheduler")
    session = scheduler.pid if scheduler else -1

    def look() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            sizes = []
            for process in psutil.process_iter():
                try:
                    # A task's environment cannot be read: its title stands there.
                    if "airflow worker" in " ".join(process.cmdline()) and os.getsid(process.pid) == session:
                        sizes.append(process.memory_info().rss / 1e6)
                except (psutil.Error, OSError):
                    continue
            seen.append(sum(sizes))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()
