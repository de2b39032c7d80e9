"""The figures of `ecg_core.operations.metrics`, sent to the collector of ``ECG_OTEL_ENDPOINT`` each half minute."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from ecg_core.messages.telemetry import resource
from ecg_core.operations import metrics
from ecg_core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider

EVERY_MS: Final = 30_000


def send_metrics(settings: Settings, every_ms: int = EVERY_MS) -> MeterProvider | None:
    """Begin to send them, in a thread; None where no collector is set. `shutdown` of what is returned ends it."""
    if not settings.otel_endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(endpoint=f"{settings.otel_endpoint.rstrip('/')}/v1/metrics", timeout=3)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=every_ms)
    provider = MeterProvider([reader], resource=resource())
    meter = provider.get_meter("ecg")
    for name in metrics.NAMES:
        meter.create_observable_gauge(
            name, callbacks=[partial(_observe, settings, name)], description=metrics.HELPS[name]
        )
    return provider


def _observe(settings: Settings, name: str, _: CallbackOptions) -> Iterator[Observation]:
    from opentelemetry.metrics import Observation

    for labels, value in metrics.samples(settings, name):
        yield Observation(value, dict(labels))
