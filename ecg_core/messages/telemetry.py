"""OpenTelemetry, where ``ECG_OTEL_ENDPOINT`` names a collector: a trace for each recording, from arrival to report.

Nothing waits for the collector: what it does not take is dropped. A trace names a recording by its hash, and nobody.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ecg_core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

SERVICE: Final = "ecg-platform"
_TIMEOUT_S: Final = 3


def trace_recording(
    settings: Settings, arrived_unix_s: float, stages: Mapping[str, float], facts: Mapping[str, str | int]
) -> None:
    """Tell the collector of a recording that was scored: how long it waited, and the seconds of each stage.

    Parameters
    ----------
    settings : Settings
    arrived_unix_s : float
        When it was first seen.
    stages : mapping of str to float
        Seconds by stage, in their order. What recordings share, each has its share of.
    facts : mapping
        Attributes of the trace: ``recording_id``, ``model_version`` and the like.
    """
    if not settings.otel_endpoint:
        return
    from opentelemetry.trace import set_span_in_context

    tracer = _provider(settings.otel_endpoint).get_tracer(SERVICE)
    end = time.time_ns()
    begun = end - round(1e9 * sum(stages.values()))
    arrived = min(round(1e9 * arrived_unix_s), begun)
    whole = tracer.start_span("recording", start_time=arrived, attributes=dict(facts))
    inside, at = set_span_in_context(whole), arrived
    for name, until in [("waiting", begun), *_ends(begun, stages)]:
        tracer.start_span(name, context=inside, start_time=at).end(until)
        at = until
    whole.end(end)


def flush(settings: Settings) -> None:
    """Send what is left before a process ends; wait three seconds at most."""
    if settings.otel_endpoint:
        _provider(settings.otel_endpoint).force_flush(1000 * _TIMEOUT_S)


def resource() -> Resource:
    """Return what all that is told says of where it comes from."""
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": SERVICE})


def _ends(begun_ns: int, stages: Mapping[str, float]) -> list[tuple[str, int]]:
    ends, at = [], float(begun_ns)
    for name, seconds in stages.items():
        at += 1e9 * seconds
        ends.append((name, round(at)))
    return ends


@lru_cache(maxsize=1)
def _provider(endpoint: str) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource())
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
