"""Versions of the task ``rhythm``: trees that tell atrial fibrillation by stretches of 30 s."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from ecg_core.beats import Beats, Trees
from ecg_core.beats.fibrillation import RHYTHMS, features_by_30_s, read_trees, rhythms_of
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
        features = beats.rhythm
        if features is None:
            r_time_s = beats.r_index / ANALYSIS_RATE_HZ
            known = beats.windows_mv, r_time_s, beats.rr_prev_ms, beats.analysable
            features = features_by_30_s(*known, recording.duration_s)
        of_window = rhythms_of(features, self.trees)[:, RHYTHMS.index("A")]
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
