"""Learning to tell ventricular fibrillation and tachycardia from everything else, and folds of patients to judge it.

Learned from vfdb and cudb (rhythm marks), and what is not ventricular also from MIT-BIH's training records with the
paced ones, svdb, the Challenge of 2017, PTB-XL, and generated rhythms. MIT-BIH's deciding records (207 with its flutter
among them) and all test patients stay outside.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

import ecg_core
from ecg_core.beats.fibrillation import Trees
from ecg_core.beats.ventricular import (
    STATES,
    readable_windows,
    seconds_of,
    stretches_of,
    windows_of,
)
from ecg_core.beats.ventricular_features import FEATURE_NAMES, WINDOW_S
from ecg_core.datasets import annotated, challenge2017, rhythm_marks, splits
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.splits import PACED
from ecg_core.datasets.ventricular_simulation import LABEL_OF_KIND, real_beats_in_a_row, simulate
from ecg_core.errors import DatasetUnavailable
from ecg_core.files import file_sha256
from ecg_core.formats import read_recording
from ecg_core.labels import CLASSES
from ecg_core.models.ventricular import TREES_FILE
from ecg_core.models.version import MANIFEST, content_id
from ecg_core.recording import FloatArray, Recording
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal import clean
from ecg_core.signal.standstill import find_contact, find_standstill
from ecg_core.training.rhythm import _as_trees
from ecg_core.training.ventricular_figures import Told, figures

FOLDS: Final = 6
SVDB_TEST: Final = tuple("801 802 806 822 824 841 842 849 855 865 868 874 877 881 882 889 893 894".split())
"""Test patients of svdb: never learned from, wherever they are at hand."""
_VERSION_OF: Final = {"vfdb": "1.0.0", "cudb": "1.0.0"}
_UNKNOWN: Final = -1
_CODE_OF_KIND: Final = {"vf": 2, "vt": 1, "sinus": 0, "noise": 0, "other": 0, "unmarked": 0}
_SHARE_OF_WINDOW: Final = 0.75
_HOP_S: Final = {"vfdb": 1.0, "cudb": 1.0, "mitdb": 8.0, "svdb": 24.0, "challenge-2017": 12.0, "ptb-xl": 6.0}
_WEIGHT: Final = {
    "vfdb": 1.5,
    "cudb": 0.5,
    "mitdb": 2.5,
    "svdb": 1.5,
    "challenge-2017": 2.0,
    "ptb-xl": 1.0,
    "made": 12.0,
}
"""Of windows that are not ventricular; what cudb leaves unmarked may be ventricular tachycardia, and weighs little."""
_REAL_SHARE, _MADE_SHARE = 0.25, 0.05
"""Weight of all ventricular windows of one state, in that of all others together."""
_MANY: Final = 150
_MADE_S: Final = 45.0
_MADE_OF_KIND: Final = {"other": 50, "vt": 120, "vf": 120}
_STRUNG: Final = 8
_FEWEST_V: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class LearningWindows:
    """Windows with what they are.

    Attributes
    ----------
    features : ndarray of float32, shape (n, len(FEATURE_NAMES))
    state : ndarray of int8, shape (n,)
        Index into `STATES`, -1 where two rhythms share the window, or it is asystole.
    start_s : ndarray of float64, shape (n,)
    source, patient : ndarray of str, shape (n,)
        ``made`` for generated windows; a patient's name begins with its database.
    """

    features: FloatArray
    state: npt.NDArray[np.int8]
    start_s: npt.NDArray[np.float64]
    source: npt.NDArray[np.str_]
    patient: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class _Part:
    source: str
    patient: str
    features: FloatArray
    state: npt.NDArray[np.int8]
    start_s: npt.NDArray[np.float64]


def gather(base: Path, seed: int = 11) -> LearningWindows:
    """Prepare the windows of all databases in a PhysioNet mirror (some minutes).

    Raises
    ------
    DatasetUnavailable
        vfdb or cudb is not there; the others are taken where they are.
    """
    parts = [
        *_marked_parts(base),
        *_mitdb_parts(base),
        *_svdb_parts(base),
        *_short_parts(base),
        *_made_parts(base, seed),
    ]
    return LearningWindows(
        features=np.concatenate([part.features for part in parts]),
        state=np.concatenate([part.state for part in parts]),
        start_s=np.concatenate([part.start_s for part in parts]),
        source=np.concatenate([np.full(part.state.size, part.source) for part in parts]),
        patient=np.concatenate([np.full(part.state.size, part.patient) for part in parts]),
    )


def _folder(base: Path, database: str) -> Path:
    return base / database / (DATABASES[database].version if database in DATABASES else _VERSION_OF[database])


def _part(source: str, patient: str, column: FloatArray, hop_s: float, state: int = 0) -> _Part | None:
    if column.size < WINDOW_S * ANALYSIS_RATE_HZ:
        return None
    (features,), starts_s = windows_of(column[:, None], hop_s)
    return _Part(source, patient, features, np.full(starts_s.size, state, dtype=np.int8), starts_s)


def _marked_parts(base: Path) -> Iterator[_Part]:
    for database in (rhythm_marks.VFDB, rhythm_marks.CUDB):
        folder = _folder(base, database)
        for record in rhythm_marks.records_there(folder, database):
            marked = rhythm_marks.load_marked(folder, database, record)
            part = _part(database, f"{database}-{record}", clean(marked.recording).signal_mv[:, 0], _HOP_S[database])
            if part is None:
                continue
            for row, start in enumerate(part.start_s):
                part.state[row] = _state_of_window(marked.marked, float(start))
            yield part


def _state_of_window(marked: tuple[rhythm_marks.Marked, ...], start_s: float) -> int:
    """State of the kind that fills three quarters of a window."""
    share: dict[int, float] = {}
    for mark in marked:
        overlap = min(mark.end_s, start_s + WINDOW_S) - max(mark.start_s, start_s)
        if overlap > 0:
            code = _CODE_OF_KIND.get(mark.kind, _UNKNOWN)
            share[code] = share.get(code, 0.0) + overlap / WINDOW_S
    state, most = max(share.items(), key=lambda item: item[1])
    return state if most >= _SHARE_OF_WINDOW else _UNKNOWN


def _mitdb_parts(base: Path) -> Iterator[_Part]:
    """Training records, and the four paced ones; windows with many ventricular beats are left out."""
    folder = _folder(base, "mitdb")
    for record in (*splits.TRAINING, *PACED):
        if (folder / f"{record}.hea").is_file():
            yield from _beat_labelled(folder, "mitdb", record)


def _svdb_parts(base: Path) -> Iterator[_Part]:
    folder = _folder(base, "svdb")
    for header in sorted(folder.glob("*.hea")):
        if header.stem not in SVDB_TEST:
            yield from _beat_labelled(folder, "svdb", header.stem)


def _beat_labelled(folder: Path, database: str, record: str) -> Iterator[_Part]:
    labelled = annotated.load_record(folder, record)
    r_time_s = labelled.r_sample / labelled.recording.sampling_rate_hz
    ventricular = np.isin(labelled.class_index, [CLASSES.index("V"), CLASSES.index("F")])
    sums = np.concatenate([[0], np.cumsum(ventricular)])
    signal_mv = clean(labelled.recording).signal_mv
    for lead in range(signal_mv.shape[1]):
        part = _part(database, f"{database}-{record}", signal_mv[:, lead], _HOP_S[database])
        if part is not None:
            first, after = (np.searchsorted(r_time_s, part.start_s + offset) for offset in (0.0, WINDOW_S))
            part.state[sums[after] - sums[first] >= np.maximum(0.6 * (after - first), 3)] = _UNKNOWN
            yield part


def _short_parts(base: Path) -> Iterator[_Part]:
    """Read the Challenge of 2017 and PTB-XL (three of its leads); none has a ventricular rhythm."""
    folder = _folder(base, challenge2017.DATABASE)
    if folder.is_dir():
        names = list(challenge2017.references(folder))
        for name, recording in zip(names, challenge2017.recordings(folder, names), strict=True):
            part = _part("challenge-2017", f"challenge-2017-{name}", clean(recording).signal_mv[:, 0], 12.0)
            if part is not None:
                yield part
    for header in sorted(_folder(base, "ptb-xl").rglob("*_lr.hea")):
        signal_mv = clean(read_recording(header, pseudonym_key=b"")).signal_mv
        for lead in (1, 6, 10):
            part = _part("ptb-xl", f"ptb-xl-{header.stem}", signal_mv[:, lead], _HOP_S["ptb-xl"])
            if part is not None:
                yield part


def _made_parts(base: Path, seed: int) -> Iterator[_Part]:
    """Make rhythms, and rows of ventricular beats of training records, which stay in the record's fold."""
    rng = np.random.default_rng(seed)
    for kind, label in LABEL_OF_KIND.items():
        for number in range(_MADE_OF_KIND[label]):
            yield _made_part(f"made-{kind}-{number}", simulate(kind, _MADE_S, rng), STATES.index(label))
    for record in splits.TRAINING:
        if not (_folder(base, "mitdb") / f"{record}.hea").is_file():
            continue
        labelled = annotated.load_record(_folder(base, "mitdb"), record)
        signal_mv = clean(labelled.recording).signal_mv
        places = labelled.r_sample[labelled.class_index == CLASSES.index("V")] / labelled.recording.sampling_rate_hz
        at = np.round(places * ANALYSIS_RATE_HZ).astype(np.int64)
        at = at[(at > 200) & (at < len(signal_mv) - 200)]
        for lead in range(signal_mv.shape[1] if at.size >= _FEWEST_V else 0):
            around = signal_mv[:, lead][at[:, None] + np.arange(-150, 150)]
            for _ in range(_STRUNG):
                some = around[rng.integers(len(around), size=6)]
                column = real_beats_in_a_row(some, 40.0, float(rng.uniform(100, 230)), rng)
                yield _made_part(f"mitdb-{record}", column, STATES.index("vt"))


def _made_part(patient: str, column: FloatArray, state: int) -> _Part:
    recording = Recording("made", column[:, None], ANALYSIS_RATE_HZ, ("II",), "made", synthetic=True)
    part = _part("made", patient, clean(recording).signal_mv[:, 0], 5.0, state)
    assert part is not None  # longer than a window
    return part


def fit(windows: LearningWindows, rows: npt.NDArray[np.bool_], seed: int = 7) -> Trees:
    """Fit boosted trees to some of the windows."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    used = rows & np.isfinite(windows.features[:, 0]) & (windows.state >= 0)
    model = HistGradientBoostingClassifier(
        max_iter=90,
        max_depth=3,
        learning_rate=0.15,
        l2_regularization=5.0,
        min_samples_leaf=30,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    )
    # One thread: sums in another order would give other trees.
    with threadpool_limits(limits=1):
        model.fit(windows.features[used], windows.state[used], sample_weight=_weights(windows, used)[used])
    return _as_trees(model, 1.0)


def _weights(windows: LearningWindows, used: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """No patient outweighs the others by the length of one arrhythmia, no database by its size."""
    weight = np.array([_WEIGHT[source] for source in _WEIGHT])[_codes(windows.source, list(_WEIGHT))]
    made = windows.source == "made"
    of_others = weight[used & (windows.state == 0)].sum()
    for state in (1, 2):
        for is_made, share in ((False, _REAL_SHARE), (True, _MADE_SHARE)):
            rows = np.flatnonzero(used & (windows.state == state) & (made == is_made))
            if rows.size == 0:
                continue
            _, patient, count = np.unique(windows.patient[rows], return_inverse=True, return_counts=True)
            each = np.sqrt(_MANY / np.maximum(count, _MANY))[patient]
            weight[rows] = each * (share * of_others / each.sum())
    return weight


def _codes(values: npt.NDArray[np.str_], names: list[str]) -> npt.NDArray[np.int64]:
    order = np.argsort(names)
    return np.asarray(order[np.searchsorted(np.array(names)[order], values)], dtype=np.int64)


def folds_of(patients: npt.NDArray[np.str_], seed: int = 1) -> npt.NDArray[np.int64]:
    """Deal patients to folds, each database spread evenly."""
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    names = np.unique(patients)
    databases = np.array([name.rpartition("-")[0] for name in names])
    for database in np.unique(databases):
        for number, name in enumerate(rng.permutation(names[databases == database])):
            fold_of[str(name)] = number % FOLDS
    return np.array([fold_of[str(patient)] for patient in patients], dtype=np.int64)


def held_out(windows: LearningWindows) -> npt.NDArray[np.float64]:
    """Ask trees that had not seen a window's patient about it: probabilities (n, 3), NaN without features."""
    fold = folds_of(windows.patient)
    probabilities = np.full((len(fold), len(STATES)), np.nan)
    told = np.isfinite(windows.features[:, 0])
    for k in range(FOLDS):
        rows = told & (fold == k)
        probabilities[rows] = fit(windows, fold != k).probabilities(windows.features[rows])
    return probabilities


def measure(base: Path, windows: LearningWindows, probabilities: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Figures of `ecg_core.training.ventricular_figures.figures`, of patients that were held out."""
    told: list[Told] = []
    for database in (rhythm_marks.VFDB, rhythm_marks.CUDB):
        folder = _folder(base, database)
        for record in rhythm_marks.records_there(folder, database):
            rows = (windows.patient == f"{database}-{record}") & (windows.source == database)
            marked = rhythm_marks.load_marked(folder, database, record)
            duration_s = marked.recording.duration_s
            cleaned = clean(marked.recording)
            starts_s = windows.start_s[rows]
            contact = find_contact(marked.recording, cleaned)
            readable = readable_windows(contact.readable[:, 0], starts_s)
            said = np.where(readable[:, None], probabilities[rows], np.nan)
            seconds = seconds_of(windows.features[rows], said, starts_s, int(np.ceil(duration_s)))
            standstills = find_standstill(cleaned, contact)
            told.append(Told(database, marked, stretches_of(seconds, duration_s), standstills))
    return figures(told)


def train_ventricular(base: Path, models_dir: Path, seed: int = 7) -> str:
    """Learn from all that is there, and write a version: trees, and a manifest with figures by folds; its name.

    Raises
    ------
    DatasetUnavailable
        vfdb or cudb is not there.
    """
    windows = gather(base)
    if not windows.state.size:
        raise DatasetUnavailable("There is nothing to learn from.", "Set ECG_PHYSIONET_BASE to a mirror.")
    by_folds = measure(base, windows, held_out(windows))
    trees = fit(windows, np.ones(windows.state.size, dtype=bool), seed)
    stored = {
        "feature": trees.feature.tolist(),
        "threshold": [[float(f"{value:.7g}") for value in row] for row in trees.threshold],
        "unknown_left": trees.unknown_left.astype(int).tolist(),
        "value": trees.value.tolist(),
        "start": trees.start.tolist(),
        "temperature": trees.temperature,
    }
    learned = {
        "training_data": {str(source): int((windows.source == source).sum()) for source in np.unique(windows.source)},
        "patients": int(np.unique(windows.patient).size),
        "sha256": hashlib.sha256(windows.features.tobytes() + windows.state.tobytes()).hexdigest(),
        "seed": seed,
        "code_version": ecg_core.__version__,
        "feature_names": list(FEATURE_NAMES),
        "classes": list(STATES),
        "figures": by_folds,
    }
    return write_version(stored, learned, datetime.now(UTC), models_dir)


def write_version(trees: dict[str, Any], learned: dict[str, Any], created_at: datetime, models_dir: Path) -> str:
    """Write the folder of a version under a temporary name, then rename it."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=models_dir) as scratch:
        folder = Path(scratch) / "version"
        folder.mkdir()
        (folder / TREES_FILE).write_text(json.dumps(trees, separators=(",", ":")) + "\n")
        manifest = {
            "task": "ventricular",
            "family": "trees",
            "created_at": created_at.isoformat(timespec="seconds"),
            **learned,
            "files": {TREES_FILE: file_sha256(folder / TREES_FILE)},
        }
        name = f"ventricular-{created_at:%Y%m%d}-{content_id(manifest)}"
        (folder / MANIFEST).write_text(json.dumps({**manifest, "version": name}, indent=1) + "\n")
        folder.rename(models_dir / name)
    return name
