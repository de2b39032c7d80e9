"""A result as plain JSON, for one who has no Postgres and for other programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC
from itertools import compress

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import Stated
from ecg_core.result import AF_WINDOW_S, INTERVALS, PLAYERS, SEGMENTS_MS, ChosenBeat, Result, RunFacts, beat_counts
from ecg_core.result.intervals import summarise
from ecg_core.result.resting import STANDARD_LEADS, Resting

DIGITS = 4
"""Decimals of probabilities, shares and log-odds."""


def result_as_json(result: Result, sentences: Sequence[str], run: RunFacts | None = None) -> dict[str, object]:
    """Turn a result into JSON-able values.

    Parameters
    ----------
    result : Result
    sentences : sequence of str
        How the report states each of the result's findings.
    run : RunFacts, optional
        What the database knows of it; without it ``scoring_run`` is null.

    Returns
    -------
    dict
        ``recording`` (with ``stated``, what file and device say, and ``doubts``), ``quality``, ``beat_counts``,
        ``findings`` (all of `Finding`, with its ``sentence``), ``heart_rate``, ``intervals`` (count, median and
        quartiles by name), ``episodes``, ``atrial_fibrillation`` (probability by window), ``model``, ``stages``
        (seconds), ``scoring_run``, ``explanations``, ``labels`` (of other tasks), ``resting`` (measurements
        and median beat of twelve leads, or why there are none; null where no version was asked) and ``beats``.

        ``beats`` is one object per beat with ``r_sample`` (at the recording's own rate), ``r_time_s``, ``class``,
        ``probabilities``, ``rr_prev_ms``, ``rr_next_ms``, ``deviation_z``, ``pr_ms``, ``qrs_duration_ms``, ``qt_ms``,
        ``analysable``, ``prediction_set`` (the classes that remain possible, for instance ``"NS"``),
        ``inconclusive``.

        ``explanations`` name beats by their place in ``beats``: ``chosen_beats`` (`ChosenBeat` without its curves and
        maps), and of abnormal beats ``segment_shares`` by method and ``shapley`` in log-odds by player.
        Unknown values are null.
    """
    start, moved = result.recording.start_time, result.recording.moved_at
    recording, model = asdict(result.recording), asdict(result.model)
    # Names of leads as the file spells them can hold a person's.
    del recording["file_lead_names"]
    return {
        "notice": "For research use, not for diagnosis.",
        "recording": {
            **recording,
            "doubts": [doubt._asdict() for doubt in result.recording.doubts],
            "stated": stated_as_json(result.recording.stated),
            "start_time": start.isoformat() if start else None,
            "moved_at": moved.isoformat() if moved else None,
        },
        "quality": {
            "analysable_share": result.quality.analysable_share,
            "primary_lead": result.recording.lead_names[result.quality.primary_lead],
            "filters": list(result.quality.filters),
        },
        "beat_counts": beat_counts(result),
        "findings": [
            {**asdict(finding), "evidence": [asdict(one) for one in finding.evidence], "sentence": sentence}
            for finding, sentence in zip(result.findings, sentences, strict=True)
        ],
        "heart_rate": asdict(result.rhythm.heart_rate) if result.rhythm.heart_rate else None,
        "intervals": {
            name: asdict(summary) for name, summary in summarise(result.beats, result.rhythm.episodes).items()
        },
        "episodes": [asdict(episode) for episode in result.rhythm.episodes],
        "atrial_fibrillation": {"window_s": AF_WINDOW_S, "probability": _nullable(result.af, 3)},
        "model": {
            **model,
            "created_at": result.model.created_at.astimezone(UTC).isoformat(),
            "training_data": list(result.model.training_data),
            "figures": {name: None if math.isnan(value) else value for name, value in result.model.figures.items()},
            "limits": list(result.model.limits),
        },
        "stages": {name: round(seconds, 4) for name, seconds in result.stages.items()},
        "scoring_run": None
        if run is None
        else {
            "scoring_run_id": run.scoring_run_id,
            "scored_at": run.scored_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        },
        "explanations": {
            "chosen_beats": [_chosen(chosen) for chosen in result.chosen],
            "segment_shares": _segment_shares(result),
            "shapley": _by_beat(result.shapley.beat_index, PLAYERS, result.shapley.values),
        },
        "labels": [asdict(label) for label in result.labels],
        "resting": resting_as_json(result.resting) if result.resting else None,
        "beats": _beats(result),
    }


def resting_as_json(resting: Resting) -> dict[str, object]:
    """Turn what was measured of a resting ECG into JSON-able values; the median beat in microvolts, by lead."""
    microvolts = np.round(resting.beat_mv.astype(float) * 1000, 1)
    return {
        "not_measured": resting.not_measured or None,
        "age_years": resting.subject.age_years,
        "sex": resting.subject.sex,
        "derived_leads": list(resting.derived),
        "turned_leads": list(resting.turned),
        "n_beats": resting.n_beats,
        "n_beats_left_out": resting.n_left_out,
        "measurements": [asdict(row) for row in resting.measurements],
        "attributions": [{**asdict(one), "value": _value(one.value)} for one in resting.attributions],
        "wave_columns": {name: _value(column) for name, column in resting.points.items()},
        "median_beat_uv": {
            lead: None if np.isnan(row).any() else row.tolist()
            for lead, row in zip(STANDARD_LEADS, microvolts, strict=True)
            if row.size
        },
    }


def stated_as_json(stated: Stated) -> dict[str, object]:
    """Turn what a file states into JSON-able values: measurements by name, events with their seconds."""
    return {
        **asdict(stated),
        "measurements": dict(stated.measurements),
        "events": [{"at_s": at_s, "text": text} for at_s, text in stated.events],
        "drugs": [drug._asdict() for drug in stated.drugs],
    }


def _beats(result: Result) -> list[dict[str, object]]:
    table = result.beats
    probabilities = table.probabilities.astype(float).round(DIGITS).tolist()
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


def _chosen(chosen: ChosenBeat) -> dict[str, object]:
    blend = chosen.blend
    return {
        "beat_index": chosen.beat_index,
        "reason": chosen.reason,
        "shapley": _values(chosen.shapley),
        "lime": _values(chosen.lime),
        "blend": None
        if blend is None
        else {"share": _value(blend.share), "turns_to": blend.turns_to, "by_player": _values(blend.by_player)},
        "deviation_by_wave": _values(chosen.deviation_by_wave),
        "context_shap": _values(chosen.context_shap),
        "own_reference": chosen.own_reference,
    }


def _segment_shares(result: Result) -> dict[str, list[dict[str, object]]]:
    """Of abnormal beats, by method: those of normal ones are in no report, and Postgres does not keep them."""
    rows = np.flatnonzero(result.beats.analysable & (result.beats.class_index != CLASSES.index("N")))
    return {
        given.method: _by_beat(rows, tuple(SEGMENTS_MS), given.segment_shares[rows])
        for given in result.attributions
        if rows.size
    }


def _by_beat(
    beat_index: npt.NDArray[np.int64], names: Sequence[str], values: npt.NDArray[np.float32]
) -> list[dict[str, object]]:
    return [
        {"beat_index": index, **{name: _value(value) for name, value in zip(names, row, strict=True)}}
        for index, row in zip(beat_index.tolist(), values.astype(float).tolist(), strict=True)
    ]


def _values(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), DIGITS)


def _nullable(values: npt.NDArray[np.float32], digits: int) -> list[object]:
    return [None if math.isnan(value) else round(value, digits) for value in values.astype(float).tolist()]
