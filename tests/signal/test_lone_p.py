"""P waves that no QRS follows are no beats."""

import numpy as np

from benchmarks.hard_rhythms import make
from ecg_core.signal import analyse
from ecg_core.signal.lone_p import are_lone_p_waves
from ecg_core.signal.standstill import find_contact, find_standstill


def test_in_a_standstill_they_are_no_beats():
    no_beat, paused = 0, 0
    for seed in range(2000, 2012):
        hard = make("standstill_with_p", seed)
        analysis = analyse(hard.recording)
        r_time_s = analysis.r_index / 250
        no_beat += ((r_time_s > hard.start_s + 0.3) & (r_time_s < hard.end_s - 0.3)).sum() <= 1
        found = find_standstill(analysis.cleaned, find_contact(hard.recording, analysis.cleaned))
        paused += any(s.kind == "pause" and s.end_s - s.start_s > 0.8 * (hard.end_s - hard.start_s) for s in found)
    assert no_beat >= 10
    assert paused >= 11


def test_small_beats_and_unknown_ones_are_none():
    hard = make("svt", 2000)
    signal_mv = analyse(hard.recording).cleaned.signal_mv
    beats = analyse(hard.recording).r_index
    assert not are_lone_p_waves(beats, signal_mv, beats).any()
    assert not are_lone_p_waves(beats[:3], signal_mv, beats[:3]).any()
    assert are_lone_p_waves(np.zeros(0, np.int64), signal_mv, beats).size == 0
