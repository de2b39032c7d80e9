"""Pauses, lost contact and what cannot be told, on recordings whose truth is known."""

import os
from pathlib import Path

import numpy as np
import pytest

from ecg_core.datasets.synth import synthesise
from ecg_core.formats import read_recording
from ecg_core.recording import Recording
from ecg_core.signal import clean
from ecg_core.signal.standstill import Standstill, find_contact, find_standstill

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
CASES = MIRROR.parent / "cases" / "rhythms"


@pytest.fixture
def cases() -> Path:
    if not CASES.is_dir():
        pytest.skip("the case table is not beside the PhysioNet mirror")
    return CASES


def found_in(recording: Recording) -> tuple[Standstill, ...]:
    cleaned = clean(recording)
    return find_standstill(cleaned, find_contact(recording, cleaned))


def pauses(found: tuple[Standstill, ...]) -> list[Standstill]:
    return [s for s in found if s.kind == "pause"]


@pytest.mark.parametrize(
    ("name", "start_s", "end_s"),
    [
        ("a1_asystole8", 39.59, 48.40),
        ("a3_asystole30mid", 44.47, 75.00),
        ("a4_pstanding8", 39.74, 48.90),
        ("a6_asystole4", 41.38, 46.00),
        ("a7_asystole6", 41.25, 48.00),
        ("a8_asystole12", 41.29, 54.00),
        ("t2_nocapture", 25.66, 29.94),
    ],
)
def test_one_pause_with_its_length(cases: Path, name: str, start_s: float, end_s: float):
    (pause,) = found_in(read_recording(cases / f"{name}.hea", pseudonym_key=b""))
    assert pause.kind == "pause"
    assert pause.start_s == pytest.approx(start_s, abs=0.3)
    assert pause.duration_s == pytest.approx(end_s - start_s, abs=0.3)
    assert pause.atrial_activity == (name == "a4_pstanding8")


def test_pauses_at_the_recordings_ends(cases: Path):
    first, last = found_in(read_recording(cases / "t4_pause_ends.hea", pseudonym_key=b""))
    assert first.at_start
    assert not first.at_end
    assert first.duration_s == pytest.approx(3.6, abs=0.3)
    assert last.at_end
    assert last.duration_s == pytest.approx(4.9, abs=0.3)


@pytest.mark.parametrize(
    ("name", "lengths_s"),
    [("v4_drop19", [1.9] * 4), ("n2_bothoff10", [10.0]), ("q4_nan20", [20.0]), ("s5_saturated", [5.0])],
)
def test_lost_contact_is_no_pause(cases: Path, name: str, lengths_s: list[float]):
    found = found_in(read_recording(cases / f"{name}.hea", pseudonym_key=b""))
    assert [s.kind for s in found] == ["lost_contact"] * len(lengths_s)
    assert [s.duration_s for s in found] == pytest.approx(lengths_s, abs=0.7)


@pytest.mark.parametrize(
    "name",
    ["k1_bigem_tinyII", "i1_sinus35", "m2_low15", "s9_gainsteps", "n3_leadswap", "c5_vf_whole", "o5_tremor", "d1_vt45"],
)
def test_nothing_is_said_of_what_beats(cases: Path, name: str):
    assert pauses(found_in(read_recording(cases / f"{name}.hea", pseudonym_key=b""))) == []


def test_real_recordings_have_the_pauses_of_their_beats(mitdb: Path):
    """Records 109, 119 and 201 (training patients): long pauses in 201 alone, of compensation and block."""
    import wfdb

    for name in ("109", "119", "201"):
        marks = wfdb.rdann(str(mitdb / name), "atr")
        beats = np.array([s for s, x in zip(marks.sample, marks.symbol, strict=True) if x in "NLRAaJVFejfQ"]) / 360
        true = [(beats[k], beats[k + 1]) for k in np.flatnonzero(np.diff(beats) >= 2.5)]
        said = pauses(found_in(read_recording(mitdb / f"{name}.hea", pseudonym_key=b"")))
        assert len(said) == len(true)
        for pause, (start, end) in zip(said, true, strict=True):
            assert (pause.start_s, pause.end_s) == pytest.approx((start, end), abs=0.2)


def with_gap(leads: tuple[int, ...], fill: str) -> Recording:
    """Sinus rhythm of a minute without what is between 20 and 26 s in some of three leads."""
    made = synthesise(60.0, sampling_rate_hz=250, n_leads=3, pvc_per_minute=0, sveb_per_minute=0, seed=5)
    signal = made.recording.signal.copy()
    here = slice(20 * 250, 26 * 250)
    rng = np.random.default_rng(1)
    for lead in leads:
        level = signal[here.start, lead]
        noise = 0.02 * rng.standard_normal(6 * 250) if fill == "noise" else np.zeros(6 * 250)
        signal[here, lead] = np.nan if fill == "nan" else level + noise
    return Recording("x", signal, 250.0, ("II", "V1", "V5"), "made", synthetic=True)


def test_a_qrs_clear_in_any_lead_denies_the_pause():
    assert pauses(found_in(with_gap((0, 2), "noise"))) == []
    (pause,) = pauses(found_in(with_gap((0, 1, 2), "noise")))
    assert pause.start_s < 20.1
    assert pause.end_s > 25.9


def test_flat_to_the_last_bit_in_every_lead_is_lost_contact():
    for fill in ("flat", "nan"):
        found = found_in(with_gap((0, 1, 2), fill))
        assert [s.kind for s in found] == ["lost_contact"]
        assert (found[0].start_s, found[0].end_s) == pytest.approx((20, 26), abs=0.5)


def test_quieter_than_any_moment_between_beats_cannot_be_told():
    recording = with_gap((0, 1, 2), "noise")
    signal = recording.signal.copy()
    rng = np.random.default_rng(2)
    signal[20 * 250 : 26 * 250] = 0.0005 * rng.standard_normal((6 * 250, 3))
    (found,) = found_in(Recording("x", signal, 250.0, recording.lead_names, "made"))
    assert found.kind == "cannot_tell"


def test_nothing_at_all_and_less_than_a_second():
    nothing = Recording("x", np.full((2500, 1), np.nan, np.float32), 250.0, ("II",), "made")
    assert [s.kind for s in found_in(nothing)] == ["lost_contact"]
    short = Recording("x", np.zeros((100, 1), np.float32), 250.0, ("II",), "made")
    assert found_in(short) == ()
