"""A result out of its tables: what `write_result` wrote, to the last bit that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, select, text

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result import (
    INTERVALS,
    LIKELY_AT_ALL,
    PLAYERS,
    SEGMENTS_MS,
    WAVE_POINTS,
    BeatAttributions,
    BeatTable,
    Blend,
    ChosenBeat,
    HeartRate,
    ModelFacts,
    Quality,
    RecordingFacts,
    Result,
    Rhythm,
    RhythmEpisode,
    ShapleyValues,
)
from ecg_core.result.findings import with_findings
from ecg_core.store import tables
from ecg_core.store.labels import read_labels
from ecg_core.store.signals import read_raw_excerpt, read_signal
from ecg_core.store.write_result import SET_BITS

EPOCH_S: Final = 10.0
"""Length of an epoch of signal quality where a recording has but one."""


def find_scoring_run(conn: Connection, recording_id: str, model_version: str | None = None) -> int:
    """Find the scoring run of a recording: the newest, or that of one model version.

    Parameters
    ----------
    conn : Connection
    recording_id : str
        The id, or so much of its start that it is the only one.
    model_version : str, optional

    Raises
    ------
    StoreError
        There is none, or the start of the id fits several recordings.
    """
    run = tables.scoring_run
    found = (
        select(run.c.recording_id, run.c.scoring_run_id)
        .where(run.c.recording_id.startswith(recording_id, autoescape=True))
        .where(run.c.task == "beats")
    )
    if model_version is not None:
        found = found.where(run.c.model_version == model_version)
    rows = conn.execute(found.order_by(run.c.scoring_run_id.desc()).limit(50)).all()
    if not rows or not recording_id:
        under = f" under model version {model_version}" if model_version else ""
        raise StoreError(
            f"No recording whose id starts with {recording_id!r} was scored{under}.",
            "The worklist, or the table ecg.recording, lists the ids.",
        )
    if len({row.recording_id for row in rows}) > 1:
        raise StoreError(f"Several recordings have an id that starts with {recording_id!r}.", "Give more of the id.")
    return int(rows[0].scoring_run_id)


def read_result(conn: Connection, scoring_run_id: int, *, with_signal: bool = True) -> Result:
    """Read all of a scoring run.

    Parameters
    ----------
    conn : Connection
    scoring_run_id : int
    with_signal : bool
        Without it `signal_mv` has no samples: it is by far the largest part.

    Returns
    -------
    Result

    Raises
    ------
    StoreError
        There is no such scoring run, or its signal is damaged.
    """
    run = _one(conn, tables.scoring_run, tables.scoring_run.c.scoring_run_id == scoring_run_id)
    facts = _one(conn, tables.recording, tables.recording.c.recording_id == run["recording_id"])
    model = _one(conn, tables.model_version, tables.model_version.c.model_version == run["model_version"])
    recording = _recording(facts)
    beats = _beats(conn, scoring_run_id)
    said, others = read_labels(conn, recording.recording_id)
    n_leads = len(recording.lead_names)
    signal_mv = np.zeros((0, n_leads), np.float32)
    return with_findings(
        Result(
            recording=recording,
            quality=_quality(conn, run, recording),
            beats=beats,
            attributions=_attributions(conn, scoring_run_id, len(beats)),
            chosen=_chosen(conn, scoring_run_id),
            rhythm=Rhythm(_heart_rate(run), _episodes(conn, scoring_run_id)),
            model=_model(dict(model)),
            signal_mv=read_signal(conn, recording.recording_id, n_leads) if with_signal else signal_mv,
            stages=dict(run["stage_seconds"]),
            raw=read_raw_excerpt(conn, scoring_run_id),
            af=_array(run["af_probability"] or []),
            shapley=_shapley(conn, scoring_run_id),
            labels=said.labels,
            stretches=said.stretches,
            other_models=tuple(_model(row) for row in others),
        )
    )


def read_beats(conn: Connection, scoring_run_id: int) -> tuple[BeatTable, float]:
    """Read the beats of a scoring run alone, as a reviewer may, and their recording's sampling rate in Hz."""
    run, recording = tables.scoring_run, tables.recording
    rate = select(recording.c.sampling_rate_hz).join(run, run.c.recording_id == recording.c.recording_id)
    rate_hz = conn.execute(rate.where(run.c.scoring_run_id == scoring_run_id)).scalar_one()
    return _beats(conn, scoring_run_id), float(rate_hz)


def _one(conn: Connection, table: Table, where: ColumnElement[bool]) -> RowMapping:
    row = conn.execute(select(table).where(where)).mappings().one_or_none()
    if row is None:
        raise StoreError(f"There is no such {table.name.replace('_', ' ')}.", "Score the recording first.")
    return row


def _recording(row: RowMapping) -> RecordingFacts:
    start, offset = row["start_time"], row["start_utc_offset_s"]
    if start is not None and offset is not None:
        start = start.replace(tzinfo=timezone(timedelta(seconds=offset)))
    names = ("recording_id", "patient_pseudonym", "source_format", "sampling_rate_hz", "n_samples", "duration_s")
    return RecordingFacts(
        **{name: row[name] for name in (*names, "device", "synthetic")},
        lead_names=tuple(row["lead_names"]),
        start_time=start,
    )


def _model(row: Mapping[str, Any]) -> ModelFacts:
    return ModelFacts(
        version=row["model_version"],
        family=row["family"],
        created_at=row["created_at"],
        training_data=tuple(row["training_data"]),
        figures={name: np.nan if value is None else float(value) for name, value in row["figures"].items()},
        limits=tuple(row["limits"]),
        task=row["task"],
    )


def _heart_rate(run: RowMapping) -> HeartRate | None:
    if run["mean_heart_rate_bpm"] is None:
        return None
    names = ("mean_heart_rate_bpm", "min_heart_rate_bpm", "min_heart_rate_at_s")
    values = [np.nan if run[n] is None else run[n] for n in (*names, "max_heart_rate_bpm", "max_heart_rate_at_s")]
    return HeartRate(*values)


def _beats(conn: Connection, scoring_run_id: int) -> BeatTable:
    table = tables.beat
    names = ("r_sample", "r_time_s", "rr_prev_ms", "rr_next_ms", "deviation_z", "class", "analysable", "prediction_set")
    probabilities = tuple(f"probability_{name.lower()}" for name in CLASSES)
    wanted = (*names, *probabilities, *INTERVALS)
    found = select(*(table.c[name] for name in wanted))
    rows = conn.execute(found.where(table.c.scoring_run_id == scoring_run_id).order_by(table.c.beat_index)).all()
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * len(wanted)
    of = dict(zip(wanted, columns, strict=True))
    index = {name: i for i, name in enumerate(CLASSES)}
    by_class = np.column_stack([np.array(of[name], np.float32) for name in probabilities])
    return BeatTable(
        r_sample=np.array(of["r_sample"], np.int64),
        r_time_s=np.array(of["r_time_s"], np.float64),
        rr_prev_ms=np.array(of["rr_prev_ms"], np.float32),
        rr_next_ms=np.array(of["rr_next_ms"], np.float32),
        class_index=np.array([index[name] for name in of["class"]], np.int8),
        probabilities=by_class,
        deviation=np.array(of["deviation_z"], np.float32),
        analysable=np.array(of["analysable"], np.bool_),
        waves_ms=np.full((len(rows), len(WAVE_POINTS)), np.nan, np.float32),
        intervals_ms=np.column_stack([np.array(of[name], np.float32) for name in INTERVALS]),
        in_set=_sets(of["prediction_set"], by_class),
    )


def _sets(stored: tuple[int | None, ...], probabilities: FloatArray) -> npt.NDArray[np.bool_]:
    """Read prediction sets; beats from before there were any have the classes that were likely at all."""
    numbers = np.array([-1 if number is None else number for number in stored], np.int64)
    sets = (numbers[:, None] & SET_BITS) > 0
    return np.where(numbers[:, None] < 0, probabilities >= LIKELY_AT_ALL, sets)


def _attributions(conn: Connection, scoring_run_id: int, n_beats: int) -> tuple[BeatAttributions, ...]:
    table = tables.attribution
    shares = [table.c[f"{segment}_share"] for segment in SEGMENTS_MS]
    found = select(table.c.method, table.c.beat_index, *shares).where(table.c.scoring_run_id == scoring_run_id)
    by_method: dict[str, FloatArray] = {}
    for method, beat_index, *values in conn.execute(found.order_by(table.c.method, table.c.beat_index)):
        rows = by_method.setdefault(method, np.full((n_beats, len(shares)), np.nan, np.float32))
        rows[beat_index] = [np.nan if value is None else value for value in values]
    return tuple(BeatAttributions(method, values) for method, values in by_method.items())


def _quality(conn: Connection, run: RowMapping, recording: RecordingFacts) -> Quality:
    table = tables.signal_quality
    found = select(table).where(table.c.scoring_run_id == run["scoring_run_id"])
    rows = conn.execute(found.order_by(table.c.epoch_index, table.c.lead_index)).all()
    n_leads = len(recording.lead_names)
    starts = sorted({row.start_s for row in rows})
    index = np.array([row.quality_index for row in rows], np.float32).reshape(-1, n_leads)
    return Quality(
        epoch_s=starts[1] if len(starts) > 1 else EPOCH_S,
        index=index,
        analysable=np.array([row.analysable for row in rows], np.bool_).reshape(-1, n_leads),
        primary_lead=run["primary_lead_index"],
        filters=tuple(run["filters"]),
    )


def _chosen(conn: Connection, scoring_run_id: int) -> tuple[ChosenBeat, ...]:
    beat, sample = tables.chosen_beat, tables.attribution_sample
    attributions: dict[int, dict[str, FloatArray]] = {}
    context: dict[int, dict[str, float]] = {}
    found = select(sample).where(sample.c.scoring_run_id == scoring_run_id)
    for row in conn.execute(found.order_by(sample.c.beat_index, sample.c.method)):
        attributions.setdefault(row.beat_index, {})[row.method] = _array(row.sample_values)
        if row.context_values is not None:
            context[row.beat_index] = _values(row.context_values)
    rows = conn.execute(select(beat).where(beat.c.scoring_run_id == scoring_run_id).order_by(beat.c.place)).all()
    return tuple(
        ChosenBeat(
            beat_index=row.beat_index,
            reason=row.chosen_reason,
            waveform_mv=_array(row.waveform_mv),
            counterpart_mv=_array(row.counterpart_mv),
            template_mv=_array(row.template_mv),
            attributions=attributions.get(row.beat_index, {}),
            context_shap=context.get(row.beat_index, {}),
            waves_ms=_array(row.waves_ms or [None] * len(WAVE_POINTS)),
            shapley=_by_player(row.shapley_values),
            lime=_by_player(row.lime_values),
            deviation_by_wave=_values(row.wave_deviations),
            blend=_blend(row.blend),
            own_reference=row.own_reference,
        )
        for row in rows
    )


def _shapley(conn: Connection, scoring_run_id: int) -> ShapleyValues:
    table = tables.shapley
    found = select(table.c.beat_index, *(table.c[player] for player in PLAYERS))
    rows = conn.execute(found.where(table.c.scoring_run_id == scoring_run_id).order_by(table.c.beat_index)).all()
    told = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 1 + len(PLAYERS))
    return ShapleyValues(told[:, 0].astype(np.int64), told[:, 1:].astype(np.float32))


def _blend(told: Mapping[str, Any] | None) -> Blend | None:
    if told is None:
        return None
    share = np.nan if told["share"] is None else float(told["share"])
    return Blend(share, told["turns_to"], _by_player(told["by_player"]))


def _by_player(told: Mapping[str, float | None] | None) -> dict[str, float]:
    """Put them in the order of a beat: JSON in Postgres has its own."""
    values = _values(told)
    return {player: values[player] for player in PLAYERS if player in values}


def _values(told: Mapping[str, float | None] | None) -> dict[str, float]:
    return {name: np.nan if value is None else float(value) for name, value in sorted((told or {}).items())}


def _episodes(conn: Connection, scoring_run_id: int) -> tuple[RhythmEpisode, ...]:
    table = tables.rhythm_episode
    found = select(table).where(table.c.scoring_run_id == scoring_run_id).order_by(table.c.episode_index)
    return tuple(
        RhythmEpisode(
            r.kind,
            r.start_s,
            r.end_s,
            r.first_beat_index,
            r.last_beat_index,
            _single(r.heart_rate_bpm),
            _single(r.probability),
        )
        for r in conn.execute(found)
    )


def _single(value: float | None) -> float | None:
    """Undo the driver's rounding to the fewest decimals: 0.9 was 0.89999998 in single precision."""
    return None if value is None else float(np.float32(value))


def _array(values: list[float | None]) -> npt.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """Rows of the mart about one scoring run: its score, its recording, its findings, and its beats in time order."""

    score: Mapping[str, Any]
    recording: Mapping[str, Any]
    findings: list[Mapping[str, Any]]
    beats: list[Mapping[str, Any]]


def find_recording(conn: Connection, start: str) -> str:
    """Return the id of the one scored recording whose id begins with `start`.

    Raises
    ------
    StoreError
        None does, or several do.
    """
    like = "SELECT DISTINCT recording_id FROM ecg.scoring_run WHERE starts_with(recording_id, :start) LIMIT 2"
    found = list(conn.execute(text(like), {"start": start.lower()}).scalars())
    if not start or len(found) != 1:
        how_many = "Several scored recordings begin" if len(found) > 1 else "No scored recording begins"
        raise StoreError(f"{how_many} with {start!r}.", "Give more digits of its id, as in ecg_mart.score.")
    return str(found[0])


def read_stored(conn: Connection, recording_id: str, model_version: str | None = None) -> StoredResult:
    """Read what a model version said of a recording; the newest scoring run where none is named.

    Raises
    ------
    StoreError
        That version has not scored it.
    """
    score = (
        conn.execute(
            text(
                "SELECT * FROM ecg_mart.score WHERE recording_id = :id "
                "AND (model_version = :version OR (CAST(:version AS text) IS NULL AND is_newest))"
            ),
            {"id": recording_id, "version": model_version},
        )
        .mappings()
        .one_or_none()
    )
    if score is None:
        raise StoreError(
            f"The recording {recording_id[:16]}… has no scores of {model_version}.",
            "ecg_mart.score says which versions have scored it.",
        )
    run = {"run": score["scoring_run_id"], "month": score["arrived_month"], "id": recording_id}

    def rows(query: str) -> list[Mapping[str, Any]]:
        return [dict(row) for row in conn.execute(text(query), run).mappings()]

    return StoredResult(
        score=dict(score),
        recording=rows("SELECT * FROM ecg_mart.recording WHERE recording_id = :id")[0],
        findings=rows("SELECT * FROM ecg_mart.finding WHERE scoring_run_id = :run ORDER BY finding"),
        beats=rows(
            "SELECT r_sample, r_time_s, class, analysable FROM ecg_mart.beat "
            "WHERE scoring_run_id = :run AND arrived_month = :month ORDER BY beat_index"
        ),
    )
