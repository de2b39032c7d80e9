"""Irregularity on intervals with known answers; the probability on generated and real recordings, and on nothing."""

import numpy as np
import pytest

from ecg_core.beats import af_probability, af_probability_at_beats, extract_from_primary_lead, summarise_rhythm
from ecg_core.beats.fibrillation import FEATURE_NAMES, rhythm_features, rhythm_probabilities
from ecg_core.beats.irregularity import IRREGULARITY_NAMES, irregularity
from ecg_core.datasets.synth import synthesise
from ecg_core.formats import read_recording
from ecg_core.labels import CLASSES
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal import analyse
from ecg_core.signal.fourier import row_quantiles


def described(*rows):
    longest = max(map(len, rows))
    filled = np.full((len(rows), longest), np.nan, np.float32)
    for i, row in enumerate(rows):
        filled[i, : len(row)] = row
    return [dict(zip(IRREGULARITY_NAMES, figures, strict=True)) for figures in irregularity(filled)]


def beats_of(recording):
    return extract_from_primary_lead(analyse(recording), None)


def arguments(beats):
    return beats.windows_mv, beats.r_index / ANALYSIS_RATE_HZ, beats.rr_prev_ms, beats.analysable


def test_figures_of_a_regular_and_of_an_alternating_row():
    regular, alternating = described([0.8] * 40, [0.6, 1.0] * 20)
    assert regular["median_rr_s"] == pytest.approx(0.8)
    assert regular["rr_spread"] == pytest.approx(0, abs=1e-6)
    assert regular["turning_points"] == 0
    assert regular["changes_near_origin"] == 1
    # Two of 38 may not match: each interval matches 38 others, and the one that ends the row goes on nowhere.
    assert regular["sample_entropy_6_percent"] == pytest.approx(0, abs=0.001)
    assert alternating["rr_spread"] == pytest.approx(0.25)
    assert alternating["change_median"] == pytest.approx(0.5)
    assert alternating["turning_points"] == 1
    assert alternating["correlation_lag_1"] == pytest.approx(-1, abs=0.01)
    assert alternating["correlation_lag_2"] == pytest.approx(1, abs=0.01)
    assert alternating["rr_entropy"] == pytest.approx(np.log(2), abs=0.01)
    # Half of the pairs of changes are early, then late.
    assert alternating["early_then_late"] == pytest.approx(0.5, abs=0.02)


def test_a_gap_is_no_change():
    gap = described([0.8] * 10 + [np.nan] + [1.2] * 10)[0]
    assert gap["change_90th"] == 0
    assert gap["change_over_5_percent"] == 0


def test_a_row_does_not_depend_on_the_others():
    random = np.random.default_rng(0)
    rows = [random.uniform(0.4, 1.2, n) for n in (9, 40, 70)]
    together = described(*rows)
    for row, figures in zip(rows, together, strict=True):
        assert described(row)[0] == pytest.approx(figures, rel=1e-5)


def test_nothing_known_gives_no_figure_and_no_error():
    with np.errstate(all="raise"):
        empty = irregularity(np.full((2, 5), np.nan, np.float32))
    assert empty.shape == (2, len(IRREGULARITY_NAMES))
    assert np.isnan(empty[:, 0]).all()
    assert irregularity(np.zeros((0, 5), np.float32)).shape == (0, len(IRREGULARITY_NAMES))


@pytest.mark.parametrize("q", [0, 0.1, 0.5, 0.9, 1])
def test_quantile_is_numpys(q):
    random = np.random.default_rng(1)
    values = random.normal(size=(20, 13))
    values[random.random(values.shape) < 0.3] = np.nan
    assert row_quantiles(values, q) == pytest.approx(np.nanquantile(values, q, axis=1))


def test_shipped_trees_know_these_features(trees):
    assert trees.feature.max() < len(FEATURE_NAMES)
    assert (2 * np.array([0, 1, 2]) + 2).max() < trees.feature.shape[1]
    assert np.isfinite(trees.value).all()
    probabilities = trees.probabilities(np.full((3, len(FEATURE_NAMES)), np.nan, np.float32))
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_generated_fibrillation_is_told_from_a_generated_sinus_rhythm(seed, trees):
    fibrillating = beats_of(synthesise(120.0, af=True, seed=seed).recording)
    regular = beats_of(synthesise(120.0, seed=seed).recording)
    assert af_probability(*arguments(fibrillating), 120.0, trees).mean() > 0.5
    assert af_probability(*arguments(regular), 120.0, trees).max() < 0.2


def test_real_fibrillation_is_told(mitdb, trees):
    fibrillating = beats_of(read_recording(mitdb / "203.hea", b""))
    regular = beats_of(read_recording(mitdb / "112.hea", b""))
    assert np.median(af_probability(*arguments(fibrillating), 1805.0, trees)) > 0.5
    assert af_probability(*arguments(regular), 1805.0, trees).max() < 0.3
    at_beats = af_probability_at_beats(*arguments(fibrillating), trees)
    assert at_beats.shape == (len(fibrillating),)
    assert np.median(at_beats) > 0.5


def test_windows_are_30_s_and_a_rest_has_none(trees):
    beats = beats_of(synthesise(100.0, seed=4).recording)
    assert af_probability(*arguments(beats), 100.0, trees).shape == (3,)
    short = beats_of(synthesise(12.0, seed=4).recording)
    assert af_probability(*arguments(short), 12.0, trees).shape == (1,)
    # A window may begin anywhere, and knows nothing of the beats outside.
    features = rhythm_features(*arguments(beats), np.array([0.0, 17.0, 17.0]))
    assert np.array_equal(features[1], features[2])


@pytest.mark.parametrize("n", [0, 1, 8])
def test_too_few_beats_are_unknown(n, trees):
    beats = beats_of(synthesise(60.0, seed=5).recording)
    few = [values[:n] for values in arguments(beats)]
    assert np.isnan(af_probability(*few, 60.0, trees)).all()
    assert np.isnan(af_probability_at_beats(*few, trees)).all()


def test_what_is_not_analysable_is_unknown(trees):
    beats = beats_of(synthesise(120.0, seed=6).recording)
    windows, r_time_s, rr_prev_ms, analysable = arguments(beats)
    bad = (r_time_s >= 30) & (r_time_s < 60)
    rr_prev_ms = np.where(bad, np.float32(np.nan), rr_prev_ms)
    found = af_probability(windows, r_time_s, rr_prev_ms, analysable & ~bad, 120.0, trees)
    assert np.isnan(found).tolist() == [False, True, False, False]
    nothing = rhythm_probabilities(
        windows, r_time_s, rr_prev_ms, np.zeros(len(beats), bool), np.array([0.0, 500.0]), trees
    )
    assert np.isnan(nothing).all()


def stretches(af, letters="N" * 300):
    n = len(letters)
    rr = np.full(n, 600.0, np.float32)
    rr[:1] = np.nan
    classes = np.array([CLASSES.index(letter) for letter in letters], np.int8)
    found = summarise_rhythm(np.arange(n) * 0.6, rr, classes, np.ones(n, bool), np.array(af, np.float32))
    return [(e.start_s, e.end_s, round(e.probability, 2)) for e in found.episodes if e.kind == "atrial_fibrillation"]


def test_windows_in_a_row_make_a_stretch():
    assert stretches([0.1, 0.9, 0.8, 0.1, 0.1, 0.1]) == [(30.0, pytest.approx(89.4), 0.85)]
    # One window alone is none, but in a recording of one window it is.
    assert stretches([0.1, 0.9, 0.1, 0.1, 0.1, 0.1]) == []
    assert len(stretches([0.9], "N" * 50)) == 1
    # A doubtful window joins, an unknown or improbable one does not, and the mean must bear it out.
    assert len(stretches([0.9, 0.35, 0.9, 0.0, 0.0, 0.0])) == 1
    assert stretches([0.9, np.nan, 0.9, 0.0, 0.0, 0.0]) == []
    assert stretches([0.4, 0.4, 0.4, 0.4, 0.4, 0.4]) == []


def test_many_ventricular_beats_are_reason_enough_for_an_irregular_pulse():
    assert stretches([0.9] * 6, "NV" * 150) == []
    assert len(stretches([0.9] * 6, "NNNNV" * 60)) == 1
    assert stretches([np.nan], "") == []
