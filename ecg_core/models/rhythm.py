"""Versions of the task ``rhythm``: trees that tell atrial fibrillation by stretches of 30 s."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from ecg_core.beats import Beats, Trees, af_probability
from ecg_core.beats.fibrillation import read_trees
from ecg_core.models.version import Version
from ecg_core.recording import FloatArray, Recording
from ecg_core.result import AF_WINDOW_S, ANALYSIS_RATE_HZ, Labels, RecordingStretch
from ecg_core.signal import Analysis

FIBRILLATION: Final = "atrial_fibrillation"
CALLED_FROM: Final = 0.5


class RhythmModel(Version):
    """One version of the task ``rhythm``, ready to score."""

    @cached_property
    def trees(self) -> Trees:
        """What it learned."""
        return read_trees(self.folder)

    def label(self, recording: Recording, analysis: Analysis, beats: Beats) -> Labels:
        """Name the stretches that fibrillate; see `ecg_core.models.tasks.RecordingModel`."""
        of_window = af_probability(
            beats.windows_mv,
            beats.r_index / ANALYSIS_RATE_HZ,
            beats.rr_prev_ms,
            beats.analysable,
            recording.duration_s,
            self.trees,
        )
        return Labels(stretches=stretches_of(of_window, recording.duration_s, self.version))


def stretches_of(probability: FloatArray, duration_s: float, version: str) -> tuple[RecordingStretch, ...]:
    """Join windows of 30 s in a row that are called fibrillation, each stretch with its windows' mean probability."""
    called = np.concatenate([[False], probability >= CALLED_FROM, [False]])
    first, end = np.flatnonzero(called[1:] & ~called[:-1]), np.flatnonzero(called[:-1] & ~called[1:])
    return tuple(
        RecordingStretch(
            "rhythm",
            version,
            float(a * AF_WINDOW_S),
            float(min(b * AF_WINDOW_S, duration_s)),
            FIBRILLATION,
            float(np.float32(probability[a:b].mean())),
        )
        for a, b in zip(first, end, strict=True)
    )
