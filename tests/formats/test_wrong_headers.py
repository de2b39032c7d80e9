"""Headers as other programs write them wrong: read as meant and told, or refused with what is wrong; never guessed.

Each case changes one thing of a record of 30 s whose R waves are 1.1 mV high; none may come out with another height, or
with a doubt that is not said.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ecg_core.errors import CorruptHeader, RecordingError, TruncatedSignal, UnusableSignal
from ecg_core.formats import read_recording

KEY = b"test key"
N = 7500
TALL = 1.1


def two_leads() -> npt.NDArray[np.int16]:
    """Two leads at 250 Hz, beats of triangles 1.1 mV and .9 mV high; 200 units a millivolt."""
    beat = np.zeros(200)
    beat[96:105] = np.interp(np.arange(9), [0, 4, 8], [0, 1, 0])
    beat[130:160] = 0.2 * np.hanning(30)
    one = np.tile(beat, 38)[:N]
    wander = 0.02 * np.sin(np.arange(N) / 300)
    leads = np.column_stack([TALL * one + wander + 0.015, 0.9 * np.roll(one, 2) - wander + 0.04])
    return np.round(leads * 200).astype("<i2")


SAMPLES = two_leads()
SUMS = [int(np.int64(total + 32768) % 65536 - 32768) for total in SAMPLES.sum(axis=0, dtype=np.int64)]


def write(
    folder: Path,
    gain: str = "200(0)/mV",
    form: str = "16",
    record: str = "w 2 250 7500",
    after: str = "16 0 {first} {sum} 0",
    names: tuple[str, str] = ("II", "V1"),
    signal: bytes | None = None,
    file: str = "w.dat",
) -> Path:
    lines = [record]
    for place, name in enumerate(names):
        rest = after.format(first=SAMPLES[0, place], sum=SUMS[place])
        lines.append(f"{file} {form} {gain} {rest} {name}")
    (folder / "w.hea").write_text("\n".join([*lines, ""]))
    (folder / file).write_bytes(SAMPLES.tobytes() if signal is None else signal)
    return folder / "w.hea"


def height(path: Path) -> tuple[float, list[str]]:
    """Height of the first lead's R waves in millivolts, and what is said to be doubtful."""
    recording = read_recording(path, KEY)
    signal = recording.signal[:, 0]
    return float(np.percentile(signal, 99.9) - np.median(signal)), [doubt.text for doubt in recording.doubts]


def test_the_record_itself_has_no_doubt(tmp_path):
    found, doubts = height(write(tmp_path))
    assert found == pytest.approx(TALL, abs=0.06)
    assert doubts == []


TOLD = "told"
READ: dict[str, tuple[str, str]] = {
    "swapped": ("200(mV)/0", "each other's place"),
    "baseline after the unit": ("200/mV(0)", "each other's place"),
    "decimal comma": ("200,00(0)/mV", "decimal comma"),
    "many decimals": ("200.0000000000000000(0)/mV", ""),
    "a baseline with decimals": ("200.0(0.0)/mV", ""),
    "in scientific notation": ("2.0e+02(0)/mV", ""),
    "a unit in brackets": ("200(0)/[mV]", ""),
    "a unit spelled out": ("200(0)/milliVolts", ""),
    "microvolts": ("0.2(0)/uV", ""),
    "no gain": ("0", "no gain"),
    "no gain but a unit": ("0/mV", "no gain"),
    "turned over": ("-200(0)/mV", "negative"),
}


@pytest.mark.parametrize("case", READ)
def test_gains_that_can_be_read_in_one_way_are(tmp_path, case):
    gain, said = READ[case]
    found, doubts = height(write(tmp_path, gain))
    if case == "turned over":
        assert doubts
        return
    assert found == pytest.approx(TALL, abs=0.06)
    assert [said in doubt for doubt in doubts] == ([True] if said else [])


REFUSED_GAINS = {
    "a unit without a slash": "200mV",
    "a unit that stands apart": "200 mV",
    "microvolts that stand apart": "0.2 uV",
    "the slash stands apart": "200(0) /mV",
    "a thousand with a blank": "1 000(0)/mV",
    "a thousand with a comma": "1,000(0)/mV",
    "a thousand with a dot and a comma": "1.000,0(0)/mV",
    "square brackets": "200[0]/mV",
    "an open bracket": "200(0/mV",
    "a baseline between two units": "200(0.5)/mV",
    "not a number": "nan(0)/mV",
    "infinite": "inf/mV",
    "per second unit": "200/mV(0)x",
    "a unit and no gain": "0(0)/uV",
    "next to nothing": "1e-300/mV",
    "a percent sign": "200%",
    "hexadecimal": "0xC8(0)/mV",
}


@pytest.mark.parametrize("case", REFUSED_GAINS)
def test_gains_that_cannot_be_read_are_refused_by_name(tmp_path, case):
    with pytest.raises(CorruptHeader, match=r"gain|unit") as caught:
        read_recording(write(tmp_path, REFUSED_GAINS[case]), KEY)
    assert "lead 1" in caught.value.what
    assert caught.value.mend


@pytest.mark.parametrize("gain", ["0.005(0)/mV", "200(0)/uV", "200(0)/V", "5(0)/mV"])
def test_heights_that_no_ecg_has_are_told(tmp_path, gain):
    _, doubts = height(write(tmp_path, gain))
    assert any("gain" in doubt for doubt in doubts)


@pytest.mark.parametrize("unit", ["adu", "NU", "counts", "mmHg", "mV/s"])
def test_a_lead_in_what_is_no_unit_of_voltage_is_named_as_the_reason(tmp_path, unit):
    with pytest.raises(UnusableSignal, match="unit of 2 ECG lead") as caught:
        read_recording(write(tmp_path, f"200(0)/{unit}"), KEY)
    assert "mV" in caught.value.mend


def test_a_lead_that_is_left_out_is_told(tmp_path):
    header = write(tmp_path)
    header.write_text(header.read_text().replace("/mV", "/adu", 1))
    recording = read_recording(header, KEY)
    assert recording.lead_names == ("V1",)
    assert "1 ECG lead(s) are left out" in recording.doubts[0].text
    recording = read_recording(write(tmp_path, names=("II", "RESP")), KEY)
    assert recording.lead_names == ("II",)
    assert "1 signal(s) in volts are left out" in recording.doubts[0].text


@pytest.mark.parametrize("name", ["II filtered 0.05-40 Hz", "ECG temp", "12", "V", "Ableitung (II)"])
def test_names_of_leads_take_nothing_of_the_numbers_and_give_them_nothing(tmp_path, name):
    found, doubts = height(write(tmp_path, names=(name, "V1")))
    assert found == pytest.approx(TALL, abs=0.06)
    assert doubts == []


@pytest.mark.parametrize(
    ("after", "words"),
    [("16 nan 3 5 0", "number"), ("16 0 3.5 5 0", "number"), ("16 0 1e3 5 0", "number")],
)
def test_numbers_that_cannot_stand_there_are_no_name_of_a_lead(tmp_path, after, words):
    with pytest.raises(CorruptHeader, match=words):
        read_recording(write(tmp_path, after=after), KEY)


def test_whole_numbers_with_decimals_are_whole(tmp_path):
    recording = read_recording(write(tmp_path, after="16.0 0.0 {first}.0 {sum}.0 0.0"), KEY)
    assert recording.lead_names == ("II", "V1")
    assert recording.doubts == ()


# --- checksums, first values, baseline


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("16 0 {first} 1234 0", "checksums are not"),
        ("16 0 77 {sum} 0", "first values are not those of the samples, though its checksums are"),
        ("16 0 77 1234 0", "checksums and first values are not"),
        ("16 0 77", "first values are not those of the samples: the signal is damaged"),
        ("16 0 0 0 0", ""),
        ("16 0", ""),
        ("", ""),
    ],
)
def test_what_the_header_says_of_the_samples_is_held_against_them(tmp_path, after, said):
    found, doubts = height(write(tmp_path, after=after))
    assert found == pytest.approx(TALL, abs=0.06)
    assert [said in doubt for doubt in doubts] == ([True] if said else [])


def test_a_baseline_that_is_wrong_throughout_is_told(tmp_path):
    _, doubts = height(write(tmp_path, "200(2048)/mV"))
    assert len(doubts) == 1
    assert "10.2 mV off zero" in doubts[0]


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (SAMPLES.T.copy(), "lead after lead"),
        (SAMPLES.astype(">i2"), "format 61"),
    ],
)
def test_samples_in_another_order_are_refused_by_the_checksums(tmp_path, stored, words):
    with pytest.raises(CorruptHeader, match=words):
        read_recording(write(tmp_path, signal=stored.tobytes()), KEY)


def test_samples_in_another_format_are_refused_by_the_checksums(tmp_path):
    with pytest.raises(CorruptHeader, match="stored in format 16, the header says 212"):
        read_recording(write(tmp_path, form="212"), KEY)


def test_samples_lead_after_lead_without_checksums_are_told(tmp_path):
    _, doubts = height(write(tmp_path, after="16 0", signal=SAMPLES.T.copy().tobytes()))
    assert any("lead after lead" in doubt for doubt in doubts)


# --- lengths


@pytest.mark.parametrize("short", [1, 249])
def test_a_file_short_by_less_than_a_second_is_read_and_told(tmp_path, short):
    recording = read_recording(write(tmp_path, signal=SAMPLES[:-short].tobytes()), KEY)
    assert recording.n_samples == N - short
    [doubt] = recording.doubts
    assert doubt.code == "length"
    assert f"{short} sample(s) of each lead shorter than the 7,500" in doubt.text


def test_a_file_short_by_a_second_is_refused_with_both_numbers(tmp_path):
    with pytest.raises(TruncatedSignal, match=r"holds 7,250 samples.*promises 7,500 samples"):
        read_recording(write(tmp_path, signal=SAMPLES[:-250].tobytes()), KEY)


@pytest.mark.parametrize("more", [1, 100, 7500])
def test_what_a_file_holds_beyond_its_header_is_told(tmp_path, more):
    recording = read_recording(write(tmp_path, signal=np.concatenate([SAMPLES, SAMPLES[:more]]).tobytes()), KEY)
    assert recording.n_samples == N
    assert f"holds {N + more:,} samples of each lead" in recording.doubts[0].text


def test_a_length_in_seconds_is_refused_with_both_numbers(tmp_path):
    with pytest.raises(CorruptHeader, match=r"promises 30 samples.*holds 7,500 samples"):
        read_recording(write(tmp_path, record="w 2 250 30"), KEY)


# --- when


MORNING = datetime(2020, 5, 5, 9, 49, 17)


@pytest.mark.parametrize(
    "start",
    [
        "09:49:17 05/05/2020",
        "05/05/2020 09:49:17",
        "05-May-2020 09:49:17",
        "5 May 2020 09:49:17",
        "05-MAY-2020 9:49:17.000",
        "2020-05-05 09:49:17",
        "2020-05-05T09:49:17",
        "2020/05/05 09:49:17",
        "05.05.2020 09:49:17",
        "[09:49:17.000 05/05/2020]",
        "05/05/2020 09:49:17 AM",
    ],
)
def test_starts_that_can_be_read_in_one_way_are(tmp_path, start):
    recording = read_recording(write(tmp_path, record=f"w 2 250 7500 {start}"), KEY)
    assert recording.start_time == MORNING
    assert recording.doubts == ()


def test_an_afternoon_is_no_morning(tmp_path):
    recording = read_recording(write(tmp_path, record="w 2 250 7500 05/05/2020 09:49:17 PM"), KEY)
    assert recording.start_time == MORNING.replace(hour=21)


def test_a_zone_stays_with_its_start(tmp_path):
    recording = read_recording(write(tmp_path, record="w 2 250 7500 2020-05-05T09:49:17+02:00"), KEY)
    assert recording.start_time.isoformat() == "2020-05-05T09:49:17+02:00"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("13:05:59", "time of day of the start, 13:05:59, but no date"),
        ("05/05/2020", "day of the start, 05/05/2020, but no time"),
        ("05-May-2020", "day of the start but no time"),
        ("09:49:17 13/13/2020", "start is not known"),
        ("09:49:17 05/05/20", "start is not known"),
        ("09:49 05/05/2020", "start is not known"),
        ("25:00:00 05/05/2020", "start is not known"),
        ("yesterday 09:49:17", "start is not known"),
        ("Hanna Beispiel", "no time of day"),
    ],
)
def test_a_start_that_is_not_understood_is_said(tmp_path, start, said):
    recording = read_recording(write(tmp_path, record=f"w 2 250 7500 {start}"), KEY)
    assert recording.start_time is None
    assert [said in doubt.text for doubt in recording.doubts] == [True]
    assert "Beispiel" not in repr(recording)


# --- files


def matlab4(matrix: npt.NDArray[np.generic], kind: int = 30, name: bytes = b"val\0") -> bytes:
    rows, columns = matrix.shape
    return struct.pack("<5i", kind, rows, columns, 0, len(name)) + name + matrix.tobytes(order="F")


def test_a_matlab_4_matrix_of_leads_by_samples_is_read(tmp_path):
    found, doubts = height(write(tmp_path, form="16+24", signal=matlab4(SAMPLES.T), file="w.mat"))
    assert (found, doubts) == (pytest.approx(TALL, abs=0.06), [])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: matlab4(SAMPLES), "lead after lead"),
        (lambda: matlab4(SAMPLES.T.astype("<f8"), kind=0), "another kind"),
        (lambda: matlab4(SAMPLES.T, name=b"signal\0"), "first sample at byte 27"),
        (lambda: b"MATLAB 5.0 MAT-file" + bytes(200) + SAMPLES.tobytes(), "MATLAB 5"),
        (lambda: b"MATLAB 7.3 MAT-file" + bytes(600) + SAMPLES.tobytes(), "MATLAB 7.3"),
        (lambda: b"\x89HDF\r\n\x1a\n" + SAMPLES.tobytes(), "HDF5"),
        (lambda: b"\x1f\x8b\x08\0" + SAMPLES.tobytes(), "gzip"),
        (lambda: b"PK\x03\x04" + SAMPLES.tobytes(), "zip"),
        (lambda: "\n".join(f"{a},{b}" for a, b in SAMPLES).encode(), "text"),
    ],
)
def test_signal_files_of_another_kind_are_refused_by_name(tmp_path, make: Callable[[], bytes], words):
    with pytest.raises(CorruptHeader, match=words) as caught:
        read_recording(write(tmp_path, form="16+24", signal=make(), file="w.mat"), KEY)
    assert caught.value.mend


@pytest.mark.parametrize("name", ["W.DAT", "w.Dat"])
def test_a_signal_file_whose_name_lost_its_case_is_found(tmp_path, name):
    header = write(tmp_path)
    header.with_suffix(".dat").rename(tmp_path / name)
    assert read_recording(header, KEY).n_samples == N
    assert read_recording(tmp_path / name, KEY).n_samples == N


@pytest.mark.parametrize("record", ["ward/w 2 250 7500", "ward\\w 2 250 7500", "w.mat 2 250 7500"])
def test_folders_and_suffixes_in_the_records_name_are_no_hindrance(tmp_path, record):
    assert read_recording(write(tmp_path, record=record), KEY).n_samples == N


def test_no_sentence_quotes_the_file(tmp_path):
    with pytest.raises(RecordingError) as caught:
        read_recording(write(tmp_path, "200(Beispiel"), KEY)
    assert "Beispiel" not in str(caught.value)
