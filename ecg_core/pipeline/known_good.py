"""A recording that is known to be good, to tell a fault of our own from one that a recording brought with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from sqlalchemy import Connection, Engine

from ecg_core.errors import PlatformFault
from ecg_core.recording import Recording
from ecg_core.result import Result
from ecg_core.settings import Settings
from ecg_core.store import arrivals
from ecg_core.store.arrivals import Arrival

_SECONDS: Final = 20.0
_RATE_HZ: Final = 250
_WAVES: Final = ((-0.17, 0.025, 0.12), (-0.025, 0.008, -0.1), (0.0, 0.011, 1.1), (0.03, 0.01, -0.2), (0.25, 0.05, 0.3))
"""P, Q, R, S and T: place against the R peak (s), width (s), height (mV)."""


def check_ourselves(
    engine: Engine,
    settings: Settings,
    read: Callable[[Path], Recording],
    score: Callable[[Recording], Result],
    keep: Callable[[Connection, Settings, Result], object],
) -> None:
    """Walk a generated recording through reading, scoring, store and report; nothing of it stays.

    Parameters
    ----------
    engine : Engine
    settings : Settings
    read, score, keep : callable
        As for any other recording.

    Raises
    ------
    PlatformFault
        It fails on that too: whatever failed on a recording before is our own fault.
    """
    with tempfile.TemporaryDirectory(prefix="ecg-known-good-") as name:
        folder = Path(name)
        # Reports go to the same home, but under a folder that is removed.
        apart = settings.model_copy(update={"home": folder, "store": ""})
        try:
            result = score(read(_write_known_good(folder)))
            with engine.connect() as connection, connection.begin() as transaction:
                recording_id = result.recording.recording_id
                arrivals.register(connection, [Arrival("known good", recording_id, 1, 0.0, "known good")])
                keep(connection, apart, result)
                transaction.rollback()
        except Exception as error:
            raise PlatformFault(
                f"Our own code fails on a recording that is known to be good ({type(error).__name__}).",
                "Report it with the traceback in the task's log; no recording was set aside for it.",
            ) from error


def _write_known_good(folder: Path) -> Path:
    """Write a sinus rhythm with a wide, early beat every five, as WFDB of two leads: shapes are sums of Gaussians."""
    time_s = np.arange(round(_SECONDS * _RATE_HZ)) / _RATE_HZ
    signal = 0.01 * np.sin(2 * np.pi * 37.0 * time_s)
    for number, r_s in enumerate(np.arange(0.5, _SECONDS - 0.5, 0.8)):
        early = number % 5 == 4
        waves = ((0.0, 0.05, 1.5), (0.3, 0.07, -0.5)) if early else _WAVES
        for place_s, width_s, height_mv in waves:
            signal += height_mv * np.exp(-0.5 * ((time_s - (r_s - 0.25 * early) - place_s) / width_s) ** 2)
    samples = np.round(np.column_stack([signal, 0.6 * signal]) * 200).astype("<i2")
    samples.tofile(folder / "known-good.dat")
    header = folder / "known-good.hea"
    leads = "".join(f"known-good.dat 16 200(0)/mV 16 0 0 0 0 {name}\n" for name in ("II", "V1"))
    header.write_text(f"known-good 2 {_RATE_HZ} {len(samples)}\n{leads}")
    return header
