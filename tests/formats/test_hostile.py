"""What nobody wrote as it should be: a recording or a sentence comes out, soon, and with nobody's name in it."""

import gzip
import io
import os
import random
import re
import resource
import shutil
import struct
import tarfile
import time
import zipfile
import zlib

import format_writers as w
import numpy as np
import pytest

from ecg_core.errors import CorruptHeader, RecordingError, TruncatedSignal, UnsupportedFormat, UnusableSignal
from ecg_core.formats import inspect_file, read_recording

KEY = b"test key"
ALL = [*w.TWELVE, *w.ONE_LEAD]
SHORT = {name: w.Truth(rate=200, seconds=6, leads=w.LEADS[:3] if name in w.TWELVE else ("I",)) for name in ALL}


def refuse_fast(path, error=RecordingError, within_s=1.0):
    """The file is set aside, and soon."""
    start = time.perf_counter()
    with pytest.raises(error) as caught:
        read_recording(path, KEY)
    assert time.perf_counter() - start < within_s
    assert caught.value.mend
    return caught.value


def mutate(raw, rng):
    data = bytearray(raw)
    for _ in range(rng.randint(1, 5)):
        # Half of the changes hit the first kilobyte, where headers are.
        place = rng.randrange(min(len(data), 1200) if rng.random() < 0.5 else len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[place] = rng.randrange(256)
        elif kind == 1:
            del data[place : place + rng.randint(1, 40)]
        elif kind == 2:
            data[place:place] = rng.choice(
                [b"9999999", b"-1", b"\0\0", b"<", b">", b"&x;", b'"', b"1e999", b"\xff" * 4, b","]
            )
        elif kind == 3:
            data[place : place + 4] = b"\xff\xff\xff\x7f"
        elif kind == 4:
            del data[place:]
        else:
            data[place] ^= 1 << rng.randrange(8)
        data = data or bytearray(b"x")
    return bytes(data)


@pytest.mark.parametrize("name", ALL)
def test_mutations_give_a_recording_or_a_sentence(tmp_path, name):
    rng = random.Random(ALL.index(name))
    path, _ = w.write(tmp_path, name, SHORT[name])
    raw = path.read_bytes()
    outcomes = {"read": 0, "refused": 0}
    slowest, leaked = 0.0, []
    for _ in range(250):
        path.write_bytes(mutate(raw, rng))
        start = time.perf_counter()
        try:
            recording = read_recording(path, KEY)
        except RecordingError as error:
            outcomes["refused"] += 1
            leaked += [mark for mark in w.MARKS if mark in str(error)]
        else:
            outcomes["read"] += 1
            assert recording.signal.dtype == np.float32
            assert recording.signal.shape[1] == len(recording.lead_names) == len(set(recording.lead_names))
        slowest = max(slowest, time.perf_counter() - start)
    assert leaked == []
    assert outcomes["read"] >= 3
    assert outcomes["refused"] >= 20
    assert slowest < 5.0


@pytest.mark.parametrize("name", ALL)
def test_a_file_that_ends_anywhere_is_refused_or_says_so(tmp_path, name):
    path, _ = w.write(tmp_path, name, SHORT[name])
    raw = path.read_bytes()
    main = path.with_suffix(".dat") if name == "wfdb" else path
    raw = main.read_bytes()
    for part in (0, 1, 7, 100, 300, len(raw) // 4, len(raw) // 2, len(raw) - 400):
        main.write_bytes(raw[:part])
        try:
            recording = read_recording(path, KEY)
        except RecordingError:
            continue
        # Text without a length of its own can be cut after any line, and so can a Holter's samples.
        short_by_less_than_a_second = any("shorter than" in doubt.text for doubt in recording.doubts)
        assert name in {"apple", "csv", "polar", "ishne"} or (name == "wfdb" and short_by_less_than_a_second)
        assert recording.n_samples < len(SHORT[name].steps)


@pytest.mark.parametrize(
    "opening",
    [
        '<AnnotatedECG xmlns="urn:hl7-org:v3">',
        "<RestingECG>",
        "<restingecgdata>",
        '<ECG ACQUISITION_TIME="1"><CHANNEL/>',
        "<com.xiriuz.sema.xml.schillerEDI.SchillerEDI>",
        "<CardiologyXML>",
    ],
)
def test_xml_bombs(tmp_path, opening):
    path = tmp_path / "bomb.xml"
    root = opening[1:].split(" ")[0].split(">")[0]
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 30))
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY a0 "ha">{entities}]>{opening}&a29;</{root}>')
    refuse_fast(path)
    outside = f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "file:///etc/hostname">]>{opening}<id>&x;</id></{root}>'
    path.write_text(outside)
    refuse_fast(path)
    path.write_text(opening + "<a>" * 200_000)
    refuse_fast(path)


@pytest.mark.parametrize("name", ["aecg", "muse", "sierra", "mortara", "schiller", "cardiosoft"])
def test_xml_in_an_encoding_that_nobody_knows(tmp_path, name):
    path, _ = w.write(tmp_path, name)
    for encoding in ("utd-8", "shift_jis", "utf-7", "utf-32"):
        declared = f'<?xml version="1.0" encoding="{encoding}"?>'.encode()
        path.write_bytes(re.sub(rb"<\?xml[^>]*>", declared, path.read_bytes()))
        inspection = inspect_file(path, KEY)
        assert inspection.lead_names == w.LEADS or inspection.refusal


def test_zip_bombs(tmp_path):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("r.edf", "w", force_zip64=True) as inner,
    ):
        for _ in range(300):
            inner.write(bytes(1_000_000))
    assert path.stat().st_size < 500_000
    assert "far more" in refuse_fast(path, CorruptHeader).what
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1_100):
            archive.writestr(f"{number}.csv", "x")
    assert "more than" in refuse_fast(path, CorruptHeader).what


def test_a_zip_that_lies_about_its_size(tmp_path):
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.edf", bytes(100_000_000))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<I", 100_000_000), struct.pack("<I", 1_000)))
    refuse_fast(path)


def test_a_deflated_dicom_that_unfolds_without_end(tmp_path):
    w.dicom(tmp_path / "r.dcm", w.Truth())
    raw = (tmp_path / "r.dcm").read_bytes()
    end = 144 + int.from_bytes(raw[140:144], "little")
    meta = raw[:end].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = meta.replace(b"UI\x14\x001.2.840.10008.1.2.1.99", b"UI\x16\x001.2.840.10008.1.2.1.99")
    meta = meta[:140] + (end - 144 + 2).to_bytes(4, "little") + meta[144:]
    packer = zlib.compressobj(6, wbits=-zlib.MAX_WBITS)
    (tmp_path / "r.dcm").write_bytes(meta + packer.compress(raw[end:] + bytes(60_000_000)) + packer.flush())
    assert "far more" in refuse_fast(tmp_path / "r.dcm", CorruptHeader).what


@pytest.mark.parametrize("name", ["../evil.dat", "/etc/passwd", "..\\evil.dat", "C:/evil.dat", "a/../../evil.dat"])
def test_headers_that_name_files_elsewhere(tmp_path, name):
    (tmp_path / "evil.dat").write_bytes(bytes(20_000))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "r.hea").write_text(f"r 1 250 2500\n{name} 16 200/mV 16 0 0 0 0 II\n")
    refuse_fast(tmp_path / "sub" / "r.hea")


def test_gzip_bombs(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(200_000_000), 9))
    assert "far more" in refuse_fast(path, CorruptHeader).what
    inner = gzip.compress(gzip.compress(bytes(200_000_000), 9))
    path.write_bytes(inner)
    refuse_fast(path)


@pytest.mark.parametrize(
    "name", ["../../evil.edf", "/tmp/evil.edf", "a/../../evil.edf", "..\\evil.edf", "C:\\evil.edf"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_of_an_archive(tmp_path, name, kind):
    recording, _ = w.write(tmp_path, "edf+", SHORT["edf+"])
    path = tmp_path / "sub" / f"x.{kind}"
    path.parent.mkdir()
    raw = recording.read_bytes()
    recording.unlink()
    pack(path, {name: raw}, kind)
    assert "leads out" in refuse_fast(path, CorruptHeader).what
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["sub", path.name]


def pack(path, files, kind):
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, raw in files.items():
                archive.writestr(name, raw)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, raw in files.items():
                facts = tarfile.TarInfo(name)
                facts.size = len(raw)
                archive.addfile(facts, io.BytesIO(raw))


def test_links_in_a_tar(tmp_path):
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("r.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refuse_fast(path, CorruptHeader)


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["wfdb", "edf+", "csv", "kardia", "dicom", "muse"])
def test_an_archive_of_one_recording_is_read(tmp_path, name, kind):
    recording, truth = w.write(tmp_path / "in", name) if (tmp_path / "in").mkdir() is None else None
    files = {f"ward 3/{file.name}": file.read_bytes() for file in recording.parent.iterdir()}
    files |= {"__MACOSX/._r": b"x", "README.txt": b"Dear colleague"}
    path = tmp_path / ("r.zip" if kind == "zip" else "r.tar.gz")
    pack(path, files, kind)
    np.testing.assert_allclose(read_recording(path, KEY).signal, truth.millivolts, atol=1e-5)
    files["again.edf"] = b"0       " + bytes(300)
    shutil.rmtree(tmp_path / "in")
    two = tmp_path / "in"
    two.mkdir()
    other, _ = w.write(two, "edf+")
    files["again.edf"] = other.read_bytes()
    pack(path, files, kind)
    assert "holds 2 recordings" in refuse_fast(path, UnsupportedFormat, 3.0).what


@pytest.mark.parametrize("name", ["r.edf.gz", "recording.gz"])
def test_a_gzipped_file_is_read(tmp_path, name):
    recording, truth = w.write(tmp_path, "edf+")
    (tmp_path / name).write_bytes(gzip.compress(recording.read_bytes()))
    np.testing.assert_allclose(read_recording(tmp_path / name, KEY).signal, truth.millivolts, atol=1e-5)


def test_a_gzipped_table_keeps_its_suffix(tmp_path):
    recording, truth = w.write(tmp_path, "csv")
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(recording.read_bytes()))
    np.testing.assert_allclose(read_recording(tmp_path / "r.csv.gz", KEY).signal, truth.millivolts, atol=1e-5)


def test_an_encrypted_or_broken_archive(tmp_path):
    recording, _ = w.write(tmp_path, "edf+")
    path = tmp_path / "r.zip"
    pack(path, {"r.edf": recording.read_bytes()}, "zip")
    raw = bytearray(path.read_bytes())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        raw[raw.index(mark) + (6 if mark[2] == 3 else 8)] |= 1
    path.write_bytes(raw)
    assert "encrypted" in refuse_fast(path, UnsupportedFormat).what
    path.write_bytes(raw[: len(raw) // 2])
    refuse_fast(path)


PROMISES = {
    "edf+": (236, b"99999999"),
    "bdf": (236, b"99999999"),
    "wfdb": None,
    "ishne": (14, struct.pack("<i", 2**31 - 1)),
    "scp": None,
    "dicom": None,
}


def test_10_12_samples_promised(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path, _ = w.write(tmp_path, "edf+")
    raw = bytearray(path.read_bytes())
    raw[236:244] = b"99999999"
    path.write_bytes(raw)
    refuse_fast(path, TruncatedSignal)
    raw[244:252] = b"9999999 "
    path.write_bytes(raw)
    refuse_fast(path)
    path = tmp_path / "r.dcm"
    w.dicom(
        path,
        w.Truth(),
        extra=lambda data: [setattr(g, "NumberOfWaveformSamples", 2**32 - 1) for g in data.WaveformSequence],
    )
    refuse_fast(path, TruncatedSignal)
    path, _ = w.write(tmp_path, "scp")
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<II", 1, 5000), struct.pack("<II", 1, 2**32 - 1)))
    refuse_fast(path)
    path, _ = w.write(tmp_path, "ishne")
    os.truncate(path, 2**42)
    refuse_fast(path, UnusableSignal)
    path, _ = w.write(tmp_path, "edf+")
    raw = bytearray(path.read_bytes())
    raw[236:244] = b"-1      "
    path.write_bytes(raw)
    os.truncate(path, 2**40)
    refuse_fast(path, UnusableSignal)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_an_interrupted_recording_of_years(tmp_path):
    path = tmp_path / "r.edf"
    w.edf(path, w.Truth(), kind="EDF+D", onsets=[0, *range(10**8, 10**8 + 9)])
    refuse_fast(path, UnsupportedFormat)


def test_a_philips_lead_that_unfolds_without_end(tmp_path):
    path = tmp_path / "r.xml"
    w.sierra(path, w.Truth())
    text = path.read_text().replace("compression='Uncompressed'", "compressflag='True' compressmethod='XLI'")
    # Code after code the string that is a byte longer than the one before.
    codes = [0] + [256 + i for i in range(766)] + [1021] * 200_000
    bits = "".join(format(code, "010b") for code in codes)
    packed = int(bits + "0" * (-len(bits) % 8), 2).to_bytes((len(bits) + 7) // 8, "big")
    import base64

    blob = base64.b64encode(struct.pack("<IHh", len(packed), 0, 0) + packed).decode()
    start = text.index(">", text.index("<parsedwaveforms")) + 1
    path.write_text(text[:start] + blob + text[text.index("</parsedwaveforms>") :])
    assert "unfold" in refuse_fast(path, CorruptHeader).what


def test_json_and_csv_of_another_kind(tmp_path):
    for name, content in {
        "deep.json": "[" * 100_000,
        "deeper.json": '{"a":' * 2_000 + "1" + "}" * 2_000,
        "numbers.json": "[1, 2, 3]",
        "words.json": '{"samples": ["a", "b"]}',
        "huge.json": '{"fs": 250, "unit": "mV", "samples": [' + "1" + "0" * 400 + "]}",
        "null.json": '{"fs": 250, "unit": "mV", "samples": [' + "null," * 2000 + "null]}",
        "cells.csv": "I [mV],II [mV]\n" + "1,2\n" * 5000 + "1,2,3\n" + "1,2\n" * 10,
        "text.csv": "I [mV],II [mV]\n" + "1,2\n" * 5000 + "1,Hanna\n" + "1,2\n" * 10,
        "binary.csv": "I [mV]\n" + "1\n" * 100 + "\0\0\0",
    }.items():
        (tmp_path / name).write_text(content)
        assert "Hanna" not in str(refuse_fast(tmp_path / name))


def test_a_refusal_can_be_shown(tmp_path):
    (tmp_path / "x.edf").write_bytes(b"0".ljust(8) + bytes(300))
    inspection = inspect_file(tmp_path / "x.edf", KEY)
    assert not inspection.usable
    assert inspection.refusal


def test_a_stream_that_breaks_within_gzip(tmp_path):
    path, _ = w.write(tmp_path, "edf+")
    raw = gzip.compress(path.read_bytes())
    (tmp_path / "r.edf.gz").write_bytes(raw[: len(raw) // 2])
    refuse_fast(tmp_path / "r.edf.gz", CorruptHeader)
    assert zlib.crc32(raw) != 0


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_the_files_fault_and_not_the_machines(tmp_path, method):
    """An OSError would stop the whole chunk: zipfile and bzip2 raise one for what stands in the file."""
    path, _ = w.write(tmp_path, "edf")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.write(path, "r.edf")
    raw = packed.getvalue()
    for damaged in (raw[: len(raw) // 2] + raw[-80:], raw[:60] + b"\xff" * 60 + raw[120:], raw[40:], raw[:-4]):
        (tmp_path / "r.zip").write_bytes(b"PK\x03\x04" + damaged[4:])
        with pytest.raises(RecordingError):
            read_recording(tmp_path / "r.zip", KEY)
