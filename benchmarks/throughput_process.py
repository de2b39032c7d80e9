"""The process that `ecg benchmark throughput` times: what waits in the inbox is scored, as scoring tasks do it.

``python -m benchmarks.throughput_process PROCESSES``, settings from the environment; prints one line of JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from ecg_core.errors import EcgError
from ecg_core.pipeline.preload import SCORING_MODULES, preload
from ecg_core.settings import Settings


def work(n_processes: int = 1) -> dict[str, Any]:
    """Register what is in the inbox and score it: in this process, or in some that it forks as Airflow's executor does.

    Parameters
    ----------
    n_processes : int

    Returns
    -------
    dict
        ``beats``; ``stages`` in order, seconds each, of all processes together (``start``: Python and its imports;
        ``arrive``: hashing and staging; ``rest``: claiming, committing and what lies between stages); ``cpu_seconds``
        of all threads, of those that read files too, which other processes hardly change; ``peak_rss_mb`` of these
        processes together.

    Raises
    ------
    EcgError
        A recording was set aside: nothing was measured.
    """
    preload(SCORING_MODULES)
    from ecg_core.pipeline.inbox import plan_chunks, register_arrivals
    from ecg_core.settings import load_settings
    from ecg_core.store.database import store_engine

    stages = {"start": time.time() - psutil.Process().create_time()}
    settings = load_settings()
    started = time.perf_counter()
    register_arrivals(settings)
    chunks = plan_chunks(settings)
    stages["arrive"] = time.perf_counter() - started
    if n_processes == 1:
        found = [score(settings, chunk) for chunk in chunks]
    else:
        store_engine(settings).dispose()  # a connection is no two processes'
        with ProcessPoolExecutor(n_processes, multiprocessing.get_context("fork")) as pool:
            found = list(pool.map(partial(score, settings), chunks))
    for one in found:
        _add(stages, one["stages"])
    by_process = {one["pid"]: one for one in found} | {os.getpid(): _taken()}
    return {
        "beats": sum(one["beats"] for one in found),
        "stages": {name: round(seconds, 2) for name, seconds in stages.items()},
        "cpu_seconds": round(sum(one["cpu_seconds"] for one in by_process.values()), 2),
        "peak_rss_mb": round(sum(one["peak_rss_mb"] for one in by_process.values())),
    }


def score(settings: Settings, chunk: list[str]) -> dict[str, Any]:
    """Score a chunk: beats, stages, and what this process has taken by then."""
    from ecg_core.pipeline.inbox import score_chunk

    started = time.perf_counter()
    stages: dict[str, float] = {}
    beats = 0
    for outcome in score_chunk(settings, chunk, f"throughput-{os.getpid()}"):
        if outcome["outcome"] != "scored":
            raise EcgError(f"The recording was {outcome['outcome']}: {outcome['reason']}", "Mend that first.")
        counts, seconds = outcome["beats"], outcome["stages"]
        assert isinstance(counts, dict)
        assert isinstance(seconds, dict)
        beats += sum(counts.values())
        _add(stages, seconds)
    stages["rest"] = time.perf_counter() - started - sum(stages.values())
    return {"beats": beats, "stages": stages, **_taken()}


def _add(stages: dict[str, float], seconds: Mapping[str, float]) -> None:
    for name, value in seconds.items():
        stages[name] = stages.get(name, 0.0) + value


def _taken() -> dict[str, Any]:
    """Tell what this process, and the one that reads files for it, have taken so far."""
    readers = [child for child in psutil.Process().children() if "reading_process" in " ".join(child.cmdline())]
    of_readers = sum(sum(child.cpu_times()[:2]) for child in readers)
    return {"pid": os.getpid(), "cpu_seconds": time.process_time() + of_readers, "peak_rss_mb": peak_rss_mb()}


def peak_rss_mb() -> float:
    """Return the largest resident memory that this process has had, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage's figure is that of the process it was forked from, where that one was larger.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    sys.stdout.write(json.dumps(work(*map(int, sys.argv[1:]))) + "\n")
