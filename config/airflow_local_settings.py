"""What Airflow loads in each of its processes: two things for the embedded stack's small machine.

The scheduler imports TensorFlow before it forks its workers: a task that needs gradients then starts in
.3 s instead of 9.8 s. And no log server is started: all processes share one disk, where the API server
reads the logs itself, and the log servers would listen on every interface, not on loopback alone.
"""

import importlib.util
import os
import sys

from airflow.utils import serve_logs as _serve_logs


def _no_log_server(port: int | None = None) -> None:
    """Stand in for ``airflow.utils.serve_logs.serve_logs``."""


if "_ECG_STACK" in os.environ:
    _serve_logs.serve_logs = _no_log_server
    # Where children are spawned and not forked (macOS), they would not inherit the import.
    if "scheduler" in sys.argv and sys.platform == "linux" and importlib.util.find_spec("tensorflow"):
        import tensorflow  # noqa: F401
