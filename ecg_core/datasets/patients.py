"""Who a record is of: a person is never on both sides of a split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ecg_core.datasets import qtdb
from ecg_core.datasets.splits import DS1, DS2, INCARTDB_RECORDS, PACED, SVDB_RECORDS
from ecg_core.errors import PatientLeak

PATIENT_OF: Final[dict[str, str]] = {
    **{record: f"mitdb-{'201' if record == '202' else record}" for record in (*DS1, *DS2, *PACED)},
    **qtdb.PATIENT_OF,
    **{record: qtdb.PATIENT_OF.get(f"sel{record}", f"svdb-{record}") for record in SVDB_RECORDS},
}
"""Patient of each record of MIT-BIH's arrhythmia and supraventricular databases and of the QT Database.

Records of MIT-BIH's are of another person each, but 201 and 202 are the same one. None of the supraventricular
database's people is in the arrhythmia database; 13 of its records have stretches in the QT Database, and the same
patient's name keeps them on one side. INCART's people are named by its headers (`patient_of`).
"""
INCARTDB_PATIENTS: Final = tuple(f"incartdb-{n}" for n in range(1, 33))


def patient_of(folder: Path, record: str) -> str:
    """Return whom an annotated record is of."""
    import wfdb

    if record in INCARTDB_RECORDS:
        return incartdb_patient_of(wfdb.rdheader(str(folder / record)).comments)
    return PATIENT_OF.get(record, f"mitdb-{record}")


def incartdb_patient_of(header_comments: Sequence[str]) -> str:
    """Return whom a record of INCART's database is of, by the line ``patient 1`` of its header.

    Records without that line stand together as one patient. Where some have it and others do not, one of those may be
    of a person who is named elsewhere: `datasets.physionet` checks that headers are the published ones.
    """
    found = next((match for line in header_comments if (match := re.match(r"\s*patient\s+(\d+)\b", line))), None)
    return f"incartdb-{found[1]}" if found else "incartdb"


def check_no_leak(training: Sequence[str], held_out: Sequence[str]) -> None:
    """Raise where a patient stands on both sides, under the same or under another record name.

    Parameters
    ----------
    training, held_out : sequence of str
        Record names of this database or the QT Database.

    Raises
    ------
    PatientLeak
        Names the records.
    """
    held_out_by_patient = {PATIENT_OF.get(record, record): record for record in held_out}
    for record in training:
        other = held_out_by_patient.get(PATIENT_OF.get(record, record))
        if other is not None:
            raise PatientLeak(
                f"Record {record} (training) and record {other} (held out) are the same person.",
                "Leave one of them out.",
            )
