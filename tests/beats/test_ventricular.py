"""Ventricular fibrillation and tachycardia: real patients that the trees have not seen, cases, and bad input."""

import os
from pathlib import Path

import numpy as np
import pytest

from ecg_core.beats.ventricular import find_ventricular as find_with_trees
from ecg_core.beats.ventricular import fuse, seconds_of
from ecg_core.beats.ventricular_features import FEATURE_NAMES, WINDOW_S, window_features
from ecg_core.datasets.annotated import load_record, load_rhythm
from ecg_core.datasets.ventricular_simulation import simulate
from ecg_core.formats import read_recording
from ecg_core.models.ventricular import shipped_trees
from ecg_core.recording import Recording
from ecg_core.signal import clean
from ecg_core.signal.standstill import find_contact

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
CASES = MIRROR.parent / "cases" / "rhythms"


def find_ventricular(signal_mv, readable=None):
    return find_with_trees(signal_mv, shipped_trees(), readable)


@pytest.fixture
def cases() -> Path:
    if not CASES.is_dir():
        pytest.skip("the case table is not beside the PhysioNet mirror")
    return CASES


def cleaned(signal: np.ndarray) -> np.ndarray:
    return clean(Recording("x", signal.astype(np.float32), 250.0, ("II",) * signal.shape[1], "made")).signal_mv


def test_flutter_of_207_is_found_and_named(mitdb: Path):
    """207 is a deciding patient: the trees have not learned from it."""
    labelled = load_record(mitdb, "207")
    found = [s for s in find_ventricular(clean(labelled.recording).signal_mv) if s.kind == "vf"]
    time_s = np.arange(0, labelled.recording.duration_s, 0.1)
    told = np.zeros(time_s.size, dtype=bool)
    for stretch in found:
        told |= (time_s >= stretch.start_s) & (time_s < stretch.end_s)
    flutter = ~labelled.outside_flutter(time_s)
    assert told[flutter].mean() >= 0.9
    assert told[labelled.outside_flutter(time_s, 5.0)].mean() < 0.01


@pytest.mark.parametrize("record", ["112", "116", "124", "223"])
def test_no_fibrillation_in_other_deciding_patients(mitdb: Path, record: str):
    found = find_ventricular(clean(load_record(mitdb, record).recording).signal_mv)
    assert [s for s in found if s.kind == "vf" and s.likely] == []


def test_what_is_told_of_205_is_marked_as_tachycardia(mitdb: Path):
    marked = [(start, end) for start, end, mark in load_rhythm(mitdb, "205") if mark == "(VT"]
    found = find_ventricular(clean(load_record(mitdb, "205").recording).signal_mv)
    assert found != ()
    for stretch in found:
        inside = sum(max(0.0, min(end, stretch.end_s) - max(start, stretch.start_s)) for start, end in marked)
        assert inside > 0.7 * stretch.duration_s


@pytest.mark.parametrize(
    ("name", "kind", "start_s", "end_s"),
    [
        ("c1_vf_syn20", "vf", 40.4, 60.4),
        ("c5_vf_whole", "vf", 0, 60),
        ("d1_vt45", "vt", 40.3, 85.1),
        ("d7_vt_real119", "vt", 40.1, 84.2),
        ("d13_vt45_in300", "vt", 105.0, 149.8),
        ("e2_vt_whole150", "vt", 0.4, 89.6),
        ("u1_vt24beats", "vt", 42.0, 50.1),
    ],
)
def test_one_stretch_with_its_time(cases: Path, name: str, kind: str, start_s: float, end_s: float):
    recording = read_recording(cases / f"{name}.hea", pseudonym_key=b"")
    (found,) = find_ventricular(clean(recording).signal_mv)
    assert found.kind == kind
    assert found.likely
    assert (found.start_s, found.end_s) == pytest.approx((start_s, end_s), abs=1.5)
    assert found.fills_recording == (name in ("c5_vf_whole", "e2_vt_whole150"))


def test_nothing_likely_in_the_cases_without_it(cases: Path):
    for header in sorted(cases.glob("*.hea")):
        if header.stem.startswith(("c", "d", "e", "u")):
            continue
        recording = read_recording(header, pseudonym_key=b"")
        signal = clean(recording)
        found = find_ventricular(signal.signal_mv, find_contact(recording, signal).readable)
        assert [s for s in found if s.likely] == [], header.stem


def test_an_artefact_in_one_lead_is_denied_by_the_other():
    rng = np.random.default_rng(8)
    sinus, fibrillation = simulate("sinus", 60, rng), simulate("vf", 60, rng)
    both = np.stack([fibrillation, sinus], axis=1)
    assert find_ventricular(cleaned(both)) == ()
    (alone,) = find_ventricular(cleaned(fibrillation[:, None]))
    assert alone.kind == "vf"


def test_a_lead_without_contact_has_no_say():
    fibrillation = simulate("vf", 30, np.random.default_rng(9))
    signal = cleaned(np.stack([fibrillation, np.zeros_like(fibrillation)], axis=1))
    readable = np.ones(signal.shape, dtype=bool)
    readable[:, 1] = False
    (found,) = find_ventricular(signal, readable)
    assert found.kind == "vf"
    assert find_ventricular(signal, np.zeros(signal.shape, dtype=bool)) == ()


def test_nothing_and_too_short():
    assert find_ventricular(np.zeros((5000, 2), np.float32)) == ()
    assert find_ventricular(np.zeros((200, 2), np.float32)) == ()
    assert np.isnan(window_features(np.zeros((3, round(WINDOW_S * 250)), np.float32))).all()


def test_what_cannot_be_read_is_unknown_and_not_zero():
    features = np.full((5, len(FEATURE_NAMES)), np.nan, np.float32)
    unknown = seconds_of(features, np.full((5, 3), np.nan), np.arange(5.0), 9)
    assert np.isnan(unknown.log_probability).all()
    assert np.isnan(fuse([unknown, unknown]).log_probability).all()


def test_amplitude_and_sign_of_a_lead_keep_the_name():
    signal = cleaned(simulate("vt", 40, np.random.default_rng(10))[:, None])
    kinds = {tuple(s.kind for s in find_ventricular(np.float32(factor) * signal)) for factor in (1, -1)}
    assert len(kinds) == 1
    assert kinds.pop() != ()
