"""What an explanation takes of a beat: the beat, its waves, and the normal beat that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.models import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.result import WAVE_POINTS, WINDOW_SAMPLES

FEWEST_OWN: Final = 3
"""With fewer normal beats than this a recording has no normal beat of its own: one of them may be a wrong call."""
MEDIAN_OF: Final = 300
"""Normal beats that a recording's normal beat is the median of, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A normal beat to compare with.

    Attributes
    ----------
    waveform : ndarray of float32, shape (256,)
        In units of the recording's scale.
    context : ndarray of float32, shape (K,)
    waves_ms : ndarray of float32, shape (8,)
        From the R peak; NaN where absent or unknown.
    own : bool
        This patient's; False: the population's.
    """

    waveform: FloatArray
    context: FloatArray
    waves_ms: FloatArray
    own: bool


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedBeats:
    """Beats as every method of `ecg_core.explain.METHODS` takes them; one row per beat, of one recording or many.

    Attributes
    ----------
    waveform : ndarray of float32, shape (n, 256, 2)
        Beat and dominant beat, as `ecg_core.beats.model_inputs` gives them.
    context : ndarray of float32, shape (n, K)
    waves_ms : ndarray of float32, shape (n, 8)
        From the R peak; NaN where absent or unknown.
    normal : ndarray of float32, shape (n, 256)
        `Reference.waveform` of each beat's recording.
    normal_context : ndarray of float32, shape (n, K)
    normal_waves_ms : ndarray of float32, shape (n, 8)
    own_normal : ndarray of bool, shape (n,)
    """

    waveform: FloatArray
    context: FloatArray
    waves_ms: FloatArray
    normal: FloatArray
    normal_context: FloatArray
    normal_waves_ms: FloatArray
    own_normal: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.waveform)

    @classmethod
    def join(cls, parts: Sequence[ExplainedBeats]) -> ExplainedBeats:
        """Put the beats of several recordings into one."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> ExplainedBeats:
        """Return the beats of these rows."""
        return ExplainedBeats(*(getattr(self, f.name)[rows] for f in fields(self)))


def beats_of_recording(
    model: LoadedModel,
    waveform: FloatArray,
    context: FloatArray,
    is_normal: npt.NDArray[np.bool_],
    waves_ms: FloatArray | None = None,
    rows: npt.NDArray[np.int64] | None = None,
) -> ExplainedBeats:
    """Set the beats of one recording beside its normal beat.

    Parameters
    ----------
    model : LoadedModel
        Its background gives the population's normal beat.
    waveform : ndarray of float32, shape (n, 256, 2)
    context : ndarray of float32, shape (n, K)
    is_normal : ndarray of bool, shape (n,)
        Analysable beats called N.
    waves_ms : ndarray of float32, shape (n, 8), optional
        `BeatTable.waves_ms`; without it fixed stretches around the R peak take the waves' place.
    rows : ndarray of int64, shape (m,), optional
        The beats to explain; all where left out.

    Returns
    -------
    ExplainedBeats
        m beats.
    """
    rows = np.arange(len(waveform)) if rows is None else rows
    if waves_ms is None:
        waves_ms = np.full((len(waveform), len(WAVE_POINTS)), np.nan, dtype=np.float32)
    reference = reference_of(model, waveform, context, is_normal, waves_ms)
    n = rows.size
    return ExplainedBeats(
        waveform=waveform[rows],
        context=context[rows],
        waves_ms=waves_ms[rows],
        normal=np.broadcast_to(reference.waveform, (n, WINDOW_SAMPLES)),
        normal_context=np.broadcast_to(reference.context, (n, context.shape[1])),
        normal_waves_ms=np.broadcast_to(reference.waves_ms, (n, len(WAVE_POINTS))),
        own_normal=np.full(n, reference.own),
    )


def reference_of(
    model: LoadedModel,
    waveform: FloatArray,
    context: FloatArray,
    is_normal: npt.NDArray[np.bool_],
    waves_ms: FloatArray,
) -> Reference:
    """Take the median of up to 300 normal beats of the recording, or the background's mean where it has too few."""
    own = np.flatnonzero(is_normal)
    if own.size >= FEWEST_OWN:
        own = own[np.linspace(0, own.size - 1, min(own.size, MEDIAN_OF)).astype(np.int64)]
        return Reference(
            waveform=np.median(waveform[own, :, 0], axis=0).astype(np.float32),
            context=np.median(context[own], axis=0).astype(np.float32),
            waves_ms=_usual(waves_ms[own]),
            own=True,
        )
    beats, contexts = model.background()
    # A fifth of the background was annotated N; which one is not kept, so the surest N go for it.
    normal = np.argsort(-model.classify(beats, contexts)[:, 0], kind="stable")[: max(1, len(beats) // len(CLASSES))]
    return Reference(
        waveform=beats[normal, :, 0].mean(axis=0, dtype=np.float64).astype(np.float32),
        context=np.median(contexts[normal], axis=0).astype(np.float32),
        waves_ms=np.full(len(WAVE_POINTS), np.nan, dtype=np.float32),
        own=False,
    )


def _usual(waves_ms: FloatArray) -> FloatArray:
    """Median of each point over the beats; NaN where most beats do not have it."""
    known = np.isfinite(waves_ms)
    usual: FloatArray = np.full(waves_ms.shape[1], np.nan, dtype=np.float32)
    for point in np.flatnonzero(known.mean(axis=0) > 0.5):
        usual[point] = np.median(waves_ms[known[:, point], point])
    return usual
