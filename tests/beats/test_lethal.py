"""What kills, joined."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.hard_rhythms import make
from ecg_core.beats.lethal import LethalRhythms, find_lethal
from ecg_core.formats import read_recording
from ecg_core.models.ventricular import shipped_trees
from ecg_core.recording import Recording
from ecg_core.signal import assess_quality, clean, delineate, detect_r_peaks

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
CASES = MIRROR.parent / "cases" / "rhythms"


def walked(recording: Recording) -> tuple[LethalRhythms, np.ndarray]:
    signal = clean(recording)
    quality = assess_quality(recording, signal)
    r_index = detect_r_peaks(signal, quality)
    r_time_s = r_index / 250
    good = np.ones(r_index.size, dtype=bool)
    waves_ms = delineate(signal, quality, r_index)
    return find_lethal(recording, signal, r_time_s, waves_ms, good, shipped_trees()), r_time_s


@pytest.fixture
def case():
    if not CASES.is_dir():
        pytest.skip("the case table is not beside the PhysioNet mirror")
    return lambda name: walked(read_recording(CASES / f"{name}.hea", pseudonym_key=b""))


def test_fibrillation_hides_its_beats_and_its_rate(case):
    lethal, r_time_s = case("c5_vf_whole")
    assert lethal.without_beats(r_time_s).all()
    assert lethal.named == ()
    assert [s.kind for s in lethal.standstills if s.kind == "pause"] == []


def test_beats_in_tachycardia_are_ventricular(case):
    lethal, r_time_s = case("d1_vt45")
    inside = (r_time_s > 42) & (r_time_s < 84)
    probability = lethal.ventricular_probability(r_time_s)
    assert (probability[inside] > 0.5).all()
    assert not probability[(r_time_s < 39) | (r_time_s > 87)].any()
    assert not lethal.without_beats(r_time_s).any()


def test_a_pause_keeps_the_beats_at_its_ends(case):
    lethal, _ = case("a8_asystole12")
    (pause,) = lethal.standstills
    times = np.array([pause.start_s, 45.0, 50.0, pause.end_s])
    assert lethal.without_beats(times).tolist() == [False, True, True, False]


def test_pacing_is_seen(case):
    lethal, _ = case("j3_vpace60_tall")
    assert lethal.spikes is not None
    assert {s.kind for s in lethal.named} == {"wide_complex_rhythm"}


def test_no_beat_and_no_signal():
    nothing = Recording("x", np.full((5000, 2), np.nan, np.float32), 250.0, ("II", "V1"), "made")
    lethal = find_lethal(
        nothing, clean(nothing), np.empty(0), np.empty((0, 8), np.float32), np.empty(0, dtype=bool), shipped_trees()
    )
    assert lethal.ventricular == ()
    assert [s.kind for s in lethal.standstills] == ["lost_contact"]
    assert lethal.without_beats(np.empty(0)).size == 0


def test_a_wide_tachycardia_whose_t_wave_passes_for_a_p_wave_is_named():
    lethal, _ = walked(make("vt_whole", 88).recording)
    assert [stretch.kind for stretch in lethal.named] == ["wide_complex_tachycardia"]


def test_where_conducted_beats_stop_and_the_signal_comes_again_it_is_tachycardia():
    hard = make("vt_sustained", 66)
    lethal, r_time_s = walked(hard.recording)
    assert [v.kind for v in lethal.ventricular if v.likely] in (["vt"], [])
    inside = (r_time_s > hard.start_s + 0.5) & (r_time_s < hard.end_s - 0.5)
    assert (lethal.ventricular_probability(r_time_s)[inside] > 0).mean() > 0.9


def test_fibrillation_ends_where_conducted_beats_are():
    hard = make("polymorphic_vt", 56)
    lethal, _ = walked(hard.recording)
    (stretch,) = (v for v in lethal.ventricular if v.likely)
    assert (stretch.start_s, stretch.end_s) == pytest.approx((hard.start_s, hard.end_s), abs=1.1)


def test_marks_of_noise_are_told_and_those_of_beats_are_not():
    header = MIRROR / "challenge-2017" / "1.0.0" / "training" / "A00" / "A00022.hea"
    if not header.is_file():
        pytest.skip("the Challenge of 2017 is not in the PhysioNet mirror")
    lethal, r_time_s = walked(read_recording(header, pseudonym_key=b""))
    assert lethal.noise_s.size > 0.8 * r_time_s.size
    lethal, _ = walked(make("svt", 5).recording)
    assert lethal.noise_s.size == 0
