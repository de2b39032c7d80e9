"""Files that other programs wrote, in ../shared beside the checkout: against other readers and what is known."""

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from ecg_core.errors import CorruptHeader, RecordingError, UnsupportedFormat, UnusableSignal
from ecg_core.formats import read_recording
from ecg_core.formats.leads import STANDARD_LEADS

KEY = b"test key"
PROJECT_DIR = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("ECG_PHYSIONET_BASE", PROJECT_DIR.parent / "shared" / "physionet")).parent
TWELVE = tuple(STANDARD_LEADS[:12])


@pytest.fixture
def formats():
    folder = SHARED / "formats"
    if not folder.is_dir():
        pytest.skip("no example files here: they lie in ../shared/formats")
    return folder


@pytest.fixture
def headers():
    folder = SHARED / "cases" / "headers"
    if not folder.is_dir():
        pytest.skip("no headers of other programs here: they lie in ../shared/cases/headers")
    return folder


def test_dicom_is_what_pydicom_reads(formats):
    import pydicom

    path = formats / "dicom" / "anonymous_ecg.dcm"
    recording = read_recording(path, KEY)
    expected = pydicom.dcmread(path).waveform_array(0) / 1000
    np.testing.assert_allclose(recording.signal, expected, atol=1e-6)
    assert recording.lead_names == TWELVE
    assert recording.file_lead_names[0] == "Lead I (Einthoven)"
    assert (recording.sampling_rate_hz, recording.duration_s) == (1000, 10)
    assert recording.start_time == datetime(2013, 1, 25, 10, 59, 19)
    assert (recording.stated.age_years, recording.stated.sex) == (42, "female")
    assert recording.stated.statements == ("RITMO SINUSALE", "ECG NORMALE")
    assert dict(recording.stated.measurements)["qrs_ms"] == 75
    assert "642341" not in repr(recording)


def test_edf_is_what_edfio_reads(formats):
    import edfio

    path = formats / "edf" / "sample.edf"
    recording = read_recording(path, KEY)
    expected = edfio.read_edf(path)
    there = np.isfinite(recording.signal[:, 0])
    np.testing.assert_allclose(recording.signal[there, 0], expected.signals[0].data[there], atol=1e-5)
    # What is missing stands at the digital minimum: it pads the record to its end.
    np.testing.assert_array_equal(expected.signals[0].digital[~there], -32768)
    assert (recording.lead_names, recording.sampling_rate_hz, recording.n_samples) == (("ECG",), 300, 12000)
    assert recording.start_time == datetime(1985, 1, 1, 0, 33, 34)
    assert "1985-01-01" in recording.doubts[0].text


def test_aecg(formats):
    import xml.etree.ElementTree as ET

    path = formats / "hl7-aecg" / "subject1_0.xml"
    recording = read_recording(path, KEY)
    digits = [e.text.split() for e in ET.parse(path).iter("{urn:hl7-org:v3}digits")][:12]
    np.testing.assert_allclose(recording.signal, np.array(digits, dtype=float).T * 0.0025, atol=1e-6)
    assert sorted(recording.lead_names) == sorted(TWELVE)
    assert (recording.sampling_rate_hz, recording.duration_s) == (500, 10)
    assert recording.start_time == datetime(2002, 11, 22, 9, 10)
    assert (recording.stated.age_years, recording.stated.sex) == (46, "male")
    assert "Clark" not in repr(recording)
    with pytest.raises(UnusableSignal, match=r"0\.0 s"):
        read_recording(formats / "hl7-aecg" / "minimum_aecg.xml", KEY)
    with pytest.raises(UnusableSignal, match="no ECG signal"):
        read_recording(formats / "hl7-aecg" / "empty.xml", KEY)


def test_philips(formats):
    recording = read_recording(formats / "philips-sierra-xml" / "129DYPRG.XML", KEY)
    assert recording.lead_names == TWELVE
    assert (recording.sampling_rate_hz, recording.duration_s) == (500, 11)
    assert recording.start_time == datetime(2011, 12, 1, 7, 27, 34)
    # The last half second is a calibration pulse, the same in all leads. Of the compressed limb leads is stored what
    # these equations leave, a step or two of 5 µV.
    i, ii, iii, avr, avl, avf = recording.signal[:5300, :6].T
    np.testing.assert_allclose(iii, ii - i, atol=0.011)
    np.testing.assert_allclose(avr, -(i + ii) / 2, atol=0.011)
    np.testing.assert_allclose(avl, i - ii / 2, atol=0.011)
    np.testing.assert_allclose(avf, ii - i / 2, atol=0.011)
    assert dict(recording.stated.measurements)["qt_ms"] == 476
    assert "Sinus bradycardia" in recording.stated.statements
    with pytest.raises(UnsupportedFormat):
        read_recording(formats / "philips-sierra-xml" / "invalid-doc-type.xml", KEY)


def test_schiller(formats):
    recording = read_recording(formats / "schiller-xml" / "sample.xml", KEY)
    assert recording.lead_names == TWELVE
    assert (recording.sampling_rate_hz, recording.duration_s, recording.file_unit) == (500, 10, "UV")
    np.testing.assert_allclose(recording.signal[:, 2], recording.signal[:, 1] - recording.signal[:, 0], atol=0.011)
    assert recording.stated.pacemaker is False
    assert dict(recording.stated.measurements)["heart_rate_per_min"] == 69
    assert "notch 50 Hz" in recording.stated.filters


HEADERS = {
    "ac05_avghr_after_unit": ("I",),
    "ac08_semicolon": ("I",),
    "datefirst": ("II", "V1"),
    "gain0": ("II", "V1"),
    "gaincomma": ("II", "V1"),
    "gainswap": ("II", "V1"),
    "longer": ("II", "V1"),
    "name_ECG1_temp_filtered_V1": ("lead 1", "V1"),
    "timeonly": ("II", "V1"),
    "unit_mVolt": ("II", "V1"),
    "withpath": ("II", "V1"),
    "wr_uV_dc": ("II", "V1"),
    "badck": ("II", "V1"),
    "oneshort": ("II", "V1"),
}
DOUBTS = {
    "badck": "checksums",
    "gain0": "no gain",
    "gaincomma": "decimal comma",
    "gainswap": "each other's place",
    "longer": "15,000 samples of each lead (1.0 min), the header promises 7,500",
    "oneshort": "1 sample(s) of each lead shorter",
    "timeonly": "13:05:59",
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_of_other_programs(headers, case):
    path = next(file for file in (headers / case).iterdir() if file.suffix in {".hea", ".csv"})
    recording = read_recording(path, KEY)
    assert recording.lead_names == HEADERS[case]
    assert recording.n_samples == 30 * recording.sampling_rate_hz - (case == "oneshort")
    settled = recording.signal[int(2 * recording.sampling_rate_hz) :, 0]
    baseline = np.median(settled)
    assert np.percentile(settled - baseline, 99.9) == pytest.approx(1.1, abs=0.12)
    assert [DOUBTS[case] in doubt.text for doubt in recording.doubts] == ([True] if case in DOUBTS else [])
    if case == "datefirst":
        assert recording.start_time == datetime(2020, 5, 5, 9, 49, 17)
        assert (recording.stated.age_years, recording.stated.sex) == (71, "female")


@pytest.mark.parametrize(
    ("case", "error", "what", "mend"),
    [
        ("mat5", CorruptHeader, "MATLAB 5", "save -v4"),
        ("planar", CorruptHeader, "lead after lead", "interleaved"),
    ],
)
def test_headers_that_are_refused(headers, case, error, what, mend):
    with pytest.raises(error) as caught:
        read_recording(headers / case / f"{case}.hea", KEY)
    assert what in caught.value.what
    assert mend in caught.value.mend


def test_georgias_headers(headers):
    folder = SHARED / "physionet" / "challenge-2021" / "1.0.3" / "training" / "georgia"
    if not folder.is_dir():
        pytest.skip("the mirror here lacks challenge-2021")
    for path in sorted(folder.glob("*.hea")):
        recording = read_recording(path, KEY)
        assert recording.lead_names == TWELVE
        assert recording.start_time is not None
        assert any("gain" in doubt.text for doubt in recording.doubts) == (path.stem in {"E00015", "E00018", "E00793"})


def test_what_no_format_is_told_from_a_damaged_one(formats):
    for path in (formats / "README.md", formats / "edf" / "LICENSE"):
        with pytest.raises(RecordingError):
            read_recording(path, KEY)
