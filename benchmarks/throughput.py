"""`ecg benchmark throughput`: a day's recording through the whole corridor in one fresh process, beside today's way.

The recording is made of the test patients' real ones, one after the other (MIT-BIH's DS2), so its beats and its noise
are real, but its rhythm breaks where one patient ends, and one dominant beat stands for all of them. It is scored as
the platform scores: it arrives in an inbox, is staged, claimed, scored, explained, stored in Postgres and reported, by
a process that starts from nothing. Nothing is looked at but the clock: no figure of the test patients is computed.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import PostgresDsn
from sqlalchemy import text

from ecg_core.datasets.splits import TEST
from ecg_core.errors import DatasetUnavailable, EcgError
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.store.database import store_engine

RATE_HZ: Final = 360
QUICK_HOURS: Final = 0.1
OWNER: Final = "ecg benchmark throughput"
_FRAME_BYTES: Final = 3
"""Two leads in WFDB's format 212: twelve bits each."""
_HEADER: Final = """{name} 2 {rate} {frames}
{name}.dat 212 200 11 1024 0 0 0 MLII
{name}.dat 212 200 11 1024 0 0 0 V1
"""


def measure(settings: Settings, database: Path, hours: float = 24.0, *, quick: bool = False) -> dict[str, Any]:
    """Score a recording made of the test patients' real ones, and a slice of it the way people do it today.

    Parameters
    ----------
    settings : Settings
        Of a home of the benchmark's own, with an empty inbox and a database.
    database : Path
        MIT-BIH's folder.
    hours : float
        Length of the recording.
    quick : bool
        Six minutes at most, and of today's way as little as can be timed: to see that all of it runs.

    Returns
    -------
    dict
        ``kind`` (``holter``), ``seconds`` from the start of the process to its end, ``limit_seconds`` (reading, model
        and database alone), ``recordings_per_second``, ``stages`` (seconds each, in order), ``beats``,
        ``beats_with_shapley``, ``beats_in_full``, ``cpu_seconds``, ``peak_rss_mb``, ``hours``, ``cores``; ``today``
        (`benchmarks.usual_way.measure_usual_way`); ``today_seconds`` for the same recording in the same
        depth, ``speedup`` (how many times longer that takes), and the same with other depths: see `figures`.

    Raises
    ------
    EcgError
        A process ended without its figures.
    DatasetUnavailable
        The test patients' recordings are not to be had.
    """
    hours = min(hours, QUICK_HOURS) if quick else hours
    prepare_database(settings)
    header = day_of_test_patients(database, settings.home / "inbox", hours)
    scored = in_a_fresh_process(settings, "benchmarks.throughput_process")
    with store_engine(settings).connect() as connection:
        depth = {name: int(connection.execute(text(query)).scalar_one()) for name, query in DEPTH.items()}
    today = in_a_fresh_process(settings, "benchmarks.usual_way", str(header), "quick" if quick else "whole")
    limit = sum(scored["stages"][stage] for stage in ("read", "classify", "store"))
    return {
        "kind": "holter",
        "recordings_per_second": round(1 / scored["seconds"], 4),
        "limit_seconds": round(limit, 2),
        "hours": hours,
        "cores": os.cpu_count(),
    } | figures(scored | depth, today)


DEPTH: Final = {
    "beats_with_shapley": "SELECT count(*) FROM ecg.shapley",
    "beats_in_full": "SELECT count(*) FROM ecg.chosen_beat",
}


def figures(scored: dict[str, Any], today: dict[str, Any]) -> dict[str, Any]:
    """Put both side by side: what today's way would take for the same beats in the same depth.

    Same depth means: every beat found, classified (today in batches of 32) and given the maps of Grad-CAM and saliency
    (today beat by beat, as the snippets that all copy do it; in batches of 32 as well, for those who change them);
    Shapley values for as many beats as got them here (today shap's GradientExplainer); as many beats drawn. The
    deviation from normal that every beat gets here, and the other methods of the drawn ones, count for nothing.
    """
    beats, in_full = scored["beats"], scored["beats_in_full"]
    seconds = today["seconds_per_beat"]
    found = beats * (seconds["read"] + seconds["clean"] + seconds["peaks"] + seconds["predict_32"])
    drawn = in_full * seconds["figure"]
    few_by_shap = scored["beats_with_shapley"] * seconds["shap"]
    same_depth = {
        "speedup": found + beats * seconds["maps_1"] + few_by_shap + drawn,
        "speedup_maps_in_batches": found + beats * seconds["maps_32"] + few_by_shap + drawn,
        "speedup_without_maps": found + few_by_shap + drawn,
        "speedup_all_beats_by_shap": found + beats * seconds["shap"] + drawn,
    }
    ratios = {name: round(theirs / scored["seconds"], 1) for name, theirs in same_depth.items()}
    return {**scored, "today": today, "today_seconds": round(same_depth["speedup"], 1), **ratios}


def day_of_test_patients(database: Path, folder: Path, hours: float, name: str = "day") -> Path:
    """Write the test patients' recordings one after the other, over and over, as one WFDB record.

    Parameters
    ----------
    database : Path
        MIT-BIH's folder.
    folder : Path
        Made where it is missing.
    hours : float
    name : str

    Returns
    -------
    Path
        The header.

    Raises
    ------
    DatasetUnavailable
        None of the recordings is there.
    """
    parts = [path for record in TEST if (path := database / f"{record}.dat").is_file()]
    if not parts:
        raise DatasetUnavailable(f"{database} holds no recording of a test patient.", "Fetch them: ecg fetch mitdb.")
    folder.mkdir(parents=True, exist_ok=True)
    frames = math.floor(hours * 3600 * RATE_HZ)
    left = frames * _FRAME_BYTES
    # All of MIT-BIH is stored alike, so bytes can be put after bytes: a day is never in memory.
    with (folder / f"{name}.dat").open("wb") as out:
        while left > 0:
            for part in parts:
                data = part.read_bytes()[:left]
                out.write(data)
                left -= len(data)
    header = folder / f"{name}.hea"
    header.write_text(_HEADER.format(name=name, rate=RATE_HZ, frames=frames))
    return header


def in_a_fresh_process(settings: Settings, module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of ours as a process; its last line as JSON, with ``seconds`` from its start to its end."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=own_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 2), **answer_of(module, done.returncode, done.stdout, done.stderr)}


def own_environment(settings: Settings) -> dict[str, str]:
    """Give a process the settings of the benchmark's own home."""
    return {
        **os.environ,
        "ECG_HOME": str(settings.home),
        "ECG_DATABASE_URL": str(settings.database_url),
        "ECG_INBOX": settings.inbox_address,
        "ECG_SETTLE_S": "0",
    }


def answer_of(module: str, code: int, out: str, errors: str) -> dict[str, Any]:
    """Read the last line of a process as JSON.

    Raises
    ------
    EcgError
        It ended with another code than 0.
    """
    if code != 0:
        end = "\n".join(errors.strip().splitlines()[-5:])
        raise EcgError(f"{module} ended with code {code}:\n{end}", "Mend what it says, and run again.")
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


@contextmanager
def home_of_its_own(settings: Settings) -> Iterator[Settings]:
    """Give settings with a new home and an embedded Postgres in it; all of it is gone afterwards."""
    from ecg_core.stack.postgres import ensure_postgres, remove_postgres

    home = Path(tempfile.mkdtemp(prefix="ecg-throughput-"))
    # The user whom root runs Postgres as must be able to walk in.
    home.chmod(0o755)
    own = settings.model_copy(update={"home": home, "database_url": None, "inbox": "", "settle_s": 0.0})
    try:
        yield own.model_copy(update={"database_url": PostgresDsn(ensure_postgres(own))})
    finally:
        remove_postgres(own)
        shutil.rmtree(home, ignore_errors=True)
