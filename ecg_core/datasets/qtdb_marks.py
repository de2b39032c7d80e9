"""The QT Database: beats whose waves a cardiologist bounded by hand (annotator 1, files ``.q1c``).

Laguna, Mark, Goldberger, Moody 1997 (Computers in Cardiology 24:673): 105 excerpts of 15 minutes, two leads at 250 Hz,
of other databases, with at least 30 beats each bounded by one cardiologist who saw both leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.recording import Recording
from ecg_core.result import WAVE_POINTS

DATABASE: Final = "qtdb"
ANNOTATOR: Final = "q1c"

CHOOSING: Final = tuple(
    "sel102 sel114 sel230 sel301 sel306 sel308 sel803 sel811 sel821 sel847 sel871 sel873 sel891 sel14046 sel14172 "
    "sel16265 sel16272 sel16420 sel16539 sel16786 sel17152 sel30 sel32 sel34 sel36 sel38 sel40 sel42 sel44 sel46 sel48 "
    "sel50 sel52 sele0104 sele0110 sele0116 sele0121 sele0122 sele0136 sele0166 sele0203 sele0211 sele0405 sele0409 "
    "sele0509 sele0604 sele0607 sele0612".split()
)
"""Records that the delineator's parameters were chosen on.

About half of each source, so that all kinds are on both sides; excerpts that may be of one person (from one
tape, or of the same age, sex and illness with neighbouring numbers) are on the same side. None is of a DS2 patient.
"""
MEASURED: Final = tuple(
    "sel100 sel103 sel104 sel116 sel117 sel123 sel213 sel221 sel223 sel231 sel232 sel233 sel302 sel307 sel310 sel31 "
    "sel33 sel35 sel37 sel39 sel41 sel43 sel45 sel47 sel49 sel51 sel808 sel820 sel840 sel853 sel872 sel883 sel14157 "
    "sel15814 sel16273 sel16483 sel16773 sel16795 sel17453 sele0106 sele0107 sele0111 sele0112 sele0114 sele0124 "
    "sele0126 sele0129 sele0133 sele0170 sele0210 sele0303 sele0406 sele0411 sele0603 sele0606 sele0609 "
    "sele0704".split()
)
"""All others, for the published figures: nine of them (100, 103, 117, 123, 213, 221, 231, 232, 233) are of patients of
MIT-BIH's DS2, so a look at these figures is a look at DS2."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundedRecording:
    """A recording with the beats that were bounded by hand.

    Attributes
    ----------
    record : str
    recording : Recording
    marks : ndarray of float64, shape (n_beats, 8)
        `WAVE_POINTS`, sample numbers; NaN where there is no mark.
    qrs_sample : ndarray of int64, shape (n_beats,)
        The mark inside the QRS complex.
    """

    record: str
    recording: Recording
    marks: npt.NDArray[np.float64]
    qrs_sample: npt.NDArray[np.int64]


def load_record(folder: Path, record: str) -> BoundedRecording:
    """Read a record and its manual marks.

    Raises
    ------
    DatasetUnavailable
        The record or its marks are not in the folder.
    """
    import wfdb

    for suffix in (".hea", ".dat", f".{ANNOTATOR}"):
        if not (folder / f"{record}{suffix}").is_file():
            raise DatasetUnavailable(f"{record}{suffix} is not in {folder}.", "Fetch it: ecg fetch qtdb.")
    recording = read_recording(folder / f"{record}.hea", pseudonym_key=b"")
    annotation = wfdb.rdann(str(folder / record), ANNOTATOR)
    marks, qrs_sample = _beats(list(annotation.symbol), np.asarray(annotation.sample, dtype=np.int64))
    return BoundedRecording(record, recording, marks, qrs_sample)


def _beats(symbols: list[str], samples: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Gather the marks of each beat: a bracket belongs to the wave beside it, a wave to the QRS complex around.

    The P wave comes before its QRS complex, the T wave after it. U waves are left out, and so is a second T.
    """
    beats: list[npt.NDArray[np.float64]] = []
    qrs_sample: list[int] = []
    p_wave = np.full(3, np.nan)
    for i, symbol in enumerate(symbols):
        if symbol in "()u":
            continue
        on = float(samples[i - 1]) if i and symbols[i - 1] == "(" else np.nan
        off = float(samples[i + 1]) if i + 1 < len(symbols) and symbols[i + 1] == ")" else np.nan
        wave = np.array([on, float(samples[i]), off])
        if symbol == "p":
            p_wave = wave
        elif symbol == "t":
            if beats and np.isnan(beats[-1][5:]).all():
                beats[-1][5:] = wave
        else:
            beats.append(np.concatenate([p_wave, [on, off], np.full(3, np.nan)]))
            qrs_sample.append(int(samples[i]))
            p_wave = np.full(3, np.nan)
    marks = np.stack(beats) if beats else np.zeros((0, len(WAVE_POINTS)))
    return marks, np.array(qrs_sample, dtype=np.int64)
