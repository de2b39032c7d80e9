"""A database full of made-up results, written by the way that real ones take: for benchmarks and trials.

Nobody was recorded, and every recording says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, insert, text

from benchmarks.made_up import MADE_UP, make_result, recording_id_of, sure
from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.report import sentences
from ecg_core.result import WAVE_POINTS, HeartRate, Result, Rhythm, RhythmEpisode
from ecg_core.store import arrivals, drift, ledger, tables, write_result
from ecg_core.store.arrivals import Arrival
from ecg_core.store.readings import reading_of

DAY_S: Final = 86_400.0
SHORT_S: Final = 1_800.0
LONG_EVERY: Final = 11
"""One recording in so many is of 24 hours, the others of 30 minutes: four fifths of the beats lie in long ones."""
RESCORED_EVERY: Final = 10
"""One recording in so many is scored by the next model version too."""
SET_ASIDE_EVERY: Final = 40
VERSIONS: Final = ("made-up-1", "made-up-2")


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
    run = write_result.write_result(conn, result, "made up", sentences(result))
    if run is None:
        return
    path = f"{recording_id}-{result.model.version}.html"
    write_result.write_report(
        conn, reading_of(conn, run), path=path, sha256=recording_id, size_bytes=400_000, stages=result.stages
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


def wandering(seed: int, duration_s: float, version: str = VERSIONS[0]) -> Result:
    """Make a long result: a heart rate that wanders, ectopic beats that come early, calls that are mostly sure."""
    random = np.random.default_rng([seed, VERSIONS.index(version) if version in VERSIONS else 7])
    of_patient = np.random.default_rng(seed)
    mean_rr_s = of_patient.uniform(0.65, 1.05)
    n = int(duration_s / mean_rr_s)
    knots = np.arange(n // 600 + 2) * 600
    slow = np.interp(np.arange(n), knots, of_patient.normal(1, 0.08, knots.size))
    rr_s = mean_rr_s * slow * of_patient.normal(1, 0.03, n)
    rates = of_patient.lognormal((-4.6, -4.2, -7.5, -8.5), 1.2).clip(0, 0.2)
    drawn_class = np.searchsorted(np.cumsum(rates), of_patient.random(n))
    class_index = np.where(drawn_class == 4, 0, drawn_class + 1).astype(np.int8)
    rr_s[np.isin(class_index, (1, 2))] *= 0.7
    # Another model version calls a few beats otherwise.
    changed = random.random(n) < 0.002
    class_index[changed] = random.integers(0, 3, int(changed.sum()))
    r_time_s = np.cumsum(rr_s.clip(0.25, 3.0))
    n = int(np.searchsorted(r_time_s, duration_s - 1))
    r_time_s, class_index = r_time_s[:n], class_index[:n]
    called = (1 - random.beta(0.6, 6, n) * np.where(class_index == 0, 0.7, 1.0)).clip(0.4, 1).astype(np.float32)
    rate = 60 / float(np.mean(np.diff(r_time_s)))
    return make_result(
        r_time_s,
        sure(class_index, called),
        duration_s,
        random=random,
        analysable=random.random(n) > 0.01,
        waves_ms=np.full(len(WAVE_POINTS), np.nan, np.float32),
        rhythm=Rhythm(HeartRate(rate, rate * 0.6, 10.0, rate * 1.6, 20.0), _episodes(random, r_time_s)),
        chosen=random.choice(n, 4, replace=False).tolist(),
        maps=("shap", "gradcam", "saliency"),
        model=replace(MADE_UP, version=version, figures={f"deciding.{name}.sensitivity": 0.9 for name in CLASSES[:4]}),
        recording_id=recording_id_of(seed),
        patient_pseudonym=f"made-up-{seed // 3}",
        start_time=datetime(2026, 1, 1) + timedelta(minutes=17 * seed),
    )


_BEATS_PER_RECORDING: Final = (DAY_S + (LONG_EVERY - 1) * SHORT_S) / LONG_EVERY / 0.85 * (1 + 1 / RESCORED_EVERY)


def _results(seed: int) -> Iterator[Result]:
    duration_s = DAY_S if seed % LONG_EVERY == 0 else SHORT_S
    yield wandering(seed, duration_s)
    if seed % RESCORED_EVERY == 0:
        yield wandering(seed, duration_s, VERSIONS[1])


def _episodes(random: np.random.Generator, r_time_s: npt.NDArray[np.float64]) -> tuple[RhythmEpisode, ...]:
    kinds = ("v_couplet", "v_run", "s_couplet", "s_run", "bigeminy", "pause", "bradycardia", "tachycardia")
    n = min(int(random.poisson(r_time_s.size / 2_500)), 200)
    firsts = np.sort(random.integers(0, r_time_s.size - 12, n))
    lasts = firsts + random.integers(2, 12, n)
    starts, ends = r_time_s[firsts], r_time_s[lasts]
    bpm = (60 * (lasts - firsts) / (ends - starts)).astype(np.float32)
    columns = (kind.tolist() for kind in (starts, ends, firsts, lasts, bpm))
    return tuple(map(RhythmEpisode, random.choice(kinds, n).tolist(), *columns))


def _arrive(conn: Connection, recording_id: str, arrived_at: datetime) -> None:
    arrivals.register(
        conn,
        [
            Arrival(
                source=f"made-up/{recording_id[:16]}.hea",
                recording_id=recording_id,
                size_bytes=1_000_000,
                changed_at=arrived_at.timestamp(),
                staged_path=f"{recording_id}/recording.hea",
            )
        ],
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
            "INSERT INTO ecg.review (reading_id, reviewer_id, subject, beat_index, agrees, corrected_class) "
            "SELECT part.reading_id, :reviewer, 'beat', beat.beat_index, beat.beat_index % 4 <> 0, "
            "CASE WHEN beat.beat_index % 4 = 0 THEN 'N' END "
            "FROM (SELECT * FROM ecg.scoring_run ORDER BY scoring_run_id DESC LIMIT :n) AS run "
            "JOIN ecg.reading_run AS part USING (scoring_run_id) CROSS JOIN LATERAL ("
            "SELECT beat_index FROM ecg.beat WHERE beat.scoring_run_id = run.scoring_run_id "
            "AND beat.arrived_month = run.arrived_month AND class <> 'N' AND analysable LIMIT 10) AS beat"
        ),
        {"reviewer": reviewer, "n": n_runs},
    )
    conn.execute(
        text(
            "INSERT INTO ecg.review (reading_id, reviewer_id, subject, signed) SELECT reading_id, :reviewer, "
            "'recording', true FROM ecg.reading WHERE reading_id % 2 = 0 ORDER BY reading_id DESC LIMIT :n"
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
