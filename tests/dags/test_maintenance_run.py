"""`ecg_maintenance` run for real, in this process, on a real Postgres."""

import pytest
from sqlalchemy import create_engine, text

from benchmarks.made_up import varied
from ecg_core import settings as settings_module


@pytest.fixture
def platform(database, tmp_path, monkeypatch):
    """A platform of its own with a scored recording and its champion; yields an engine."""
    from ecg_core.models import SHIPPED_VERSION
    from ecg_core.pipeline.versions import prepare_database
    from ecg_core.store import write_result
    from ecg_core.store.database import store_engine

    monkeypatch.setenv("ECG_HOME", str(tmp_path))
    monkeypatch.setenv("ECG_DATABASE_URL", database)
    settings_module._load.cache_clear()
    settings = settings_module.load_settings()
    prepare_database(settings)
    with store_engine(settings).begin() as conn:
        write_result.write_result(conn, varied(200, version=SHIPPED_VERSION), "test")
    yield create_engine(database)
    settings_module._load.cache_clear()


def _run(dagbag):
    run = dagbag.dags["ecg_maintenance"].test()
    return run.state, {ti.task_id: ti.state for ti in run.get_task_instances()}


def test_all_is_kept_in_order(dagbag, platform):
    state, tasks = _run(dagbag)
    assert state == "success"
    assert set(tasks.values()) == {"success"}
    with platform.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM ecg_mart.drift")).scalar_one() >= 2
        assert conn.execute(text("SELECT bool_and(passed) FROM ecg_mart.data_quality")).scalar_one()


def test_a_broken_rule_fails_the_run(dagbag, platform):
    with platform.begin() as conn:
        conn.execute(text("UPDATE ecg.beat SET probability_n = 0 WHERE class <> 'N'"))
    state, tasks = _run(dagbag)
    assert state == "failed"
    assert tasks.pop("check_everything") == "failed"
    assert set(tasks.values()) == {"success"}
    with platform.connect() as conn:
        broken = conn.execute(text("SELECT rule FROM ecg_mart.data_quality WHERE NOT passed")).scalars().all()
    assert broken == ["probabilities_sum"]
