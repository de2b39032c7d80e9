"""The process that `ecg benchmark throughput` times: what waits in the inbox is scored, as a scoring task does it.

``python -m benchmarks.throughput_process``, settings from the environment; prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from ecg_core.errors import EcgError
from ecg_core.pipeline.preload import SCORING_MODULES, preload


def work(step: str = "all", worker: int = 0, workers: int = 1) -> dict[str, Any]:
    """Register what is in the inbox, score what waits, or both.

    Parameters
    ----------
    step : {"arrive", "score", "all"}
    worker, workers : int
        Score every `workers`-th chunk, from this one on.

    Returns
    -------
    dict
        ``beats``; ``stages`` in order, seconds each (``start``: Python and its imports; ``arrive``: hashing and
        staging; ``rest``: claiming, committing and what lies between stages); ``cpu_seconds`` of all its threads,
        which other processes hardly change; ``peak_rss_mb`` of this process.

    Raises
    ------
    EcgError
        A recording was set aside: nothing was measured.
    """
    preload(SCORING_MODULES)
    from ecg_core.pipeline.inbox import plan_chunks, register_arrivals, score_chunk
    from ecg_core.settings import load_settings

    began = psutil.Process().create_time()
    stages = {"start": time.time() - began}
    settings = load_settings()
    if step != "score":
        started = time.perf_counter()
        register_arrivals(settings)
        stages["arrive"] = time.perf_counter() - started
    chunks = plan_chunks(settings)[worker::workers] if step != "arrive" else []
    beats = 0
    for outcome in (outcome for chunk in chunks for outcome in score_chunk(settings, chunk, f"throughput-{worker}")):
        if outcome["outcome"] != "scored":
            raise EcgError(f"The recording was {outcome['outcome']}: {outcome['reason']}", "Mend that first.")
        counts, seconds = outcome["beats"], outcome["stages"]
        assert isinstance(counts, dict)
        assert isinstance(seconds, dict)
        beats += sum(counts.values())
        for name, value in seconds.items():
            stages[name] = stages.get(name, 0.0) + value
    stages["rest"] = time.time() - began - sum(stages.values())
    return {
        "beats": beats,
        "stages": {name: round(seconds, 2) for name, seconds in stages.items()},
        "cpu_seconds": round(time.process_time(), 2),
        "peak_rss_mb": round(peak_rss_mb()),
    }


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
    sys.stdout.write(json.dumps(work(sys.argv[1] if sys.argv[1:] else "all", *map(int, sys.argv[2:]))) + "\n")
