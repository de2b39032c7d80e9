"""A person between the gate and a promotion: the task is there where the setting says so, and silence means no."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

DAGS_DIR = Path(__file__).resolve().parents[2] / "dags"


class TaskInstance:
    """What the operator asks of its task instance: the verdict."""

    def __init__(self, promote):
        self.promote = promote

    def xcom_pull(self, task_ids):
        assert task_ids == "evaluate"
        return {"promote": self.promote, "reason": "Promoted: macro F1 from .60 to .70."}


@pytest.fixture
def ask(airflow_home):
    from ecg_airflow.approval import AskBeforePromotion

    return AskBeforePromotion(task_id="approve", verdict_from="evaluate", subject="?", body="why")


def test_without_the_setting_nobody_is_asked(dagbag):
    dag = dagbag.dags["ecg_retrain_nightly"]
    assert not dag.has_task("beats.approve")
    assert dag.get_task("beats.decide").upstream_task_ids == {"beats.assemble", "beats.evaluate"}


def test_with_the_setting_the_dag_waits_for_a_person(airflow_home):
    script = f"""
import json, airflow
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(DAGS_DIR)!r})
dag = bag.dags["ecg_retrain_nightly"]
task = dag.get_task("beats.approve")
print(json.dumps({{
    "errors": list(bag.import_errors),
    "upstream": sorted(task.upstream_task_ids),
    "downstream": sorted(task.downstream_task_ids),
    "hours": task.response_timeout.total_seconds() / 3600,
    "within": task.response_timeout < dag.dagrun_timeout,
    "defaults": task.defaults,
    "options": task.options,
    "templated": sorted(task.template_fields),
    "rule": dag.get_task("beats.decide").trigger_rule,
    "limits": [task.execution_timeout is not None, task.retries >= 1],
}}))
"""
    environment = {**os.environ, "ECG_APPROVE_PROMOTION": "true", "ECG_APPROVAL_HOURS": "3"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "errors": [],
        "upstream": ["beats.evaluate"],
        "downstream": ["beats.decide"],
        "hours": 3,
        "within": True,
        "defaults": ["Keep the champion"],
        "options": ["Promote", "Keep the champion"],
        "templated": ["body", "subject"],
        # Where nobody had to be asked, the decision is written all the same.
        "rule": "none_failed_min_one_success",
        "limits": [True, True],
    }


def test_where_the_gate_keeps_the_champion_there_is_nothing_to_ask(ask):
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="nothing to ask"):
        ask.execute({"ti": TaskInstance(promote=False)})


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (None, (False, None)),
        # What the scheduler answers after the time is up: the default, by nobody.
        ({"chosen_options": ["Keep the champion"], "responded_by_user": None}, (False, None)),
        ({"chosen_options": ["Promote"], "responded_by_user": {"id": "1", "name": "Dr. Mabuse"}}, (True, "Dr. Mabuse")),
        (
            {"chosen_options": ["Keep the champion"], "responded_by_user": {"id": "1", "name": "Dr. Mabuse"}},
            (False, "Dr. Mabuse"),
        ),
    ],
)
def test_answers(airflow_home, response, answer):
    from ecg_airflow.approval import answer_of

    assert answer_of(response) == answer


def test_an_answer_that_was_not_offered_is_refused(ask):
    with pytest.raises(ValueError, match="not in"):
        ask.validate_chosen_options(["Perhaps"])


@pytest.fixture(scope="module")
def two_nights(airflow_home):
    """A real run of both nights; nobody answers, and the scheduler's own sweep ends the wait after a second."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    over = threading.Event()

    def sweep():
        scheduler = SchedulerJobRunner(job=Job())
        while not over.wait(0.5):
            scheduler.check_awaiting_input_timeouts()

    sweeping = threading.Thread(target=sweep, daemon=True)
    sweeping.start()
    try:
        run = DagBag(Path(__file__).parent / "scratch").dags["scratch_approval"].test()
    finally:
        over.set()
        sweeping.join()
    return run


def test_in_a_real_run_silence_means_no(two_nights):
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    states = {ti.task_id: ti.state for ti in two_nights.get_task_instances()}
    assert states == {
        "verdict_better": "success",
        "verdict_worse": "success",
        "ask_better": "success",
        "ask_worse": "skipped",
        "decide_better": "success",
        "decide_worse": "success",
    }
    with create_session() as session:
        query = XComModel.get_many(run_id=two_nights.run_id, key="return_value")
        said = {row.task_id: XComModel.deserialize_value(row) for row in session.scalars(query)}
    assert said["decide_better"] == said["decide_worse"] == [False, None]
    assert said["ask_better"]["chosen_options"] == ["Keep the champion"]
