"""`ecg benchmark throughput --resting N`: resting ECGs of twelve leads through `score_chunk`, beside today's way.

They are PTB-XL's real ones, over and over, one sample changed in each, so that each is a recording of its own. They
arrive in an inbox and are scored by as many processes as there are cores, forked with all that is slow to import as
Airflow's tasks are: read, classified, explained, stored in Postgres and reported. Nothing is looked at but the clock.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.throughput import DEPTH, figures, in_a_fresh_process
from ecg_core.errors import DatasetUnavailable
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.store.database import store_engine

_N_LEADS, _ROWS = 12, 900
WITHOUT_FRILLS: Final = ("read", "classify", "store")
"""Stages that no way of working spares: what the machine's limit is made of."""


def measure_resting(settings: Settings, database: Path, n: int, *, quick: bool = False) -> dict[str, Any]:
    """Score `n` resting ECGs, and one of them the way people do it today.

    Parameters
    ----------
    settings : Settings
        Of a home of the benchmark's own, with an empty inbox and a database.
    database : Path
        PTB-XL's folder.
    n : int
    quick : bool
        Of today's way as little as can be timed.

    Returns
    -------
    dict
        ``kind`` (``resting``), ``recordings``, ``recordings_per_second``, ``seconds`` from the start of the first
        process to the end of the last, ``beats``, ``stages``, ``cpu_seconds`` and ``peak_rss_mb`` (of all processes
        together, Postgres apart), ``limit_seconds`` (reading, model and database alone, on all cores),
        ``ratio_to_limit``, and of today's way what `benchmarks.throughput.figures` says.

    Raises
    ------
    EcgError
        A process ended without its figures.
    DatasetUnavailable
        None of PTB-XL's recordings is to be had.
    """
    from sqlalchemy import text

    prepare_database(settings)
    header = resting_ecgs(database, settings.home / "inbox", n)
    workers = os.cpu_count() or 1
    found = in_a_fresh_process(settings, "benchmarks.throughput_process", str(workers))
    stages = found["stages"]
    with store_engine(settings).connect() as connection:
        found |= {name: int(connection.execute(text(query)).scalar_one()) for name, query in DEPTH.items()}
        stored = int(connection.execute(text("SELECT count(*) FROM ecg.report")).scalar_one())
    today = in_a_fresh_process(settings, "benchmarks.usual_way", str(header), "quick" if quick else "resting")
    limit = sum(stages[stage] for stage in WITHOUT_FRILLS) / workers
    return {
        "kind": "resting",
        "recordings": stored,
        "recordings_per_second": round(stored / found["seconds"], 2),
        "cores": workers,
        "limit_seconds": round(limit, 2),
        "ratio_to_limit": round(found["seconds"] / limit, 1),
    } | figures(found, today)


def resting_ecgs(database: Path, inbox: Path, n: int) -> Path:
    """Write `n` records, each a real one with one sample changed; the header of the first.

    Raises
    ------
    DatasetUnavailable
        There is no record.
    """
    real = sorted(database.glob("records100/*/*_lr.hea"))
    if not real:
        raise DatasetUnavailable(f"{database} holds no recording.", "Fetch them: ecg fetch ptb-xl.")
    inbox.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        source, name = real[i % len(real)], f"resting{i:06d}"
        samples = np.fromfile(source.with_suffix(".dat"), "<i2")
        # 10 µV: less would be the same signal to the platform. Some signals stand twice in PTB-XL: each in its place.
        samples[_N_LEADS * (i % _ROWS)] += 10 * (1 + i // len(real))
        samples.tofile(inbox / f"{name}.dat")
        # The checksum of the first lead is no longer that of its samples: it is left out, with all behind it.
        lines = [line for line in source.read_text().splitlines() if line and not line.startswith("#")]
        fields = [line.split() for line in lines[1:]]
        leads = [" ".join([f"{name}.dat", *of_lead[1:5], of_lead[-1]]) for of_lead in fields]
        first = " ".join([name, *lines[0].split()[1:]])
        told = [f"{' '.join(lead.split()[:5])} 0 0 0 {lead.split()[-1]}" for lead in leads]
        (inbox / f"{name}.hea").write_text("\n".join([first, *told]) + "\n")
    return inbox / "resting000000.hea"
