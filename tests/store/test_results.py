"""What is written comes back to the last bit that a report shows; the signal comes back whole."""

import zlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import select, text, update

from ecg_core.errors import StoreError
from ecg_core.result import MOST_STEPS, RawExcerpt, RhythmEpisode, from_steps, snap_to_steps, to_steps
from ecg_core.result.findings import with_findings
from ecg_core.store import read_result, signals, tables, write_result


def test_steps_are_undone_to_the_bit():
    random = np.random.default_rng(4)
    signal = random.normal(0, 2, 10_000).astype(np.float32)
    signal[:3] = (np.nan, 1000.0, -1000.0)
    drawn = snap_to_steps(signal.copy())
    assert np.nanmax(np.abs(drawn[3:] - signal[3:])) <= 0.00251
    again = from_steps(to_steps(drawn))
    assert np.array_equal(again.view(np.uint32), drawn.view(np.uint32)) or np.array_equal(again, drawn, equal_nan=True)
    assert drawn[1] == from_steps(np.array([MOST_STEPS], np.int16))[0]


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_packing_loses_nothing_however_wild_the_signal(n):
    steps = np.random.default_rng(n).integers(-32768, 32768, n).astype(np.int16)
    assert np.array_equal(signals.unpack(signals.pack(steps), n), steps)


@pytest.mark.parametrize("packed", [b"", b"nonsense", zlib.compress(b"ab"), zlib.compress(bytes(10_000_000))])
def test_damaged_samples_are_an_error(packed):
    with pytest.raises(StoreError):
        signals.unpack(packed, 100)


@pytest.fixture
def signal_result(build_result):
    """Two hours and a bit of two leads, one of them with a gap, and a start with a time zone."""
    n = 2 * signals.CHUNK_SAMPLES + 77
    signal = np.random.default_rng(1).normal(0, 0.3, (n, 2)).astype(np.float32)
    signal[5000:6000, 1] = np.nan
    raw = RawExcerpt(3.5, 360.0, np.array([0.1, np.nan, -2.5], np.float32))
    start = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=-3)))
    result = build_result(30, seed=1, start_time=start, lead_names=("ECG", "ECG"))
    quality = replace(result.quality, primary_lead=1)
    af = np.array([0.1, np.nan, 0.9], np.float32)
    fibrillation = RhythmEpisode("atrial_fibrillation", 2.0, 9.0, 2, 9, 90.0, float(np.float32(0.9)))
    rhythm = replace(result.rhythm, episodes=(*result.rhythm.episodes, fibrillation))
    result = replace(result, chosen=tuple(replace(beat, own_reference=False) for beat in result.chosen))
    result = replace(result, signal_mv=snap_to_steps(signal), raw=raw, quality=quality, af=af, rhythm=rhythm)
    return with_findings(result)


def test_a_result_comes_back_as_it_was_written(engine, signal_result):
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, signal_result, "task-1")
        assert read_result.find_scoring_run(conn, signal_result.recording.recording_id[:9]) == run_id
        back = read_result.read_result(conn, run_id)
    assert back.recording == signal_result.recording
    assert np.array_equal(back.signal_mv, signal_result.signal_mv, equal_nan=True)
    for name in back.beats.__dataclass_fields__:
        wanted = getattr(signal_result.beats, name)
        assert np.array_equal(getattr(back.beats, name), wanted, equal_nan=wanted.dtype.kind == "f"), name
        assert getattr(back.beats, name).dtype == wanted.dtype, name
    assert np.array_equal(back.quality.index, signal_result.quality.index)
    assert np.array_equal(back.quality.analysable, signal_result.quality.analysable)
    assert (back.quality.primary_lead, back.quality.epoch_s) == (1, 10.0)
    assert back.quality.filters == signal_result.quality.filters
    assert back.rhythm == signal_result.rhythm
    assert back.findings == signal_result.findings
    assert len(back.findings) > 2
    assert np.array_equal(back.af, signal_result.af, equal_nan=True)
    assert [c.beat_index for c in back.chosen] == [c.beat_index for c in signal_result.chosen]
    for chosen, wanted in zip(back.chosen, signal_result.chosen, strict=True):
        assert np.array_equal(chosen.waveform_mv, wanted.waveform_mv)
        assert set(chosen.attributions) == set(wanted.attributions)
        assert all(np.array_equal(chosen.attributions[m], wanted.attributions[m]) for m in wanted.attributions)
        assert chosen.context_shap == wanted.context_shap
        assert np.array_equal(chosen.waves_ms, wanted.waves_ms, equal_nan=True)
        assert list(chosen.shapley.items()) == list(wanted.shapley.items()), "in the order of a beat"
        assert list(chosen.lime.items()) == list(wanted.lime.items())
        assert chosen.deviation_by_wave == pytest.approx(wanted.deviation_by_wave, nan_ok=True)
        assert (chosen.blend.share, chosen.blend.turns_to) == (wanted.blend.share, wanted.blend.turns_to)
        assert chosen.blend.by_player == pytest.approx(wanted.blend.by_player, nan_ok=True)
        assert chosen.own_reference is wanted.own_reference is False
        assert np.array_equal(chosen.waves_ms, wanted.waves_ms, equal_nan=True)
    assert len(back.shapley) > 0
    assert np.array_equal(back.shapley.beat_index, signal_result.shapley.beat_index)
    assert np.array_equal(back.shapley.values, signal_result.shapley.values)
    assert [a.method for a in back.attributions] == [a.method for a in signal_result.attributions]
    assert back.model.version == signal_result.model.version
    assert np.isnan(back.model.figures["ds2.Q.sensitivity"])
    assert np.array_equal(back.raw.signal_mv, signal_result.raw.signal_mv, equal_nan=True)


def test_the_mart_tells_fibrillation_by_30_s_and_by_stretch(engine, signal_result):
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, signal_result, "task-1")
        asked = "SELECT window_index, start_s, af_probability FROM ecg_mart.fibrillation WHERE scoring_run_id = :run"
        rows = conn.execute(text(asked + " ORDER BY 1"), {"run": run_id}).all()
    assert [tuple(row) for row in rows] == [(0, 0, pytest.approx(0.1)), (1, 30, None), (2, 60, pytest.approx(0.9))]


def test_a_recording_without_beats_and_signal_comes_back(engine, build_result):
    with engine.begin() as conn:
        back = read_result.read_result(conn, write_result.write_result(conn, build_result(0), "task-1"))
    assert (len(back.beats), back.beats.probabilities.shape, back.signal_mv.shape) == (0, (0, 5), (0, 2))
    assert back.raw is None
    assert back.af.shape == (0,)


def test_another_scoring_run_takes_the_place_of_the_signal(engine, signal_result):
    other = replace(signal_result, model=replace(signal_result.model, version="cnn-test-2"))
    other = replace(other, signal_mv=other.signal_mv[:1000])
    with engine.begin() as conn:
        first = write_result.write_result(conn, signal_result, "task-1")
        second = write_result.write_result(conn, other, "task-1")
        assert read_result.read_result(conn, first).signal_mv.shape == (1000, 2)
        assert read_result.find_scoring_run(conn, signal_result.recording.recording_id) == second
        version = signal_result.model.version
        assert read_result.find_scoring_run(conn, signal_result.recording.recording_id, version) == first


@pytest.mark.parametrize("wanted", ["", "f" * 64, "%", "_"])
def test_what_was_not_scored_is_said(engine, signal_result, wanted):
    with engine.begin() as conn:
        write_result.write_result(conn, signal_result, "task-1")
        with pytest.raises(StoreError):
            read_result.find_scoring_run(conn, wanted)


def test_the_start_of_an_id_must_fit_one_recording(engine, build_result):
    with engine.begin() as conn:
        for letter in "ab":
            write_result.write_result(conn, build_result(0, recording_id="abc" + letter * 61), "task-1")
        with pytest.raises(StoreError, match="Several"):
            read_result.find_scoring_run(conn, "abc")


def test_damage_in_the_table_is_noticed(engine, signal_result):
    table = tables.recording_signal
    with engine.begin() as conn:
        run_id = write_result.write_result(conn, signal_result, "task-1")
        conn.execute(update(table).where(table.c.chunk_index == 1, table.c.lead_index == 0).values(n_samples=5))
        with pytest.raises(StoreError, match="damaged"):
            read_result.read_result(conn, run_id)
        assert conn.execute(select(table.c.samples).limit(1)).scalar_one()
