"""Grad-CAM and SHAP of a network over pictures: against what a small one, whose weights are known, must give."""

import numpy as np
import pytest

from ecg_core.explain.recurrence import carried_back, recurrence_gradcam, recurrence_shap

SIDE = 20


@pytest.fixture(scope="module")
def known():
    """A network that looks at lead 1 alone: log-odds are 4 times its mean, less 1."""
    import keras

    pictures = keras.Input((SIDE, SIDE, 2))
    maps = keras.layers.Conv2D(1, 1, use_bias=False, name="maps")(pictures)
    mean = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(pictures, keras.layers.Dense(1, activation="sigmoid", name="answer")(mean))
    model.get_layer("maps").set_weights([np.array([0.0, 1.0], np.float32).reshape(1, 1, 2, 1)])
    model.get_layer("answer").set_weights([np.array([[4.0]], np.float32), np.array([-1.0], np.float32)])
    return model


@pytest.fixture(scope="module")
def picture():
    """Bright where stretch 3 meets stretch 12, in lead 1; lead 0 is bright elsewhere."""
    made = np.zeros((1, SIDE, SIDE, 2), np.float32)
    made[0, 3, 12, 1] = made[0, 12, 3, 1] = 1
    made[0, 7, 7, 0] = 1
    return made


def test_shap_is_exact_where_the_log_odds_are_a_sum(known, picture):
    background = np.zeros((3, SIDE, SIDE, 2), np.float32)
    values = recurrence_shap(known, picture, background, 0, draws=8)
    assert values.shape == (1, SIDE, 2)
    expected = np.zeros((SIDE, 2))
    expected[[3, 12], 1] = 4 / SIDE**2
    assert values[0] == pytest.approx(expected, abs=1e-6)


def test_gradcam_lights_up_the_two_stretches_that_meet(known, picture):
    relevance = recurrence_gradcam(known, "maps", picture, 0)
    assert relevance.shape == (1, SIDE)
    assert set(np.flatnonzero(relevance[0] > 0.5)) == {3, 12}
    assert relevance.max() == 1
    assert (recurrence_gradcam(known, "maps", picture * 0, 0) == 0).all()


def test_what_is_carried_back_keeps_its_sum():
    values = np.random.default_rng(0).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    assert carried_back(values).sum(axis=1) == pytest.approx(values.sum(axis=(1, 2)), abs=1e-4)
