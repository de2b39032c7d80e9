"""Heavy libraries are imported once, in the process that tasks are forked from, and work after the fork."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Airflow forks its tasks on Linux only")

HEAVY = ["onnxruntime", "ecg_core.pipeline.inbox", "ecg_core.pipeline.retrain"]
# Scoring does without; a training imports them in its own task.
FOR_TRAINING = ["tensorflow", "keras", "shap"]

# As `airflow scheduler` does: importing Airflow preloads; LocalExecutor forks workers, and each forks its tasks.
FORKED_TASK = """
import json, os, signal, sys
sys.argv = ["airflow", "scheduler"]
import airflow
loaded = [name for name in json.loads(os.environ["HEAVY"]) if name in sys.modules]
too_much = [name for name in json.loads(os.environ["FOR_TRAINING"]) if name in sys.modules]
worker = os.fork()
if worker == 0:
    task = os.fork()
    if task == 0:
        signal.alarm(120)  # a child that hangs is ended
        import keras, numpy as np, onnxruntime, tensorflow as tf
        model = keras.Sequential([keras.layers.Input((64, 2)), keras.layers.Flatten(), keras.layers.Dense(5)])
        @tf.function
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = model(x)
            return tape.gradient(y, x)
        assert gradient(tf.ones((32, 64, 2))).shape == (32, 64, 2)
        model.export(os.environ["ONNX"], format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(os.environ["ONNX"])
        session.run(None, {session.get_inputs()[0].name: np.zeros((4, 64, 2), np.float32)})
        assert np.linalg.eigvalsh(np.eye(500)).sum() == 500
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(task, 0)[1]) != 0)
status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
print(json.dumps([loaded, too_much, status]))
"""

WHAT_IS_LOADED = """
import json, os, sys
sys.argv = json.loads(os.environ["ARGUMENTS"])
import airflow
print(json.dumps([name for name in json.loads(os.environ["HEAVY"]) if name in sys.modules]))
"""


def _run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HEAVY": json.dumps(HEAVY), "FOR_TRAINING": json.dumps(FOR_TRAINING), **environment}
    return subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=300)


def test_what_the_scheduler_imported_works_in_the_tasks_it_forks(airflow_home, tmp_path):
    done = _run(FORKED_TASK, ONNX=str(tmp_path / "m.onnx"), AIRFLOW__CORE__EXECUTOR="LocalExecutor")
    assert done.returncode == 0, done.stderr
    loaded, too_much, status = json.loads(done.stdout.splitlines()[-1])
    assert loaded == HEAVY, done.stderr
    assert too_much == []
    assert status == 0, done.stderr
    assert "Not preloaded" not in done.stderr


def test_the_api_server_stays_light(airflow_home):
    done = _run(WHAT_IS_LOADED, ARGUMENTS=json.dumps(["airflow", "api-server"]))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize(
    ("arguments", "executor", "forks"),
    [
        (["airflow", "scheduler"], "LocalExecutor", True),
        (["airflow", "scheduler", "--pid", "x"], "LocalExecutor", True),
        (["airflow", "celery", "worker"], "CeleryExecutor", True),
        (["airflow", "scheduler"], "CeleryExecutor", False),
        (["airflow", "celery", "flower"], "CeleryExecutor", False),
        (["airflow", "standalone"], "LocalExecutor", False),
        (["airflow", "dag-processor"], "LocalExecutor", False),
        (["airflow", "triggerer"], "LocalExecutor", False),
        (["airflow", "dags", "trigger", "scheduler"], "LocalExecutor", False),
        (["airflow"], "LocalExecutor", False),
    ],
)
def test_only_where_tasks_are_forked(airflow_home, monkeypatch, arguments, executor, forks):
    import airflow_local_settings

    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert airflow_local_settings._tasks_are_forked_from_here(arguments) is forks


def test_settings_of_airflow_are_not_overwritten(airflow_home):
    import airflow_local_settings

    # Airflow copies every public name into its own settings, where `log` or `time` would shadow what it needs.
    assert airflow_local_settings.__all__ == []
