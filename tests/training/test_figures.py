import json

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support, roc_auc_score

from ecg_core.training.figures import Predictions
from ecg_core.training.figures import figures_of as figures_of_predictions


def figures_of(probabilities, deviation, true, patient, missed=None, threshold=0.5):
    return figures_of_predictions(
        Predictions(probabilities, probabilities >= threshold, deviation, true, patient, missed or {})
    )


@pytest.fixture
def said():
    random = np.random.default_rng(1)
    n = 3000
    true = random.choice(5, n, p=[0.7, 0.1, 0.15, 0.04, 0.01]).astype(np.int8)
    logits = random.normal(size=(n, 5)) + 2.0 * np.eye(5)[true]
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    deviation = random.normal(size=n).astype(np.float32) + (true != 0)
    patient = random.choice(["a", "b", "c"], n)
    return probabilities, deviation, true, patient


def test_the_figures_are_those_of_scikit_learn(said):
    probabilities, deviation, true, _ = said
    f = figures_of(*said)
    guess = probabilities.argmax(axis=1)
    precision, recall, f1, n = precision_recall_fscore_support(true, guess, labels=range(5))
    for c, name in enumerate("NSVFQ"):
        own = f["classes"][name]
        assert (own["n"], own["sensitivity"], own["precision"]) == pytest.approx((n[c], recall[c], precision[c]))
    assert f["macro_f1"] == pytest.approx(f1[:4].mean())
    assert f["kappa"] == pytest.approx(cohen_kappa_score(true, guess))
    assert f["deviation_auc"] == pytest.approx(roc_auc_score(true != 0, deviation))
    assert np.sum(f["confusion"]) == len(true)


def test_probabilities_that_mean_what_they_say_have_no_calibration_error():
    sure = np.repeat(np.float32([[0.75, 0.25, 0, 0, 0]]), 400, axis=0)
    true = np.repeat([0, 0, 0, 1], 100).astype(np.int8)
    f = figures_of(sure, np.zeros(400, np.float32), true, np.full(400, "a"))
    assert f["ece"] == pytest.approx(0, abs=1e-6)
    f = figures_of(sure, np.zeros(400, np.float32), np.ones(400, np.int8), np.full(400, "a"))
    assert f["ece"] == pytest.approx(0.75, abs=1e-6)


def test_a_class_that_occurs_and_is_never_said_counts_as_zero():
    probabilities = np.eye(5, dtype=np.float32)[[0, 0, 0, 0]]
    f = figures_of(probabilities, np.arange(4, dtype=np.float32), np.int8([0, 0, 0, 2]), np.full(4, "a"))
    assert f["classes"]["V"] == {"n": 1, "sensitivity": 0.0, "precision": None, "f1": 0.0, "coverage": 0.0}
    assert f["patients"]["V"] == {"n_patients": 1, "mean_sensitivity": 0.0, "mean_f1": 0.0}
    assert f["macro_f1"] == pytest.approx((2 * 3 / 7) / 2)


def test_what_is_undefined_is_none_and_the_figures_are_json(said):
    assert json.loads(json.dumps(figures_of(*said), allow_nan=False))["n_beats"] == 3000
    nothing = figures_of(np.zeros((0, 5), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int8), np.zeros(0, "U1"))
    assert nothing["macro_f1"] is None
    assert nothing["deviation_auc"] is None
    broken = figures_of(said[0], np.full(3000, np.nan, np.float32), said[2], said[3])
    assert broken["deviation_auc"] is None


def test_every_patient_counts_alike_in_the_mean_over_patients():
    true = np.int8([2] * 98 + [2] * 2)
    patient = np.array(["many"] * 98 + ["few"] * 2)
    guess = np.array([2] * 98 + [0] * 2)
    f = figures_of(np.eye(5, dtype=np.float32)[guess], np.zeros(100, np.float32), true, patient)
    assert f["classes"]["V"]["sensitivity"] == pytest.approx(0.98)
    assert f["patients"]["V"]["mean_sensitivity"] == pytest.approx(0.5)


def test_intervals_are_over_patients_and_hold_the_figure():
    random = np.random.default_rng(0)
    patient = np.repeat([f"p{i}" for i in range(8)], 50)
    true = np.tile(np.repeat([0, 2], 25), 8).astype(np.int8)
    # Half of the patients are recognised, half are not: far more doubt than 400 independent beats would have.
    known = np.isin(patient, ["p0", "p1", "p2", "p3"])
    said = np.where(known | (true == 0), true, 0)
    probabilities = np.eye(5, dtype=np.float32)[said]
    figures = figures_of(probabilities, random.normal(size=400).astype(np.float32), true, patient)
    assert figures["classes"]["V"]["sensitivity"] == 0.5
    low, high = figures["intervals"]["classes"]["V"]["sensitivity"]
    assert low <= 0.25
    assert high >= 0.75
    low, high = figures["intervals"]["accuracy"]
    assert low < figures["accuracy"] < high
    assert "F" not in figures["intervals"]["classes"], "nobody has it: nothing is said of the next patient"


def test_calibration_bins_tell_what_was_stated_and_what_was_true():
    probabilities = np.tile(np.float32([0.9, 0.1, 0, 0, 0]), (10, 1))
    true = np.array([0] * 6 + [1] * 4, dtype=np.int8)
    figures = figures_of(probabilities, np.zeros(10, np.float32), true, np.array(["a"] * 10))
    ((only,),) = [list(figures["calibration"].values())]
    assert (round(only["confidence"], 3), only["accuracy"], only["n"]) == (0.9, 0.6, 10)
    assert figures["ece"] == pytest.approx(0.3, abs=1e-6)


def test_missed_beats_cost_sensitivity_and_extra_ones_precision():
    probabilities = np.eye(5, dtype=np.float32)[[2, 2, 2, 0, 0]]
    true = np.int8([2, 2, -1, 0, 0])
    missed = {"a": np.array([0, 0, 2, 0, 0]), "only missed": np.array([1, 0, 0, 0, 0])}
    f = figures_of(probabilities, np.zeros(5, np.float32), true, np.full(5, "a"), missed)
    assert (f["n_beats"], f["n_missed"], f["n_extra"], f["n_patients"]) == (7, 3, 1, 2)
    assert f["extra_called"] == {"N": 0, "S": 0, "V": 1, "F": 0, "Q": 0}
    v = f["classes"]["V"]
    assert (v["n"], v["sensitivity"], v["precision"]) == (4, 0.5, pytest.approx(2 / 3))
    assert f["accuracy"] == pytest.approx(4 / 7)
    assert np.sum(f["confusion"]) == 4, "beats that are annotated and detected"


def test_brier_score_and_coverage_by_patient():
    probabilities = np.float32([[0.6, 0.4, 0, 0, 0], [0.6, 0.4, 0, 0, 0], [1, 0, 0, 0, 0]])
    f = figures_of(probabilities, np.zeros(3, np.float32), np.int8([0, 1, 0]), np.array(["a", "a", "b"]))
    assert f["brier"] == pytest.approx((2 * 0.16 + 2 * 0.36 + 0) / 3)
    assert f["coverage"] == pytest.approx(2 / 3)
    assert f["worst_patient_coverage"] == 0.5
    assert f["classes"]["S"]["coverage"] == 0
    f = figures_of(probabilities, np.zeros(3, np.float32), np.int8([0, 1, 0]), np.array(["a", "a", "b"]), threshold=0.7)
    assert f["inconclusive_share"] == pytest.approx(2 / 3)


def test_the_record_that_hides_the_rest_is_left_out_where_it_occurs(said):
    probabilities, deviation, true, patient = said
    assert "without_232" not in figures_of(*said)
    renamed = np.where(patient == "a", "mitdb-232", np.where(patient == "b", "mitdb-201", "mitdb-100"))
    f = figures_of(probabilities, deviation, true, renamed)
    for record, gone in (("232", "a"), ("202", "b")):
        rest = patient != gone
        alone = figures_of(probabilities[rest], deviation[rest], true[rest], patient[rest])
        assert f[f"without_{record}"]["classes"]["S"]["f1"] == alone["classes"]["S"]["f1"]
        assert f[f"without_{record}"]["macro_f1_nsv"] == alone["macro_f1_nsv"]


def test_j_kappa_is_that_of_its_paper():
    # By hand: kappa of this table and the four rates of S and V.
    true = np.repeat([0, 0, 1, 1, 2, 2], [90, 5, 8, 2, 9, 1]).astype(np.int8)
    guess = np.repeat([0, 1, 1, 0, 2, 0], [90, 5, 8, 2, 9, 1])
    f = figures_of(np.eye(5, dtype=np.float32)[guess], np.zeros(115, np.float32), true, np.full(115, "a"))
    expected = cohen_kappa_score(true, guess) / 2 + (8 / 10 + 8 / 13 + 9 / 10 + 9 / 9) / 8
    assert f["j_kappa"] == pytest.approx(expected)


def test_set_sizes_are_counted_by_class():
    probabilities = np.float32(
        [[0.9, 0.1, 0, 0, 0], [0.6, 0.4, 0, 0, 0], [0.4, 0.6, 0, 0, 0], [0.2, 0.2, 0.2, 0.2, 0.2]]
    )
    true = np.array([0, 0, 1, 2], np.int8)
    sizes = figures_of(probabilities, np.zeros(4, np.float32), true, np.array(["a", "a", "b", "b"]), threshold=0.35)
    assert sizes["set_sizes"]["mean"] == pytest.approx(5 / 4)
    assert sizes["set_sizes"]["more_than_one"] == {"N": 0.5, "S": 1.0, "V": 0.0, "F": None, "Q": None}
