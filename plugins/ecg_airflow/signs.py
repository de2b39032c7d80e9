"""Signs of life of a Celery worker: a file for the container's health check, a row for the platform's."""

from __future__ import annotations

import logging
import os
import socket
import time
from pathlib import Path
from threading import Thread
from typing import Final

log = logging.getLogger("airflow.ecg")

ALIVE_FILE: Final = Path(os.environ.get("TMPDIR", "/tmp")) / "ecg-worker-alive"
EVERY_S: Final = 30.0


class SignsOfLife:
    """Called with each heartbeat that the worker sent its broker, every other second; acts every half minute."""

    def __init__(self) -> None:
        self.last = 0.0

    def __call__(self, **_: object) -> None:
        """Touch the file, and write the row in a thread of its own: a slow database holds no heartbeat up."""
        if time.monotonic() - self.last < EVERY_S:
            return
        self.last = time.monotonic()
        ALIVE_FILE.touch()
        Thread(target=give_sign, daemon=True).start()


def give_sign() -> None:
    """Write the row; where the database is away, the log says so and the next one is tried."""
    from ecg_core.errors import EcgError
    from ecg_core.messages import outbox
    from ecg_core.settings import load_settings

    try:
        outbox.give_sign(load_settings(), f"worker {socket.gethostname()}")
    except EcgError as error:
        log.warning("No sign of life: %s", error)
