"""Sorting an inbox into recordings, and the canonical copy of each."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from ecg_core.errors import IncompleteRecording, RecordingError, TruncatedSignal
from ecg_core.formats import find_candidates, look_at, read_recording, stage

KEY = b"test key"
HEADER = "{name} 1 360 3600\n{name}.dat 16 200(0)/mV 12 0 0 0 0 II\n# a comment\n"


def put(folder, name, header=HEADER, signal=True, annotation=True, height=400):
    """Write a record of 10 s."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text(header.format(name=name))
    if signal:
        samples = np.round(height * np.sin(np.arange(3600) / 9)).astype("<i2")
        (folder / f"{name}.dat").write_bytes(samples.tobytes())
    if annotation:
        (folder / f"{name}.atr").write_bytes(b"\0\0")
    return folder


@pytest.fixture(params=["folder", "memory"])
def inbox(request, tmp_path):
    """The same tests on a folder and on an object store."""
    if request.param == "folder":
        (tmp_path / "inbox").mkdir()
        yield UPath(tmp_path / "inbox")
    else:
        root = UPath("memory://bucket/inbox")
        root.mkdir(parents=True, exist_ok=True)
        yield root
        root.fs.rm("/bucket", recursive=True)


def names(inbox):
    return [candidate.name for candidate in find_candidates(inbox)]


def test_an_inbox_that_does_not_exist_or_is_empty(inbox):
    assert find_candidates(inbox) == []
    assert find_candidates(inbox / "nowhere") == []


def test_a_record_is_one_candidate_with_its_files(inbox):
    put(inbox / "ward3", "b")
    put(inbox, "a")
    first, second = find_candidates(inbox)
    assert [first.name, second.name] == ["a.hea", "ward3/b.hea"]
    assert [file.name for file in second.files] == ["b.hea", "b.dat"]
    assert second.missing == ()
    assert second.size_bytes == sum(file.stat().st_size for file in second.files)
    assert second.changed_at == pytest.approx(time.time(), abs=600)


def test_the_newest_file_says_when_a_record_changed(tmp_path):
    folder = put(tmp_path, "a")
    os.utime(folder / "a.hea", (1000, 1000))
    os.utime(folder / "a.dat", (2000, 2000))
    assert [candidate.changed_at for candidate in find_candidates(UPath(folder))] == [2000]


def test_everything_else_is_a_candidate_of_its_own(inbox):
    put(inbox, "a")
    (inbox / "letter.txt").write_text("Dear colleague")
    (inbox / "a.jpg").write_bytes(b"\xff\xd8")
    assert names(inbox) == ["a.hea", "a.jpg", "letter.txt"]


def test_hidden_and_unfinished_files_are_left_out(inbox):
    for name in (".hidden", "a.dat.part", "a.tmp", "a.txt~", ".git/config"):
        (inbox / name).parent.mkdir(exist_ok=True)
        (inbox / name).write_text("x")
    assert names(inbox) == []


def test_what_is_missing_is_named(inbox):
    put(inbox, "a", signal=False)
    (inbox / "b.dat").write_bytes(b"1234")
    first, second = find_candidates(inbox)
    assert (first.name, first.missing) == ("a.hea", ("a.dat",))
    assert (second.name, second.missing) == ("b.dat", ("b.hea",))


def test_an_ecg_file_without_a_header_is_a_recording_of_its_own(inbox):
    put(inbox, "a")
    (inbox / "a.ecg").write_bytes(b"\0\0")
    (inbox / "holter.ecg").write_bytes(b"ISHNE1.0 and so on")
    (inbox / "b.qrs").write_bytes(b"\0\0")
    found = {candidate.name: candidate.missing for candidate in find_candidates(inbox)}
    assert found == {"a.hea": (), "holter.ecg": (), "b.qrs": ("b.hea",)}


def test_what_is_said_of_a_file_without_its_header(tmp_path):
    (tmp_path / "holter.ecg").write_bytes(b"ISHNE1.0 and so on")
    (tmp_path / "b.qrs").write_bytes(b"\0\0")
    with pytest.raises(TruncatedSignal):
        read_recording(tmp_path / "holter.ecg", KEY)
    with pytest.raises(IncompleteRecording, match="without its header"):
        read_recording(tmp_path / "b.qrs", KEY)


def test_a_header_that_reaches_out_of_its_folder_gets_no_file(inbox):
    put(inbox, "secret")
    put(
        inbox / "ward", "x", header="x 1 360 3600\n../secret.dat 16 200 12 0 0 0 0 II\n", signal=False, annotation=False
    )
    outside = next(c for c in find_candidates(inbox) if c.name == "ward/x.hea")
    assert [file.name for file in outside.files] == ["x.hea"]
    assert outside.missing == ()


def test_each_segment_is_a_recording_whatever_names_it(inbox):
    put(inbox, "s1", annotation=False)
    put(inbox, "s2", annotation=False)
    (inbox / "master.hea").write_text("master/2 1 360 7200\ns1 3600\ns2 3600\n")
    assert names(inbox) == ["master.hea", "s1.hea", "s2.hea"]


def test_a_copy_under_another_name_has_the_same_identity(inbox, tmp_path):
    put(inbox / "one", "a")
    put(inbox / "two", "other")
    put(inbox / "three", "a", height=401)
    put(inbox / "four", "a", header=HEADER + "# another comment\n")
    ids = {c.name: stage(c, tmp_path / "recordings").recording_id for c in find_candidates(inbox)}
    assert ids["one/a.hea"] == ids["two/other.hea"]
    assert len(set(ids.values())) == 3


def test_the_staged_copy_reads_like_the_original(mitdb, tmp_path):
    inbox = tmp_path / "Beispiel, Hanna"
    inbox.mkdir()
    for suffix in ("hea", "dat", "atr"):
        shutil.copy(mitdb / f"213.{suffix}", inbox)
    (candidate,) = find_candidates(UPath(inbox))
    staged = stage(candidate, tmp_path / "recordings")
    recording_id = staged.recording_id
    assert staged.path == tmp_path / "recordings" / recording_id[:2] / recording_id / "recording.hea"
    from_copy = read_recording(staged.path, KEY)
    from_original = read_recording(inbox / "213.hea", KEY)
    assert from_copy.recording_id == from_original.recording_id == recording_id
    np.testing.assert_array_equal(from_copy.signal, from_original.signal)
    assert "213" not in staged.path.read_text().splitlines()[0]


def test_line_ends_are_no_content(inbox, tmp_path):
    put(inbox, "a")
    put(inbox, "b")
    header = inbox / "b.hea"
    header.write_bytes(header.read_bytes().replace(b"\r\n", b"\n").rstrip().replace(b"\n", b"\r\n"))
    first, second = (stage(candidate, tmp_path / "recordings") for candidate in find_candidates(inbox))
    assert first == second


def test_staging_again_changes_nothing_and_leaves_nothing(inbox, tmp_path):
    put(inbox, "a")
    (candidate,) = find_candidates(inbox)
    first = stage(candidate, tmp_path / "recordings")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").rglob("*")}
    assert stage(candidate, tmp_path / "recordings") == first
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "recordings").rglob("*")}
    assert {p: t for p, t in before.items() if p.is_file()} == {p: t for p, t in after.items() if p.is_file()}
    assert before.keys() == after.keys()


@pytest.mark.parametrize(
    ("name", "content", "staged_as"),
    [
        ("photo.jpg", b"\xff\xd8\xff\0", "recording.jpg"),
        ("empty.hea", b"", "recording.hea"),
        ("junk.hea", b"\0\1\2", "recording.hea"),
        ("evil.hea", b"e 1 360 3600\n/etc/passwd 16 200\n", "recording.hea"),
        ("scan.Beispiel_Hanna", b"x", "recording.bin"),
        ("README", b"x", "recording.bin"),
        ("b.dat", b"1234", "recording.dat"),
    ],
)
def test_what_cannot_be_read_is_staged_as_it_is(inbox, tmp_path, name, content, staged_as):
    import hashlib

    (inbox / name).write_bytes(content)
    (candidate,) = find_candidates(inbox)
    staged = stage(candidate, tmp_path / "recordings")
    assert staged.recording_id == hashlib.sha256(content).hexdigest()
    assert staged.path.name == staged_as
    assert staged.path.read_bytes() == content
    with pytest.raises(RecordingError):
        read_recording(staged.path, KEY, staged.recording_id)


def test_a_header_whose_signal_never_came(inbox, tmp_path):
    put(inbox, "a", signal=False)
    (candidate,) = find_candidates(inbox)
    staged = stage(candidate, tmp_path / "recordings")
    with pytest.raises(IncompleteRecording):
        read_recording(staged.path, KEY)


def test_a_file_that_vanishes_before_it_is_staged(inbox, tmp_path):
    put(inbox, "a")
    (candidate,) = find_candidates(inbox)
    for file in candidate.files:
        file.unlink()
        with pytest.raises(IncompleteRecording):
            stage(candidate, tmp_path / "recordings")
    assert list((tmp_path / "recordings").iterdir()) == []


def test_links_and_odd_names_in_a_folder(tmp_path):
    inbox = put(tmp_path / "inbox", "a")
    (inbox / "loop").symlink_to("loop")
    (inbox / "itself").symlink_to(".")
    (inbox / "nowhere").symlink_to("gone")
    os.mkfifo(inbox / "pipe")
    Path(os.fsdecode(os.fsencode(inbox) + b"/bad\xff.txt")).write_text("x")
    found = find_candidates(UPath(inbox))
    assert [candidate.name for candidate in found] == ["a.hea", "bad\\xff.txt"]
    assert found[1].name.encode("utf-8")
    assert stage(found[1], tmp_path / "recordings").path.read_text() == "x"


@pytest.fixture
def as_nobody():
    """A folder that is everybody's, looked at as a user who is not everybody: root may read everything."""
    folder = Path(tempfile.mkdtemp(prefix="ecg-nobody-"))
    folder.chmod(0o777)
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield folder
        os.seteuid(0)
    else:
        yield folder
    for path in folder.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_told_and_stops_no_other(as_nobody):
    inbox = as_nobody / "inbox"
    for name in ("a", "b", "c"):
        put(inbox, name)
    put(inbox / "private", "d")
    put(inbox / "lost+found", "e")
    for path in ("a.hea", "b.dat", "private", "lost+found"):
        (inbox / path).chmod(0)
    look = look_at(UPath(inbox))
    assert {(told.name, told.code) for told in look.told} == {("a.hea", "unreadable"), ("private/", "unreadable")}
    assert [candidate.name for candidate in look.candidates] == ["a.dat", "b.hea", "c.hea"]
    assert ("lost+found/", "hidden") in {(ignored.name, ignored.code) for ignored in look.ignored}
    for candidate in look.candidates[::2]:
        stage(candidate, as_nobody / "recordings")
    with pytest.raises(IncompleteRecording, match="may not be read"):
        stage(look.candidates[1], as_nobody / "recordings")


def test_the_profile_of_a_table_goes_with_it(inbox, tmp_path):
    (inbox / "ward").mkdir()
    text = "".join(f"{v:.1f}\n" for v in 400 * np.sin(np.arange(3600) / 9))
    (inbox / "ward" / "a.csv").write_text(text)
    (inbox / "b.csv").write_text(text)
    (inbox / "c.csv").write_text(text)
    (inbox / "ward" / ".ecg-profile.toml").write_text('rate_hz = 360\nunit = "uV"')
    (inbox / "b.toml").write_text('rate_hz = 180\nunit = "uV"')
    (inbox / "other.toml").write_text("x = 1")
    found = {candidate.name: candidate for candidate in find_candidates(inbox)}
    assert list(found) == ["b.csv", "c.csv", "other.toml", "ward/a.csv"]
    staged = {name: stage(candidate, tmp_path / "recordings") for name, candidate in found.items()}
    assert len({one.recording_id for one in staged.values()}) == 4
    assert read_recording(staged["ward/a.csv"].path, KEY).sampling_rate_hz == 360
    assert read_recording(staged["b.csv"].path, KEY).recording_id == staged["b.csv"].recording_id
    assert read_recording(staged["b.csv"].path, KEY).sampling_rate_hz == 180
    with pytest.raises(RecordingError, match="sampling rate and its unit"):
        read_recording(staged["c.csv"].path, KEY)


@pytest.mark.parametrize(("name", "staged_as"), [("Hanna.csv.gz", "recording.csv.gz"), ("x.hanna.gz", "recording.gz")])
def test_an_archive_keeps_what_it_holds(inbox, tmp_path, name, staged_as):
    (inbox / name).write_bytes(b"\x1f\x8b")
    (candidate,) = find_candidates(inbox)
    assert stage(candidate, tmp_path / "recordings").path.name == staged_as
