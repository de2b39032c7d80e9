"""Every method behind the one interface, on the shipped model and real beats."""

import json
import pkgutil

import numpy as np
import pytest

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.errors import ExplanationError
from ecg_core.explain import METHODS, compose, methods
from ecg_core.explain.blend import smallest_blends
from ecg_core.explain.cam import has_convolution
from ecg_core.explain.coalitions import IS_IN
from ecg_core.explain.methods.lime import lime_matrix
from ecg_core.explain.target import log_odds
from ecg_core.models.onnx_files import export_onnx
from ecg_core.models.version import LoadedModel
from ecg_core.result import PLAYERS
from ecg_core.result.methods import ATTRIBUTION_METHODS, MAPS, is_signed

NEEDED = {"gradcam": "no convolution", "guided_gradcam": "no convolution", "shap": "DeepExplainer"}
"""What the message says of a model that a method cannot explain."""


def log_odds_of(model, waveform, context, target):
    return log_odds(model.logits(waveform, context), model.temperature, target)


@pytest.fixture(scope="module")
def few(abnormal):
    beats, target = abnormal
    rows = np.array([0, 1, 2, 20, 21, 22])
    return beats.select(rows), target[rows]


@pytest.fixture(scope="module")
def recurrent(shipped, tmp_path_factory):
    """A version whose classifier is an LSTM: untrained, since only what can be computed of it is asked."""
    import keras
    from keras import layers

    waveform, context = keras.Input((256, 2), name="waveform"), keras.Input((len(CONTEXT_NAMES),), name="context")
    seen = layers.LSTM(6)(layers.AveragePooling1D(8)(waveform))
    classifier = keras.Model([waveform, context], layers.Dense(5)(layers.Concatenate()([seen, context])))
    folder = tmp_path_factory.mktemp("lstm")
    classifier.save(folder / "cnn.keras")
    export_onnx(classifier, folder / "cnn.onnx")
    (folder / "background.npz").write_bytes((shipped.folder / "background.npz").read_bytes())
    return LoadedModel(folder, {**json.loads(json.dumps(shipped.manifest)), "version": "lstm-untrained"})


@pytest.mark.parametrize("name", METHODS)
def test_all_methods_speak_of_the_players(name, shipped, few):
    beats, target = few
    found = METHODS[name](shipped, beats, target)
    assert found.players.shape == found.absolute.shape == (6, len(PLAYERS))
    assert (found.absolute >= np.abs(found.players) - 1e-6).all()
    # Of an unsigned map a beat may have none: nothing in its shape speaks for the class.
    speaks = found.absolute.sum(axis=1) > 0
    assert speaks.all() if is_signed(name) else speaks.any()
    assert found.units().shape[0] == 6
    assert (found.samples is not None) == (name in MAPS)
    if not is_signed(name):
        assert found.samples.min() >= 0
        assert found.samples.max(axis=1) == pytest.approx(speaks.astype(float))


@pytest.mark.parametrize("name", METHODS)
def test_a_beat_is_explained_alike_alone_and_among_others(name, shipped, few):
    beats, target = few
    alone = METHODS[name](shipped, beats.select(slice(4, 5)), target[4:5])
    assert alone.players[0] == pytest.approx(METHODS[name](shipped, beats, target).players[4], abs=2e-3)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("target", [[7], [-1], [0, 0]])
def test_targets_that_are_no_class_are_refused(name, target, shipped, few):
    with pytest.raises(ExplanationError, match="target"):
        METHODS[name](shipped, few[0].select(slice(0, 1)), np.array(target))


@pytest.mark.parametrize("name", METHODS)
def test_no_beats_give_no_attribution(name, shipped, few):
    found = METHODS[name](shipped, few[0].select(slice(0, 0)), few[1][:0])
    assert found.players.shape == (0, len(PLAYERS))


def test_integrated_gradients_sum_to_the_log_odds_above_the_normal_beat(shipped, few):
    beats, target = few
    found = METHODS["integrated_gradients"](shipped, beats, target)
    nothing_own = compose(beats, np.ones((len(beats), len(PLAYERS)), np.float32))
    own = log_odds_of(shipped, beats.waveform, beats.context, target)
    difference = own - log_odds_of(shipped, *nothing_own, target)
    assert found.players.sum(axis=1) == pytest.approx(difference, rel=0.05, abs=0.3), "32 steps of the midpoint rule"


@pytest.mark.parametrize("name", METHODS)
def test_a_recurrent_model_is_explained_by_every_method_that_needs_no_convolution(name, recurrent, few):
    assert not has_convolution(recurrent)
    if name in NEEDED:
        with pytest.raises(ExplanationError, match=NEEDED[name]):
            METHODS[name](recurrent, *few)
    else:
        assert np.isfinite(METHODS[name](recurrent, *few).players).all()


def test_every_module_of_a_method_is_declared():
    assert {module.name for module in pkgutil.iter_modules(methods.__path__)} == set(ATTRIBUTION_METHODS)


def test_lime_fits_a_sum_of_players():
    """Of an additive game it finds the parts, drawn toward 0 by the ridge alike for all."""
    parts = np.array([3.0, -1, 0, 2, 0.5, 0, 1])
    found = lime_matrix() @ (IS_IN @ parts + 10)
    assert np.corrcoef(found, parts)[0, 1] > 0.95
    assert np.abs(found).max() < 3
    assert lime_matrix() @ np.ones(128) == pytest.approx(np.zeros(7), abs=1e-9), "a constant moves nobody"


def test_the_blend_turns_the_class_and_a_little_less_does_not(shipped, few):
    beats, target = few
    blends = smallest_blends(shipped, beats)
    assert all(0 < blend.share <= 1 for blend in blends), "each has a normal beat of its own that is called N"
    for row, blend in enumerate(blends):
        for share, turned in ((blend.share, True), (blend.share - 0.002, False)):
            out = np.full((1, len(PLAYERS)), share, np.float32)
            called = shipped.logits(*compose(beats.select(slice(row, row + 1)), out)).argmax()
            assert (called != target[row]) == turned
        assert set(blend.by_player) == set(PLAYERS)
        assert blend.turns_to != "NSVFQ"[target[row]]


def test_a_blend_that_never_turns_the_class_is_not_known(shipped, few, abnormal):
    beats, _ = few
    itself = beats.select(slice(0, 1))
    still = type(itself)(
        itself.waveform,
        itself.context,
        itself.waves_ms,
        itself.waveform[:, :, 0],
        itself.context,
        itself.waves_ms,
        itself.own_normal,
    )
    [blend] = smallest_blends(shipped, still)
    assert np.isnan(blend.share)
    assert blend.turns_to == ""
