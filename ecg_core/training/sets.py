"""What the flagship learns from: MIT-BIH, also in noise; further databases of beats; the Challenge's rhythms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from ecg_core.beats import CONTEXT_NAMES, Trees, extract_from_primary_lead, model_inputs
from ecg_core.datasets import challenge2017
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import LEARNED_FROM
from ecg_core.errors import DatasetUnavailable
from ecg_core.recording import Recording
from ecg_core.signal import analyse
from ecg_core.training import noise
from ecg_core.training.assembling import TrainingSource
from ecg_core.training.beats import TrainingBeats, join_beats
from ecg_core.training.prepare import Purpose, prepare_records, write_cache
from ecg_core.training.source_hash import FEATURE_CODE, source_sha256

_MANY_PATIENTS: Final = ("svdb", "incartdb")
"""Their beats on each lead and on both would fill the memory; beats of more patients say more than more of each."""
_RHYTHMS: Final = ("N", "A")
"""Of the Challenge: sinus rhythm, whose beats are all N, and atrial fibrillation, which has no S beats."""
SUFFIXES: Final = ("hea", "dat", "atr")
"""Files of a record with annotated beats."""
_USUAL_SHAPE: Final = 0.3
_log = structlog.get_logger(__name__)


def training_set(folders: Mapping[str, Path], cache_dir: Path, trees: Trees) -> TrainingBeats:
    """Prepare the beats of all training patients; what is not there is left out, and said.

    Parameters
    ----------
    folders : mapping of str to Path
        By database: ``mitdb``, and where they are at hand ``qtdb``, ``svdb``, ``incartdb``, ``challenge-2017``, and
        ``nstdb`` for its noise.
    cache_dir : Path
    trees : Trees
        What the probability of fibrillation is told by.

    Raises
    ------
    DatasetUnavailable
        No training record of MIT-BIH is there.
    """
    parts = []
    recorded = _recorded_noise(folders)
    for database, records in LEARNED_FROM.items():
        there = records_there(folders[database], records) if database in folders else []
        if there:
            purpose: Purpose = "one way" if database in _MANY_PATIENTS else "training"
            parts.append(prepare_records(folders[database], there, purpose, cache_dir, trees))
            if database == "mitdb":
                # Two readers annotated every beat of it: what they did not annotate is none.
                parts.append(prepare_records(folders[database], there, "noise", cache_dir, trees, recorded))
        elif database == "mitdb":
            raise DatasetUnavailable(
                f"None of the records {', '.join(records)} is in {folders[database]}.",
                "Set ECG_PHYSIONET_BASE to a base that has them.",
            )
    challenge = _challenge(folders)
    if challenge is not None:
        parts.append(prepare_challenge(challenge, cache_dir, trees))
    return join_beats(parts)


def training_source(folders: Mapping[str, Path]) -> TrainingSource:
    """Name the databases, each with a hash over what was read of it."""
    hashes, named = {}, []
    for database, records in LEARNED_FROM.items():
        there = records_there(folders[database], records) if database in folders else []
        if there:
            files = (folders[database] / f"{record}.{suffix}" for record in there for suffix in SUFFIXES)
            digest = hashlib.sha256()
            for path in files:
                digest.update(path.read_bytes())
            hashes[database] = digest.hexdigest()
            named.append(_in_words(database))
    folder = _challenge(folders)
    if folder is not None:
        hashes[challenge2017.DATABASE] = challenge2017.content_sha256(folder, list(_rhythms(folder)))
        named.append(f"{_in_words(challenge2017.DATABASE)} (sinus rhythm and atrial fibrillation)")
    recorded = _recorded_noise(folders)
    if recorded is not None:
        hashes[noise.DATABASE] = recorded.sha256
        named.append(_in_words(noise.DATABASE))
    return TrainingSource("; ".join(named), hashes)


def records_there(folder: Path, records: Sequence[str]) -> list[str]:
    """Return the records that the folder has; the manifest names those that were used."""
    there = [r for r in records if all((folder / f"{r}.{suffix}").is_file() for suffix in SUFFIXES)]
    if len(there) < len(records):
        _log.warning("records not there, left out", records=sorted(set(records) - set(there)))
    return there


def _recorded_noise(folders: Mapping[str, Path]) -> noise.RecordedNoise | None:
    return noise.read_noise(folders[noise.DATABASE]) if noise.DATABASE in folders else None


def _challenge(folders: Mapping[str, Path]) -> Path | None:
    """Return the Challenge's folder where its references are there: a base without it leaves an empty one behind."""
    folder = folders.get(challenge2017.DATABASE)
    there = folder is not None and any((folder / name).is_file() for name in challenge2017.REFERENCES)
    return folder if there else None


def _in_words(database: str) -> str:
    facts = DATABASES[database]
    return f"{facts.title.split(':')[0]} {facts.version}"


def _rhythms(folder: Path) -> dict[str, str]:
    return {name: rhythm for name, rhythm in challenge2017.references(folder).items() if rhythm in _RHYTHMS}


def prepare_challenge(folder: Path, cache_dir: Path, trees: Trees) -> TrainingBeats:
    """Prepare the Challenge's recordings in sinus rhythm or atrial fibrillation: all beats taken are N.

    Nobody annotated these beats. In sinus rhythm all count as N; in fibrillation those of the usual shape do, so that
    irregularity is not taken for prematurity. Each recording counts as a patient of its own.
    """
    rhythms = _rhythms(folder)
    names = list(rhythms)
    code = source_sha256(*FEATURE_CODE, "ecg_core.datasets.challenge2017", "ecg_core.training.sets")
    key = hashlib.sha256(f"{code} {trees.sha256} {challenge2017.content_sha256(folder, names)}".encode()).hexdigest()[
        :16
    ]
    path = cache_dir / f"challenge-2017-{key}.npz"
    if not path.is_file():
        parts = [
            _normal_beats(recording, rhythms[name] == "A", trees)
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
    return TrainingBeats(waveform, context, np.zeros(len(record), np.int8), record, record, trees=trees)


def _normal_beats(
    recording: Recording, fibrillates: bool, trees: Trees
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    beats = extract_from_primary_lead(analyse(recording), trees)
    waveform, context = model_inputs(beats)
    rows = beats.analysable.copy()
    if fibrillates:
        rows &= beats.context[:, CONTEXT_NAMES.index("qrs_unlike_template")] < _USUAL_SHAPE
    return waveform[rows], context[rows]
