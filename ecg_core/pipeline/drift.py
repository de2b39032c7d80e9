"""Drift: what a model version was trained on, and how far each day's inputs and scores lie from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.datasets.databases import DATABASES
from ecg_core.errors import ModelError
from ecg_core.labels import CLASSES
from ecg_core.models import load_model, prepare_records
from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import drift
from ecg_core.store.drift import BINS, Reference

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel, TrainingBeats

log = structlog.get_logger(__name__)

DAYS_MEASURED: Final = 3
"""Days up to today that each round measures again: a day's recordings may be scored until its end, and after a stop."""
_DATABASE: Final = "mitdb"


def measure_drift(settings: Settings) -> dict[str, dict[str, float]]:
    """Measure the last days' inputs and scores of every version that scored.

    Returns
    -------
    dict
        By ``"version day"``: the population stability index of each quantity.
    """
    engine = store_engine(settings)
    since = datetime.now(UTC).date() - timedelta(days=DAYS_MEASURED - 1)
    with engine.connect() as connection:
        days = drift.scored_days(connection, since)
    for version in sorted({version for version, _ in days}):
        try:
            remember_references(settings, version)
        except ModelError as error:
            log.warning("no reference for drift", model_version=version, reason=str(error))
    measured = {}
    with engine.begin() as connection:
        for version, day in days:
            indices = drift.measure_day(connection, version, day)
            measured[f"{version} {day}"] = {name: round(value, 4) for name, value in indices.items()}
            log.info("drift", model_version=version, day=str(day), **measured[f"{version} {day}"])
    return measured


def remember_references(settings: Settings, version: str) -> list[str]:
    """Note how the training data of a version were distributed, as far as that can be known here; which quantities.

    Classes come from the manifest, deviation from its definition, the others from the training beats themselves where
    their database has been fetched.
    """
    engine = store_engine(settings)
    with engine.connect() as connection:
        there = set(drift.references(connection, version))
    missing = set(BINS) - there
    if not missing:
        return []
    model = load_model(version, settings.models_dir)
    found = [*_from_manifest(model.manifest), *_from_beats(settings, model, missing - {"class", "deviation_z"})]
    new = [reference for reference in found if reference.quantity in missing]
    with engine.begin() as connection:
        drift.write_references(connection, version, new)
    return [reference.quantity for reference in new]


def _from_manifest(manifest: Mapping[str, Any]) -> Iterator[Reference]:
    counts = manifest.get("components", {}).get("cnn", {}).get("beats")
    if counts:
        total = sum(counts.values())
        shares = tuple(counts.get(name, 0) / total for name in CLASSES)
        yield Reference("class", shares, None, total, "labels of the training beats, over all leads")
    bounds = [-math.inf, *map(float, BINS["deviation_z"][1:]), math.inf]
    below = [(1 + math.erf(bound / math.sqrt(2))) / 2 for bound in bounds]
    shares = tuple(float(share) for share in np.diff(below))
    yield Reference(
        "deviation_z", shares, 0.0, None, "by definition: z-score against the training patients' normal beats"
    )


def _from_beats(settings: Settings, model: LoadedModel, quantities: set[str]) -> Iterator[Reference]:
    folder = settings.datasets_dir / _DATABASE / DATABASES[_DATABASE].version
    records = [name for name in model.manifest["training_data"]["records"] if (folder / f"{name}.atr").is_file()]
    if not quantities or not records:
        return
    beats = prepare_records(folder, records, "training", settings.models_dir / ".prepared")
    source = f"{len(beats)} training beats over all leads, {len(records)} records"
    for quantity in sorted(quantities):
        values = _values(model, beats, quantity)
        bounds = np.array([float(bound) for bound in BINS[quantity]])
        counts = np.bincount(np.searchsorted(bounds, values, side="right") - 1, minlength=bounds.size)
        shares = tuple(float(share) for share in counts / values.size)
        yield Reference(quantity, shares, float(values.mean()), int(values.size), source)


def _values(model: LoadedModel, beats: TrainingBeats, quantity: str) -> npt.NDArray[np.float64]:
    if quantity == "class_probability":
        probabilities = model.classify(beats.waveform, beats.context)
        return np.asarray(probabilities.max(axis=1), np.float64)
    column: int = list(model.manifest["context_names"]).index(quantity)
    return beats.context[:, column].astype(np.float64)
