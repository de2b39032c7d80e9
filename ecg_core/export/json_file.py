"""A result as plain JSON, for one who has no Postgres and for other programs."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import compress

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.result import AF_WINDOW_S, INTERVALS, Result
from ecg_core.result.intervals import summarise


def beat_counts(result: Result) -> dict[str, int]:
    """Analysable beats by class, every class named."""
    counted = np.bincount(result.beats.class_index[result.beats.analysable], minlength=len(CLASSES))
    return dict(zip(CLASSES, counted.tolist(), strict=True))


def result_as_json(result: Result) -> dict[str, object]:
    """Turn a result into JSON-able values.

    Returns
    -------
    dict
        ``recording``, ``quality``, ``beat_counts``, ``heart_rate``, ``intervals`` (count, median and quartiles by
        name), ``episodes``, ``atrial_fibrillation`` (probability by window), ``model``, ``stages`` (seconds) and
        ``beats``: one object per beat with ``r_sample`` (at the recording's own rate), ``r_time_s``, ``class``,
        ``probabilities``, ``rr_prev_ms``, ``rr_next_ms``, ``deviation_z``, ``pr_ms``, ``qrs_duration_ms``, ``qt_ms``,
        ``analysable``, ``prediction_set`` (the classes that remain possible, for instance ``"NS"``),
        ``inconclusive``. Unknown values are null.
    """
    start = result.recording.start_time
    return {
        "notice": "For research use, not for diagnosis.",
        "recording": {**asdict(result.recording), "start_time": start.isoformat() if start else None},
        "quality": {
            "analysable_share": result.quality.analysable_share,
            "primary_lead": result.recording.lead_names[result.quality.primary_lead],
            "filters": list(result.quality.filters),
        },
        "beat_counts": beat_counts(result),
        "heart_rate": asdict(result.rhythm.heart_rate) if result.rhythm.heart_rate else None,
        "intervals": {name: asdict(summary) for name, summary in summarise(result.beats).items()},
        "episodes": [asdict(episode) for episode in result.rhythm.episodes],
        "atrial_fibrillation": {"window_s": AF_WINDOW_S, "probability": _nullable(result.af, 3)},
        "model": {**asdict(result.model), "created_at": result.model.created_at.isoformat()},
        "stages": {name: round(seconds, 4) for name, seconds in result.stages.items()},
        "beats": _beats(result),
    }


def _beats(result: Result) -> list[dict[str, object]]:
    table = result.beats
    probabilities = table.probabilities.astype(float).round(4).tolist()
    columns: dict[str, list[object]] = {
        "r_sample": table.r_sample.tolist(),
        "r_time_s": table.r_time_s.round(4).tolist(),
        "class": [CLASSES[i] for i in table.class_index],
        "probabilities": [dict(zip(CLASSES, row, strict=True)) for row in probabilities],
        "rr_prev_ms": _nullable(table.rr_prev_ms, 1),
        "rr_next_ms": _nullable(table.rr_next_ms, 1),
        "deviation_z": _nullable(table.deviation, 3),
        **{name: _nullable(table.intervals_ms[:, i], 1) for i, name in enumerate(INTERVALS)},
        "analysable": table.analysable.tolist(),
        "prediction_set": ["".join(compress(CLASSES, in_set)) for in_set in table.in_set],
        "inconclusive": table.inconclusive.tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _nullable(values: npt.NDArray[np.float32], digits: int) -> list[object]:
    return [None if math.isnan(value) else round(value, digits) for value in values.astype(float).tolist()]
