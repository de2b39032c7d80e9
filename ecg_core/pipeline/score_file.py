"""`ecg score` and `ecg qrs`: the same work for one file, without Airflow and Postgres."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecg_core.errors import DuplicateSignal
from ecg_core.export.json_file import result_as_json
from ecg_core.formats import fingerprint, profiles_of, read_recording, with_site_profile
from ecg_core.pipeline.generated_text import with_generated_text
from ecg_core.pipeline.score import sample_numbers, score_recording
from ecg_core.recording import Recording
from ecg_core.report import sentences, write_report
from ecg_core.result import ANALYSIS_RATE_HZ, beat_counts
from ecg_core.result.resting_findings import TASK, called_superclasses
from ecg_core.settings import Settings
from ecg_core.signal import analyse

if TYPE_CHECKING:
    from ecg_core.models import LoadedModel, RecordingModel


class ScoredFile(NamedTuple):
    """What `score_file` did: the result as JSON, the counts in words, and the report's path (None if unasked)."""

    json: dict[str, object]
    counts: str
    report: Path | None


def _read(path: Path, settings: Settings) -> Recording:
    with with_site_profile(path, profiles_of(settings)) as readable:
        return read_recording(readable, settings.pseudonym_secret())


def detect_in_file(path: Path, settings: Settings) -> dict[str, Any]:
    """Find the R peaks of one file, and nothing else.

    Returns
    -------
    dict
        ``file``, ``recording_id``, ``sampling_rate_hz``, ``n_samples``, ``lead_names``, ``primary_lead``,
        ``analysable_share``, ``r_sample`` (at the file's own rate, from 0) and ``r_time_s``.

    Raises
    ------
    RecordingError
        The file cannot be used.
    """
    recording = _read(path, settings)
    analysis = analyse(recording)
    quality, r_time_s = analysis.quality, analysis.r_index / ANALYSIS_RATE_HZ
    return {
        "file": str(path),
        "recording_id": recording.recording_id,
        "sampling_rate_hz": recording.sampling_rate_hz,
        "n_samples": recording.n_samples,
        "lead_names": list(recording.lead_names),
        "primary_lead": recording.lead_names[quality.primary_lead],
        "analysable_share": quality.analysable_share,
        "r_sample": sample_numbers(recording, r_time_s).tolist(),
        "r_time_s": r_time_s.round(4).tolist(),
    }


def score_file(
    path: Path,
    model: LoadedModel,
    settings: Settings,
    out: Path | None,
    seen: dict[str, Path] | None = None,
    others: Sequence[RecordingModel] = (),
) -> ScoredFile:
    """Score one file; with `out`, write ``<recording id>.json`` and ``.html`` there. `others` are of the other tasks.

    `seen` holds the files of this call by the fingerprint of their signal; without it none counts as a duplicate.

    Raises
    ------
    DuplicateSignal
        A file in `seen` holds the same signal.
    RecordingError
        The file cannot be used.
    """
    started = time.perf_counter()
    recording = _read(path, settings)
    signal = fingerprint(recording)
    if seen is not None and seen.setdefault(signal, path) != path:
        raise DuplicateSignal(f"The same signal as in {seen[signal]}.", "To score it as well: --duplicates.")
    result = score_recording(
        recording,
        model,
        settings.explained_beats,
        settings.explained_abnormal_beats,
        {"read": time.perf_counter() - started},
        others,
    )
    result = with_generated_text(replace(result, recording=replace(result.recording, fingerprint=signal)), settings)
    document = result_as_json(result, sentences(result))
    counts = ", ".join(f"{count} {name}" for name, count in beat_counts(result).items() if count) or "no beats"
    called = called_superclasses({label.label: label for label in result.labels if label.task == TASK})
    counts = f"{', '.join(called)}; {counts}" if called else counts
    if out is None:
        return ScoredFile(document, counts, None)
    out.mkdir(parents=True, exist_ok=True)
    stem = recording.recording_id[:16]
    written = write_report(result, out / f"{stem}.html")
    temporary = out / f".{stem}.json.tmp"
    temporary.write_text(json.dumps(document))
    temporary.rename(out / f"{stem}.json")
    return ScoredFile(document, counts, written.path)
