"""Every format gives back what was written: leads, unit, rate, start, length, and what is stated beside the signal."""

import format_writers as w
import numpy as np
import pytest

from ecg_core.formats import fingerprint, inspect_file, read_recording

KEY = b"test key"
ALL = [*w.TWELVE, *w.ONE_LEAD]


@pytest.mark.parametrize("name", ALL)
def test_what_was_written_is_read(tmp_path, name):
    path, truth = w.write(tmp_path, name)
    recording = read_recording(path, KEY)
    unstated = {"polar": ("ECG",), "withings": ("lead 1",), "health export": ("lead 1",)}
    assert recording.lead_names == unstated.get(name, truth.leads)
    np.testing.assert_allclose(recording.signal, truth.millivolts, atol=1e-5)
    assert recording.sampling_rate_hz == truth.rate
    if name not in {"withings", "polar"}:
        assert recording.start_time.replace(tzinfo=None) == w.START
        zoned = name in {"apple", "kardia", "health export"}
        assert (recording.start_time.utcoffset() is not None) == zoned
    if name in w.TWELVE and name not in {"edf", "csv"}:
        assert recording.stated.age_years == 70
    if name in w.TWELVE and name != "edf":
        assert recording.stated.sex == "female"
    assert (recording.patient_pseudonym is None) == (name in {"fitbit", "withings", "health export", "polar"})


@pytest.mark.parametrize("name", ALL)
def test_no_identity_leaves_the_reader(tmp_path, name):
    path, _ = w.write(tmp_path, name)
    recording = read_recording(path, KEY)
    said = repr(recording) + repr(inspect_file(path, KEY))
    assert [mark for mark in w.MARKS if mark in said] == []
    if name not in {"polar"}:
        assert recording.identity_fields
    assert read_recording(path, b"another").patient_pseudonym != recording.patient_pseudonym or (
        recording.patient_pseudonym is None
    )


def test_the_same_signal_has_one_fingerprint_in_every_format(tmp_path):
    prints = {}
    for name in w.TWELVE:
        folder = tmp_path / name.replace("+", "p")
        folder.mkdir()
        path, _ = w.write(folder, name)
        prints[name] = fingerprint(read_recording(path, KEY))
    assert len(set(prints.values())) == 1, prints
