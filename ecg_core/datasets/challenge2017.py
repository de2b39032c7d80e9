"""The Challenge of 2017: short recordings of one lead, each with its rhythm (Clifford et al. 2017)."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.recording import Recording

DATABASE: Final = "challenge-2017"
RHYTHM_NAMES: Final = {"N": "normal", "A": "atrial fibrillation", "O": "other rhythm", "~": "too noisy to tell"}
REFERENCES: Final = ("training/REFERENCE.csv", "REFERENCE-v3.csv")
"""Where the rhythm of each recording stands; either will do."""


def references(folder: Path) -> dict[str, str]:
    """Rhythm of each recording that is there, by its name.

    Parameters
    ----------
    folder : Path
        The database's, for instance ``challenge-2017/1.0.0``.

    Raises
    ------
    DatasetUnavailable
        No table of rhythms, or no recording, is in the folder.
    """
    table = next((folder / name for name in REFERENCES if (folder / name).is_file()), None)
    if table is None:
        raise DatasetUnavailable(f"{REFERENCES[0]} is not in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
    with table.open(newline="") as stream:
        rows = {name: rhythm for name, rhythm in csv.reader(stream) if rhythm in RHYTHM_NAMES}
    there = {name: rhythm for name, rhythm in sorted(rows.items()) if _header(folder, name) is not None}
    if not there:
        raise DatasetUnavailable(f"No recording of the Challenge is in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
    return there


def recordings(folder: Path, names: list[str]) -> Iterator[Recording]:
    """Read recordings one after the other."""
    for name in names:
        header = _header(folder, name)
        if header is None:
            raise DatasetUnavailable(f"{name}.hea is not in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
        yield read_recording(header, pseudonym_key=b"")


def content_sha256(folder: Path, names: list[str]) -> str:
    """One hash over the rhythms and signals of these recordings, in this order."""
    digest = hashlib.sha256()
    rhythms = references(folder)
    for name in names:
        header = _header(folder, name)
        digest.update(f"{name} {rhythms[name]}".encode())
        if header is not None:
            digest.update(header.read_bytes() + header.with_suffix(".mat").read_bytes())
    return digest.hexdigest()


def _header(folder: Path, name: str) -> Path | None:
    for path in (folder / "training" / name[:3] / f"{name}.hea", folder / "training" / f"{name}.hea"):
        if path.is_file() and path.with_suffix(".mat").is_file():
            return path
    return None
