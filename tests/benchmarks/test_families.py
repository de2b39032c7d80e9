"""`ecg benchmark families`: each family by both protocols, and what is done is not done again."""

import json

import numpy as np
import pytest

from benchmarks import families
from benchmarks.families import FAMILIES, Extent, measure_families
from ecg_core.settings import Settings


@pytest.fixture
def settings(tmp_path, small_base, monkeypatch) -> Settings:
    """Two training patients and one deciding one, five minutes each."""
    monkeypatch.setattr(families, "RECORDS", ("106", "119", "207", "208"))
    monkeypatch.setattr(families, "TRAINING", ("106", "119", "208"))
    monkeypatch.setattr(families, "DECIDING", ("207",))
    return Settings(_env_file=None, home=tmp_path, physionet_base=str(small_base), retrain_epochs=1)


def test_all_families_are_there():
    assert {"flagship", "cnn", "lstm", "cnn_lstm", "autoencoder"} <= set(FAMILIES)


IN_SHORT = ("cnn_lstm_runs", "autoencoder")
"""Runs of beats, and beats that are reconstructed. Beats with features are trained by every test of training."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in IN_SHORT else pytest.mark.long) for name in FAMILIES]
)
def test_a_family_runs_by_both_protocols(settings, name):
    lines: list[str] = []
    extent = Extent(beats=500, epochs=1, tested_on="deciding")
    figures = json.loads(json.dumps(measure_families(settings, [name], extent, lines.append)))
    of_family = figures[name]
    assert set(of_family) == {"published", "own_protocol", "by_patients"}
    for protocol in ("own_protocol", "by_patients"):
        assert of_family[protocol]["trained_on"] <= 500 + 5 * 50
        assert of_family[protocol]["extent"] == {"beats": 500, "epochs": 1, "tested_on": "deciding"}
        assert name == "autoencoder" or 0 < of_family[protocol]["accuracy"] <= 1
    assert measure_families(settings, [name], extent) == figures, "kept, not trained again"


def test_random_splits_share_patients_and_splits_by_patients_do_not():
    class_index = np.repeat([0, 1], [80, 20]).astype(np.int8)
    training, test = families._halves(class_index, 0)
    assert (training ^ test).all()
    assert np.bincount(class_index[test]).tolist() == [16, 4]
    for extent in (Extent(tested_on="ds2"), Extent(tested_on="deciding")):
        trained_on, tested_on = families._split_records(extent)
        assert not set(trained_on) & set(tested_on)
        assert "201" not in trained_on, "201 and 202 are the same person"


def test_a_look_at_ds2_by_a_family_is_logged(settings, monkeypatch, tmp_path):
    logged = []
    monkeypatch.setattr(families, "TEST", ("223",))
    monkeypatch.setattr(families, "log_look", lambda *arguments: logged.append(arguments))
    measure_families(settings, ["cnn"], Extent(500, 1, "ds2"))
    assert [(name, command) for name, command, *_ in logged] == [("cnn", "ecg benchmark families")]
