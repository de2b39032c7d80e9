"""The deviation: low for normal beats, high for ectopic ones, with and without the recording's own level."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.models.deviation import WAVES, Yardstick, fit_yardstick, recordings_of, without_own_level
from ecg_core.training.augment import spoil
from ecg_core.training.figures import deviation_figures
from ecg_core.training.train import RECIPES

NORMAL_WAVES_MS = np.array([-200, -150, -100, -50, 50, 150, 250, 350], np.float32)


@pytest.fixture(scope="module")
def measured(tiny_model, deciding):
    """What one pass over two other patients makes of 223 and 207."""
    reconstruction, deviation = tiny_model.reconstruct(deciding.waveform, deciding.context)
    return deciding.waveform[:, :, 0] - reconstruction, deviation


def test_held_out_ventricular_beats_lie_far_from_normal_and_normal_ones_do_not(deciding, measured):
    deviation, of_223 = (x[deciding.record == "223"] for x in (measured[1], deciding.class_index))
    assert np.median(deviation[of_223 == 2]) > np.median(deviation[of_223 == 0]) + 1
    assert roc_auc_score(of_223[of_223 != 1] == 2, deviation[of_223 != 1]) > 0.9


def test_the_normal_beats_it_was_measured_on_have_mean_0_and_spread_1(components, two_patients):
    with np.load(components[1] / "held_out.npz", allow_pickle=False) as said:
        leftover = said["answer"]
    is_normal = two_patients.class_index == 0
    y = fit_yardstick(leftover, two_patients.context, recordings_of(two_patients.waveform), is_normal)
    of_normal = y.deviation(leftover, two_patients.context)[is_normal]
    assert (of_normal.mean(), of_normal.std()) == pytest.approx((0, 1), abs=1e-3)


def test_a_noisy_lead_raises_the_score_and_not_what_is_left_without_its_own_level(deciding, measured):
    group = recordings_of(deciding.waveform)
    noisy = measured[1] + np.float32(2)
    assert without_own_level(noisy, group) == pytest.approx(without_own_level(measured[1], group), abs=1e-4)
    for g in np.unique(group):
        own = without_own_level(measured[1], group)[group == g]
        assert (own < 0).mean() == pytest.approx(0.15, abs=0.02)


def test_an_early_beat_deviates_unless_all_of_the_rhythm_is_irregular(tiny_model):
    context = np.zeros((3, len(CONTEXT_NAMES)), np.float32)
    context[1:, CONTEXT_NAMES.index("rr_prev_to_local_upper")] = -1.5
    context[2, CONTEXT_NAMES.index("rr_irregularity")] = 2.0
    leftover = np.tile(np.asarray(tiny_model.yardstick.spread, np.float32), (3, 1))
    in_time, early, in_fibrillation = tiny_model.yardstick.deviation(leftover, context)
    assert early > in_fibrillation > in_time


def test_each_wave_answers_for_itself(tiny_model):
    y = tiny_model.yardstick
    leftover = np.tile(np.asarray(y.spread, np.float32), (4, 1))
    for row, (on, off) in enumerate(WAVES.values(), start=1):
        leftover[row, 100 + round(on / 4) : 101 + round(off / 4)] *= 8
    z = y.by_wave(leftover, np.tile(NORMAL_WAVES_MS, (4, 1)))
    assert z.shape == (4, 3)
    assert z[1:].argmax(axis=1).tolist() == [0, 1, 2]
    assert (np.diag(z[1:]) > z[0] + 1).all()


def test_a_wave_that_is_absent_or_outside_the_window_has_no_score(tiny_model):
    waves = np.tile(NORMAL_WAVES_MS, (4, 1))
    waves[0, :3] = np.nan
    waves[1, 7] = 900
    waves[2, 5], waves[2, 7] = 350, 150
    waves[3, 0] = -410
    z = tiny_model.yardstick.by_wave(np.ones((4, 256), np.float32), waves)
    assert np.isnan(z).tolist() == [[True, False, False], *[[False, False, True]] * 2, [True, False, False]]
    assert tiny_model.yardstick.by_wave(np.ones((0, 256), np.float32), waves[:0]).shape == (0, 3)


def test_recordings_are_told_apart_by_their_dominant_beat(two_patients, deciding):
    groups = np.unique(recordings_of(two_patients.waveform)).size
    assert groups == 6, "two records: two leads, and the first again with what both say"
    for g in np.unique(recordings_of(deciding.waveform)):
        assert np.unique(deciding.record[recordings_of(deciding.waveform) == g]).size == 1
    assert recordings_of(deciding.waveform[:0]).shape == (0,)


def test_the_manifest_gives_the_same_yardstick_back(tiny_model):
    y = tiny_model.yardstick
    assert Yardstick.of({"deviation": y.as_json()}) == y
    assert len(y.spread) == 256
    with pytest.raises(KeyError):
        Yardstick.of({"deviation": {"log_error_mean": 0.0, "log_error_sd": 1.0}})


def test_areas_have_an_interval_over_patients_that_holds_them():
    random = np.random.default_rng(4)
    n = 6000
    class_index = random.choice(5, n, p=[0.8, 0.08, 0.09, 0.02, 0.01]).astype(np.int8)
    patient = random.choice([f"p{i}" for i in range(12)], n)
    deviation = (random.normal(size=n) + 1.5 * (class_index == 2) + 0.8 * (class_index == 1)).astype(np.float32)
    figures = deviation_figures(deviation, class_index, patient)
    for name in ("abnormal", "vf", "s", "v"):
        assert figures[f"auc_{name}_low"] < figures[f"auc_{name}"] < figures[f"auc_{name}_high"]
    of_v = np.isin(class_index, [0, 2])
    assert figures["auc_v"] == pytest.approx(roc_auc_score(class_index[of_v] == 2, deviation[of_v]))
    few = deviation_figures(deviation, np.where(patient == "p1", class_index, 0).astype(np.int8), patient)
    assert few["auc_v_low"] is None, "one patient says nothing about the next"
    assert deviation_figures(deviation, np.zeros(n, np.int8), patient)["auc_abnormal"] is None


def test_spoiling_changes_half_of_the_beats_and_never_the_dominant_one(two_patients):
    waveform = two_patients.waveform[:600]
    spoilt = spoil(waveform, np.random.default_rng(2))
    assert (spoilt[:, :, 1] == waveform[:, :, 1]).all()
    changed = np.any(spoilt[:, :, 0] != waveform[:, :, 0], axis=1)
    assert 0.4 < changed.mean() < 0.6
    assert np.isfinite(spoilt).all()


def test_the_bottleneck_is_the_one_that_held_out_patients_choose(components):
    import json

    facts = json.loads((components[1] / "component.json").read_text())
    # The tiny version tries fewer sizes than the flagship does.
    sizes = {str(size) for size in RECIPES["autoencoder"].sizes}
    assert len(facts["held_out_scores"]) > 1
    assert set(facts["held_out_scores"]) <= sizes
    best = max(facts["held_out_scores"], key=lambda size: max(facts["held_out_scores"][size]))
    assert facts["size"] == int(best)


def test_the_autoencoder_is_not_trained_on_abnormal_beats(two_patients):
    broken = dataclasses.replace(two_patients, waveform=two_patients.waveform.copy())
    broken.waveform[broken.class_index != 0] = np.nan
    from ecg_core.training import TrainingOptions

    _, _, passes = RECIPES["autoencoder"].start(broken, TrainingOptions(epochs=1), 2)
    assert all(np.isfinite(part).all() for batch in (passes[i] for i in range(len(passes))) for part in batch)
