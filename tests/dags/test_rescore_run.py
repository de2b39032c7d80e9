"""`ecg_rescore` run for real, in this process, on a real Postgres."""

import json
import shutil

import pytest
from sqlalchemy import create_engine, text

from ecg_core import settings as settings_module
from ecg_core.datasets import synth
from ecg_core.models import SHIPPED_VERSION
from ecg_core.models.version import SHIPPED_DIR, content_id

COUNTS = text("SELECT model_version, count(*) FROM ecg.scoring_run WHERE task = 'beats' GROUP BY 1 ORDER BY 1")


@pytest.fixture
def platform(database, tmp_path, monkeypatch, loaded_once):
    """A platform with two recordings scored by the champion, and another version; yields (engine, that version)."""
    from ecg_core.pipeline import inbox
    from ecg_core.pipeline.versions import prepare_database

    for name, value in (("HOME", str(tmp_path)), ("DATABASE_URL", database), ("SETTLE_S", "0")):
        monkeypatch.setenv(f"ECG_{name}", value)
    settings_module._load.cache_clear()
    settings = settings_module.load_settings()
    prepare_database(settings)
    for seed in (1, 2):
        synth.write_wfdb(synth.synthesise(20.0, pvc_per_minute=6.0, seed=seed), tmp_path / "inbox", f"r{seed}")
    inbox.register_arrivals(settings)
    inbox.score_chunk(settings, inbox.plan_chunks(settings)[0], "test")
    yield create_engine(database), _another_version(settings.models_dir)
    settings_module._load.cache_clear()


def _another_version(models_dir):
    """The champion under other limits: another version by content."""
    manifest = json.loads((SHIPPED_DIR / SHIPPED_VERSION / "manifest.json").read_text())
    manifest["limits"] = [*manifest["limits"], "Made by a test."]
    manifest["version"] = f"cnn-20000101-{content_id(manifest)}"
    folder = models_dir / manifest["version"]
    shutil.copytree(SHIPPED_DIR / SHIPPED_VERSION, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest["version"]


def _run(dagbag, **conf):
    run = dagbag.dags["ecg_rescore"].test(run_conf=conf)
    return run.state, {(ti.task_id, ti.map_index): ti.state for ti in run.get_task_instances()}


def test_a_dry_run_scores_nothing(dagbag, platform):
    engine, other = platform
    state, tasks = _run(dagbag, model_version=other)
    assert state == "success"
    assert tasks[("score_again", -1)] == "skipped"
    with engine.connect() as conn:
        assert conn.execute(COUNTS).all() == [(SHIPPED_VERSION, 2)]


def test_all_are_scored_once_more_and_the_old_scores_stay(dagbag, platform):
    engine, other = platform
    state, tasks = _run(dagbag, model_version=other, dry_run=False)
    assert state == "success"
    assert tasks[("announce", -1)] == "success"
    with engine.connect() as conn:
        assert dict(conn.execute(COUNTS).tuples().all()) == {other: 2, SHIPPED_VERSION: 2}
        assert conn.execute(text("SELECT count(*) FROM ecg.report")).scalar_one() == 4
        assert set(conn.execute(text("SELECT state FROM ecg.ingest_ledger")).scalars()) == {"scored"}
    state, tasks = _run(dagbag, model_version=other, dry_run=False)
    assert (state, tasks[("score_again", -1)]) == ("success", "skipped")


def test_a_recording_without_scores_is_named(dagbag, platform):
    state, tasks = _run(dagbag, recording_ids=["0" * 64], dry_run=False)
    assert (state, tasks[("plan", -1)]) == ("failed", "failed")


def test_one_recording_is_chosen(dagbag, platform):
    engine, other = platform
    with engine.connect() as conn:
        chosen = conn.execute(text("SELECT min(recording_id) FROM ecg.recording")).scalar_one()
    assert _run(dagbag, model_version=other, recording_ids=[chosen], dry_run=False)[0] == "success"
    with engine.connect() as conn:
        again = text("SELECT recording_id FROM ecg.scoring_run WHERE model_version = :v")
        assert conn.execute(again, {"v": other}).scalars().all() == [chosen]
