"""A look at an inbox: each file is its own, nothing is lost, and no clock is believed alone. On a real Postgres."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import PostgresDsn
from sqlalchemy import text

from ecg_core.arrivals import registering
from ecg_core.arrivals.inbox_listing import list_inbox
from ecg_core.arrivals.registering import register_arrivals
from ecg_core.errors import MachineError, UnknownModelVersion
from ecg_core.models import SHIPPED, load_model
from ecg_core.pipeline.versions import register_shipped, scoring_version
from ecg_core.settings import Settings
from ecg_core.store import arrivals, ledger, tables
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.models import promote

HEADER = "{name} 1 360 3600\n{name}.dat 16 200(0)/mV 12 0 0 0 0 II\n"


@pytest.fixture
def settings(migrated: str, tmp_path: Path) -> Iterator[Settings]:
    """An empty inbox and ledger; no model is needed to look."""
    made = Settings(
        _env_file=None,
        home=tmp_path / "home",
        inbox=str(tmp_path / "inbox"),
        database_url=PostgresDsn(migrated),
        settle_s=0.0,
        read_size_mb=1,
    )
    (tmp_path / "inbox").mkdir()
    yield made
    with owner_engine(made).begin() as connection:
        connection.execute(text("TRUNCATE ecg.model_version, ecg.training_run CASCADE"))
        connection.execute(text("TRUNCATE ecg.ingest_ledger, ecg.arrival, ecg.inbox_entry, ecg.inbox_seen"))


@pytest.fixture
def inbox(settings: Settings) -> Path:
    return Path(settings.inbox)


def put(folder: Path, name: str, height: int = 400) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.round(height * np.sin(np.arange(3600) / 9)).astype("<i2").tofile(folder / f"{name}.dat")
    (folder / f"{name}.hea").write_text(HEADER.format(name=name))
    return folder / f"{name}.hea"


def entries(settings: Settings) -> dict[str, tuple[str, str]]:
    """By name: code and reason of what is in no ledger."""
    with store_engine(settings).connect() as connection:
        found = arrivals.entries(connection, f"{settings.inbox}/")
    return {source.removeprefix(f"{settings.inbox}/"): (entry.code, entry.reason) for source, entry in found.items()}


def test_one_bad_entry_stops_nobody(settings, inbox):
    put(inbox, "a")
    put(inbox, "z", 401)
    os.makedirs(inbox / "d" / "d")
    for _ in range(1100):
        os.rename(inbox / "d", inbox / "e")
        os.mkdir(inbox / "d")
        os.rename(inbox / "e", inbox / "d" / "d")
    os.mkfifo(inbox / "pipe.dat")
    (inbox / "out.hea").symlink_to("/etc/passwd")
    (inbox / "nowhere.hea").symlink_to("gone")
    (inbox / "loop").symlink_to("loop")
    (inbox / "big.bin").write_bytes(b"x" * 1_000_001)
    assert register_arrivals(settings) == {"new": 2, "not taken": 5}
    told = entries(settings)
    assert {name: code for name, (code, _) in told.items()} == {
        "pipe.dat": "special file",
        "out.hea": "link",
        "nowhere.hea": "link",
        "loop": "link",
        "big.bin": "reading limit",
    }
    assert "ECG_READ_SIZE_MB" in told["big.bin"][1]
    with store_engine(settings).connect() as connection:
        assert len(ledger.waiting(connection, None)) == 2
    subprocess.run(["rm", "-rf", inbox / "d"], check=True)  # deeper than pytest removes
    (inbox / "out.hea").unlink()
    assert register_arrivals(settings) == {"unchanged": 2, "not taken": 4}
    assert "out.hea" not in entries(settings)


def test_an_archives_files_are_left_to_the_run_that_is_theirs(settings, inbox):
    """Copying them takes long: a run for fresh ones would hold a worker for so long, and the fresh ones up."""
    put(inbox, "a")
    put(inbox, "old", 401)
    for suffix in (".hea", ".dat"):
        os.utime(inbox / f"old{suffix}", (1e9, 1e9))
    assert register_arrivals(settings, lane="fresh") == {"new": 1, "left for the next look": 1}
    assert register_arrivals(settings, lane="fresh") == {"unchanged": 1, "left for the next look": 1}
    put(inbox, "b", 402)
    assert register_arrivals(settings, lane="archive") == {"new": 1, "unchanged": 1, "left for the next look": 1}
    assert register_arrivals(settings) == {"new": 1, "unchanged": 2}


def test_a_file_that_goes_away_or_grows_during_the_look_stops_nobody(settings, inbox, monkeypatch):
    for name, height in (("a", 400), ("b", 401), ("c", 402)):
        put(inbox, name, height)
    look = registering.look_at

    def then_somebody_comes(*arguments):
        found = look(*arguments)
        (inbox / "a.dat").unlink()
        with (inbox / "b.dat").open("ab") as stream:
            stream.write(b"\0\0")
        return found

    monkeypatch.setattr(registering, "look_at", then_somebody_comes)
    assert register_arrivals(settings) == {"new": 1, "went away": 1, "unsettled": 1}
    monkeypatch.undo()
    assert register_arrivals(settings) == {"new": 1, "unchanged": 1, "waiting for parts": 1}
    assert not list(settings.recordings_dir.glob(".staging-*"))


def test_a_file_that_becomes_a_link_during_the_look_is_not_followed(settings, inbox, tmp_path, monkeypatch):
    put(inbox, "a")
    (tmp_path / "secret").write_text("secret")
    look = registering.look_at

    def then_an_attacker_comes(*arguments):
        found = look(*arguments)
        (inbox / "a.dat").unlink()
        (inbox / "a.dat").symlink_to(tmp_path / "secret")
        return found

    monkeypatch.setattr(registering, "look_at", then_an_attacker_comes)
    assert register_arrivals(settings) == {"unsettled": 1}
    assert not [path for path in settings.recordings_dir.rglob("*") if path.is_file()]


def test_headers_that_name_each_other_hide_no_recording(settings, inbox):
    put(inbox, "good")
    (inbox / "hides.hea").write_text("hides 1 360 3600\ngood.hea 16 200(0)/mV 12 0 0 0 0 II\n")
    (inbox / "x.hea").write_text("x/2 1 360 7200\ny 3600\ngood 3600\n")
    (inbox / "y.hea").write_text("y/1 1 360 3600\nx 3600\n")
    (inbox / "b.edf").write_bytes(b"0       ")
    (inbox / "hides2.hea").write_text("hides2 1 360 3600\nb.edf 16 200(0)/mV 12 0 0 0 0 II\n")
    assert register_arrivals(settings) == {"new": 6}


def test_a_file_replaced_with_the_same_size_and_time_is_read(settings, inbox):
    header = put(inbox, "a")
    facts = header.with_suffix(".dat").stat()
    assert register_arrivals(settings) == {"new": 1}
    put(inbox, "a", 401)
    for path in (header, header.with_suffix(".dat")):
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert header.with_suffix(".dat").stat().st_size == facts.st_size
    assert register_arrivals(settings) == {"new": 1}
    assert register_arrivals(settings) == {"unchanged": 1}


@pytest.mark.parametrize("off_s", [3600, -3600])
def test_no_clock_is_believed_alone(settings, inbox, monkeypatch, off_s):
    """A sender's clock that is fast, or ours that is slow or fast, neither holds a file for ever nor takes a half."""
    header = put(inbox, "a")
    patient = settings.model_copy(update={"settle_s": 0.3})
    clock = time.time
    monkeypatch.setattr(registering.time, "time", lambda: clock() + off_s)
    assert register_arrivals(patient) == {"unsettled": 1}
    monkeypatch.undo()
    for path in (header, header.with_suffix(".dat")):
        os.utime(path, (clock() + 86400, clock() + 86400))
    assert register_arrivals(patient) == {"unsettled": 1}
    time.sleep(0.4)
    assert register_arrivals(patient) == {"new": 1}


def test_a_header_that_just_came_waits_for_its_parts_whatever_its_time_says(settings, inbox):
    header = put(inbox, "a")
    content = header.with_suffix(".dat").read_bytes()
    header.with_suffix(".dat").unlink()
    os.utime(header, (1000, 1000))
    assert register_arrivals(settings) == {"waiting for parts": 1}
    assert entries(settings) == {"a.hea": ("waiting for parts", "It waits for a.dat.")}
    impatient = settings.model_copy(update={"incomplete_after_s": 0.0})
    assert register_arrivals(impatient) == {"set aside": 1}
    assert register_arrivals(impatient) == {"unchanged": 1}
    assert entries(settings) == {}
    header.with_suffix(".dat").write_bytes(content)
    assert register_arrivals(settings) == {"new": 1}


def test_a_signal_file_whose_name_lost_its_case_belongs_to_its_header(settings, inbox):
    header = put(inbox, "a")
    header.with_suffix(".dat").rename(inbox / "A.DAT")
    assert register_arrivals(settings) == {"new": 1}


def test_what_was_set_aside_waits_again_when_it_is_sent_again(settings, inbox):
    header = put(inbox, "a")
    register_arrivals(settings)
    with store_engine(settings).begin() as connection:
        (recording_id,) = ledger.waiting(connection, None)
        ledger.set_aside(connection, recording_id, "truncated signal", "Send it again.")
    assert register_arrivals(settings) == {"unchanged": 1}
    shutil.copy(header, inbox / "new")
    (inbox / "new").rename(header)
    assert register_arrivals(settings) == {"sent again": 1}
    with store_engine(settings).connect() as connection:
        assert ledger.waiting(connection, None) == [recording_id]


def test_a_full_disk_of_ours_is_told_and_blames_no_file(settings, inbox):
    put(inbox, "a")
    settings.home.mkdir(exist_ok=True)
    settings.recordings_dir.touch()  # no folder can be made there
    with pytest.raises(MachineError, match="copies of recordings"):
        register_arrivals(settings)
    assert entries(settings) == {}
    settings.recordings_dir.unlink()
    assert register_arrivals(settings) == {"new": 1}


def test_looks_side_by_side_enter_each_file_once(settings, inbox):
    for number in range(30):
        put(inbox, f"r{number}", 400 + number)
    threads = [threading.Thread(target=register_arrivals, args=(settings,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ecg.ingest_ledger")).scalar_one() == 30
        assert connection.execute(text("SELECT count(*) FROM ecg.arrival")).scalar_one() == 30
    assert register_arrivals(settings) == {"unchanged": 30}
    assert not list(settings.recordings_dir.glob(".staging-*"))


def test_what_a_killed_look_left_is_removed(settings, inbox):
    left, fresh = (settings.recordings_dir / name for name in (".staging-old", ".staging-new"))
    for folder in (left, fresh):
        folder.mkdir(parents=True)
        (folder / "recording.hea").write_text("# Erika Mustermann")
    os.utime(left, (1000, 1000))
    register_arrivals(settings)
    assert not left.exists()
    assert fresh.exists(), "another look may be at work on it"


def test_a_whole_upload_replaces_the_half_that_came_first(settings, inbox):
    header = put(inbox, "a")
    header.write_text("a 1 360\na.dat 16 200(0)/mV 12 0 0 0 0 II\n")
    whole = header.with_suffix(".dat").read_bytes()
    header.with_suffix(".dat").write_bytes(whole[:4000])
    put(inbox, "b")
    assert register_arrivals(settings) == {"new": 2}
    header.with_suffix(".dat").write_bytes(whole)
    put(inbox, "b", 401)  # another recording under the old name is none that was cut
    assert register_arrivals(settings) == {"new": 2, "replaced a part": 1}
    with store_engine(settings).connect() as connection:
        rows = connection.execute(
            text("SELECT state, code, superseded_by IS NOT NULL FROM ecg.ingest_ledger ORDER BY first_seen_at, state")
        )
        assert sorted(tuple(row) for row in rows if row[2]) == [("set aside", "superseded", True)]
        assert len(ledger.waiting(connection, None)) == 3


def test_every_file_is_in_one_row_and_the_counts_add_up(settings, inbox):
    put(inbox, "a")
    (inbox / "a.atr").write_bytes(b"\0\0")
    (inbox / "letter.txt").write_text("Dear colleague")
    header = put(inbox / "ward", "half", 405)
    header.with_suffix(".dat").unlink()
    (inbox / ".hidden").write_text("x")
    (inbox / "b.dat.part").write_text("x")
    (inbox / "out").symlink_to("/etc/passwd")
    register_arrivals(settings)
    put(inbox, "new", 403)
    with store_engine(settings).begin() as connection:
        (letter,) = connection.execute(
            text("SELECT recording_id FROM ecg.arrival WHERE source LIKE '%letter.txt'")
        ).scalars()
        ledger.set_aside(connection, letter, "unsupported format", "It is no ECG.")
    found = list_inbox(settings)
    rows = {listed.file: (listed.state, listed.part_of) for listed in found.files}
    assert rows == {
        "a.hea": ("waiting", ""),
        "a.dat": ("waiting", "a.hea"),
        "a.atr": ("ignored", ""),
        "letter.txt": ("set aside", ""),
        "ward/half.hea": ("waiting", ""),
        ".hidden": ("ignored", ""),
        "b.dat.part": ("ignored", ""),
        "out": ("set aside", ""),
        "new.hea": ("waiting", ""),
        "new.dat": ("waiting", "new.hea"),
    }
    assert found.untold == ()
    assert sum(found.counts().values()) == sum(len(files) for _, _, files in os.walk(inbox))
    why = {listed.file: listed.why for listed in found.files}
    assert why["letter.txt"] == "It is no ECG."
    assert why["ward/half.hea"] == "It waits for half.dat."
    assert "put the file itself there" in why["out"]
    assert {listed.file for listed in found.files if listed.since} == {
        *("a.hea", "a.dat", "letter.txt", "ward/half.hea", "out")
    }


def test_an_inbox_whose_disk_is_not_mounted_is_no_empty_inbox(settings, inbox, monkeypatch):
    mounted = [True]
    monkeypatch.setattr(registering.os.path, "ismount", lambda path: mounted[0])
    assert register_arrivals(settings) == {}
    mounted[0] = False
    with pytest.raises(MachineError, match="not mounted"):
        register_arrivals(settings)
    mounted[0] = True
    assert register_arrivals(settings) == {}


def test_a_champion_out_of_sight_stays_champion(settings):
    """With the models folder not mounted, `ecg db migrate` made the shipped version champion for good."""
    register_shipped(owner_engine(settings), settings)
    away = "cnn-20260101-00000000"
    with owner_engine(settings).begin() as connection:
        columns = tables.model_version.c.keys()
        same = ", ".join(f"'{away}'" if name == "model_version" else name for name in columns)
        connection.execute(
            text(f"INSERT INTO ecg.model_version SELECT {same} FROM ecg.model_version WHERE model_version = :v"),
            {"v": SHIPPED["beats"]},
        )
        promote(connection, away, "test")
    register_shipped(owner_engine(settings), settings)
    assert scoring_version(settings) == away
    with pytest.raises(UnknownModelVersion):
        load_model(scoring_version(settings), settings.models_dir)
