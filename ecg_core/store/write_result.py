"""A result into its tables: all rows of a recording, or none.

The caller's transaction decides. Scores are keyed by (recording, model version): writing them twice changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Integer, bindparam, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.sql.dml import ReturningInsert

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.result import (
    INTERVALS,
    PLAYERS,
    SEGMENTS_MS,
    BeatAttributions,
    BeatTable,
    ChosenBeat,
    HeartRate,
    Quality,
    RecordingFacts,
    Result,
    RhythmEpisode,
)
from ecg_core.result.agreement import agreement_rows
from ecg_core.result.hourly import hourly_columns
from ecg_core.result.intervals import summarise
from ecg_core.result.methods import FEATURE_METHOD
from ecg_core.store import tables
from ecg_core.store.binary_copy import copy_records, copy_rows, days_of
from ecg_core.store.labels import write_labels
from ecg_core.store.models import register_version
from ecg_core.store.partitions import ensure_partitions, first_arrival, month_of
from ecg_core.store.readings import BEATS, write_reading
from ecg_core.store.signals import write_signal
from ecg_core.store.statements import write_statements

_CLASS_BYTES: Final = np.array([name.encode() for name in CLASSES])
SET_BITS: Final = 1 << np.arange(len(CLASSES))
"""What each class of a prediction set adds to the number that is kept of it."""
_ROUNDING: Final = np.float32(1e-6)
"""How far float32 arithmetic may carry a share or a probability over its bounds."""


# What is said for each recording is built once.
_OF_READING: Final = bindparam("reading", type_=Integer)
_BEATS_RUN: Final = select(tables.reading_run.c.scoring_run_id).where(
    tables.reading_run.c.reading_id == _OF_READING, tables.reading_run.c.task == BEATS
)
_TIMED: Final = (
    update(tables.scoring_run)
    .where(tables.scoring_run.c.scoring_run_id.in_(_BEATS_RUN))
    .values(stage_seconds=bindparam("stages", type_=JSONB))
)
_URGENCIES: Final = select(tables.finding.c.urgency).where(tables.finding.c.reading_id == _OF_READING)


def _report() -> ReturningInsert[int]:
    new = insert(tables.report)
    facts = {name: new.excluded[name] for name in ("path", "sha256", "size_bytes", "urgency", "priority")}
    return new.on_conflict_do_update(index_elements=["reading_id"], set_={**facts, "written_at": tables.now}).returning(
        tables.report.c.report_id
    )


_REPORT: Final = _report()


def write_result(conn: Connection, result: Result, owner: str, sentences: Sequence[str] = ()) -> int | None:
    """Write everything of a result but its report.

    Parameters
    ----------
    conn : Connection
    result : Result
        NaN becomes NULL. Its model version is registered if it is not yet.
    owner : str
        Who scored.
    sentences : sequence of str
        How the report states each of the result's findings; none where no report is written.

    Returns
    -------
    int or None
        Number of the scoring run of the beats; None where these model versions, one a task, have read this recording
        before: then nothing is written. What one of them has said before stays, in a new reading.

    Raises
    ------
    RowRefused
        The result breaks a rule of the tables.
    ValueError
        Its arrays do not fit each other, or the sentences not its findings.
    """
    _check(result)
    if sentences and len(sentences) != len(result.findings):
        raise ValueError(f"{len(sentences)} sentences for {len(result.findings)} findings")
    arrived_at = first_arrival(conn, result.recording.recording_id)
    # Before anything is locked: two writers that both need a new month take turns here.
    ensure_partitions(conn, month_of(arrived_at))
    register_version(conn, result.model)
    _write_recording(conn, result.recording, arrived_at)
    month = month_of(first_arrival(conn, result.recording.recording_id))
    runs = write_labels(conn, result, owner, month)
    scoring_run_id = _write_run(conn, result, owner, month)
    if scoring_run_id is None:
        scoring_run_id = tables.run_of(conn, result.recording.recording_id, result.model.version)
    else:
        _write_beats(conn, _Key(scoring_run_id, month), result)
    runs[BEATS] = scoring_run_id
    new = write_reading(conn, result.recording.recording_id, runs, result.findings, sentences)
    return None if new is None else scoring_run_id


def _write_beats(conn: Connection, key: _Key, result: Result) -> None:
    scoring_run_id = key.scoring_run_id
    _copy_beats(conn, key, result.beats)
    for attributions in result.attributions:
        _copy_attributions(conn, key, attributions, result.beats)
    _copy_shapley(conn, key, result)
    _write_agreement(conn, scoring_run_id, result)
    copy_rows(conn, tables.hourly, hourly_columns(scoring_run_id, result.beats))
    _copy_quality(conn, scoring_run_id, result.quality)
    _write_chosen(conn, key, result)
    write_signal(conn, scoring_run_id, result)
    _write_episodes(conn, scoring_run_id, result)


def write_report(
    conn: Connection,
    reading_id: int,
    *,
    path: str,
    sha256: str,
    size_bytes: int,
    stages: Mapping[str, float],
) -> int:
    """Enter the report of a reading, as the last of its rows; one written again takes the place of the old.

    Parameters
    ----------
    conn : Connection
    reading_id : int
    path : str
        Where the file lies.
    sha256 : str
    size_bytes : int
    stages : mapping of str to float
        Seconds by stage, storing and reporting now included.

    Returns
    -------
    int
        Number of the report.

    Raises
    ------
    StoreError
        There is no such reading: a report never stands without scores.
    """
    timed = {"reading": reading_id, "stages": dict(stages)}
    if not conn.execute(_TIMED, timed).rowcount:
        raise StoreError(f"There is no reading {reading_id}.", "Write the result before its report.")
    urgency = urgency_of(conn.execute(_URGENCIES, {"reading": reading_id}).scalars())
    facts = {"path": path, "sha256": sha256, "size_bytes": size_bytes, "urgency": urgency, "priority": urgency}
    report_id: int = conn.execute(_REPORT, {"reading_id": reading_id, **facts}).scalar_one()
    return report_id


def urgency_of(urgencies: Iterable[str]) -> int:
    """Order of the worklist, of the findings' urgencies; the weights stand in the columns' comments too."""
    weights = {"urgent": 100, "notable": 10, "doubt": 1}
    return min(sum(weights.get(urgency, 0) for urgency in urgencies), 32_767)


def _check(result: Result) -> None:
    """Refuse what NumPy would bend silently: a class -1 is the last one, and missing columns are not missed."""
    beats, n_classes = result.beats, len(CLASSES)
    if len(beats) and not 0 <= int(beats.class_index.min()) <= int(beats.class_index.max()) < n_classes:
        raise ValueError(f"class_index goes from {beats.class_index.min()} to {beats.class_index.max()}")
    if beats.in_set.shape != (len(beats), n_classes):
        raise ValueError(f"in_set has shape {beats.in_set.shape} for {len(beats)} beats")
    if beats.probabilities.shape != (len(beats), n_classes):
        raise ValueError(f"probabilities have shape {beats.probabilities.shape} for {len(beats)} beats")
    if beats.intervals_ms.shape != (len(beats), len(INTERVALS)):
        raise ValueError(f"intervals_ms has shape {beats.intervals_ms.shape} for {len(beats)} beats")
    if result.shapley.values.shape != (len(result.shapley), len(PLAYERS)):
        raise ValueError(f"shapley has shape {result.shapley.values.shape} for {len(result.shapley)} beats")
    for attributions in result.attributions:
        if attributions.segment_shares.shape != (len(beats), len(SEGMENTS_MS)):
            raise ValueError(f"{attributions.method} has shape {attributions.segment_shares.shape}: {len(beats)} beats")


def _write_recording(conn: Connection, facts: RecordingFacts, arrived_at: datetime) -> None:
    if facts.patient_pseudonym is not None:
        patient = {"patient_pseudonym": facts.patient_pseudonym, "key_id": facts.pseudonym_key_id or None}
        conn.execute(insert(tables.patient).values(**patient).on_conflict_do_nothing())
    start, offset = facts.start_time, facts.start_time.utcoffset() if facts.start_time else None
    stated, row = facts.stated, tables.recording.c
    of_file = {
        "file_lead_names": list(facts.file_lead_names),
        "age_years": stated.age_years,
        "sex": stated.sex,
        "pacemaker": stated.pacemaker,
        "fingerprint": facts.fingerprint or None,
    }
    # A recording from before files' own statements were kept gets them when it is scored again.
    new = conn.execute(
        insert(tables.recording)
        .values(
            recording_id=facts.recording_id,
            patient_pseudonym=facts.patient_pseudonym,
            source_format=facts.source_format,
            lead_names=list(facts.lead_names),
            sampling_rate_hz=facts.sampling_rate_hz,
            n_samples=facts.n_samples,
            duration_s=facts.duration_s,
            start_time=start.replace(tzinfo=None) if start else None,
            start_utc_offset_s=None if offset is None else int(offset.total_seconds()),
            device=facts.device,
            synthetic=facts.synthetic,
            arrived_at=arrived_at,
            **of_file,
        )
        .on_conflict_do_update(index_elements=["recording_id"], set_=of_file, where=row.file_lead_names.is_(None))
        .returning(row.recording_id)
    ).scalar_one_or_none()
    if new is not None:
        write_statements(conn, facts)


def _write_run(conn: Connection, result: Result, owner: str, month: date) -> int | None:
    """Write the run with its summary. A second writer waits here until the first is through, and then gets None."""
    beats, quality = result.beats, result.quality
    analysable = beats.class_index[beats.analysable]
    scoring_run_id: int | None = conn.execute(
        tables.NEW_RUN,
        {
            "recording_id": result.recording.recording_id,
            "model_version": result.model.version,
            "scored_by": owner,
            "n_beats": len(beats),
            "n_beats_analysable": int(analysable.size),
            **{f"n_class_{name.lower()}": int(np.sum(analysable == i)) for i, name in enumerate(CLASSES)},
            **_heart_rate(result.rhythm.heart_rate),
            **_median_intervals(beats, result.rhythm.episodes),
            "analysable_share": quality.analysable_share,
            "primary_lead": result.recording.lead_names[quality.primary_lead],
            "primary_lead_index": quality.primary_lead,
            "filters": list(quality.filters),
            "stage_seconds": dict(result.stages),
            "arrived_month": month,
            "af_probability": _nullable_list(result.af) if result.af.size else None,
        },
    ).scalar_one_or_none()
    return scoring_run_id


def _heart_rate(rate: HeartRate | None) -> dict[str, float | None]:
    if rate is None:
        return {}
    return {
        "mean_heart_rate_bpm": _known(rate.mean_bpm),
        "min_heart_rate_bpm": _known(rate.min_bpm),
        "min_heart_rate_at_s": _known(rate.min_at_s),
        "max_heart_rate_bpm": _known(rate.max_bpm),
        "max_heart_rate_at_s": _known(rate.max_at_s),
    }


def _median_intervals(beats: BeatTable, episodes: Sequence[RhythmEpisode]) -> dict[str, float | int]:
    summaries = summarise(beats, episodes)
    medians: dict[str, float | int] = {f"median_{name}": summary.median_ms for name, summary in summaries.items()}
    return {**medians, "n_beats_with_qt": summaries["qt_ms"].n_beats} if "qt_ms" in summaries else medians


def _copy_beats(conn: Connection, key: _Key, beats: BeatTable) -> None:
    probabilities = _within_0_and_1(beats.probabilities)
    copy_rows(
        conn,
        tables.beat,
        {
            **key.columns(np.arange(len(beats))),
            "r_sample": beats.r_sample.astype(np.int64),
            "r_time_s": beats.r_time_s.astype(np.float64),
            "rr_prev_ms": beats.rr_prev_ms.astype(np.float32),
            "rr_next_ms": beats.rr_next_ms.astype(np.float32),
            **{f"probability_{name.lower()}": probabilities[:, i] for i, name in enumerate(CLASSES)},
            "deviation_z": beats.deviation.astype(np.float32),
            "class": _CLASS_BYTES[beats.class_index],
            "analysable": beats.analysable.astype(np.bool_),
            **{name: beats.intervals_ms[:, i].astype(np.float32) for i, name in enumerate(INTERVALS)},
            "prediction_set": (beats.in_set @ SET_BITS).astype(np.int16),
        },
    )


def _copy_attributions(conn: Connection, key: _Key, attributions: BeatAttributions, beats: BeatTable) -> None:
    """Write where the attribution of each abnormal beat lies; normal beats would be nine tenths of the table."""
    rows = np.flatnonzero(beats.analysable & (beats.class_index != CLASSES.index("N")))
    shares = _within_0_and_1(attributions.segment_shares[rows])
    copy_rows(
        conn,
        tables.attribution,
        {
            **key.columns(rows),
            **{f"{segment}_share": shares[:, i] for i, segment in enumerate(SEGMENTS_MS)},
            "class": _CLASS_BYTES[beats.class_index[rows]],
            "method": np.full(rows.size, attributions.method.encode()),
        },
    )


def _copy_shapley(conn: Connection, key: _Key, result: Result) -> None:
    given = result.shapley
    copy_rows(
        conn,
        tables.shapley,
        {
            **key.columns(given.beat_index),
            **{player: given.values[:, i].astype(np.float32) for i, player in enumerate(PLAYERS)},
            "class": _CLASS_BYTES[result.beats.class_index[given.beat_index]],
        },
    )


def _write_agreement(conn: Connection, scoring_run_id: int, result: Result) -> None:
    rows = agreement_rows(result.beats, result.attributions)
    copy_records(conn, tables.method_agreement, [{"scoring_run_id": scoring_run_id, **row} for row in rows])


def _copy_quality(conn: Connection, scoring_run_id: int, quality: Quality) -> None:
    n_epochs, n_leads = quality.index.shape
    epoch = np.repeat(np.arange(n_epochs, dtype=np.int32), n_leads)
    copy_rows(
        conn,
        tables.signal_quality,
        {
            "scoring_run_id": np.full(epoch.size, scoring_run_id, np.int32),
            "epoch_index": epoch,
            "start_s": epoch * np.float64(quality.epoch_s),
            "quality_index": _within_0_and_1(quality.index).ravel(),
            "lead_index": np.tile(np.arange(n_leads, dtype=np.int16), n_epochs),
            "analysable": quality.analysable.astype(np.bool_).ravel(),
        },
    )
    if not n_epochs:
        return
    index = _within_0_and_1(quality.index).astype(np.float64)
    known = np.isfinite(index)
    mean = np.where(known, index, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    copy_rows(
        conn,
        tables.lead_quality,
        {
            "scoring_run_id": np.full(n_leads, scoring_run_id, np.int32),
            "lead_index": np.arange(n_leads, dtype=np.int16),
            "n_epochs": np.full(n_leads, n_epochs, np.int32),
            "analysable_share": quality.analysable.mean(axis=0, dtype=np.float64),
            "mean_quality_index": mean,
        },
    )


def _write_chosen(conn: Connection, key: _Key, result: Result) -> None:
    keys = [{**asdict(key), "beat_index": chosen.beat_index} for chosen in result.chosen]
    beats = [
        {
            **keys[i],
            "chosen_reason": chosen.reason,
            "waveform_mv": chosen.waveform_mv,
            "counterpart_mv": chosen.counterpart_mv,
            "template_mv": chosen.template_mv,
            "place": i,
            "waves_ms": chosen.waves_ms,
            **_explained(chosen),
        }
        for i, chosen in enumerate(result.chosen)
    ]
    samples = [
        {
            **keys[i],
            "method": method,
            "sample_values": values,
            "context_values": _nullable_values(chosen.context_shap) if method == FEATURE_METHOD else None,
        }
        for i, chosen in enumerate(result.chosen)
        for method, values in chosen.attributions.items()
    ]
    copy_records(conn, tables.chosen_beat, beats)
    copy_records(conn, tables.attribution_sample, samples)


def _explained(chosen: ChosenBeat) -> dict[str, object]:
    """Give what explains a chosen beat as a whole, as JSON; NULL where it was not computed."""
    blend = chosen.blend
    return {
        "shapley_values": _nullable_values(chosen.shapley) or None,
        "lime_values": _nullable_values(chosen.lime) or None,
        "wave_deviations": _nullable_values(chosen.deviation_by_wave) or None,
        "blend": None
        if blend is None
        else {
            "share": _known(blend.share),
            "turns_to": blend.turns_to,
            "by_player": _nullable_values(blend.by_player),
        },
        "own_reference": chosen.own_reference,
    }


def _write_episodes(conn: Connection, scoring_run_id: int, result: Result) -> None:
    episodes = [
        {
            "scoring_run_id": scoring_run_id,
            "episode_index": i,
            "kind": episode.kind,
            "start_s": episode.start_s,
            "end_s": episode.end_s,
            "first_beat_index": episode.first_beat,
            "last_beat_index": episode.last_beat,
            "heart_rate_bpm": _known(episode.heart_rate_bpm),
            "probability": _known(episode.probability),
        }
        for i, episode in enumerate(result.rhythm.episodes)
    ]
    copy_records(conn, tables.rhythm_episode, episodes)


@dataclass(frozen=True, slots=True)
class _Key:
    """What the rows of one run share in the partitioned tables."""

    scoring_run_id: int
    arrived_month: date

    def columns(self, beat_index: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int32]]:
        return {
            "scoring_run_id": np.full(beat_index.size, self.scoring_run_id, np.int32),
            "beat_index": beat_index.astype(np.int32),
            "arrived_month": np.full(beat_index.size, days_of(self.arrived_month), np.int32),
        }


def _within_0_and_1(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Take rounding errors off the bounds; what is really out of them stays, for the table to refuse."""
    rounded = values.astype(np.float32)
    rounded[(rounded > 1) & (rounded <= 1 + _ROUNDING)] = 1
    rounded[(rounded < 0) & (rounded >= -_ROUNDING)] = 0
    return rounded


def _nullable_values(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _known(value) for name, value in values.items()}


def _nullable_list(values: npt.NDArray[np.float32]) -> list[float | None]:
    plain: list[float | None] = values.tolist()
    return [_known(value) for value in plain] if np.isnan(values).any() else plain


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
