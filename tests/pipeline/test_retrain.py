"""A retraining from fetch to gate, and both of its outcomes."""

import json
import shutil
from pathlib import Path

import pytest
import wfdb
from sqlalchemy import text

from ecg_core.errors import DatasetUnavailable
from ecg_core.models import FAMILIES, load_model
from ecg_core.pipeline import retrain
from ecg_core.pipeline.database import store_engine
from ecg_core.pipeline.versions import scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows


def with_base(settings: Settings, base: Path) -> Settings:
    return settings.model_copy(update={"physionet_base": str(base), "retrain_epochs": 3})


def run(settings: Settings, run_id: str) -> dict[str, object]:
    """Every step of the DAG, in its order."""
    prepared = retrain.prepare(settings, retrain.fetch(settings))
    components = [retrain.train(settings, family, prepared, run_id) for family in FAMILIES]
    version = retrain.assemble(settings, components, prepared, run_id)
    retrain.evaluate(settings, version, prepared, run_id)
    return {"version": version, **retrain.decide(settings, version, run_id)}


@pytest.fixture
def damaged_base(small_base: Path, tmp_path: Path) -> Path:
    """The same base, with normal and ventricular exchanged in the training patients' labels: it teaches the wrong."""
    base = tmp_path / "damaged"
    shutil.copytree(small_base, base)
    folder = base / "mitdb" / "1.0.0"
    exchanged = {"N": "V", "V": "N"}
    for name in ("106", "119", "208", "209"):
        marks = wfdb.rdann(str(folder / name), "atr")
        marks.symbol = [exchanged.get(symbol, symbol) for symbol in marks.symbol]
        marks.wrann(write_fs=True, write_dir=str(folder))
    return base


def test_a_worse_challenger_is_kept_out_and_a_better_one_is_promoted(settings, small_base, damaged_base):
    first = scoring_version(settings)

    worse = run(with_base(settings, damaged_base), "scheduled__2026-11-21T02:00:00+00:00")
    assert worse["promoted"] is False
    assert "Kept the champion" in str(worse["reason"])
    assert scoring_version(settings) == first

    # Had the damaged one been let in, a sound one takes its place.
    with store_engine(settings).begin() as connection:
        model_rows.promote(connection, str(worse["version"]), "by hand, for this test")
    shutil.rmtree(settings.datasets_dir)
    better = run(with_base(settings, small_base), "scheduled__2026-11-22T02:00:00+00:00")
    assert better["promoted"] is True, better["reason"]
    assert scoring_version(settings) == better["version"]
    with store_engine(settings).connect() as connection:
        rows = connection.execute(text("SELECT run_id, verdict, reason FROM ecg.training_run ORDER BY training_run_id"))
        told = [(run_id, verdict) for run_id, verdict, reason in rows if reason]
    assert told == [
        (None, "promoted"),
        ("scheduled__2026-11-21T02:00:00+00:00", "kept"),
        (None, "promoted"),
        ("scheduled__2026-11-22T02:00:00+00:00", "promoted"),
    ]


def test_steps_that_are_run_again_change_nothing(settings, small_base):
    settings = with_base(settings, small_base)
    first = run(settings, "run")
    again = {
        "version": retrain.assemble(settings, [], "", "run"),
        **retrain.decide(settings, str(first["version"]), "run"),
    }
    assert again == first
    manifest = json.loads((settings.models_dir / str(first["version"]) / "manifest.json").read_text())
    assert manifest["training_data"]["records"] == ["106", "119", "208", "209"]
    assert load_model(str(first["version"]), settings.models_dir).version == first["version"]
    with store_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ecg.training_run WHERE run_id = 'run'")).scalar_one() == 1


def test_a_base_that_does_not_answer_is_named(settings, tmp_path):
    with pytest.raises(DatasetUnavailable) as caught:
        retrain.fetch(with_base(settings, tmp_path / "nothing-here"))
    assert caught.value.retryable
    assert "ECG_PHYSIONET_BASE" in str(caught.value)
