"""OpenLineage, where ``ECG_OPENLINEAGE_URL`` names a receiver: what came from what, from arrival to report and model.

An event a look at an inbox, a chunk that was scored and a version that was judged, with the data sets that went in and
came out. None names a file that arrived, a recording or a patient. What the receiver does not take is dropped; it is
asked again a minute later at the earliest, so that nobody waits for it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import httpx
import structlog

import ecg_core
from ecg_core.settings import Settings

log = structlog.get_logger(__name__)

Dataset = Mapping[str, object]
JOBS: Final = "ecg-platform"
"""Namespace of the jobs."""
TIMEOUT_S: Final = 3.0
SILENT_S: Final = 60.0
SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
_PRODUCER: Final = f"urn:ecg-platform:{ecg_core.__version__}"
_not_before: dict[str, float] = {}
"""By receiver: the moment before which it is not asked again."""


def tell(
    settings: Settings,
    job: str,
    inputs: Iterable[Dataset],
    outputs: Iterable[Dataset],
    facts: Mapping[str, str | int],
    *,
    failed: bool = False,
) -> bool:
    """Tell the receiver that a job is done; whether it took it.

    Parameters
    ----------
    settings : Settings
    job : str
    inputs, outputs : iterable of Dataset
        From the functions below.
    facts : mapping
        How many, which versions: a facet of the run.
    failed : bool
        It ended with an error.
    """
    url = settings.openlineage_url
    if not url or time.monotonic() < _not_before.get(url, 0.0):
        return False
    event = {
        "eventType": "FAIL" if failed else "COMPLETE",
        "eventTime": datetime.now(UTC).isoformat(),
        "run": {"runId": str(uuid.uuid4()), "facets": {"ecg": {**_of("RunFacet"), **facts}}},
        "job": {"namespace": JOBS, "name": job},
        "inputs": list(inputs),
        "outputs": list(outputs),
        **{key.removeprefix("_"): value for key, value in _of("RunEvent").items()},
    }
    try:
        httpx.post(url, json=event, timeout=TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        _not_before[url] = time.monotonic() + SILENT_S
        log.warning("lineage not told", job=job, reason=type(error).__name__)
        return False
    return True


def folder(address: str) -> Dataset:
    """Name a folder of the host or an object store as OpenLineage has it."""
    if "://" not in address:
        return {"namespace": "file", "name": address}
    parts = urlsplit(address)
    # Before the @ stands a connection of Airflow's, which is none of the receiver's business.
    return {"namespace": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", "name": parts.path.strip("/") or "/"}


def stored(settings: Settings, *names: str) -> list[Dataset]:
    """Name folders of what all machines share: ``recordings``, ``reports``."""
    base = settings.store or str(settings.home)
    return [folder(f"{base.rstrip('/')}/{name}") for name in names]


def versions(settings: Settings, names: Sequence[str]) -> list[Dataset]:
    """Name model versions; the shipped ones too, which lie in the package."""
    return stored(settings, *(f"models/{name}" for name in names))


def tables(settings: Settings, *names: str) -> list[Dataset]:
    """Name tables of the results' database."""
    parts = urlsplit(str(settings.database_url))
    place = f"postgres://{parts.hostname}:{parts.port or 5432}"
    return [{"namespace": place, "name": f"{parts.path.strip('/')}.ecg.{name}"} for name in names]


def _of(kind: str) -> dict[str, str]:
    return {"_producer": _PRODUCER, "_schemaURL": f"{SCHEMA}#/$defs/{kind}"}
