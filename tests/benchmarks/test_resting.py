"""What `benchmarks.resting` measures with, and that no patient is on two sides."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import resting
from benchmarks.random_convolutions import random_convolutions
from ecg_core.training import resting_figures
from ecg_core.training.resting_recurrence import fit_recurrence_cnn
from ecg_core.training.resting_set import RestingSet


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    n = 150
    features = rng.normal(size=(n, 8)).astype(np.float32)
    labels = features[:, :5] + 0.3 * rng.normal(size=(n, 5)) > 0.3
    return RestingSet(
        tuple("abcdefgh"), features, rng.normal(size=(n, 12, 1000)).astype(np.float32),
        np.zeros((n, 12, 10), np.float32), labels, np.zeros(n, np.int8), np.array([f"p{k // 3}" for k in range(n)]),
        np.where(np.arange(n) < 120, "ptb-xl", "georgia"), np.arange(n).astype(str), np.full(n, ""), Counter(),
    )  # fmt: skip


def test_no_family_learns_from_a_patient_it_is_judged_on(made):
    sides = []

    def fit(learned, held_back):
        assert held_back is None

        def answer(judged):
            sides.append((set(learned.patient), set(judged.patient), set(judged.database)))
            return (judged.features[:, :5],)

        return answer

    judged, (scores,) = resting.out_of_fold(resting.Family(fit), made)
    assert len(sides) == resting.N_FOLDS
    assert all(not learned & judged_ for learned, judged_, _ in sides)
    assert all(databases == {"ptb-xl"} for *_, databases in sides)
    np.testing.assert_array_equal(scores, judged.features[:, :5])


def test_auc_is_the_usual_one_with_ties():
    rng = np.random.default_rng(1)
    score, label = rng.integers(0, 5, 200).astype(np.float32), rng.random(200) < 0.3
    assert resting_figures.auc(score, label) == pytest.approx(roc_auc_score(label, score))
    assert np.isnan(resting_figures.auc(score, np.zeros(200, dtype=bool)))


def test_intervals_hold_the_figure_and_are_wider_for_rare_classes(made):
    labels = made.labels.copy()
    labels[8:, 4] = False
    figures = resting.auc_figures(made.features[:, :5], labels, made.patient)
    width = {}
    for name, of in figures["classes"].items():
        assert of["ci"][0] <= of["auc"] <= of["ci"][1]
        width[name] = of["ci"][1] - of["ci"][0]
    assert width["HYP"] > width["NORM"]
    assert figures["macro_auc"] == pytest.approx(np.mean([of["auc"] for of in figures["classes"].values()]), abs=1e-3)


def test_calibration_error():
    label = np.arange(1000) % 10 == 0
    assert resting.expected_calibration_error(np.full(1000, 0.1), label) == pytest.approx(0, abs=1e-9)
    assert resting.expected_calibration_error(np.full(1000, 1.0), label) == pytest.approx(0.9)


def test_measure_gives_the_figures_that_are_asked_for(made):
    figures = resting.measure(made, ["measurements_logistic", "trees_elsewhere"], lambda line: None)
    assert figures["recordings"] == 120
    assert figures["learned_from_elsewhere"] == 30
    for of in figures["families"].values():
        assert set(of["classes"]) == {"NORM", "MI", "STTC", "CD", "HYP"}
        assert of["macro_auc"] > 0.8
        assert of["ships"] is False
    assert "measurements_logistic" in resting._table(figures)


def test_where_all_of_ptb_xl_is_at_hand_its_own_folds_are_used(made, monkeypatch):
    fold = np.where(made.database == "ptb-xl", np.arange(150) // 3 % 10 + 1, 0).astype(np.int8)
    seen = []

    def fit(learned, held_back):
        def answer(judged):
            seen.append((set(learned.fold), set(held_back.fold) if held_back else None, set(judged.fold)))
            return (judged.features[:, :5],)

        return answer

    monkeypatch.setitem(resting.FAMILIES, "made", resting.Family(fit))
    figures = resting.measure(replace(made, fold=fold), ["made"], lambda line: None, complete=True)
    assert [judged for *_, judged in seen] == [{k} for k in range(1, 11)] + [{10}]
    assert seen[-1] == ({0, *range(1, 9)}, {9}, {10})
    assert figures["families"]["made"]["own_folds"]["macro_auc"] > 0.8


def test_random_convolutions_are_the_same_twice_and_see_the_signal(made):
    first = random_convolutions(made.signals_mv[:2])
    np.testing.assert_array_equal(first, random_convolutions(made.signals_mv[:2]))
    assert first.shape[1] >= 2 * 4000
    assert (first[0] != first[1]).any()


def test_the_recurrence_network_learns_the_same_twice(monkeypatch):
    from ecg_core.training import resting_recurrence

    monkeypatch.setattr(resting_recurrence, "_EPOCHS", 6)
    rng = np.random.default_rng(0)
    plots = rng.integers(0, 40, (48, 100, 100, 2), dtype=np.uint8)
    labels = np.tile(np.arange(48)[:, None] % 2 == 0, (1, 5))
    plots[labels[:, 0]] += 50
    answers = [fit_recurrence_cnn(plots, labels, np.ones(48, dtype=np.float32), 0)(plots) for _ in range(2)]
    np.testing.assert_array_equal(*answers)
    assert answers[0].shape == (48, 5)
    assert resting_figures.auc(answers[0][:, 0], labels[:, 0]) > 0.9
