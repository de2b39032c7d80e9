"""What each format does in its own way, written by the tests: read right, told as doubt, or refused in words."""

import tracemalloc
from datetime import timedelta

import edfio
import format_writers as w
import numpy as np
import pytest

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnsupportedFormat, UnusableSignal
from ecg_core.formats import fingerprint, leads, read_recording
from ecg_core.recording import Recording

KEY = b"test key"


# --- leads


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("AVR", "aVR"), ("avl", "aVL"), ("MDC_ECG_LEAD_AVF", "aVF"), ("Lead I", "I"), ("ECG II", "II"),
        ("ECG V1", "V1"), ("Lead I (Einthoven)", "I"), ("-aVR", "-aVR"), ("minus aVR", "-aVR"), ("v4r", "V4R"),
        ("DII", "II"),
        ("MLII", "MLII"), ("ECG", "ECG"), ("ECG1 temp filtered", "ECG1 temp filtered"),
        ("-V1", "-V1"), ("Ableitung V6", "V6"),
    ],
)  # fmt: skip
def test_standard_leads_have_one_spelling(name, spelled):
    assert leads.spelling(name) == spelled
    assert leads.is_ecg(name, "mV")


@pytest.mark.parametrize("name", ["Resp", "ECG respiration", "SpO2", "EEG Fpz-Cz", "Temp", "ECG heart rate"])
def test_what_is_no_lead(name):
    assert not leads.is_ecg(name, "mV")


# --- EDF


def test_gaps_of_an_interrupted_edf_are_gaps(tmp_path):
    truth = w.Truth()
    onsets = [0, 1, 2, 5.5, 6.5, 7.5, 20, 21, 22, 23]
    w.edf(tmp_path / "r.edf", truth, kind="EDF+D", onsets=onsets)
    recording = read_recording(tmp_path / "r.edf", KEY)
    assert recording.n_samples == 24 * truth.rate
    expected = np.full((24 * truth.rate, 8), np.nan)
    for record, onset in enumerate(onsets):
        at = round(onset * truth.rate)
        expected[at : at + truth.rate] = truth.millivolts[record * truth.rate : (record + 1) * truth.rate]
    np.testing.assert_allclose(recording.signal, expected, atol=1e-5)
    assert "14.0 s in it are gaps" in recording.doubts[0].text
    assert recording.stated.events == ((1.5, "Palpitations"),)


def test_an_edf_that_starts_within_a_second(tmp_path):
    w.edf(tmp_path / "r.edf", w.Truth(), onsets=[0.25 + i for i in range(10)])
    assert read_recording(tmp_path / "r.edf", KEY).start_time == w.START + timedelta(seconds=0.25)


@pytest.mark.parametrize("onsets", [[0, 1, 2, 1.5, *range(5, 11)], [0, -5, *range(5, 13)]])
def test_an_edf_whose_times_run_backwards(tmp_path, onsets):
    w.edf(tmp_path / "r.edf", w.Truth(), kind="EDF+D", onsets=onsets)
    with pytest.raises(CorruptHeader, match=r"backwards|no time|cannot be"):
        read_recording(tmp_path / "r.edf", KEY)


def test_an_edf_in_millivolts_with_filters(tmp_path):
    w.edf(tmp_path / "r.edf", w.Truth(), unit="mV", prefilter="HP:0.05Hz LP:150Hz N:50Hz")
    recording = read_recording(tmp_path / "r.edf", KEY)
    np.testing.assert_allclose(recording.signal, w.Truth().millivolts, atol=1e-5)
    assert recording.stated.filters == ("high pass 0.05 Hz", "low pass 150 Hz", "notch 50 Hz")


def test_what_edfio_writes(tmp_path):
    truth = w.Truth()
    signals = [
        edfio.EdfSignal(truth.millivolts[:, i] * 1000, truth.rate, label=f"ECG {name}", physical_dimension="uV")
        for i, name in enumerate(truth.leads)
    ]
    other = [edfio.EdfSignal(np.sin(np.arange(1000)), 100, label="Resp", physical_dimension="uV")]
    eeg = [edfio.EdfSignal(np.sin(np.arange(1280)), 128, label="EEG Fpz-Cz", physical_dimension="uV")]
    eeg += [edfio.EdfSignal(np.sin(np.arange(1280)), 128, label="C3-A2", physical_dimension="uV")]
    edfio.Edf(signals + other + eeg).write(tmp_path / "r.edf")
    recording = read_recording(tmp_path / "r.edf", KEY)
    assert recording.lead_names == truth.leads
    # edfio states the extremes that the signal has: single samples there are not saturated.
    np.testing.assert_allclose(recording.signal, truth.millivolts, atol=1e-3)
    assert np.isfinite(recording.signal).all()


@pytest.mark.parametrize("name", ["edf+", "ishne"])
def test_a_long_recording_takes_little_more_memory_than_itself(tmp_path, name):
    truth = w.Truth(rate=250, leads=("I", "II", "V1"))
    truth.steps = np.tile(truth.steps, (720, 1))  # two hours
    path, _ = w.write(tmp_path, name, truth)
    tracemalloc.start()
    recording = read_recording(path, KEY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert recording.duration_s == 7200
    assert peak < 1.3 * recording.signal.nbytes + 30_000_000


def test_a_saturated_edf(tmp_path):
    truth = w.Truth()
    truth.steps[1000:1020, 0] = 32767
    truth.steps[2000, 0] = 32767
    w.edf(tmp_path / "r.edf", truth)
    signal = read_recording(tmp_path / "r.edf", KEY).signal
    assert np.flatnonzero(np.isnan(signal[:, 0])).tolist() == list(range(1000, 1020))


def test_an_edf_of_unstated_unit_or_length(tmp_path):
    path = tmp_path / "r.edf"
    w.edf(path, w.Truth(leads=("I",)), kind="")
    raw = bytearray(path.read_bytes())
    unit = 256 + 16 + 80
    path.write_bytes(raw[:unit] + b"        " + raw[unit + 8 :])
    with pytest.raises(CorruptHeader, match="unit"):
        read_recording(path, KEY)
    path.write_bytes(raw[:236] + b"-1      " + raw[244:])
    recording = read_recording(path, KEY)
    assert recording.duration_s == 10
    assert "open" in recording.doubts[0].text
    path.write_bytes(raw[:-2])
    with pytest.raises(TruncatedSignal, match="promises 10"):
        read_recording(path, KEY)


# --- DICOM


@pytest.mark.parametrize(
    "how",
    [
        {"bits": 12},
        {"preamble": False},
        {"baseline": 250.0},
        {"median": False},
        {"groups": 4},
        {"bits": 12, "groups": 2},
    ],
    ids=str,
)
def test_dicom_in_other_ways(tmp_path, how):
    truth = w.Truth()
    w.dicom(tmp_path / "r.dcm", truth, **how)
    recording = read_recording(tmp_path / "r.dcm", KEY)
    assert recording.lead_names == truth.leads
    np.testing.assert_allclose(recording.signal, truth.millivolts, atol=1e-5)
    assert recording.stated.statements == ("Sinus rhythm",)
    assert dict(recording.stated.measurements) == {"qrs_ms": 98}
    assert recording.stated.filters == ("high pass 0.05 Hz", "low pass 150 Hz", "notch 50 Hz")


def test_a_dicom_in_big_endian(tmp_path):
    def big(data):
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
        for group in data.WaveformSequence:
            group.WaveformData = np.frombuffer(group.WaveformData, "<i2").astype(">i2").tobytes()

    w.dicom(tmp_path / "r.dcm", w.Truth(), extra=big)
    np.testing.assert_allclose(read_recording(tmp_path / "r.dcm", KEY).signal, w.Truth().millivolts, atol=1e-5)


def test_a_dicom_that_says_deflated_and_is_not(tmp_path):
    def deflated(data):
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"

    w.dicom(tmp_path / "r.dcm", w.Truth(), extra=deflated)
    raw = (tmp_path / "r.dcm").read_bytes()
    (tmp_path / "r.dcm").write_bytes(raw[:400] + bytes(len(raw)))
    with pytest.raises(CorruptHeader, match="damaged"):
        read_recording(tmp_path / "r.dcm", KEY)


def test_a_dicom_page_of_four_groups(tmp_path):
    """Three leads for 2.5 s each, and one whole: as a printed page is stored."""
    truth = w.Truth()
    quarter = len(truth.steps) // 4

    def page(data):
        for number, part in enumerate(data.WaveformSequence):
            steps = truth.steps[number * quarter : (number + 1) * quarter, 2 * number : 2 * number + 2]
            part.NumberOfWaveformChannels = 2
            part.ChannelDefinitionSequence = list(part.ChannelDefinitionSequence)[2 * number : 2 * number + 2]
            part.WaveformData = steps.astype("<i2").tobytes()

    w.dicom(tmp_path / "r.dcm", truth, median=False, groups=4, extra=page)
    recording = read_recording(tmp_path / "r.dcm", KEY)
    assert recording.lead_names == truth.leads
    assert recording.duration_s == 10
    expected = np.full(truth.steps.shape, np.nan)
    for number in range(4):
        part = slice(number * quarter, (number + 1) * quarter), slice(2 * number, 2 * number + 2)
        expected[part] = truth.millivolts[part]
    np.testing.assert_allclose(recording.signal, expected, atol=1e-5)


def test_a_dicom_with_a_zone_and_padding(tmp_path):
    truth = w.Truth()
    truth.steps[10:20] = -30000
    w.dicom(tmp_path / "r.dcm", truth, zone="+0200", padding=True)
    recording = read_recording(tmp_path / "r.dcm", KEY)
    assert recording.start_time.utcoffset() == timedelta(hours=2)
    assert np.flatnonzero(np.isnan(recording.signal[:, 0])).tolist() == list(range(10, 20))


def test_a_dicom_without_waveform_or_scale(tmp_path):
    def without(data):
        del data.WaveformSequence

    def unscaled(data):
        for group in data.WaveformSequence:
            for definition in group.ChannelDefinitionSequence:
                del definition.ChannelSensitivity

    w.dicom(tmp_path / "r.dcm", w.Truth(), extra=without)
    with pytest.raises(UnsupportedFormat, match="no waveform"):
        read_recording(tmp_path / "r.dcm", KEY)
    w.dicom(tmp_path / "r.dcm", w.Truth(), extra=unscaled)
    with pytest.raises(CorruptHeader, match="unit"):
        read_recording(tmp_path / "r.dcm", KEY)


def test_a_median_beat_alone(tmp_path):
    def median_alone(data):
        data.WaveformSequence = data.WaveformSequence[:1]

    w.dicom(tmp_path / "r.dcm", w.Truth(), extra=median_alone)
    with pytest.raises(UnusableSignal, match="median"):
        read_recording(tmp_path / "r.dcm", KEY)


def test_ages_above_89_are_one(tmp_path):
    def old(data):
        data.PatientAge = "097Y"

    w.dicom(tmp_path / "r.dcm", w.Truth(), extra=old)
    assert read_recording(tmp_path / "r.dcm", KEY).stated.age_years == 90


# --- XML and SCP


def test_an_aecg_whose_rate_is_no_whole_number(tmp_path):
    w.aecg(tmp_path / "r.xml", w.Truth(), increment=1 / 512.844, zone="+0100")
    recording = read_recording(tmp_path / "r.xml", KEY)
    assert recording.sampling_rate_hz == pytest.approx(512.844, abs=1e-3)
    assert recording.start_time.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize(("unit", "scale"), [("mV", 0.005), ("nV", 5000), ("V", 0.000005)])
def test_an_aecg_in_another_unit(tmp_path, unit, scale):
    w.aecg(tmp_path / "r.xml", w.Truth(), unit=unit, scale=f"{scale:.6f}")
    np.testing.assert_allclose(read_recording(tmp_path / "r.xml", KEY).signal, w.Truth().millivolts, atol=1e-5)


def test_an_aecg_or_muse_without_unit_is_refused(tmp_path):
    w.aecg(tmp_path / "a.xml", w.Truth(), unit="")
    w.muse(tmp_path / "m.xml", w.Truth(), unit="")
    for name in ("a.xml", "m.xml"):
        with pytest.raises(CorruptHeader, match="unit"):
            read_recording(tmp_path / name, KEY)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_encodings_of_xml(tmp_path, encoding):
    w.muse(tmp_path / "m.xml", w.Truth(), encoding=encoding)
    assert read_recording(tmp_path / "m.xml", KEY).lead_names == w.LEADS


@pytest.mark.parametrize(("version", "encoding"), [("1.03", "utf-8"), ("1.04", "utf-16"), ("1.04.01", "utf-8")])
def test_versions_of_philips(tmp_path, version, encoding):
    w.sierra(tmp_path / "r.xml", w.Truth(), version, encoding)
    recording = read_recording(tmp_path / "r.xml", KEY)
    np.testing.assert_allclose(recording.signal, w.Truth().millivolts, atol=1e-5)
    assert recording.stated.pacemaker is True


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("differences", [0, 1, 2])
def test_compressions_of_scp(tmp_path, huffman, differences):
    w.scp(tmp_path / "r.scp", w.Truth(), huffman, differences)
    recording = read_recording(tmp_path / "r.scp", KEY)
    np.testing.assert_allclose(recording.signal, w.Truth().millivolts, atol=1e-5)
    assert recording.stated.statements == ("Sinus rhythm",)


def test_an_scp_whose_rate_is_no_whole_number(tmp_path):
    w.scp(tmp_path / "r.scp", w.Truth(rate=360), interval_us=2778)
    assert read_recording(tmp_path / "r.scp", KEY).sampling_rate_hz == pytest.approx(1e6 / 2778)


def test_an_scp_with_a_wrong_checksum_says_so(tmp_path):
    w.scp(tmp_path / "r.scp", w.Truth())
    raw = bytearray((tmp_path / "r.scp").read_bytes())
    raw[0] ^= 1
    (tmp_path / "r.scp").write_bytes(raw)
    assert "checksum" in read_recording(tmp_path / "r.scp", KEY).doubts[0].text


@pytest.mark.parametrize("little", [True, False])
def test_byte_orders_of_mfer(tmp_path, little):
    w.mfer(tmp_path / "r.mwf", w.Truth(), little)
    np.testing.assert_allclose(read_recording(tmp_path / "r.mwf", KEY).signal, w.Truth().millivolts, atol=1e-5)


def test_ishne_is_what_ecgdatakit_reads(tmp_path):
    from ecgdatakit import FileParser

    w.ishne(tmp_path / "r.ecg", w.Truth())
    recording = read_recording(tmp_path / "r.ecg", KEY)
    record = FileParser().parse(tmp_path / "r.ecg")
    np.testing.assert_allclose(recording.signal, np.stack([lead.samples for lead in record.leads], axis=1), atol=1e-5)
    assert recording.start_time == record.recording.date
    assert recording.stated.pacemaker is False


def test_an_ishne_that_was_cut_or_has_lead_faults(tmp_path):
    truth = w.Truth()
    truth.steps[100:110, 3] = -32768
    w.ishne(tmp_path / "r.ecg", truth, promised=9_000)
    recording = read_recording(tmp_path / "r.ecg", KEY)
    assert "may be cut" in recording.doubts[0].text
    assert np.flatnonzero(np.isnan(recording.signal[:, 3])).tolist() == list(range(100, 110))


# --- CSV and JSON


def test_a_table_that_states_neither_rate_nor_unit_asks_for_two_lines(tmp_path):
    path = tmp_path / "r.csv"
    w.table(path, w.Truth(), names=list(w.LEADS))
    with pytest.raises(UnsupportedFormat) as caught:
        read_recording(path, KEY)
    assert "sampling rate and its unit" in caught.value.what
    assert "rate_hz = " in caught.value.mend
    assert "unit = " in caught.value.mend
    (tmp_path / "r.toml").write_text('rate_hz = 500\nunit = "uV"\n')
    recording = read_recording(path, KEY)
    assert recording.lead_names == w.LEADS
    np.testing.assert_allclose(recording.signal, w.Truth().millivolts, atol=1e-5)
    (tmp_path / "r.toml").rename(tmp_path / ".ecg-profile.toml")
    assert read_recording(path, KEY).recording_id == recording.recording_id
    (tmp_path / ".ecg-profile.toml").write_text('rate_hz = 250\nunit = "uV"\n')
    assert read_recording(path, KEY).recording_id != recording.recording_id


@pytest.mark.parametrize(("separator", "decimal"), [(";", ","), ("\t", "."), ("\t", ","), ("|", "."), (" ", ".")])
def test_separators_and_decimals(tmp_path, separator, decimal):
    truth = w.Truth(leads=("II", "V1"))
    path = tmp_path / "r.csv"
    w.table(path, truth, separator=separator, decimal=decimal, names=["II_mV", "V1_mV"], unit_factor=0.005)
    (tmp_path / "r.toml").write_text("rate_hz = 500")
    recording = read_recording(path, KEY)
    assert recording.lead_names == ("II", "V1")
    np.testing.assert_allclose(recording.signal, truth.millivolts, atol=1e-5)


def test_one_column_with_decimal_commas_is_not_guessed(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("\n".join(f"{v:.3f}".replace(".", ",") for v in w.Truth().millivolts[:, 0]))
    with pytest.raises(UnsupportedFormat, match="comma"):
        read_recording(path, KEY)
    (tmp_path / "r.toml").write_text('rate_hz = 500\nunit = "mV"\ndecimal = ","\nseparator = ";"\nleads = "II"')
    recording = read_recording(path, KEY)
    assert recording.lead_names == ("II",)
    np.testing.assert_allclose(recording.signal[:, 0], w.Truth().millivolts[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "clock"),
    [
        ("time_s", lambda i: f"{i / 250:.3f}"),
        ("Time (ms)", lambda i: str(4 * i)),
        ("timestamp [us]", lambda i: str(10**15 + 4000 * i)),
        ("time", lambda i: f"2021-03-04 10:20:{30 + i // 250:02d}.{4 * (i % 250):03d}"),
    ],
)
def test_a_column_of_times_gives_rate_and_gaps(tmp_path, name, clock):
    truth = w.Truth(rate=250, leads=("II",))
    path = tmp_path / "r.csv"
    w.table(path, truth, names=["ECG (uV)"], times=(name, clock))
    recording = read_recording(path, KEY)
    assert (recording.sampling_rate_hz, recording.n_samples) == (250, 2500)
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:1001] + rows[1101:]))
    recording = read_recording(path, KEY)
    assert recording.n_samples == 2500
    assert np.flatnonzero(np.isnan(recording.signal[:, 0])).tolist() == list(range(1000, 1100))
    assert "100 samples are missing" in recording.doubts[0].text


def test_missing_cells_and_old_line_ends(tmp_path):
    truth = w.Truth(leads=("II",))
    w.table(tmp_path / "r.csv", truth, names=["II (uV)"])
    rows = ["\ufeffII (uV)", *(tmp_path / "r.csv").read_text().splitlines()[1:]]
    rows[101:104] = ["NaN", '""', " 35.0"]
    (tmp_path / "r.toml").write_text("rate_hz = 500")
    for end in ("\n", "\r\n", "\r"):
        (tmp_path / "r.csv").write_bytes(end.join(rows).encode("utf-8"))
        signal = read_recording(tmp_path / "r.csv", KEY).signal[:, 0]
        assert np.flatnonzero(np.isnan(signal)).tolist() == [100, 101]
        assert signal[102] == pytest.approx(0.035)


def test_times_without_a_unit_are_asked_for(tmp_path):
    path = tmp_path / "r.csv"
    w.table(path, w.Truth(rate=250, leads=("II",)), names=["ECG (uV)"], times=("time", lambda i: str(4 * i)))
    with pytest.raises(UnsupportedFormat, match="sampling rate"):
        read_recording(path, KEY)
    (tmp_path / "r.toml").write_text('time_column = "time"\ntime_unit = "ms"')
    assert read_recording(path, KEY).sampling_rate_hz == 250


def test_other_columns_are_left_out(tmp_path):
    path = tmp_path / "r.csv"
    rows = ["sample,time_s,II [mV],HR [bpm],acc_x,V1 [mV]"]
    rows += [f"{i},{i / 250},{a:.3f},72,0.1,{b:.3f}" for i, (a, b) in enumerate(w.Truth(rate=250).millivolts[:, :2])]
    path.write_text("\n".join(rows))
    assert read_recording(path, KEY).lead_names == ("II", "V1")


@pytest.mark.parametrize(
    "text", ["rate = 250", "rate_hz = true", 'unit = "mmHg"', 'decimal = "x"', "rate_hz = ", "time_unit = 5", "\xff"]
)
def test_a_wrong_profile_says_what_is_right(tmp_path, text):
    w.table(tmp_path / "r.csv", w.Truth())
    (tmp_path / "r.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptHeader, match="profile") as caught:
        read_recording(tmp_path / "r.csv", KEY)
    assert caught.value.mend


RUSSIAN = (
    "Имя,{name}\nДата рождения,{born}\nДата записи,2021-03-04 10:20:30 +0300\nКлассификация,Синусовый ритм\n"
    'Симптомы,\nВерсия ПО,"1,90"\nУстройство,"Apple Watch"\nЧастота дискретизации,"512,844 герца"\n\n'
    "Отведение,Отведение I\nЕдиница,мкВ\n\n"
)
JAPANESE = (
    "名前,{name}\n生年月日,{born}\n記録日時,2021-03-04 10:20:30 +0900\n分類,洞調律\n症状,\n"
    "ソフトウェアバージョン,1.90\n"
    "デバイス,Apple Watch\nサンプルレート,512.844ヘルツ\n\n誘導,第I誘導\n"
    "単位,µV\n\n"
)


@pytest.mark.parametrize(("head", "point"), [(RUSSIAN, ","), (JAPANESE, ".")])
def test_apple_in_other_scripts(tmp_path, head, point):
    values = w.Truth(leads=("I",)).steps[:, 0] * 5.0
    text = head.format(name=w.NAME, born="3 февр. 1951 г.") + "".join(f"{v:.3f}\n".replace(".", point) for v in values)
    (tmp_path / "ecg.csv").write_text(text, "utf-8")
    recording = read_recording(tmp_path / "ecg.csv", KEY)
    assert (recording.lead_names, recording.sampling_rate_hz) == (("I",), 512.844)
    np.testing.assert_allclose(recording.signal[:, 0] * 1000, values, atol=1e-3)


@pytest.mark.parametrize(
    "rate",
    [
        "512,844 hertzů",
        "512,844 hercios",
        "512,844 herca",
        "512,844 hertziä",
        "512.844赫兹",
        "512.844 Hz",
        "٥١٢٫٨٤٤ هرتز",
    ],
)
def test_hertz_in_other_languages(tmp_path, rate):
    path, _ = w.write(tmp_path, "apple")
    path.write_text(path.read_text("utf-8").replace("500 hertz", f'"{rate}"'), "utf-8")
    assert read_recording(path, KEY).sampling_rate_hz == 512.844


def test_what_apple_states(tmp_path):
    path, _ = w.write(tmp_path, "apple")
    stated = read_recording(path, KEY).stated
    assert (stated.statements, stated.symptoms, stated.age_years) == (("Sinus Rhythm",), ("Dizziness",), 70)


def test_json_without_rate_or_unit_asks(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"ecg": [' + ",".join(str(v) for v in w.Truth().steps[:, 0]) + "]}")
    with pytest.raises(UnsupportedFormat, match="sampling rate and its unit"):
        read_recording(path, KEY)
    (tmp_path / "r.toml").write_text('rate_hz = 500\nunit = "uV"')
    assert read_recording(path, KEY).n_samples == 5000


# --- fingerprint


def a_recording(signal, names=("I", "II"), rate=500.0):
    return Recording("x", np.asarray(signal, np.float32), rate, names, "test")


def test_what_changes_a_fingerprint_and_what_does_not():
    signal = w.Truth(leads=("I", "II")).millivolts
    base = fingerprint(a_recording(signal))
    assert fingerprint(a_recording(signal + 0.001)) == base
    assert fingerprint(a_recording(np.vstack([signal, np.zeros((70, 2))]))) == base
    assert fingerprint(a_recording(np.vstack([np.full((5, 2), np.nan), signal]))) == base
    assert fingerprint(a_recording(signal[:, ::-1], ("II", "I"))) == base
    third = np.column_stack([signal, signal[:, 1] - signal[:, 0]])
    assert fingerprint(a_recording(third, ("I", "II", "III"))) == base
    for other in (
        a_recording(signal * 1.1),
        a_recording(signal[:-50]),
        a_recording(signal, rate=250.0),
        a_recording(signal[:, :1], ("I",)),
        a_recording(np.where(np.arange(len(signal))[:, None] == 700, np.nan, signal)),
    ):
        assert fingerprint(other) != base
    assert fingerprint(a_recording(np.zeros((10, 2)))) == fingerprint(a_recording(np.zeros((20, 2))))


@pytest.mark.parametrize("name", ["dicom", "muse", "scp", "edf+", "mfer"])
def test_saturation_is_missing(tmp_path, name):
    truth = w.Truth()
    truth.steps[1000:1020, 0] = 32767
    truth.steps[3000:3010, 1] = -32768
    path, _ = w.write(tmp_path, name, truth)
    signal = read_recording(path, KEY).signal
    assert np.flatnonzero(np.isnan(signal[:, 0])).tolist() == list(range(1000, 1020))
    assert np.flatnonzero(np.isnan(signal[:, 1])).tolist() == list(range(3000, 3010))
