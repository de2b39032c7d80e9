"""Files arrive, are scored once, and nothing is lost: on a real Postgres, with the real champion."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from pydantic import PostgresDsn
from sqlalchemy import text
from upath import UPath

from ecg_core.errors import DatabaseUnavailable, ExplanationError, MachineError, SettingsError, UnknownModelVersion
from ecg_core.explain import cam, recording
from ecg_core.operations.maintenance import run_checks
from ecg_core.pipeline import group, inbox
from ecg_core.readers.reports import list_arrivals
from ecg_core.result.methods import MAPS, given_to
from ecg_core.settings import Settings
from ecg_core.store import counts, ledger
from ecg_core.store.database import owner_engine, store_engine

Arrive = Callable[..., Path]


def outcomes(settings: Settings) -> dict[str, tuple[str, str]]:
    """By file: outcome and reason."""
    return {a.file: (a.outcome, a.reason) for a in list_arrivals(settings, settings.inbox_address)}


def table_counts(settings: Settings) -> dict[str, int]:
    with store_engine(settings).connect() as connection:
        return counts(connection)


def work_through(settings: Settings, owner: str = "test") -> list[inbox.Outcome]:
    """One run of the DAG: register, plan, score each chunk."""
    inbox.register_arrivals(settings)
    return [
        outcome
        for chunk in inbox.plan_chunks(settings)
        for outcome in inbox.score_chunk(settings, chunk, f"{owner}/{chunk[0]}")
    ]


def test_each_content_is_scored_once_and_every_other_file_is_told(settings: Settings, arrive: Arrive):
    arrive("a")
    arrive("b")
    arrive("a", "same-as-a")
    truncated = arrive("c", "cut").with_suffix(".dat")
    truncated.write_bytes(truncated.read_bytes()[:500])
    (Path(settings.inbox) / "letter.txt").write_text("Dear colleague, the recording is attached.\n")

    scored = work_through(settings)

    assert sorted(str(outcome["outcome"]) for outcome in scored) == ["scored", "scored", "set aside", "set aside"]
    told = outcomes(settings)
    assert told["a.hea"][0] == "scored"
    assert told["b.hea"][0] == "scored"
    assert told["same-as-a.hea"] == ("already scored", "The same content arrived as a.hea.")
    assert told["cut.hea"][0] == "set aside"
    assert told["letter.txt"][0] == "set aside"
    assert len(told["cut.hea"][1]) > 20
    for arrival in list_arrivals(settings, settings.inbox_address):
        assert (arrival.report is not None) == ("scored" in arrival.outcome)
        if arrival.report:
            assert arrival.report.is_file()
            assert sum(arrival.beats.values()) > 20
            assert {"read", "clean", "detect", "classify", "explain", "store", "report"} <= set(arrival.stages)


def test_a_second_run_changes_no_table_and_no_file(settings: Settings, arrive: Arrive):
    arrive("a")
    arrive("a", "again")
    (Path(settings.inbox) / "letter.txt").write_text("no ECG")
    work_through(settings)
    before = table_counts(settings)
    reports = {p: p.stat().st_mtime_ns for p in settings.reports_dir.rglob("*.html")}

    assert work_through(settings, "second") == []

    assert table_counts(settings) == before
    assert {p: p.stat().st_mtime_ns for p in settings.reports_dir.rglob("*.html")} == reports
    assert before["reading"] == 1


def test_the_inbox_is_never_changed(settings: Settings, arrive: Arrive):
    arrive("a")
    (Path(settings.inbox) / "letter.txt").write_text("no ECG")
    before = {p.name: p.read_bytes() for p in Path(settings.inbox).iterdir()}
    work_through(settings)
    assert {p.name: p.read_bytes() for p in Path(settings.inbox).iterdir()} == before


def test_a_file_that_is_still_written_is_left_until_it_settles(settings: Settings, arrive: Arrive):
    header = arrive("a")
    waits = settings.model_copy(update={"settle_s": 60.0})
    assert inbox.register_arrivals(waits) == {"unsettled": 1}
    an_hour_ago = time.time() - 3600
    for path in (header, header.with_suffix(".dat")):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert inbox.register_arrivals(waits) == {"new": 1}


def test_a_header_waits_for_its_signal_file_and_is_set_aside_when_it_never_comes(settings: Settings, arrive: Arrive):
    header = arrive("a")
    signal_file = header.with_suffix(".dat")
    content = signal_file.read_bytes()
    signal_file.unlink()
    assert inbox.register_arrivals(settings) == {"waiting for parts": 1}

    impatient = settings.model_copy(update={"incomplete_after_s": 0.0})
    assert inbox.register_arrivals(impatient) == {"set aside": 1}
    assert outcomes(settings)["a.hea"][0] == "set aside"
    assert "a.dat" in outcomes(settings)["a.hea"][1]

    signal_file.write_bytes(content)
    assert [outcome["outcome"] for outcome in work_through(settings)] == ["scored"]


def test_an_inbox_that_does_not_exist_is_an_error_not_an_empty_inbox(settings: Settings):
    with pytest.raises(SettingsError, match="ECG_INBOX"):
        inbox.register_arrivals(settings, UPath("/no/such/folder"))


def test_a_changed_file_is_a_new_recording(settings: Settings, arrive: Arrive):
    arrive("a", "holter")
    work_through(settings)
    arrive("b", "holter")
    assert [outcome["outcome"] for outcome in work_through(settings)] == ["scored"]
    assert table_counts(settings)["recording"] == 2


SCORE = """
import sys
from ecg_core.pipeline import inbox
from ecg_core.settings import load_settings
settings = load_settings()
ids = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
print("began", flush=True)
inbox.score_chunk(settings, ids, sys.argv[1])
"""


def start_scoring(settings: Settings, owner: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "ECG_HOME": str(settings.home),
        "ECG_DATABASE_URL": str(settings.database_url),
        "ECG_INBOX": settings.inbox,
        "ECG_EXPLAINED_BEATS": str(settings.explained_beats),
    }
    environment.pop("ECG_PHYSIONET_BASE", None)
    return subprocess.Popen([sys.executable, "-c", SCORE, owner], env=environment, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_score_nothing_twice(settings: Settings, arrive: Arrive):
    for name in ("a", "b", "c"):
        arrive(name)
    inbox.register_arrivals(settings)
    processes = [start_scoring(settings, f"run-{i}") for i in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    with store_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT attempts, state FROM ecg.ingest_ledger")).all() == [(1, "scored")] * 3
        scorers = connection.execute(text("SELECT DISTINCT scored_by FROM ecg.scoring_run")).scalars().all()
    assert table_counts(settings)["reading"] == 3
    assert set(scorers) <= {"run-0", "run-1"}


OF_A_RUN = (
    "beat attribution attribution_sample chosen_beat hourly method_agreement rhythm_episode signal_quality report"
)
NOT_FOUND = "scoring_run_id reading_id report_id scored_at scored_by written_at size_bytes stage_seconds".split()
"""What tells of the run itself, not of the recording: numbers, times, and who did it."""


def row_sums(settings: Settings) -> dict[str, str]:
    """Rows and a checksum over each table of a run, in their order, without what belongs to the run itself."""
    join = "JOIN ecg.scoring_run r USING (scoring_run_id)"
    sources = {"scoring_run": "SELECT to_jsonb(r) AS told FROM ecg.scoring_run r"} | {
        table: f"SELECT to_jsonb(t) || jsonb_build_object('of', r.recording_id) AS told FROM ecg.{table} t {join}"
        for table in OF_A_RUN.split()
    }
    sources["report"] = sources["report"].replace("JOIN", "JOIN ecg.reading_run p USING (reading_id) JOIN", 1)
    sums = {}
    with store_engine(settings).connect() as connection:
        for table, rows in sources.items():
            lines = f"SELECT (told - CAST(:left_out AS text[]))::text AS line FROM ({rows}) q"
            query = f"SELECT count(*) || ' rows ' || md5(string_agg(line, ';' ORDER BY line)) FROM ({lines}) s"
            sums[table] = str(connection.execute(text(query), {"left_out": NOT_FOUND}).scalar_one())
    return sums


def test_a_process_killed_in_the_middle_leaves_the_same_rows_as_one_that_was_not(settings: Settings, arrive: Arrive):
    for name in ("a", "b", "c"):
        arrive(name)
    inbox.register_arrivals(settings)
    process = start_scoring(settings, "killed")
    while table_counts(settings)["scoring_run"] == 0 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    states = {a.outcome for a in list_arrivals(settings, settings.inbox_address)}
    assert states - {"scored"}, "it was killed too late to show anything"

    # The same task tries again under the same name, and does not have to wait for its own lease.
    ids = [row.recording_id for row in list_arrivals(settings, settings.inbox_address)]
    inbox.score_chunk(settings, ids, "killed")

    assert {a.outcome for a in list_arrivals(settings, settings.inbox_address)} == {"scored"}
    after_kill = row_sums(settings)
    with owner_engine(settings).begin() as connection:
        connection.execute(
            text(
                "TRUNCATE ecg.report, ecg.beat, ecg.attribution, ecg.attribution_sample, ecg.chosen_beat, "
                "ecg.rhythm_episode, ecg.signal_quality, ecg.scoring_run, ecg.reading CASCADE"
            )
        )
        connection.execute(text("UPDATE ecg.ingest_ledger SET state = 'waiting', done_at = NULL, attempts = 0"))
    inbox.score_chunk(settings, ids, "undisturbed")
    assert row_sums(settings) == after_kill


def worn_out(settings: Settings, recording_id: str) -> None:
    """As if several processes had ended over it, whyever."""
    with store_engine(settings).begin() as connection:
        connection.execute(
            text(
                "UPDATE ecg.ingest_ledger SET state = 'claimed', owner = 'dead', attempts = 3, "
                "lease_until = now() - interval '1 s' WHERE recording_id = :id"
            ),
            {"id": recording_id},
        )


def test_only_what_ends_a_process_of_its_own_is_given_up_and_it_stops_nobody(settings: Settings, arrive: Arrive):
    arrive("a")
    arrive("b")
    inbox.register_arrivals(settings)
    (first, second) = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
    worn_out(settings, first)
    done = threading.Event()

    def kill_each() -> None:
        while not done.is_set():
            for child in psutil.Process().children():
                if any("pipeline.apart" in word for word in child.cmdline()):
                    child.kill()
            time.sleep(0.05)

    killer = threading.Thread(target=kill_each)
    killer.start()
    scored = inbox.score_chunk(settings, [first, second], "next")
    done.set()
    killer.join()
    assert {outcome["recording_id"]: outcome["outcome"] for outcome in scored} == {first: "set aside", second: "scored"}
    (given_up,) = [a for a in list_arrivals(settings, settings.inbox_address) if a.recording_id == first]
    assert "a process of its own (SIGKILL: most often too little memory)" in given_up.reason

    # The machine was to blame all along: undisturbed, it is scored.
    inbox.wait_again(settings, code="gave up")
    worn_out(settings, first)
    assert [outcome["outcome"] for outcome in inbox.score_chunk(settings, [first], "next")] == ["scored"]


def test_a_row_that_postgres_refuses_sets_its_recording_aside_alone(settings: Settings, arrive: Arrive):
    for name in ("a", "b", "c"):
        arrive(name)
    inbox.register_arrivals(settings)
    ids = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
    with owner_engine(settings).begin() as connection:
        rule = f"ALTER TABLE ecg.scoring_run ADD CONSTRAINT no_second CHECK (recording_id <> '{ids[1]}')"
        connection.execute(text(rule))
    done = {str(outcome["recording_id"]): outcome for outcome in inbox.score_chunk(settings, ids, "test")}
    assert {i: done[i]["outcome"] for i in ids} == {ids[0]: "scored", ids[1]: "set aside", ids[2]: "scored"}
    assert "no_second" in str(done[ids[1]]["reason"])
    assert "ecg retry" in str(done[ids[1]]["reason"])
    assert table_counts(settings)["reading"] == 2

    with owner_engine(settings).begin() as connection:
        connection.execute(text("ALTER TABLE ecg.scoring_run DROP CONSTRAINT no_second"))
    assert inbox.wait_again(settings, code="row refused") == 1
    assert [outcome["outcome"] for outcome in work_through(settings)] == ["scored"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(ZeroDivisionError("Erika"), "scoring failed"), (ExplanationError("No sum.", "Report it."), "explanation")],
)
def test_an_error_of_our_own_sets_its_recording_aside_alone(settings, arrive, monkeypatch, error, code):
    arrive("a")
    arrive("b")
    inbox.register_arrivals(settings)
    ids = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
    score = group.score_described

    def failing_on_the_first(recordings, *arguments):
        if ids[0] in [described.recording.recording_id for described in recordings]:
            raise error
        return score(recordings, *arguments)

    monkeypatch.setattr(group, "score_described", failing_on_the_first)
    done = inbox.score_chunk(settings, ids, "test")
    assert [outcome["outcome"] for outcome in done] == ["set aside", "scored"]
    assert "Erika" not in str(done[0]["reason"]), "what an unforeseen error says may name a patient"
    with store_engine(settings).connect() as connection:
        codes = connection.execute(text("SELECT code, state FROM ecg.ingest_ledger ORDER BY state")).tuples().all()
    assert codes == [(None, "scored"), (code, "set aside")]
    monkeypatch.undo()
    assert inbox.wait_again(settings, code=code) == 1
    assert [outcome["outcome"] for outcome in work_through(settings)] == ["scored"]


def test_what_concerns_every_recording_stops_the_chunk_and_sets_nothing_aside(settings: Settings, arrive: Arrive):
    arrive("a")
    arrive("b")
    inbox.register_arrivals(settings)
    ids = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
    # No report can be written: a file stands where their folder should.
    settings.reports_dir.rmdir()
    settings.reports_dir.touch()
    for _ in range(settings.max_attempts + 1):
        with pytest.raises(MachineError, match=r"disk of the reports .*Nothing is wrong with the recordings"):
            inbox.score_chunk(settings, ids, "test")
    assert {a.outcome for a in list_arrivals(settings, settings.inbox_address)} == {"waiting"}
    assert table_counts(settings)["scoring_run"] == 0
    settings.reports_dir.unlink()
    assert [outcome["outcome"] for outcome in inbox.score_chunk(settings, ids, "test")] == ["scored", "scored"]


def test_a_schema_of_another_release_stops_the_chunk(settings: Settings, arrive: Arrive):
    arrive("a")
    inbox.register_arrivals(settings)
    ids = [i for chunk in inbox.plan_chunks(settings) for i in chunk]
    with owner_engine(settings).begin() as connection:
        connection.execute(text("ALTER TABLE ecg.beat RENAME COLUMN deviation_z TO other"))
    with pytest.raises(Exception, match="deviation_z"):
        inbox.score_chunk(settings, ids, "test")
    assert outcomes(settings)["a.hea"][0] == "waiting"


def test_a_method_that_gives_up_costs_its_own_values(settings: Settings, arrive: Arrive, monkeypatch):
    def gives_up(*_: object) -> None:
        raise ExplanationError("A gradient is not finite.", "Check the beats.")

    arrive("a")
    giving_up = dict.fromkeys(("shapley", "lime", "shap"), gives_up)
    monkeypatch.setattr(cam, "gradient_maps", gives_up)
    monkeypatch.setattr(recording, "METHODS", {**recording.METHODS, **giving_up})
    (done,) = work_through(settings)
    assert done["outcome"] == "scored"
    with store_engine(settings).connect() as connection:
        methods = set(connection.execute(text("SELECT DISTINCT method FROM ecg.attribution")).scalars())
        in_full = set(connection.execute(text("SELECT DISTINCT method FROM ecg.attribution_sample")).scalars())
        left_out = connection.execute(text("SELECT shapley_values, lime_values FROM ecg.chosen_beat")).tuples().all()
    assert methods == set(given_to("every"))
    assert in_full == set(MAPS) - set(giving_up)
    assert set(left_out) == {(None, None)}
    assert table_counts(settings)["shapley"] == 0
    assert set(run_checks(settings).values()) == {0}
    html = re.sub(r"<(style|script).*?</\1>", "", Path(str(done["report"])).read_text(), flags=re.DOTALL)
    assert not re.search(r"\b(nan|None)\b", re.sub(r"<[^>]*>", " ", html))


def test_no_method_at_all_leaves_the_classes(settings: Settings, arrive: Arrive, monkeypatch):
    def gives_up(*_: object) -> None:
        raise ExplanationError("A gradient is not finite.", "Check the beats.")

    arrive("a")
    monkeypatch.setattr(recording, "METHODS", dict.fromkeys(recording.METHODS, gives_up))
    monkeypatch.setattr(cam, "gradient_maps", gives_up)
    (done,) = work_through(settings)
    assert done["outcome"] == "scored"
    assert table_counts(settings)["attribution"] == 0
    assert table_counts(settings)["beat"] > 20


def test_what_was_set_aside_can_be_tried_again_after_the_cause_was_mended(settings: Settings, arrive: Arrive):
    arrive("a")
    inbox.register_arrivals(settings)
    ((recording_id,),) = inbox.plan_chunks(settings)
    with store_engine(settings).begin() as connection:
        ledger.set_aside(connection, recording_id, "gave up", "Too little memory.")
    assert inbox.wait_again(settings, code="truncated signal") == 0
    assert inbox.plan_chunks(settings) == []
    assert inbox.wait_again(settings, code="gave up") == 1
    assert [outcome["outcome"] for outcome in work_through(settings)] == ["scored"]
    assert inbox.wait_again(settings) == 0, "what is scored stays scored"


def test_a_lost_database_is_said_and_can_be_retried(settings: Settings):
    nowhere = settings.model_copy(update={"database_url": PostgresDsn("postgresql://ecg:secret@127.0.0.1:1/ecg")})
    with pytest.raises(DatabaseUnavailable) as caught:
        inbox.plan_chunks(nowhere)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


def test_an_unknown_model_version_fails_at_once_and_claims_nothing(settings: Settings, arrive: Arrive):
    arrive("a")
    inbox.register_arrivals(settings)
    ((recording_id,),) = inbox.plan_chunks(settings)
    with pytest.raises(UnknownModelVersion, match="no-such-model"):
        inbox.score_chunk(settings, [recording_id], "test", "no-such-model")
    assert outcomes(settings)["a.hea"][0] == "waiting"


def test_no_name_of_a_file_or_patient_reaches_log_or_report(settings: Settings, arrive: Arrive, capfd):
    header = arrive("a", "Erika_Mustermann_1964")
    header.write_text(header.read_text() + "# Erika Mustermann, born 1964-08-12\n")
    work_through(settings)
    (report,) = settings.reports_dir.rglob("*.html")
    logged = capfd.readouterr()
    for where in (logged.out, logged.err, report.read_text(), str(report)):
        assert "Mustermann" not in where
