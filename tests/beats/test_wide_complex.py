"""Rhythms named by rate and QRS width alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from ecg_core.beats.wide_complex import RateAndWidth, name_by_rate_and_width
from ecg_core.formats import read_recording
from ecg_core.recording import Recording
from ecg_core.result import WAVE_POINTS
from ecg_core.signal import assess_quality, clean, delineate, detect_r_peaks

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
CASES = MIRROR.parent / "cases" / "rhythms"


def named(recording: Recording) -> tuple[RateAndWidth, ...]:
    signal = clean(recording)
    quality = assess_quality(recording, signal)
    r_index = detect_r_peaks(signal, quality)
    return name_by_rate_and_width(r_index / 250, delineate(signal, quality, r_index), np.ones(r_index.size, dtype=bool))


@pytest.mark.parametrize(
    ("name", "kind", "rate_bpm"),
    [
        ("e2_vt_whole150", "wide_complex_tachycardia", 150),
        ("d1_vt45", "wide_complex_tachycardia", 170),
        ("d15_aivr80", "wide_complex_rhythm", 80),
        ("b1_chb_wide", "wide_escape", 38),
        ("f1_svt190", "narrow_tachycardia", 190),
    ],
)
def test_the_cases(name: str, kind: str, rate_bpm: float):
    if not CASES.is_dir():
        pytest.skip("the case table is not beside the PhysioNet mirror")
    (stretch,) = named(read_recording(CASES / f"{name}.hea", pseudonym_key=b""))
    assert stretch.kind == kind
    assert stretch.rate_bpm == pytest.approx(rate_bpm, abs=3)
    assert stretch.fills_recording == (name == "e2_vt_whole150")


@pytest.mark.parametrize("record", ["101", "106", "115", "119", "220", "223"])
def test_nothing_fast_is_named_in_real_records_without_it(mitdb: Path, record: str):
    """Bundle branch block apart, and 119 and 106 have wide beats in plenty, but not in a row."""
    found = named(read_recording(mitdb / f"{record}.hea", pseudonym_key=b""))
    assert [s for s in found if s.kind.endswith("tachycardia") and s.end_s - s.start_s > 5] == []


def waves(n: int, qrs_ms: float, with_p: bool) -> np.ndarray:
    points = np.full((n, len(WAVE_POINTS)), np.nan, np.float32)
    points[:, WAVE_POINTS.index("qrs_on")] = -qrs_ms / 2
    points[:, WAVE_POINTS.index("qrs_off")] = qrs_ms / 2
    if with_p:
        points[:, WAVE_POINTS.index("p_peak")] = -160
    return points


def test_p_waves_speak_against_it_and_unknown_widths_say_nothing():
    r_time_s = np.arange(60) * 0.5
    good = np.ones(60, dtype=bool)
    (found,) = name_by_rate_and_width(r_time_s, waves(60, 160, False), good)
    assert found.kind == "wide_complex_tachycardia"
    assert name_by_rate_and_width(r_time_s, waves(60, 160, True), good) == ()
    assert name_by_rate_and_width(r_time_s, waves(60, np.nan, False), good) == ()
    assert name_by_rate_and_width(r_time_s, waves(60, 160, False), ~good) == ()
    assert name_by_rate_and_width(np.empty(0), waves(0, 160, False), np.empty(0, dtype=bool)) == ()
    for count in range(1, 12):
        name_by_rate_and_width(r_time_s[:count], waves(count, 160, False), good[:count])


def test_a_stretch_ends_at_a_gap():
    r_time_s = np.concatenate([np.arange(20) * 0.5, 20 + np.arange(20) * 0.5])
    found = name_by_rate_and_width(r_time_s, waves(40, 160, False), np.ones(40, dtype=bool))
    assert [(s.first_beat, s.last_beat) for s in found] == [(0, 19), (20, 39)]
