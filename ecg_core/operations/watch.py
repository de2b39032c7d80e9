"""The process beside Airflow that looks after the platform: alerts, what is passed on, and what is due in the outbox.

It is no DAG: it must still be there where Airflow is not. On a port it tells Prometheus the figures (``/metrics``) and
everybody whether all is well (``/health``: 200, or 503 with a sentence for each reason).
"""

from __future__ import annotations

import errno
import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Final

import structlog

from ecg_core.errors import EcgError, SettingsError
from ecg_core.messages import notices, outbox
from ecg_core.operations import alerts, analysts, metrics, retention
from ecg_core.settings import Settings

log = structlog.get_logger(__name__)

DELIVER_EVERY_S: Final = 5.0
LOOK_EVERY_S: Final = 30.0
KEEP_HOUSE_EVERY_S: Final = 86_400.0
KEEP_HOUSE_FIRST_S: Final = 3600.0
"""Not at once: a start has other things to do."""


def serve(settings: Settings) -> ThreadingHTTPServer:
    """Answer ``/metrics`` and ``/health`` on ``ECG_WATCH_ADDRESS``, or on the next free port, in a thread.

    Raises
    ------
    SettingsError
        No port from there on is free, or the host is none of this machine.
    """
    host, port = settings.watch_host_and_port
    handler = partial(_Handler, settings)
    for candidate in range(port, port + 100):
        try:
            server = ThreadingHTTPServer((host, candidate), handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            raise SettingsError(f"{host} is no address of this machine.", "Correct ECG_WATCH_ADDRESS.") from None
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        log.info("watching", address=f"http://{host}:{server.server_port}")
        return server
    raise SettingsError(f"No port from {port} on is free.", "Give another in ECG_WATCH_ADDRESS.")


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, settings: Settings, *request: Any) -> None:  # noqa: ANN401 (as the base class has them)
        self.settings = settings
        super().__init__(*request)

    def do_GET(self) -> None:
        """Answer."""
        try:
            if self.path == "/metrics":
                self._answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics.prometheus(self.settings))
            elif self.path == "/health":
                found = metrics.problems(self.settings)
                body = json.dumps({"healthy": not found, "problems": found})
                self._answer(503 if found else 200, "application/json", body + "\n")
            else:
                self._answer(404, "text/plain", "There are /metrics and /health.\n")
        except EcgError as error:
            self._answer(503, "text/plain", f"{error}\n")

    def _answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Log no request: Prometheus asks every few seconds."""


def watch(settings: Settings, stop: Event) -> None:
    """Deliver, pass on, look and keep house, until `stop` is set. What fails is logged, and tried again."""
    duties: list[tuple[Callable[[Settings], object], float]] = [
        (alerts.look, LOOK_EVERY_S),
        (outbox.escalate, DELIVER_EVERY_S),
        (notices.tell_signed, DELIVER_EVERY_S),
        (outbox.deliver_due, DELIVER_EVERY_S),
        (analysts.end_long_statements, LOOK_EVERY_S),
        (retention.keep_house, KEEP_HOUSE_EVERY_S),
    ]
    due = [*[0.0] * (len(duties) - 1), time.monotonic() + KEEP_HOUSE_FIRST_S]
    while not stop.is_set():
        for i, (duty, every_s) in enumerate(duties):
            if time.monotonic() < due[i]:
                continue
            due[i] = time.monotonic() + every_s
            try:
                duty(settings)
            except (EcgError, OSError, subprocess.SubprocessError) as error:
                log.warning("not done, tried again", duty=duty.__name__, reason=str(error))
        stop.wait(1.0)
