"""
### Train challengers and let the better model score

Fetches what changed of the databases (MIT-BIH; of `ECG_FURTHER_TRAINING_DATA` what the base has, the rest is named in
the log of `fetch`), prepares their beats (cached by content), trains one challenger component for each family,
assembles and calibrates them into a model version, judges it on the deciding set, and promotes it where it is no worse
than the champion. Runs on the schedule `ECG_RETRAIN_SCHEDULE`.

**The deciding set**: patients held back from all training, and of the training patients what models said that had not
seen them. Never DS2, which would wear out night by night.

**The gate**: macro F1 may fall by at most `ECG_GATE_MACRO_F1_MARGIN`, and not whichever patients are drawn (paired
bootstrap); the recall of any class by at most `ECG_GATE_RECALL_MARGIN`, and not below `ECG_GATE_RECALL_FLOORS`;
calibration, deviation, time per beat and explanations must hold. Every night leaves a row with each figure and the
sentence why in `ecg.training_run`. With `ECG_APPROVE_PROMOTION` a person must say yes under *Required Actions* within
`ECG_APPROVAL_HOURS`; silence means no. `ecg models list`, and `ecg models rollback` takes yesterday's champion again.

**When it fails**

* `fetch` tries again by itself when the base (`ECG_PHYSIONET_BASE`) does not answer or a file arrives damaged.
* `prepare` that names a patient leak must not be worked around: a patient stands on both sides of a split.
* `train` or `assemble`: the end of the log says what was wrong. *Clear* the failed task to go on from there; fetched
  files and prepared beats are used again.
* The champion keeps scoring whatever happens here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import Metadata, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from ecg_airflow.approval import AskBeforePromotion, answer_of
from ecg_airflow.defaults import DEFAULT_ARGS, MODEL

from ecg_core.settings import load_settings

FAMILIES = ["cnn", "autoencoder"]


@dag(
    dag_id="ecg_retrain_nightly",
    dag_display_name="ECG: retrain nightly",
    description="PhysioNet → challengers → deciding set → gate → promote or keep",
    doc_md=__doc__,
    schedule=load_settings().retrain_schedule,
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=20),
    default_args=DEFAULT_ARGS,
    tags=["ecg", "training"],
)
def ecg_retrain_nightly() -> None:
    """Fetch, prepare, train each family, assemble, evaluate, decide."""

    @task(execution_timeout=timedelta(hours=6))
    def fetch() -> str:
        from ecg_core.pipeline import retrain

        return retrain.fetch(load_settings())

    @task(execution_timeout=timedelta(hours=1))
    def prepare(database: str) -> str:
        from ecg_core.pipeline import retrain

        return retrain.prepare(load_settings(), database)

    @task(execution_timeout=timedelta(hours=4), map_index_template="{{ task.op_kwargs['family'] }}")
    def train(family: Literal["cnn", "autoencoder"], prepared: str) -> str:
        from ecg_core.pipeline import retrain

        return retrain.train(load_settings(), family, prepared, get_current_context()["run_id"])

    @task(execution_timeout=timedelta(hours=1))
    def assemble(components: list[str], prepared: str) -> str:
        from ecg_core.pipeline import retrain

        return retrain.assemble(load_settings(), list(components), prepared, get_current_context()["run_id"])

    @task(execution_timeout=timedelta(hours=1))
    def evaluate(version: str, prepared: str) -> dict[str, Any]:
        from ecg_core.pipeline import retrain

        return retrain.evaluate(load_settings(), version, prepared, get_current_context()["run_id"])

    @task(trigger_rule="none_failed")
    def decide(version: str) -> dict[str, Any]:
        from ecg_core.pipeline import retrain

        context = get_current_context()
        answer = retrain.Answer(*answer_of(context["ti"].xcom_pull(task_ids="approve")))
        return retrain.decide(load_settings(), version, context["run_id"], answer)

    @task(outlets=[MODEL])
    def announce(version: str, decision: dict[str, Any]) -> Iterator[Metadata]:
        if not decision["promoted"]:
            raise AirflowSkipException(f"The champion stays: {decision['reason']}")
        yield Metadata(MODEL, extra={"version": version, "reason": decision["reason"]})

    prepared = prepare(fetch())
    version = assemble(train.partial(prepared=prepared).expand(family=FAMILIES), prepared)
    verdict, decision = evaluate(version, prepared), decide(version)
    if load_settings().approve_promotion:
        approve = AskBeforePromotion(
            task_id="approve",
            verdict_from="evaluate",
            subject="Shall {{ ti.xcom_pull(task_ids='assemble') }} score from now on?",
            body="{{ ti.xcom_pull(task_ids='evaluate')['reason'] }}",
            response_timeout=timedelta(hours=load_settings().approval_hours),
        )
        verdict >> approve >> decision
    else:
        verdict >> decision
    announce(version, decision)


ecg_retrain_nightly()
