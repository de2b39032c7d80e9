"""The MIT-BIH Arrhythmia Database: labelled beats, and who may be trained on.

Moody and Mark 2001; the split by patients of de Chazal 2004 (`ecg_core.labels.DS1`, `DS2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets import incartdb, qtdb, svdb
from ecg_core.errors import DatasetUnavailable, PatientLeak
from ecg_core.formats import read_recording
from ecg_core.labels import DS1, DS2, PACED, Mapping, classes_of_symbols
from ecg_core.recording import Recording

DATABASE: Final = "mitdb"

PATIENT_OF: Final[dict[str, str]] = {
    **{record: f"mitdb-{'201' if record == '202' else record}" for record in (*DS1, *DS2, *PACED)},
    **qtdb.PATIENT_OF,
    **svdb.PATIENT_OF,
}
"""Patient of each record, also of the QT Database and the Supraventricular one (`incartdb.patient_of` has its own).
Records of this database are of another person each, but 201 and 202 are the same one."""


DECIDING: Final = ("112", "116", "124", "205", "207", "223")
"""What a promotion is judged on; no training and no calibration touches it.

Six of the 21 DS1 patients, chosen by their beat counts (mapping A; 201 left out of all figures):

========  ======  =====  =====  =====
part           N      S      V      F
========  ======  =====  =====  =====
DS1       44,231    816  3,590    413
deciding  12,534    217    910     30
share       28 %   27 %   25 %    7 %
========  ======  =====  =====  =====

- S and V are about a quarter each and come from several patients (S: 207, 223, 124; V: 223, 207, 116, 205, 124), so
  that the verdict does not hang on one of them.
- F is almost one patient: 373 of DS1's 413 are in 208. It stays in training, or nothing would be left to learn from;
  223, 205 and 124 give the deciding part its 30, enough to see a collapse, too few to rank two good models.
- 209 (383 S) and 208 (992 V) stay in training for the same reason.
- 112 has almost nothing but normal beats: false alarms show on it.
- 203, the only patient with atrial fibrillation beside 201, is in training: what fibrillation does to the S figure
  shows only in DS2. Nothing in DS2 was looked at to choose.
"""
TRAINING: Final = tuple(record for record in DS1 if record not in (*DECIDING, "201"))
"""DS1 without the deciding part and without 201, who is 202 of the test part."""
TEST: Final = DS2
"""De Chazal's DS2: looked at for publishing figures, never for a choice."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRecording:
    """A recording with its beats as cardiologists labelled them.

    Attributes
    ----------
    record : str
    patient : str
    recording : Recording
    r_sample : ndarray of int64, shape (n_beats,)
        Annotated beats, sample numbers at the recording's own rate.
    class_index : ndarray of int8, shape (n_beats,)
        Index into `ecg_core.labels.CLASSES`.
    flutter_s : tuple of (float, float)
        Stretches of ventricular flutter, seconds: they have no beats to be found (EC57 leaves them out).
    """

    record: str
    patient: str
    recording: Recording
    r_sample: npt.NDArray[np.int64]
    class_index: npt.NDArray[np.int8]
    flutter_s: tuple[tuple[float, float], ...] = ()

    def outside_flutter(self, time_s: npt.NDArray[np.float64], margin_s: float = 0.0) -> npt.NDArray[np.bool_]:
        """Tell which times lie in no stretch of flutter, nor within a margin of one."""
        outside = np.ones(time_s.shape, dtype=np.bool_)
        for start, end in self.flutter_s:
            outside &= (time_s < start - margin_s) | (time_s > end + margin_s)
        return outside


def load_record(folder: Path, record: str, mapping: Mapping = "A") -> LabelledRecording:
    """Read a record with its annotated beats.

    Parameters
    ----------
    folder : Path
        Holds ``<record>.hea``, ``.dat`` and ``.atr``.
    record : str
        For instance ``"100"``.
    mapping : {"A", "B"}
        How symbols become classes: `ecg_core.labels`.

    Raises
    ------
    DatasetUnavailable
        The record or its annotations are not in the folder.
    """
    import wfdb

    for suffix in (".hea", ".dat", ".atr"):
        if not (folder / f"{record}{suffix}").is_file():
            raise DatasetUnavailable(f"{record}{suffix} is not in {folder}.", "Fetch it: ecg fetch mitdb.")
    recording = read_recording(folder / f"{record}.hea", pseudonym_key=b"")
    annotation = wfdb.rdann(str(folder / record), "atr")
    class_index = classes_of_symbols(annotation.symbol, mapping)
    is_beat = class_index >= 0
    begin, end = (
        [
            sample / recording.sampling_rate_hz
            for sample, symbol in zip(annotation.sample, annotation.symbol, strict=True)
            if symbol == mark
        ]
        for mark in "[]"
    )
    return LabelledRecording(
        record=record,
        patient=_patient_of(folder, record),
        recording=recording,
        r_sample=np.asarray(annotation.sample, dtype=np.int64)[is_beat],
        class_index=class_index[is_beat],
        flutter_s=tuple(zip(begin, end, strict=True)),
    )


def _patient_of(folder: Path, record: str) -> str:
    import wfdb

    if record in incartdb.TRAINING:
        return incartdb.patient_of(wfdb.rdheader(str(folder / record)).comments)
    return PATIENT_OF.get(record, f"mitdb-{record}")


def load_rhythm(folder: Path, record: str) -> list[tuple[float, float, str]]:
    """Read a record's rhythm annotations: (start, end, mark) in seconds, for instance ``(0.0, 12.5, "(AFIB")``.

    Raises
    ------
    DatasetUnavailable
        The annotations are not in the folder.
    """
    import wfdb

    if not (folder / f"{record}.atr").is_file():
        raise DatasetUnavailable(f"{record}.atr is not in {folder}.", "Fetch it: ecg fetch mitdb.")
    header = wfdb.rdheader(str(folder / record))
    annotation = wfdb.rdann(str(folder / record), "atr")
    marks = [
        (sample / header.fs, note.rstrip("\0"))
        for sample, note in zip(annotation.sample, annotation.aux_note, strict=True)
        if note.startswith("(")
    ]
    ends = [start for start, _ in marks[1:]] + [header.sig_len / header.fs]
    return [(start, end, mark) for (start, mark), end in zip(marks, ends, strict=True)]


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
