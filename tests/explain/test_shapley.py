"""Exact Shapley values: that they sum, equal what the shap package finds, and what a model worked out by hand gives."""

import numpy as np
import pytest
import shap

from ecg_core.beats import CONTEXT_NAMES, CONTEXT_PLAYERS
from ecg_core.errors import ExplanationError
from ecg_core.explain import compose
from ecg_core.explain.coalitions import IS_IN, coalition_log_odds
from ecg_core.explain.methods.shapley import shapley_values, shapley_weights
from ecg_core.explain.players import FIXED_MS, aligned_normal, sample_player, wave_edges
from ecg_core.explain.reference import ExplainedBeats, reference_of
from ecg_core.explain.target import log_odds
from ecg_core.result import PLAYERS, R_INDEX, WAVE_PLAYERS


def told(model, waveform, context, target):
    return log_odds(model.logits(waveform, context), model.temperature, target)


def test_every_context_feature_has_a_player():
    assert len(CONTEXT_PLAYERS) == len(CONTEXT_NAMES)
    assert set(CONTEXT_PLAYERS) <= set(PLAYERS)
    assert {"previous_rr", "following_rr"} <= set(CONTEXT_PLAYERS), "they own no sample, so they must own features"


def test_values_sum_to_the_log_odds_above_the_normal_beat(shipped, abnormal):
    beats, target = abnormal
    values = shapley_values(shipped, beats, target)
    everything_out = compose(beats, np.ones((len(beats), len(PLAYERS)), np.float32))
    difference = told(shipped, beats.waveform, beats.context, target) - told(shipped, *everything_out, target)
    assert np.abs(difference).max() > 1
    assert values.sum(axis=1) == pytest.approx(difference, abs=1e-4)


def test_values_equal_the_exact_explainer_of_shap_on_the_same_masker(shipped, abnormal):
    beats, target = abnormal
    values = shapley_values(shipped, beats, target)
    for row in (0, 7, 23, 39):
        one, of = beats.select(slice(row, row + 1)), target[row : row + 1]

        def composed(inside, one=one, of=of):
            n = len(inside)
            many = one.select(np.zeros(n, np.int64))
            return told(shipped, *compose(many, 1 - inside.astype(np.float32)), np.repeat(of, n))

        found = shap.explainers.Exact(composed, np.zeros((1, len(PLAYERS))))(np.ones((1, len(PLAYERS)))).values[0]
        assert values[row] == pytest.approx(found, abs=1e-5)


def test_coalitions_are_those_of_the_whole_graph(shipped, abnormal):
    """The cut graph and the 32 shared waveforms change nothing."""
    beats, target = (abnormal[0].select(slice(0, 3)), abnormal[1][:3])
    found = coalition_log_odds(shipped, beats, target)
    for coalition in (0, 1, 37, 64, 90, 127):
        out = np.repeat(~IS_IN[coalition][None], 3, axis=0).astype(np.float32)
        assert found[:, coalition] == pytest.approx(told(shipped, *compose(beats, out), target), abs=1e-5)


def test_weights_by_hand():
    """Of an additive game a player's value is its own part; of a game that needs two, each has half."""
    weights = shapley_weights()
    parts = np.arange(1.0, 8.0)
    assert weights @ (IS_IN @ parts) == pytest.approx(parts)
    needs_both = (IS_IN[:, 1] & IS_IN[:, 4]).astype(float)
    assert weights @ needs_both == pytest.approx([0, 0.5, 0, 0, 0.5, 0, 0])
    assert np.abs(weights.sum(axis=1)).max() < 1e-12, "a constant game moves nobody"


class _Linear:
    """A model worked out by hand: its V log-odds are a weighted sum of samples and features."""

    temperature = 1.0

    def __init__(self, of_samples, of_features):
        self.of_samples, self.of_features = of_samples, of_features
        self.split_classifier = self

    def features(self, waveform):
        return {"waveform": waveform}

    def logits(self, features, context):
        v = features["waveform"][:, :, 0] @ self.of_samples + context @ self.of_features
        logits = np.full((len(v), 5), -np.log(4), np.float32)
        logits[:, 2] = v
        return logits


def test_a_linear_model_by_hand(abnormal):
    """There a player's value is its own samples' and features' difference from the normal beat's, weighted."""
    beats, _ = abnormal
    random = np.random.default_rng(0)
    model = _Linear(
        random.normal(size=256).astype(np.float32), random.normal(size=len(CONTEXT_NAMES)).astype(np.float32)
    )
    values = shapley_values(model, beats, np.full(len(beats), 2))
    of_sample = (beats.waveform[:, :, 0] - aligned_normal(beats)) * model.of_samples
    of_feature = (beats.context - beats.normal_context) * model.of_features
    owner = sample_player(beats)
    for i, player in enumerate(PLAYERS):
        expected = np.where(owner == i, of_sample, 0).sum(axis=1)
        expected += of_feature[:, [name == player for name in CONTEXT_PLAYERS]].sum(axis=1)
        assert values[:, i] == pytest.approx(expected, abs=1e-4)


def test_a_normal_beat_compared_with_itself_has_no_value(shipped, abnormal):
    beats, target = abnormal
    itself = beats.waveform.copy()
    itself[:, :, 0] = beats.normal
    same = ExplainedBeats(
        itself,
        beats.normal_context,
        beats.normal_waves_ms,
        beats.normal,
        beats.normal_context,
        beats.normal_waves_ms,
        beats.own_normal,
    )
    assert np.abs(shapley_values(shipped, same, target)).max() < 1e-5


def test_players_share_the_window_among_them(abnormal):
    beats, _ = abnormal
    owner = sample_player(beats)
    assert (np.diff(owner, axis=1) >= 0).all()
    assert set(np.unique(owner)) == {PLAYERS.index(name) for name in WAVE_PLAYERS}
    assert (owner[:, R_INDEX] == PLAYERS.index("qrs")).all()


def waves(**points):
    names = ("p_on", "p_peak", "p_off", "qrs_on", "qrs_off", "t_on", "t_peak", "t_off")
    return np.array([[points.get(name, np.nan) for name in names]], np.float32)


def with_waves(beats, own, normal):
    one = beats.select(slice(0, 1))
    return ExplainedBeats(one.waveform, one.context, own, one.normal, one.normal_context, normal, one.own_normal)


def test_an_absent_p_wave_is_looked_for_where_the_normal_beat_has_it(abnormal):
    own = waves(qrs_on=-80, qrs_off=80, t_on=160, t_off=360)
    normal = waves(p_on=-180, p_off=-80, qrs_on=-40, qrs_off=48, t_on=140, t_off=320)
    of_beat, of_normal = wave_edges(with_waves(abnormal[0], own, normal))
    to_ms = lambda row: ((row - R_INDEX) * 4).tolist()  # noqa: E731
    assert to_ms(of_beat[0]) == [-220, -120, -80, 80, 160, 360], "140 ms before the QRS, as in the normal beat"
    assert to_ms(of_normal[0]) == [-180, -84, -80, 80, 140, 320], "the QRS player covers the wider of both"


def test_unknown_waves_are_at_fixed_places(abnormal):
    nothing = waves()
    edges = wave_edges(with_waves(abnormal[0], nothing, nothing))[0][0]
    assert ((edges - R_INDEX) * 4).tolist() == FIXED_MS[[0, 2, 3, 4, 5, 7]].astype(int).tolist()


@pytest.mark.parametrize("scale", [10.0, -1.0, 0.0])
def test_impossible_waves_still_give_ascending_edges(abnormal, scale):
    own = waves(p_on=-180, p_off=-80, qrs_on=-40, qrs_off=48, t_on=140, t_off=320) * np.float32(scale)
    one = with_waves(abnormal[0], own, waves())
    for edges in wave_edges(one):
        assert (np.diff(edges, axis=1) > 0).all()
        assert edges.min() >= 1
        assert edges.max() <= 255
    assert np.isfinite(aligned_normal(one)).all()


def test_the_qrs_of_the_normal_beat_is_not_stretched(abnormal):
    own = waves(qrs_on=-100, qrs_off=120, t_on=200, t_off=400)
    one = with_waves(abnormal[0], own, waves(p_on=-180, p_off=-80, qrs_on=-40, qrs_off=48, t_on=140, t_off=320))
    qrs = slice(R_INDEX - 25, R_INDEX + 30)
    assert aligned_normal(one)[0, qrs] == pytest.approx(one.normal[0, qrs], abs=1e-6)


def test_a_recording_without_normal_beats_is_compared_with_the_population(shipped, prepared_207):
    few = np.zeros(len(prepared_207), bool)
    few[:2] = True
    nowhere = np.full((len(prepared_207), 8), np.nan, np.float32)
    found = reference_of(shipped, prepared_207.waveform, prepared_207.context, few, nowhere)
    assert not found.own
    as_beat = np.stack([found.waveform, found.waveform], axis=1)[None]
    assert shipped.classify(as_beat, found.context[None]).argmax() == 0, "it is a normal beat to the model"


@pytest.mark.parametrize("target", [[5], [-1], [0, 1]])
def test_targets_that_are_no_class_are_refused(shipped, abnormal, target):
    with pytest.raises(ExplanationError, match="target"):
        shapley_values(shipped, abnormal[0].select(slice(0, 1)), np.array(target))


def test_a_beat_that_is_not_finite_is_refused(shipped, abnormal):
    one = abnormal[0].select(slice(0, 1))
    broken = one.waveform.copy()
    broken[0, 100, 0] = np.nan
    bad = ExplainedBeats(
        broken, one.context, one.waves_ms, one.normal, one.normal_context, one.normal_waves_ms, one.own_normal
    )
    with pytest.raises(ExplanationError, match="finite"):
        shapley_values(shipped, bad, abnormal[1][:1])


def test_no_beats_have_no_values(shipped, abnormal):
    assert shapley_values(shipped, abnormal[0].select(slice(0, 0)), abnormal[1][:0]).shape == (0, 7)
