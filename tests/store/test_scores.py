"""Results go in whole, once, and come out as they were."""

import dataclasses
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import Engine, text

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.result import PLAYERS, ShapleyValues
from ecg_core.result.intervals import corrected_qt, summarise
from ecg_core.result.methods import FEATURE_METHOD
from ecg_core.store import binary_copy, counts, tables, write_result
from ecg_core.store.readings import reading_of


def _report(conn, run_id, **changes):
    facts = {"path": "ab/r.html", "sha256": "a" * 64, "size_bytes": 10, "stages": {"store": 0.5}} | changes
    return write_result.write_report(conn, reading_of(conn, run_id), **facts)


def _with_beats(result, **changes):
    return dataclasses.replace(result, beats=dataclasses.replace(result.beats, **changes))


def _stored(conn, columns: str, table: str, order: str = "beat_index") -> np.ndarray:
    rows = conn.execute(text(f"SELECT {columns} FROM ecg.{table} ORDER BY {order}")).all()
    return np.array([tuple(np.nan if value is None else value for value in row) for row in rows])


def test_every_beat_comes_back_as_it_was(engine, build_result):
    result = build_result(500)
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, result, "task-1")
        beats = result.beats
        numbers = _stored(
            conn,
            "scoring_run_id, beat_index, r_sample, r_time_s, rr_prev_ms, rr_next_ms, deviation_z, "
            + ", ".join(f"probability_{name.lower()}" for name in CLASSES),
            "beat",
        )
        stored = conn.execute(text('SELECT "class", analysable FROM ecg.beat ORDER BY beat_index')).all()
    expected = np.column_stack(
        [
            np.full(500, run_id),
            np.arange(500),
            beats.r_sample,
            beats.r_time_s,
            beats.rr_prev_ms,
            beats.rr_next_ms,
            beats.deviation,
            beats.probabilities,
        ]
    )
    # float4 is printed with its shortest digits: compare as float32.
    np.testing.assert_array_equal(numbers[:, 4:].astype(np.float32), expected[:, 4:].astype(np.float32))
    np.testing.assert_array_equal(numbers[:, :4], expected[:, :4])
    assert [row[0] for row in stored] == [CLASSES[i] for i in beats.class_index]
    assert [row[1] for row in stored] == beats.analysable.tolist()


def test_attributions_quality_chosen_beats_and_episodes_come_back(engine, build_result):
    result = build_result(200)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "task-1")
        abnormal = result.beats.analysable & (result.beats.class_index != 0)
        for given in result.attributions:
            where = f"attribution WHERE method = '{given.method}'"
            shares = _stored(conn, "before_qrs_share, qrs_share, after_qrs_share", where)
            np.testing.assert_array_equal(shares.astype(np.float32), given.segment_shares[abnormal])
            explained = conn.execute(text(f"SELECT class, beat_index FROM ecg.{where} ORDER BY beat_index")).tuples()
            rows = np.flatnonzero(abnormal).tolist()
            assert list(explained) == [(CLASSES[result.beats.class_index[row]], row) for row in rows]
        quality = _stored(conn, "quality_index, analysable, start_s", "signal_quality", "epoch_index, lead_index")
        np.testing.assert_array_equal(quality[:, 0].astype(np.float32), result.quality.index.ravel())
        np.testing.assert_array_equal(quality[:, 1].astype(bool), result.quality.analysable.ravel())
        assert quality[2, 2] == 10.0
        for chosen in result.chosen:
            beat = conn.execute(
                text("SELECT * FROM ecg.chosen_beat WHERE beat_index = :beat"), {"beat": chosen.beat_index}
            ).one()
            np.testing.assert_array_equal(np.float32(beat.waveform_mv), chosen.waveform_mv)
            np.testing.assert_array_equal(np.float32(beat.counterpart_mv), chosen.counterpart_mv)
            np.testing.assert_array_equal(np.float32(beat.template_mv), chosen.template_mv)
            assert beat.chosen_reason == chosen.reason
            samples = conn.execute(
                text(
                    "SELECT method, sample_values, context_values FROM ecg.attribution_sample WHERE beat_index = :beat"
                ),
                {"beat": chosen.beat_index},
            ).all()
            assert {row.method for row in samples} == set(chosen.attributions)
            for row in samples:
                np.testing.assert_array_equal(np.float32(row.sample_values), chosen.attributions[row.method])
                assert row.context_values == (chosen.context_shap if row.method == FEATURE_METHOD else None)
        episode = conn.execute(text("SELECT * FROM ecg.rhythm_episode")).one()
        assert (episode.kind, episode.first_beat_index, episode.last_beat_index) == ("v_run", 1, 3)


def test_the_run_counts_analysable_beats_by_class(engine, build_result):
    result = build_result(300)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "task-1")
        run = conn.execute(text("SELECT * FROM ecg.scoring_run")).mappings().one()
    beats = result.beats
    assert run["n_beats"] == 300
    assert run["n_beats_analysable"] == int(beats.analysable.sum())
    for i, name in enumerate(CLASSES):
        assert run[f"n_class_{name.lower()}"] == int(((beats.class_index == i) & beats.analysable).sum())
    assert (run["primary_lead"], run["max_heart_rate_bpm"], run["min_heart_rate_at_s"]) == ("MLII", 110.0, 10.0)


def test_writing_twice_changes_nothing(engine, build_result):
    with engine.begin() as conn:
        assert write_result.write_result(conn, build_result(), "task-1") is not None
    with engine.begin() as conn:
        before = counts(conn)
        assert write_result.write_result(conn, build_result(), "task-2") is None
        assert counts(conn) == before
        assert conn.execute(text("SELECT scored_by FROM ecg.scoring_run")).scalar_one() == "task-1"


def test_another_version_and_another_recording_are_runs_of_their_own(engine, build_result):
    with engine.begin() as conn:
        runs = {
            write_result.write_result(conn, result, "task-1")
            for result in (build_result(), build_result(version="cnn-test-2"), build_result(seed=1))
        }
        assert len(runs) == 3
        found = counts(conn)
        assert (found["recording"], found["patient"], found["model_version"]) == (2, 2, 2)
        assert found["beat"] == 150


def test_a_second_writer_waits_for_the_first_and_then_writes_nothing(engine, build_result):
    import threading

    outcome: list[int | None] = []

    def write_second() -> None:
        with engine.begin() as conn:
            outcome.append(write_result.write_result(conn, build_result(), "second"))

    with engine.begin() as conn:
        write_result.write_result(conn, build_result(), "first")
        second = threading.Thread(target=write_second)
        second.start()
        second.join(0.3)
        assert outcome == []
    second.join(10)
    assert outcome == [None]


@pytest.mark.parametrize("killed_after", ["result", "report"])
def test_a_transaction_that_ends_in_the_middle_leaves_nothing(engine, build_result, killed_after):
    with engine.connect() as conn:
        before = counts(conn)
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        run_id = write_result.write_result(conn, build_result(), "task-1")
        if killed_after == "report":
            _report(conn, run_id)
        with engine.begin() as killer:
            killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        conn.invalidate()
    with engine.connect() as conn:
        assert counts(conn) == before


def test_nan_is_null(engine, build_result):
    result = build_result(5)
    nothing = np.full((5, 3), np.nan, np.float32)
    deviation = np.array([1.5, np.nan, -0.5, np.nan, np.nan], np.float32)
    waveform = result.chosen[0].waveform_mv.copy()
    waveform[7] = np.nan
    result = dataclasses.replace(
        _with_beats(result, deviation=deviation),
        attributions=(dataclasses.replace(result.attributions[0], segment_shares=nothing),),
        chosen=(dataclasses.replace(result.chosen[0], waveform_mv=waveform, context_shap={"rr": float("nan")}),),
        rhythm=dataclasses.replace(
            result.rhythm, heart_rate=dataclasses.replace(result.rhythm.heart_rate, min_bpm=float("nan"))
        ),
    )
    with engine.begin() as conn:
        write_result.write_result(conn, result, "task-1")
        beats = conn.execute(text("SELECT rr_prev_ms, rr_next_ms, deviation_z FROM ecg.beat ORDER BY beat_index")).all()
        assert [row.deviation_z for row in beats] == [1.5, None, -0.5, None, None]
        assert (beats[0].rr_prev_ms, beats[-1].rr_next_ms) == (None, None)
        assert beats[1].rr_prev_ms is not None
        shares = "SELECT count(before_qrs_share) + count(qrs_share) + count(after_qrs_share) FROM ecg.attribution"
        assert conn.execute(text(shares)).scalar_one() == 0
        assert conn.execute(text("SELECT waveform_mv[8] FROM ecg.chosen_beat")).scalar_one() is None
        context = "SELECT context_values FROM ecg.attribution_sample WHERE method = 'shap'"
        assert conn.execute(text(context)).scalar_one() == {"rr": None}
        assert conn.execute(text("SELECT min_heart_rate_bpm FROM ecg.scoring_run")).scalar_one() is None


def test_a_recording_without_beats_is_a_result(engine, build_result):
    with engine.begin() as conn:
        assert write_result.write_result(conn, build_result(0), "task-1") is not None
        assert counts(conn)["beat"] == 0
        assert counts(conn)["signal_quality"] == 2


def test_rounding_errors_of_probabilities_pass_and_wrong_ones_do_not(engine, build_result):
    result = build_result(3)
    probabilities = result.beats.probabilities.copy()
    probabilities[0] = (1 + 2e-7, -2e-7, 0, 0, 0)
    with engine.begin() as conn:
        write_result.write_result(conn, _with_beats(result, probabilities=probabilities), "task-1")
    probabilities[0] = (1.01, 0, 0, 0, 0)
    with engine.connect() as conn, pytest.raises(StoreError, match="beat_probability_n_check"):
        write_result.write_result(conn, _with_beats(build_result(3, seed=1), probabilities=probabilities), "task-1")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda result: _with_beats(result, class_index=np.full(4, -1, np.int8)),
        lambda result: _with_beats(result, class_index=np.full(4, 5, np.int8)),
        lambda result: _with_beats(result, deviation=np.zeros(3, np.float32)),
        lambda result: _with_beats(result, probabilities=np.zeros((4, 4), np.float32)),
        lambda result: dataclasses.replace(
            result,
            attributions=(
                dataclasses.replace(result.attributions[0], segment_shares=np.full((3, 3), 1 / 3, np.float32)),
            ),
        ),
    ],
    ids=["class below", "class above", "short column", "four classes", "short attribution"],
)
def test_arrays_that_do_not_fit_are_refused(engine, build_result, spoil):
    result = spoil(build_result(4))
    with engine.connect() as conn:
        with pytest.raises(ValueError, match=r"shape|class_index|one length"):
            write_result.write_result(conn, result, "task-1")
        conn.rollback()
        assert sum(counts(conn).values()) == 0


@pytest.mark.parametrize(
    "hostile",
    [
        "'); DROP TABLE ecg.beat; --",
        "nul\0nul",
        "\udcff",
        "<script>{{ 7*7 }}</script>",
        "\u202e\t\n\\N{}",
        "x" * 10_000,
    ],
)
def test_hostile_texts_of_a_file_are_stored_as_text(engine, build_result, hostile):
    result = build_result(
        4, lead_names=(hostile, "V1"), device=hostile, patient_pseudonym=hostile, source_format=hostile
    )
    with engine.begin() as conn:
        write_result.write_result(conn, result, "task-1")
        stored = conn.execute(text("SELECT lead_names[1], device, patient_pseudonym FROM ecg.recording")).one()
        assert set(stored) == {hostile.replace("\0", "\\x00").replace("\udcff", "\\udcff")}


def test_start_time_is_kept_as_the_file_says(engine, build_result):
    wall = datetime(2024, 3, 31, 2, 30)
    given = (None, wall, wall.replace(tzinfo=timezone(timedelta(hours=2))))
    with engine.begin() as conn:
        for seed, start in enumerate(given):
            write_result.write_result(
                conn, build_result(4, seed=seed, start_time=start, patient_pseudonym=None), "task-1"
            )
        stored = conn.execute(
            text("SELECT start_time, start_utc_offset_s FROM ecg.recording ORDER BY stored_at")
        ).tuples()
        assert list(stored) == [(None, None), (wall, None), (wall, 7200)]
        assert counts(conn)["patient"] == 0


def test_a_report_replaces_the_one_before_and_never_stands_alone(engine, build_result):
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, build_result(), "task-1")
        first = _report(conn, run_id)
        assert _report(conn, run_id, path="ab/new.html") == first
        assert conn.execute(text("SELECT path FROM ecg.report")).scalar_one() == "ab/new.html"
        assert conn.execute(text("SELECT stage_seconds FROM ecg.scoring_run")).scalar_one() == {"store": 0.5}
        with pytest.raises(StoreError, match="no scoring run"):
            _report(conn, run_id + 1)


def test_a_days_recording_goes_in_whole(engine: Engine, build_result):
    n_beats = 100_000
    result = build_result(n_beats)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "task-1")
        found = counts(conn)
        abnormal = int((result.beats.analysable & (result.beats.class_index != 0)).sum())
        assert (found["beat"], found["attribution"]) == (n_beats, 2 * abnormal)
        total = conn.execute(text("SELECT sum(r_sample), sum(deviation_z::double precision) FROM ecg.beat")).one()
    assert total[0] == int(result.beats.r_sample.sum())
    assert total[1] == pytest.approx(float(result.beats.deviation.astype(np.float64).sum()), rel=1e-5)


def test_binary_rows_follow_the_published_format():
    # Two rows of an int32 and a float4, the second's float unknown: PostgreSQL's documentation of COPY.
    rows = binary_copy.binary_rows({"a": np.array([1, 2], np.int32), "b": np.array([0.5, np.nan], np.float32)})
    first = b"\0\x02" + b"\0\0\0\x04\0\0\0\x01" + b"\0\0\0\x04\x3f\0\0\0"
    assert rows == first + b"\0\x02" + b"\0\0\0\x04\0\0\0\x02" + b"\xff\xff\xff\xff"


def test_records_follow_the_published_format_whatever_their_columns():
    # A float4[] with an unknown value: one dimension, has NULLs, OID 700, two values from index 1.
    array = b"\0\0\0\x01" + b"\0\0\0\x01" + b"\0\0\x02\xbc" + b"\0\0\0\x02" + b"\0\0\0\x01"
    array += b"\0\0\0\x04\x3f\0\0\0" + b"\xff\xff\xff\xff"
    samples = np.array([0.5, np.nan], np.float32)
    record = {"method": "sha\0p", "sample_values": samples, "context_values": None}
    rows = binary_copy.binary_records(tables.attribution_sample, [record])
    method = b"\0\0\0\x08sha\\x00p"
    assert rows == b"\0\x03" + method + len(array).to_bytes(4) + array + b"\xff\xff\xff\xff"
    with pytest.raises(ValueError, match="columns"):
        binary_copy.binary_records(tables.attribution_sample, [record, {"method": "lime"}])


def test_texts_that_do_not_fill_their_width_are_refused():
    with pytest.raises(ValueError, match="fill their width"):
        binary_copy.binary_rows({"method": np.array([b"shap", b"gradcam"])})


def test_the_mart_spells_prediction_sets_and_says_what_is_inconclusive(engine, build_result):
    result = build_result(40, seed=5)
    in_set = np.zeros((40, 5), np.bool_)
    in_set[:, 0] = True
    in_set[3] = (True, True, False, False, True)
    in_set[4] = False
    analysable = np.ones(40, np.bool_)
    analysable[5] = False
    with engine.begin() as conn:
        write_result.write_result(conn, _with_beats(result, in_set=in_set, analysable=analysable), "test")
        rows = conn.execute(
            text("SELECT prediction_set, inconclusive FROM ecg_mart.beat ORDER BY beat_index LIMIT 7")
        ).all()
    assert rows[2:] == [("N", False), ("NSQ", True), ("", True), ("N", True), ("N", False)]


def test_a_set_for_other_beats_is_refused(engine, build_result):
    result = build_result(10)
    with engine.begin() as conn, pytest.raises(ValueError, match="in_set has shape"):
        write_result.write_result(conn, _with_beats(result, in_set=result.beats.in_set[:-1]), "test")


def test_shapley_values_are_segments_of_the_mart(engine, build_result):
    result = build_result(300, seed=3)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "test")
        rows = conn.execute(
            text(
                "SELECT beat_index, segment, share, log_odds, class, segment_start_ms "
                "FROM ecg_mart.attribution_segment WHERE method = 'shapley'"
            )
        ).all()
    given = result.shapley
    assert len(rows) == given.values.size > 0
    for row in rows:
        [i] = np.flatnonzero(given.beat_index == row.beat_index)
        value = given.values[i, PLAYERS.index(row.segment)]
        assert row.log_odds == pytest.approx(float(value), rel=1e-6), "a real, printed in its shortest form"
        assert row.share == pytest.approx(abs(value) / np.abs(given.values[i]).sum(), rel=1e-5)
        assert row._mapping["class"] == CLASSES[result.beats.class_index[row.beat_index]]
        assert row.segment_start_ms is None


def test_shapley_values_of_another_shape_are_refused(engine, build_result):
    result = build_result(60, seed=4)
    cut = dataclasses.replace(result, shapley=ShapleyValues(result.shapley.beat_index, result.shapley.values[:, :5]))
    with engine.begin() as conn, pytest.raises(ValueError, match="shapley"):
        write_result.write_result(conn, cut, "test")


def test_shapley_values_that_are_not_finite_are_refused(engine, build_result):
    result = build_result(60, seed=5)
    values = result.shapley.values.copy()
    values[0, 0] = np.nan
    with pytest.raises(StoreError), engine.begin() as conn:
        write_result.write_result(
            conn, dataclasses.replace(result, shapley=ShapleyValues(result.shapley.beat_index, values)), "test"
        )


def test_intervals_reach_the_mart_and_qt_is_corrected_there(engine, build_result):
    result = build_result(60, seed=5)
    with engine.begin() as conn:
        write_result.write_result(conn, result, "task-1")
    with engine.connect() as conn:
        columns = "pr_ms, qrs_duration_ms, qt_ms, qtc_bazett_ms, qtc_fridericia_ms"
        beats = conn.execute(text(f"SELECT {columns} FROM ecg_mart.beat ORDER BY beat_index")).all()
        score = conn.execute(text("SELECT * FROM ecg_mart.score")).mappings().one()
    found = np.array(beats, dtype=np.float32)
    assert np.array_equal(found[:, :3], result.beats.intervals_ms, equal_nan=True)
    corrected = np.column_stack(corrected_qt(result.beats.intervals_ms[:, 2], result.beats.rr_prev_ms))
    assert np.allclose(found[:, 3:], corrected, rtol=1e-5, equal_nan=True)
    for name, summary in summarise(result.beats, result.rhythm.episodes).items():
        assert score[f"median_{name}"] == pytest.approx(summary.median_ms, rel=1e-6)
    assert score["n_beats_with_qt"] == summarise(result.beats, result.rhythm.episodes)["qt_ms"].n_beats


def test_intervals_of_another_shape_or_below_zero_are_refused(engine, build_result):
    result = build_result(20)
    with engine.begin() as conn, pytest.raises(ValueError, match="intervals_ms"):
        write_result.write_result(conn, _with_beats(result, intervals_ms=result.beats.intervals_ms[:, :2]), "task-1")
    with pytest.raises(StoreError), engine.begin() as conn:
        write_result.write_result(conn, _with_beats(result, intervals_ms=-result.beats.intervals_ms), "task-1")
