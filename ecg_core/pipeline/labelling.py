"""A version of a task other than ``beats``, promoted since for instance, asked of recordings that have scores."""

from __future__ import annotations

import structlog
from sqlalchemy import Engine

from ecg_core.formats import read_recording
from ecg_core.models import LoadedModel, RecordingModel
from ecg_core.pipeline.score import read_beats
from ecg_core.report import write_report
from ecg_core.settings import Settings
from ecg_core.store import labels, read_result, tables, write_result
from ecg_core.store.partitions import first_arrival, month_of
from ecg_core.store.readings import reading_of

log = structlog.get_logger(__name__)


def label_again(
    engine: Engine,
    settings: Settings,
    beats_model: LoadedModel,
    model: RecordingModel,
    recording_id: str,
    staged_path: str,
    owner: str,
) -> bool:
    """Let a version label one scored recording, and draw its newest report anew; False where it had labelled it before.

    Raises
    ------
    EcgError, OSError
        The recording, or its report, cannot be read or written; nothing is changed then.
    """
    path = settings.recordings_dir / staged_path
    recording = read_recording(path, settings.pseudonym_secret(), recording_id)
    result, _ = read_beats(recording, beats_model, others=[model])
    with engine.begin() as connection:
        month = month_of(first_arrival(connection, recording_id))
        if not labels.write_labels(connection, result, owner, month):
            return False
        scoring_run_id = read_result.find_scoring_run(connection, recording_id)
        stored = read_result.read_result(connection, scoring_run_id)
        reading_id = reading_of(connection, scoring_run_id)
        newest = tables.report.c.reading_id == reading_id
        place = connection.execute(tables.report.select().where(newest)).mappings().one_or_none()
        if place is not None:
            written = write_report(stored, settings.reports_dir / place["path"])
            write_result.replace_report(connection, reading_id, sha256=written.sha256, size_bytes=written.size_bytes)
    log.info("recording labelled", recording_id=recording_id, task=model.task, model_version=model.version)
    return True
