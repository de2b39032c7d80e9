"""What a model of resting ECGs learns from: PTB-XL and the Challenge of 2021, measured, with classes and patients."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import signal as dsp

from ecg_core.datasets import challenge2021, ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.errors import PatientLeak, RecordingError
from ecg_core.recording import FloatArray, Recording
from ecg_core.resting import NotMeasured, Subject, read_resting
from ecg_core.resting.beat_features import beat_features, rhythm_features, subject_features
from ecg_core.resting.median_beat import MedianBeat, resampled
from ecg_core.result.resting import SUPERCLASSES
from ecg_core.signal import analyse

CHALLENGE_VERSION: Final = "1.0.3"
SIGNAL_RATE_HZ: Final = 100
SIGNAL_SAMPLES: Final = 1000
_ROWS_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class RestingSet:
    """Recordings with what is known of them.

    Attributes
    ----------
    feature_names : tuple of str
    features : ndarray of float32, shape (n, n_features)
        NaN where a value is unknown.
    signals_mv : ndarray of float32, shape (n, 12, 1000)
        Ten seconds at 100 Hz, for the families that look at the signal; (n, 12, 0) where they were not asked for.
    beats_mv : ndarray of float32, shape (n, 12, 400)
        Median beats.
    labels : ndarray of bool, shape (n, 5)
    fold : ndarray of int8, shape (n,)
        PTB-XL's own; 0 in other databases.
    patient, database, record, device : ndarray of str, shape (n,)
        One recording under two patients' names makes them one patient.
    left_out : Counter of str
        Recordings that were not taken, by reason.
    """

    feature_names: tuple[str, ...]
    features: FloatArray
    signals_mv: FloatArray
    beats_mv: FloatArray
    labels: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.int8]
    patient: npt.NDArray[np.str_]
    database: npt.NDArray[np.str_]
    record: npt.NDArray[np.str_]
    device: npt.NDArray[np.str_]
    left_out: Counter[str]

    def __len__(self) -> int:
        return int(self.patient.size)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> RestingSet:
        """Return these recordings."""
        return replace(self, **{name: getattr(self, name)[rows] for name in BY_RECORDING})

    def without_features(self, names: tuple[str, ...]) -> RestingSet:
        """Return all recordings without these columns."""
        kept = [k for k, name in enumerate(self.feature_names) if name not in names]
        return replace(self, feature_names=tuple(self.feature_names[k] for k in kept), features=self.features[:, kept])


BY_RECORDING: Final = (
    "features", "signals_mv", "beats_mv", "labels", "fold", "patient", "database", "record", "device",
)  # fmt: skip
"""The arrays of a `RestingSet` that have a row for each recording."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a recording beside its signal."""

    subject: Subject
    superclasses: frozenset[str]
    names: tuple[str, str, str, str]
    fold: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    beat: MedianBeat
    rhythm: dict[str, float]
    signal_mv: FloatArray
    content: bytes
    known: _Known


def read_resting_set(base: Path, with_signals: bool = True) -> RestingSet:
    """Read and measure all of PTB-XL that is at hand, then the Challenge's records of other databases.

    The Challenge's HR records are PTB-XL's. The Challenge does not say of whom they are, so that one of them could be
    of a patient on the other side of a split: all are left out.

    Parameters
    ----------
    base : Path
        Laid out as PhysioNet's file tree. The Challenge may be missing.
    with_signals : bool
        Keep ten seconds of each, which the trees do not need and which take most of the memory.

    Raises
    ------
    DatasetUnavailable
        PTB-XL is not there.
    """
    left_out: Counter[str] = Counter()
    measured = (*_ptbxl(base, left_out), *_challenge(base, left_out))
    rows = [row if with_signals else replace(row, signal_mv=row.signal_mv[:, :0]) for row in measured]
    names, features = _features(rows)
    patient, database, record, device = np.array([row.known.names for row in rows]).T
    return RestingSet(
        names,
        features,
        np.stack([row.signal_mv for row in rows]),
        np.stack([row.beat.signal_mv for row in rows]),
        np.array([[name in row.known.superclasses for name in SUPERCLASSES] for row in rows]),
        np.array([row.known.fold for row in rows], dtype=np.int8),
        _joined(patient, [row.content for row in rows]),
        database,
        record,
        device,
        left_out,
    )


def _features(rows: Sequence[_Measured]) -> tuple[tuple[str, ...], FloatArray]:
    """Names and values, some hundred recordings at a time."""
    parts = []
    names: tuple[str, ...] = ()
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[first : first + _ROWS_AT_ONCE]
        beats = np.stack([row.beat.signal_mv for row in some])
        on, off = (np.array([row.beat.points[name] for row in some]) for name in ("qrs_on", "qrs_off"))
        table = beat_features(beats, on, off, np.array([row.beat.rr_ms for row in some]))
        for name in some[0].rhythm:
            table[name] = np.array([row.rhythm[name] for row in some], dtype=np.float32)
        table["age_years"], table["female"] = subject_features([row.known.subject for row in some])
        names = tuple(table)
        parts.append(np.stack(list(table.values()), axis=1))
    return names, np.concatenate(parts)


def _joined(patient: npt.NDArray[np.str_], content: Sequence[bytes]) -> npt.NDArray[np.str_]:
    """Give patients under whose names one and the same recording lies one name (PTB-XL's 145 is its 463)."""
    first: dict[bytes, str] = {}
    same_as = {
        name: first[signal]
        for name, signal in zip(patient.tolist(), content, strict=True)
        if first.setdefault(signal, name) != name
    }
    while any(other in same_as for other in same_as.values()):
        same_as = {name: same_as.get(other, other) for name, other in same_as.items()}
    return np.array([same_as.get(name, name) for name in patient.tolist()])


def folds_by_patient(patient: npt.NDArray[np.str_], n_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal the patients out; all recordings of a patient get the same fold, shape (n,)."""
    names, index = np.unique(patient, return_inverse=True)
    fold_of_patient = np.random.default_rng(seed).permutation(names.size) % n_folds
    return np.asarray(fold_of_patient[index], dtype=np.int64)


def check_apart(learned: RestingSet, judged: RestingSet) -> None:
    """Raise `PatientLeak` where a patient stands on both sides."""
    both = set(learned.patient.tolist()) & set(judged.patient.tolist())
    if both:
        raise PatientLeak(f"{len(both)} patient(s) stand on both sides of the split.", "Split by patient.")


def _ptbxl(base: Path, left_out: Counter[str]) -> Iterator[_Measured]:
    folder = base / ptbxl.DATABASE / DATABASES[ptbxl.DATABASE].version
    records = ptbxl.records(folder)
    for record, recording in zip(records, ptbxl.recordings(folder, records), strict=True):
        names = (record.patient, ptbxl.DATABASE, str(record.ecg_id), record.device)
        subject = Subject(record.age_years, "female" if record.sex == "female" else "male" if record.sex else None)
        yield from _measure(recording, _Known(subject, record.superclasses, names, record.fold), left_out)


def _challenge(base: Path, left_out: Counter[str]) -> Iterator[_Measured]:
    folder = base / challenge2021.DATABASE / CHALLENGE_VERSION
    if not folder.is_dir():
        return
    chosen, counted = challenge2021.usable(challenge2021.records(folder), ())
    left_out.update(counted)
    for record in chosen:
        if record.ptb_xl_id is not None:
            left_out["of PTB-XL, patient unknown"] += 1
            continue
        try:
            recording = next(iter(challenge2021.recordings([record])))
        except RecordingError as error:
            left_out[error.code] += 1
            continue
        subject = Subject(record.age_years, "female" if record.sex == "female" else "male" if record.sex else None)
        names = (record.patient, record.database, record.name, "")
        yield from _measure(recording, _Known(subject, record.superclasses, names), left_out)


def _measure(recording: Recording, known: _Known, left_out: Counter[str]) -> Iterator[_Measured]:
    """Give the measured recording, or count it as left out."""
    analysis = analyse(recording)
    ecg = read_resting(recording, analysis, analysis.waves_ms(), known.subject, None)
    if isinstance(ecg, NotMeasured):
        left_out["not measured"] += 1
        return
    n_beats = max(ecg.beat.n_beats + ecg.beat.n_left_out, 1)
    rhythm = rhythm_features(analysis.r_index, ecg.beat.n_left_out / n_beats)
    twelve = ecg.leads.mixing @ resampled(recording.signal, recording.sampling_rate_hz)
    content = hashlib.sha256(np.nan_to_num(recording.signal).tobytes()).digest()
    yield _Measured(ecg.beat, rhythm, _ten_seconds(twelve), content, known)


def _ten_seconds(signal_mv: FloatArray) -> FloatArray:
    """Cut the first ten seconds at 100 Hz, without wander (.5 Hz, zero phase), shape (12, 1000), within 5 mV."""
    ratio = Fraction(SIGNAL_RATE_HZ, 250)
    slow = dsp.resample_poly(signal_mv, ratio.numerator, ratio.denominator, axis=1, padtype="line")
    sos = dsp.butter(2, 0.5, "highpass", fs=SIGNAL_RATE_HZ, output="sos")
    flat = dsp.sosfiltfilt(sos, slow, axis=1, padlen=min(300, slow.shape[1] - 1))[:, :SIGNAL_SAMPLES]
    padded = np.pad(flat, ((0, 0), (0, SIGNAL_SAMPLES - flat.shape[1])))
    return np.clip(padded, -5, 5).astype(np.float32)
