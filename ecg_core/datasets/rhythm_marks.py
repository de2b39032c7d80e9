"""Rhythm marks of the MIT-BIH Malignant Ventricular Ectopy Database and of the CU Ventricular Tachyarrhythmia Database.

vfdb (Greenwald 1986) has 22 half hours with rhythm changes and no beats; cudb (Nolle et al. 1986) has 35 stretches of
8.5 minutes that end in fibrillation, which is marked from ``[`` to ``]``. Records are patients here. The test patients
are named, and refused: nothing may be learned or chosen from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ecg_core.errors import DatasetUnavailable, PatientLeak
from ecg_core.formats import read_recording
from ecg_core.recording import Recording

VFDB: Final = "vfdb"
CUDB: Final = "cudb"
TEST: Final = {
    VFDB: tuple("419 422 425 427 429 607 610 612 615".split()),
    CUDB: tuple(f"cu{number:02d}" for number in range(2, 36, 2)),
}
"""Records that only a release looks at."""
TRAINING: Final = {
    VFDB: tuple("418 420 421 423 424 426 428 430 602 605 609 611 614".split()),
    CUDB: tuple(f"cu{number:02d}" for number in range(1, 36, 2)),
}

UNMARKED: Final = "(unmarked"
"""What cudb says of the time outside fibrillation: it is not fibrillation, and may be anything else."""
KIND_OF_MARK: Final = {
    "(VF": "vf",
    "(VFIB": "vf",
    "(VFL": "vf",
    "(VT": "vt",
    "(ASYS": "asystole",
    "(N": "sinus",
    "(NSR": "sinus",
    "(NOISE": "noise",
}
"""What a mark counts as; every other mark is ``other``. Flutter counts with fibrillation: both have no QRS complexes,
and both are shocked."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A stretch between two rhythm marks: seconds from the start, and the mark as the database spells it."""

    start_s: float
    end_s: float
    mark: str

    @property
    def kind(self) -> str:
        """``vf``, ``vt``, ``asystole``, ``sinus``, ``noise``, ``unmarked`` or ``other``."""
        return "unmarked" if self.mark == UNMARKED else KIND_OF_MARK.get(self.mark, "other")


@dataclass(frozen=True, slots=True, eq=False)
class MarkedRecording:
    """A recording with its rhythm marks: they follow one another without a gap, to the recording's end."""

    record: str
    recording: Recording
    marked: tuple[Marked, ...]


def records_there(folder: Path, database: str) -> tuple[str, ...]:
    """Training records that the folder holds, whole.

    Raises
    ------
    DatasetUnavailable
        It holds none.
    """
    suffixes = (".hea", ".dat", ".atr")
    there = tuple(r for r in TRAINING[database] if all((folder / f"{r}{suffix}").is_file() for suffix in suffixes))
    if not there:
        raise DatasetUnavailable(f"No training record of {database} is in {folder}.", "Set ECG_PHYSIONET_BASE.")
    return there


def load_marked(folder: Path, database: str, record: str) -> MarkedRecording:
    """Read a record with its rhythm marks.

    Parameters
    ----------
    folder : Path
        Holds ``<record>.hea``, ``.dat`` and ``.atr``.
    database : {"vfdb", "cudb"}
    record : str
        For instance ``"418"`` or ``"cu01"``.

    Raises
    ------
    DatasetUnavailable
        A file of the record is not in the folder.
    PatientLeak
        The record is a test patient.
    """
    import wfdb

    if record in TEST[database]:
        raise PatientLeak(f"Record {record} of {database} is a test patient.", "Leave it out.")
    for suffix in (".hea", ".dat", ".atr"):
        if not (folder / f"{record}{suffix}").is_file():
            raise DatasetUnavailable(f"{record}{suffix} is not in {folder}.", "Set ECG_PHYSIONET_BASE to a mirror.")
    recording = read_recording(folder / f"{record}.hea", pseudonym_key=b"")
    annotation = wfdb.rdann(str(folder / record), "atr")
    times_s = [sample / recording.sampling_rate_hz for sample in annotation.sample]
    changes = _changes(database, times_s, annotation.symbol, annotation.aux_note)
    ends = [start for start, _ in changes[1:]] + [recording.duration_s]
    marked = tuple(Marked(start, end, mark) for (start, mark), end in zip(changes, ends, strict=True) if end > start)
    return MarkedRecording(record, recording, marked)


def _changes(database: str, times_s: list[float], symbols: list[str], notes: list[str]) -> list[tuple[float, str]]:
    """When the rhythm becomes which; the first mark of vfdb, some tenths of a second in, holds from the start."""
    if database == CUDB:
        names = {"[": "(VF", "]": UNMARKED}
        found = [(time, names[symbol]) for time, symbol in zip(times_s, symbols, strict=True) if symbol in names]
        return [(0.0, UNMARKED), *found]
    found = [(time, note.rstrip("\0")) for time, note in zip(times_s, notes, strict=True) if note.startswith("(")]
    return [(0.0, found[0][1]), *found[1:]] if found else [(0.0, UNMARKED)]
