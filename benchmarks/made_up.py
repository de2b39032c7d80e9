"""Made-up results of plausible shape, written by the way that real ones take: for benchmarks and trials.

Nobody was recorded, and every recording says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy import Connection, Engine, insert, text

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result import (
    INTERVALS,
    PLAYERS,
    SEGMENTS_MS,
    WAVE_POINTS,
    WINDOW_SAMPLES,
    BeatAttributions,
    BeatTable,
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
from ecg_core.result.methods import FEATURE_METHOD, given_to, is_signed
from ecg_core.store import drift, ledger, tables, write_result

RATE_HZ: Final = 360.0
DAY_S: Final = 86_400.0
SHORT_S: Final = 1_800.0
LONG_EVERY: Final = 11
"""One recording in so many is of 24 hours, the others of 30 minutes: four fifths of the beats lie in long ones."""
RESCORED_EVERY: Final = 10
"""One recording in so many is scored by the next model version too."""
SET_ASIDE_EVERY: Final = 40
VERSIONS: Final = ("made-up-1", "made-up-2")
_KINDS: Final = ("v_couplet", "v_run", "s_couplet", "s_run", "bigeminy", "pause", "bradycardia", "tachycardia")
MOST_SHAPLEY: Final = 5000
"""Abnormal beats of a recording that have Shapley values, as the setting has it."""
_METHODS: Final = (FEATURE_METHOD, *given_to("every"))


@dataclass(frozen=True, slots=True)
class Filled:
    """What `fill_database` wrote."""

    recordings: int
    beats: int


def fill_database(engine: Engine, n_beats: int, on_beats: Callable[[int], None] | None = None, seed: int = 0) -> Filled:
    """Write made-up recordings, a transaction each, until there are `n_beats` beats; arrivals spread over a year.

    Parameters
    ----------
    engine : Engine
        A migrated database without real recordings.
    n_beats : int
    on_beats : callable, optional
        Told the number of beats so far after each recording.
    seed : int

    Raises
    ------
    StoreError
        The database holds real recordings.
    """
    with engine.connect() as conn:
        if conn.execute(text("SELECT EXISTS (SELECT FROM ecg.recording WHERE NOT synthetic)")).scalar_one():
            raise StoreError(
                "The database holds real recordings.", "Fill a database of its own, and drop it afterwards."
            )
    n_recordings = max(1, round(n_beats / _BEATS_PER_RECORDING))
    written = recordings = 0
    with engine.connect() as conn:
        # Nothing is lost that could not be made again.
        conn.execute(text("SET synchronous_commit = off"))
        conn.commit()
        while written < n_beats:
            arrived_at = _now() - timedelta(days=364) * (1 - min(1.0, recordings / n_recordings)) - timedelta(hours=1)
            for result in _results(seed + recordings):
                with conn.begin():
                    write_made_up(conn, result, arrived_at)
                written += len(result.beats)
            if recordings % SET_ASIDE_EVERY == 0:
                with conn.begin():
                    _set_aside(conn, f"fault {seed + recordings}", arrived_at)
            recordings += 1
            if on_beats is not None:
                on_beats(written)
    with engine.begin() as conn:
        _review(conn)
        _measure_drift(conn)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        # As autovacuum does in time: statistics, and the map that lets an index answer alone.
        conn.execute(text("VACUUM (ANALYZE)"))
    return Filled(recordings, written)


def write_made_up(conn: Connection, result: Result, arrived_at: datetime) -> None:
    """Write a result as the pipeline does, ledger and report row included, as if it had arrived at a given time."""
    recording_id = result.recording.recording_id
    _arrive(conn, recording_id, arrived_at)
    run = write_result.write_result(conn, result, "made up")
    if run is None:
        return
    facts = {"path": f"{recording_id}-{result.model.version}.html", "sha256": recording_id, "size_bytes": 400_000}
    write_result.write_report(
        conn, run, path=str(facts["path"]), sha256=recording_id, size_bytes=400_000, stages=result.stages
    )
    ledger.mark_scored(conn, recording_id)
    scored_at = arrived_at + timedelta(minutes=5)
    conn.execute(
        text("UPDATE ecg.scoring_run SET scored_at = :at WHERE scoring_run_id = :run"), {"at": scored_at, "run": run}
    )
    conn.execute(
        text("UPDATE ecg.ingest_ledger SET done_at = :at, attempts = 1 WHERE recording_id = :id"),
        {"at": scored_at, "id": recording_id},
    )


def make_up(seed: int, duration_s: float, version: str = VERSIONS[0]) -> Result:
    """Make up a result: a heart rate that wanders, ectopic beats that come early, calls that are mostly sure."""
    random = np.random.default_rng([seed, VERSIONS.index(version) if version in VERSIONS else 7])
    of_patient = np.random.default_rng(seed)
    beats = _beats(of_patient, random, duration_s)
    recording_id = hashlib.sha256(f"made up {seed}".encode()).hexdigest()
    n_epochs = int(np.ceil(duration_s / 10))
    analysable = np.ones((n_epochs, 2), np.bool_)
    facts = RecordingFacts(
        recording_id=recording_id,
        patient_pseudonym=f"made-up-{seed // 3}",
        source_format="wfdb",
        lead_names=("MLII", "V1"),
        sampling_rate_hz=RATE_HZ,
        n_samples=int(duration_s * RATE_HZ),
        duration_s=duration_s,
        start_time=datetime(2026, 1, 1) + timedelta(minutes=17 * seed),
        device=None,
        synthetic=True,
    )
    rate = 60 / float(np.mean(np.diff(beats.r_time_s)))
    return with_findings(
        Result(
            recording=facts,
            quality=Quality(10.0, random.random((n_epochs, 2), np.float32), analysable, 0, ("made up",)),
            beats=beats,
            attributions=tuple(_attributions(random, method, len(beats)) for method in given_to("every")),
            chosen=tuple(_chosen(random, int(beat)) for beat in random.choice(len(beats), 4, replace=False)),
            rhythm=Rhythm(HeartRate(rate, rate * 0.6, 10.0, rate * 1.6, 20.0), tuple(_episodes(random, beats))),
            model=_model(version),
            signal_mv=np.zeros((0, 2), np.float32),
            stages={"read": duration_s / 9e4, "classify": duration_s / 3e4, "explain": duration_s / 2e4},
            shapley=_shapley(random, beats),
        )
    )


_BEATS_PER_RECORDING: Final = (DAY_S + (LONG_EVERY - 1) * SHORT_S) / LONG_EVERY / 0.85 * (1 + 1 / RESCORED_EVERY)


def _results(seed: int) -> Iterator[Result]:
    duration_s = DAY_S if seed % LONG_EVERY == 0 else SHORT_S
    yield make_up(seed, duration_s)
    if seed % RESCORED_EVERY == 0:
        yield make_up(seed, duration_s, VERSIONS[1])


def _beats(of_patient: np.random.Generator, random: np.random.Generator, duration_s: float) -> BeatTable:
    mean_rr_s = of_patient.uniform(0.65, 1.05)
    n = int(duration_s / mean_rr_s)
    knots = np.arange(n // 600 + 2) * 600
    slow = np.interp(np.arange(n), knots, of_patient.normal(1, 0.08, knots.size))
    rr_s = mean_rr_s * slow * of_patient.normal(1, 0.03, n)
    rates = of_patient.lognormal((-4.6, -4.2, -7.5, -8.5), 1.2).clip(0, 0.2)
    drawn = of_patient.random(n)
    class_index = np.searchsorted(np.cumsum(rates), drawn).astype(np.int8)
    class_index = np.where(class_index == 4, 0, class_index + 1).astype(np.int8)
    rr_s[np.isin(class_index, (1, 2))] *= 0.7
    # Another model version calls a few beats otherwise.
    changed = random.random(n) < 0.002
    class_index[changed] = random.integers(0, 3, int(changed.sum()))
    rr_s = rr_s.clip(0.25, 3.0)
    r_time_s = np.cumsum(rr_s)
    n = int(np.searchsorted(r_time_s, duration_s - 1))
    rr_s, class_index, r_time_s = rr_s[:n], class_index[:n], r_time_s[:n]
    sure = (1 - random.beta(0.6, 6, n) * np.where(class_index == 0, 0.7, 1.0)).clip(0.4, 1).astype(np.float32)
    probabilities = np.repeat(((1 - sure) / 4)[:, np.newaxis], len(CLASSES), axis=1).astype(np.float32)
    probabilities[np.arange(n), class_index] = sure
    rr_ms = (rr_s * 1000).astype(np.float32)
    deviation = random.normal(size=n) + 3 * (class_index > 1)
    return BeatTable(
        r_sample=np.floor(r_time_s * RATE_HZ).astype(np.int64),
        r_time_s=r_time_s,
        rr_prev_ms=np.concatenate([np.full(1, np.nan, np.float32), rr_ms[1:]]),
        rr_next_ms=np.concatenate([rr_ms[1:], np.full(1, np.nan, np.float32)]),
        class_index=class_index,
        probabilities=probabilities,
        deviation=deviation.astype(np.float32),
        analysable=random.random(n) > 0.01,
        waves_ms=np.full((n, len(WAVE_POINTS)), np.nan, np.float32),
        intervals_ms=random.normal((160, 95, 390), (15, 6, 20), (n, len(INTERVALS))).astype(np.float32),
        in_set=probabilities > 0.2,
    )


def _attributions(random: np.random.Generator, method: str, n_beats: int) -> BeatAttributions:
    weight = random.random((n_beats, len(SEGMENTS_MS)), np.float32) * np.array([0.6, 1.0, 0.7], np.float32)
    return BeatAttributions(method, weight / weight.sum(axis=1, keepdims=True))


def _shapley(random: np.random.Generator, beats: BeatTable) -> ShapleyValues:
    abnormal = np.flatnonzero(beats.analysable & (beats.class_index > 0))[:MOST_SHAPLEY]
    values = random.normal((1.0, 0.5, 0.1, 2.0, 0.1, 0.5, 0.3), 0.5, (abnormal.size, len(PLAYERS)))
    return ShapleyValues(abnormal, values.astype(np.float32))


_WAVES_MS: Final = np.array((-200, -160, -120, -40, 55, 180, 260, 350), np.float32)


def _chosen(random: np.random.Generator, beat_index: int) -> ChosenBeat:
    def wave() -> FloatArray:
        return random.normal(size=WINDOW_SAMPLES).astype(np.float32)

    maps = {method: wave() if is_signed(method) else np.abs(wave()) for method in _METHODS}
    return ChosenBeat(
        beat_index, "most typical", wave(), wave(), wave(), maps, {"rr_prev_to_local_median": -0.4}, _WAVES_MS
    )


def _episodes(random: np.random.Generator, beats: BeatTable) -> Iterator[RhythmEpisode]:
    n = min(int(random.poisson(len(beats) / 2_500)), 200)
    for first in np.sort(random.integers(0, len(beats) - 12, n)):
        last = int(first) + int(random.integers(2, 12))
        start, end = float(beats.r_time_s[first]), float(beats.r_time_s[last])
        kind = _KINDS[int(random.integers(len(_KINDS)))]
        yield RhythmEpisode(kind, start, end, int(first), last, 60 * (last - int(first)) / (end - start))


def _model(version: str) -> ModelFacts:
    figures = {f"deciding.{name}.sensitivity": 0.9 for name in CLASSES[:4]}
    created = datetime(2026, 1, 1 + VERSIONS.index(version) if version in VERSIONS else 1, tzinfo=UTC)
    return ModelFacts(version, "cnn", created, ("made up",), figures, ("Knows nothing: it is made up.",))


def _arrive(conn: Connection, recording_id: str, arrived_at: datetime) -> None:
    ledger.register_arrival(
        conn,
        source=f"made-up/{recording_id[:16]}.hea",
        recording_id=recording_id,
        size_bytes=1_000_000,
        changed_at=arrived_at.timestamp(),
        staged_path=f"{recording_id}/recording.hea",
    )
    conn.execute(
        text("UPDATE ecg.ingest_ledger SET first_seen_at = :at WHERE recording_id = :id"),
        {"at": arrived_at, "id": recording_id},
    )


def _set_aside(conn: Connection, name: str, arrived_at: datetime) -> None:
    recording_id = hashlib.sha256(name.encode()).hexdigest()
    _arrive(conn, recording_id, arrived_at)
    ledger.set_aside(conn, recording_id, "truncated signal", "Made up: half of it is missing.")
    conn.execute(
        text("UPDATE ecg.ingest_ledger SET done_at = :at WHERE recording_id = :id"),
        {"at": arrived_at + timedelta(minutes=1), "id": recording_id},
    )


def _review(conn: Connection, n_runs: int = 300) -> None:
    """Let a made-up reviewer answer on ten abnormal beats of each of some recordings, and sign every other one."""
    reviewer = conn.execute(
        insert(tables.reviewer).values(user_name=f"made up {_now()}").returning(tables.reviewer.c.reviewer_id)
    ).scalar_one()
    conn.execute(
        text(
            "INSERT INTO ecg.review (scoring_run_id, reviewer_id, subject, beat_index, agrees, corrected_class) "
            "SELECT run.scoring_run_id, :reviewer, 'beat', beat.beat_index, beat.beat_index % 4 <> 0, "
            "CASE WHEN beat.beat_index % 4 = 0 THEN 'N' END "
            "FROM (SELECT * FROM ecg.scoring_run ORDER BY scoring_run_id DESC LIMIT :n) AS run CROSS JOIN LATERAL ("
            "SELECT beat_index FROM ecg.beat WHERE beat.scoring_run_id = run.scoring_run_id "
            "AND beat.arrived_month = run.arrived_month AND class <> 'N' AND analysable LIMIT 10) AS beat"
        ),
        {"reviewer": reviewer, "n": n_runs},
    )
    conn.execute(
        text(
            "INSERT INTO ecg.review (scoring_run_id, reviewer_id, subject, signed) SELECT scoring_run_id, :reviewer, "
            "'recording', true FROM ecg.scoring_run WHERE scoring_run_id % 2 = 0 ORDER BY scoring_run_id DESC LIMIT :n"
        ),
        {"reviewer": reviewer, "n": n_runs // 2},
    )


def _measure_drift(conn: Connection, n_days: int = 14) -> None:
    classes = drift.Reference("class", (0.95, 0.02, 0.02, 0.005, 0.005), None, None, "made up")
    normal = drift.Reference("deviation_z", (0.02, 0.14, 0.34, 0.34, 0.14, 0.019, 0.0009, 0.0001), 0.0, None, "made up")
    for version in VERSIONS:
        if conn.execute(text("SELECT 1 FROM ecg.model_version WHERE model_version = :v"), {"v": version}).scalar():
            drift.write_references(conn, version, [classes, normal])
    for version, day in drift.scored_days(conn, _now().date() - timedelta(days=n_days)):
        drift.measure_day(conn, version, day)


def _now() -> datetime:
    return datetime.now(UTC)
