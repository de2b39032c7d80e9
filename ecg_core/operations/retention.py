"""What would grow for ever, dropped after its time: logs, messages that ended, Airflow's rows of finished runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from ecg_core.settings import Settings
from ecg_core.store import outbox
from ecg_core.store.database import store_engine

log = structlog.get_logger(__name__)


def keep_house(settings: Settings) -> dict[str, int]:
    """Drop what is older than ``ECG_LOG_RETENTION_DAYS``; how much of each, nothing where that is 0.

    Scores, reports, recordings and reviews are none of it. Airflow's rows go by its own command, where its database is
    known to this process; what that says when it fails is logged.
    """
    if not settings.log_retention_days:
        return {}
    age_s = 86_400.0 * settings.log_retention_days
    with store_engine(settings).begin() as connection:
        messages = outbox.forget(connection, age_s)
    dropped = {"messages": messages, "logs": _old_logs(settings.home / "logs" / "airflow", time.time() - age_s)}
    if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in os.environ:
        dropped["airflow"] = _clean_airflow(datetime.now(UTC) - timedelta(seconds=age_s))
    log.info("house kept", **dropped)
    return dropped


def _old_logs(folder: Path, before: float) -> int:
    old = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        # A run that begins may be about to write there.
        if path.stat().st_mtime < before and not any(path.iterdir()):
            path.rmdir()
    return len(old)


def _clean_airflow(before: datetime) -> int:
    """Let Airflow drop its rows; 1 where it did."""
    airflow = Path(sys.executable).parent / "airflow"
    command = [str(airflow), "db", "clean", "--clean-before-timestamp", before.isoformat(), "--yes", "--skip-archive"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        log.warning("Airflow's rows were not dropped", reason=done.stderr.strip()[-300:])
    return int(done.returncode == 0)
