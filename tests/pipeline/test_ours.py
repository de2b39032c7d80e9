"""What is ours costs no recording anything: it stops the chunk, is told as what it is, and goes on by itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import wfdb
from sqlalchemy import text

from ecg_core.arrivals.inbox_listing import list_inbox
from ecg_core.errors import DatabaseUnavailable, MachineError, PlatformFault, StoreError
from ecg_core.formats.copies import reader
from ecg_core.pipeline import group, inbox
from ecg_core.readers.forgetting import forget
from ecg_core.readers.reports import report_html
from ecg_core.settings import Settings
from ecg_core.store import write_result
from ecg_core.store.database import owner_engine, store_engine

Arrive = Callable[..., Path]


@pytest.fixture
def ids(settings: Settings, arrive: Arrive) -> list[str]:
    """Two recordings that wait."""
    for header in (arrive("a"), arrive("b")):
        # Samples of 12 bits go by way of a temporary file; those of 16 bits need none.
        read = wfdb.rdrecord(str(header.with_suffix("")))
        told = {"fs": read.fs, "units": read.units, "sig_name": read.sig_name, "p_signal": read.p_signal}
        wfdb.wrsamp(header.stem, **told, fmt=["212"] * read.n_sig, write_dir=str(header.parent))
    inbox.register_arrivals(settings)
    return [i for chunk in inbox.plan_chunks(settings) for i in chunk]


def states(settings: Settings) -> list[tuple[str, int]]:
    """State and attempts of every content."""
    with store_engine(settings).connect() as connection:
        rows = connection.execute(text("SELECT state, attempts FROM ecg.ingest_ledger ORDER BY first_seen_at"))
        return [tuple(row) for row in rows]


WAITING = [("waiting", 0)] * 2


def test_disks_folders_and_postgres_cost_no_attempt_and_go_on(settings, ids, monkeypatch, tmp_path):
    def fails(error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match):
            inbox.score_chunk(settings, ids, "test")
        assert states(settings) == WAITING

    # The folder of temporary files is gone.
    gone = tmp_path / "tmp"
    gone.mkdir()
    with monkeypatch.context() as patch:
        reader(settings).close()
        patch.setenv("TMPDIR", str(gone))
        reader(settings).start()
        reader(settings).read(settings.recordings_dir / copy_of(settings, ids[0]), b"key")
        gone.rmdir()
        fails(MachineError, "temporary")
    reader(settings).close()
    # The disk with the copies is not mounted.
    settings.recordings_dir.rename(tmp_path / "away")
    fails(MachineError, "out of sight")
    settings.recordings_dir.mkdir()
    fails(MachineError, "out of sight")
    settings.recordings_dir.rmdir()
    (tmp_path / "away").rename(settings.recordings_dir)
    # A statement that takes too long, as on a busy server.
    with owner_engine(settings).begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN SET LOCAL statement_timeout = '20ms'; PERFORM pg_sleep(1); RETURN NEW; END $$"
            )
        )
        connection.execute(
            text("ALTER DATABASE " + connection.engine.url.database + " SET statement_timeout = '500ms'")
        )
        connection.execute(text("CREATE TRIGGER slow BEFORE INSERT ON ecg.scoring_run EXECUTE FUNCTION slow()"))
    store_engine(settings).dispose()
    fails(DatabaseUnavailable, "longer than the server allows")
    with owner_engine(settings).begin() as connection:
        connection.execute(text("DROP TRIGGER slow ON ecg.scoring_run"))
        connection.execute(text(f"ALTER DATABASE {connection.engine.url.database} RESET statement_timeout"))
    store_engine(settings).dispose()
    # What was in the way has passed.
    assert [outcome["outcome"] for outcome in inbox.score_chunk(settings, ids, "test")] == ["scored", "scored"]


def copy_of(settings: Settings, recording_id: str) -> str:
    with store_engine(settings).connect() as connection:
        return connection.execute(
            text("SELECT staged_path FROM ecg.ingest_ledger WHERE recording_id = :id"), {"id": recording_id}
        ).scalar_one()


def test_a_fault_of_ours_that_meets_every_recording_sets_none_aside(settings, ids, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    for module, name in ((group, "score_described"), (write_result, "write_result")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, broken)
            with pytest.raises(PlatformFault, match=r"known to be good \(ZeroDivisionError\)"):
                inbox.score_chunk(settings, ids, "test")
            assert states(settings) == WAITING
    with store_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ecg.arrival")).scalar_one() == 2, "nothing of it stays"


def test_our_own_copy_that_is_gone_is_made_again(settings, ids):
    first, second = (settings.recordings_dir / copy_of(settings, recording_id) for recording_id in ids)
    shutil.rmtree(first.parent)
    second.with_name("signal0.dat").unlink()
    outcomes = inbox.score_chunk(settings, ids, "test")
    assert [outcome["code"] for outcome in outcomes] == ["copy damaged"] * 2
    assert "by itself" in str(outcomes[0]["reason"])
    assert inbox.register_arrivals(settings) == {"sent again": 2}
    assert [outcome["outcome"] for outcome in inbox.score_chunk(settings, ids, "test")] == ["scored", "scored"]


def test_the_report_of_a_half_says_that_the_whole_has_come(settings, arrive):
    header = arrive("a")
    header.write_text(header.read_text().replace(" 10800", "", 1))
    whole = header.with_suffix(".dat").read_bytes()
    header.with_suffix(".dat").write_bytes(whole[: len(whole) // 2])
    inbox.register_arrivals(settings)
    ((half,),) = inbox.plan_chunks(settings)
    inbox.score_chunk(settings, [half], "test")
    with store_engine(settings).connect() as connection:
        report_id = connection.execute(text("SELECT report_id FROM ecg.report")).scalar_one()
    assert "beginning of a recording" not in str(report_html(settings, report_id))
    header.with_suffix(".dat").write_bytes(whole)
    assert inbox.register_arrivals(settings) == {"new": 1, "replaced a part": 1}
    ((came_whole,),) = inbox.plan_chunks(settings)
    assert f"read the report of recording {came_whole[:16]} instead" in str(report_html(settings, report_id))
    [listed] = [listed for listed in list_inbox(settings).files if listed.file == "a.hea"]
    assert listed.state == "waiting"


def everything(settings: Settings) -> str:
    """Every row of every table, and every file that is the platform's, as one text."""
    with owner_engine(settings).connect() as connection:
        tables = connection.execute(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'ecg'::regnamespace AND relkind IN ('r', 'p')")
        ).scalars()
        rows = [
            str(connection.execute(text(f"SELECT string_agg(t::text, ';') FROM ecg.{table} t")).scalar_one())
            for table in tables
        ]
    files = [f"{path} {path.read_bytes()!r}" for path in settings.home.rglob("*") if path.is_file()]
    return "\n".join(rows + files)


def test_what_is_forgotten_is_in_no_table_and_no_file(settings, arrive):
    """Marked identities in header and name; each table is looked through, whatever a release brings."""
    for name in ("a", "b"):
        header = arrive(name, f"{name}_Erika_Mustermann")
        header.write_text(header.read_text() + "# patient id: Mustermann-4711\n# Erika Mustermann, 1964-08-12\n")
    inbox.register_arrivals(settings)
    ids = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
    assert {one["outcome"] for one in inbox.score_chunk(settings, ids, "test")} == {"scored"}
    with store_engine(settings).connect() as connection:
        patient = connection.execute(text("SELECT patient_pseudonym FROM ecg.patient")).scalar_one()
    with pytest.raises(StoreError, match="still lie where they arrived"):
        forget(settings, patient)
    for path in Path(settings.inbox).iterdir():
        path.unlink()
    receipt = forget(settings, ids[0][:12])
    assert receipt["recordings"] == 1
    assert ids[0] not in everything(settings)
    assert ids[1] in everything(settings), "another recording stays"
    assert forget(settings, patient)["recordings"] == 1
    left = everything(settings)
    for mark in (*ids, patient, "Mustermann", "Erika", "Mustermann-4711", "1964-08-12"):
        assert mark not in left, mark
    with pytest.raises(StoreError, match="0 recordings"):
        forget(settings, patient)
