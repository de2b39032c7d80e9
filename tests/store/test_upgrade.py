"""A database of an earlier release, with data in it, becomes what a fresh one would be."""

import math
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, select, text

from ecg_core.beats import summarise_rhythm
from ecg_core.beats.rhythm import in_single_precision
from ecg_core.labels import CLASSES
from ecg_core.result import SEGMENTS_MS, ModelFacts, RecordingLabel, Result, Review, ShapleyValues
from ecg_core.result.findings import with_findings
from ecg_core.store import checks, counts, migrate, read_result, reviews, write_result
from ecg_core.store.migrate import MIGRATIONS_DIR
from ecg_core.store.readings import reading_of, write_reading
from ecg_core.store.tables import metadata

FIRST_RELEASE = ("0001", "0002", "0003")
AS_BEFORE = (
    "patient recording model_version scoring_run beat chosen_beat attribution_sample rhythm_episode signal_quality"
).split()

KINDS_BEFORE = (
    *("v_run", "pause", "tachycardia", "bradycardia", "atrial_fibrillation"),
    *("v_couplet", "bigeminy", "trigeminy", "s_run", "s_couplet"),
)
"""Kinds of episode that the release before the kept findings knew."""


@pytest.fixture
def first_release(empty_engine: Engine, engine: Engine, build_result, tmp_path: Path) -> list[Result]:
    """Fill `empty_engine` with the first release's schema and what `engine` holds, as that release wrote it."""
    results = [build_result(300, seed=seed) for seed in range(2)]
    with engine.begin() as conn:
        for result in results:
            write_result.write_result(conn, result, "test")
    folder = tmp_path / "first" / "migrations"
    folder.mkdir(parents=True)
    for name in FIRST_RELEASE:
        shutil.copy(next(MIGRATIONS_DIR.glob(f"{name}_*.sql")), folder)
    assert len(migrate(empty_engine, folder)) == 3
    with engine.connect() as new, empty_engine.begin() as old:
        for name in AS_BEFORE:
            _copy(new, old, name)
        runs = dict(new.execute(text("SELECT recording_id, scoring_run_id FROM ecg.scoring_run")).tuples().all())
        for result in results:
            _write_old_attributions(old, runs[result.recording.recording_id], result)
        old.execute(
            text(
                "INSERT INTO ecg.ingest_ledger (recording_id, staged_path, size_bytes, first_seen_at) "
                "VALUES (:id, 'x', 1, '2026-01-31 23:30+00')"
            ),
            {"id": results[0].recording.recording_id},
        )
    return results


def _copy(new: Connection, old: Connection, name: str) -> None:
    kept = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ecg' AND table_name = :name"
    columns = ", ".join(f'"{column}"' for column in old.execute(text(kept), {"name": name}).scalars())
    if not columns:  # that release had no such table
        return
    rows = new.connection.cursor()
    # Reports and answers were of scoring runs.
    of_run = "(SELECT p.scoring_run_id FROM ecg.reading_run AS p WHERE p.reading_id = t.reading_id)"
    wanted = columns.replace('"scoring_run_id"', of_run) if name in ("report", "review") else columns
    rows.execute(f"SELECT {wanted} FROM ecg.{name} AS t")
    found = rows.fetchall()
    if not found:
        return
    marks = ", ".join(["%s"] * len(found[0]))
    as_json = [tuple(_json(value) for value in row) for row in found]
    old.connection.cursor().executemany(
        f"INSERT INTO ecg.{name} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})", as_json
    )


def _json(value: object) -> object:
    from psycopg2.extras import Json

    return Json(value) if isinstance(value, dict) else value


def _write_old_attributions(old: Connection, run: int, result: Result) -> None:
    for given in result.attributions:
        rows = [(run, beat, given.method, *map(float, given.segment_shares[beat])) for beat in range(len(result.beats))]
        columns = ", ".join(f"{name}_share" for name in SEGMENTS_MS)
        into = f"INSERT INTO ecg.attribution (scoring_run_id, beat_index, method, {columns})"
        old.connection.cursor().executemany(f"{into} VALUES (%s, %s, %s, %s, %s, %s)", rows)


def _columns(engine: Engine, table: str) -> set[str]:
    with engine.connect() as conn:
        return set(conn.execute(text(f"SELECT * FROM ecg.{table} LIMIT 0")).keys())


def _rows(engine: Engine, table: str, order: str) -> list[dict]:
    left_out = {"arrived_at", "stored_at", "arrived_month", "registered_at", "first_seen_at", "prediction_set"}
    # These have a value, not NULL, where a release before did not measure them.
    left_out |= {"n_beats_with_qt", "own_reference"}
    with engine.connect() as conn:
        found = conn.execute(text(f"SELECT * FROM ecg.{table} ORDER BY {order}")).mappings()
        return [{name: value for name, value in row.items() if name not in left_out} for row in found]


def test_all_rows_are_there_and_as_a_fresh_database_would_have_them(first_release, empty_engine, engine):
    of_then = {name: _columns(empty_engine, name) for name in (*AS_BEFORE, "attribution")}
    assert migrate(empty_engine) == sorted(path.name for path in MIGRATIONS_DIR.glob("*.sql"))[len(FIRST_RELEASE) :]
    for name, columns in of_then.items():
        key = ", ".join(column.name for column in metadata.tables[f"ecg.{name}"].primary_key)
        upgraded, fresh = _rows(empty_engine, name, key), _rows(engine, name, key)
        assert upgraded
        # What the first release did not measure is unknown of its scores, and stays so.
        unknown = {c for c in upgraded[0] if c not in columns and all(row[c] is None for row in upgraded)}
        of_fresh = [{c: value for c, value in row.items() if c not in unknown} for row in fresh]
        assert [{c: row[c] for c in row if c not in unknown} for row in upgraded] == of_fresh, name


def _eventful(build_result, seed: int, **recording: object) -> Result:
    """Make a result with every kind of finding: early and late beats, runs, fibrillation, a stretch of poor signal."""
    result = build_result(2_000, seed=seed, **recording)
    random, beats = np.random.default_rng(seed), result.beats
    class_index = random.choice(len(CLASSES), len(beats), p=(0.6, 0.18, 0.2, 0.01, 0.01)).astype(np.int8)
    class_index[100:140] = [CLASSES.index(letter) for letter in "NV" * 20]
    class_index[200:242] = [CLASSES.index(letter) for letter in "NNV" * 14]
    rr_s = random.uniform(0.5, 1.2, len(beats))
    for rows, seconds in ((slice(300, 330), 0.38), (slice(400, 430), 1.8), (slice(500, 501), 2.9)):
        rr_s[rows] = seconds
    r_time_s = np.cumsum(rr_s)
    rr_ms = np.concatenate(([np.nan], rr_s[1:] * 1000)).astype(np.float32)
    n_epochs = int(r_time_s[-1] // 10) + 1
    beats = replace(beats, class_index=class_index, r_time_s=r_time_s, rr_prev_ms=rr_ms)
    af = np.zeros(int(r_time_s[-1] // 30), np.float32)
    af[20:30] = 0.9  # the shorter stretch is the likelier one
    af[35:48] = 0.7
    analysable = random.random((n_epochs, 2)) > 0.15
    quality = replace(result.quality, index=random.random((n_epochs, 2), np.float32), analysable=analysable)
    rhythm = summarise_rhythm(r_time_s, rr_ms, class_index, beats.analysable, af)
    facts = replace(result.recording, duration_s=float(r_time_s[-1]) + 1)
    result = replace(result, recording=facts, beats=beats, quality=quality, rhythm=in_single_precision(rhythm), af=af)
    return with_findings(replace(result, shapley=ShapleyValues.none()))


def _fill_release(new: Connection, old: Connection) -> None:
    """Copy all rows of a database of today into one of migration 0014, findings as that release kept them."""
    for month in new.execute(text("SELECT DISTINCT arrived_month FROM ecg.scoring_run")).scalars():
        old.execute(text("SELECT ecg.ensure_partitions(:month)"), {"month": month})
    for table in metadata.sorted_tables:
        if table.name not in ("finding", "reading", "reading_run"):
            _copy(new, old, table.name)
    finding, part = metadata.tables["ecg.finding"], metadata.tables["ecg.reading_run"]
    joined = select(finding, part.c.scoring_run_id).join(part, part.c.reading_id == finding.c.reading_id)
    for row in new.execute(joined).mappings():
        old.execute(
            text(
                "INSERT INTO ecg.finding (scoring_run_id, finding_index, kind, tone, sentence, n, mean_probability, "
                "n_uncertain) VALUES (:scoring_run_id, :finding_index, :kind, :urgency, :sentence, "
                "CAST(coalesce(:n_episodes, :n_beats) AS integer), :mean_probability, :n_uncertain)"
            ),
            dict(row),
        )


def test_findings_of_the_release_before_are_whole(empty_engine, engine, build_result, tmp_path):
    """What SQL makes of the rows that were kept is what Python decided; of a run whose report kept none, too."""
    results = [_eventful(build_result, 0), _eventful(build_result, 1), build_result(0, seed=2)]
    with engine.begin() as conn:
        for result in results:
            run = write_result.write_result(conn, result, "test", [f"A {f.kind}." for f in result.findings])
            reading = reading_of(conn, run)
            write_result.write_report(conn, reading, path=f"{run}.html", sha256="a" * 64, size_bytes=9, stages={})
            reviews.write_review(conn, reading, Review("ada", None, f"Run {run}.", True, {}, ()))
    kinds = {finding.kind for result in results for finding in result.findings}
    assert kinds == {*KINDS_BEFORE, "v_beats", "s_beats", "f_beats", "q_beats", "poor_signal", "no_analysable_beats"}
    folder = tmp_path / "before" / "migrations"
    folder.mkdir(parents=True)
    for file in sorted(MIGRATIONS_DIR.glob("*.sql"))[:14]:
        shutil.copy(file, folder)
    migrate(empty_engine, folder)
    with engine.connect() as new, empty_engine.begin() as old:
        _fill_release(new, old)
        first = old.execute(text("SELECT min(scoring_run_id) FROM ecg.scoring_run")).scalar_one()
        old.execute(text("DELETE FROM ecg.finding WHERE scoring_run_id = :run"), {"run": first})
        old.execute(text("UPDATE ecg.report SET urgency = 0 WHERE scoring_run_id = :run"), {"run": first})
        # The report decided otherwise than the rules of today: what it stated stays.
        old.execute(text("UPDATE ecg.finding SET tone = 'doubt' WHERE kind = 's_run'"))
    migrate(empty_engine)
    upgraded, fresh = (_rows(one, "finding", "reading_id, finding_index") for one in (empty_engine, engine))
    with engine.connect() as new:
        runs = dict(new.execute(text("SELECT reading_id, scoring_run_id FROM ecg.reading_run")).tuples().all())
    assert len(upgraded) == len(fresh)
    for now, wanted in zip(upgraded, fresh, strict=True):
        stated = now["reading_id"] != first
        wanted["reading_id"] = runs[wanted["reading_id"]]  # the number that it has after the upgrade
        wanted["sentence"] = wanted["sentence"] if stated else None
        wanted["urgency"] = "doubt" if stated and wanted["kind"] == "s_run" else wanted["urgency"]
        for name, value in wanted.items():
            close = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert now[name] == close, (wanted["kind"], name)
    urgencies = "SELECT urgency FROM ecg.report ORDER BY reading_id"
    with engine.connect() as new, empty_engine.connect() as old:
        assert old.execute(text(urgencies)).all() == new.execute(text(urgencies)).all()
        for run in runs.values():
            [answer] = reviews.read_reviews(old, reading_of(old, run))
            assert answer.comment == f"Run {run}."
        versions = "SELECT recording_id, versions FROM ecg.reading ORDER BY recording_id"
        assert old.execute(text(versions)).all() == new.execute(text(versions)).all()
        assert [f.kind for f in read_result.read_result(old, first).findings] == [f.kind for f in results[0].findings]


def test_the_upgraded_database_reads_on(empty_engine, engine, build_result, tmp_path):
    """Readings of before keep their numbers, new ones get others; what is written twice changes nothing."""
    results = [build_result(20, seed=seed) for seed in range(3)]
    with engine.begin() as conn:
        for result in results[:2]:
            write_result.write_result(conn, result, "test", [f"A {f.kind}." for f in result.findings])
    folder = tmp_path / "before" / "migrations"
    folder.mkdir(parents=True)
    for file in sorted(MIGRATIONS_DIR.glob("*.sql"))[:14]:
        shutil.copy(file, folder)
    migrate(empty_engine, folder)
    with engine.connect() as new, empty_engine.begin() as old:
        _fill_release(new, old)
        # Identities were copied, not drawn.
        old.execute(text("SELECT setval(pg_get_serial_sequence('ecg.scoring_run', 'scoring_run_id'), 1000)"))
    migrate(empty_engine)
    with empty_engine.begin() as conn:
        run = write_result.write_result(conn, results[2], "test")
        before = counts(conn)
        assert before["reading"] == before["reading_run"] == before["scoring_run"] == 3
        for result in results:
            assert write_result.write_result(conn, result, "test") is None
        assert write_reading(conn, results[2].recording.recording_id, {"beats": run}) is None
        # What their files state was not kept then, and comes to them now.
        assert counts(conn) == {**before, "recording_doubt": 3, "device_statement": 36}


def test_a_reading_of_before_has_the_labels_that_its_report_shows(empty_engine, engine, build_result, tmp_path):
    """Of each other task the newest run that there was when the report was drawn; without a report, when it scored."""

    def labelled(result: Result, pace: str) -> Result:
        models = tuple(
            ModelFacts(version, "made up", datetime(2026, 1, 2, tzinfo=UTC), (), {}, (), task)
            for version, task in ((pace, "pace"), ("sleep-1", "sleep"))
        )
        labels = (
            RecordingLabel("pace", pace, "slow", 0.75, True),
            RecordingLabel("sleep", "sleep-1", "rem", 0.5, True),
        )
        return replace(result, labels=labels, other_models=models)

    results = [build_result(20, seed=seed) for seed in range(3)]
    with engine.begin() as conn:
        runs = [write_result.write_result(conn, labelled(result, "pace-1"), "test") for result in results]
        between = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
        for result in results:
            write_result.write_result(conn, labelled(result, "pace-2"), "test")
        after = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    folder = tmp_path / "before" / "migrations"
    folder.mkdir(parents=True)
    for file in sorted(MIGRATIONS_DIR.glob("*.sql"))[:17]:
        shutil.copy(file, folder)
    migrate(empty_engine, folder)
    with engine.connect() as new, empty_engine.begin() as old:
        for month in new.execute(text("SELECT DISTINCT arrived_month FROM ecg.scoring_run")).scalars():
            old.execute(text("SELECT ecg.ensure_partitions(:month)"), {"month": month})
        for table in metadata.sorted_tables:
            if table.name not in ("finding", "reading", "reading_run"):
                _copy(new, old, table.name)
        for run, drawn_at in zip(runs, (between, after), strict=False):
            old.execute(
                text(
                    "INSERT INTO ecg.report (scoring_run_id, path, sha256, size_bytes, written_at) "
                    "VALUES (:run, 'r.html', repeat('a', 64), 9, :at)"
                ),
                {"run": run, "at": drawn_at},
            )
    migrate(empty_engine)
    with empty_engine.connect() as conn:
        for run, result, pace in zip(runs, results, ("pace-1", "pace-2", "pace-1"), strict=True):
            assert reading_of(conn, run) == run
            back = read_result.read_result(conn, run)
            assert back.versions == {"beats": result.model.version, "pace": pace, "sleep": "sleep-1"}
            assert back.labels == labelled(result, pace).labels
        assert {rule.name: checks.check(conn, rule, None).n_rows_broken for rule in checks.read_rules()}[
            "readings_as_their_runs"
        ] == 0


def test_beats_from_before_prediction_sets_claim_none(first_release, empty_engine):
    migrate(empty_engine)
    with empty_engine.connect() as conn:
        found = conn.execute(
            text("SELECT DISTINCT prediction_set, inconclusive FROM ecg_mart.beat WHERE analysable")
        ).all()
        assert found == [(None, None)]
        run = conn.execute(text("SELECT min(scoring_run_id) FROM ecg.scoring_run")).scalar_one()
        beats = read_result.read_result(conn, run, with_signal=False).beats
    assert np.array_equal(beats.in_set, beats.probabilities >= np.float32(0.2)), "a report of then still tells doubt"


def test_what_sql_sums_up_is_what_was_summed_up_at_scoring(first_release, empty_engine, engine):
    migrate(empty_engine)
    by_sql, by_numpy = (
        [*_rows(one, "hourly", "1, 2"), *_rows(one, "method_agreement", "1, 2, 3, 4")] for one in (empty_engine, engine)
    )
    assert len(by_sql) == len(by_numpy) > 0
    for one, other in zip(by_sql, by_numpy, strict=True):
        for name in one:
            expected = pytest.approx(other[name], rel=1e-5) if isinstance(other[name], float) else other[name]
            assert one[name] == expected, name


def test_months_are_those_of_arrival(first_release, empty_engine):
    migrate(empty_engine)
    with empty_engine.connect() as conn:
        months = dict(conn.execute(text("SELECT recording_id, arrived_month::text FROM ecg_mart.score")).tuples().all())
        for table in ("beat", "attribution", "chosen_beat", "attribution_sample"):
            wrong = (
                f"SELECT count(*) FROM ecg.{table} AS t JOIN ecg.scoring_run AS r USING (scoring_run_id) "
                "WHERE t.arrived_month <> r.arrived_month"
            )
            assert conn.execute(text(wrong)).scalar_one() == 0
    assert months[first_release[0].recording.recording_id] == "2026-01-01"


def test_the_upgraded_database_takes_new_results(first_release, empty_engine, build_result):
    migrate(empty_engine)
    with empty_engine.begin() as conn:
        assert write_result.write_result(conn, build_result(20, seed=7), "test")
        assert write_result.write_result(conn, first_release[0], "test") is None


def test_hours_hold_what_their_beats_say(engine, build_result):
    """Three hours, counted by hand from the arrays."""
    result = build_result(12_000, seed=3)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "test")
    found = _rows(engine, "hourly", "hour_index")
    beats = result.beats
    assert [row["hour_index"] for row in found] == [0, 1, 2]
    for row in found:
        of_hour = (beats.r_time_s // 3600) == row["hour_index"]
        rows = np.flatnonzero(of_hour & beats.analysable)
        assert row["n_beats"] == of_hour.sum()
        assert row["n_class_v"] == (beats.class_index[rows] == CLASSES.index("V")).sum()
        called = beats.probabilities[rows, beats.class_index[rows]]
        assert row["n_uncertain"] == (beats.in_set[rows].sum(axis=1) != 1).sum()
        assert row["mean_class_probability"] == pytest.approx(float(called.mean()), rel=1e-5)
        rr = beats.rr_prev_ms[of_hour]
        assert row["mean_heart_rate_bpm"] == pytest.approx(60000 / float(np.nanmean(rr)), rel=1e-4)
        assert row["min_heart_rate_bpm"] < row["mean_heart_rate_bpm"] < row["max_heart_rate_bpm"]


def test_an_hour_without_intervals_has_no_rate(engine, build_result):
    with engine.begin() as conn:
        write_result.write_result(conn, build_result(1), "test")
    (row,) = _rows(engine, "hourly", "hour_index")
    assert (row["n_beats"], row["mean_heart_rate_bpm"], row["min_heart_rate_bpm"]) == (1, None, None)
    assert row["mean_deviation_z"] is None or math.isfinite(row["mean_deviation_z"])
