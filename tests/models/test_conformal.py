import numpy as np
import pytest

from ecg_core.labels import CLASSES
from ecg_core.models import load_model
from ecg_core.models.conformal import COVERAGE, OWN, fit_conformal, prediction_sets
from ecg_core.training.assembling import _conformal


def made_up(n_patients, n_beats=400, seed=0):
    """Patients of unlike difficulty; probabilities that mean what they say within each."""
    random = np.random.default_rng(seed)
    patient = np.repeat([f"p{i:02d}" for i in range(n_patients)], n_beats)
    sureness = np.repeat(random.uniform(2, 60, n_patients), n_beats)
    leaning = random.dirichlet((0.5,) * 5, n_patients * n_beats)
    probabilities = np.stack([random.dirichlet(0.1 + s * p) for s, p in zip(sureness, leaning, strict=True)])
    truth = np.array([random.choice(5, p=p) for p in probabilities], dtype=np.int8)
    return probabilities.astype(np.float32), truth, patient


def thresholds(fitted):
    return [fitted["thresholds"][c] for c in CLASSES]


def coverage_of(sets, truth):
    return sets[np.arange(truth.size), truth].mean()


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_each_class_of_patients_never_seen_is_covered_as_stated(coverage):
    fitted = fit_conformal(*made_up(40), coverage)
    probabilities, truth, _ = made_up(40, seed=1)
    assert fitted["coverage"] == coverage
    sets = prediction_sets(probabilities, thresholds(fitted))
    for name in OWN:
        c = CLASSES.index(name)
        assert coverage_of(sets[truth == c], truth[truth == c]) == pytest.approx(coverage, abs=0.03)
        assert fitted["classes"][name]["coverage"] == pytest.approx(coverage, abs=0.03)


def test_a_rare_class_is_not_left_to_the_frequent_one():
    """One threshold for all would hold .95 of all beats, and none of the rare class."""
    random = np.random.default_rng(0)
    truth = np.where(random.random(20_000) < 0.03, 1, 0).astype(np.int8)
    of_rare = np.where(truth == 1, random.uniform(0.05, 0.6, truth.size), random.uniform(0, 0.06, truth.size))
    probabilities = np.stack([1 - of_rare, of_rare, *np.zeros((3, truth.size))], axis=1).astype(np.float32)
    patient = np.array([f"p{i % 10}" for i in range(truth.size)])
    fitted = fit_conformal(probabilities, truth, patient)
    sets = prediction_sets(probabilities, thresholds(fitted))
    assert coverage_of(sets[truth == 1], truth[truth == 1]) == pytest.approx(0.95, abs=0.02)
    assert fitted["classes"]["S"] == {"coverage": pytest.approx(0.95, abs=0.03), "patients": 10, "own": True}
    assert fitted["classes"]["F"] == {"coverage": None, "patients": 0, "own": False}


def test_a_class_of_too_few_patients_has_no_threshold_of_its_own():
    probabilities, truth, patient = made_up(12)
    truth = np.where((truth == 1) & (patient > "p03"), 0, truth).astype(np.int8)
    classes = fit_conformal(probabilities, truth, patient)["classes"]
    assert [name for name in CLASSES if classes[name]["own"]] == ["N", "V"]


def test_the_threshold_is_the_highest_that_covers():
    probabilities, truth, patient = made_up(5)
    of_n = truth == 0
    threshold = thresholds(fit_conformal(probabilities[of_n], truth[of_n], patient[of_n]))[0]
    scores, weights = probabilities[of_n, 0], 1 / np.array([(patient[of_n] == p).sum() for p in patient[of_n]]) / 5
    assert weights[scores >= np.float32(threshold)].sum() >= COVERAGE
    assert weights[scores > np.float32(threshold)].sum() < COVERAGE


def test_a_patient_with_many_beats_has_no_more_say():
    probabilities, truth, patient = made_up(6)
    repeated = np.concatenate([np.arange(truth.size), np.tile(np.flatnonzero(patient == "p00"), 20)])
    once = thresholds(fit_conformal(probabilities, truth, patient))
    often = thresholds(fit_conformal(probabilities[repeated], truth[repeated], patient[repeated]))
    assert often == pytest.approx(once, abs=1e-3)


def test_each_patient_is_checked_under_the_thresholds_of_the_others():
    truth = np.zeros(600, np.int8)
    patient = np.repeat(["easy", "same", "like", "also", "fifth", "hard"], 100)
    probabilities = np.zeros((600, 5), np.float32)
    probabilities[:500, 0] = np.tile(np.linspace(0.6, 1, 100, dtype=np.float32), 5)
    probabilities[500:, 0] = np.linspace(0, 0.5, 100, dtype=np.float32)
    probabilities[:, 1] = 1 - probabilities[:, 0]
    left_out = fit_conformal(probabilities, truth, patient)["patients"]
    assert left_out["hard"] == 0
    assert left_out["easy"] == left_out["same"] == 1


def test_a_set_may_be_empty_or_hold_several_classes():
    probabilities = np.float32([[0.5, 0.4, 0.1, 0, 0], [0.3, 0.3, 0.2, 0.1, 0.1], [0.9, 0.1, 0, 0, 0]])
    sets = prediction_sets(probabilities, 0.4)
    assert sets.sum(axis=1).tolist() == [2, 0, 1]
    assert sets.shape == (3, len(CLASSES))


def test_a_version_carries_its_sets_from_patients_held_out_in_turn(tiny_model, two_patients):
    conformal = tiny_model.manifest["conformal"]
    assert conformal["coverage"] == COVERAGE
    assert all(0 < conformal["thresholds"][c] < 1 for c in CLASSES)
    assert sorted(conformal["patients"]) == two_patients.patients()
    probabilities = np.float32([[conformal["thresholds"]["N"], 0, 0, 0, 0]])
    assert tiny_model.prediction_sets(probabilities).tolist() == [[True, False, False, False, False]]


def test_patients_of_other_databases_do_not_soften_the_threshold():
    probabilities, truth, patient = made_up(4)
    known = np.array([f"mitdb-{name}" for name in patient])
    easy = np.tile(np.float32([1, 0, 0, 0, 0]), (4000, 1))
    others = np.repeat([f"A{i:05d}" for i in range(40)], 100)
    alone = _conformal(probabilities, truth, known)
    joined = _conformal(
        np.concatenate([probabilities, easy]),
        np.concatenate([truth, np.zeros(4000, np.int8)]),
        np.concatenate([known, others]),
    )
    assert joined == alone


def test_a_version_from_before_prediction_sets_still_scores(tiny_version):
    model = load_model(tiny_version.name, tiny_version.parent)
    del model.manifest["conformal"]
    assert model.prediction_sets(np.float32([[0.75, 0.2, 0.05, 0, 0]])).sum() == 2
    # The first release had one threshold for all classes.
    model.manifest["conformal"] = {"threshold": 0.1}
    assert model.prediction_sets(np.float32([[0.75, 0.2, 0.05, 0, 0]])).sum() == 2
