"""The nightly upkeep of the results database."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core import depot
from ecg_core.datasets.databases import DATABASES
from ecg_core.errors import DataQualityError, ModelError
from ecg_core.formats import clear_left_overs
from ecg_core.labels import CLASSES
from ecg_core.models import load_model, with_version
from ecg_core.settings import Settings
from ecg_core.store import checks, drift, ledger, partitions
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.drift import BINS, Reference
from ecg_core.training import prepare_records

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel
    from ecg_core.training import TrainingBeats


log = structlog.get_logger(__name__)

MONTHS_AHEAD = 2


def make_partitions(settings: Settings) -> list[str]:
    """Make the partitions of this month and the next ones, so that scoring seldom has to; the months."""
    this = partitions.month_of(datetime.now(UTC))
    months = [partitions.next_month(this, ahead) for ahead in range(MONTHS_AHEAD + 1)]
    with store_engine(settings).begin() as connection:
        for month in months:
            partitions.ensure_partitions(connection, month)
    return [str(month) for month in months]


def drop_old_partitions(settings: Settings) -> list[str]:
    """Drop beats and attributions older than ``ECG_RETENTION_MONTHS``; names of what was dropped, none where it is 0.

    Raises
    ------
    DatabaseUnavailable
        Somebody has read the old months for too long; try again later.
    """
    if not settings.retention_months:
        return []
    oldest_kept = partitions.next_month(partitions.month_of(datetime.now(UTC)), -settings.retention_months)
    with owner_engine(settings).begin() as connection:
        dropped = partitions.drop_partitions_before(connection, oldest_kept)
    if dropped:
        log.info("partitions dropped", before=str(oldest_kept), partitions=dropped)
    return dropped


LEFT_OVER_S: Final = 86_400.0
"""What a training is still writing was touched within a day."""


def clear_half_written(settings: Settings) -> int:
    """Remove what killed processes left half written: copies of recordings, model versions, prepared beats."""
    cleared = clear_left_overs(settings.recordings_dir) + depot.clear_half_written(settings)
    for path in settings.models_dir.rglob(".writing-*"):
        if time.time() - path.lstat().st_mtime > LEFT_OVER_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            cleared += 1
    return cleared


def free_abandoned_claims(settings: Settings) -> int:
    """Let recordings wait again whose claims have expired; how many. The attempts made stay counted.

    What killed processes left half written is removed as well.
    """
    clear_half_written(settings)
    with store_engine(settings).begin() as connection:
        freed = ledger.free_expired(connection)
    if freed:
        log.info("abandoned claims freed", recordings=freed)
    return freed


def run_checks(settings: Settings, *, everything: bool = False) -> dict[str, int]:
    """Run all rules of ``sql/checks`` and write what they found to ``ecg_mart.data_quality``.

    Parameters
    ----------
    settings : Settings
    everything : bool
        Look at all scores; else only at those that no earlier round has looked at.

    Returns
    -------
    dict of str to int
        By rule: how many rows break it (up to 10,000).

    Raises
    ------
    DataQualityError
        A severe rule is broken. What was found is written all the same.
    """
    engine = store_engine(settings)
    checked_at = datetime.now(UTC)
    with engine.connect() as connection:
        since = None if everything else checks.unchecked_since(connection)
        findings = [checks.check(connection, rule, since) for rule in checks.read_rules()]
    with engine.begin() as connection:
        checks.write_findings(connection, findings, checked_at, since)
    broken = [finding for finding in findings if finding.n_rows_broken]
    for finding in broken:
        log.warning("rule broken", rule=finding.rule.name, rows=finding.n_rows_broken, severity=finding.rule.severity)
    severe = [finding for finding in broken if finding.rule.severity == "severe"]
    if severe:
        rules = "; ".join(f"{finding.rule.name} ({finding.n_rows_broken} rows)" for finding in severe)
        raise DataQualityError(
            f"Stored scores break {len(severe)} severe rules: {rules}.",
            "ecg_mart.data_quality names the first rows of each; sql/checks says what the rules are.",
        )
    return {finding.rule.name: finding.n_rows_broken for finding in findings}


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
    model = load_model(version, with_version(settings, version))
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
    beats = prepare_records(folder, records, "training", settings.models_dir / ".prepared", model.trees)
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
