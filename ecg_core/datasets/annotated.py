"""Records with annotated beats (WFDB's ``atr``), whichever database they are of, and their rhythm marks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.datasets.patients import patient_of
from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.labels import ClassMapping, classes_of_symbols
from ecg_core.recording import Recording


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


def load_record(folder: Path, record: str, mapping: ClassMapping = "A") -> LabelledRecording:
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
        patient=patient_of(folder, record),
        recording=recording,
        r_sample=np.asarray(annotation.sample, dtype=np.int64)[is_beat],
        class_index=class_index[is_beat],
        flutter_s=tuple(zip(begin, end, strict=True)),
    )


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
