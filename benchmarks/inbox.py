"""`ecg benchmark inbox`: how fast looks at an inbox are, the first and those that find nothing new."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from upath import UPath

from ecg_core.arrivals.registering import register_arrivals
from ecg_core.errors import EcgError
from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings

_RATE_HZ: Final = 360
_SECONDS: Final = 10
_LATER_LOOKS: Final = 3


def measure(own: Settings, n_files: int) -> dict[str, Any]:
    """Fill an inbox with WFDB records of two files each, and look until nothing is left, and three times more.

    Parameters
    ----------
    own : Settings
        Of a home of the benchmark's own with a running Postgres.
    n_files : int

    Returns
    -------
    dict
        ``files``, ``looks`` (each takes in new files for a minute at most), ``first_s`` and ``files_per_second`` of
        those together, ``later_s`` (the slowest of the looks that found nothing new).
    """
    prepare_database(own)
    folder = own.home / "inbox"
    folder.mkdir()
    for number in range(n_files // 2):
        _write_record(folder, f"r{number:06d}", number)
    looks, first_s, left = 0, 0.0, 1
    registered = 0
    while left:
        took_s, counts = _look(own, folder)
        looks, first_s, left = looks + 1, first_s + took_s, counts.get("left for the next look", 0)
        registered += counts.get("new", 0)
    if registered != n_files // 2:
        raise EcgError(f"{registered} of {n_files // 2} records were registered.", "Mend that first.")
    later_s = [_look(own, folder)[0] for _ in range(_LATER_LOOKS)]
    return {
        "files": n_files // 2 * 2,
        "looks": looks,
        "first_s": round(first_s, 2),
        "files_per_second": round(n_files / first_s, 1),
        "later_s": round(max(later_s), 3),
    }


def _look(own: Settings, folder: Path) -> tuple[float, dict[str, int]]:
    started = time.monotonic()
    counts = register_arrivals(own, UPath(folder))
    return time.monotonic() - started, counts


def _write_record(folder: Path, name: str, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-500, 500, _RATE_HZ * _SECONDS, dtype="<i2")
    samples.tofile(folder / f"{name}.dat")
    (folder / f"{name}.hea").write_text(f"{name} 1 {_RATE_HZ} {len(samples)}\n{name}.dat 16 200 16 0 0 0 0 MLII\n")
