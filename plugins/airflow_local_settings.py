"""Import the slow libraries once, in the process that all scoring tasks are forked from.

Airflow imports this module in each of its processes, before anything else of its own. In the one whose forks run tasks
(the scheduler under LocalExecutor, a Celery worker) what scoring needs is imported here, and every task finds it in its
memory; elsewhere nothing happens. TensorFlow is the training's alone, which imports it in its own task.

Import only: an ONNX Runtime session or a database connection that is opened before a fork
hangs or breaks in the child. A test checks that none is.
"""

from __future__ import annotations

import logging
import sys
import time

# Airflow takes over every public name of this module as one of its settings: none is meant to be.
__all__: list[str] = []


def _tasks_are_forked_from_here(arguments: list[str]) -> bool:
    if sys.platform != "linux":  # elsewhere Airflow starts each task as a fresh interpreter
        return False
    if arguments[1:2] == ["scheduler"]:
        from airflow.configuration import conf

        return "LocalExecutor" in conf.get("core", "executor")
    return arguments[1:3] == ["celery", "worker"]


def _preload() -> None:
    from ecg_core.pipeline.preload import SCORING_MODULES, preload

    log = logging.getLogger("airflow.ecg")
    started = time.perf_counter()
    missing = preload([*SCORING_MODULES, "ecg_core.pipeline.retrain"])
    if missing:
        log.warning("Not preloaded, each task will import them itself: %s", ", ".join(missing))
    log.info("Preloaded the scoring libraries in %.1f s", time.perf_counter() - started)


def _give_signs_of_life() -> None:
    """Let a Celery worker say that it lives, for as long as it reaches its broker: to a file, and to the database.

    The file's age is the container's health check, which costs nothing; a message to the worker cost a second of CPU.
    """
    from celery.signals import heartbeat_sent
    from ecg_airflow.signs import SignsOfLife

    # Celery holds receivers weakly unless told.
    heartbeat_sent.connect(SignsOfLife(), weak=False)


if _tasks_are_forked_from_here(sys.argv):
    if sys.argv[1:2] == ["celery"]:
        _give_signs_of_life()
    _preload()
