"""What the tasks other than ``beats`` say of a recording: a scoring run by version, with labels and stretches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from ecg_core.result import Labels, ModelFacts, RecordingLabel, RecordingStretch, Result
from ecg_core.result.resting_findings import called_superclasses
from ecg_core.store import resting, tables
from ecg_core.store.binary_copy import copy_records
from ecg_core.store.models import register_version


def write_labels(conn: Connection, result: Result, owner: str, month: date) -> dict[str, int]:
    """Write the runs of a result's other models; those that stand there stay.

    Parameters
    ----------
    conn : Connection
    result : Result
        Its recording stands in the database.
    owner : str
    month : date
        First day of the month in which the recording arrived.

    Returns
    -------
    dict of str to int
        Scoring run by task, those that stood there too.
    """
    return {model.task: _write_run(conn, result, model, owner, month) for model in result.other_models}


def _write_run(conn: Connection, result: Result, model: ModelFacts, owner: str, month: date) -> int:
    register_version(conn, model)
    quality = result.quality
    run: int | None = conn.execute(
        tables.NEW_RUN,
        {
            "recording_id": result.recording.recording_id,
            "model_version": model.version,
            "task": model.task,
            "scored_by": owner,
            "analysable_share": quality.analysable_share,
            "primary_lead": result.recording.lead_names[quality.primary_lead],
            "primary_lead_index": quality.primary_lead,
            "filters": list(quality.filters),
            "stage_seconds": dict(result.stages),
            "arrived_month": month,
        },
    ).scalar_one_or_none()
    if run is None:
        return tables.run_of(conn, result.recording.recording_id, model.version)
    key = {"scoring_run_id": run, "task": model.task}
    labels = [
        {**key, **{name: getattr(one, name) for name in ("label", "probability", "in_set", "may_be_absent")}}
        for one in result.labels
        if one.version == model.version
    ]
    stretches = [
        {**key, "from_s": one.from_s, "to_s": one.to_s, "label": one.label, "probability": one.probability}
        for one in result.stretches
        if one.version == model.version
    ]
    copy_records(conn, tables.recording_label, labels)
    copy_records(conn, tables.recording_stretch, stretches)
    if model.task == resting.TASK and result.resting is not None:
        resting.write_resting(conn, run, result.resting)
    return run


def read_labels(conn: Connection, reading_id: int) -> tuple[Labels, tuple[Mapping[str, Any], ...]]:
    """Read what the scoring runs of a reading say, those of tasks other than ``beats``.

    Returns
    -------
    labels : Labels
        By task; labels by falling probability, stretches in time order.
    models : tuple of mapping
        Rows of `tables.model_version`, one for each of those runs.
    """
    run, label, stretch = tables.scoring_run.c, tables.recording_label.c, tables.recording_stretch.c
    part = tables.reading_run.c
    of_reading = (
        select(run.scoring_run_id, run.model_version)
        .join(tables.reading_run, part.scoring_run_id == run.scoring_run_id)
        .where(part.reading_id == reading_id, part.task != "beats")
        .order_by(part.task)
    )
    runs = conn.execute(of_reading).all()
    version_of = {row.scoring_run_id: row.model_version for row in runs}
    if not version_of:
        return Labels(), ()
    labels = select(tables.recording_label).where(label.scoring_run_id.in_(version_of))
    stretches = select(tables.recording_stretch).where(stretch.scoring_run_id.in_(version_of))
    models = select(tables.model_version).where(tables.model_version.c.model_version.in_(version_of.values()))
    by_version = {row["model_version"]: dict(row) for row in conn.execute(models).mappings()}
    said = Labels(
        tuple(
            RecordingLabel(
                row.task,
                version_of[row.scoring_run_id],
                row.label,
                _single(row.probability),
                row.in_set,
                row.may_be_absent,
            )
            for row in conn.execute(labels.order_by(label.task, label.probability.desc(), label.label))
        ),
        tuple(
            RecordingStretch(
                row.task, version_of[row.scoring_run_id], row.from_s, row.to_s, row.label, _single(row.probability)
            )
            for row in conn.execute(stretches.order_by(stretch.task, stretch.from_s, stretch.label))
        ),
        resting.read_resting(conn, list(version_of)),
    )
    return said, tuple(by_version[row.model_version] for row in runs)


def called_of(conn: Connection, recording_ids: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the superclasses that the newest run of the task ``resting`` calls, with probabilities, by recording.

    A recording that was asked and has none is there with no label; one that was not asked is left out.
    """
    run, label = tables.scoring_run.c, tables.recording_label.c
    newest = (
        select(run.recording_id, run.scoring_run_id)
        .where(run.task == resting.TASK, run.recording_id.in_(recording_ids))
        .distinct(run.recording_id)
        .order_by(run.recording_id, run.scoring_run_id.desc())
        .subquery()
    )
    rows = conn.execute(
        select(newest.c.recording_id, tables.recording_label)
        .join(tables.recording_label, label.scoring_run_id == newest.c.scoring_run_id)
        .order_by(label.probability.desc())
    )
    said: dict[str, dict[str, RecordingLabel]] = {}
    for row in rows:
        one = RecordingLabel(row.task, "", row.label, _single(row.probability), row.in_set, row.may_be_absent)
        said.setdefault(row.recording_id, {})[row.label] = one
    return {
        recording: {name: labels[name].probability for name in called_superclasses(labels)}
        for recording, labels in said.items()
    }


def _single(value: float) -> float:
    """Undo the driver's rounding to the fewest decimals."""
    return float(np.float32(value))
