"""Each alert is raised by making its fault, arrives, ends with its cause, and has its runbook."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest
from outbox_time import earlier
from pydantic import SecretStr
from sqlalchemy import Connection, text

from benchmarks import made_up
from ecg_core.messages import outbox
from ecg_core.messages.notices import tell_urgent
from ecg_core.operations import alerts
from ecg_core.operations.retention import keep_house
from ecg_core.operations.watch import watch
from ecg_core.result import Evidence, Finding
from ecg_core.settings import Settings
from ecg_core.stack.files import unused_port
from ecg_core.store import arrivals, ledger, write_result
from ecg_core.store import outbox as rows
from ecg_core.store.arrivals import Arrival
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.readings import reading_of

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs" / "runbooks"


@pytest.fixture(autouse=True)
def empty(settings: Settings) -> None:
    with owner_engine(settings).begin() as connection:
        names = "ingest_ledger, arrival, data_quality, drift, drift_reference, patient, recording, scoring_run, reading"
        tables = ", ".join(f"ecg.{name.strip()}" for name in names.split(","))
        connection.execute(text(f"TRUNCATE {tables}, ecg.training_run CASCADE"))


def open_kinds(settings: Settings) -> list[str]:
    return sorted(told.kind for told in outbox.list_messages(settings))


def arrive(connection: Connection, number: int) -> str:
    recording_id = made_up.recording_id_of(number)
    source = f"/inbox/ward3/Erika_Mustermann-{number}.hea"
    arrivals.register(connection, [Arrival(source, recording_id, 9, 0.0, f"{number}/recording.hea")])
    return recording_id


def one_waits(connection: Connection) -> None:
    arrive(connection, 1)
    connection.execute(text("UPDATE ecg.ingest_ledger SET first_seen_at = now() - interval '2 hours'"))


def scored(connection: Connection) -> None:
    ledger.mark_scored(connection, made_up.recording_id_of(1))


def most_are_set_aside(connection: Connection) -> None:
    for number in range(6):
        recording_id = arrive(connection, number)
        if number:
            ledger.set_aside(connection, recording_id, "truncated signal", "Erika_Mustermann.dat is short.")
        else:
            ledger.mark_scored(connection, recording_id)


def a_day_later(connection: Connection) -> None:
    connection.execute(text("UPDATE ecg.ingest_ledger SET done_at = done_at - interval '25 hours'"))


def a_rule_is_broken(connection: Connection, n: int = 3) -> None:
    row = "INSERT INTO ecg.data_quality (checked_at, rule, severity, n_rows_broken, examples, seconds) VALUES"
    values = {"at": datetime.now(UTC), "n": n}
    connection.execute(text(f"{row} (:at, 'probabilities_sum', 'severe', :n, '[]', 0.1)"), values)


def a_rule_holds_again(connection: Connection) -> None:
    a_rule_is_broken(connection, 0)


def beats_drift(connection: Connection, index: float = 0.4) -> None:
    version = connection.execute(text("SELECT model_version FROM ecg.model_version LIMIT 1")).scalar_one()
    reference = "INSERT INTO ecg.drift_reference (model_version, quantity, bins, shares, source)"
    known = {"v": version, "day": datetime.now(UTC).date(), "psi": index}
    connection.execute(
        text(f"{reference} VALUES (:v, 'class', '{{N,S,V,F,Q}}', '{{1,0,0,0,0}}', 'made up') ON CONFLICT DO NOTHING"),
        known,
    )
    row = "INSERT INTO ecg.drift (model_version, scored_on, quantity, n_beats, shares, population_stability_index)"
    again = "ON CONFLICT (model_version, scored_on, quantity) DO UPDATE SET population_stability_index = :psi"
    connection.execute(text(f"{row} VALUES (:v, :day, 'class', 9, '{{1,0,0,0,0}}', :psi) {again}"), known)


def beats_are_as_before(connection: Connection) -> None:
    beats_drift(connection, 0.05)


def a_worker_fell_silent(connection: Connection) -> None:
    rows.give_sign(connection, "worker celery@host")
    connection.execute(text("UPDATE ecg.sign_of_life SET seen_at = now() - interval '3 minutes'"))


def a_worker_speaks(connection: Connection) -> None:
    rows.give_sign(connection, "worker celery@other")


def airflow_is_ill(connection: Connection) -> None:
    rows.give_sign(connection, "airflow")
    connection.execute(text("UPDATE ecg.sign_of_life SET seen_at = now() - interval '3 minutes'"))


def a_canary_was_lost(connection: Connection) -> None:
    rows.give_sign(connection, "canary")
    connection.execute(text("UPDATE ecg.sign_of_life SET seen_at = now() - interval '3 hours'"))


def a_canary_got_through(connection: Connection) -> None:
    rows.give_sign(connection, "canary")


def nobody_looks(connection: Connection) -> None:
    rows.give_sign(connection, "inbox")
    connection.execute(text("UPDATE ecg.sign_of_life SET seen_at = now() - interval '20 minutes'"))


def somebody_looks(connection: Connection) -> None:
    rows.give_sign(connection, "inbox")


def a_delivery_dies(connection: Connection) -> None:
    number = rows.raise_message(connection, outbox.Message("test", "A", "B"), ["gone"], 1.0)
    connection.execute(text(f"UPDATE ecg.outbox_delivery SET state = 'dead' WHERE message_id = {number}"))


def it_is_tried_again(connection: Connection) -> None:
    rows.revive(connection)
    connection.execute(text("UPDATE ecg.outbox_message SET ended_at = now() WHERE kind = 'test'"))


FAULTS: dict[str, tuple[Callable[[Connection], None], Callable[[Connection], None]]] = {
    "inbox_late": (one_waits, scored),
    "inbox_silent": (nobody_looks, somebody_looks),
    "no_worker": (a_worker_fell_silent, a_worker_speaks),
    "canary_failed": (a_canary_was_lost, a_canary_got_through),
    "set_aside": (most_are_set_aside, a_day_later),
    "quality_broken": (a_rule_is_broken, a_rule_holds_again),
    "drift": (beats_drift, beats_are_as_before),
    "dead_letters": (a_delivery_dies, it_is_tried_again),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_told_and_ends(settings, mailbox, webhook, kind):
    fault, mended = FAULTS[kind]
    assert alerts.look(settings)[kind] == 0
    with owner_engine(settings).begin() as connection:
        fault(connection)
    assert alerts.look(settings)[kind] == 1
    alerts.look(settings)
    outbox.deliver_due(settings)
    mine = [posted for posted in webhook.got if posted["kind"] == kind]
    assert len(mine) == 1, "told once, however often it was looked at"
    assert f"docs/runbooks/{kind}.md" in mine[0]["body"]
    assert "Mustermann" not in str(webhook.got) + str(mailbox.got)
    with owner_engine(settings).begin() as connection:
        mended(connection)
    assert alerts.look(settings)[kind] == 0
    assert kind not in open_kinds(settings)


def test_little_disk_is_told(settings):
    assert alerts.look(settings.model_copy(update={"alert_disk_free_gb": 1e6}))["disk_low"] == 1
    assert open_kinds(settings) == ["disk_low"]
    alerts.look(settings.model_copy(update={"alert_disk_free_gb": 0.0}))
    assert open_kinds(settings) == []


def test_a_quota_is_told_before_it_is_used_up(settings, webhook, tmp_path):
    (tmp_path / "sites.toml").write_text('[ward3]\nquota_gb = 1e-8\nmessages = {quota = ["hook"]}')
    bound = settings.model_copy(update={"inbox": "/inbox", "sites": tmp_path / "sites.toml", "message_rules": {}})
    assert alerts.look(bound)["quota"] == 0
    with owner_engine(settings).begin() as connection:
        arrive(connection, 1)
    for size, told in ((8, 0), (9, 1), (10, 1)):
        with owner_engine(settings).begin() as connection:
            connection.execute(text(f"UPDATE ecg.arrival SET size_bytes = {size}"))
        assert alerts.look(bound)["quota"] == told
    outbox.deliver_due(bound)
    assert [(one["kind"], one["severity"]) for one in webhook.got] == [("quota", "warning"), ("quota", "critical")]
    assert alerts.look(settings)["quota"] == 0


def test_a_missed_backup_is_told(settings):
    assert alerts.look(settings)["backup_missed"] == 0, "nobody asked for one"
    daily = settings.model_copy(update={"alert_backup_after_h": 24.0})
    assert alerts.look(daily)["backup_missed"] == 1
    outbox.give_sign(daily, "backup")
    assert alerts.look(daily)["backup_missed"] == 0
    earlier(daily, 25 * 3600)
    assert alerts.look(daily)["backup_missed"] == 1


def test_a_failed_run_is_told_once_until_it_is_long_over(settings, webhook):
    for run in ("a", "b"):
        alerts.run_failed(settings, "ecg_score_inbox", run, "score_chunk", "It raised OSError.")
    alerts.look(settings)
    outbox.deliver_due(settings)
    [posted] = webhook.got
    assert posted["kind"] == "run_failed"
    assert "score_chunk" in posted["body"]
    earlier(settings, alerts.FAILURES_END_AFTER_S + 60)
    alerts.look(settings)
    assert open_kinds(settings) == []


def test_a_promotion_is_told_once(settings, webhook):
    with owner_engine(settings).begin() as connection:
        version = connection.execute(text("SELECT model_version FROM ecg.model_version LIMIT 1")).scalar_one()
        row = "INSERT INTO ecg.training_run (model_version, judged_against, verdict, reason)"
        connection.execute(text(f"{row} VALUES (:v, :v, 'promoted', 'Better.')"), {"v": version})
    for _ in range(2):
        alerts.look(settings)
    outbox.deliver_due(settings)
    assert [posted["kind"] for posted in webhook.got] == ["promotion"]


def test_every_kind_has_its_runbook_and_no_other():
    kinds = {*alerts.LOOKS, *alerts.EVENTS}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == kinds
    assert set(FAULTS) | {"disk_low", "quota", "backup_missed", "run_failed", "promotion"} == kinds, (
        "each is made to happen here"
    )
    listed = re.findall(r"\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text())
    assert sorted(listed) == sorted(kinds)
    for kind in kinds:
        page = (RUNBOOKS / f"{kind}.md").read_text()
        assert page.startswith("# "), kind
        assert "## What to do" in page, kind


# --- urgent findings ---------------------------------------------------------------------------------------------


def stored(connection: Connection, settings: Settings, urgency: str, number: int = 1) -> int | None:
    """Store a recording with a finding of this urgency, as scoring does, and tell of it."""
    arrive(connection, number)
    plain = made_up.varied(30, seed=number)
    result = replace(plain, findings=(Finding("vt", urgency, (Evidence(1.0, 3.0),), n_episodes=1),))
    run = write_result.write_result(connection, result, "test", ["Possible ventricular tachycardia."])
    reading = reading_of(connection, run)
    write_result.write_report(connection, reading, path=f"{run}.html", sha256="a" * 64, size_bytes=1, stages={})
    return tell_urgent(connection, settings, result, reading)


@pytest.fixture
def told(settings: Settings, tmp_path: Path) -> Settings:
    rules = {"urgent_finding!escalated": ("mail",), "*": ("mail",)}
    sites = tmp_path / "sites.toml"
    sites.write_text('[ward3.messages]\nurgent_finding = ["hook"]')
    return settings.model_copy(
        update={"message_rules": rules, "inbox": "/inbox", "public_url": "https://ecg.example.org", "sites": sites}
    )


def test_an_urgent_finding_is_told_to_its_site_without_a_name(told, webhook, mailbox):
    with store_engine(told).begin() as connection:
        number = stored(connection, told, "urgent")
    outbox.deliver_due(told)
    [posted] = webhook.got
    assert posted["severity"] == "critical"
    assert posted["message"] == number
    assert "https://ecg.example.org/ecg/reports/" in posted["body"]
    assert made_up.recording_id_of(1)[:16] in posted["body"]
    assert "not for diagnosis" in posted["body"]
    assert not any(word in str(posted) for word in ("Mustermann", "pseudonym-1", "/inbox"))
    assert mailbox.got == []


def test_what_is_not_urgent_is_not_told(told):
    with store_engine(told).begin() as connection:
        assert stored(connection, told, "notable") is None


def test_an_urgent_finding_is_never_told_twice(told, webhook):
    with store_engine(told).begin() as connection:
        number = stored(connection, told, "urgent")
    outbox.acknowledge(told, number, "ada")
    earlier(told, 31 * 86_400)
    keep_house(told)
    result = made_up.varied(30, seed=1)
    urgent = replace(result, findings=(Finding("vt", "urgent", (Evidence(1.0, 3.0),), n_episodes=1),))
    with store_engine(told).begin() as connection:
        reading = connection.execute(text("SELECT max(reading_id) FROM ecg.reading")).scalar_one()
        assert tell_urgent(connection, told, urgent, reading) is None
    outbox.deliver_due(told)
    assert len(webhook.got) == 1


def test_what_nobody_acknowledges_is_passed_on_once(told, webhook, mailbox):
    with store_engine(told).begin() as connection:
        first = stored(connection, told, "urgent", 1)
        stored(connection, told, "urgent", 2)
    outbox.deliver_due(told)
    outbox.acknowledge(told, first, "ada")
    assert outbox.escalate(told) == 0
    earlier(told, told.escalate_after_s + 1)
    assert outbox.escalate(told) == 1
    assert outbox.escalate(told) == 0
    outbox.deliver_due(told)
    assert len(webhook.got) == 2
    [mail] = mailbox.got
    assert made_up.recording_id_of(2)[:8] in mail


def test_a_mail_server_that_is_down_for_ten_minutes_loses_no_notice(told, mailbox):
    """Time is moved, not waited for: the outbox is looked at every fifteen seconds of it."""
    everything = told.model_copy(update={"message_rules": {"*": ("mail",)}, "sites": None})
    address = everything.channel_addresses["mail"].replace(str(mailbox.controller.port), str(unused_port()), 1)
    down = everything.model_copy(update={"channels": SecretStr(json.dumps({"mail": address}))})
    with store_engine(down).begin() as connection:
        numbers = [stored(connection, down, "urgent", number) for number in (1, 2, 3)]
    for _ in range(40):
        assert outbox.deliver_due(down)["sent"] == 0
        earlier(down, 15)
    assert mailbox.got == []
    waited_s = 0
    while len(mailbox.got) < 3 and waited_s < 600:
        outbox.deliver_due(everything)
        earlier(everything, 15)
        waited_s += 15
    ids = [made_up.recording_id_of(number)[:8] for number in (1, 2, 3)]
    assert [sum(one in mail for mail in mailbox.got) for one in ids] == [1, 1, 1]
    assert outbox.deliver_due(everything) == {"sent": 0, "failed": 0}
    messages = {one.message_id: one for one in outbox.list_messages(everything)}
    assert [(messages[number].sent, messages[number].dead) for number in numbers] == [(1, 0)] * 3


def test_a_folder_that_is_no_sites_is_no_site(settings, webhook):
    """Its name may be a patient's."""
    plain = settings.model_copy(update={"inbox": "/inbox"})
    with store_engine(plain).begin() as connection:
        stored(connection, plain, "urgent")
        assert connection.execute(text("SELECT site FROM ecg.outbox_message")).scalar_one() is None


def test_a_failed_task_is_told_by_its_callback(settings, monkeypatch, airflow_home):
    """What Airflow calls; of an error that is not ours the kind alone, since its words may hold a file's name."""
    from types import SimpleNamespace

    from ecg_airflow import defaults

    monkeypatch.setattr(defaults, "load_settings", lambda: settings)
    task = SimpleNamespace(dag_id="ecg_maintenance", run_id="r", task_id="measure_drift")
    defaults.tell_failure({"ti": task, "exception": OSError("/inbox/Mustermann.hea")})
    [told] = outbox.list_messages(settings)
    assert "measure_drift" in told.body
    assert "OSError" in told.body
    assert "Mustermann" not in told.body


def test_the_watch_delivers_and_looks_until_it_is_stopped(settings, webhook):
    with owner_engine(settings).begin() as connection:
        one_waits(connection)
    stop = Event()
    watching = Thread(target=watch, args=(settings, stop))
    watching.start()
    with store_engine(settings).begin() as connection:
        stored(connection, settings, "urgent", 2)
    deadline = time.monotonic() + 60
    while not {"inbox_late", "urgent_finding"} <= {posted["kind"] for posted in webhook.got}:
        assert time.monotonic() < deadline, "an urgent finding is told within a minute of its scoring"
        time.sleep(0.1)
    stop.set()
    watching.join(10)
    assert not watching.is_alive()
