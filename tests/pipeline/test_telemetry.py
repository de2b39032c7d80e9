"""What an OpenTelemetry collector is told: a trace for each recording, and the metrics."""

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ecg_core.messages import telemetry
from ecg_core.operations import metrics
from ecg_core.operations.otel_metrics import send_metrics
from ecg_core.pipeline import inbox
from ecg_core.settings import Settings


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector's address, and what it was sent."""
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
    telemetry._provider.cache_clear()


def spans(got: list[tuple[str, bytes]]) -> list:
    requests = [ExportTraceServiceRequest.FromString(body) for path, body in got if path == "/v1/traces"]
    return [
        span
        for request in requests
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


def test_a_recording_is_a_trace_from_arrival_to_report(
    settings: Settings, arrive: Callable[..., Path], collector: tuple[str, list[tuple[str, bytes]]]
):
    address, got = collector
    told = settings.model_copy(update={"otel_endpoint": address})
    arrive("a")
    inbox.register_arrivals(told)
    [chunk] = inbox.plan_chunks(told)
    [outcome] = inbox.score_chunk(told, chunk, "test")
    by_name = {span.name: span for span in spans(got)}
    assert {"waiting", *outcome["stages"]} <= set(by_name)
    whole = by_name["recording"]
    attributes = {pair.key: pair.value.string_value for pair in whole.attributes}
    assert attributes["recording_id"] == chunk[0]
    assert attributes["model_version.beats"]
    parts = [span for span in by_name.values() if span is not whole]
    assert {span.parent_span_id for span in parts} == {whole.span_id}
    assert min(span.start_time_unix_nano for span in parts) == whole.start_time_unix_nano
    assert max(span.end_time_unix_nano for span in parts) <= whole.end_time_unix_nano + 1_000
    assert str(settings.inbox) not in str(got), "no file's name"


def test_a_collector_that_is_away_holds_nobody_up(settings: Settings):
    away = settings.model_copy(update={"otel_endpoint": "http://127.0.0.1:1"})
    started = time.monotonic()
    telemetry.trace_recording(away, time.time(), {"read": 0.1}, {"recording_id": "a"})
    telemetry.flush(away)
    assert time.monotonic() - started < 8
    telemetry._provider.cache_clear()


def test_the_collector_gets_the_metrics(settings: Settings, collector: tuple[str, list[tuple[str, bytes]]]):
    address, got = collector
    sending = send_metrics(settings.model_copy(update={"otel_endpoint": address}))
    sending.force_flush(10_000)
    sending.shutdown()
    [request, *_] = [ExportMetricsServiceRequest.FromString(body) for path, body in got if path == "/v1/metrics"]
    [of_scope] = request.resource_metrics[0].scope_metrics
    named = {metric.name: metric for metric in of_scope.metrics}
    assert {"ecg_database_up", "ecg_disk_free_bytes", "ecg_oldest_waiting_seconds"} <= set(named) <= set(metrics.NAMES)
    assert named["ecg_database_up"].gauge.data_points[0].as_double == 1.0
    assert send_metrics(settings) is None
