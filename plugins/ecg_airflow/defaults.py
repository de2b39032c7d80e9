"""What all DAGs of the platform share: owner, retries, the retry policy and the assets."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, cast

from airflow.sdk import (
    Asset,
    Context,
    CronTriggerTimetable,
    Metadata,
    ObjectStoragePath,
    RetryDecision,
    RetryPolicy,
)
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from upath import UPath

from ecg_core.errors import EcgError, SettingsError
from ecg_core.settings import load_settings

Events = Iterator[Metadata]
"""What a task yields that announces something."""
Facts = dict[str, Any]
"""What goes from task to task, or comes in as parameters: ids, names, numbers."""

SCORES: Final = Asset("ecg_scores")
"""New scores stand in Postgres; the event tells how many."""
MODEL: Final = Asset("ecg_model")
"""Another model version scores from now on; the event tells which and why."""

MAX_MAPPED_TASKS: Final = 1024
"""Airflow's ``[core] max_map_length``: an expand over more than that fails."""

TRAINING_POOL: Final = "ecg_training"
"""Airflow's pool of one slot that all training takes: a family needs up to 6 GB, and two would need twice that."""


ARCHIVE_POOL: Final = "ecg_archive"
"""Airflow's pool of those recordings that wait behind fresh ones; fewer slots than there are in all."""
QUEUES: Final = ("default", "archive", "training")
"""Celery's queues; a worker takes those that it is told to."""
FRESH_FIRST: Final = 10
"""Priority of fresh recordings' tasks: a free slot is theirs before all others."""


def lane(name: str) -> dict[str, Any]:
    """Return where a task of a lane runs: Celery's queue, or the pod that Kubernetes makes for it."""
    folder = load_settings().pod_templates
    pod = {"pod_template_file": str(folder / f"{name}.yaml")} if folder else {}
    return {"queue": name, "executor_config": pod}


def nightly(cron: str) -> CronTriggerTimetable:
    """Return the timetable of a DAG that only ever starts at its hour.

    For a cron expression alone Airflow makes up, at the very first start, for an hour that passed within a tenth of the
    interval: a first start at 02:30 would train at once. ``run_immediately=False`` is not heeded, no time at all is.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))


def inbox_of(folder: str | None) -> UPath:
    """Return the folder of a run, or the setting's; ``scheme://connection@bucket/…`` through Airflow's connection.

    Raises
    ------
    SettingsError
        It is none of the settings': whoever may start a run must not have the worker read any path or ask any address.
    """
    settings = load_settings()
    address = (folder or settings.inbox_address).rstrip("/")
    if not settings.allows_inbox(address):
        raise SettingsError(
            f"{address} is no inbox of the settings.",
            "Name it in ECG_INBOX, ECG_FURTHER_INBOXES or the file of ECG_SITES, and start again.",
        )
    address = address.removeprefix("file://")
    return cast("UPath", ObjectStoragePath(address)) if "://" in address else UPath(address)


def inboxes_of(folder: str | None) -> list[UPath]:
    """Return the folder of a run, or all inboxes of the settings and their sites; as `inbox_of`."""
    return [inbox_of(one) for one in ([folder] if folder else load_settings().inbox_addresses)]


_ANSWERS_THAT_CAN_CHANGE: Final = (ErrorType.API_SERVER_ERROR, ErrorType.GENERIC_ERROR)


def can_pass(error: BaseException) -> bool:
    """Tell whether the same call can succeed later without anyone changing anything.

    Parameters
    ----------
    error : BaseException
        What a task raised. One of our own errors says so itself; a group passes where any of its members does,
        because what is already done is not done again.

    Returns
    -------
    bool
        True for a lost connection (to Postgres, the network, Airflow's API), a full disk and a process told to stop.
    """
    from sqlalchemy.exc import InterfaceError, OperationalError

    if isinstance(error, EcgError):
        return error.retryable
    if isinstance(error, BaseExceptionGroup):
        return any(can_pass(member) for member in error.exceptions)
    if isinstance(error, AirflowRuntimeError):
        return error.error.error in _ANSWERS_THAT_CAN_CHANGE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # A process that is stopped from outside raises SystemExit; one that is killed raises nothing,
    # and Airflow retries it without asking.
    return isinstance(error, OperationalError | InterfaceError | ConnectionError | TimeoutError | SystemExit)


class RetryWhatCanPass(RetryPolicy):
    """Retry what can pass; fail at once on everything else, since trying again would only take longer."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide by `can_pass`; the delay is the task's own."""
        name = type(exception).__name__
        if can_pass(exception):
            return RetryDecision.retry(reason=f"{name} can pass: trying again")
        return RetryDecision.fail(reason=f"{name} does not pass by trying again")


def tell_failure(context: Context) -> None:
    """Raise an alert that a task failed for good; where even that fails, the task's log says so."""
    from ecg_core.operations import alerts

    instance, error = context["ti"], context.get("exception")
    # Of our own errors the sentence; of others the kind alone, since their words may hold a file's name.
    reason = str(error) if isinstance(error, EcgError) else f"It raised {type(error).__name__}; its log says more."
    alerts.run_failed(load_settings(), instance.dag_id, instance.run_id, instance.task_id, reason)


DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": "ecg-platform",
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RetryWhatCanPass(),
    "execution_timeout": timedelta(minutes=10),
    "on_failure_callback": tell_failure,
}
"""Given to every DAG as ``default_args``; a task that takes longer states its own time-out."""
