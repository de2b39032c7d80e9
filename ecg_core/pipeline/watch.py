"""The process beside Airflow that looks after the platform: alerts, what is passed on, and what is due in the outbox.

It is no DAG: it must still be there where Airflow is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Final

import structlog

from ecg_core.errors import EcgError
from ecg_core.pipeline import alerts, outbox
from ecg_core.settings import Settings

log = structlog.get_logger(__name__)

DELIVER_EVERY_S: Final = 5.0
LOOK_EVERY_S: Final = 30.0


def watch(settings: Settings, stop: Event) -> None:
    """Deliver, pass on and look, until `stop` is set. What fails (no database) is logged and tried again."""
    duties: list[tuple[Callable[[Settings], object], float]] = [
        (alerts.look, LOOK_EVERY_S),
        (outbox.escalate, DELIVER_EVERY_S),
        (outbox.deliver_due, DELIVER_EVERY_S),
    ]
    due = [0.0] * len(duties)
    while not stop.is_set():
        for i, (duty, every_s) in enumerate(duties):
            if time.monotonic() < due[i]:
                continue
            due[i] = time.monotonic() + every_s
            try:
                duty(settings)
            except (EcgError, OSError) as error:
                log.warning("not done, tried again", duty=duty.__name__, reason=str(error))
        stop.wait(1.0)
