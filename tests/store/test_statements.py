"""What files and devices state: kept apart, found in the mart, and added to recordings of before when scored again."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from benchmarks.made_up import DOUBTS, STATED
from ecg_core.errors import RowRefused
from ecg_core.recording import Stated
from ecg_core.store import read_result, write_result


def test_analysts_find_age_sex_doubts_and_the_devices_words(engine, build_result):
    with engine.begin() as conn:
        write_result.write_result(conn, build_result(20), "test")
        columns = "age_years, sex, pacemaker"
        assert tuple(conn.execute(text(f"SELECT {columns} FROM ecg_mart.recording")).one()) == (*(71, "female", False),)
        doubts = conn.execute(text("SELECT code, text FROM ecg_mart.recording_doubt")).all()
        assert [tuple(row) for row in doubts] == list(DOUBTS)
        said = conn.execute(
            text("SELECT kind, text, measured_value, at_s, code, unit FROM ecg_mart.device_statement ORDER BY place")
        ).all()
    assert [tuple(row) for row in said] == [
        ("statement", "sinus rhythm", None, None, None, None),
        ("statement", "left axis deviation", None, None, None, None),
        ("filter", "high pass 0.05 Hz", None, None, None, None),
        ("symptom", "palpitations", None, None, None, None),
        ("measurement", "qt_ms", 402.5, None, None, None),
        ("measurement", "heart_rate_per_min", 71.0, None, None, None),
        ("event", "symptom button", None, 4.5, None, None),
        ("indication", "palpitations", None, None, None, None),
        ("indication", "chest pain (SCT 29857009)", None, None, None, None),
        ("drug", "digoxin", 0.25, None, "ATC C01AA05", "mg"),
        ("drug", "beta blocker", None, None, None, None),
        ("drug", "SCT 387461009", None, None, "SCT 387461009", None),
    ]


def test_a_recording_of_before_gets_them_when_it_is_scored_again(engine, build_result):
    silent = build_result(20, stated=Stated(), doubts=())
    later = replace(build_result(20), model=replace(silent.model, version="made-up-2"))
    with engine.begin() as conn:
        write_result.write_result(conn, silent, "test")
        conn.execute(text("UPDATE ecg.recording SET file_lead_names = NULL"))
        run_id = write_result.write_result(conn, later, "test")
        again = replace(later, model=replace(silent.model, version="made-up-3"))
        write_result.write_result(conn, again, "test")
        recording = read_result.read_result(conn, run_id).recording
    assert (recording.stated, recording.doubts) == (STATED, DOUBTS)


def test_no_age_above_90_is_stored(engine, build_result):
    with pytest.raises(RowRefused), engine.begin() as conn:
        write_result.write_result(conn, build_result(20, stated=replace(STATED, age_years=93)), "test")
