"""`ecg score`: the same work for one file, without Airflow and Postgres."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ecg_core.formats import read_recording
from ecg_core.pipeline.export import beat_counts, result_as_json
from ecg_core.pipeline.score import score_recording
from ecg_core.report import write_report
from ecg_core.settings import Settings

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel


class ScoredFile(NamedTuple):
    """What `score_file` did: the result as JSON, the counts in words, and the report's path (None if unasked)."""

    json: dict[str, object]
    told: str
    report: Path | None


def score_file(path: Path, model: LoadedModel, settings: Settings, out: Path | None) -> ScoredFile:
    """Score one file; with `out`, write ``<recording id>.json`` and ``.html`` there.

    Raises
    ------
    RecordingError
        The file cannot be used.
    """
    started = time.perf_counter()
    recording = read_recording(path, settings.pseudonym_secret())
    result = score_recording(
        recording,
        model,
        settings.explained_beats,
        settings.explained_abnormal_beats,
        {"read": time.perf_counter() - started},
    )
    document = result_as_json(result)
    counts = ", ".join(f"{count} {name}" for name, count in beat_counts(result).items() if count) or "no beats"
    if out is None:
        return ScoredFile(document, counts, None)
    out.mkdir(parents=True, exist_ok=True)
    stem = recording.recording_id[:16]
    written = write_report(result, out / f"{stem}.html")
    temporary = out / f".{stem}.json.tmp"
    temporary.write_text(json.dumps(document))
    temporary.rename(out / f"{stem}.json")
    return ScoredFile(document, counts, written.path)
