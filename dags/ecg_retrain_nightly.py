"""
### Train challengers and let the better model score

Fetches what changed of the databases (MIT-BIH; of `ECG_FURTHER_TRAINING_DATA` what the base has). Then for each task
(`beats`: the class of each beat; `rhythm`: fibrillation by stretch; `resting`: superclasses of twelve leads) it trains
a component for each family, assembles them into a version, and promotes it where it is no worse than the task's
champion. It skips a task without data.

**The gate** of `beats` judges on patients held back and on what was said out of fold, never on DS2. Macro F1 may fall
by `ECG_GATE_MACRO_F1_MARGIN`, recall by `ECG_GATE_RECALL_MARGIN`, not below `ECG_GATE_RECALL_FLOORS`; the rest holds.
Of `rhythm`: F1 of fibrillation on folds; of `resting`: AUC on PTB-XL's fold 9. Reasons: `ecg.training_run`. With
`ECG_APPROVE_PROMOTION` a person must say yes within `ECG_APPROVAL_HOURS`. `ecg models rollback` goes back.

**When it fails**

* `fetch` tries again by itself when the base (`ECG_PHYSIONET_BASE`) does not answer or a file arrives damaged.
* `prepare` that names a patient leak must not be worked around. Others: see the log's end, then *Clear* the task.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Metadata, dag, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from ecg_airflow.approval import AskBeforePromotion, answer_of
from ecg_airflow.defaults import DEFAULT_ARGS, MODEL, TRAINING_POOL, Events, Facts, lane, nightly

from ecg_core.settings import load_settings

# As in the registry, which is too heavy for here.
FAMILIES = {"beats": ["cnn", "autoencoder"], "rhythm": ["trees"], "resting": ["trees"]}


@dag(
    dag_id="ecg_retrain_nightly",
    dag_display_name="ECG: retrain nightly",
    description="PhysioNet → challengers → deciding set → gate → promote or keep",
    doc_md=__doc__,
    schedule=nightly(load_settings().retrain_schedule),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=20),
    default_args={**DEFAULT_ARGS, **lane("training")},
    tags=["ecg", "training"],
)
def ecg_retrain_nightly() -> None:
    """Fetch; then each task: prepare, train its families, assemble, evaluate, decide."""

    @task(execution_timeout=timedelta(hours=6), doc_md="Bring what is missing or changed of the training databases.")
    def fetch() -> str:
        from ecg_core.pipeline import retrain

        return retrain.fetch(load_settings())

    database = fetch()
    for name, families in FAMILIES.items():
        task_group(group_id=name)(retrain_task)(name, families, database)


def retrain_task(name: str, families: list[str], database: str) -> None:
    """Wire one task's steps."""

    @task(execution_timeout=timedelta(hours=1), pool=TRAINING_POOL)
    def prepare(database: str) -> str:
        """Check and prepare what this task's model learns from."""
        from ecg_core.pipeline import retrain

        if not retrain.at_hand(load_settings(), name, database):
            raise AirflowSkipException(f"The task {name} lacks a database; the log says which.")
        return retrain.prepare(load_settings(), name, database, get_current_context()["run_id"])

    @task(
        execution_timeout=timedelta(hours=4),
        pool=TRAINING_POOL,
        map_index_template="{{ task.op_kwargs['family'] }}",
        doc_md="Train one family of this task.",
    )
    def train(family: str, prepared: str) -> str:
        from ecg_core.pipeline import retrain

        return retrain.train(load_settings(), name, family, prepared, get_current_context()["run_id"])

    @task(execution_timeout=timedelta(hours=1), pool=TRAINING_POOL)
    def assemble(components: list[str], prepared: str) -> str:
        """Write the trained components as one model version."""
        from ecg_core.pipeline import retrain

        return retrain.assemble(load_settings(), name, list(components), prepared, get_current_context()["run_id"])

    @task(execution_timeout=timedelta(hours=1), pool=TRAINING_POOL)
    def evaluate(version: str, prepared: str) -> Facts:
        """Judge the challenger against the champion."""
        from ecg_core.pipeline import retrain

        return retrain.evaluate(load_settings(), version, prepared, get_current_context()["run_id"])

    @task(trigger_rule="none_failed_min_one_success")
    def decide(version: str) -> Facts:
        """Promote the challenger or keep the champion, and write down why."""
        from ecg_core.pipeline import retrain

        context = get_current_context()
        answer = retrain.Answer(*answer_of(context["ti"].xcom_pull(task_ids=f"{name}.approve")))
        return retrain.decide(load_settings(), version, context["run_id"], answer)

    @task(outlets=[MODEL])
    def announce(version: str, decision: Facts) -> Events:
        """Announce that another version answers from now on."""
        if not decision["promoted"]:
            raise AirflowSkipException(f"The champion stays: {decision['reason']}")
        yield Metadata(MODEL, extra={"task": name, "version": version, "reason": decision["reason"]})

    prepared = prepare(database)
    version = assemble(train.partial(prepared=prepared).expand(family=families), prepared)
    verdict, decision = evaluate(version, prepared), decide(version)
    verdict >> decision
    if load_settings().approve_promotion:
        approve = AskBeforePromotion(
            task_id="approve",
            verdict_from=f"{name}.evaluate",
            subject=f"Shall {{{{ ti.xcom_pull(task_ids='{name}.assemble') }}}} score from now on?",
            body=f"{{{{ ti.xcom_pull(task_ids='{name}.evaluate')['reason'] }}}}",
            response_timeout=timedelta(hours=load_settings().approval_hours),
        )
        verdict >> approve >> decision
    announce(version, decision)


ecg_retrain_nightly()
