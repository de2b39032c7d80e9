"""A version of a task other than ``beats``, promoted since for instance, asked of recordings that have scores."""

from __future__ import annotations

import structlog
from sqlalchemy import Engine

from ecg_core import depot
from ecg_core.formats import read_recording
from ecg_core.formats.copies import copy_of
from ecg_core.models import LoadedModel, RecordingModel
from ecg_core.pipeline.group import report_path
from ecg_core.pipeline.score import read_beats
from ecg_core.report import sentences, write_report
from ecg_core.settings import Settings
from ecg_core.store import labels, read_result, worklist, write_result
from ecg_core.store.partitions import first_arrival, month_of
from ecg_core.store.patients import last_before
from ecg_core.store.readings import reading_of, runs_of, write_reading

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
    """Let a version label one scored recording: a new reading of its newest beats, with a report of its own.

    The reading before it, its report and its reviews stay as they are. False where there is such a reading already.

    Raises
    ------
    EcgError, OSError
        The recording, or its report, cannot be read or written; nothing is changed then.
    """
    recording = read_recording(copy_of(settings, staged_path), settings.pseudonym_secret(), recording_id)
    result, _ = read_beats(recording, beats_model, others=[model])
    with engine.begin() as connection:
        month = month_of(first_arrival(connection, recording_id))
        scoring_run_id = read_result.find_scoring_run(connection, recording_id)
        before = read_result.read_result(connection, scoring_run_id, with_signal=False)
        runs = runs_of(connection, reading_of(connection, scoring_run_id))
        runs |= labels.write_labels(connection, result, owner, month)
        # What is found rests on the beats alone, and they are the same.
        reading_id = write_reading(connection, recording_id, runs, before.findings, sentences(before))
        if reading_id is None:
            return False
        after = read_result.read_result(connection, scoring_run_id)
        place = report_path(settings, recording_id, after.versions)
        written = write_report(after, place, last=last_before(connection, recording_id, settings.site_profiles))
        depot.put(settings, written.path)
        write_result.write_report(
            connection,
            reading_id,
            path=str(written.path.relative_to(settings.reports_dir)),
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            stages=after.stages,
        )
        worklist.place(connection, settings, [reading_id])
    log.info("recording labelled", recording_id=recording_id, task=model.task, model_version=model.version)
    return True
