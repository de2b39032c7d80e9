"""The training set of the twelve-lead task, from a base of a few real recordings."""

import shutil

import numpy as np
import pytest

from ecg_core.errors import DatasetUnavailable
from ecg_core.resting import Subject
from ecg_core.resting.beat_features import subject_features
from ecg_core.training.resting_set import read_resting_set

PTB_XL = "ptb-xl/1.0.3"
CHALLENGE = "challenge-2021/1.0.3/training"


@pytest.fixture(scope="module")
def few(physionet_base, tmp_path_factory):
    """Six recordings of PTB-XL; of the Challenge a right bundle branch block, an unmapped one, PTB-XL's copy."""
    chosen = [f"{CHALLENGE}/cpsc_2018/A0001", f"{CHALLENGE}/cpsc_2018/A0003", f"{CHALLENGE}/ptb-xl/HR00002"]
    if not all((physionet_base / f"{name}.hea").is_file() for name in chosen):
        pytest.skip("no PTB-XL and Challenge of 2021 here: set ECG_PHYSIONET_BASE to a folder that holds them")
    base = tmp_path_factory.mktemp("base")
    files = [f"{PTB_XL}/{name}.csv" for name in ("ptbxl_database", "scp_statements")]
    files += [f"{PTB_XL}/records100/00000/{k:05}_lr{end}" for k in range(1, 7) for end in (".hea", ".dat")]
    files += [name + end for name in chosen for end in (".hea", ".mat")]
    for name in files:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(physionet_base / name, base / name)
    return base


@pytest.fixture(scope="module")
def recordings(few):
    return read_resting_set(few)


def test_recordings_with_classes_patients_and_reasons(recordings):
    assert recordings.database.tolist() == ["ptb-xl"] * 6 + ["cpsc_2018"]
    assert recordings.record[-1] == "A0001"
    assert recordings.labels[-1].tolist() == [False, False, False, True, False]
    assert recordings.left_out == {"unmapped": 1, "of PTB-XL, patient unknown": 1}
    assert all(name.startswith("ptb-xl-") for name in recordings.patient[:6])


def test_what_is_seen_of_them(recordings):
    assert recordings.features.shape == (7, len(recordings.feature_names))
    # A lead that cannot be read is unknown; filling it in is the fit's.
    assert np.isfinite(recordings.features).mean() > 0.95
    assert recordings.signals_mv.shape == (7, 12, 1000)
    assert recordings.features[0, recordings.feature_names.index("age_years")] == 56
    assert recordings.features[0, recordings.feature_names.index("female")] == 1
    fewer = recordings.without_features(("age_years",))
    assert fewer.features.shape == (7, len(recordings.feature_names) - 1)
    assert "age_years" not in fewer.feature_names


def test_reading_twice_gives_the_same(few, recordings):
    again = read_resting_set(few)
    np.testing.assert_array_equal(again.features, recordings.features)
    assert again.feature_names == recordings.feature_names


def test_the_same_recording_at_another_rate_gives_nearly_the_same(few, recordings):
    """HR00002 is PTB-XL's second recording at 500 Hz."""
    alone = few.parent / "alone"
    shutil.copytree(few / "challenge-2021", alone / "challenge-2021", dirs_exist_ok=True)
    with pytest.raises(DatasetUnavailable):
        read_resting_set(alone)
    from ecg_core.datasets import challenge2021
    from ecg_core.resting import read_resting
    from ecg_core.resting.beat_features import beat_features
    from ecg_core.signal import analyse

    folder = few / "challenge-2021" / "1.0.3"
    record = next(one for one in challenge2021.records(folder) if one.ptb_xl_id == 2)
    recording = next(iter(challenge2021.recordings([record])))
    analysis = analyse(recording)
    beat = read_resting(recording, analysis, analysis.waves_ms(), Subject(), None).beat
    table = beat_features(
        beat.signal_mv[None], np.array([beat.points["qrs_on"]]), np.array([beat.points["qrs_off"]]),
        np.array([beat.rr_ms]),
    )  # fmt: skip
    at_100_hz = dict(zip(recordings.feature_names, recordings.features[1], strict=True))
    for name in ("V5_r_mv", "V2_s_mv", "II_t_mv", "sokolow_lyon_mv", "II_j60_mv"):
        assert table[name][0] == pytest.approx(at_100_hz[name], abs=0.1)
    assert table["qt_ms"][0] == pytest.approx(at_100_hz["qt_ms"], abs=25)


def test_age_and_sex_that_are_not_known_are_not_guessed():
    age, female = subject_features([Subject(), Subject(40.0, "male"), Subject(None, "female")])
    assert np.isnan(age[[0, 2]]).all()
    assert np.isnan(female[0])
    assert female[1:].tolist() == [0, 1]
