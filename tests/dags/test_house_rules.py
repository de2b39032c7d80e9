"""Rules of the house over the loaded DAGs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DAGS_DIR = Path(__file__).resolve().parents[2] / "dags"
DAG_IDS = {"ecg_score_inbox", "ecg_rescore", "ecg_retrain_nightly", "ecg_maintenance"}
HEAVY = ("tensorflow", "keras", "shap", "onnxruntime", "sklearn", "ecg_core.models", "ecg_core.explain")


@pytest.fixture(params=sorted(DAG_IDS))
def dag(request, dagbag):
    return dagbag.dags[request.param]


def test_all_dags_load(dagbag):
    assert dagbag.import_errors == {}
    assert set(dagbag.dag_ids) == DAG_IDS


def test_each_file_is_named_as_its_dag():
    assert {path.stem for path in DAGS_DIR.glob("*.py")} == DAG_IDS


def test_dag_says_who_owns_it_and_what_to_do(dag):
    assert dag.owner == "ecg-platform"
    assert "ecg" in dag.tags
    assert dag.description
    assert "When it fails" in dag.doc_md


def test_dag_does_not_catch_up(dag):
    assert dag.catchup is False
    assert dag.dagrun_timeout is not None
    # Two retrainings would judge against each other's champion; two scorings are what claims are for.
    assert (dag.max_active_runs > 1) == (dag.dag_id == "ecg_score_inbox")


def test_schedule_is_the_setting(dag):
    from ecg_core.settings import load_settings

    settings = load_settings()
    expected = {
        "ecg_score_inbox": settings.score_schedule,
        "ecg_rescore": None,
        "ecg_retrain_nightly": settings.retrain_schedule,
        "ecg_maintenance": settings.maintenance_schedule,
    }
    assert dag.schedule == expected[dag.dag_id]


def test_every_task_retries_and_ends(dag):
    from ecg_airflow.defaults import RetryWhatCanPass

    assert dag.tasks
    for task in dag.tasks:
        assert 1 <= task.retries <= 5, task.task_id
        assert isinstance(task.retry_policy, RetryWhatCanPass), task.task_id
        assert task.retry_exponential_backoff == 2.0, task.task_id
        assert task.execution_timeout is not None, task.task_id
        assert task.execution_timeout <= dag.dagrun_timeout, task.task_id


@pytest.mark.parametrize("path", sorted(DAGS_DIR.glob("*.py")), ids=lambda path: path.stem)
def test_file_is_wiring_alone(path):
    assert len(path.read_text().splitlines()) <= 120


def test_families_are_those_of_the_models(dagbag):
    from ecg_core.training.tasks import TRAINED

    dag = dagbag.dags["ecg_retrain_nightly"]
    for name, task in TRAINED.items():
        train = dag.get_task(f"{name}.train")
        assert train.op_kwargs_expand_input.value["family"] == list(task.families)
    assert {group for group in dag.task_group.get_task_group_dict() if group} == set(TRAINED)


def test_loading_all_dags_is_light(airflow_home, capsys):
    script = f"""
import json, sys, time, airflow
from airflow.dag_processing.dagbag import DagBag
started = time.perf_counter()
bag = DagBag({str(DAGS_DIR)!r})
seconds = time.perf_counter() - started
print(json.dumps([sorted(bag.dag_ids), seconds, [name for name in {HEAVY!r} if name in sys.modules]]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    ids, seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    assert set(ids) == DAG_IDS
    assert heavy == []
    with capsys.disabled():
        print(f"\n[loading all DAGs took {seconds:.2f} s]")  # noqa: T201 (a figure to read, not an assertion)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folder", "relative/folder"),
        ("folder", "/"),
        ("folder", "//"),
        ("folder", ""),
        ("folder", "s3://"),
        ("folder", 7),
        ("limit", 0),
        ("limit", -1),
        ("limit", "ten"),
        ("limit", 1.5),
        ("model_version", "../elsewhere"),
        ("model_version", ".hidden"),
        ("model_version", "a/b"),
        ("model_version", "a" * 129),
    ],
)
def test_nonsense_parameters_are_refused(dagbag, name, value):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        dagbag.dags["ecg_score_inbox"].params.get_param(name).resolve(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("folder", None),
        ("folder", "/data/in box"),
        ("folder", "s3://hospital@bucket/inbox"),
        ("folder", "file:///data/inbox"),
        ("limit", None),
        ("limit", 1),
        ("model_version", None),
        ("model_version", "2026-11-21_cnn.1"),
    ],
)
def test_sensible_parameters_are_taken(dagbag, name, value):
    assert dagbag.dags["ecg_score_inbox"].params.get_param(name).resolve(value) == value


def test_parameters_explain_themselves(dagbag):
    params = dagbag.dags["ecg_score_inbox"].params
    assert set(params) == {"folder", "limit", "model_version"}
    for name in params:
        param = params.get_param(name)
        assert param.schema["title"]
        assert param.description
