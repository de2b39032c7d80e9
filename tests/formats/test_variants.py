"""Files as devices and programs write them: each read to the leads, rate, start, length and samples it was made of."""

# ruff: noqa: E501 (a file to a line)

import io
import json
import struct
import zipfile
from datetime import UTC, datetime, timedelta, timezone

import format_writers as w
import numpy as np
import pytest

from ecg_core.formats import read_recording

KEY = b"test key"
ONE = w.Truth(rate=250, leads=("II",))
TWO = w.Truth(rate=250, leads=("II", "V1"))
EIGHT = w.Truth()
PLUS_ONE = timezone(timedelta(hours=1))


def expect(path, truth, leads=None, start=None, rate=None, signal=None, doubt=None):
    """Read a file and hold it against the numbers that it was made of; `start` None: the file states none."""
    recording = read_recording(path, KEY)
    wanted = truth.millivolts if signal is None else signal
    assert recording.lead_names == (leads or truth.leads)
    assert recording.sampling_rate_hz == pytest.approx(rate or truth.rate, rel=1e-6)
    assert recording.signal.shape == wanted.shape
    np.testing.assert_allclose(recording.signal, wanted, atol=2e-5)
    assert recording.start_time == start
    if start is not None:
        assert recording.start_time.utcoffset() == start.utcoffset()
    assert any(doubt in said.text for said in recording.doubts) if doubt else True
    return recording


def rows(truth, cell="{:.3f}", separator=",", decimal=".", first=None):
    """Lines of a table in millivolts; `first` gives what stands before the samples of row i."""
    lines = []
    for i, row in enumerate(truth.millivolts):
        cells = [cell.format(v).replace(".", decimal) for v in row]
        lines.append(separator.join(([first(i)] if first else []) + cells))
    return "\n".join(lines) + "\n"


# --- tables

TABLES = {
    "excel's unicode text": (
        "r.txt", ("Time (s)\tII (mV)\tV1 (mV)\n" + rows(TWO, separator="\t", decimal=",", first=lambda i: f"{i / 250:.3f}".replace(".", ","))).encode("utf-16"), None, None),
    "utf-16 without a mark": (
        "r.csv", ("Time (s),II (mV),V1 (mV)\n" + rows(TWO, first=lambda i: f"{i / 250:.3f}")).encode("utf-16-le"), None, None),
    "latin-1 micro": (
        "r.csv", ("Zeit [ms];II [µV];V1 [µV]\n" + "".join(f"{4 * i};{a * 5};{b * 5}\n" for i, (a, b) in enumerate(TWO.steps))).encode("latin-1"), None, None),
    "utf-8 with a mark and greek mu": (
        "r.csv", ("\ufeffTime [ms];II [μV];V1 [μV]\n" + "".join(f"{4 * i};{a * 5};{b * 5}\n" for i, (a, b) in enumerate(TWO.steps))).encode(), None, None),
    "excel's sep line": (
        "r.csv", "sep=;\nTime [s];II [mV];V1 [mV]\n" + rows(TWO, separator=";", first=lambda i: f"{i / 250:.3f}"), None, None),
    "quoted cells with decimal commas": (
        "r.csv", '"Sampling rate","250 Hz"\n"II (mV)","V1 (mV)"\n' + "".join('"{}","{}"\n'.format(*(f"{v:.3f}".replace(".", ",") for v in row)) for row in TWO.millivolts), None, None),
    "a line of units": (
        "r.csv", "Time,II,V1\ns,mV,mV\n" + rows(TWO, first=lambda i: f"{i / 250:.3f}"), None, None),
    "rdsamp": (
        "r.csv", "'Elapsed time','II','V1'\n'hh:mm:ss.mmm','mV','mV'\n" + rows(TWO, first=lambda i: f"'{i // 15000}:{i // 250 % 60:02d}.{i % 250 * 4:03d}'"), None, None),
    "rdsamp in seconds": (
        "r.csv", "'Elapsed time','II','V1'\n'seconds','mV','mV'\n" + rows(TWO, first=lambda i: f"{i / 250:.3f}"), None, None),
    "rdsamp as text": (
        "r.txt", "   Elapsed time        II      V1\n       (seconds)    (mV)    (mV)\n" + rows(TWO, cell="{:8.3f}", separator="", first=lambda i: f"{i / 250:16.3f}"), None, None),
    "shimmer": (
        "r.csv", "sep=\t\nTimestamp\tECG_LL-RA_24BIT\tECG_Vx-RL_24BIT\nCAL\tCAL\tCAL\nms\tmV\tmV\n" + rows(TWO, separator="\t", first=lambda i: f"{i * 4.0:.1f}"), ("II", "lead 2"), None),
    "pandas' index": (
        "r.csv", "# fs: 250 Hz\n,II (mV),V1 (mV)\n" + rows(TWO, first=str), None, None),
    "the unit in a line, the rate as an interval": (
        "r.csv", "Sampling interval (ms),4\nUnit,mV\nII,V1\n" + rows(TWO), None, None),
    "the rate as a sample period in seconds": (
        "r.csv", "Sample period: 0.004 s\nUnits: mV\nII;V1\n" + rows(TWO, separator=";"), None, None),
    "german": (
        "r.csv", "Abtastrate [Hz];250\nEinheit;mV\nAbleitung II;Ableitung V1\n" + rows(TWO, separator=";", decimal=","), None, None),
    "french": (
        "r.csv", "Fréquence d'échantillonnage;250 Hz\nUnité;mV\nDérivation II;Dérivation V1\n" + rows(TWO, separator=";", decimal=","), None, None),
    "spanish": (
        "r.csv", "Frecuencia de muestreo;250 Hz\nUnidades;mV\nDII;V1\n" + rows(TWO, separator=";", decimal=","), None, None),
    "italian": (
        "r.csv", "Frequenza di campionamento;250 Hz\nUnità;mV\nD2;V1\n" + rows(TWO, separator=";", decimal=","), None, None),
    "russian": (
        "r.csv", ("Частота дискретизации;250 Гц\nЕдиница;мВ\nОтведение II;Отведение V1\n" + rows(TWO, separator=";", decimal=",")), None, None),
    "japanese": (
        "r.csv", ("サンプリング周波数,250 Hz\n単位,mV\n第II誘導,V1誘導\n" + rows(TWO)), None, None),
    "chinese": (
        "r.csv", ("采样率,250\n单位,mV\nII导联,V1导联\n" + rows(TWO)), None, None),
    "moments with a zone": (
        "r.csv", "time,II [mV],V1 [mV]\n" + rows(TWO, first=lambda i: f"2021-03-04T10:20:{30 + i // 250:02d}.{i % 250 * 4:03d}+01:00"), None, w.START.replace(tzinfo=PLUS_ONE)),
    "moments in UTC": (
        "r.csv", "timestamp,II [mV],V1 [mV]\n" + rows(TWO, first=lambda i: f"2021-03-04T10:20:{30 + i // 250:02d}.{i % 250 * 4:03d}Z"), None, w.START.replace(tzinfo=UTC)),
    "moments without a zone": (
        "r.csv", "time,II [mV],V1 [mV]\n" + rows(TWO, first=lambda i: f"2021-03-04 10:20:{30 + i // 250:02d}.{i % 250 * 4:03d}"), None, w.START),
    "german moments": (
        "r.csv", "Zeit;II [mV];V1 [mV]\n" + rows(TWO, separator=";", decimal=",", first=lambda i: f"04.03.2021 10:20:{30 + i // 250:02d},{i % 250 * 4:03d}"), None, w.START),
    "days beside times": (
        "r.csv", "Datum;Zeit;II [mV];V1 [mV]\n" + rows(TWO, separator=";", decimal=",", first=lambda i: f"04.03.2021;10:20:{30 + i // 250:02d},{i % 250 * 4:03d}"), None, w.START),
    "comments": ("r.csv", "# sampling_rate=250\n# unit=mV\n# leads: II, V1\n" + rows(TWO), None, None),
    "labchart": (
        "r.txt", "Interval=\t0.004 s\nExcelDateTime=\t4.4259E+04\t2021-03-04 10:20:30\nChannelTitle=\tII\tV1\nRange=\t5.000 mV\t10 V\nUnitName=\tmV\tmV\n" + rows(TWO, separator="\t", first=lambda i: f"{i / 250:.3f}"), None, None),
    "times of day": (
        "r.csv", "Time,II [mV],V1 [mV]\n" + rows(TWO, first=lambda i: f"10:20:{30 + i // 250:02d}.{i % 250 * 4:03d}"), None, None),
    "unix milliseconds": (
        "r.csv", "timestamp [ms],II [mV],V1 [mV]\n" + rows(TWO, first=lambda i: str(1614853230000 + 4 * i)), None, w.START.replace(tzinfo=UTC)),
    "unix seconds": (
        "r.csv", "time_s,II [mV],V1 [mV]\n" + rows(TWO, first=lambda i: f"{1614853230 + i / 250:.3f}"), None, w.START.replace(tzinfo=UTC)),
    "polar sensor logger": (
        "r.txt", "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n" + "".join(f"2021-03-04T10:20:{30 + i // 73 * 73 // 250:02d}.{i // 73 * 73 % 250 * 4:03d};{599616000000000000 + 4000000 * i};{4.0 * i};{v * 5}\n" for i, v in enumerate(ONE.steps[:, 0])), ("ECG",), w.START),
    "a column called mV": ("r.csv", "s,mV\n" + rows(ONE, first=lambda i: f"{i / 250:.3f}"), ("lead 1",), None),
    "exponents": ("r.csv", "fs=250\nunit=mV\nII,V1\n" + rows(TWO, cell="{:.6e}"), None, None),
    "a monitor's lead V": ("r.csv", "Sampling rate: 250 Hz\nUnit: mV\nECG II,ECG V\n" + rows(TWO), ("II", "V"), None),
    "trailing separators": ("r.csv", "Sample rate;250 Hz;\nII [mV];V1 [mV];\n" + rows(TWO, separator=";").replace("\n", ";\n"), None, None),
    "a footer": ("r.csv", "Sample rate,250 Hz\nII [mV],V1 [mV]\n" + rows(TWO) + "\n\n", None, None),
    "unicode minus": ("r.csv", ("Sample rate,250 Hz\nII [mV],V1 [mV]\n" + rows(TWO)).replace("-", "\u2212"), None, None),
    "volts": ("r.csv", "Sample rate,250 Hz\nII (V),V1 (V)\n" + "".join(f"{a * 5e-6:.9f},{b * 5e-6:.9f}\n" for a, b in TWO.steps), None, None),
    "roman numerals": ("r.csv", "Sample rate,250 Hz\nUnit,mV\n\u2161,V1\n" + rows(TWO), None, None),
    "patient above, twelve quoted facts": (
        "r.csv", '"Name","Doe, Jane"\n"Recorded at","2021-03-04 10:20:30"\n"Sample Rate","250Hz"\n"Unit","mV"\n"II","V1"\n' + rows(TWO), None, w.START),
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "start"),
    [
        ("Recorded;04.03.2021 10:20:30", w.START),
        ("Date;2021-03-04\nTime;10:20:30", w.START),
        ("Datum;4.3.2021\nStart time;10:20:30", w.START),
        ("Start;2021/03/04 10:20:30", w.START),
        ("Recording time;2021-03-04 10:20:30 UTC", w.START.replace(tzinfo=UTC)),
        ("Acquired;2021-03-04T10:20:30,25+0100", w.START.replace(microsecond=250_000, tzinfo=PLUS_ONE)),
        ("Start;3/4/2021 10:20:30", None),
        ("Date;2021-03-04", None),
    ],
)
def test_starts_above_a_table(tmp_path, facts, start):
    (tmp_path / "r.csv").write_text(f"{facts}\nSample rate;250 Hz\nII (mV);V1 (mV)\n" + rows(TWO, separator=";"))
    expect(tmp_path / "r.csv", TWO, start=start, doubt=None if start else "one way only")


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path, name):
    file, content, leads, start = TABLES[name]
    (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    expect(tmp_path / file, TWO if (leads is None or len(leads) == 2) else ONE, leads, start)


def test_an_evenly_rising_column_is_no_lead(tmp_path):
    (tmp_path / "r.csv").write_text(rows(TWO, first=lambda i: f"{i * 0.004:.3f}"))
    (tmp_path / "r.toml").write_text('rate_hz = 250\nunit = "mV"')
    expect(tmp_path / "r.csv", TWO, ("lead 1", "lead 2"))


def test_a_gap_between_moments(tmp_path):
    lines = rows(TWO, first=lambda i: f"2021-03-04T10:20:{30 + i // 250:02d}.{i % 250 * 4:03d}").splitlines()
    (tmp_path / "r.csv").write_text("\n".join(["time,II [mV],V1 [mV]", *lines[:1000], *lines[1250:]]))
    signal = TWO.millivolts.copy()
    signal[1000:1250] = np.nan
    expect(tmp_path / "r.csv", TWO, start=w.START, signal=signal, doubt="250 samples are missing")


# --- Apple

APPLES = {
    "swedish": ("Namn,Zz\nFödelsedatum,1951-02-03\nRegistreringsdatum,2021-03-04 10:20:30 +0100\nKlassificering,Sinusrytm\nSymtom,\nProgramvaruversion,\"1,90\"\nEnhet,Apple Watch\nSamplingshastighet,\"512,844 hertz\"\n\nAvledning,Avledning I\nEnhet,µV\n\n", "{:.3f}", ",", "\u2212"),
    "finnish": ("Nimi,Zz\nSyntymäaika,3.2.1951\nTallennuspäivä,2021-03-04 10:20:30 +0100\nLuokitus,Sinusrytmi\nOireet,\nOhjelmistoversio,\"1,90\"\nLaite,Apple Watch\nNäytteenottotaajuus,\"512,844 hertsiä\"\n\nKytkentä,Kytkentä I\nYksikkö,µV\n\n", "{:.3f}", ",", "\u2212"),
    "hebrew": ("שם,Zz\nתאריך לידה,1951-02-03\nתאריך ההקלטה,2021-03-04 10:20:30 +0100\nסיווג,קצב סינוס\nתסמינים,\nגרסת תוכנה,1.90\nמכשיר,Apple Watch\nקצב דגימה,512.844 הרץ\n\nLead,Lead I\nיחידה,µV\n\n", "{:.3f}", ".", "\u200e-"),
    "vietnamese": ("Tên,Zz\nNgày sinh,1951-02-03\nNgày ghi,2021-03-04 10:20:30 +0100\nPhân loại,Nhịp xoang\nTriệu chứng,\nPhiên bản,\"1,90\"\nThiết bị,Apple Watch\nTốc độ lấy mẫu,\"512,844 héc\"\n\nChuyển đạo,Chuyển đạo I\nĐơn vị,µV\n\n", "{:.3f}", ",", "-"),
    "chinese": ("姓名,Zz\n出生日期,1951-02-03\n记录日期,2021-03-04 10:20:30 +0100\n分类,窦性心律\n症状,\n软件版本,1.90\n设备,Apple Watch\n采样率,512.844赫兹\n\n导联,导联 I\n单位,微伏\n\n", "{:.3f}", ".", "-"),
    "korean": ("이름,Zz\n생년월일,1951-02-03\n기록된 날짜,2021-03-04 10:20:30 +0100\n분류,동리듬\n증상,\n소프트웨어 버전,1.90\n기기,Apple Watch\n샘플링 속도,512.844헤르츠\n\n유도,유도 I\n단위,µV\n\n", "{:.3f}", ".", "-"),
    "german, thousands divided": ("Name,Zz\nGeburtsdatum,03.02.1951\nAufnahmedatum,2021-03-04 10:20:30 +0100\nKlassifizierung,Sinusrhythmus\nSymptome,\nSoftwareversion,\"1,90\"\nGerät,Apple Watch\nAbtastrate,\"512,844 Hertz\"\n\nAbleitung,Ableitung I\nEinheit,µV\n\n", "{:,.3f}", ",", "-"),
}  # fmt: skip


@pytest.mark.parametrize("name", APPLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_apples_export(tmp_path, name, encoding):
    head, cell, point, minus = APPLES[name]
    truth = w.Truth(rate=500, leads=("I",), steps=w.beats(500, 10, 1) * 3)
    swapped = {",": ".", ".": ","} if point == "," else {}
    values = (cell.format(v) for v in truth.steps[:, 0] * 5.0)
    lines = ["".join(swapped.get(c, c) for c in value).replace("-", minus) for value in values]
    (tmp_path / "ecg_2021-03-04.csv").write_bytes((head + "\n".join(lines) + "\n").encode(encoding))
    expect(tmp_path / "ecg_2021-03-04.csv", truth, start=w.START.replace(tzinfo=PLUS_ONE), rate=512.844)


# --- DICOM


def test_dicom_groups_of_other_rates_and_twice_named_channels(tmp_path):
    truth = w.Truth(leads=("I", "II", "V1"))

    def three_unnamed(data):
        data.WaveformSequence = [data.WaveformSequence[0], data.WaveformSequence[1]]
        for group in data.WaveformSequence:
            for channel in group.ChannelDefinitionSequence:
                channel.ChannelSourceSequence[0].CodeMeaning = "Unspecified lead"

    w.dicom(tmp_path / "r.dcm", truth, median=False, groups=2, extra=three_unnamed)
    expect(tmp_path / "r.dcm", truth, ("lead 1", "lead 2", "lead 3"), w.START)


def test_dicom_that_begins_after_its_reference_time(tmp_path):
    def later(data):
        for group in data.WaveformSequence:
            group.MultiplexGroupTimeOffset = 2500.0

    w.dicom(tmp_path / "r.dcm", EIGHT, extra=later)
    expect(tmp_path / "r.dcm", EIGHT, start=w.START + timedelta(seconds=2.5))


def test_dicom_whose_bits_stored_are_too_few(tmp_path):
    """Ten bits are stated, sixteen used: what the samples show counts."""

    def ten(data):
        for group in data.WaveformSequence:
            for channel in group.ChannelDefinitionSequence:
                channel.WaveformBitsStored = 8

    truth = w.Truth(steps=w.beats(500, 10, 8))
    w.dicom(tmp_path / "r.dcm", truth, extra=ten)
    expect(tmp_path / "r.dcm", truth, start=w.START, doubt="bits")


def test_dicom_unsigned_with_padding(tmp_path):
    truth = w.Truth()
    signal = truth.millivolts.copy()
    signal[10:20] = np.nan

    def unsigned(data):
        for group in data.WaveformSequence:
            numbers = (np.frombuffer(group.WaveformData, "<i2").reshape(-1, 8).astype(int) + 2048).astype("<u2")
            if len(numbers) == len(truth.steps):
                numbers[10:20] = 65535
            group.WaveformData, group.WaveformSampleInterpretation = numbers.tobytes(), "US"
            group.add_new(0x5400100A, "OW", struct.pack("<H", 65535))
            for channel in group.ChannelDefinitionSequence:
                channel.ChannelBaseline = -2048 * 5.0

    w.dicom(tmp_path / "r.dcm", truth, extra=unsigned)
    expect(tmp_path / "r.dcm", truth, start=w.START, signal=signal)


@pytest.mark.parametrize(
    ("day", "clock", "zone", "start"),
    [
        ("20210304", "1020", "", datetime(2021, 3, 4, 10, 20)),
        ("20210304", "102030.25", "+0100", datetime(2021, 3, 4, 10, 20, 30, 250000, PLUS_ONE)),
        ("2021.03.04", "10:20:30", "", w.START),
    ],
)
def test_dicom_dates(tmp_path, day, clock, zone, start):
    def dated(data):
        del data.AcquisitionDateTime
        data.ContentDate, data.ContentTime = day, clock
        if zone:
            data.TimezoneOffsetFromUTC = zone

    w.dicom(tmp_path / "r.dcm", EIGHT, extra=dated)
    expect(tmp_path / "r.dcm", EIGHT, start=start)


@pytest.mark.parametrize("left", ["mark", "meta", "data"])
def test_dicom_without_its_beginning(tmp_path, left):
    w.dicom(tmp_path / "r.dcm", EIGHT)
    raw = (tmp_path / "r.dcm").read_bytes()
    at = {"mark": 128, "meta": 132, "data": 144 + int.from_bytes(raw[140:144], "little")}[left]
    (tmp_path / "IM0001").write_bytes(raw[at:])
    expect(tmp_path / "IM0001", EIGHT, start=w.START)


@pytest.mark.parametrize(("bits", "kind", "step_uv"), [(32, "SL", 5), (8, "SB", 20), (8, "UB", 20)])
def test_dicom_of_other_widths(tmp_path, bits, kind, step_uv):
    truth = w.Truth(steps=w.beats(500, 10, 8) // 4 * 4)
    offset = 128 if kind == "UB" else 0

    def narrow(data):
        for group in data.WaveformSequence:
            numbers = np.frombuffer(group.WaveformData, "<i2").astype(int) * 5 // step_uv + offset
            group.WaveformData = numbers.astype({"SL": "<i4", "SB": "i1", "UB": "u1"}[kind]).tobytes()
            group.WaveformBitsAllocated, group.WaveformSampleInterpretation = bits, kind
            for channel in group.ChannelDefinitionSequence:
                channel.WaveformBitsStored, channel.ChannelBaseline = bits, -offset * step_uv
                channel.ChannelSensitivity = step_uv / 2

    w.dicom(tmp_path / "r.dcm", truth, extra=narrow)
    expect(tmp_path / "r.dcm", truth, start=w.START)


@pytest.mark.parametrize("code", ["2:{}", "5.6.3-9-{}"])
@pytest.mark.parametrize("meaning", ["", "Ableitung", "x"])
def test_dicom_leads_by_their_codes(tmp_path, code, meaning):
    numbers = dict(zip(w.LEADS, (1, 2, 3, 4, 5, 6, 7, 8), strict=True))

    def coded(data):
        for group in data.WaveformSequence:
            for name, channel in zip(w.LEADS, group.ChannelDefinitionSequence, strict=True):
                channel.ChannelSourceSequence[0].CodeValue = code.format(numbers[name])
                channel.ChannelSourceSequence[0].CodeMeaning = meaning

    w.dicom(tmp_path / "r.dcm", EIGHT, extra=coded)
    expect(tmp_path / "r.dcm", EIGHT, start=w.START)


@pytest.mark.parametrize("name", w.FURTHER)
def test_formats_in_other_of_their_ways(tmp_path, name):
    path, truth = w.write(tmp_path, name)
    recording = read_recording(path, KEY)
    assert (recording.lead_names, recording.sampling_rate_hz) == (truth.leads, truth.rate)
    assert recording.n_samples == (13 if name == "edf+d" else 10) * truth.rate
    assert recording.start_time == w.START


def test_an_eeg_in_dicom_is_no_ecg(tmp_path):
    from ecg_core.errors import UnusableSignal

    def eeg(data):
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.9.7.1"
        for group in data.WaveformSequence:
            for number, channel in enumerate(group.ChannelDefinitionSequence):
                channel.ChannelSourceSequence[0].CodeMeaning = f"F{number}"

    w.dicom(tmp_path / "r.dcm", EIGHT, extra=eeg)
    with pytest.raises(UnusableSignal, match="ECG lead"):
        read_recording(tmp_path / "r.dcm", KEY)


def test_a_deflated_dicom(tmp_path):
    import pydicom

    w.dicom(tmp_path / "r.dcm", EIGHT)
    data = pydicom.dcmread(tmp_path / "r.dcm")
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    data.save_as(tmp_path / "d.dcm")
    expect(tmp_path / "d.dcm", EIGHT, start=w.START)


# --- EDF


def edf_by_hand(path, parts, reserved=b"", record_s="1", n_records=10, extra=b""):
    """`parts`: (label, unit bytes, digital per µV, samples as int16 of shape (n_records, per record))."""
    n = len(parts)
    head = b"0".ljust(8) + b"X X X X".ljust(80) + b"Startdate 04-MAR-2021 X X X".ljust(80) + b"04.03.2110.20.30"
    head += str(256 * (n + 1)).encode().ljust(8) + reserved.ljust(44) + str(n_records).encode().ljust(8)
    head += record_s.encode().ljust(8) + str(n).encode().ljust(4)
    columns = [[p[0].encode().ljust(16) for p in parts], [b"".ljust(80)] * n, [p[1].ljust(8) for p in parts]]
    columns += [[p[2][0].ljust(8) for p in parts], [p[2][1].ljust(8) for p in parts]]
    columns += [[b"-32768".ljust(8)] * n, [b"32767".ljust(8)] * n, [b"".ljust(80)] * n]
    columns += [[str(p[3].shape[1]).encode().ljust(8) for p in parts], [b"".ljust(32)] * n]
    body = b"".join(p[3][r].astype("<i2").tobytes() for r in range(n_records) for p in parts)
    path.write_bytes(head + b"".join(b"".join(column) for column in columns) + body + extra)


def edf_records(rate, lead=0, seconds=10, scale=5):
    return (w.beats(rate, seconds, 8)[:, lead] * scale).reshape(seconds, -1)


RANGES = {
    b"uV": (b"-32768", b"32767"),
    b"\xb5V": (b"-32768", b"32767"),
    "µV".encode(): (b"-32768", b"32767"),
    b"microV": (b"-32768", b"32767"),
    b"UV": (b"-32768", b"32767"),
    b"mV": (b"-32.768", b"32.767"),
    b"milliV": (b"-32.768", b"32.767"),
    b"nV": (b"-32768E3", b"32767E3"),
    b"V": (b"-.032768", b".032767"),
}


@pytest.mark.parametrize("unit", RANGES)
def test_units_of_edf(tmp_path, unit):
    truth = w.Truth(rate=250, leads=("I",), steps=edf_records(250, scale=1).reshape(-1, 1))
    low, high = RANGES[unit]
    edf_by_hand(tmp_path / "r.edf", [("ECG I", unit, (low[:8], high[:8]), edf_records(250))])
    expect(tmp_path / "r.edf", truth, start=w.START)


def test_an_edf_of_several_rates_and_other_signals(tmp_path):
    plain = (b"-32768", b"32767")
    parts = [("ECG I", b"uV", plain, edf_records(250)), ("ECG II", b"uV", plain, edf_records(250, 1))]
    parts += [("ECG V5", b"uV", plain, edf_records(500, 6)), ("Chin EMG", b"uV", plain, edf_records(500))]
    parts += [(name, b"uV", plain, edf_records(250)) for name in ("Chin1-Chin2", "LOC", "E1-M2", "Leg/L", "Snore", "SpO2", "X1", "Airflow", "Body pos", "Plethysmogram")]  # fmt: skip
    edf_by_hand(tmp_path / "r.edf", parts)
    steps = np.stack([edf_records(250, i, scale=1).ravel() for i in (0, 1)], axis=1)
    expect(tmp_path / "r.edf", w.Truth(rate=250, leads=("I", "II"), steps=steps), start=w.START, doubt="left out")


def test_an_edf_with_polarity_turned_and_records_of_odd_length(tmp_path):
    records = edf_records(250, seconds=10)
    edf_by_hand(tmp_path / "r.edf", [("ECGII", b"uV", (b"32767", b"-32768"), -records - 1)], record_s="2", n_records=10)
    truth = w.Truth(rate=125, leads=("II",), steps=records.reshape(-1, 1) // 5)
    expect(tmp_path / "r.edf", truth, start=w.START)


# --- SCP


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("differences", [0, 1, 2])
@pytest.mark.parametrize("beat", [False, True])
def test_bimodal_scp(tmp_path, huffman, differences, beat):
    """Every fourth sample outside of the QRS complexes, all of them within, and the reference beat taken off."""
    truth = w.Truth(leads=("I", "II"))
    zones = [(start, start + 89) for start in range(120, 4800, 417)]
    expected = w.scp_bimodal(tmp_path / "r.scp", truth, zones, huffman=huffman, differences=differences, beat=beat)
    recording = read_recording(tmp_path / "r.scp", KEY)
    assert (recording.lead_names, recording.sampling_rate_hz) == (("I", "II"), 500)
    np.testing.assert_allclose(recording.signal, expected, atol=1e-5)
    for first, last in zones:
        within = slice(first - 1, last)
        np.testing.assert_allclose(recording.signal[within], truth.millivolts[within], atol=1e-5)
    assert np.abs(recording.signal - truth.millivolts).max() < 0.08


# --- WFDB


def test_wfdb_leads_of_several_rates(tmp_path):
    fast, slow = w.beats(500, 10, 8)[:, 0], w.beats(250, 10, 8)[:, :2]
    frames = np.concatenate([slow, fast.reshape(-1, 2)], axis=1)
    (tmp_path / "r.dat").write_bytes(frames.astype("<i2").tobytes())
    (tmp_path / "r.hea").write_text(
        "r 3 250 2500\nr.dat 16 200/mV 16 0 0 0 0 I\nr.dat 16 200/mV 16 0 0 0 0 II\nr.dat 16x2 200/mV 16 0 0 0 0 V1\n"
    )
    truth = w.Truth(rate=250, leads=("I", "II"), steps=slow)
    expect(tmp_path / "r.hea", truth, doubt="left out")


@pytest.mark.parametrize("fmt", ["16", "61", "24", "32", "212", "80", "160", "310", "311", "8"])
def test_formats_of_wfdb(tmp_path, fmt):
    import wfdb

    # Steps that each format can hold, and differences that format 8 can.
    steps = np.round(40 * np.sin(np.arange(2500)[:, None] / (30, 47))).astype(int)
    truth = w.Truth(rate=250, leads=("II", "V1"), steps=steps)
    if fmt in {"16", "24", "32", "212", "80"}:
        wfdb.wrsamp("r", 250, ["mV"] * 2, ["II", "V1"], d_signal=steps, fmt=[fmt] * 2, adc_gain=[200] * 2,
                    baseline=[0] * 2, write_dir=str(tmp_path))  # fmt: skip
    else:
        raw, first = w.pack_wfdb(steps, fmt), steps[0] if fmt == "8" else (0, 0)
        (tmp_path / "r.dat").write_bytes(raw)
        lines = [f"r.dat {fmt} 200 0 0 {first[i]} 0 0 {name}" for i, name in enumerate(truth.leads)]
        (tmp_path / "r.hea").write_text("\n".join(["r 2 250 2500", *lines]))
    expect(tmp_path / "r.hea", truth)


def test_one_apple_in_a_zip_with_a_dull_name(tmp_path):
    path, truth = w.write(tmp_path, "apple")
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("apple_health_export/electrocardiograms/ecg_2021-03-04.csv", path.read_bytes())
    (tmp_path / "export.zip").write_bytes(raw.getvalue())
    expect(tmp_path / "export.zip", truth, start=w.START.replace(tzinfo=PLUS_ONE))


# --- XML


def change(path, *pairs, encoding="utf-8"):
    text = path.read_text(encoding)
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding)


AECG = {
    "milliseconds": ([('increment value="0.002" unit="s"', 'increment value="2" unit="ms"')], {}),
    "microseconds": ([('increment value="0.002" unit="s"', 'increment value="2000" unit="us"')], {}),
    "relative time": ([("TIME_ABSOLUTE", "TIME_RELATIVE"), ("GLIST_TS", "GLIST_PQ")], {}),
    "another origin": ([('origin value="0" unit="uV"/><scale value="5" unit="uV"/><digits>', 'origin value="-1000" unit="uV"/><scale value="5" unit="uV"/><digits>')], {"offset": -1.0}),
    "an origin in another unit": ([('origin value="0" unit="uV"/><scale value="5" unit="uV"/><digits>', 'origin value="0.5" unit="mV"/><scale value="5" unit="uV"/><digits>')], {"offset": 0.5}),
    "a prefix": ([('xmlns="urn:hl7-org:v3"', 'xmlns="urn:hl7-org:v3" xmlns:x="urn:x"')], {}),
    "the centre of the time alone": ([("<low value=", "<center value=")], {}),
    "no time but the head": ([("effectiveTime", "otherTime")], {}),
    "line ends between the digits": ([("</digits>", "\n</digits>"), ("<digits>", "<digits>\n\t")], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", AECG)
def test_aecg_in_other_ways(tmp_path, name):
    pairs, how = AECG[name]
    w.aecg(tmp_path / "r.xml", EIGHT)
    change(tmp_path / "r.xml", *pairs)
    expect(tmp_path / "r.xml", EIGHT, start=w.START, signal=EIGHT.millivolts + how.get("offset", 0.0))


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        (".250", w.START + timedelta(milliseconds=250)),
        ("-0500", w.START.replace(tzinfo=timezone(timedelta(hours=-5)))),
        (".5+0530", w.START.replace(microsecond=500_000, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
    ],
)
def test_aecg_times(tmp_path, zone, start):
    w.aecg(tmp_path / "r.xml", EIGHT, zone=zone)
    expect(tmp_path / "r.xml", EIGHT, start=start)


def test_an_aecg_whose_representative_beat_comes_first(tmp_path):
    w.aecg(tmp_path / "r.xml", EIGHT)
    text = (tmp_path / "r.xml").read_text()
    beat = text[text.index("<component><series>") : text.index("</series></component>") + len("</series></component>")]
    beat = beat.replace('code="RHYTHM"', 'code="REPRESENTATIVE_BEAT"').replace("<digits>", "<digits>9 9 9 ")
    (tmp_path / "r.xml").write_text(text.replace("<component><series>", beat + "<component><series>", 1))
    expect(tmp_path / "r.xml", EIGHT, start=w.START)


def test_an_aecg_of_a_page(tmp_path):
    """Sets of leads that follow each other, as on paper: each in its place, and gaps where a lead was not recorded."""
    w.aecg(tmp_path / "r.xml", EIGHT)
    text = (tmp_path / "r.xml").read_text()
    opening, closing = "<component><sequenceSet>", "</sequenceSet></component>"
    first = text[text.index(opening) : text.index(closing) + len(closing)]
    halves = []
    for leads, at in ((w.LEADS[:4], 0), (w.LEADS[4:], 2500)):
        part = first.replace("20210304102030", "20210304102035") if at else first
        for i, lead in enumerate(w.LEADS):
            digits = " ".join(map(str, EIGHT.steps[:, i]))
            kept = " ".join(map(str, EIGHT.steps[at : at + 2500, i]))
            part = part.replace(digits, kept, 1)
            if lead not in leads:
                begin = part.index(f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"')
                end = part.index("</sequence></component>", begin) + len("</sequence></component>")
                part = part[:begin] + part[end:]
        halves.append(part)
    (tmp_path / "r.xml").write_text(text.replace(first, "".join(halves)))
    signal = np.full(EIGHT.millivolts.shape, np.nan)
    signal[:2500, :4], signal[2500:, 4:] = EIGHT.millivolts[:2500, :4], EIGHT.millivolts[2500:, 4:]
    expect(tmp_path / "r.xml", EIGHT, start=w.START, signal=signal)


MUSE = {
    "an exponent": [("<SampleBase>500</SampleBase><SampleExponent>0<", "<SampleBase>50</SampleBase><SampleExponent>1<")],
    "millivolts": [(">MICROVOLTS<", ">MILLIVOLTS<"), ("UnitsPerBit>5<", "UnitsPerBit>0.005<")],
    "a decimal comma": [("UnitsPerBit>5<", "UnitsPerBit>5,0<")],
    "no seconds": [(f"<AcquisitionTime>{w.START:%H:%M:%S}", f"<AcquisitionTime>{w.START:%H:%M}")],
}  # fmt: skip


@pytest.mark.parametrize("name", MUSE)
def test_muse_in_other_ways(tmp_path, name):
    w.muse(tmp_path / "r.xml", EIGHT)
    change(tmp_path / "r.xml", *MUSE[name], encoding="iso-8859-1")
    expect(tmp_path / "r.xml", EIGHT, start=w.START.replace(second=0) if name == "no seconds" else w.START)


def test_a_muse_of_4_88_microvolts(tmp_path):
    w.muse(tmp_path / "r.xml", EIGHT, per_bit="4.88")
    expect(tmp_path / "r.xml", EIGHT, start=w.START, signal=EIGHT.steps * 0.00488)


@pytest.mark.parametrize("version", ["1.03", "1.04", "1.04.01"])
def test_compressed_philips(tmp_path, version):
    twelve = w.Truth(leads=("I", "II", "III", "aVR", "aVL", "aVF", *w.LEADS[2:]), steps=w.limbs(w.beats(500, 10, 8)))
    w.sierra(tmp_path / "r.xml", twelve, version, xli=True)
    expect(tmp_path / "r.xml", twelve, start=w.START)


def test_a_philips_of_another_offset_and_plain_numbers(tmp_path):
    w.sierra(tmp_path / "r.xml", EIGHT)
    change(tmp_path / "r.xml", ("<signaloffset>0<", "<signaloffset>100<"))
    expect(tmp_path / "r.xml", EIGHT, start=w.START, signal=EIGHT.millivolts - 0.5)


def test_mortaras_scale_and_length_in_milliseconds(tmp_path):
    w.mortara(tmp_path / "r.xml", EIGHT)
    change(tmp_path / "r.xml", ('UNITS_PER_MV="200"', 'UNITS_PER_MV="400"'), ('DURATION="5000"', 'DURATION="10000"'))
    expect(tmp_path / "r.xml", EIGHT, start=w.START, signal=EIGHT.steps / 400)


@pytest.mark.parametrize(("unit", "per_bit"), [("UV", "5.0"), ("MV", "0.005"), ("NV", "5000"), ("uV", "5,0")])
def test_units_of_schiller(tmp_path, unit, per_bit):
    w.schiller(tmp_path / "r.xml", EIGHT, unit=unit)
    change(tmp_path / "r.xml", ("<unitperbit>5.0<", f"<unitperbit>{per_bit}<"))
    expect(tmp_path / "r.xml", EIGHT, start=w.START)


@pytest.mark.parametrize(("unit", "per_bit"), [("uVperLsb", "5"), ("mVperLsb", "0.005"), ("nVperLsb", "5000")])
def test_units_of_cardiosoft(tmp_path, unit, per_bit):
    w.cardiosoft(tmp_path / "r.xml", EIGHT)
    change(tmp_path / "r.xml", ('Resolution units="uVperLsb">5<', f'Resolution units="{unit}">{per_bit}<'))
    expect(tmp_path / "r.xml", EIGHT, start=w.START)


# --- ISHNE and MFER


def test_an_ishne_of_unnamed_leads_and_other_resolutions(tmp_path):
    w.ishne(tmp_path / "r.ecg", EIGHT)
    raw = bytearray((tmp_path / "r.ecg").read_bytes())
    for lead in range(8):
        struct.pack_into("<h", raw, 158 + 2 * lead, 1)  # a bipolar lead of no name
        struct.pack_into("<h", raw, 206 + 2 * lead, 1000 * (lead + 1))
    struct.pack_into("<H", raw, 8, 0)
    (tmp_path / "r.ecg").write_bytes(raw)
    expect(tmp_path / "r.ecg", EIGHT, tuple(f"lead {i}" for i in range(1, 9)), w.START,
           signal=EIGHT.steps * np.arange(1, 9) * 0.001)  # fmt: skip


def test_an_ishne_whose_block_lies_further_on(tmp_path):
    w.ishne(tmp_path / "r.ecg", EIGHT)
    raw = bytearray((tmp_path / "r.ecg").read_bytes())
    at = struct.unpack_from("<i", raw, 22)[0]
    struct.pack_into("<i", raw, 22, at + 100)
    struct.pack_into("<H", raw, 8, 0)
    (tmp_path / "r.ecg").write_bytes(raw[:at] + bytes(100) + raw[at:])
    expect(tmp_path / "r.ecg", EIGHT, start=w.START)


def test_a_saturated_ishne(tmp_path):
    truth = w.Truth(steps=w.beats(500, 10, 8))
    truth.steps[1000:1020, 0] = 32767
    signal = truth.millivolts.copy()
    signal[1000:1020, 0] = np.nan
    w.ishne(tmp_path / "r.ecg", truth)
    expect(tmp_path / "r.ecg", truth, start=w.START, signal=signal)


@pytest.mark.parametrize("kind", ["u2", "i4", "blocks", "interval", "two frames"])
def test_mfer_in_other_ways(tmp_path, kind):
    w.mfer_by_hand(tmp_path / "r.mwf", EIGHT, kind)
    signal = EIGHT.millivolts + (5.0 if kind == "u2" else 0.0)
    expect(tmp_path / "r.mwf", EIGHT, start=w.START, signal=signal)


# --- JSON

LEADS_BY_NAME = {name: [float(v) for v in EIGHT.millivolts[:, i]] for i, name in enumerate(w.LEADS)}
JSONS = {
    "leads by name": {"samplingRate": 500, "unit": "mV", "leads": LEADS_BY_NAME},
    "leads in a list": {"sample_rate": "500", "units": "mV", "leads": [{"name": n, "data": v} for n, v in LEADS_BY_NAME.items()]},
    "leads in a list, called so": {"fs": 500, "unit": "mV", "channels": [{"lead": n, "samples": v} for n, v in LEADS_BY_NAME.items()]},
    "at the top": {"frequency": 500, "unit": "uV", "recordedBy": "x", **{n: [1000 * x for x in v] for n, v in LEADS_BY_NAME.items()}},
    "with an epoch": {"timestamp": 1614853230000, "samplingFrequencyHz": 500, "unit": "mV", "ecg": LEADS_BY_NAME},
    "with a start": {"startTime": "2021-03-04T10:20:30+01:00", "samplingFrequencyHz": 500, "unit": "mV", "ecg": LEADS_BY_NAME},
}  # fmt: skip


@pytest.mark.parametrize("name", JSONS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_of_leads(tmp_path, name, encoding):
    (tmp_path / "r.json").write_bytes(json.dumps(JSONS[name]).encode(encoding))
    zones = {"with a start": PLUS_ONE, "with an epoch": UTC}
    expect(tmp_path / "r.json", EIGHT, start=w.START.replace(tzinfo=zones[name]) if name in zones else None)


def test_a_kardia_of_six_leads(tmp_path):
    six = w.Truth(rate=300, leads=("I", "II", "III", "aVR", "aVL", "aVF"), steps=w.limbs(w.beats(300, 10, 8))[:, :6])
    names = ("leadI", "leadII", "leadIII", "AVR", "AVL", "AVF")
    block = {"frequency": 300, "amplitudeResolution": 5000, "numLeads": 6,
             "samples": {name: six.steps[:, i].tolist() for i, name in enumerate(names)}}  # fmt: skip
    said = {"id": "x", "recordedAt": "2021-03-04T10:20:30Z", "duration": 10000, "data": {"raw": block}}
    (tmp_path / "r.json").write_text(json.dumps(said))
    expect(tmp_path / "r.json", six, start=w.START.replace(tzinfo=UTC))


def test_a_lead_of_which_nothing_was_recorded_stays_one(tmp_path):
    (tmp_path / "r.csv").write_text("Sample rate,250 Hz\nII [mV],V1 [mV],V2 [mV]\n" + rows(TWO).replace("\n", ",\n"))
    signal = np.column_stack([TWO.millivolts, np.full(len(TWO.steps), np.nan)])
    expect(tmp_path / "r.csv", TWO, ("II", "V1", "V2"), signal=signal)
