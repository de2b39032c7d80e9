"""What operations must know: each alert is one look at the database or the machine, with a runbook of its name.

An alert whose cause is gone ends by itself; while it holds it is told once, and again after ``ECG_REPEAT_AFTER_S``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy import Connection, text

from ecg_core.messages.outbox import Message, tell
from ecg_core.operations import metrics
from ecg_core.settings import Settings
from ecg_core.store import outbox, sites
from ecg_core.store.database import store_engine

log = structlog.get_logger(__name__)

Look = Callable[[Connection, Settings], Iterator[Message]]
FAILURES_END_AFTER_S: Final = 86_400.0
"""A failed run that did not fail again for so long is closed."""
_INBOX_SILENT_S: Final = 900.0
_FEWEST_SET_ASIDE_OF: Final = 5
_QUOTA_TOLD_FROM: Final = 0.9


def look(settings: Settings) -> dict[str, int]:
    """Look at everything, raise what holds and close what is gone; how many of each kind hold."""
    metrics.note_airflow(settings)
    holding: dict[str, int] = {}
    engine = store_engine(settings)
    for kind, looked in LOOKS.items():
        with engine.begin() as connection:
            found = list(looked(connection, settings))
            for message in found:
                tell(connection, settings, message)
            outbox.end(connection, kind, [message.key or message.kind for message in found])
        holding[kind] = len(found)
    with engine.begin() as connection:
        outbox.end_quiet(connection, "run_failed", FAILURES_END_AFTER_S)
        for message in _promotions(connection):
            tell(connection, settings, message)
    return holding


def run_failed(settings: Settings, dag_id: str, run_id: str, task_id: str, reason: str) -> None:
    """Raise that a task failed for good; called where it failed. `reason` holds no file name."""
    body = f"Task {task_id} of {dag_id} failed for good, in run {run_id}. {reason}"
    message = Message(
        "run_failed", f"ECG: {dag_id} failed", with_runbook(body, "run_failed"), key=f"run_failed/{dag_id}"
    )
    with store_engine(settings).begin() as connection:
        tell(connection, settings, message)


def with_runbook(body: str, kind: str) -> str:
    """Add where it stands what to do."""
    return f"{body}\nWhat to do: docs/runbooks/{kind}.md"


def _alert(kind: str, subject: str, body: str, severity: outbox.Severity = "warning", key: str = "") -> Message:
    return Message(kind, f"ECG: {subject}", with_runbook(body, kind), severity, key or kind)


def _inbox_late(connection: Connection, settings: Settings) -> Iterator[Message]:
    query = """SELECT count(*), extract(epoch FROM clock_timestamp() - min(first_seen_at))
        FROM ecg.ingest_ledger WHERE state IN ('waiting', 'claimed')"""
    n, oldest_s = connection.execute(text(query)).one()
    if n and oldest_s > settings.alert_waiting_s:
        body = f"{n} recordings wait to be scored, the oldest for {oldest_s / 60:.0f} minutes."
        yield _alert("inbox_late", f"{n} recordings wait, the oldest {oldest_s / 60:.0f} min", body, "critical")


def _inbox_silent(connection: Connection, settings: Settings) -> Iterator[Message]:
    age_s = outbox.signs(connection).get("inbox")
    if age_s is not None and age_s > _INBOX_SILENT_S:
        body = f"The inbox was last looked at {age_s / 60:.0f} minutes ago: new recordings are not seen."
        yield _alert("inbox_silent", "nobody looks at the inbox", body, "critical")


def _no_worker(connection: Connection, settings: Settings) -> Iterator[Message]:
    signs = outbox.signs(connection)
    ages = [age_s for part, age_s in signs.items() if part.startswith("worker ")]
    if ages and min(ages) > metrics.WORKER_ALIVE_WITHIN_S:
        body = f"No worker gave a sign of life for {min(ages) / 60:.0f} minutes: nothing is scored."
        yield _alert("no_worker", "no worker is alive", body, "critical")
    if signs.get(metrics.AIRFLOW, 0.0) > metrics.WORKER_ALIVE_WITHIN_S:
        body = f"Airflow's scheduler has not been healthy for {signs[metrics.AIRFLOW] / 60:.0f} minutes."
        yield _alert("no_worker", "Airflow does not run", body, "critical", "no_worker/airflow")


def _canary_failed(connection: Connection, settings: Settings) -> Iterator[Message]:
    age_s = outbox.signs(connection).get("canary")
    if age_s is not None and age_s > metrics.CANARY_WITHIN_S:
        body = (
            f"No canary recording got through for {age_s / 3600:.1f} hours: what arrives is likely not scored either."
        )
        yield _alert("canary_failed", "the canary did not get through", body, "critical")


def _set_aside(connection: Connection, settings: Settings) -> Iterator[Message]:
    query = """SELECT coalesce(code, 'scored') AS code, count(*) FROM ecg.ingest_ledger
        WHERE done_at > clock_timestamp() - interval '1 day' GROUP BY 1"""
    counts: dict[str, int] = dict(connection.execute(text(query)).tuples().all())
    n, scored = sum(counts.values()), counts.pop("scored", 0)
    aside = n - scored
    if n >= _FEWEST_SET_ASIDE_OF and aside / n > settings.alert_set_aside_share:
        by_code = ", ".join(f"{count} {code}" for code, count in sorted(counts.items(), key=lambda item: -item[1]))
        body = f"Of {n} recordings of the last 24 hours {aside} were set aside: {by_code}."
        yield _alert("set_aside", f"{aside} of {n} recordings were set aside", body)


def _quality_broken(connection: Connection, settings: Settings) -> Iterator[Message]:
    query = """SELECT rule, n_rows_broken FROM ecg.data_quality
        WHERE checked_at = (SELECT max(checked_at) FROM ecg.data_quality)
        AND severity = 'severe' AND n_rows_broken > 0"""
    for rule, n in connection.execute(text(query)).tuples():
        body = f"Stored scores break the rule {rule} in {n} rows; ecg_mart.data_quality names the first of them."
        yield _alert("quality_broken", f"the rule {rule} is broken", body, "critical", f"quality_broken/{rule}")


def _drift(connection: Connection, settings: Settings) -> Iterator[Message]:
    query = """SELECT DISTINCT ON (model_version, quantity)
            model_version, quantity, scored_on, population_stability_index
        FROM ecg.drift WHERE scored_on > current_date - 3 ORDER BY model_version, quantity, scored_on DESC"""
    for version, quantity, day, index in connection.execute(text(query)).tuples():
        if index >= settings.alert_drift:
            body = f"On {day} {quantity} was far from the training data of {version}: stability index {index:.2f}."
            yield _alert("drift", f"{quantity} has drifted", body, "warning", f"drift/{version}/{quantity}")


def _dead_letters(connection: Connection, settings: Settings) -> Iterator[Message]:
    if n := outbox.dead_deliveries(connection):
        body = (
            f"{n} deliveries were given up; `ecg outbox list --all` says which and why, `ecg outbox retry` tries again."
        )
        yield _alert("dead_letters", f"{n} messages could not be delivered", body)


def _disk_low(connection: Connection, settings: Settings) -> Iterator[Message]:
    free_gb = shutil.disk_usage(settings.home).free / 1e9
    if free_gb < settings.alert_disk_free_gb:
        body = f"{free_gb:.1f} GB are free under {settings.home}; scoring stops where nothing is left."
        yield _alert("disk_low", f"{free_gb:.1f} GB are free", body, "critical")


def _quota(connection: Connection, settings: Settings) -> Iterator[Message]:
    for name, share in sites.quota_used(connection, settings).items():
        if share >= _QUOTA_TOLD_FROM:
            full = " New files of it wait until there is room." if share >= 1.0 else ""
            body = f"The files of site {name} take {share:.0%} of its quota.{full}"
            subject = f"site {name} has used {share:.0%} of its quota"
            severity: outbox.Severity = "critical" if share >= 1.0 else "warning"
            told = _alert("quota", subject, body, severity, f"quota/{name}/{severity}")
            yield replace(told, site=name)


def _backup_missed(connection: Connection, settings: Settings) -> Iterator[Message]:
    if not settings.alert_backup_after_h:
        return
    age_s = outbox.signs(connection).get("backup")
    if age_s is None or age_s > 3600 * settings.alert_backup_after_h:
        last = "There is none" if age_s is None else f"The last one is {age_s / 3600:.0f} hours old"
        yield _alert(
            "backup_missed", "no backup in time", f"{last}; one is due every {settings.alert_backup_after_h:g} h."
        )


LOOKS: Final[Mapping[str, Look]] = {
    "inbox_late": _inbox_late,
    "inbox_silent": _inbox_silent,
    "no_worker": _no_worker,
    "canary_failed": _canary_failed,
    "set_aside": _set_aside,
    "quality_broken": _quality_broken,
    "drift": _drift,
    "dead_letters": _dead_letters,
    "disk_low": _disk_low,
    "quota": _quota,
    "backup_missed": _backup_missed,
}
"""By kind, which is the name of its runbook too."""
EVENTS: Final = ("run_failed", "promotion")
"""Kinds that happen, and are told when they do."""


def _promotions(connection: Connection) -> Iterator[Message]:
    query = """SELECT training_run_id, model_version, reason FROM ecg.training_run
        WHERE verdict = 'promoted' AND judged_against IS NOT NULL
        AND decided_at > clock_timestamp() - interval '1 day'"""
    for number, version, reason in connection.execute(text(query)).tuples():
        body = with_runbook(f"{version} scores from now on. {reason}", "promotion")
        key = f"promotion/{number}"
        yield Message("promotion", f"ECG: {version} was promoted", body, "info", key, once=True)
