"""A result out of its tables: what `write_result` wrote, to the last bit that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, func, select

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
    Evidence,
    Finding,
    HeartRate,
    ModelFacts,
    Quality,
    RecordingFacts,
    Result,
    Rhythm,
    RhythmEpisode,
    RunFacts,
    ShapleyValues,
)
from ecg_core.result.resting import KINDS, Doubt, Measurement, Resting, RestingFinding
from ecg_core.result.resting_findings import is_reversal
from ecg_core.store import tables
from ecg_core.store.labels import read_labels
from ecg_core.store.patients import as_filed
from ecg_core.store.readings import reading_of
from ecg_core.store.signals import read_raw_excerpt, read_signal
from ecg_core.store.statements import read_doubts, read_stated
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
    recording_id = recording_id.lower()
    query = select(run.c.recording_id, run.c.scoring_run_id).where(
        run.c.recording_id.startswith(recording_id, autoescape=True), run.c.task == "beats"
    )
    if model_version is not None:
        query = query.where(run.c.model_version == model_version)
    newest = query.distinct(run.c.recording_id).order_by(run.c.recording_id, run.c.scoring_run_id.desc())
    rows = conn.execute(newest.limit(2)).all()
    if not rows or not recording_id:
        under = f" under model version {model_version}" if model_version else ""
        raise StoreError(
            f"No recording whose id starts with {recording_id!r} was scored{under}.",
            "The worklist, or the table ecg.recording, lists the ids.",
        )
    if len(rows) > 1:
        raise StoreError(f"Several recordings have an id that starts with {recording_id!r}.", "Give more of the id.")
    return int(rows[0].scoring_run_id)


def read_run(conn: Connection, scoring_run_id: int) -> RunFacts:
    """Read what the database alone knows of a scoring run.

    Raises
    ------
    StoreError
        There is no such scoring run.
    """
    run = _one(conn, tables.scoring_run, tables.scoring_run.c.scoring_run_id == scoring_run_id)
    beats = {name: run[f"n_class_{name.lower()}"] for name in CLASSES}
    return RunFacts(scoring_run_id, run["scored_at"], run["n_beats"], beats)


def read_result(
    conn: Connection,
    scoring_run_id: int,
    *,
    reading_id: int | None = None,
    with_signal: bool = True,
    with_explanations: bool = True,
    even_without_beats: bool = False,
) -> Result:
    """Read all of a scoring run of the task ``beats``, with labels and findings of a reading that it is in.

    Parameters
    ----------
    conn : Connection
    scoring_run_id : int
    reading_id : int, optional
        The newest that the run is in where it is left out.
    with_signal : bool
        Without it `signal_mv` has no samples: it is by far the largest part.
    with_explanations : bool
        Without them no explained beats and no excerpt as recorded: what a reviewer may not read.
    even_without_beats : bool
        Give what is left where retention has dropped the beats: findings, episodes and quality stay.

    Returns
    -------
    Result

    Raises
    ------
    StoreError
        There is no such scoring run, its signal is damaged, or retention has dropped its beats.
    """
    run = _one(conn, tables.scoring_run, tables.scoring_run.c.scoring_run_id == scoring_run_id)
    facts = _recording_row(conn, run["recording_id"])
    model = _one(conn, tables.model_version, tables.model_version.c.model_version == run["model_version"])
    recording = _recording(conn, facts)
    beats = _beats(conn, scoring_run_id)
    if len(beats) < run["n_beats"] and not even_without_beats:
        raise StoreError("Retention has dropped the beats of these scores.", "Score the recording again.")
    if reading_id is None:
        reading_id = reading_of(conn, scoring_run_id)
    labelled, others = read_labels(conn, reading_id)
    n_leads = len(recording.lead_names)
    signal_mv = np.zeros((0, n_leads), np.float32)
    findings = read_findings_of(conn, tables.finding, tables.finding.c.reading_id == reading_id)
    return Result(
        recording=recording,
        quality=_quality(conn, run, recording),
        beats=beats,
        attributions=_attributions(conn, scoring_run_id, len(beats)) if with_explanations else (),
        chosen=_chosen(conn, scoring_run_id) if with_explanations else (),
        rhythm=Rhythm(_heart_rate(run), _episodes(conn, scoring_run_id)),
        model=_model(dict(model)),
        signal_mv=read_signal(conn, recording.recording_id, n_leads) if with_signal else signal_mv,
        stages=dict(run["stage_seconds"]),
        raw=read_raw_excerpt(conn, scoring_run_id) if with_explanations else None,
        af=_array(run["af_probability"] or []),
        shapley=_shapley(conn, scoring_run_id) if with_explanations else ShapleyValues.none(),
        findings=findings,
        labels=labelled.labels,
        stretches=labelled.stretches,
        resting=_with_criteria(labelled.resting, findings),
        other_models=tuple(_model(row) for row in others),
    )


def read_beats(conn: Connection, scoring_run_id: int) -> tuple[BeatTable, str, float]:
    """Read the beats of a scoring run alone, as a reviewer may, with their recording's id and sampling rate in Hz."""
    run, recording = tables.scoring_run, tables.recording
    facts = select(recording.c.recording_id, recording.c.sampling_rate_hz)
    joined = facts.join(run, run.c.recording_id == recording.c.recording_id)
    recording_id, rate_hz = conn.execute(joined.where(run.c.scoring_run_id == scoring_run_id)).one()
    return _beats(conn, scoring_run_id), str(recording_id), float(rate_hz)


def _one(conn: Connection, table: Table, where: ColumnElement[bool]) -> RowMapping:
    row = conn.execute(select(table).where(where)).mappings().one_or_none()
    if row is None:
        raise StoreError(f"There is no such {table.name.replace('_', ' ')}.", "Score the recording first.")
    return row


def _recording_row(conn: Connection, recording_id: str) -> RowMapping:
    """Read a recording's row; without the file's own names of its leads where the role may not see them."""
    held = tables.recording.c
    may = conn.scalar(select(func.has_column_privilege("ecg.recording", "file_lead_names", "SELECT")))
    columns = [column for column in held if may or column.name != "file_lead_names"]
    return conn.execute(select(*columns).where(held.recording_id == recording_id)).mappings().one()


def _recording(conn: Connection, row: RowMapping) -> RecordingFacts:
    start, offset = row["start_time"], row["start_utc_offset_s"]
    if start is not None and offset is not None:
        start = start.replace(tzinfo=timezone(timedelta(seconds=offset)))
    names = ("recording_id", "patient_pseudonym", "source_format", "sampling_rate_hz", "n_samples", "duration_s")
    facts = RecordingFacts(
        **{name: row[name] for name in (*names, "device", "synthetic")},
        lead_names=tuple(row["lead_names"]),
        start_time=start,
        fingerprint=row["fingerprint"] or "",
        file_lead_names=tuple(row.get("file_lead_names") or ()),
        stated=replace(
            read_stated(conn, row["recording_id"]),
            **{name: row[name] for name in ("age_years", "sex", "pacemaker")},
        ),
        doubts=read_doubts(conn, row["recording_id"]),
    )
    return as_filed(conn, facts)


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
    rates = [_single(run[f"{name}_heart_rate_bpm"]) for name in ("mean", "min", "max")]
    mean, low, high = (np.nan if rate is None else rate for rate in rates)
    low_at_s, high_at_s = (np.nan if run[n] is None else run[n] for n in ("min_heart_rate_at_s", "max_heart_rate_at_s"))
    return HeartRate(mean, low, low_at_s, high, high_at_s)


def _beats(conn: Connection, scoring_run_id: int) -> BeatTable:
    table = tables.beat
    names = ("r_sample", "r_time_s", "rr_prev_ms", "rr_next_ms", "deviation_z", "class", "analysable", "prediction_set")
    probabilities = tuple(f"probability_{name.lower()}" for name in CLASSES)
    wanted = (*names, *probabilities, *INTERVALS)
    query = select(*(table.c[name] for name in wanted))
    rows = conn.execute(query.where(table.c.scoring_run_id == scoring_run_id).order_by(table.c.beat_index)).all()
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
    query = select(table.c.method, table.c.beat_index, *shares).where(table.c.scoring_run_id == scoring_run_id)
    by_method: dict[str, FloatArray] = {}
    for method, beat_index, *values in conn.execute(query.order_by(table.c.method, table.c.beat_index)):
        rows = by_method.setdefault(method, np.full((n_beats, len(shares)), np.nan, np.float32))
        rows[beat_index] = [np.nan if value is None else value for value in values]
    return tuple(BeatAttributions(method, values) for method, values in by_method.items())


def _quality(conn: Connection, run: RowMapping, recording: RecordingFacts) -> Quality:
    table = tables.signal_quality
    query = select(table).where(table.c.scoring_run_id == run["scoring_run_id"])
    rows = conn.execute(query.order_by(table.c.epoch_index, table.c.lead_index)).all()
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
    query = select(sample).where(sample.c.scoring_run_id == scoring_run_id)
    for row in conn.execute(query.order_by(sample.c.beat_index, sample.c.method)):
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
    query = select(table.c.beat_index, *(table.c[player] for player in PLAYERS))
    rows = conn.execute(query.where(table.c.scoring_run_id == scoring_run_id).order_by(table.c.beat_index)).all()
    values = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 1 + len(PLAYERS))
    return ShapleyValues(values[:, 0].astype(np.int64), values[:, 1:].astype(np.float32))


def _blend(stored: Mapping[str, Any] | None) -> Blend | None:
    if stored is None:
        return None
    share = np.nan if stored["share"] is None else float(stored["share"])
    return Blend(share, stored["turns_to"], _by_player(stored["by_player"]))


def _by_player(stored: Mapping[str, float | None] | None) -> dict[str, float]:
    """Put them in the order of a beat: JSON in Postgres has its own."""
    values = _values(stored)
    return {player: values[player] for player in PLAYERS if player in values}


def _values(stored: Mapping[str, float | None] | None) -> dict[str, float]:
    return {name: np.nan if value is None else float(value) for name, value in sorted((stored or {}).items())}


def _episodes(conn: Connection, scoring_run_id: int) -> tuple[RhythmEpisode, ...]:
    table = tables.rhythm_episode
    query = select(table).where(table.c.scoring_run_id == scoring_run_id).order_by(table.c.episode_index)
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
        for r in conn.execute(query)
    )


def _with_criteria(resting: Resting | None, findings: tuple[Finding, ...]) -> Resting | None:
    """Give a resting ECG the criteria that it met: findings are made from them again where readers correct beats."""
    if resting is None:
        return None
    met = tuple(
        RestingFinding(one.kind, one.leads, one.measured, one.limit_value, cast(tuple[Doubt, ...], one.doubts))
        for one in findings
        if one.kind in KINDS
    )
    return replace(resting, criteria=tuple(sorted(met, key=lambda one: not is_reversal(one.kind))))


def read_findings_of(conn: Connection, table: Table, where: ColumnElement[bool]) -> tuple[Finding, ...]:
    """Read findings out of `finding`, or out of `final_finding`, in their order."""
    query = select(table).where(where).order_by(table.c.finding_index)
    same = ("kind", "urgency", "n_episodes", "n_beats", "beat_share", "total_s", "longest_s", "mean_probability")
    return tuple(
        Finding(
            **{name: row[name] for name in (*same, "n_called", "n_uncertain", "n_in_fibrillation")},
            evidence=tuple(Evidence(**stretch) for stretch in row["evidence"]),
            leads=tuple(row["leads"]),
            measured=tuple(Measurement(**one) for one in row["measured"]),
            limit_value=row["limit_value"],
            doubts=tuple(row["doubts"]),
            min_heart_rate_bpm=_single(row["min_heart_rate_bpm"]),
            max_heart_rate_bpm=_single(row["max_heart_rate_bpm"]),
        )
        for row in conn.execute(query).mappings()
    )


def _single(value: float | None) -> float | None:
    """Undo the driver's rounding to the fewest decimals: 0.9 was 0.89999998 in single precision."""
    return None if value is None else float(np.float32(value))


def _array(values: list[float | None]) -> npt.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)
