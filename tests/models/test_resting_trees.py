"""The trees of the twelve-lead task: learned, stored, loaded, and what they refuse."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ecg_core.errors import ModelIntegrityError, PatientLeak
from ecg_core.models.resting_trees import load_trees
from ecg_core.result.resting import SUPERCLASSES
from ecg_core.training.resting import (
    conformal_thresholds,
    fit_platt,
    fit_resting_trees,
    fit_scaling,
    grow_trees,
)
from ecg_core.training.resting_set import RestingSet, check_apart, folds_by_patient

N_FEATURES = 20


@pytest.fixture(scope="module")
def made():
    """Recordings whose classes hang on single features, two of each patient."""
    rng = np.random.default_rng(0)
    n = 200
    features = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    labels = features[:, :5] + 0.5 * rng.normal(size=(n, 5)) > 0.4
    return RestingSet(
        tuple(f"f{k}" for k in range(N_FEATURES)), features, *np.zeros((2, n, 12, 10), dtype=np.float32), labels,
        np.zeros(n, np.int8), np.array([f"p{k // 2}" for k in range(n)]),
        np.where(np.arange(n) < 160, "ptb-xl", "georgia"), np.arange(n).astype(str), np.full(n, ""), Counter(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(made):
    return fit_resting_trees(made)


def test_it_learns_and_says_so_by_calibrated_probabilities(made, model):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(400, N_FEATURES)).astype(np.float32)
    labels = features[:, :5] + 0.5 * rng.normal(size=(400, 5)) > 0.4
    probabilities = model.probabilities(features)
    assert probabilities.shape == (400, len(SUPERCLASSES))
    assert ((probabilities > 0.5) == labels).mean() > 0.75
    assert np.abs(probabilities.mean(axis=0) - labels.mean(axis=0)).max() < 0.1
    present, absent = model.answers(probabilities)
    assert present[labels].mean() > 0.8
    assert absent[~labels].mean() > 0.8


def test_arrays_answer_as_the_library_does(made):
    from sklearn.ensemble import ExtraTreesClassifier

    from ecg_core.training import resting as training

    scaled = fit_scaling(made.features)(made.features)
    forest = ExtraTreesClassifier(
        20, min_samples_leaf=training.FEWEST_IN_LEAF, max_features=training.SHARE_OF_FEATURES,
        max_leaf_nodes=training.MOST_LEAVES, random_state=training._SEED, n_jobs=1,
    ).fit(scaled, made.labels[:, 0], sample_weight=training.weights(made))  # fmt: skip
    ours = grow_trees(made, 20).shares(made.features)[:, 0]
    np.testing.assert_allclose(ours, forest.predict_proba(scaled)[:, 1], atol=1e-6)


def test_learning_twice_gives_the_same(made, model):
    again = fit_resting_trees(made)
    for name in type(model).__slots__:
        np.testing.assert_array_equal(getattr(model, name), getattr(again, name))


def test_stored_and_loaded_it_answers_the_same_and_is_small(made, model, tmp_path):
    path = tmp_path / "trees.npz"
    model.save(path)
    assert path.stat().st_size < 8e6
    np.testing.assert_array_equal(load_trees(path).probabilities(made.features), model.probabilities(made.features))


def test_missing_features_are_answered_and_no_recordings_give_no_rows(made, model):
    unknown = np.full((3, N_FEATURES), np.nan, dtype=np.float32)
    assert np.isfinite(model.probabilities(unknown)).all()
    assert model.probabilities(made.features[:0]).shape == (0, 5)
    wild = np.array([[np.inf, -np.inf, 1e30] + [0.0] * (N_FEATURES - 3)], dtype=np.float32)
    assert np.isfinite(model.probabilities(wild)).all()


def test_another_number_of_features_is_refused(made, model):
    with pytest.raises(ValueError, match="20 features"):
        model.probabilities(made.features[:, :-1])


def test_a_broken_file_is_refused(made, model, tmp_path):
    path = tmp_path / "trees.npz"
    with pytest.raises(ModelIntegrityError):
        load_trees(path)
    path.write_bytes(b"not a model")
    with pytest.raises(ModelIntegrityError):
        load_trees(path)
    replace(model, node_left=model.node_left[:-1]).save(path)
    with pytest.raises(ModelIntegrityError, match="do not fit"):
        load_trees(path)
    replace(model, root=model.root + model.node_feature.size).save(path)
    with pytest.raises(ModelIntegrityError, match="do not fit"):
        load_trees(path)
    whole = {name: getattr(model, name) for name in type(model).__slots__ if name != "scale"}
    np.savez(path, **whole)
    with pytest.raises(ModelIntegrityError, match="scale"):
        load_trees(path)
    np.savez(path, **whole, scale=np.array([{}], dtype=object))
    with pytest.raises(ModelIntegrityError):
        load_trees(path)


def test_a_class_that_nobody_has_cannot_be_learned(made):
    labels = made.labels.copy()
    labels[:, 4] = False
    with pytest.raises(ValueError, match="HYP"):
        grow_trees(replace(made, labels=labels), 2)


def test_no_patient_is_on_two_sides(made):
    fold = folds_by_patient(made.patient, 10, 0)
    for patient in np.unique(made.patient):
        assert np.unique(fold[made.patient == patient]).size == 1
    assert np.bincount(fold).min() > 0
    np.testing.assert_array_equal(fold, folds_by_patient(made.patient, 10, 0))
    assert (fold != folds_by_patient(made.patient, 10, 1)).any()
    check_apart(made.select(fold != 0), made.select(fold == 0))
    with pytest.raises(PatientLeak):
        check_apart(made.select(np.arange(101)), made.select(np.arange(101, 200)))


def test_calibration_and_thresholds_hold_what_they_state():
    rng = np.random.default_rng(2)
    logit = rng.normal(size=4000).astype(np.float32)
    label = rng.random(4000) < 1 / (1 + np.exp(-(2 * logit - 1)))
    slope, offset = fit_platt(logit, label)
    assert slope == pytest.approx(2, abs=0.2)
    assert offset == pytest.approx(-1, abs=0.2)
    probabilities = np.tile(rng.random((40000, 1)).astype(np.float32), (1, 5))
    labels = np.tile(rng.random((40000, 1)) < probabilities[:, :1], (1, 5))
    least, most = conformal_thresholds(probabilities[:20000], labels[:20000], 0.9)
    held_out, truth = probabilities[20000:], labels[20000:]
    assert (held_out >= least)[truth].mean() == pytest.approx(0.9, abs=0.03)
    assert (held_out <= most)[~truth].mean() == pytest.approx(0.9, abs=0.03)


def test_too_few_of_a_class_exclude_nothing():
    labels = np.zeros((100, 5), dtype=bool)
    labels[:3] = True
    least, most = conformal_thresholds(np.random.default_rng(0).random((100, 5)).astype(np.float32), labels, 0.9)
    assert (least == -np.inf).all()
    assert np.isfinite(most).all()
