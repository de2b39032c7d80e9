"""Beats that readers corrected, as more training data: where the setting says so, and never of a held-out patient."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import structlog

from ecg_core.datasets.mitdb import DECIDING, TEST, LabelledRecording
from ecg_core.formats import read_recording
from ecg_core.models import TrainingBeats, join_beats, prepare_labelled
from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import results, reviews

log = structlog.get_logger(__name__)


def with_reviewed(settings: Settings, training: TrainingBeats, database: Path) -> TrainingBeats:
    """Add what readers signed, where ``ECG_TRAIN_ON_REVIEWS`` says so.

    Parameters
    ----------
    settings : Settings
    training : TrainingBeats
    database : Path
        The training database: a recording whose content is one of its held-out records is never trained on.
    """
    if not settings.train_on_reviews:
        return training
    return join_beats([training, *reviewed_beats(settings, held_out_ids(settings, database))])


def held_out_ids(settings: Settings, database: Path) -> set[str]:
    """Identify the records that a promotion or the README's figures are judged on, by content."""
    headers = [database / f"{record}.hea" for record in (*DECIDING, *TEST)]
    there = [header for header in headers if header.is_file() and header.with_suffix(".dat").is_file()]
    return {read_recording(header, settings.pseudonym_secret()).recording_id for header in there}


def reviewed_beats(settings: Settings, held_out: Collection[str] = ()) -> Sequence[TrainingBeats]:
    """Prepare the beats that signed answers gave a class, those alone, on every lead of their recording.

    Recordings in `held_out`, generated ones, and those whose file is gone are left out.
    """
    found: list[TrainingBeats] = []
    with store_engine(settings).connect() as connection:
        for scoring_run_id, staged_path in reviews.corrected_runs(connection):
            result = results.read_result(connection, scoring_run_id, with_signal=False)
            facts, path = result.recording, settings.recordings_dir / staged_path
            if facts.recording_id in held_out or facts.synthetic or not path.is_file():
                log.info("review left out of training", recording_id=facts.recording_id, synthetic=facts.synthetic)
                continue
            classes, told = reviews.corrected_classes(result.beats, reviews.read_reviews(connection, scoring_run_id))
            # -1: part of the rhythm around a corrected beat, but without a label.
            labels = np.full(len(result.beats), -1, np.int8)
            labels[told] = classes[told]
            recording = read_recording(path, settings.pseudonym_secret(), facts.recording_id)
            name = f"reviewed-{facts.recording_id[:16]}"
            patient = facts.patient_pseudonym or f"patient-of-{name}"
            labelled = LabelledRecording(name, patient, recording, result.beats.r_sample, labels)
            found.append(prepare_labelled(labelled, "training"))
    log.info("reviewed beats", recordings=len(found), beats=sum(len(beats) for beats in found))
    return found
