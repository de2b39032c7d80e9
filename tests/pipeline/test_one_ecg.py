"""One ECG written in six formats is one ECG: the same beats, the same classes and superclasses, one fingerprint."""

import sys

import numpy as np
import pytest

from ecg_core.datasets.synth import synthesise
from ecg_core.formats import fingerprint, read_recording
from ecg_core.models import SHIPPED, load_version
from ecg_core.pipeline.score import read_beats
from ecg_core.settings import PROJECT_DIR

sys.path.insert(0, str(PROJECT_DIR / "tests" / "formats"))
import format_writers as w

FORMATS = ("wfdb", "dicom", "edf+", "aecg", "scp", "csv")


def a_real_one(base):
    header = base / "ptb-xl/1.0.3/records100/00000/00017_lr.hea"
    if not header.is_file():
        pytest.skip("no PTB-XL here: set ECG_PHYSIONET_BASE to a folder that holds it")
    return read_recording(header, b"")


def a_generated_one(base):
    # SCP states whole microseconds between samples: 360 Hz cannot be said.
    return synthesise(10.0, sampling_rate_hz=500, n_leads=12, kind="mi", seed=4).recording


@pytest.mark.parametrize("which", [a_real_one, a_generated_one])
def test_one_ecg_in_six_formats(tmp_path, physionet_base, champion, which):
    recording = which(physionet_base)
    places = [recording.lead_names.index(name) for name in w.LEADS]
    steps = np.round(recording.signal[:, places] / 0.005).astype(np.int64)
    truth = w.Truth(rate=round(recording.sampling_rate_hz), steps=steps)
    resting = load_version(SHIPPED["resting"], tmp_path)
    found = {}
    for name in FORMATS:
        (tmp_path / name).mkdir()
        path, _ = w.write(tmp_path / name, name, truth)
        read = read_recording(path, b"")
        result = read_beats(read, champion, others=[resting])[0]
        labels = {label.label: (label.probability, label.called) for label in result.labels}
        found[name] = (fingerprint(read), read.stated.age_years, read.stated.sex, result.beats, labels)
    first = found["wfdb"]
    assert len(first[3]) >= 8
    assert len(first[4]) >= 5
    for name, (prints, age, sex, beats, labels) in found.items():
        assert (prints, age, sex) == first[:3], name
        np.testing.assert_array_equal(beats.r_time_s, first[3].r_time_s)
        np.testing.assert_array_equal(beats.class_index, first[3].class_index)
        np.testing.assert_allclose(beats.probabilities, first[3].probabilities, atol=1e-4)
        assert {label: called for label, (_, called) in labels.items()} == {
            label: called for label, (_, called) in first[4].items()
        }
        for label, (probability, _) in labels.items():
            assert probability == pytest.approx(first[4][label][0], abs=1e-4), (name, label)
