"""One task for each kind of failure; run by `tests/dags/test_retries.py`."""

import errno
from datetime import timedelta

from airflow.sdk import dag, task
from ecg_airflow.defaults import DEFAULT_ARGS

ARGS = {**DEFAULT_ARGS, "retries": 1, "retry_delay": timedelta(0), "retry_exponential_backoff": 0}
KINDS = (
    *("no_connection", "disk_full", "no_such_file", "mixed_group", "hopeless_group", "bug"),
    *("DatabaseUnavailable", "ChecksumMismatch", "CorruptHeader", "ModelIntegrityError", "PatientLeak"),
)


@dag(dag_id="scratch_retries", schedule=None, default_args=ARGS)
def scratch():
    @task
    def fail(kind: str):
        from ecg_core import errors

        if kind == "no_connection":
            import sqlalchemy

            sqlalchemy.create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none").connect()
        if kind == "disk_full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if kind == "no_such_file":
            raise FileNotFoundError(errno.ENOENT, "No such file")
        if kind == "mixed_group":
            raise ExceptionGroup("two", [ValueError("ours"), errors.DatabaseUnavailable("Gone.", "Start it.")])
        if kind == "hopeless_group":
            raise ExceptionGroup("two", [ValueError("ours"), errors.CorruptHeader("Bad.", "Send it again.")])
        if kind == "bug":
            raise ValueError("a fault of ours")
        raise getattr(errors, kind)("What was wrong.", "What mends it.")

    for kind in KINDS:
        fail.override(task_id=kind)(kind)


scratch()
