"""What would grow for ever goes after its time, and nothing else."""

import os
import sqlite3
import time

import pytest
from outbox_time import earlier, tell

from ecg_core.messages import outbox
from ecg_core.operations.retention import keep_house


@pytest.fixture(autouse=True)
def no_airflow(monkeypatch):
    monkeypatch.delenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", raising=False)


def test_old_logs_and_ended_messages_go(settings):
    logs = settings.home / "logs" / "airflow"
    for name, days in (("dag_id=a/run_id=1/attempt=1.log", 31), ("dag_id=a/run_id=2/attempt=1.log", 29)):
        (logs / name).parent.mkdir(parents=True)
        (logs / name).write_text("…")
        for path in (logs / name, (logs / name).parent):
            os.utime(path, (time.time() - 86_400 * days,) * 2)
    report = settings.reports_dir / "old.html"
    report.parent.mkdir(parents=True)
    report.touch()
    os.utime(report, (0, 0))
    seen, still_open = tell(settings, key="seen"), tell(settings, key="open")
    outbox.acknowledge(settings, seen, "ada")
    assert keep_house(settings) == {"messages": 0, "logs": 1}
    assert [path.name for path in sorted(logs.glob("*/*"))] == ["run_id=1", "run_id=2"]
    earlier(settings, 86_400 * 31)
    assert keep_house(settings)["messages"] == 1
    assert [told.message_id for told in outbox.list_messages(settings, open_only=False)] == [still_open]
    assert report.exists()


def test_nothing_goes_where_nobody_asked(settings):
    assert keep_house(settings.model_copy(update={"log_retention_days": 0})) == {}


def test_airflows_rows_of_finished_runs_go(settings, airflow_home, monkeypatch):
    """By its own command, on a database of its own."""
    database = airflow_home / "airflow.db"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{database}")
    row = "INSERT INTO log (dttm, event, owner) VALUES (?, 'made up', 'test')"
    with sqlite3.connect(database) as conn:
        conn.executemany(row, [("2020-01-01 00:00:00",), ("2100-01-01 00:00:00",)])
    assert keep_house(settings)["airflow"] == 1
    with sqlite3.connect(database) as conn:
        assert conn.execute("SELECT dttm FROM log WHERE event = 'made up'").fetchall() == [("2100-01-01 00:00:00",)]
        conn.execute("DELETE FROM log WHERE event = 'made up'")
