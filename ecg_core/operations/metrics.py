"""What a monitoring system asks for: the ledger in figures, in Prometheus' text format, and whether all is well."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, text

from ecg_core.errors import DatabaseUnavailable
from ecg_core.settings import Settings
from ecg_core.stack.api import API_SERVER, AirflowApi
from ecg_core.store import outbox
from ecg_core.store.database import store_engine

Sample = tuple[Mapping[str, str], float]

_QUERIES: Final[Mapping[str, tuple[str, str]]] = {
    "ecg_recordings": (
        "Recordings in the ledger, by state.",
        "SELECT state, count(*) FROM ecg.ingest_ledger GROUP BY 1",
    ),
    "ecg_oldest_waiting_seconds": (
        "Age of the recording that waits the longest; 0 where none waits.",
        "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(first_seen_at)), 0) FROM ecg.ingest_ledger "
        "WHERE state IN ('waiting', 'claimed')",
    ),
    "ecg_set_aside": (
        "Recordings that are set aside, by code.",
        "SELECT code, count(*) FROM ecg.ingest_ledger WHERE state = 'set aside' GROUP BY 1",
    ),
    "ecg_scored_last_hour": (
        "Recordings scored within the last hour.",
        "SELECT count(*) FROM ecg.ingest_ledger "
        "WHERE state = 'scored' AND done_at > clock_timestamp() - interval '1 hour'",
    ),
    "ecg_stage_seconds": (
        "Mean seconds that a stage of scoring took within the last day, by stage.",
        "SELECT stage.key AS stage, avg(stage.value::double precision) FROM ecg.scoring_run "
        "CROSS JOIN LATERAL jsonb_each_text(stage_seconds) AS stage "
        "WHERE scored_at > clock_timestamp() - interval '1 day' GROUP BY 1",
    ),
    "ecg_urgent_unsigned": (
        "Reports with an urgent finding that nobody has signed.",
        "SELECT count(*) FROM ecg.report AS report WHERE urgency >= 100 AND NOT EXISTS "
        "(SELECT FROM ecg.review AS review WHERE review.reading_id = report.reading_id AND review.signed)",
    ),
    "ecg_drift_index": (
        "Population stability index of the newest day that was measured, by version and quantity.",
        "SELECT DISTINCT ON (model_version, quantity) model_version, quantity, population_stability_index "
        "FROM ecg.drift WHERE scored_on > current_date - 7 ORDER BY model_version, quantity, scored_on DESC",
    ),
    "ecg_champion_age_seconds": (
        "How long a task's champion has been answering it, by task.",
        "SELECT task, extract(epoch FROM clock_timestamp() - max(decided_at)) FROM ecg.training_run "
        "WHERE verdict IN ('promoted', 'rolled back') GROUP BY 1",
    ),
    "ecg_outbox_deliveries": (
        "Deliveries of messages, by state: dead ones were given up.",
        "SELECT state, count(*) FROM ecg.outbox_delivery GROUP BY 1",
    ),
    "ecg_open_alerts": (
        "Messages that neither ended nor were acknowledged, by kind and severity.",
        "SELECT kind, severity, count(*) FROM ecg.outbox_message "
        "WHERE ended_at IS NULL AND acknowledged_at IS NULL GROUP BY 1, 2",
    ),
    "ecg_sign_of_life_age_seconds": (
        "How long ago a part gave its last sign of life.",
        "SELECT part, extract(epoch FROM clock_timestamp() - seen_at) FROM ecg.sign_of_life",
    ),
}
"""By metric: what it is, and the query; its last column is the value, those before are labels."""
OTHERS: Final[Mapping[str, str]] = {
    "ecg_database_up": "1 where the results database answers.",
    "ecg_disk_free_bytes": "Free bytes under the home folder.",
}
NAMES: Final = (*_QUERIES, *OTHERS)
"""Names of all metrics."""
HELPS: Final[Mapping[str, str]] = {**{name: words for name, (words, _) in _QUERIES.items()}, **OTHERS}
"""What each of them is."""
ALIVE_WITHIN_S: Final = 900.0
WORKER_ALIVE_WITHIN_S: Final = 100.0
"""Workers, and what `note_airflow` notes, give a sign twice a minute: three are missed."""
CANARY_WITHIN_S: Final = 7800.0
"""It is scored every hour; one that failed is tried again by the next."""
AIRFLOW: Final = "airflow"


def prometheus(settings: Settings) -> str:
    """Return all metrics in Prometheus' text format; without the database, only what needs none."""
    lines: list[str] = []
    up = _database_up(settings)
    for name in NAMES if up else OTHERS:
        lines += [f"# HELP {name} {HELPS[name]}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value:g}" for labels, value in samples(settings, name)]
    return "\n".join(lines) + "\n"


def samples(settings: Settings, name: str) -> list[Sample]:
    """Return the values of one metric with their labels; none where the database that it needs is away."""
    if name == "ecg_disk_free_bytes":
        return [({}, float(shutil.disk_usage(settings.home).free))]
    if name == "ecg_database_up":
        return [({}, float(_database_up(settings)))]
    try:
        with store_engine(settings).connect() as connection:
            return list(_asked(connection, _QUERIES[name][1]))
    except DatabaseUnavailable:
        return []


def _database_up(settings: Settings) -> bool:
    try:
        with store_engine(settings).connect():
            return True
    except DatabaseUnavailable:
        return False


def problems(settings: Settings) -> list[str]:
    """Say in a sentence each why recordings are not being scored; none where all is well."""
    try:
        with store_engine(settings).connect() as connection:
            ages_s = outbox.signs(connection)
    except DatabaseUnavailable as error:
        return [error.what]
    found = []
    inbox_s = ages_s.get("inbox")
    if inbox_s is None or inbox_s > ALIVE_WITHIN_S:
        ago = "yet" if inbox_s is None else f"for {inbox_s / 60:.0f} minutes"
        found.append(f"Nobody has looked at the inbox {ago}.")
    workers = [age_s for part, age_s in ages_s.items() if part.startswith("worker ")]
    if workers and min(workers) > WORKER_ALIVE_WITHIN_S:
        found.append(f"No worker has given a sign of life for {min(workers) / 60:.0f} minutes.")
    airflow_s, canary_s = ages_s.get(AIRFLOW), ages_s.get("canary")
    if airflow_s is not None and airflow_s > WORKER_ALIVE_WITHIN_S:
        found.append(f"Airflow's scheduler has not been healthy for {airflow_s / 60:.0f} minutes.")
    if canary_s is not None and canary_s > CANARY_WITHIN_S:
        found.append(f"No canary recording got through for {canary_s / 3600:.1f} hours.")
    return found


def note_airflow(settings: Settings) -> None:
    """Note that Airflow's scheduler is well, where this process is told Airflow's address and it says so.

    Under the LocalExecutor the scheduler is the worker.
    """
    address = os.environ.get("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "").removesuffix("/execution/")
    if not address:
        return
    with AirflowApi(address, "", "") as api:
        ill = {"scheduler", API_SERVER, "metadatabase"} & set(api.unhealthy_parts())
    if not ill:
        with store_engine(settings).begin() as connection:
            outbox.give_sign(connection, AIRFLOW)


def _asked(connection: Connection, query: str) -> Iterator[Sample]:
    result = connection.execute(text(query))
    names = list(result.keys())[:-1]
    for *labels, value in result:
        yield dict(zip(names, map(str, labels), strict=True)), float(value)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    escaped = {k: v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for k, v in labels.items()}
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"
