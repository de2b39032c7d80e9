"""PTB-XL: resting ECGs of twelve leads, each with a cardiologist's statements (Wagner et al. 2020, Sci Data 7:154).

A record's superclasses are those of its diagnostic statements in ``scp_statements.csv``, whatever the likelihood, as in
the database's own example; there may be several, and none. All of a patient's records are in one fold. Folds 9 and 10
were seen by a human; 1 to 8 are for training, 9 for validation, 10 for testing.
"""

from __future__ import annotations

import ast
import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.recording import Recording

DATABASE: Final = "ptb-xl"
SUPERCLASSES: Final = ("NORM", "MI", "STTC", "CD", "HYP")
TRAINING_FOLDS: Final = tuple(range(1, 9))
CALIBRATION_FOLD: Final = 9
TEST_FOLD: Final = 10
TABLE: Final = "ptbxl_database.csv"
STATEMENTS: Final = "scp_statements.csv"

ABOVE_89: Final = 90.0
"""The age that stands for all above 89; the table writes 300 for most of them."""
_SEX: Final = {"0": "male", "1": "female"}


@dataclass(frozen=True, slots=True)
class PtbXlRecord:
    """A row of the table.

    Attributes
    ----------
    ecg_id : int
    patient : str
        ``ptb-xl-<number>``, the same for all records of a person.
    age_years : float or None
        90 for all above 89.
    sex : str or None
        ``male`` or ``female``.
    device : str
        As the table spells it, spaces trimmed.
    fold : int
        1 to 10.
    statements : mapping of str to float
        SCP-ECG statements and their likelihood, 0 to 100; 0 means that none was given.
    superclasses : frozenset of str
        Of `SUPERCLASSES`; may be empty.
    heart_axis : str
        As the table has it (LAD, ALAD, MID, RAD, …); mostly empty.
    path : str
        Of the 100 Hz form, without suffix, below the database's folder.
    """

    ecg_id: int
    patient: str
    age_years: float | None
    sex: str | None
    device: str
    fold: int
    statements: Mapping[str, float]
    superclasses: frozenset[str]
    heart_axis: str
    path: str


def superclass_of_statement(folder: Path) -> dict[str, str]:
    """Superclass of each diagnostic statement, from the database's own table."""
    rows = _rows(folder, STATEMENTS)
    return {row[""]: row["diagnostic_class"] for row in rows if row["diagnostic"] and float(row["diagnostic"]) == 1}


def records(folder: Path) -> tuple[PtbXlRecord, ...]:
    """List the records that are there, by `ecg_id`.

    Parameters
    ----------
    folder : Path
        The database's, for instance ``ptb-xl/1.0.3``.

    Raises
    ------
    DatasetUnavailable
        A table, or every recording, is missing.
    """
    superclass = superclass_of_statement(folder)
    every = [_record(row, superclass) for row in _rows(folder, TABLE)]
    there = sorted((one for one in every if _header(folder, one).is_file()), key=lambda one: one.ecg_id)
    if not there:
        raise DatasetUnavailable(f"No recording of PTB-XL is in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
    return tuple(there)


def n_listed(folder: Path) -> int:
    """Count the records that the database has, whether they are here or not."""
    return len(_rows(folder, TABLE))


def recordings(folder: Path, wanted: Iterable[PtbXlRecord]) -> Iterator[Recording]:
    """Read the 100 Hz form of recordings one after the other."""
    for record in wanted:
        header = _header(folder, record)
        if not header.is_file():
            raise DatasetUnavailable(f"{record.path}.hea is not in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
        yield read_recording(header, pseudonym_key=b"")


def content_sha256(folder: Path, wanted: Iterable[PtbXlRecord]) -> str:
    """One hash over the superclasses, folds and signals of these recordings, in this order."""
    digest = hashlib.sha256()
    for record in wanted:
        header = _header(folder, record)
        digest.update(f"{record.ecg_id} {record.fold} {sorted(record.superclasses)}".encode())
        digest.update(header.read_bytes() + header.with_suffix(".dat").read_bytes())
    return digest.hexdigest()


def _record(row: Mapping[str, str], superclass: Mapping[str, str]) -> PtbXlRecord:
    statements = {str(code): float(likelihood) for code, likelihood in ast.literal_eval(row["scp_codes"]).items()}
    age = float(row["age"]) if row["age"] else None
    return PtbXlRecord(
        int(row["ecg_id"]),
        f"{DATABASE}-{int(float(row['patient_id']))}",
        ABOVE_89 if age is not None and age > 89 else age,
        _SEX.get(row["sex"].removesuffix(".0")),
        " ".join(row["device"].split()),
        int(float(row["strat_fold"])),
        statements,
        frozenset(superclass[code] for code in statements if code in superclass),
        row["heart_axis"],
        row["filename_lr"],
    )


def _header(folder: Path, record: PtbXlRecord) -> Path:
    return folder / f"{record.path}.hea"


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    path = folder / name
    if not path.is_file():
        raise DatasetUnavailable(f"{name} is not in {folder}.", f"Fetch it: ecg fetch {DATABASE}.")
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
