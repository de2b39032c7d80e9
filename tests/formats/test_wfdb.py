"""WFDB as it is, and as it comes when something went wrong: either a recording or a sentence, never a traceback."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg_core.errors import (
    CorruptHeader,
    IncompleteRecording,
    RecordingError,
    TruncatedSignal,
    UnsupportedFormat,
    UnusableSignal,
)
from ecg_core.formats import read_recording

KEY = b"test key"
N = 3600


def a_lead(n=N, height=400):
    return np.round(height * np.sin(np.arange(n) / 9)).astype("<i2")


def write_record(folder: Path, first="r 1 360 3600", lines=("r.dat 16 200(0)/mV 12 0 0 0 0 II",), samples=None):
    """A header of these lines and a 16-bit signal file."""
    folder.mkdir(exist_ok=True)
    (folder / "r.hea").write_bytes("\n".join([first, *lines, ""]).encode("utf-8", "surrogateescape"))
    (a_lead() if samples is None else samples).astype("<i2").tofile(folder / "r.dat")
    return folder / "r.hea"


# --- what is read


@pytest.mark.parametrize("record", ["100", "105", "213"])
def test_a_real_record_equals_what_wfdb_reads(mitdb, record):
    recording = read_recording(mitdb / f"{record}.hea", KEY)
    expected = wfdb.rdrecord(str(mitdb / record))
    np.testing.assert_allclose(recording.signal, expected.p_signal, atol=1e-6)
    assert recording.lead_names == tuple(expected.sig_name)
    assert recording.sampling_rate_hz == 360
    assert recording.source_format == "wfdb"
    assert recording.start_time is None
    assert not recording.synthetic


@pytest.mark.parametrize(
    ("database", "pattern"),
    [("qtdb/1.0.0", "sel1*.hea"), ("ptb-xl/1.0.3", "**/*_lr.hea"), ("challenge-2017", "**/*.hea")],
)
def test_other_databases_equal_what_wfdb_reads(mitdb, database, pattern):
    headers = sorted((mitdb.parents[1] / database).glob(pattern))[:4]
    if not headers:
        pytest.skip(f"the mirror here lacks {database}")
    for header in headers:
        recording = read_recording(header, KEY)
        expected = wfdb.rdrecord(str(header.with_suffix("")))
        np.testing.assert_allclose(recording.signal, expected.p_signal, atol=1e-5)


def test_saturated_samples_of_a_real_record_are_missing(mitdb):
    recording = read_recording(mitdb / "116.hea", KEY)
    digital = wfdb.rdrecord(str(mitdb / "116"), physical=False).d_signal
    np.testing.assert_array_equal(np.isnan(recording.signal), (digital == 0) | (digital == 2047))
    assert np.isnan(recording.signal).any()


@pytest.mark.parametrize("form", ["80", "212", "16", "24", "32", "61", "160", "310", "311", "508", "516", "524"])
def test_every_storage_format_gives_back_what_was_written(tmp_path, form, monkeypatch):
    # Parts so small that many borders fall inside the recording, odd so that they cut packed samples.
    monkeypatch.setattr("ecg_core.formats.wfdb_record._CHUNK_FRAMES", 1001)
    height = {"80": 100, "508": 100, "310": 400, "311": 400}.get(form, 1500)
    digital = np.stack([a_lead(height=height), a_lead(height=height)[::-1]], axis=1).astype(np.int64)
    write_as(tmp_path, digital, form)
    recording = read_recording(tmp_path / "w.hea", KEY)
    np.testing.assert_allclose(recording.signal, digital / 200, atol=1e-6)


def write_as(folder, digital, form):
    """Write `w.hea` and `w.dat`; wfdb does not write all formats that it reads, the others follow signal(5)."""
    if form in PACKED_BY_HAND:
        write_as(folder, digital, "16")
        (folder / "w.dat").write_bytes(PACKED_BY_HAND[form](digital.ravel()))
        header = (folder / "w.hea").read_text()
        (folder / "w.hea").write_text(header.replace(" 16 200", f" {form} 200"))
        return
    n = digital.shape[1]
    wfdb.wrsamp(
        "w",
        fs=360,
        units=["mV"] * n,
        sig_name=["II", "V1"][:n],
        d_signal=digital,
        fmt=[form] * n,
        adc_gain=[200.0] * n,
        baseline=[0] * n,
        write_dir=str(folder),
    )


def pack_310(flat):
    one, two, three = (flat.reshape(-1, 3).T & 0x3FF).astype(np.uint32)
    low = (one << 1) | ((three & 0x1F) << 11)
    high = (two << 1) | ((three >> 5) << 11)
    return np.column_stack([low, high]).astype("<u2").tobytes()


def pack_311(flat):
    one, two, three = (flat.reshape(-1, 3).T & 0x3FF).astype(np.uint32)
    return (one | (two << 10) | (three << 20)).astype("<u4").tobytes()


PACKED_BY_HAND = {
    "8": lambda flat: np.diff(flat.reshape(-1, 2), axis=0, prepend=0).clip(-128, 127).astype(np.int8).tobytes(),
    "61": lambda flat: flat.astype(">i2").tobytes(),
    "160": lambda flat: (flat + 32768).astype("<u2").tobytes(),
    "310": pack_310,
    "311": pack_311,
}


def test_format_8_differences_are_summed_up_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("ecg_core.formats.wfdb_record._CHUNK_FRAMES", 1000)
    digital = a_lead(height=300).astype(np.int64)
    header = write_record(tmp_path, lines=("r.dat 8 200(0)/mV 12 0 0 0 0 II",))
    np.diff(digital, prepend=0).astype(np.int8).tofile(tmp_path / "r.dat")
    np.testing.assert_allclose(read_recording(header, KEY).signal[:, 0], digital / 200, atol=1e-6)


@pytest.mark.parametrize(
    ("unit", "factor"), [("/mV", 1), ("", 1), ("/uV", 1e-3), ("/µV", 1e-3), ("/μV", 1e-3), ("/V", 1e3), ("/MV", 1)]
)
def test_units_become_millivolts(tmp_path, unit, factor):
    header = write_record(tmp_path, lines=(f"r.dat 16 200(0){unit} 16 0 0 0 0 II",))
    np.testing.assert_allclose(read_recording(header, KEY).signal[:, 0], a_lead() / 200 * factor, rtol=1e-5, atol=1e-6)


def test_missing_samples_are_nan(tmp_path):
    samples = a_lead()
    samples[100:110] = -32768
    signal = read_recording(write_record(tmp_path, samples=samples), KEY).signal
    assert np.flatnonzero(np.isnan(signal[:, 0])).tolist() == list(range(100, 110))


def test_a_stated_adc_range_that_the_signal_exceeds_is_not_believed(tmp_path):
    header = write_record(tmp_path, lines=("r.dat 16 200(0)/mV 8 0 0 0 0 II",))  # 8 bits: ±128, the signal has ±400
    assert np.isfinite(read_recording(header, KEY).signal).all()


def test_only_ecg_leads_are_kept_and_each_has_a_name_of_its_own(tmp_path):
    names = ["ECG", "RESP", "ECG", "ABP", "SpO2", ""]
    units = ["mV", "mV", "mV", "mmHg", "%", "mV"]
    lines = [f"r.dat 16 200(0)/{u} 16 0 0 0 0 {n}" for n, u in zip(names, units, strict=True)]
    header = write_record(tmp_path, "r 6 360 3600", lines, np.tile(a_lead()[:, None] + np.arange(6), 1))
    recording = read_recording(header, KEY)
    assert recording.lead_names == ("ECG", "ECG 2", "lead 3")
    np.testing.assert_allclose(recording.signal[0] * 200, [0, 2, 5], atol=1e-4)


def test_leads_in_several_files_and_several_samples_per_frame(tmp_path):
    lines = [
        "a.dat 16x2 200(0)/mV 16 0 0 0 0 II",
        "b.dat 16 10/mmHg 16 0 0 0 0 ABP",
        "b.dat 16x2 200(0)/mV 16 0 0 0 0 V1",
    ]
    header = write_record(tmp_path, "r 3 180 1800", lines)
    a_lead().tofile(tmp_path / "a.dat")
    frames = np.column_stack([np.zeros(1800), a_lead(height=90).reshape(-1, 2)]).astype("<i2")
    frames.tofile(tmp_path / "b.dat")
    recording = read_recording(header, KEY)
    assert recording.sampling_rate_hz == 360
    np.testing.assert_allclose(recording.signal * 200, np.column_stack([a_lead(), a_lead(height=90)]), atol=1e-3)


def test_length_left_open_is_taken_from_the_file(tmp_path):
    assert read_recording(write_record(tmp_path, "r 1 360"), KEY).n_samples == N
    assert read_recording(write_record(tmp_path, "r 1 360 0"), KEY).n_samples == N


def test_start_time_where_date_and_time_are_given(tmp_path):
    recording = read_recording(write_record(tmp_path, "r 1 360 3600 08:03:08 1/03/2000"), KEY)
    assert recording.start_time.isoformat() == "2000-03-01T08:03:08"
    for clock in ("25:00:00 1/03/2000", "08:03:08", "08:03:08 0/0/0"):
        assert read_recording(write_record(tmp_path, f"r 1 360 3600 {clock}"), KEY).start_time is None


def test_patient_is_a_keyed_hash_and_comments_stay_behind(tmp_path):
    lines = ("r.dat 16 200 16 0 0 0 0 II", "# Hanna Beispiel, born 1.2.1950", "# <patient id>: 4711")
    recording = read_recording(write_record(tmp_path, lines=lines), KEY)
    assert len(recording.patient_pseudonym) == 16
    assert "Hanna" not in repr(recording)
    assert "4711" not in repr(recording)
    assert (
        read_recording(write_record(tmp_path, lines=lines), b"another key").patient_pseudonym
        != recording.patient_pseudonym
    )
    assert read_recording(write_record(tmp_path, lines=lines[:2]), KEY).patient_pseudonym is None


def test_non_ascii_names_are_read(tmp_path):
    folder = tmp_path / "Station Ä::1"
    folder.mkdir()
    (folder / "Müller Ω.hea").write_text("Müller 1 360 3600\nMüller.dat 16 200(0)/mV 16 0 0 0 0 Ableitung II ü\n")
    a_lead().tofile(folder / "Müller.dat")
    recording = read_recording(folder / "Müller Ω.hea", KEY)
    assert (recording.lead_names, recording.file_lead_names) == (("lead 1",), ("Ableitung II ü",))


def test_a_signal_file_leads_to_its_header(mitdb):
    by_signal, by_header = (read_recording(mitdb / f"100.{s}", KEY) for s in ("dat", "hea"))
    assert by_signal.recording_id == by_header.recording_id


# --- what is refused, and with which words


HEADERS = {
    "no line": ("\n\n", CorruptHeader, "no line"),
    "comments alone": ("# nothing\n", CorruptHeader, "no line"),
    "prose": ("Dear colleague, please find enclosed\n", CorruptHeader, "first line"),
    "no rate": ("r 1\nr.dat 16\n", CorruptHeader, "sampling rate"),
    "rate is a word": ("r 1 fast 3600\nr.dat 16\n", CorruptHeader, "not a number"),
    "rate nan": ("r 1 nan 3600\nr.dat 16\n", CorruptHeader, "not a number"),
    "rate 0": ("r 1 0 3600\nr.dat 16 200\n", UnusableSignal, "0 Hz"),
    "rate negative": ("r 1 -360 3600\nr.dat 16 200\n", UnusableSignal, "-360 Hz"),
    "rate too low": ("r 1 25 3600\nr.dat 16 200\n", UnusableSignal, "25 Hz"),
    "rate absurd": ("r 1 1e300 3600\nr.dat 16 200\n", UnusableSignal, "1e+300 Hz"),
    "rate beyond all": ("r 1 1e999 3600\nr.dat 16 200\n", UnusableSignal, "inf Hz"),
    "other digits": ("r 1 ３６０ 3600\nr.dat 16 200\n", CorruptHeader, "not a number"),
    "length is a word": ("r 1 360 long\nr.dat 16 200\n", CorruptHeader, "not a number"),
    "length negative": ("r 1 360 -5\nr.dat 16 200\n", CorruptHeader, "-5"),
    "no lead": ("r 0 360 3600\n", UnusableSignal, "ECG lead"),
    "leads negative": ("r -1 360 3600\n", CorruptHeader, "-1"),
    "leads beyond all": ("r 99999999 360 3600\n", CorruptHeader, "99999999"),
    "fewer leads than promised": ("r 2 360 3600\nr.dat 16 200\n", CorruptHeader, "promises 2"),
    "more leads than promised": ("r 1 360 3600\nr.dat 16\nr.dat 16\n", CorruptHeader, "promises 1"),
    "no format": ("r 1 360 3600\nr.dat\n", CorruptHeader, "stored"),
    "unknown format": ("r 1 360 3600\nr.dat 17 200\n", UnsupportedFormat, "format 17"),
    "two formats in one file": ("r 2 360 900\nr.dat 16 200\nr.dat 80 200\n", CorruptHeader, "contradicts"),
    "gain next to nothing": ("r 1 360 3600\nr.dat 16 1e-300/mV\n", CorruptHeader, "gain"),
    "gain beyond all": ("r 1 360 3600\nr.dat 16 1e300/mV\n", CorruptHeader, "gain"),
    "no samples per frame": ("r 1 360 3600\nr.dat 16x0 200/mV\n", CorruptHeader, "frame"),
    "pressure alone": ("r 1 360 3600\nr.dat 16 200/mmHg 12 0 0 0 0 ABP\n", UnusableSignal, "ECG lead"),
    "path upwards": ("r 1 360 3600\n../../etc/passwd 16 200/mV\n", CorruptHeader, "beside"),
    "absolute path": ("r 1 360 3600\n/etc/passwd 16 200/mV\n", CorruptHeader, "beside"),
    "windows path": ("r 1 360 3600\nC:\\x.dat 16 200/mV\n", CorruptHeader, "beside"),
    "a web address": ("r 1 360 3600\nhttp://127.0.0.1/x.dat 16 200/mV\n", CorruptHeader, "beside"),
    "standard input": ("r 1 360 3600\n- 16 200/mV\n", CorruptHeader, "beside"),
    "the folder itself": ("r 1 360 3600\n.. 16 200/mV\n", CorruptHeader, "beside"),
    "segment upwards": ("r/1 1 360 3600\n../../x 3600\n", CorruptHeader, "beside"),
    "segments": ("r/2 1 360 3600\na 1800\nb 1800\n", UnsupportedFormat, "segments"),
    "another file": ("r 1 360 3600\nother.dat 16 200/mV\n", IncompleteRecording, "1 of the 1"),
    "null lead": ("r 1 360 3600\n~ 16 200/mV\n", UnusableSignal, "ECG lead"),
    "length beyond the file": ("r 1 360 3960\nr.dat 16 200/mV\n", TruncatedSignal, "promises"),
    "length beyond all": ("r 1 360 999999999999\nr.dat 16 200/mV\n", TruncatedSignal, "promises"),
    "offset beyond the file": ("r 1 360 3600\nr.dat 16+999999999999 200/mV\n", TruncatedSignal, "promises"),
    "too short": ("r 1 360 720\nr.dat 16 200/mV\n", CorruptHeader, "promises 720 samples of each lead (2.0 s)"),
    "shifted beyond all": ("r 1 360 3600\nr.dat 16:999999999 200/mV\n", CorruptHeader, "shifts"),
    "no FLAC": ("r 1 360 3600\nr.dat 516 200/mV\n", CorruptHeader, "FLAC"),
    "NUL": ("r 1 360 3600\nr.dat 16 200/mV \0\n", CorruptHeader, "binary"),
    "nothing": (None, IncompleteRecording, "empty"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_bad_header_is_refused_in_plain_words(tmp_path, name):
    text, error, words = HEADERS[name]
    header = write_record(tmp_path)
    header.write_text(text or "")
    with pytest.raises(error) as caught:
        read_recording(header, KEY)
    assert words in caught.value.what
    assert caught.value.mend
    assert str(tmp_path) not in str(caught.value), "a path can hold a patient's name"


def test_a_huge_promise_allocates_nothing(tmp_path):
    import tracemalloc

    header = write_record(tmp_path, "r 1 360 99999999999")
    tracemalloc.start()
    with pytest.raises(TruncatedSignal):
        read_recording(header, KEY)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_huge_sparse_file_is_refused(tmp_path):
    header = write_record(tmp_path, "r 1 360 0")
    os.truncate(tmp_path / "r.dat", 2**42)
    with pytest.raises(UnusableSignal, match="parts"):
        read_recording(header, KEY)


def test_every_sample_missing(tmp_path):
    with pytest.raises(UnusableSignal, match="missing"):
        read_recording(write_record(tmp_path, samples=np.full(N, -32768)), KEY)


def test_a_truncated_real_record(mitdb, tmp_path):
    (tmp_path / "100.hea").write_bytes((mitdb / "100.hea").read_bytes())
    (tmp_path / "100.dat").write_bytes((mitdb / "100.dat").read_bytes()[:700_001])
    with pytest.raises(TruncatedSignal, match=r"holds .*\(10\.8 min\).*promises .*\(30\.1 min\)"):
        read_recording(tmp_path / "100.hea", KEY)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
        ("letter.txt", b"Dear colleague"),
        ("junk.bin", bytes(range(256)) * 40),
        ("noname", b"x"),
    ],
)
def test_what_is_no_ecg(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsupportedFormat, match="no ECG"):
        read_recording(tmp_path / name, KEY)


def test_a_photo_that_calls_itself_a_header(tmp_path):
    (tmp_path / "photo.hea").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF")
    with pytest.raises(CorruptHeader, match="binary"):
        read_recording(tmp_path / "photo.hea", KEY)


def test_what_cannot_be_opened(tmp_path):
    (tmp_path / "loop.hea").symlink_to("loop.hea")
    os.mkfifo(tmp_path / "pipe.hea")
    for name, error in (
        ("loop.hea", IncompleteRecording),
        ("gone.hea", IncompleteRecording),
        ("pipe.hea", UnsupportedFormat),
        ("", UnsupportedFormat),
    ):
        with pytest.raises(error):
            read_recording(tmp_path / name, KEY)


def test_a_signal_file_that_vanishes_after_the_lengths_were_checked(tmp_path, monkeypatch):
    from ecg_core.formats import wfdb_record

    header = write_record(tmp_path)
    check = wfdb_record.check_length

    def vanish(*arguments):
        check(*arguments)
        (tmp_path / "r.dat").unlink()

    monkeypatch.setattr(wfdb_record, "check_length", vanish)
    with pytest.raises(IncompleteRecording):
        read_recording(header, KEY)


def test_a_signal_file_that_shrinks_after_the_lengths_were_checked(tmp_path, monkeypatch):
    from ecg_core.formats import wfdb_record

    header = write_record(tmp_path)
    check = wfdb_record.check_length

    def shrink(*arguments):
        check(*arguments)
        os.truncate(tmp_path / "r.dat", 1001)

    monkeypatch.setattr(wfdb_record, "check_length", shrink)
    with pytest.raises(TruncatedSignal):
        read_recording(header, KEY)


def test_a_full_disk_is_no_fault_of_the_recording(tmp_path, monkeypatch):
    # /dev/full would do for writing a file, but not for making a folder.
    def full(*arguments, **names):
        raise OSError(28, "No space left on device")

    header = write_record(tmp_path, lines=("r.dat 61 200(0)/mV 12 0 0 0 0 II",))
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(OSError, match="No space left"):
        read_recording(header, KEY)


def mutate(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[place : place + rng.randint(1, 20)]
        elif kind == 2:
            data[place:place] = rng.choice(
                [b"0", b"9", b"-", b"/", b" ", b"\n", b"x", b":", b"+", b"(", b"e9", b"\xc3"]
            )
        elif kind == 3:
            data[place:place] = data[max(0, place - 12) : place]
        elif len(data) > place:
            data[place] ^= 1 << rng.randrange(8)
    return bytes(data)


@pytest.mark.parametrize("form", ["16", "212", "8", "516", "310"])
def test_mutations_give_a_recording_or_a_sentence(tmp_path, form):
    rng = random.Random(7)
    digital = np.stack([a_lead(2400), a_lead(2400, 300)], axis=1).astype(np.int64)
    write_as(tmp_path, digital, form)
    header, signal = (tmp_path / "w.hea").read_bytes(), (tmp_path / "w.dat").read_bytes()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        (tmp_path / "w.hea").write_bytes(mutate(header, rng))
        (tmp_path / "w.dat").write_bytes(mutate(signal, rng) if rng.random() < 0.3 else signal)
        try:
            recording = read_recording(tmp_path / "w.hea", KEY)
        except RecordingError:
            outcomes["refused"] += 1
        else:
            assert recording.signal.dtype == np.float32
            assert recording.signal.shape[1] == len(set(recording.lead_names))
            outcomes["read"] += 1
    assert min(outcomes.values()) >= 10, outcomes
