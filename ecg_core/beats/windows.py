"""Beat windows, this recording's dominant beat, and what the models are given of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats.context import context_features
from ecg_core.beats.fibrillation import Trees
from ecg_core.beats.template import dominant_beat, qrs_height
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, WINDOW_SAMPLES, Quality
from ecg_core.signal import Analysis
from ecg_core.signal.threads import side_by_side

_EDGE_S: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """The beats of one recording, in time order, each on one lead: the primary one where it can be read.

    Attributes
    ----------
    r_index : ndarray of int64, shape (n,)
        R peak, sample number at `ANALYSIS_RATE_HZ`.
    windows_mv : ndarray of float32, shape (n, 256)
        The cleaned signal around each beat, R peak at index 100; beyond the recording's ends its end values go on.
    template_mv : ndarray of float32, shape (n, 256)
        This recording's dominant beat on the beat's lead.
    scale_mv : ndarray of float32, shape (n,)
        The template's QRS from lowest to highest point, > 0.
    rr_prev_ms, rr_next_ms : ndarray of float32, shape (n,)
        NaN at the recording's edges and across stretches that are not analysable.
    context : ndarray of float32, shape (n, len(CONTEXT_NAMES))
        Scale-free features, finite, about -3 to 3; 0 is neutral.
    analysable : ndarray of bool, shape (n,)
    rhythm : ndarray of float32, shape (n_windows, n_features), or None
        What `ecg_core.beats.fibrillation.features_by_30_s` says of them, where it was asked before.
    """

    r_index: npt.NDArray[np.int64]
    windows_mv: FloatArray
    template_mv: FloatArray
    scale_mv: FloatArray
    rr_prev_ms: FloatArray
    rr_next_ms: FloatArray
    context: FloatArray
    analysable: npt.NDArray[np.bool_]
    rhythm: FloatArray | None = None

    def __len__(self) -> int:
        return int(self.r_index.size)


def extract_beats(
    lead_mv: npt.NDArray[np.float32],
    r_index: npt.NDArray[np.int64],
    analysable: npt.NDArray[np.bool_],
    epoch_s: float,
    trees: Trees | None,
) -> Beats:
    """Cut out every beat and describe its shape and timing against the recording's own.

    Parameters
    ----------
    lead_mv : ndarray of float32, shape (n_samples,)
        The cleaned primary lead at `ANALYSIS_RATE_HZ`.
    r_index : ndarray of int64, shape (n,)
        R peaks, increasing, as `ecg_core.signal.detect_r_peaks` gives them.
    analysable : ndarray of bool, shape (n_epochs,)
        The primary lead's column of `Quality.analysable`.
    epoch_s : float
        Length of an epoch in seconds.
    trees : Trees or None
        What the context's probability of fibrillation is told by; without them it is unknown.

    Returns
    -------
    Beats
        Empty arrays, a template of zeros and a scale of 1 where there is no beat.
    """
    r_index = np.asarray(r_index, dtype=np.int64)
    rr_ms = _rr_intervals_ms(r_index, analysable, epoch_s)
    return _on_lead(lead_mv, r_index, rr_ms, analysable, epoch_s, trees)


def _on_lead(
    lead_mv: npt.NDArray[np.float32],
    r_index: npt.NDArray[np.int64],
    rr_ms: FloatArray,
    analysable: npt.NDArray[np.bool_],
    epoch_s: float,
    trees: Trees | None,
) -> Beats:
    """Describe the beats on one lead, with intervals that are known already, shape (n - 1,)."""
    beat_analysable = np.ones(r_index.size, dtype=bool) if analysable.size else np.zeros(r_index.size, dtype=bool)
    # A beat at the edge of what can be read may be the edge itself.
    for by in (-_EDGE_S, 0.0, _EDGE_S) if analysable.size else ():
        at = ((r_index / ANALYSIS_RATE_HZ + by) / epoch_s).clip(0, analysable.size - 1).astype(np.int64)
        beat_analysable &= analysable[at]
    windows = _windows(lead_mv, r_index)
    rr_prev = np.concatenate([[np.float32(np.nan)], rr_ms])[: r_index.size]
    rr_next = np.concatenate([rr_ms, [np.float32(np.nan)]])[: r_index.size]
    template = dominant_beat(windows, rr_prev, beat_analysable)
    return Beats(
        r_index=r_index,
        windows_mv=windows,
        # Views: every beat of a lead has the same.
        template_mv=np.broadcast_to(template, windows.shape),
        scale_mv=np.broadcast_to(np.float32(qrs_height(template) or 1.0), r_index.shape),
        rr_prev_ms=rr_prev,
        rr_next_ms=rr_next,
        context=context_features(
            windows, template, rr_prev, rr_next, beat_analysable, r_index / ANALYSIS_RATE_HZ, trees
        ),
        analysable=beat_analysable,
    )


def _windows(lead_mv: npt.NDArray[np.float32], r_index: npt.NDArray[np.int64]) -> FloatArray:
    """Cut out the beats, (n, 256); beyond the lead's ends its end values go on."""
    windows = np.empty((r_index.size, WINDOW_SAMPLES), dtype=np.float32)
    for first in range(0, r_index.size, CHUNK_BEATS):
        at = r_index[first : first + CHUNK_BEATS, None] + np.arange(-R_INDEX, WINDOW_SAMPLES - R_INDEX)
        windows[first : first + CHUNK_BEATS] = lead_mv[np.clip(at, 0, lead_mv.size - 1)]
    return windows


def beats_analysable(analysis: Analysis) -> npt.NDArray[np.bool_]:
    """Tell which beats lie where some lead is analysable; bool, shape (n,)."""
    quality = analysis.quality
    epoch = (analysis.r_index / (quality.epoch_s * ANALYSIS_RATE_HZ)).astype(np.int64)
    rows = np.minimum(epoch, len(quality.analysable) - 1)
    return np.asarray(quality.analysable[rows].any(axis=1), dtype=np.bool_)


def extract_from_primary_lead(analysis: Analysis, trees: Trees | None) -> Beats:
    """Cut and describe the beats of an analysed recording on its primary lead alone."""
    quality = analysis.quality
    lead = quality.primary_lead
    signal_mv = np.ascontiguousarray(analysis.cleaned.signal_mv[:, lead])
    return extract_beats(signal_mv, analysis.r_index, quality.analysable[:, lead], quality.epoch_s, trees)


def extract_from_leads(
    signal_mv: npt.NDArray[np.float32], r_index: npt.NDArray[np.int64], quality: Quality, trees: Trees | None
) -> Beats:
    """Cut out every beat on the primary lead, or on the best other lead where only that can be read.

    Where the primary lead and the second are both analysable, `Beats.context` is the mean of the two leads': on
    patients held out it raised F1 of V from .89 to .96 and of S from .86 to .90.

    Parameters
    ----------
    signal_mv : ndarray of float32, shape (n_samples, n_leads)
        The cleaned signal at `ANALYSIS_RATE_HZ`.
    r_index : ndarray of int64, shape (n,)
    quality : Quality
        Of the same recording; leads after the primary one count by their mean index.
    trees : Trees or None
        As for `extract_beats`.

    Returns
    -------
    Beats
        A beat is analysable where some lead is.
    """
    r_index = np.asarray(r_index, dtype=np.int64)
    leads = leads_in_order(quality)
    # The beats were found on all leads together: an interval is known where any of them can be read.
    rr_ms = _rr_intervals_ms(r_index, quality.readable, quality.epoch_s)

    def on(lead: int) -> Beats:
        column = np.ascontiguousarray(signal_mv[:, lead])
        return _on_lead(column, r_index, rr_ms, quality.analysable[:, lead], quality.epoch_s, trees)

    by_lead = side_by_side(on, leads[:2], signal_mv.shape[0])
    beats = replace(by_lead[0], context=joint_context(by_lead))
    for place, lead in enumerate(leads[1:], start=1):
        if beats.analysable.all() or not quality.analysable[:, lead].any():
            continue
        beats = _where_readable(beats, by_lead[place] if place < len(by_lead) else on(lead))
    return beats


def _where_readable(beats: Beats, other: Beats) -> Beats:
    """Take from another lead the beats that could not be read so far."""
    rows = other.analysable & ~beats.analysable
    if not rows.any():
        return beats
    of_other = {
        name: np.where(rows[:, None], getattr(other, name), getattr(beats, name))
        for name in ("windows_mv", "template_mv", "context")
    }
    return replace(
        beats,
        **of_other,
        scale_mv=np.where(rows, other.scale_mv, beats.scale_mv),
        analysable=beats.analysable | rows,
    )


def leads_in_order(quality: Quality) -> list[int]:
    """Name the primary lead, then the others by their mean index."""
    order = np.argsort(-quality.index.mean(axis=0), kind="stable") if len(quality.index) else np.arange(0)
    return [quality.primary_lead, *(int(lead) for lead in order if lead != quality.primary_lead)]


def analysed_leads(quality: Quality) -> list[int]:
    """Name the primary lead and the best of the others, where there is one."""
    return leads_in_order(quality)[:2]


def joint_context(by_lead: Sequence[Beats]) -> FloatArray:
    """Return the mean of the leads' context over those analysable at each beat (over all where none is)."""
    weights = np.stack([beats.analysable for beats in by_lead]).astype(np.float32)
    weights[:, ~weights.any(axis=0)] = 1
    weights /= weights.sum(axis=0)
    mean: FloatArray = np.einsum("lb,lbk->bk", weights, np.stack([beats.context for beats in by_lead]))
    return mean


def _rr_intervals_ms(r_index: npt.NDArray[np.int64], analysable: npt.NDArray[np.bool_], epoch_s: float) -> FloatArray:
    """RR intervals, shape (max(0, n - 1),); NaN where any epoch that the interval touches is not analysable."""
    epoch = np.minimum((r_index / (epoch_s * ANALYSIS_RATE_HZ)).astype(np.int64), max(0, analysable.size - 1))
    rr: FloatArray = (np.diff(r_index) * (1000.0 / ANALYSIS_RATE_HZ)).astype(np.float32)
    if rr.size == 0:
        return rr
    bad_so_far = np.concatenate([[0], np.cumsum(~analysable)])
    rr[bad_so_far[epoch[1:] + 1] > bad_so_far[epoch[:-1]]] = np.nan
    return rr


def model_inputs(beats: Beats, rows: slice | npt.NDArray[np.int64] = slice(None)) -> tuple[FloatArray, FloatArray]:
    """Give the models what they see of each beat: shapes in units of the recording's own QRS height, and the context.

    Parameters
    ----------
    beats : Beats
    rows : slice or ndarray of int64
        The beats wanted: a day's beats all at once take 220 MB.

    Returns
    -------
    waveform : ndarray of float32, shape (n, 256, 2)
        Beat and template, each divided by `Beats.scale_mv`.
    context : ndarray of float32, shape (n, len(CONTEXT_NAMES))
    """
    windows, scale_mv = beats.windows_mv[rows], beats.scale_mv[rows][:, None]
    waveform = np.empty((len(windows), WINDOW_SAMPLES, 2), dtype=np.float32)
    np.divide(windows, scale_mv, out=waveform[:, :, 0])
    np.divide(beats.template_mv[rows], scale_mv, out=waveform[:, :, 1])
    return waveform, beats.context[rows]


CHUNK_BEATS: Final = 4096
"""Beats whose inputs and maps are in memory at once."""

Batch = list[tuple[int, slice]]
"""Beats of one recording or of several: which recording, and which of its beats."""


def in_batches(n_beats: Sequence[int]) -> Iterator[Batch]:
    """Cut the beats of recordings into batches: memory does not grow with a recording's length, short ones share one.

    Parameters
    ----------
    n_beats : sequence of int
        Of each recording.
    """
    batch: Batch = []
    room = CHUNK_BEATS
    for recording, n in enumerate(n_beats):
        start = 0
        while start < n:
            stop = min(n, start + room)
            batch.append((recording, slice(start, stop)))
            room -= stop - start
            start = stop
            if room == 0:
                yield batch
                batch, room = [], CHUNK_BEATS
    if batch:
        yield batch


def gathered(values: Sequence[npt.NDArray[Any]], batch: Batch) -> npt.NDArray[Any]:
    """Put the values of a batch's beats, which lie by recording, into one array."""
    parts = [values[recording][rows] for recording, rows in batch]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def scattered(found: npt.NDArray[Any], into: Sequence[npt.NDArray[Any]], batch: Batch) -> None:
    """Undo `gathered`."""
    start = 0
    for recording, rows in batch:
        stop = start + rows.stop - rows.start
        into[recording][rows] = found[start:stop]
        start = stop


def batch_inputs(beats: Sequence[Beats], batch: Batch) -> tuple[FloatArray, FloatArray]:
    """Give `model_inputs` of a batch."""
    inputs = [model_inputs(beats[recording], rows) for recording, rows in batch]
    waveform, context = (parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*inputs, strict=True))
    return waveform, context
