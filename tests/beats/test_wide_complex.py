"""Rhythms named by rate and QRS width alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from ecg_core.beats.families import Families, find_families
from ecg_core.beats.wide_complex import RateAndWidth, name_by_rate_and_width
from ecg_core.formats import read_recording
from ecg_core.recording import Recording
from ecg_core.result import WAVE_POINTS
from ecg_core.signal import analyse

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
CASES = MIRROR.parent / "cases" / "rhythms"


def named(recording: Recording) -> tuple[RateAndWidth, ...]:
    analysis = analyse(recording)
    waves_ms, r_index = analysis.waves_ms(), analysis.r_index
    rr_ms = (4.0 * np.diff(r_index, prepend=np.nan)).astype(np.float32)
    good = np.ones(r_index.size, dtype=bool)
    families = find_families(analysis.cleaned.signal_mv, r_index, rr_ms, waves_ms, good)
    return name_by_rate_and_width(r_index / 250, families, waves_ms, good, ~good)


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


@pytest.mark.parametrize("record", ["101", "106", "115", "119", "220"])
def test_nothing_fast_is_named_in_real_records_without_it(mitdb: Path, record: str):
    """Bundle branch block apart, and 119 and 106 have wide beats in plenty, but not in a row."""
    found = named(read_recording(mitdb / f"{record}.hea", pseudonym_key=b""))
    assert [s for s in found if s.kind.endswith("tachycardia") and s.end_s - s.start_s > 5] == []


def test_a_real_ventricular_tachycardia_is_named(mitdb: Path):
    """Record 223's minute of 110/min, which its annotators call V beat by beat; the classifier calls half of it N."""
    found = named(read_recording(mitdb / "223.hea", pseudonym_key=b""))
    (stretch,) = (s for s in found if s.kind == "wide_complex_tachycardia" and s.end_s - s.start_s > 30)
    assert stretch.unlike_conducted
    assert (stretch.start_s, stretch.end_s) == pytest.approx((578.5, 632.7), abs=3)


def one_family(n: int, qrs_ms: float, with_p: bool) -> Families:
    """Beats of one shape, none of them conducted."""
    none = np.zeros(n, dtype=bool)
    width = np.array([qrs_ms])
    return Families(np.zeros(n, int), np.zeros(n), width, np.array([with_p]), None, none, np.ones(1), np.zeros(1))


def named_of(r_time_s: np.ndarray, families: Families, good: np.ndarray) -> list[tuple[str, int, int]]:
    no_waves = np.full((good.size, len(WAVE_POINTS)), np.nan, np.float32)
    found = name_by_rate_and_width(r_time_s, families, no_waves, good, ~good)
    return [(s.kind, s.first_beat, s.last_beat) for s in found]


def test_p_waves_speak_against_it_and_unknown_widths_say_nothing():
    good = np.ones(60, dtype=bool)
    r_time_s = np.arange(60) * 0.55
    assert named_of(r_time_s, one_family(60, 160, False), good) == [("wide_complex_tachycardia", 0, 59)]
    assert named_of(r_time_s, one_family(60, 160, True), good) == []
    assert named_of(r_time_s, one_family(60, np.nan, False), good) == []
    assert named_of(r_time_s, one_family(60, 160, False), ~good) == []
    assert named_of(np.empty(0), one_family(0, 160, False), good[:0]) == []
    for count in range(1, 12):
        named_of(r_time_s[:count], one_family(count, 160, False), good[:count])


def test_in_a_fast_rhythm_what_looks_like_a_p_wave_is_none():
    good = np.ones(60, dtype=bool)
    assert named_of(np.arange(60) * 0.45, one_family(60, 160, True), good) == [("wide_complex_tachycardia", 0, 59)]


def test_a_stretch_ends_at_a_gap():
    r_time_s = np.concatenate([np.arange(20) * 0.5, 20 + np.arange(20) * 0.5])
    found = named_of(r_time_s, one_family(40, 160, False), np.ones(40, dtype=bool))
    assert [(first, last) for _, first, last in found] == [(0, 19), (20, 39)]


def test_what_is_irregular_is_not_named():
    r_time_s = np.cumsum(np.tile([0.35, 0.6, 0.45, 0.7], 10))
    assert named_of(r_time_s, one_family(40, 160, False), np.ones(40, dtype=bool)) == []


def test_single_beats_of_no_family_make_no_row_irregular():
    good = np.ones(17, dtype=bool)
    families = one_family(17, 140, False)
    families.of_beat[[3, 8, 12]] = -1
    assert named_of(np.arange(17) * 1.55, families, good) == [("wide_escape", 0, 16)]
