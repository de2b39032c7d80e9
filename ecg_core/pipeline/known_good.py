"""A recording that is known to be good, to tell a fault of our own from one that a recording brought with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from ecg_core.datasets import synth
from ecg_core.errors import PlatformFault
from ecg_core.recording import Recording
from ecg_core.result import Result
from ecg_core.settings import Settings
from ecg_core.store import arrivals
from ecg_core.store.arrivals import Arrival

_SECONDS: Final = 20.0


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
        apart = settings.model_copy(update={"home": folder})
        made = synth.synthesise(_SECONDS, pvc_per_minute=6.0, sveb_per_minute=4.0, seed=1963)
        try:
            result = score(read(synth.write_wfdb(made, folder, "known-good")))
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
