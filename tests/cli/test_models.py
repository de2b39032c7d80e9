"""`ecg models` as a user types it, on a real Postgres."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import PostgresDsn
from sqlalchemy import text
from typer.testing import CliRunner

from ecg_core import settings as settings_module
from ecg_core.cli.app import app
from ecg_core.errors import StoreError, UnknownModelVersion
from ecg_core.models import SHIPPED, SHIPPED_VERSION, load_model, load_version
from ecg_core.models.version import SHIPPED_DIR, content_id
from ecg_core.pipeline.versions import prepare_database, scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows
from ecg_core.store.database import owner_engine


@pytest.fixture
def settings(database, tmp_path, monkeypatch) -> Iterator[Settings]:
    made = Settings(_env_file=None, home=tmp_path, database_url=PostgresDsn(database))
    prepare_database(made)
    monkeypatch.setenv("ECG_HOME", str(tmp_path))
    monkeypatch.setenv("ECG_DATABASE_URL", database)
    # Commands of one process would go on with the first test's settings.
    settings_module._load.cache_clear()
    yield made
    settings_module._load.cache_clear()


def run(*words: str):
    return CliRunner().invoke(app, ["models", *words])


@pytest.fixture
def older_champion(settings) -> str:
    """The shipped version took the place of an older one, and kept out a challenger; both only stand in Postgres."""
    shipped = load_model(SHIPPED_VERSION, settings.models_dir)
    with owner_engine(settings).begin() as conn:
        for name in ("older", "challenger"):
            facts = type(shipped.facts)(name, "cnn", shipped.facts.created_at, (), {}, ())
            model_rows.register_version(conn, facts, {"version": name})
        conn.execute(text("DELETE FROM ecg.training_run"))
        model_rows.promote(conn, "older", "the first")
        model_rows.promote(conn, SHIPPED_VERSION, "better")
        decided = {"challenger": "challenger", "champion": SHIPPED_VERSION, "figures": {"ECE": {"limit": 0.1}}}
        model_rows.record_training_run(conn, run_id="night", promoted=False, reason="Kept the champion.", **decided)
    return "older"


@pytest.fixture
def outdated(settings) -> str:
    """A champion of an earlier release, whose features this one does not compute."""
    manifest = {**load_model(SHIPPED_VERSION, settings.models_dir).manifest, "context_names": ["rr"]}
    version = manifest["version"] = f"cnn-20000101-{content_id(manifest)}"
    folder = settings.models_dir / version
    shutil.copytree(SHIPPED_DIR / SHIPPED_VERSION, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    facts = replace(load_model(SHIPPED_VERSION, settings.models_dir).facts, version=version)
    with owner_engine(settings).begin() as conn:
        model_rows.register_version(conn, facts, manifest)
        model_rows.promote(conn, version, "in the release before")
    return version


def of_beats() -> list[dict]:
    return [version for version in json.loads(run("list", "--json").stdout) if version["task"] == "beats"]


def test_a_release_with_other_features_scores_with_the_version_it_ships(settings, outdated):
    assert scoring_version(settings) == outdated
    prepare_database(settings)
    assert scoring_version(settings) == SHIPPED_VERSION
    listed = of_beats()
    assert listed[0]["model_version"] == SHIPPED_VERSION
    assert f"{outdated} was trained on other features" in listed[0]["reason"]
    prepare_database(settings)
    assert len(of_beats()) == len(listed), "once is enough"


def test_list_names_champion_challenger_and_archived_versions(settings, older_champion):
    listed = of_beats()
    states = [(version["model_version"], version["state"], version["reason"]) for version in listed]
    assert states == [
        (SHIPPED_VERSION, "champion", "better"),
        ("challenger", "challenger", "Kept the champion."),
        ("older", "archived", "the first"),
    ]
    told = run("list").stdout
    assert "champion" in told
    assert "archived" in told


def test_show_tells_figures_and_every_decision(settings, older_champion):
    shown = json.loads(run("show", SHIPPED_VERSION, "--json").stdout)
    assert shown["version"] == SHIPPED_VERSION
    assert shown["figures"]["deciding.macro_f1"] > 0
    assert [(d["verdict"], d["judged_against"]) for d in shown["decisions"]] == [("promoted", "older")]
    told = run("show", SHIPPED_VERSION).stdout
    assert "deciding.macro_f1" in told
    assert "promoted. better" in told


def test_promote_checks_the_files_first(settings, older_champion):
    refused = run("promote", "challenger")
    assert isinstance(refused.exception, UnknownModelVersion), "its folder is not there"
    assert scoring_version(settings) == SHIPPED_VERSION
    with owner_engine(settings).begin() as conn:
        model_rows.promote(conn, "older", "by hand")
    done = run("promote", SHIPPED_VERSION, "--reason", "older was worse")
    assert done.exit_code == 0, done.exception
    assert scoring_version(settings) == SHIPPED_VERSION
    assert of_beats()[0]["reason"] == "older was worse"


def test_rollback_without_the_files_leaves_the_champion(settings, older_champion):
    refused = run("rollback")
    assert isinstance(refused.exception, UnknownModelVersion)
    assert scoring_version(settings) == SHIPPED_VERSION


def test_rollback_is_one_command_and_takes_effect_at_once(settings, older_champion):
    with owner_engine(settings).begin() as conn:
        model_rows.promote(conn, "challenger", "a mistake")
    done = run("rollback", "--reason", "it was a mistake")
    assert done.exit_code == 0, done.exception
    assert SHIPPED_VERSION in done.stdout
    # What each chunk asks before it loads a model.
    assert scoring_version(settings) == SHIPPED_VERSION
    assert [v["state"] for v in of_beats()] == ["champion", "archived", "archived"]


def test_there_is_nothing_before_the_first(settings):
    refused = run("rollback")
    assert isinstance(refused.exception, StoreError)
    assert "No model version scored before" in str(refused.exception)
    assert isinstance(run("show", "no-such-version").exception, UnknownModelVersion)


def test_the_card_tells_what_to_know_before_relying_on_a_version(settings, older_champion):
    told = run("card", SHIPPED_VERSION).stdout
    manifest = load_model(SHIPPED_VERSION, settings.models_dir).manifest
    of_v = manifest["figures"]["deciding"]["classes"]["V"]
    low, high = manifest["figures"]["deciding"]["intervals"]["classes"]["V"]["f1"]
    assert f"{of_v['f1']:.3f} ({low:.3f} to {high:.3f})" in told
    for true, row in zip("NSVFQ", manifest["figures"]["deciding"]["confusion"], strict=True):
        assert f"| {true} | {' | '.join(f'{n:,}' for n in row)} |" in told
    assert all(sentence in told for sentence in manifest["training_data"]["sentences"])
    assert all(limit in told for limit in manifest["limits"])
    assert "promoted against older: better" in told
    assert manifest["parent"] in told
    of_rhythm = run("card", SHIPPED["rhythm"]).stdout
    assert "kept no confusion matrix" in of_rhythm
    learned_from = load_version(SHIPPED["rhythm"], settings.models_dir).manifest["training_data"]
    assert learned_from["databases"]["challenge-2017"] in of_rhythm
    assert isinstance(run("card", "no-such-version").exception, UnknownModelVersion)


def test_each_task_has_its_own_champion_to_go_back_from(settings):
    prepare_database(settings)
    refused = run("rollback", "--task", "rhythm")
    assert isinstance(refused.exception, StoreError)
    assert run("show", SHIPPED["rhythm"]).exit_code == 0
    run("promote", SHIPPED["rhythm"])
    assert scoring_version(settings) == SHIPPED_VERSION
    assert scoring_version(settings, "rhythm") == SHIPPED["rhythm"]
