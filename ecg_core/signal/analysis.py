"""The one way from a recording to its beats' places: clean, rate the signal, find the R peaks, bound the waves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray, Recording
from ecg_core.result import Quality
from ecg_core.signal.cleaning import CleanSignal, clean
from ecg_core.signal.peaks import detect_r_peaks
from ecg_core.signal.quality import assess_quality
from ecg_core.signal.waves import delineate


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What the signal alone says of a recording.

    Attributes
    ----------
    cleaned : CleanSignal
        At `ecg_core.result.ANALYSIS_RATE_HZ`.
    quality : Quality
    r_index : ndarray of int64, shape (n_beats,)
        R peaks, ascending sample numbers of the cleaned signal.
    seconds : dict of str to float
        What ``clean``, ``quality`` and ``detect`` took.
    bounded_ms : ndarray of float32, shape (n_beats, 8), or None
        The beats' waves, where they were bounded before.
    """

    cleaned: CleanSignal
    quality: Quality
    r_index: npt.NDArray[np.int64]
    seconds: dict[str, float]
    bounded_ms: FloatArray | None = None

    def waves_ms(self) -> FloatArray:
        """Bound the waves of every beat: float32, shape (n_beats, 8), `ecg_core.result.WAVE_POINTS`."""
        known = self.bounded_ms
        return delineate(self.cleaned, self.quality, self.r_index) if known is None else known


def analyse(recording: Recording, clock: Callable[[], float] = time.perf_counter) -> Analysis:
    """Analyse a recording as scoring, training and benchmarks all do.

    Parameters
    ----------
    recording : Recording
    clock : callable
        Seconds; benchmarks count those of the processor.

    Raises
    ------
    UnusableSignal
        No sample, no lead, or a rate outside 50 to 10,000 Hz.
    """
    at = [clock()]
    cleaned = clean(recording)
    at.append(clock())
    quality = assess_quality(recording, cleaned)
    at.append(clock())
    r_index = detect_r_peaks(cleaned, quality)
    at.append(clock())
    seconds = dict(zip(("clean", "quality", "detect"), np.diff(at).tolist(), strict=True))
    return Analysis(cleaned, quality, r_index, seconds)
