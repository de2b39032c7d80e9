"""`ecg_score_inbox` run for real, in this process, on a real Postgres."""

import json

import pytest
from sqlalchemy import create_engine, text

from ecg_core import settings as settings_module
from ecg_core.models import SHIPPED_VERSION


@pytest.fixture
def platform(database, tmp_path, monkeypatch):
    """A platform of its own: home, inbox, migrated database; yields the home folder."""
    from ecg_core.store import migrate
    from ecg_core.store.database import owner_engine

    monkeypatch.setenv("ECG_HOME", str(tmp_path))
    monkeypatch.setenv("ECG_DATABASE_URL", database)
    monkeypatch.setenv("ECG_SETTLE_S", "0")
    monkeypatch.setenv("ECG_FURTHER_INBOXES", json.dumps([str(tmp_path / "ward 3")]))
    settings_module._load.cache_clear()
    (tmp_path / "inbox").mkdir()
    migrate(owner_engine(settings_module.load_settings()))
    yield tmp_path
    settings_module._load.cache_clear()


def _run(dagbag, **conf):
    run = dagbag.dags["ecg_score_inbox"].test(run_conf=conf)
    return run.state, {(ti.task_id, ti.map_index): ti.state for ti in run.get_task_instances()}


def test_empty_inbox_ends_well_and_announces_nothing(dagbag, platform):
    state, tasks = _run(dagbag)
    assert state == "success"
    assert tasks == {
        ("register_arrivals", -1): "success",
        ("inbox_was_read", -1): "success",
        ("plan_chunks", -1): "success",
        ("score_chunk", -1): "skipped",
        ("summarise", -1): "success",
        ("check_quality", -1): "success",
        ("announce", -1): "skipped",
    }


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_file_that_is_no_ecg_is_set_aside_and_the_run_succeeds(dagbag, platform, database, scheme):
    from ecg_core.pipeline.versions import register_shipped
    from ecg_core.store.database import owner_engine

    settings = settings_module.load_settings()
    assert SHIPPED_VERSION, "a champion ships inside the package"
    register_shipped(owner_engine(settings), settings)
    elsewhere = platform / "ward 3"
    elsewhere.mkdir()
    (elsewhere / "notes.txt").write_text("not an ECG")
    state, tasks = _run(dagbag, folder=f"{scheme}{elsewhere}")
    assert state == "success"
    assert tasks[("score_chunk", 0)] == "success"
    assert tasks[("summarise", -1)] == "success"
    assert tasks[("announce", -1)] == "skipped"
    with create_engine(database).connect() as connection:
        rows = connection.execute(text("SELECT state, code FROM ecg.ingest_ledger")).all()
    assert rows == [("set aside", "unsupported format")]
