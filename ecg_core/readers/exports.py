"""Ways out of the results database: the mart as Parquet, DuckDB or OMOP CDM; a result as FHIR, JSON or WFDB."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path

from ecg_core.errors import StoreError
from ecg_core.export import codes
from ecg_core.export.annotations import SCORED, scored_annotations
from ecg_core.export.fhir import fhir_bundle
from ecg_core.export.json_file import result_as_json
from ecg_core.report import sentences
from ecg_core.settings import Settings
from ecg_core.store.database import store_engine
from ecg_core.store.duckdb_file import write_duckdb
from ecg_core.store.finals import read_final
from ecg_core.store.omop import Code, OmopExport
from ecg_core.store.omop import export_omop as write_omop
from ecg_core.store.parquet import export_mart as write_parquet
from ecg_core.store.read_result import find_scoring_run, read_beats, read_result, read_run
from ecg_core.store.readings import reading_of


def export_mart(settings: Settings, folder: Path, since: date, until: date) -> dict[str, int]:
    """Write the mart of a period as Parquet, one file a view; rows by view.

    Raises
    ------
    StoreError
        The period ends before it begins.
    """
    _check_period(since, until)
    with store_engine(settings).connect() as connection, connection.begin():
        return write_parquet(connection, folder, since, until)


def export_duckdb(settings: Settings, folder: Path, since: date, until: date) -> tuple[Path, dict[str, int]]:
    """Write the mart of a period as one DuckDB file, ``ecg_mart.duckdb``: a table a view, with comments; rows by view.

    Raises
    ------
    StoreError
        The period ends before it begins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        rows = export_mart(settings, Path(scratch), since, until)
        return write_duckdb(Path(scratch), folder / "ecg_mart.duckdb"), rows


def export_omop(settings: Settings, folder: Path, since: date, until: date) -> OmopExport:
    """Write the mart of a period as tables of the OMOP CDM 5.4 with its waveform extension; `ecg_core.store.omop`.

    Raises
    ------
    StoreError
        The period ends before it begins.
    """
    _check_period(since, until)
    named = [Code(name, vocabulary, code) for name, (vocabulary, code) in codes.coded().items()]
    with store_engine(settings).connect() as connection, connection.begin():
        return write_omop(connection, folder, since, until, named)


def export_fhir(settings: Settings, recording: str, folder: Path, model_version: str | None = None) -> Path:
    """Write a recording's result as a FHIR R4 bundle, ``<start of the id>.fhir.json``.

    Parameters
    ----------
    settings : Settings
    recording : str
        Start of its id.
    folder : Path
    model_version : str, optional
        The newest scores where it is left out.

    Raises
    ------
    StoreError
        No recording, or several, or no such scores.
    """
    with store_engine(settings).connect() as connection:
        run = read_run(connection, find_scoring_run(connection, recording, model_version))
        result = read_result(connection, run.scoring_run_id, with_signal=False, even_without_beats=True)
        final = read_final(connection, reading_of(connection, run.scoring_run_id))
    text = json.dumps(fhir_bundle(result, run, final), indent=1, ensure_ascii=False)
    return _write(folder, result.recording.recording_id, "fhir.json", f"{text}\n".encode())


def export_json(settings: Settings, recording: str, folder: Path, model_version: str | None = None) -> Path:
    """Write a recording's result as JSON, ``<start of the id>.json``, as `ecg score` does.

    Parameters and errors are those of `export_fhir`.

    Raises
    ------
    StoreError
        As `export_fhir`; or retention has dropped the beats.
    """
    with store_engine(settings).connect() as connection:
        run = read_run(connection, find_scoring_run(connection, recording, model_version))
        result = read_result(connection, run.scoring_run_id, with_signal=False)
    document = result_as_json(result, sentences(result), run)
    return _write(folder, result.recording.recording_id, "json", json.dumps(document).encode())


def export_annotations(settings: Settings, recording: str, folder: Path, model_version: str | None = None) -> Path:
    """Write a recording's beats as a WFDB annotation file, ``<start of the id>.ecg``.

    Sample numbers are at the recording's own rate. Parameters and errors are those of `export_fhir`.

    Raises
    ------
    StoreError
        As `export_fhir`; or the recording has no beat, which WFDB cannot say.
    """
    with store_engine(settings).connect() as connection:
        beats, recording_id, rate_hz = read_beats(connection, find_scoring_run(connection, recording, model_version))
    if not len(beats):
        raise StoreError(
            "There is no beat to write: none was detected, or retention has dropped them.",
            "A WFDB annotation file needs at least one.",
        )
    return _write(folder, recording_id, SCORED, scored_annotations(beats, rate_hz))


def _check_period(since: date, until: date) -> None:
    if until <= since:
        raise StoreError(f"The period from {since} to {until} is empty.", "Let it end after the day it begins.")


def _write(folder: Path, recording_id: str, suffix: str, data: bytes) -> Path:
    """Write to a temporary name, then rename."""
    path = folder / f"{recording_id[:16]}.{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.rename(path)
    return path
