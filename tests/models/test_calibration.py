import numpy as np
import pytest

from ecg_core.models.calibration import fit_temperature, negative_log_likelihood, softmax


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
