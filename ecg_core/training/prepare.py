"""From annotated records to labelled beats, walking the same way that scoring walks; kept in a cache.

Arriving files have no annotations, so a model must not lean on where an annotator put the R peak: annotated beats
are moved to where the detector found them, or where it missed them, to the extremum it would have taken.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import Trees, analysed_leads, extract_beats, extract_from_leads, joint_context, model_inputs
from ecg_core.datasets.annotated import LabelledRecording, load_record
from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal import Analysis, analyse
from ecg_core.training import noise
from ecg_core.training.beats import TrainingBeats, join_beats
from ecg_core.training.source_hash import FEATURE_CODE, source_sha256

Purpose = Literal["training", "one way", "noise", "reference", "detected", "scored"]
MATCH_MS: Final = 150.0
"""A detected beat within this of an annotated one is that beat (ANSI/AAMI EC57)."""
_SNAP_MS: Final = 60.0
_NEIGHBOURS: Final = (-2, -1, 1, 2)
"""A false beat is in the rhythm of so many beats on either side."""
_FALSE_TAKEN, _NORMAL_TAKEN = 0.25, 0.15
"""Of the false beats that added noise makes, and of the normal beats in it, which are many, and alike."""
Prepared = tuple[FloatArray, FloatArray, npt.NDArray[np.int8]]
_log = structlog.get_logger(__name__)


def prepare_records(
    folder: Path,
    records: Sequence[str],
    purpose: Purpose,
    cache_dir: Path,
    trees: Trees,
    recorded_noise: noise.RecordedNoise | None = None,
) -> TrainingBeats:
    """Prepare the labelled beats of some annotated records.

    Parameters
    ----------
    folder : Path
        Holds the records with their annotations.
    records : sequence of str
    purpose : {"training", "one way", "noise", "reference", "detected"}
        ``"training"``: annotated beats on two leads, each lead's beat an example of its own, so that the model does
        not depend on a lead's name, then with what both say together; stretches that are not analysable left out.
        ``"one way"``: each record in one of these three ways only, for databases of many patients.
        ``"noise"``: what the detector takes for beats and nobody annotated (class Q), with the beats beside it, as
        recorded and in added noise, and more beats in that noise; on each lead likewise.
        ``"detected"``: the beats that the detector finds, as in scoring; those that match no annotation within 150 ms,
        and annotated ones that were missed, are left out. ``"reference"``: all annotated beats, likewise.
    cache_dir : Path
        One file per record; its name holds the hash of the record's content, of the code that prepares it, and of the
        trees.
    trees : Trees
        What the probability of fibrillation is told by: those of the version that is measured, or will be made.
    recorded_noise : RecordedNoise, optional
        What ``"noise"`` adds; noise is made where it is left out.

    Returns
    -------
    TrainingBeats
        In the order of `records`.

    Raises
    ------
    DatasetUnavailable
        A record is not in the folder.
    """
    return join_beats(
        [_prepare_cached(folder, record, purpose, cache_dir, trees, recorded_noise) for record in records]
    )


def prepare_labelled(labelled: LabelledRecording, purpose: Purpose, trees: Trees) -> TrainingBeats:
    """Prepare one recording's labelled beats, as `prepare_records` does, without a cache; class -1 has no label."""
    waveform, context, class_index = _prepare(labelled, purpose, trees)
    n = len(class_index)
    names = np.full(n, labelled.record), np.full(n, labelled.patient)
    return TrainingBeats(waveform, context, class_index, *names, trees=trees)


def prepare_scored(labelled: LabelledRecording, trees: Trees) -> tuple[TrainingBeats, npt.NDArray[np.int64]]:
    """Prepare one recording's beats as scoring finds them, and count what it missed.

    Returns
    -------
    beats : TrainingBeats
        All detected beats; class -1 for those that nobody annotated (in ventricular flutter they are left out).
    missed : ndarray of int64, shape (5,)
        Annotated beats of each class that were not detected.
    """
    beats = prepare_labelled(labelled, "scored", trees)
    annotated, found = (np.bincount(c[c >= 0], minlength=5) for c in (labelled.class_index, beats.class_index))
    return beats, annotated - found


def match_beats(reference: npt.NDArray[np.int64], detected: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Find each annotated beat among the detected ones, one to one.

    Parameters
    ----------
    reference, detected : ndarray of int64, shapes (n,) and (m,)
        Ascending sample numbers at `ANALYSIS_RATE_HZ`.

    Returns
    -------
    ndarray of int64, shape (n,)
        Index into `detected` of the nearest within `MATCH_MS`; -1 where there is none, or another annotated beat is
        nearer to it.
    """
    if detected.size == 0:
        return np.full(reference.size, -1, dtype=np.int64)
    right = np.clip(np.searchsorted(detected, reference), 0, detected.size - 1)
    left = np.maximum(right - 1, 0)
    nearer_left = np.abs(detected[left] - reference) <= np.abs(detected[right] - reference)
    nearest = np.where(nearer_left, left, right)
    distance = np.abs(detected[nearest] - reference)
    closest = np.full(detected.size, np.iinfo(np.int64).max)
    np.minimum.at(closest, nearest, distance)
    matched = np.where((distance <= MATCH_MS * ANALYSIS_RATE_HZ / 1000) & (distance == closest[nearest]), nearest, -1)
    # Two annotations equally near to one detection: the first has it.
    first_seen = np.zeros(reference.size, dtype=bool)
    first_seen[np.unique(matched, return_index=True)[1]] = True
    return np.where(first_seen, matched, -1)


def _prepare_cached(
    folder: Path,
    record: str,
    purpose: Purpose,
    cache_dir: Path,
    trees: Trees,
    recorded_noise: noise.RecordedNoise | None,
) -> TrainingBeats:
    labelled = load_record(folder, record)
    made_of = source_sha256(*FEATURE_CODE), trees.sha256, labelled.recording.recording_id, purpose
    key = hashlib.sha256(" ".join(made_of).encode())
    key.update(labelled.r_sample.tobytes() + labelled.class_index.tobytes())
    if recorded_noise is not None:
        key.update(recorded_noise.sha256.encode())
    path = cache_dir / f"{record}-{purpose.replace(' ', '_')}-{key.hexdigest()[:16]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            waveform, context, class_index = stored["waveform"], stored["context"], stored["class_index"]
    else:
        waveform, context, class_index = _prepare(labelled, purpose, trees, recorded_noise)
        write_cache(path, waveform=waveform, context=context, class_index=class_index)
        _log.info("record prepared", record=record, purpose=purpose, beats=len(class_index))
    n = len(class_index)
    names = np.full(n, record), np.full(n, labelled.patient)
    return TrainingBeats(waveform, context, class_index, *names, np.full(n, purpose == "noise"), trees)


def _prepare(
    labelled: LabelledRecording, purpose: Purpose, trees: Trees, recorded_noise: noise.RecordedNoise | None = None
) -> Prepared:
    if purpose == "noise":
        return _prepare_in_noise(labelled, trees, recorded_noise)
    analysis = analyse(labelled.recording)
    quality = analysis.quality
    r_index, class_index = _placed(labelled, analysis, purpose)
    # -1 marks a detected beat that nobody annotated: it is part of the rhythm, but has no label.
    wanted = class_index >= 0
    if purpose == "scored":
        wanted |= labelled.outside_flutter(r_index / ANALYSIS_RATE_HZ, MATCH_MS / 1000)
    if purpose in ("training", "one way"):
        only = _seed(labelled) if purpose == "one way" else None
        return _on_each_lead(analysis, r_index, class_index, wanted, trees, only)
    waveform, context = model_inputs(extract_from_leads(analysis.cleaned.signal_mv, r_index, quality, trees))
    return waveform[wanted], context[wanted], class_index[wanted]


def _seed(labelled: LabelledRecording) -> int:
    return int.from_bytes(hashlib.sha256(labelled.record.encode()).digest()[:4])


def _prepare_in_noise(
    labelled: LabelledRecording, trees: Trees, recorded_noise: noise.RecordedNoise | None
) -> Prepared:
    """Prepare false beats (class Q) and true ones beside them, as recorded and with noise added."""
    random = np.random.default_rng(_seed(labelled))
    noisy, in_noise = noise.with_noise(labelled.recording, _seed(labelled), recorded_noise)
    parts = []
    for recording, spoilt in ((labelled.recording, np.zeros_like(in_noise)), (noisy, in_noise)):
        analysis = analyse(recording)
        r_index, class_index = _placed(labelled, analysis, "scored")
        time_s = r_index / ANALYSIS_RATE_HZ
        is_false = (class_index < 0) & labelled.outside_flutter(time_s, MATCH_MS / 1000)
        beside = np.logical_or.reduce([np.roll(is_false, by) for by in _NEIGHBOURS])
        at = np.minimum((time_s * recording.sampling_rate_hz).astype(np.int64), spoilt.size - 1)
        wanted = (class_index >= 0) & (beside | spoilt[at])
        if spoilt.any():
            drawn = random.random(r_index.size)
            is_false &= drawn < _FALSE_TAKEN
            wanted &= (class_index > 0) | (drawn < _NORMAL_TAKEN)
        class_index = np.where(is_false, CLASSES.index("Q"), class_index).astype(np.int8)
        parts.append(_on_each_lead(analysis, r_index, class_index, wanted | is_false, trees))
    waveform, context, class_index = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return waveform, context, class_index


def _on_each_lead(
    analysis: Analysis,
    r_index: npt.NDArray[np.int64],
    class_index: npt.NDArray[np.int8],
    wanted: npt.NDArray[np.bool_],
    trees: Trees,
    only: int | None = None,
) -> Prepared:
    """Describe the wanted beats on either of two leads, then by what both say together; `only` takes one of these."""
    quality = analysis.quality
    found = [
        extract_beats(
            np.ascontiguousarray(analysis.cleaned.signal_mv[:, lead]),
            r_index,
            quality.analysable[:, lead],
            quality.epoch_s,
            trees,
        )
        for lead in analysed_leads(quality)
    ]
    if len(found) > 1:
        found.append(replace(found[0], context=joint_context(found)))
    if only is not None:
        found = [found[only % len(found)]]
    rows = [wanted & beats.analysable for beats in found]
    inputs = [model_inputs(beats) for beats in found]
    return (
        np.concatenate([waveform[mask] for (waveform, _), mask in zip(inputs, rows, strict=True)]),
        np.concatenate([context[mask] for (_, context), mask in zip(inputs, rows, strict=True)]),
        np.concatenate([class_index[mask] for mask in rows]),
    )


def _placed(
    labelled: LabelledRecording,
    analysis: Analysis,
    purpose: Purpose,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """R peaks at the analysis rate, ascending, with their classes (-1: not annotated)."""
    signal_mv, detected = analysis.cleaned.signal_mv, analysis.r_index
    n_samples = len(signal_mv)
    reference = np.rint(labelled.r_sample * (ANALYSIS_RATE_HZ / labelled.recording.sampling_rate_hz)).astype(np.int64)
    reference = np.minimum(reference, n_samples - 1)
    match = match_beats(reference, detected)
    if purpose in ("detected", "scored"):
        class_index = np.full(detected.size, -1, dtype=np.int8)
        class_index[match[match >= 0]] = labelled.class_index[match >= 0]
        return detected, class_index
    snapped = _snap(signal_mv[:, analysis.quality.primary_lead], reference)
    placed = np.where(match >= 0, detected[match] if detected.size else reference, snapped)
    # Two annotated beats never share a sample; a missed one that would, stays where it was annotated.
    order = np.argsort(placed, kind="stable")
    placed, class_index = placed[order], labelled.class_index[order]
    alone = np.concatenate([[True], np.diff(placed) > 0])
    return placed[alone], class_index[alone]


def _snap(lead_mv: FloatArray, reference: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Move each position to the greatest excursion within 60 ms."""
    half = round(_SNAP_MS * ANALYSIS_RATE_HZ / 1000)
    at = np.clip(reference[:, None] + np.arange(-half, half + 1)[None, :], 0, lead_mv.size - 1)
    around = lead_mv[at]
    excursion = np.abs(around - np.median(around, axis=1, keepdims=True))
    moved: npt.NDArray[np.int64] = at[np.arange(reference.size), excursion.argmax(axis=1)]
    return moved


def write_cache(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    """Write arrays under a temporary name, then rename the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=".npz", dir=path.parent)
    os.close(handle)
    np.savez(name, **arrays)  # type: ignore[arg-type]
    os.replace(name, path)
