"""On the shipped model and real beats of deciding patients."""

import numpy as np
import pytest

from ecg_core.errors import ExplanationError
from ecg_core.explain import METHODS, beats_of_recording
from ecg_core.explain.cam import gradient_maps
from ecg_core.explain.segments import segment_shares
from ecg_core.explain.target import log_odds_model
from ecg_core.result import R_INDEX
from ecg_core.training import prepare_records


@pytest.fixture(scope="module")
def model(shipped):
    return shipped


@pytest.fixture(scope="module")
def beats(mitdb, model, tmp_path_factory, trees):
    """Beats of record 207: (waveform, context, predicted class), some of each class that the model names."""
    prepared = prepare_records(mitdb, ["207"], "detected", tmp_path_factory.mktemp("beats"), trees)
    called = model.classify(prepared.waveform, prepared.context).argmax(axis=1)
    rows = np.sort(np.concatenate([np.flatnonzero(called == c)[:6] for c in (0, 1, 2)]))
    assert set(called[rows]) == {0, 1, 2}
    return prepared.waveform[rows], prepared.context[rows], called[rows].astype(np.int8)


def explained(method, model, waveform, context, target):
    """Samples and features by a method; the normal beat beside them is the population's."""
    nobody = np.zeros(len(waveform), bool)
    given = METHODS[method](model, beats_of_recording(model, waveform, context, nobody), target)
    return given.samples, given.context


def log_odds(model, waveform, context, target):
    probabilities = model.classify(waveform, context).astype(np.float64)
    p = probabilities[np.arange(len(target)), target]
    return np.log(p / (1 - p))


def test_what_is_explained_is_the_log_odds_of_the_printed_probability(model, beats):
    waveform, context, target = beats
    odds = np.asarray(log_odds_model(model)([waveform, context]))[np.arange(len(target)), target]
    by_probability = log_odds(model, waveform, context, target)
    # Where p is nearly 1, single precision has no digits left for 1 - p.
    clear = np.abs(by_probability) < 8
    assert clear.any()
    assert odds[clear] == pytest.approx(by_probability[clear], abs=0.01)


def test_maps_are_within_zero_and_one_for_every_class(model, beats):
    waveform, context, _ = beats
    for c in range(5):
        for values in gradient_maps(model, waveform, context, np.full(len(waveform), c)):
            assert values.shape == (len(waveform), 256)
            assert values.dtype == np.float32
            assert values.min() >= 0
            assert values.max(axis=1) == pytest.approx(values.max(axis=1).round(), abs=1e-6), "1, or 0 where empty"
    of_own, _ = explained("gradcam", model, *beats)
    assert (of_own.max(axis=1) == 1).mean() > 0.5


def test_saliency_is_the_gradient_of_the_log_odds(model, beats):
    waveform, context, target = (x[:4] for x in beats)
    graph = log_odds_model(model)
    own = np.arange(len(target)), target
    found, _ = explained("saliency", model, waveform, context, target)
    by_difference = np.zeros_like(found)
    step = 3e-3  # smaller, and the differences of the surest beats drown in single precision
    samples = range(60, 160, 4)
    for sample in samples:
        either_side = []
        for sign in (step, -step):
            moved = waveform.copy()
            moved[:, sample, 0] += sign
            either_side.append(np.asarray(graph([moved, context]))[own])
        by_difference[:, sample] = np.abs(either_side[0] - either_side[1]) / (2 * step)
    for row in range(len(target)):
        a, b = found[row, list(samples)], by_difference[row, list(samples)]
        assert np.corrcoef(a, b)[0, 1] > 0.97
        scale = (a @ b) / (a @ a)
        assert np.abs(a * scale - b).max() < 0.15 * b.max(), "up to one positive factor, as its maximum is set to 1"


def test_a_beat_is_explained_alike_alone_and_among_others(model, beats):
    waveform, context, target = beats
    many = np.resize(np.arange(len(target)), 300)
    together = gradient_maps(model, waveform[many], context[many], target[many])
    alone = gradient_maps(model, waveform[3:4], context[3:4], target[3:4])
    for a, t in zip(alone, together, strict=True):
        assert a[0] == pytest.approx(t[3], abs=1e-3)
        assert a[0] == pytest.approx(t[3 + 2 * len(target)], abs=1e-3)


def test_no_beats_give_no_maps(model, beats):
    waveform, context, target = (x[:0] for x in beats)
    assert [maps.shape for maps in gradient_maps(model, waveform, context, target)] == [(0, 256)] * 2
    samples, rhythm = explained("shap", model, waveform, context, target)
    assert samples.shape == (0, 256)
    assert rhythm.shape == context.shape
    assert segment_shares(samples).shape == (0, 3)


@pytest.mark.parametrize("method", METHODS)
def test_a_beat_that_is_not_finite_is_refused(method, model, beats):
    waveform = beats[0][:1].copy()
    waveform[0, 100, 0] = np.nan
    with pytest.raises(ExplanationError):
        explained(method, model, waveform, beats[1][:1], beats[2][:1])


def test_shap_values_sum_to_the_log_odds_above_the_background(model, beats):
    waveform, context, target = beats
    samples, rhythm = explained("shap", model, waveform, context, target)
    graph = log_odds_model(model)
    base = np.asarray(graph(list(model.background()))).mean(axis=0)[target]
    odds = np.asarray(graph([waveform, context]))[np.arange(len(target)), target]
    assert samples.sum(axis=1) + rhythm.sum(axis=1) == pytest.approx(odds - base, abs=0.01)
    assert (samples != 0).any(axis=1).all()


def test_prematurity_speaks_for_s(model, beats):
    waveform, context, target = beats
    of_s = target == 1
    _, rhythm = explained("shap", model, waveform[of_s], context[of_s], target[of_s])
    assert rhythm.sum(axis=1).mean() > 0


def test_shares_follow_the_stretches():
    values = np.zeros((3, 256), np.float32)
    values[0, R_INDEX] = -2.0
    values[1, 0] = 1.0
    values[1, 255] = -3.0
    shares = segment_shares(values)
    assert shares[:2].tolist() == [[0, 1, 0], [0.25, 0, 0.75]]
    assert np.isnan(shares[2]).all(), "no attribution at all"
    assert segment_shares(np.ones((1, 256), np.float32))[0] == pytest.approx([85 / 256, 40 / 256, 131 / 256])
    assert np.isnan(segment_shares(np.full((1, 256), np.inf, np.float32))).all()
