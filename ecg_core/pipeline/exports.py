"""Ways out of the results database: the mart as Parquet, a result as FHIR, its beats as a WFDB annotation file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from ecg_core.errors import StoreError
from ecg_core.export.fhir import fhir_bundle
from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store.parquet import export_mart as write_parquet
from ecg_core.store.read_result import StoredResult, find_recording, read_stored

ANNOTATOR: Final = "ecg"
"""The suffix of the annotation file: ``<name>.ecg``, beside ``<name>.hea``."""
NOT_ANALYSABLE: Final = "?"
"""Of such a beat nothing is claimed; WFDB's symbol for a beat that was not classified."""


def export_mart(settings: Settings, folder: Path, since: date, until: date) -> dict[str, int]:
    """Write the mart of a period as Parquet, one file a view; rows by view.

    Raises
    ------
    StoreError
        The period ends before it begins.
    """
    if until <= since:
        raise StoreError(f"The period from {since} to {until} is empty.", "Let it end after the day it begins.")
    with store_engine(settings).connect() as connection, connection.begin():
        return write_parquet(connection, folder, since, until)


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
    result = _read(settings, recording, model_version)
    path = folder / f"{result.score['recording_id'][:16]}.fhir.json"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(fhir_bundle(result), indent=1, ensure_ascii=False) + "\n", "utf-8")
    temporary.rename(path)
    return path


def export_annotations(settings: Settings, recording: str, folder: Path, model_version: str | None = None) -> Path:
    """Write a recording's beats as a WFDB annotation file, ``<start of the id>.ecg``.

    Sample numbers are at the recording's own rate; symbols are the classes N, S, V, F and Q, and `NOT_ANALYSABLE`.
    Parameters and errors are those of `export_fhir`.

    Raises
    ------
    StoreError
        As `export_fhir`; or the recording has no beat, which WFDB cannot say.
    """
    import wfdb

    result = _read(settings, recording, model_version)
    if not result.beats:
        raise StoreError(
            "There is no beat to write: none was detected, or retention has dropped them.",
            "A WFDB annotation file needs at least one.",
        )
    name = result.score["recording_id"][:16]
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrann(
        name,
        ANNOTATOR,
        sample=np.array([beat["r_sample"] for beat in result.beats], np.int64),
        symbol=[beat["class"] if beat["analysable"] else NOT_ANALYSABLE for beat in result.beats],
        fs=result.recording["sampling_rate_hz"],
        write_dir=str(folder),
    )
    return folder / f"{name}.{ANNOTATOR}"


def _read(settings: Settings, recording: str, model_version: str | None) -> StoredResult:
    with store_engine(settings).connect() as connection:
        return read_stored(connection, find_recording(connection, recording), model_version)
