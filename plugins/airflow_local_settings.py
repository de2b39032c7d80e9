"""Import the slow libraries once, in the process that all scoring tasks are forked from.

Airflow imports this module in each of its processes, before anything else of its own. In the one whose forks run tasks
(the scheduler under LocalExecutor, a Celery worker) TensorFlow and its like are imported here, and every task finds
them in its memory; elsewhere nothing happens.

Import only: a TensorFlow session, an ONNX Runtime session or a database connection that is opened before a fork
hangs or breaks in the child. A test checks that none is.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Airflow takes over every public name of this module as one of its settings: none is meant to be.
__all__: list[str] = []

_MODULES = (
    "tensorflow",
    "keras",
    "shap",
    "onnxruntime",
    "ecg_core.pipeline.inbox",
    "ecg_core.pipeline.retrain",
)


def _tasks_are_forked_from_here(arguments: list[str]) -> bool:
    if sys.platform != "linux":  # elsewhere Airflow starts each task as a fresh interpreter
        return False
    if arguments[1:2] == ["scheduler"]:
        from airflow.configuration import conf

        return "LocalExecutor" in conf.get("core", "executor")
    return arguments[1:3] == ["celery", "worker"]


@contextmanager
def _quiet() -> Iterator[None]:
    """Send the native libraries' greetings on stderr to nowhere; what Python raises is not touched."""
    sys.stderr.flush()
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _preload() -> None:
    # For the tasks too, which inherit it: warnings and errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    missing = []
    for name in _MODULES:
        try:
            with _quiet():
                importlib.import_module(name)
        except Exception as error:  # A scheduler without fast tasks is better than none.
            missing.append(f"{name} ({error!r})")
    if missing:
        logging.getLogger("airflow.ecg").warning(
            "Not preloaded, each task will import them itself: %s", ", ".join(missing)
        )


if _tasks_are_forked_from_here(sys.argv):
    _preload()
