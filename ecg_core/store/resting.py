"""What the task ``resting`` measured and explained: into its tables, and out of them to the last bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, insert, select

from ecg_core.result import WAVE_POINTS
from ecg_core.result.resting import STANDARD_LEADS, LabelAttribution, Measurement, Resting, Subject
from ecg_core.store import tables
from ecg_core.store.binary_copy import copy_records

TASK: Final = "resting"


def write_resting(conn: Connection, scoring_run_id: int, resting: Resting) -> None:
    """Write all of it under a new scoring run of the task; its criteria stand among the findings."""
    key = {"scoring_run_id": scoring_run_id}
    columns = {name: _known(column) for name, column in resting.points.items()}
    conn.execute(
        insert(tables.resting).values(
            **key,
            not_measured=resting.not_measured or None,
            age_years=resting.subject.age_years,
            sex=resting.subject.sex,
            derived_leads=list(resting.derived),
            turned_leads=list(resting.turned),
            n_beats=resting.n_beats,
            n_beats_left_out=resting.n_left_out,
            rr_ms=_known(resting.rr_ms),
            wave_columns=columns,
            generated_text=resting.text or None,
            median_beat=resting.beat_mv.astype("<f4").tobytes(),
        )
    )
    measurements = [
        {**key, "measurement_index": i, "lead": row.lead, "name": row.name, "value": row.value, "unit": row.unit}
        for i, row in enumerate(resting.measurements)
    ]
    attributions = [
        {
            **key,
            "label": one.label,
            "game": one.game,
            "player": one.player,
            "value": one.value,
            "standard_error": one.standard_error,
        }
        for one in resting.attributions
    ]
    copy_records(conn, tables.measurement, measurements)
    copy_records(conn, tables.label_attribution, attributions)


def read_resting(conn: Connection, scoring_run_ids: Sequence[int]) -> Resting | None:
    """Read what these scoring runs measured, of which at most one is of the task; None where none is.

    Criteria and rhythm are not kept: findings and explanations were made from them.
    """
    row = conn.execute(select(tables.resting).where(tables.resting.c.scoring_run_id.in_(scoring_run_ids))).one_or_none()
    if row is None:
        return None
    measured, moved = tables.measurement, tables.label_attribution
    rows = conn.execute(
        select(measured.c.lead, measured.c.name, measured.c.value, measured.c.unit)
        .where(measured.c.scoring_run_id == row.scoring_run_id)
        .order_by(measured.c.measurement_index)
    )
    attributions = conn.execute(
        select(moved.c.label, moved.c.game, moved.c.player, moved.c.value, moved.c.standard_error).where(
            moved.c.scoring_run_id == row.scoring_run_id
        )
    )
    return Resting(
        not_measured=row.not_measured or "",
        subject=Subject(row.age_years, row.sex),
        derived=tuple(row.derived_leads),
        turned=tuple(row.turned_leads),
        beat_mv=np.frombuffer(row.median_beat, "<f4").astype(np.float32).reshape(len(STANDARD_LEADS), -1),
        points={
            name: math.nan if row.wave_columns[name] is None else row.wave_columns[name]
            for name in WAVE_POINTS
            if name in row.wave_columns
        },
        n_beats=row.n_beats,
        n_left_out=row.n_beats_left_out,
        rr_ms=math.nan if row.rr_ms is None else row.rr_ms,
        measurements=tuple(Measurement(*each) for each in rows),
        text=row.generated_text or "",
        attributions=tuple(LabelAttribution(*each) for each in attributions),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
