"""
### Score a recording that is known to be good

Every hour (`ECG_CANARY_SCHEDULE`) a worker writes a generated recording, reads, scores and explains it with the
champions, stores it, and draws its report, as it does with any other; then all of it is undone, so that no list and no
figure holds it. That it got through is told by `ecg watch`: `/health`, and the alert `canary_failed`.

**When it fails**

* What is wrong with it is wrong with what arrives: the task's log names it. docs/runbooks/canary_failed.md.
* It does not run at all: is a worker alive? docs/runbooks/no_worker.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task
from ecg_airflow.defaults import DEFAULT_ARGS, nightly

from ecg_core.settings import load_settings


@dag(
    dag_id="ecg_canary",
    dag_display_name="ECG: canary",
    description="A generated recording → scores and a report, and back: does the platform work?",
    doc_md=__doc__,
    schedule=nightly(load_settings().canary_schedule),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args=DEFAULT_ARGS,
    tags=["ecg", "maintenance"],
)
def ecg_canary() -> None:
    """One task, on whichever worker takes it."""

    @task(retries=1)
    def score_canary() -> float:
        """Score the generated recording from file to report; nothing of it stays."""
        from ecg_core.operations import canary

        return canary.score_canary(load_settings())

    score_canary()


ecg_canary()
