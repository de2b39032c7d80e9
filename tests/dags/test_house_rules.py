"""Rules of the house over the loaded DAGs."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pendulum
import pytest
import yaml

DAGS_DIR = Path(__file__).resolve().parents[2] / "dags"
DAG_IDS = {
    "ecg_score_inbox",
    "ecg_score_archive",
    "ecg_rescore",
    "ecg_retrain_nightly",
    "ecg_maintenance",
    "ecg_canary",
}
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


def test_what_arrives_starts_a_run(dagbag):
    from airflow.sdk import Asset

    schedule = dagbag.dags["ecg_score_inbox"].schedule
    [asset] = schedule.asset_condition.objects
    assert isinstance(asset, Asset)
    [watcher] = asset.watchers
    assert watcher.trigger.serialize() == ("ecg_airflow.inbox_trigger.InboxTrigger", {"every_s": 5.0})


def test_every_task_says_what_it_does(dag):
    for task in dag.tasks:
        if task.task_id.endswith(".approve"):
            continue
        assert len((task.doc_md or "").strip()) > 20, task.task_id


def test_schedule_is_the_setting(dag):
    from ecg_core.settings import load_settings

    settings = load_settings()
    expected = {
        "ecg_score_inbox": settings.score_schedule,
        "ecg_score_archive": settings.score_schedule,
        "ecg_rescore": None,
        "ecg_retrain_nightly": settings.retrain_schedule,
        "ecg_maintenance": settings.maintenance_schedule,
        "ecg_canary": settings.canary_schedule,
    }
    schedule = getattr(dag.schedule, "timetable", dag.schedule)  # by the clock, beside what arrives
    assert getattr(schedule, "expression", schedule) == expected[dag.dag_id]


@pytest.mark.parametrize("dag_id", ["ecg_retrain_nightly", "ecg_maintenance"])
@pytest.mark.parametrize("hour", ["02:00:01", "02:30", "04:23", "14:00"])
def test_a_first_start_at_night_waits_for_the_next_hour(dagbag, dag_id, hour, monkeypatch):
    """As the scheduler reads it from its database: a slot that was missed before the first start is not made up for."""
    import json

    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables import trigger
    from airflow.timetables.base import TimeRestriction

    as_stored = json.loads(json.dumps(DagSerialization.to_dict(dagbag.dags[dag_id])))
    timetable = DagSerialization.from_dict(as_stored).timetable
    now = pendulum.parse(f"2026-12-01T{hour}Z")
    monkeypatch.setattr(trigger, "utcnow", lambda: now)
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False)
    )
    assert now < first.run_after <= now.add(days=1)


def test_fresh_recordings_come_first(dagbag):
    fresh = dagbag.dags["ecg_score_inbox"].get_task("score_chunk")
    archive = dagbag.dags["ecg_score_archive"].get_task("score_chunk")
    assert fresh.priority_weight > archive.priority_weight
    assert (fresh.pool, archive.pool) == ("default_pool", "ecg_archive")


def test_what_is_begun_goes_before_what_is_not(dagbag):
    """Else a recording that is registered waits for the looks of all runs that came after its own."""
    inbox, archive = (dagbag.dags[f"ecg_score_{name}"] for name in ("inbox", "archive"))
    weights = {task.task_id: task.priority_weight for task in inbox.tasks if str(task.weight_rule) == "absolute"}
    assert weights == {"register_arrivals": 8, "plan_chunks": 9, "score_chunk": 10}
    assert len(archive.tasks) < min(weights.values()), "a task's weight is that of all behind it: one each"
    assert archive.get_task("register_arrivals").pool == "ecg_archive"


def test_each_lane_has_its_queue_and_its_pod(dagbag, monkeypatch):
    from ecg_airflow import defaults

    from ecg_core.settings import load_settings

    queues = {task.queue for dag in dagbag.dags.values() for task in dag.tasks}
    assert queues == set(defaults.QUEUES)
    compose = yaml.safe_load((DAGS_DIR.parent / "docker-compose.yml").read_text())
    assert compose["services"]["worker"]["command"][-1].split(",") == list(defaults.QUEUES)
    pods = DAGS_DIR.parent / "kubernetes" / "pod_templates"
    monkeypatch.setattr(defaults, "load_settings", lambda: load_settings().model_copy(update={"pod_templates": pods}))
    for name in ("archive", "training"):
        assert Path(defaults.lane(name)["executor_config"]["pod_template_file"]).is_file()


def test_pools_are_those_that_a_start_makes(dagbag):
    from ecg_core.stack.airflow import POOLS

    named = {task.pool for dag in dagbag.dags.values() for task in dag.tasks} - {"default_pool"}
    assert named == set(POOLS)
    heavy = [t for t in dagbag.dags["ecg_retrain_nightly"].tasks if t.task_id.endswith((".train", ".evaluate"))]
    assert {task.pool for task in heavy} == {"ecg_training"}
    assert POOLS["ecg_training"][0] == 1
    made = [words for words in compose_commands() if words[:3] == ["airflow", "pools", "set"]]
    assert {words[3]: int(words[4]) for words in made} == {name: slots for name, (slots, _) in POOLS.items()}


def compose_commands() -> list[list[str]]:
    init = yaml.safe_load((DAGS_DIR.parent / "docker-compose.yml").read_text())["services"]["init"]
    return [shlex.split(line) for line in init["command"][-1].replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("address", ["s3://hospital@bucket/inbox", "/data/inbox"])
def test_the_inbox_of_the_settings_goes_through_a_connection_too(dagbag, address, monkeypatch):
    from airflow.sdk import ObjectStoragePath
    from ecg_airflow import defaults

    from ecg_core.settings import load_settings

    settings = load_settings().model_copy(update={"inbox": address})
    monkeypatch.setattr(defaults, "load_settings", lambda: settings)
    monkeypatch.setenv("AIRFLOW_CONN_HOSPITAL", '{"conn_type": "aws", "login": "key", "password": "secret"}')
    folder = defaults.inbox_of(None)
    assert str(folder) == address
    assert isinstance(folder, ObjectStoragePath) == ("@" in address)
    assert getattr(folder, "conn_id", None) == ("hospital" if "@" in address else None)


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
    assert len(path.read_text().splitlines()) <= 140


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
