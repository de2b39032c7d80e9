"""From signal to result: the corridor, walked once. Models are asked about the beats of several recordings together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats import Beats, extract_from_leads, summarise_rhythm
from ecg_core.beats.checks import (
    as_conducted_in_doubt,
    as_escape_in_doubt,
    as_normal_in_doubt,
    as_ventricular,
    in_ventricular_tachycardia,
    noise_taken_for_beats,
    unfounded_s_runs,
    within_ventricular_runs,
)
from ecg_core.beats.fibrillation import RHYTHMS, features_by_30_s, rhythms_of
from ecg_core.beats.lethal import LethalRhythms, find_lethal
from ecg_core.beats.rhythm import in_single_precision, joined, runs_in_doubt
from ecg_core.beats.windows import batch_inputs, beats_analysable, in_batches, scattered
from ecg_core.explain import Classified, explain_recordings
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
from ecg_core.signal import Analysis, analyse
from ecg_core.signal.quality import without_noise_of_beats

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel, RecordingModel


EXCERPT_S: Final = 7.0
"""So much of the signal as recorded is kept for the report: one strip of paper."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A recording before any model was asked: where its beats are, and what they look like.

    Attributes
    ----------
    recording : Recording
    analysis : Analysis
        Without the peaks that are no beats.
    waves_ms : ndarray of float32, shape (n_beats, 8)
    lethal : LethalRhythms
    beats : Beats
    stages : dict of str to float
        Seconds by stage so far.
    """

    recording: Recording
    analysis: Analysis
    waves_ms: FloatArray
    lethal: LethalRhythms
    beats: Beats
    stages: dict[str, float]


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
        Beats that are explained in full and shown in the report, at most; `ecg_core.result.methods` says what all
        beats get.
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
    described = describe(recording, model, stages)
    (result,) = score_described([described], model, explained_beats, explained_abnormal_beats, others)
    return result


def score_described(
    recordings: Sequence[Described],
    model: LoadedModel,
    explained_beats: int,
    explained_abnormal_beats: int,
    others: Sequence[RecordingModel] = (),
) -> list[Result]:
    """Classify and explain the beats of several recordings together; parameters as for `score_recording`."""
    read = _judge_all(recordings, model, others)
    with _shared([(result.stages, len(beats)) for result, beats in read], "explain"):
        explained = explain_recordings(
            model,
            [Classified(beats, result.beats) for result, beats in read],
            n_chosen=explained_beats,
            n_abnormal=explained_abnormal_beats,
        )
    results = []
    for (result, _), (attributions, chosen, shapley) in zip(read, explained, strict=True):
        with _timed(result.stages, "explain resting"):
            resting = _explained(result, others)
        results.append(replace(result, attributions=attributions, chosen=chosen, shapley=shapley, resting=resting))
    return results


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
    return _judge_all([describe(recording, model, stages)], model, others)[0]


def describe(recording: Recording, model: LoadedModel, stages: dict[str, float] | None = None) -> Described:
    """Clean a recording, find its beats and what kills, and cut the beats out; parameters as for `score_recording`."""
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
        quality = without_noise_of_beats(analysis.quality, r_time_s, lethal.noise_s)
        analysis = replace(analysis, quality=quality, r_index=analysis.r_index[is_beat], bounded_ms=waves_ms)
    with _timed(stages, "beats"):
        beats = extract_from_leads(analysis.cleaned.signal_mv, analysis.r_index, analysis.quality, model.trees)
        rr_prev_ms = lethal.intervals(r_time_s[is_beat], beats.rr_prev_ms)
        known = beats.windows_mv, r_time_s[is_beat], rr_prev_ms, beats.analysable
        beats = replace(
            beats,
            rr_prev_ms=rr_prev_ms,
            rr_next_ms=np.append(rr_prev_ms[1:], np.float32(np.nan))[: len(beats)],
            rhythm=features_by_30_s(*known, recording.duration_s),
        )
    return Described(recording, analysis, waves_ms, lethal, beats, stages)


def _judge_all(
    recordings: Sequence[Described], model: LoadedModel, others: Sequence[RecordingModel]
) -> list[tuple[Result, Beats]]:
    """Ask the model about the beats of all recordings, then state of each what follows."""
    with _shared([(described.stages, len(described.beats)) for described in recordings], "classify"):
        found = _classified(model, [described.beats for described in recordings])
    return [
        (_judged(described, model, *of_one, others), described.beats)
        for described, of_one in zip(recordings, found, strict=True)
    ]


def _judged(
    described: Described,
    model: LoadedModel,
    probabilities: FloatArray,
    deviation: FloatArray,
    others: Sequence[RecordingModel],
) -> Result:
    recording, analysis, beats, lethal = described.recording, described.analysis, described.beats, described.lethal
    cleaned, quality, stages = analysis.cleaned, analysis.quality, described.stages
    r_time_s = analysis.r_index / ANALYSIS_RATE_HZ
    with _timed(stages, "rhythm"):
        in_set = model.prediction_sets(probabilities)
        unfounded = unfounded_s_runs(beats.rr_prev_ms, probabilities.argmax(axis=1), beats.analysable)
        probabilities, in_set = as_normal_in_doubt(unfounded, probabilities, in_set)
        conducted = np.isin(r_time_s, lethal.conducted_s)
        probabilities, in_set = as_conducted_in_doubt(conducted, probabilities, in_set)
        of_signal = lethal.ventricular_probability(r_time_s)
        inside = (of_signal > 0) & beats.analysable
        tachycardia = in_ventricular_tachycardia(inside, beats.windows_mv, beats.rr_prev_ms)
        tachycardia |= lethal.unlike_conducted(r_time_s) & beats.analysable
        probabilities, in_set = as_ventricular(tachycardia, of_signal, probabilities, in_set)
        called = probabilities.argmax(axis=1)
        goes_on = within_ventricular_runs(beats.rr_prev_ms, called, beats.analysable, conducted)
        of_runs = np.where(called == CLASSES.index("V"), probabilities[:, CLASSES.index("V")], np.float32(0))
        probabilities, in_set = as_ventricular(goes_on, of_runs, probabilities, in_set)
        probabilities, in_set = as_escape_in_doubt(lethal.escapes(r_time_s), probabilities, in_set)
        table = _beat_table(recording, beats, probabilities, deviation, described.waves_ms, in_set)
        assert beats.rhythm is not None  # since `describe`
        af = rhythms_of(beats.rhythm, model.trees)[:, RHYTHMS.index("A")]
        false = noise_taken_for_beats(table.r_time_s, table.rr_prev_ms, table.class_index)
        rhythm = summarise_rhythm(table.r_time_s, table.rr_prev_ms, table.class_index, table.analysable, af, false)
        rhythm = runs_in_doubt(rhythm, table.class_index, table.probabilities, tachycardia, conducted)
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
    return with_findings(result)


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


@contextmanager
def _shared(recordings: Sequence[tuple[dict[str, float], int]], name: str) -> Iterator[None]:
    """Time what is done for recordings together, given their stages and beats; each has its share by beats."""
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    weights = [1 + n_beats for _, n_beats in recordings]
    for (stages, _), weight in zip(recordings, weights, strict=True):
        stages[name] = seconds * weight / sum(weights)


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
        pseudonym_key_id=recording.pseudonym_key_id,
    )


def _classified(model: LoadedModel, beats: Sequence[Beats]) -> list[tuple[FloatArray, FloatArray]]:
    """Probabilities and deviation of every beat, by recording; what the models take in is there for a few at a time."""
    probabilities = [np.empty((len(of_one), len(CLASSES)), np.float32) for of_one in beats]
    deviation = [np.empty(len(of_one), np.float32) for of_one in beats]
    for batch in in_batches([len(of_one) for of_one in beats]):
        waveform, context = batch_inputs(beats, batch)
        scattered(model.classify(waveform, context), probabilities, batch)
        scattered(model.reconstruct(waveform, context)[1], deviation, batch)
    return list(zip(probabilities, deviation, strict=True))


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
