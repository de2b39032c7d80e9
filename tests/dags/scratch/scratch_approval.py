"""A gate that would promote and one that keeps, each with the question and the decision behind it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task
from ecg_airflow.approval import AskBeforePromotion, answer_of
from ecg_airflow.defaults import DEFAULT_ARGS


@dag(schedule=None, catchup=False, default_args=DEFAULT_ARGS)
def scratch_approval():
    """Two nights side by side."""

    @task
    def verdict(promote: bool) -> dict:
        return {"promote": promote, "reason": "Promoted: macro F1." if promote else "Kept the champion: macro F1."}

    @task(trigger_rule="none_failed")
    def decide(asked: str, **context) -> list:
        return list(answer_of(context["ti"].xcom_pull(task_ids=asked)))

    for name, promote in (("better", True), ("worse", False)):
        said = verdict.override(task_id=f"verdict_{name}")(promote)
        ask = AskBeforePromotion(
            task_id=f"ask_{name}",
            verdict_from=f"verdict_{name}",
            subject="Shall it score?",
            body="{{ ti.xcom_pull(task_ids='verdict_" + name + "')['reason'] }}",
            response_timeout=timedelta(seconds=1),
        )
        said >> ask >> decide.override(task_id=f"decide_{name}")(f"ask_{name}")


scratch_approval()
