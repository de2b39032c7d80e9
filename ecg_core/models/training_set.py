"""Everything the flagship learns from: MIT-BIH, further patients of the QT Database, rhythms of the Challenge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import CONTEXT_NAMES, extract_beats, model_inputs
from ecg_core.datasets import challenge2017, mitdb, qtdb
from ecg_core.models.prepare import code_sha256, prepare_records, write_cache
from ecg_core.models.training_beats import TrainingBeats, join_beats
from ecg_core.recording import Recording
from ecg_core.signal import assess_quality, clean, detect_r_peaks

_RHYTHMS: Final = ("N", "A")
"""Of the Challenge: sinus rhythm, whose beats are all N, and atrial fibrillation, which has no S beats."""
_USUAL_SHAPE: Final = 0.3
_log = structlog.get_logger(__name__)


def training_set(folders: Mapping[str, Path], cache_dir: Path) -> TrainingBeats:
    """Prepare the beats of all training patients; a database that is not there is left out, and said.

    Parameters
    ----------
    folders : mapping of str to Path
        By database: ``mitdb``, and where they are at hand ``qtdb`` and ``challenge-2017``.
    cache_dir : Path

    Raises
    ------
    DatasetUnavailable
        A record of MIT-BIH is missing.
    """
    parts = [prepare_records(folders[mitdb.DATABASE], mitdb.TRAINING, "training", cache_dir)]
    for name in (qtdb.DATABASE, challenge2017.DATABASE):
        folder = folders.get(name)
        if folder is None or not folder.is_dir():
            _log.warning("database not at hand, left out of training", database=name)
        elif name == qtdb.DATABASE:
            there = [r for r in qtdb.TRAINING if (folder / f"{r}.atr").is_file()]
            parts.append(prepare_records(folder, there, "training", cache_dir))
        else:
            parts.append(prepare_challenge(folder, cache_dir))
    return join_beats(parts)


def prepare_challenge(folder: Path, cache_dir: Path) -> TrainingBeats:
    """Prepare the Challenge's recordings in sinus rhythm or atrial fibrillation: all beats taken are N.

    Nobody annotated these beats. In sinus rhythm all count as N; in fibrillation those of the usual shape do, so that
    irregularity is not taken for prematurity. Each recording counts as a patient of its own.
    """
    rhythms = {name: rhythm for name, rhythm in challenge2017.references(folder).items() if rhythm in _RHYTHMS}
    names = list(rhythms)
    key = hashlib.sha256(f"{code_sha256()} {challenge2017.content_sha256(folder, names)}".encode()).hexdigest()[:16]
    path = cache_dir / f"challenge-2017-{key}.npz"
    if not path.is_file():
        parts = [
            _normal_beats(recording, rhythms[name] == "A")
            for name, recording in zip(names, challenge2017.recordings(folder, names), strict=True)
        ]
        write_cache(
            path,
            waveform=np.concatenate([waveform for waveform, _ in parts]),
            context=np.concatenate([context for _, context in parts]),
            record=np.repeat(names, [len(context) for _, context in parts]),
        )
    with np.load(path, allow_pickle=False) as stored:
        waveform, context, record = stored["waveform"], stored["context"], stored["record"]
    return TrainingBeats(waveform, context, np.zeros(len(record), np.int8), record, record)


def _normal_beats(recording: Recording, fibrillates: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    cleaned = clean(recording)
    quality = assess_quality(recording, cleaned)
    lead = quality.primary_lead
    beats = extract_beats(
        np.ascontiguousarray(cleaned.signal_mv[:, lead]),
        detect_r_peaks(cleaned, quality),
        quality.analysable[:, lead],
        quality.epoch_s,
    )
    waveform, context = model_inputs(beats)
    rows = beats.analysable.copy()
    if fibrillates:
        rows &= beats.context[:, CONTEXT_NAMES.index("qrs_unlike_template")] < _USUAL_SHAPE
    return waveform[rows], context[rows]
