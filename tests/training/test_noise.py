"""Noise that is added to training recordings, and what is taken of it."""

from dataclasses import replace

import numpy as np
import pytest
import wfdb

from ecg_core.datasets.annotated import load_record
from ecg_core.labels import CLASSES
from ecg_core.training import prepare_records
from ecg_core.training.noise import read_noise, with_noise


@pytest.fixture(scope="module")
def in_noise(mitdb, cache_dir, trees):
    return prepare_records(mitdb, ["119", "209"], "noise", cache_dir, trees)


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


@pytest.fixture(scope="module")
def nstdb(tmp_path_factory):
    """A minute in the files of the Noise Stress Test Database: motion at 3 and 8 Hz, muscle at 25 and 40 Hz."""
    folder = tmp_path_factory.mktemp("nstdb")
    time_s = np.arange(60 * 360) / 360
    for name, hz in (("em", (3.0, 8.0)), ("ma", (25.0, 40.0))):
        signal = np.sin(2 * np.pi * np.array(hz) * time_s[:, None])
        wfdb.wrsamp(name, 360, ["mV"] * 2, ["noise1", "noise2"], signal, fmt=["16"] * 2, write_dir=str(folder))
    return folder


@pytest.mark.parametrize("rate", [360, 250])
def test_recorded_noise_is_added_where_it_is_at_hand(mitdb, nstdb, rate):
    recording = replace(load_record(mitdb, "119").recording, sampling_rate_hz=rate)
    recorded = read_noise(nstdb)
    (noisy, there), (made, where) = with_noise(recording, 1, recorded), with_noise(recording, 1)
    assert (there == where).all()
    added = noisy.signal - recording.signal
    assert (added[~there] == 0).all()
    # How much of it is motion is drawn for each lead; all in all it is as strong as what is made.
    assert 0.5 < added[there].std() / (made.signal - recording.signal)[there].std() < 2
    power = np.square(np.abs(np.fft.rfft(added[:, 0])))
    hz = np.fft.rfftfreq(len(added), 1 / rate)
    near = np.any([np.abs(hz - of) < 1.5 for of in (3, 8, 25, 40)], axis=0)
    assert power[near].sum() > 0.9 * power.sum()


def test_noise_that_is_not_whole_is_not_used(nstdb, tmp_path):
    assert read_noise(tmp_path) is None
    (tmp_path / "em.hea").write_bytes((nstdb / "em.hea").read_bytes())
    assert read_noise(tmp_path) is None


def test_beats_in_recorded_noise_are_kept_apart_from_those_in_made_noise(mitdb, nstdb, in_noise, cache_dir, trees):
    def beats():
        return prepare_records(mitdb, ["119"], "noise", cache_dir, trees, read_noise(nstdb))

    of_119 = in_noise.select(in_noise.record == "119")
    assert len(beats()) != len(of_119) or (beats().waveform != of_119.waveform).any()
    assert (beats().class_index == CLASSES.index("Q")).any()
    again = prepare_records(mitdb, ["119"], "noise", cache_dir, trees)
    assert (again.waveform == of_119.waveform).all()


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
