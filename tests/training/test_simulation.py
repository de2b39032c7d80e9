"""The generator of rare rhythms: what it draws, and that it lends no patient's beats to another."""

import numpy as np
import pytest

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.labels import CLASSES
from ecg_core.training.simulation import (
    RHYTHMS,
    fibrillation,
    mostly_ectopic,
    respiratory,
    simulate,
    sporadic,
    stretch,
    ventricular,
    ventricular_shapes,
)


def column(beats, name):
    return beats.context[:, CONTEXT_NAMES.index(name)]


@pytest.fixture(scope="module")
def lead(two_patients):
    own = two_patients.select(two_patients.record == "119")
    return own.select((own.waveform[:, :, 1] == own.waveform[0, :, 1]).all(axis=1))


@pytest.fixture(scope="module")
def simulated(two_patients):
    return simulate(two_patients, 3, seed=4)


@pytest.fixture(scope="module")
def shapes(two_patients):
    return ventricular_shapes(two_patients, np.random.default_rng(0))


@pytest.mark.parametrize("draw", [*(draw for draw, _ in RHYTHMS), ventricular], ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("n", [40, 41, 399])
def test_every_rhythm_has_intervals_of_a_heart(draw, n):
    for seed in range(5):
        rhythm = draw(n, np.random.default_rng(seed))
        assert rhythm.rr_ms.shape == rhythm.is_ectopic.shape == (n,)
        assert np.isfinite(rhythm.rr_ms).all()
        assert rhythm.rr_ms.min() > 100
        assert rhythm.rr_ms.max() < 8000


def test_most_beats_are_ectopic_where_they_should_be_and_few_where_not():
    shares = [mostly_ectopic(300, np.random.default_rng(seed)).is_ectopic.mean() for seed in range(20)]
    assert np.mean(shares) > 0.5
    assert np.mean([sporadic(300, np.random.default_rng(seed)).is_ectopic.mean() for seed in range(20)]) < 0.15
    for draw in (respiratory, fibrillation):
        assert not draw(300, np.random.default_rng(0)).is_ectopic.any()


def test_ectopic_beats_come_early():
    rhythm = sporadic(300, np.random.default_rng(1))
    assert np.median(rhythm.rr_ms[rhythm.is_ectopic]) < 0.93 * np.median(rhythm.rr_ms[~rhythm.is_ectopic])


def test_simulated_beats_belong_to_the_patient_who_lent_them(simulated, two_patients):
    assert set(simulated.patients()) <= set(two_patients.patients())
    assert all(name.startswith("sim-") for name in simulated.records())
    assert np.isfinite(simulated.context).all()
    assert np.isfinite(simulated.waveform).all()
    assert (simulated.class_index == CLASSES.index("S")).sum() > 50
    assert (simulated.class_index == CLASSES.index("V")).sum() > 20


def test_the_same_seed_gives_the_same_beats_and_another_seed_others(two_patients, simulated):
    again = simulate(two_patients, 3, seed=4)
    assert (again.context == simulated.context).all()
    other = simulate(two_patients, 3, seed=5)
    assert other.context.shape != simulated.context.shape or (other.context != simulated.context).any()


def test_a_simulated_stretch_looks_like_the_recording_it_is_made_of(lead, shapes):
    random = np.random.default_rng(2)
    made = stretch(lead, sporadic(200, random), random, shapes)
    normal = made.class_index == 0
    assert np.median(column(made, "qrs_unlike_template")) < 0.1
    like = np.corrcoef(made.waveform[0, 60:150, 1], lead.waveform[0, 60:150, 1])[0, 1]
    assert like > 0.9, "its dominant beat is the recording's"
    early = column(made, "rr_prev_to_local_upper")
    assert np.median(early[~normal]) < np.median(early[normal]) - 0.2


def test_p_waves_are_missing_in_simulated_fibrillation(lead, shapes):
    random = np.random.default_rng(3)
    sinus = stretch(lead, sporadic(200, random), random, shapes)
    fibrillating = stretch(lead, fibrillation(200, random), random, shapes)
    assert np.median(column(fibrillating, "p_like_neighbour")) < np.median(column(sinus, "p_like_neighbour"))
    assert np.median(column(fibrillating, "rr_irregularity")) > np.median(column(sinus, "rr_irregularity")) + 0.3


def test_a_recording_in_fibrillation_lends_nothing(lead):
    context = lead.context.copy()
    context[:, CONTEXT_NAMES.index("af_probability")] = 0.9
    fibrillates = type(lead)(lead.waveform, context, lead.class_index, lead.record, lead.patient)
    assert len(simulate(fibrillates, 3, seed=1)) == 0


def test_a_v_shape_of_any_patient_beats_among_a_patients_own(lead, shapes):
    random = np.random.default_rng(5)
    made = stretch(lead, ventricular(300, random), random, shapes)
    is_v = made.class_index == CLASSES.index("V")
    assert 0 < is_v.sum() < 150
    unlike = column(made, "qrs_unlike_template")
    assert np.median(unlike[is_v]) > np.median(unlike[~is_v]) + 0.3
    assert np.median(column(made, "p_like_template")[is_v]) < np.median(column(made, "p_like_template")[~is_v])


def test_where_nobody_has_v_beats_none_are_made(two_patients):
    normal = two_patients.select(two_patients.class_index == 0)
    assert ventricular_shapes(normal, np.random.default_rng(0)).shape == (0, 170)
    assert not (simulate(normal, 3, seed=4).class_index == CLASSES.index("V")).any()
