import numpy as np
import pytest

from ecg_core.models.calibration import fit_biases, fit_temperature, negative_log_likelihood, softmax
from ecg_core.training.figures import class_figures, confusion_matrix


@pytest.fixture
def overconfident():
    """Logits three times as large as the truth they were drawn from."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(6000, 5)).astype(np.float32)
    true = (softmax(logits, 1.0).cumsum(axis=1) > random.uniform(size=(6000, 1))).argmax(axis=1).astype(np.int8)
    return 3 * logits, true


def test_the_temperature_is_found_and_helps_on_beats_it_has_not_seen(overconfident):
    logits, true = overconfident
    temperature = fit_temperature(logits[:3000], true[:3000])
    assert temperature == pytest.approx(3.0, rel=0.15)
    held = (logits[3000:], true[3000:])
    assert negative_log_likelihood(*held, temperature) < negative_log_likelihood(*held, 1.0) - 0.2


def test_the_most_probable_class_stays(overconfident):
    logits, _ = overconfident
    assert (softmax(logits, 4.0).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_rows_sum_to_one_even_for_extreme_logits_and_no_beats():
    extreme = np.float32([[1e4, -1e4, 0, 0, 0], [-1e4] * 5])
    assert softmax(extreme, 0.2).sum(axis=1) == pytest.approx(1)
    assert softmax(np.zeros((0, 5), np.float32), 1.0).shape == (0, 5)


def test_biases_undo_what_oversampling_did():
    random = np.random.default_rng(0)
    truth = random.choice(5, size=20_000, p=[0.9, 0.03, 0.05, 0.015, 0.005]).astype(np.int8)
    logits = random.normal(0, 1, (truth.size, 5)).astype(np.float32)
    logits[np.arange(truth.size), truth] += 2
    # Twice, and with the logarithm of how often each class comes: then they are the true log-odds.
    logits = (2 * logits + np.log([0.9, 0.03, 0.05, 0.015, 0.005])).astype(np.float32)
    shown_too_often = logits + np.array([0, 2, 1.5, 1, 0], np.float32)
    biases = fit_biases(shown_too_often, truth)
    assert biases[0] == 0
    assert biases[1] < -0.5
    assert biases[2] < -0.5
    f1 = [
        np.mean([figures["f1"] for figures in class_figures(confusion_matrix(truth, z.argmax(axis=1))).values()])
        for z in (shown_too_often, shown_too_often + biases)
    ]
    assert f1[1] > f1[0] + 0.02


def test_a_class_without_beats_gets_no_bias():
    random = np.random.default_rng(1)
    logits = random.normal(0, 1, (500, 5)).astype(np.float32)
    biases = fit_biases(logits, random.integers(0, 3, 500).astype(np.int8))
    assert biases[3:].tolist() == [0, 0]
    assert np.isfinite(biases).all()
