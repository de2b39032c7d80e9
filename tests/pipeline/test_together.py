"""Recordings whose beats the models are asked about together have the results that each has alone."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.beats.windows import CHUNK_BEATS, in_batches
from ecg_core.datasets.synth import synthesise
from ecg_core.explain import Classified, explain_recordings
from ecg_core.pipeline.inbox import CHUNK_BYTES, chunks_of
from ecg_core.pipeline.score import describe, read_beats, score_described


@pytest.fixture(scope="module")
def made():
    return [synthesise(12.0, pvc_per_minute=rate, seed=seed).recording for seed, rate in enumerate((0.0, 15.0, 20.0))]


def test_results_are_the_same_to_the_bit(champion, made):
    together = score_described([describe(recording, champion) for recording in made], champion, 12, 5000)
    for recording, among_others in zip(made, together, strict=True):
        (alone,) = score_described([describe(recording, champion)], champion, 12, 5000)
        assert np.array_equal(alone.beats.probabilities, among_others.beats.probabilities)
        assert np.array_equal(alone.beats.deviation, among_others.beats.deviation)
        assert np.array_equal(alone.shapley.values, among_others.shapley.values)
        for one, other in zip(alone.attributions, among_others.attributions, strict=True):
            assert np.array_equal(one.segment_shares, other.segment_shares, equal_nan=True)
        assert [chosen.beat_index for chosen in alone.chosen] == [chosen.beat_index for chosen in among_others.chosen]
        for one, other in zip(alone.chosen, among_others.chosen, strict=True):
            assert (one.shapley, one.lime, one.context_shap) == (other.shapley, other.lime, other.context_shap)
            assert all(np.array_equal(one.attributions[name], other.attributions[name]) for name in one.attributions)
        assert {"classify", "explain"} <= set(among_others.stages)


def test_a_beat_that_cannot_be_explained_costs_its_own_recording_alone(champion, made):
    read = [read_beats(recording, champion) for recording in made]
    windows = read[0][1].windows_mv.copy()
    windows[:] = np.nan
    broken = replace(read[0][1], windows_mv=windows)
    recordings = [
        Classified(broken, read[0][0].beats),
        *(Classified(beats, result.beats) for result, beats in read[1:]),
    ]
    lost, *whole = explain_recordings(champion, recordings, n_chosen=4, n_abnormal=10)
    assert lost[0] == ()
    assert all(not chosen.attributions for chosen in lost[1])
    for attributions, chosen, shapley in whole:
        assert {one.method for one in attributions} == {"gradcam", "saliency"}
        assert all(one.attributions and one.shapley for one in chosen)
        assert len(shapley.values)


def test_chunks_are_cut_by_what_recordings_cost():
    short = [f"short{i}" for i in range(250)]
    sizes = dict.fromkeys(short, 30_000) | {"day": 2 * CHUNK_BYTES, "another": CHUNK_BYTES // 2}
    cut = chunks_of([*short, "day", "another"], sizes, 100)
    assert [len(chunk) for chunk in cut] == [100, 100, 50, 1, 1]
    assert [recording for chunk in cut for recording in chunk] == [*short, "day", "another"]
    assert [len(chunk) for chunk in chunks_of(short[:3], sizes, 2)] == [2, 1]
    assert chunks_of([], {}, 100) == []


def test_batches_hold_every_beat_once_and_no_more_than_fit():
    counts = [3, 0, CHUNK_BEATS + 5, 7]
    batches = list(in_batches(counts))
    assert [sum(rows.stop - rows.start for _, rows in batch) for batch in batches] == [CHUNK_BEATS, 15]
    seen = [np.zeros(n, int) for n in counts]
    for recording, rows in (part for batch in batches for part in batch):
        seen[recording][rows] += 1
    assert all((of_one == 1).all() for of_one in seen)
    assert list(in_batches([])) == []
