"""CSV of watches and loggers by their headers, and what a profile says where the file does not."""

import gzip
import io
import zipfile
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from upath import UPath

from ecg_core.errors import UnsupportedFormat
from ecg_core.formats import find_candidates, fingerprint, in_folder, read_recording, stage, with_site_profile

KEY = b"test key"
RATE = 250
MV = np.round(np.sin(np.arange(10 * RATE) / 9) * 200) * 0.005
"""Ten seconds in steps of 5 µV."""
UV = "".join(f"{round(value * 1000)}\n" for value in MV)
PLAIN = "".join(f"{value:.3f}\n" for value in MV)
START = "2024-03-05 14:03:11"


def timed(header: str, separator: str, step: float, value=lambda mv: f"{mv * 1000:.0f}", digits: int = 0) -> str:
    rows = (f"{i * step:.{digits}f}{separator}{value(mv)}" for i, mv in enumerate(MV))
    return "\n".join([header, *rows]) + "\n"


WATCH = (
    f"Name,Ada Mustermann\nDate of birth,1950-02-03\nRecorded date,{START}+01:00\nClassification,Sinus rhythm\n"
    "Symptoms,Palpitations\nAverage heart rate,71 bpm\nDevice,Galaxy Watch5\nSampling rate,250 Hz\n"
    "Lead,Lead I\nUnit,mV\n\n"
)
LOGGER = "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]"
FILES = {
    "samsung": WATCH + PLAIN,
    "samsung, µV": WATCH.replace("Unit,mV", "Unit,µV") + UV,
    "kardia": f"Recorded at,{START}+01:00\nHeart Rate,71\nDevice,KardiaMobile\nResult,Normal\nSample Rate,250 Hz\n"
    "Lead I (mV)\n" + PLAIN,
    "withings": timed("timestamp (ms),ecg (uV)", ",", 4),
    "fitbit": timed("time_s,ecg_mv", ",", 0.004, lambda mv: f"{mv:.3f}", 3),
    "polar": LOGGER + "\n" + "".join(
        f"{START.replace(' ', 'T')}.000;{599616000000000000 + i * 4_000_000};{i * 4.0};{mv * 1000:.0f}\n"
        for i, mv in enumerate(MV)
    ),
    "garmin": f"# Device: Venu 3\n# Start: {START}\n# Sample rate: 250 Hz\nsample,ecg_uV\n"
    + "".join(f"{i},{mv * 1000:.0f}\n" for i, mv in enumerate(MV)),
    "decimal commas": timed("Zeit (s);Ableitung I (mV)", ";", 0.004, lambda mv: f"{mv:.3f}", 3).replace(".", ","),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_watches_write_is_read_by_its_header(tmp_path, name):
    path = tmp_path / "r.csv"
    path.write_text(FILES[name], encoding="utf-8")
    recording = read_recording(path, KEY)
    assert recording.sampling_rate_hz == pytest.approx(RATE)
    np.testing.assert_allclose(recording.signal[:, 0], MV, atol=1e-6)
    assert recording.signal.shape[1] == 1
    assert "Mustermann" not in repr(recording)


def test_what_a_watch_states_is_kept_and_the_name_is_not(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(FILES["samsung"], encoding="utf-8")
    recording = read_recording(path, KEY)
    assert recording.start_time == datetime(2024, 3, 5, 14, 3, 11, tzinfo=timezone(timedelta(hours=1)))
    assert (recording.device, recording.lead_names) == ("Galaxy Watch5", ("I",))
    assert recording.stated.age_years == 74
    assert recording.stated.statements == ("Sinus rhythm",)
    assert recording.stated.symptoms == ("Palpitations",)
    assert recording.stated.measurements == (("heart_rate_per_min", 71.0),)
    assert set(recording.identity_fields) >= {"Name", "Date of birth"}


@pytest.fixture
def bare(tmp_path):
    """A table that states neither rate nor unit, in a ward's folder."""
    folder = tmp_path / "inbox" / "ward3"
    folder.mkdir(parents=True)
    path = folder / "bare.csv"
    path.write_text("ecg\n" + UV)
    return path


@pytest.fixture
def profiles(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "ward3.toml").write_text('rate_hz = 250\nunit = "uV"\n')
    (folder / "default.toml").write_text('rate_hz = 500\nunit = "mV"\n')
    return folder


def test_what_nobody_states_is_asked_for_with_the_two_lines_that_mend_it(bare):
    with pytest.raises(UnsupportedFormat) as refused:
        read_recording(bare, KEY)
    assert "rate_hz = <samples a second>" in refused.value.mend
    assert 'unit = "<mV or uV>"' in refused.value.mend
    bare.with_suffix(".toml").write_text('unit = "uV"')
    with pytest.raises(UnsupportedFormat) as refused:
        read_recording(bare, KEY)
    assert "rate_hz" in refused.value.mend
    assert "unit =" not in refused.value.mend


def test_the_sites_profile_holds_by_the_folders_name(bare, profiles, tmp_path):
    with with_site_profile(bare, in_folder(profiles)) as readable:
        assert read_recording(readable, KEY).sampling_rate_hz == 250
    elsewhere = bare.rename(tmp_path / "bare.csv")
    with with_site_profile(elsewhere, in_folder(profiles)) as readable:
        assert read_recording(readable, KEY).sampling_rate_hz == 500
    with with_site_profile(elsewhere, in_folder(None)) as readable, pytest.raises(UnsupportedFormat):
        read_recording(readable, KEY)


def test_a_profile_beside_the_file_goes_before_the_folders_and_that_before_the_sites(bare, profiles):
    def rate():
        with with_site_profile(bare, in_folder(profiles)) as readable:
            return read_recording(readable, KEY).sampling_rate_hz

    assert rate() == 250
    (bare.parent / ".ecg-profile.toml").write_text('rate_hz = 200\nunit = "uV"')
    assert rate() == 200
    bare.with_suffix(".toml").write_text('rate_hz = 100\nunit = "uV"')
    assert rate() == 100


def test_in_the_inbox_the_sites_profile_is_staged_with_the_table(bare, profiles, tmp_path):
    inbox = UPath(tmp_path / "inbox")
    (alone,) = find_candidates(inbox)
    (candidate,) = find_candidates(inbox, in_folder(profiles))
    assert [file.name for file in candidate.files] == ["bare.csv", "ward3.toml"]
    first, second = stage(alone, tmp_path / "staged"), stage(candidate, tmp_path / "staged")
    assert first.recording_id != second.recording_id, "mended by a profile, it is scored and not taken for known"
    assert read_recording(second.path, KEY, second.recording_id).sampling_rate_hz == 250


@pytest.mark.parametrize("suffix", [".csv.gz", ".zip"])
def test_the_profile_holds_for_a_table_in_an_archive(bare, profiles, tmp_path, suffix):
    packed = bare.with_name(f"packed{suffix}")
    if suffix == ".zip":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("inner.csv", bare.read_bytes())
        packed.write_bytes(content.getvalue())
    else:
        packed.write_bytes(gzip.compress(bare.read_bytes()))
    with with_site_profile(bare, in_folder(profiles)) as readable:
        wanted = fingerprint(read_recording(readable, KEY))
    bare.unlink()
    with with_site_profile(packed, in_folder(profiles)) as readable:
        assert fingerprint(read_recording(readable, KEY)) == wanted
    (candidate,) = find_candidates(UPath(tmp_path / "inbox"), in_folder(profiles))
    staged = stage(candidate, tmp_path / "staged")
    assert fingerprint(read_recording(staged.path, KEY)) == wanted
    packed.with_name("packed.toml").write_text('rate_hz = 125\nunit = "uV"')
    assert read_recording(packed, KEY).sampling_rate_hz == 125


def test_where_file_and_profile_contradict_each_other_it_is_told(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(FILES["samsung"], encoding="utf-8")
    path.with_suffix(".toml").write_text('rate_hz = 500\nunit = "uV"')
    recording = read_recording(path, KEY)
    assert recording.sampling_rate_hz == 500
    assert {"sampling_rate", "gain"} <= {doubt.code for doubt in recording.doubts}
