"""One recording, from signal to result: the corridor, walked once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import Beats, af_probability, extract_from_leads, model_inputs, summarise_rhythm
from ecg_core.beats.checks import (
    as_normal_in_doubt,
    as_ventricular,
    in_ventricular_tachycardia,
    noise_taken_for_beats,
    unfounded_s_runs,
)
from ecg_core.beats.lethal import find_lethal
from ecg_core.beats.rhythm import in_single_precision, joined, runs_in_doubt
from ecg_core.beats.windows import beats_analysable, in_chunks
from ecg_core.explain import explain_recording
from ecg_core.explain.resting import explain_resting
from ecg_core.labels import CLASSES
from ecg_core.models.resting import TASK, RestingModel
from ecg_core.models.ventricular import shipped_trees
from ecg_core.recording import FloatArray, Recording
from ecg_core.result import (
    ANALYSIS_RATE_HZ,
    BeatTable,
    Quality,
    RawExcerpt,
    RecordingFacts,
    Result,
    snap_to_steps,
)
from ecg_core.result.findings import with_findings
from ecg_core.result.intervals import intervals_of
from ecg_core.result.resting import Resting
from ecg_core.result.resting_findings import called_superclasses
from ecg_core.signal import analyse

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel, RecordingModel


EXCERPT_S: Final = 7.0
"""So much of the signal as recorded is kept for the report: one strip of paper."""


def score_recording(
    recording: Recording,
    model: LoadedModel,
    explained_beats: int = 12,
    explained_abnormal_beats: int = 5000,
    stages: dict[str, float] | None = None,
    others: Sequence[RecordingModel] = (),
) -> Result:
    """Find, classify and explain every beat of a recording.

    The recorded and the cleaned signal, and the beats' windows, are in memory whole (some 550 MB for a day of two
    leads): quality is judged against the whole recording's rails, and the report draws all of it. What the models take
    in and draw, and the maps, are there for some thousand beats at a time.

    Parameters
    ----------
    recording : Recording
    model : LoadedModel
    explained_beats : int
        Beats that are explained in full and shown in the report; `ecg_core.result.methods` says what all beats get.
    explained_abnormal_beats : int
        Abnormal beats that get exact Shapley values, at most.
    stages : dict of str to float, optional
        Seconds by stage so far (for instance ``read``); this call adds its own.
    others : sequence of RecordingModel
        Versions of the other tasks, at most one a task.

    Returns
    -------
    Result
        With zero beats where nothing is analysable: that is a result, not an error.
    """
    result, beats = read_beats(recording, model, stages, others)
    with _timed(result.stages, "explain"):
        attributions, chosen, shapley = explain_recording(
            model, beats, result.beats, n_chosen=explained_beats, n_abnormal=explained_abnormal_beats
        )
    with _timed(result.stages, "explain resting"):
        resting = _explained(result, others)
    return replace(result, attributions=attributions, chosen=chosen, shapley=shapley, resting=resting)


def _explained(result: Result, others: Sequence[RecordingModel]) -> Resting | None:
    """Say what moved each superclass that is called."""
    called = called_superclasses({label.label: label for label in result.labels if label.task == TASK})
    model = next((other for other in others if isinstance(other, RestingModel)), None)
    if result.resting is None or model is None or not called:
        return result.resting
    return replace(result.resting, attributions=explain_resting(model, result.resting, called))


def read_beats(
    recording: Recording,
    model: LoadedModel,
    stages: dict[str, float] | None = None,
    others: Sequence[RecordingModel] = (),
) -> tuple[Result, Beats]:
    """Find and classify every beat, state rhythm and findings, and ask the other tasks: a result without explanations.

    Returns
    -------
    result : Result
    beats : Beats
        What the explanations need beside it.
    """
    stages = dict(stages or {})
    analysis = analyse(recording)
    stages |= analysis.seconds
    with _timed(stages, "waves"):
        waves_ms = analysis.waves_ms()
    with _timed(stages, "lethal"):
        r_time_s = analysis.r_index / ANALYSIS_RATE_HZ
        lethal = find_lethal(
            recording, analysis.cleaned, r_time_s, waves_ms, beats_analysable(analysis), shipped_trees()
        )
        is_beat = ~lethal.without_beats(r_time_s)
        waves_ms = waves_ms[is_beat]
        analysis = replace(analysis, r_index=analysis.r_index[is_beat], bounded_ms=waves_ms)
    cleaned, quality, r_time_s = analysis.cleaned, analysis.quality, r_time_s[is_beat]
    with _timed(stages, "beats"):
        beats = extract_from_leads(cleaned.signal_mv, analysis.r_index, quality, model.trees)
        rr_prev_ms = lethal.intervals(r_time_s, beats.rr_prev_ms)
        beats = replace(
            beats, rr_prev_ms=rr_prev_ms, rr_next_ms=np.append(rr_prev_ms[1:], np.float32(np.nan))[: len(beats)]
        )
    with _timed(stages, "classify"):
        probabilities, deviation = _classified(model, beats)
        in_set = model.prediction_sets(probabilities)
        unfounded = unfounded_s_runs(beats.rr_prev_ms, probabilities.argmax(axis=1), beats.analysable)
        probabilities, in_set = as_normal_in_doubt(unfounded, probabilities, in_set)
        tachycardia = in_ventricular_tachycardia(
            lethal.ventricular_beats(r_time_s) & beats.analysable, beats.windows_mv, beats.rr_prev_ms
        )
        probabilities, in_set = as_ventricular(tachycardia, probabilities, in_set)
        table = _beat_table(recording, beats, probabilities, deviation, waves_ms, in_set)
    with _timed(stages, "rhythm"):
        known = beats.windows_mv, table.r_time_s, table.rr_prev_ms, table.analysable
        af = af_probability(*known, recording.duration_s, model.trees)
        false = noise_taken_for_beats(table.r_time_s, table.rr_prev_ms, table.class_index)
        rhythm = summarise_rhythm(table.r_time_s, table.rr_prev_ms, table.class_index, table.analysable, af, false)
        rhythm = runs_in_doubt(rhythm, table.class_index, table.probabilities, tachycardia)
        rhythm = joined(rhythm, lethal.episodes(r_time_s))
    with _timed(stages, "label"):
        said = [other.label(recording, analysis, beats) for other in others]
    result = Result(
        recording=_facts(recording),
        quality=quality,
        beats=table,
        attributions=(),
        chosen=(),
        rhythm=in_single_precision(rhythm),
        model=model.facts,
        signal_mv=snap_to_steps(cleaned.signal_mv),
        stages=stages,
        raw=_raw_excerpt(recording, quality, table),
        af=af,
        labels=tuple(label for one in said for label in one.labels),
        stretches=tuple(stretch for one in said for stretch in one.stretches),
        resting=next((one.resting for one in said if one.resting is not None), None),
        other_models=tuple(other.facts for other in others),
    )
    return with_findings(result), beats


def sample_numbers(recording: Recording, time_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Give the nearest samples, from 0, at the recording's own rate."""
    samples = np.rint(time_s * recording.sampling_rate_hz)
    return np.minimum(samples, recording.n_samples - 1).astype(np.int64)


def _raw_excerpt(recording: Recording, quality: Quality, table: BeatTable) -> RawExcerpt | None:
    """Take a stretch of the primary lead around the middle analysable beat, abnormal ones before normal ones."""
    if recording.n_samples == 0:
        return None
    rows = np.flatnonzero(table.analysable & (table.class_index > 0))
    rows = rows if rows.size else np.flatnonzero(table.analysable)
    middle_s = float(table.r_time_s[rows[rows.size // 2]]) if rows.size else 0.0
    rate = recording.sampling_rate_hz
    latest = max(0, recording.n_samples - round(EXCERPT_S * rate))
    first = min(max(0, round((middle_s - EXCERPT_S / 2) * rate)), latest)
    samples = recording.signal[first : first + round(EXCERPT_S * rate), quality.primary_lead]
    return RawExcerpt(first / rate, rate, np.array(samples, np.float32))


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    stages[name] = time.perf_counter() - started


def _facts(recording: Recording) -> RecordingFacts:
    return RecordingFacts(
        recording_id=recording.recording_id,
        patient_pseudonym=recording.patient_pseudonym,
        source_format=recording.source_format,
        lead_names=recording.lead_names,
        sampling_rate_hz=recording.sampling_rate_hz,
        n_samples=recording.n_samples,
        duration_s=recording.duration_s,
        start_time=recording.start_time,
        device=recording.device,
        synthetic=recording.synthetic,
        file_lead_names=recording.file_lead_names,
        stated=recording.stated,
        doubts=recording.doubts,
    )


def _classified(model: LoadedModel, beats: Beats) -> tuple[FloatArray, FloatArray]:
    """Probabilities and deviation of every beat; what the models take in and draw is there for a few at a time."""
    probabilities = np.empty((len(beats), len(CLASSES)), np.float32)
    deviation = np.empty(len(beats), np.float32)
    for rows in in_chunks(len(beats)):
        waveform, context = model_inputs(beats, rows)
        probabilities[rows] = model.classify(waveform, context)
        deviation[rows] = model.reconstruct(waveform, context)[1]
    return probabilities, deviation


def _beat_table(
    recording: Recording,
    beats: Beats,
    probabilities: FloatArray,
    deviation: FloatArray,
    waves_ms: FloatArray,
    in_set: npt.NDArray[np.bool_],
) -> BeatTable:
    r_time_s = beats.r_index / ANALYSIS_RATE_HZ
    return BeatTable(
        r_sample=sample_numbers(recording, r_time_s),
        r_time_s=r_time_s,
        rr_prev_ms=beats.rr_prev_ms,
        rr_next_ms=beats.rr_next_ms,
        class_index=probabilities.argmax(axis=1).astype(np.int8),
        probabilities=probabilities,
        deviation=deviation,
        analysable=beats.analysable,
        waves_ms=waves_ms,
        intervals_ms=intervals_of(waves_ms),
        in_set=in_set,
    )
