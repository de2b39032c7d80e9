"""Apple's CSV in several languages, and what must not leak out of it."""

import random

import numpy as np
import pytest

from ecg_core.errors import CorruptHeader, RecordingError, UnsupportedFormat, UnusableSignal
from ecg_core.formats import read_recording

KEY = b"test key"
ENGLISH = """Name,Hanna Beispiel
Date of Birth,"Feb 1, 1950"
Recorded Date,2020-01-01 12:00:00 +0100
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Apple Watch"
Sample Rate,512.844 hertz

Lead,Lead I
Unit,µV

"""
GERMAN = """Name,Hanna Beispiel
Geburtsdatum,01.02.1950
Aufzeichnungsdatum,2020-01-01 12:00:00 +0100
Klassifizierung,Sinusrhythmus
Symptome,
Softwareversion,"1,90"
Gerät,"Apple Watch"
Messrate,"512,844 Hertz"

Ableitung,Ableitung I
Einheit,μV

"""
MICROVOLTS = np.round(300 * np.sin(np.arange(5200) / 30), 3)


def write(folder, header=ENGLISH, point=".", values=MICROVOLTS, name="ecg_2020.csv"):
    path = folder / name
    path.write_text(header + "".join(f"{v:.3f}\n".replace(".", point) for v in values), "utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "point"), [(ENGLISH, "."), (GERMAN, ","), (GERMAN.replace('"', ""), ","), ("\ufeff" + ENGLISH, ".")]
)
def test_every_language_gives_the_same_recording(tmp_path, header, point):
    recording = read_recording(write(tmp_path, header, point), KEY)
    np.testing.assert_allclose(recording.signal[:, 0], MICROVOLTS / 1000, atol=1e-6)
    assert recording.sampling_rate_hz == 512.844
    assert recording.lead_names == ("I",)
    assert recording.start_time.isoformat() == "2020-01-01T12:00:00+01:00"
    assert (recording.source_format, recording.device) == ("apple-watch-csv", "Apple Watch")


@pytest.mark.parametrize("rate", ["512 hertz", "511 hertz"])
def test_rounded_rates(tmp_path, rate):
    path = write(tmp_path, ENGLISH.replace("512.844 hertz", rate))
    assert read_recording(path, KEY).sampling_rate_hz == float(rate.split()[0])


def test_values_without_fraction(tmp_path):
    path = write(tmp_path)
    path.write_text(ENGLISH + "".join(f"{round(v)}\n" for v in MICROVOLTS))
    np.testing.assert_allclose(read_recording(path, KEY).signal[:, 0] * 1000, np.round(MICROVOLTS), atol=1e-4)


def test_name_and_birth_date_leave_only_as_a_keyed_hash(tmp_path):
    recording = read_recording(write(tmp_path), KEY)
    assert len(recording.patient_pseudonym) == 16
    assert not any(secret in repr(recording) for secret in ("Hanna", "Beispiel", "1950"))
    assert read_recording(write(tmp_path), b"other").patient_pseudonym != recording.patient_pseudonym
    another = write(tmp_path, ENGLISH.replace("Feb 1", "Feb 2"))
    assert read_recording(another, KEY).patient_pseudonym != recording.patient_pseudonym
    nameless = write(tmp_path, ENGLISH.replace("Hanna Beispiel", ""))
    assert read_recording(nameless, KEY).patient_pseudonym is None


@pytest.mark.parametrize(
    ("header", "values", "error"),
    [
        (ENGLISH, [], UnusableSignal),
        (ENGLISH, MICROVOLTS[:1000], UnusableSignal),
        (ENGLISH.replace("512.844", "20"), MICROVOLTS, UnusableSignal),
        (ENGLISH.replace("Unit,µV\n", ""), MICROVOLTS, UnsupportedFormat),
        (ENGLISH.replace("Sample Rate,512.844 hertz\n", ""), MICROVOLTS, UnsupportedFormat),
        ("a,b\n1,2\n", [], UnsupportedFormat),
        (ENGLISH + "Hanna Beispiel\n", MICROVOLTS, CorruptHeader),
        (ENGLISH + "1,5\n", MICROVOLTS, CorruptHeader),
        (ENGLISH + "nan\n", MICROVOLTS, CorruptHeader),
        (ENGLISH + "\0\n", MICROVOLTS, CorruptHeader),
    ],
)
def test_what_is_refused(tmp_path, header, values, error):
    with pytest.raises(error) as caught:
        read_recording(write(tmp_path, header, values=values), KEY)
    assert "Hanna" not in str(caught.value)


def test_mutations_give_a_recording_or_a_sentence(tmp_path):
    rng = random.Random(3)
    raw = write(tmp_path, values=MICROVOLTS[:2700]).read_bytes()
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        data = bytearray(raw)
        for _ in range(3):
            place = rng.randrange(len(ENGLISH) + 300)
            data[place : place + rng.randint(0, 3)] = bytes(rng.randrange(256) for _ in range(rng.randint(0, 2)))
        path = tmp_path / "mutant.csv"
        path.write_bytes(data)
        try:
            read_recording(path, KEY)
        except RecordingError as error:
            outcomes["refused"] += 1
            if "Hanna" in str(error):
                pytest.fail("the patient's name is in the message")
        else:
            outcomes["read"] += 1
    assert min(outcomes.values()) >= 5, outcomes


def test_an_export_that_ends_too_soon_says_so(tmp_path):
    (doubt,) = read_recording(write(tmp_path), KEY).doubts
    assert doubt.code == "length"
    assert "ends after 10.1 s, where the watch takes 30 s" in doubt.text
    assert not read_recording(write(tmp_path, values=np.tile(MICROVOLTS, 3)), KEY).doubts
