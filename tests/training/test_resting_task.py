"""The task ``resting``: no patient on two sides, versions that load, and a gate that keeps what is better."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ecg_core.errors import ModelIntegrityError, ModelOutdated, PatientLeak
from ecg_core.models import SHIPPED, load_version
from ecg_core.models.resting import RestingModel
from ecg_core.models.version import SHIPPED_DIR, find_version
from ecg_core.resting.beat_features import feature_names
from ecg_core.training import resting, resting_task
from ecg_core.training.gate import Limits
from ecg_core.training.resting_set import RestingSet, check_apart

LIMITS = Limits(0.005, 0.02, {}, 0.01, 0.1)


@pytest.fixture(scope="module")
def made():
    """Recordings whose classes hang on single features; PTB-XL's in ten folds, and some from elsewhere."""
    rng = np.random.default_rng(0)
    n = 400
    features = rng.normal(size=(n, 9)).astype(np.float32)
    labels = features[:, :5] + 0.5 * rng.normal(size=(n, 5)) > 0.5
    fold = np.where(np.arange(n) < 360, np.arange(n) // 2 % 10 + 1, 0).astype(np.int8)
    names = (*feature_names()[:7], "female", "age_years")
    features[:, 7] = rng.integers(0, 2, n)
    return RestingSet(
        names, features, np.zeros((n, 12, 0), np.float32), rng.normal(size=(n, 12, 400)).astype(np.float32),
        labels, fold, np.array([f"p{k // 2}" for k in range(n)]), np.where(fold > 0, "ptb-xl", "georgia"),
        np.arange(n).astype(str),
        np.where(fold > 0, "CS-12", ""), Counter(),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(resting, "N_TREES", 12)
    monkeypatch.setattr(resting, "INNER_TREES", 6)
    monkeypatch.setattr(resting.grow_trees, "__defaults__", (12,))


def write(recordings, models_dir):
    return resting_task.write_version(recordings, resting_task.normal_beat(recordings), "0" * 64, models_dir)


def test_no_patient_is_on_two_sides_whatever_the_folds_say(made):
    patient = made.patient.copy()
    # One recording of fold 1 turns out to be of a patient of fold 10, and one of fold 2 of a patient of fold 9.
    patient[np.flatnonzero(made.fold == 1)[0]] = patient[np.flatnonzero(made.fold == 10)[0]]
    patient[np.flatnonzero(made.fold == 2)[0]] = patient[np.flatnonzero(made.fold == 9)[0]]
    learned, held_back, test = resting_task.split(replace(made, patient=patient))
    for one, other in ((learned, held_back), (learned, test), (held_back, test)):
        check_apart(one, other)
    assert set(learned.fold.tolist()) == {0, 1, 2, 3, 4, 5, 6, 7, 8}
    assert set(held_back.fold.tolist()) == {9}
    assert set(test.fold.tolist()) == {10}
    with pytest.raises(PatientLeak):
        resting.fit_resting_trees(learned, replace(held_back, patient=learned.patient[: len(held_back)]))


def test_a_version_loads_and_says_how_it_did_by_group(made, tmp_path):
    version = load_version(write(made, tmp_path), tmp_path)
    assert version.task == "resting"
    figures = version.facts.figures
    assert figures["fold_10.macro_auc"] > 0.75
    assert {"folds_9_10_female.NORM.auc", "folds_9_10_male.NORM.auc", "folds_9_10_device_cs-12.NORM.auc"} <= set(
        figures
    )
    assert "340" not in str(version.manifest["training_data"]["records"][:1])
    assert version.trees.probabilities(made.features).shape == (400, 5)
    np.testing.assert_allclose(
        version.trees.probabilities(made.features, [3]), version.trees.probabilities(made.features)[:, [3]]
    )


def test_the_gate_keeps_what_is_better_and_what_is_the_same(made, tmp_path):
    rng = np.random.default_rng(1)
    good = write(made, tmp_path)
    spoiled = made.features.copy()
    learned = (made.fold > 0) & (made.fold < 9)
    spoiled[learned] = rng.permutation(spoiled[learned])
    bad = write(replace(made, features=spoiled), tmp_path)
    held_back = resting_task.split(made)[1]
    folder = {name: find_version(name, tmp_path)[0] for name in (good, bad)}
    assert resting_task.judge(folder[bad], folder[good], held_back, LIMITS).promote
    kept = resting_task.judge(folder[good], folder[bad], held_back, LIMITS)
    assert not kept.promote
    assert "macro AUC" in kept.reason
    assert "same on every figure" in resting_task.judge(folder[good], folder[good], held_back, LIMITS).reason
    few = held_back.select(np.arange(len(held_back)) < 10)
    assert not resting_task.judge(folder[bad], folder[good], few, LIMITS).promote


def test_the_shipped_version_is_small_and_whole(tmp_path):
    folder = SHIPPED_DIR / SHIPPED["resting"]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8 * 2**20
    version = load_version(SHIPPED["resting"], tmp_path)
    assert version.normal_beat_mv.shape == (12, 400)
    patients = set(version.manifest["training_data"]["patients"])
    assert patients
    assert not any(name in patients for name in ("", "None"))


def test_a_version_of_other_numbers_is_outdated_and_a_damaged_one_is_told(made, tmp_path):
    other = replace(made, feature_names=("f0", *made.feature_names[1:]))
    folder = find_version(write(other, tmp_path), tmp_path)[0]
    manifest = json.loads((folder / "manifest.json").read_text())
    with pytest.raises(ModelOutdated, match="does not compute: f0"):
        RestingModel(folder, manifest)
    (folder / "trees.npz").write_bytes(b"no trees")
    with pytest.raises(ModelIntegrityError):
        RestingModel(folder, manifest)
    assert set(load_version(SHIPPED["resting"], tmp_path).trees.feature_names.tolist()) <= set(feature_names())


def test_a_normal_beat_that_is_none_is_refused(made, tmp_path):
    version = load_version(write(made, tmp_path), tmp_path)
    np.save(version.folder / "normal_beat.npy", np.zeros((3, 400), np.float32))
    with pytest.raises(ModelIntegrityError, match="twelve leads"):
        version.normal_beat_mv  # noqa: B018
