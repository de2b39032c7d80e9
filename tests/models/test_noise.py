"""Noise that is added to training recordings, and what is taken of it."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.datasets.mitdb import load_record
from ecg_core.labels import CLASSES
from ecg_core.models import prepare_records
from ecg_core.models.noise import with_noise


@pytest.fixture(scope="module")
def in_noise(mitdb, cache_dir):
    return prepare_records(mitdb, ["119", "209"], "noise", cache_dir)


def test_noise_comes_in_stretches_on_all_leads_and_the_rest_stays_as_it_was(mitdb):
    recording = load_record(mitdb, "119").recording
    noisy, there = with_noise(recording, seed=1)
    added = noisy.signal - recording.signal
    assert 0.1 < there.mean() < 0.5
    assert (added[~there] == 0).all()
    assert (added[there].std(axis=0) > 0.02).all()
    edges = np.flatnonzero(np.diff(there.astype(int)))
    assert len(edges) > 50
    assert np.abs(np.corrcoef(added[there].T)[0, 1]) < 0.9, "each lead has noise of its own"


def test_the_same_seed_makes_the_same_noise_and_another_seed_another(mitdb):
    recording = load_record(mitdb, "119").recording
    one, again, other = (with_noise(recording, seed)[0].signal for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_a_lead_that_says_nothing_gets_no_noise(mitdb):
    recording = load_record(mitdb, "119").recording
    flat = recording.signal.copy()
    flat[:, 1] = 0
    noisy, _ = with_noise(replace(recording, signal=flat), seed=1)
    assert (noisy.signal[:, 1] == 0).all()


def test_false_beats_are_learned_as_unclassifiable_beside_true_ones_that_keep_their_class(in_noise, two_patients):
    counts = np.bincount(in_noise.class_index, minlength=5)
    assert counts[CLASSES.index("Q")] > 30
    assert counts[CLASSES.index("V")] > 50
    assert counts[CLASSES.index("S")] > 50
    assert counts[CLASSES.index("N")] > 50
    assert in_noise.in_noise.all()
    assert not two_patients.in_noise.any()
    assert in_noise.patients() == two_patients.patients()


def test_nothing_is_set_or_judged_by_beats_in_noise(learned_from, two_patients):
    assert not learned_from.annotated()[len(two_patients) :].any()
    recorded = learned_from.without_noise()
    assert (recorded.waveform == two_patients.waveform).all()
    assert two_patients.without_noise() is two_patients
