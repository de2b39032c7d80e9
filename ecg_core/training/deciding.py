"""The deciding set: what a promotion is judged on, of patients whom neither version had seen when it said so.

Two parts: whole patients held back from all training; and the training patients, of whom each version keeps what the
models said that were trained without them (out of fold). What a champion says today of a patient that it was trained on
would be no fair figure, so only what it kept from its own training counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets.patients import INCARTDB_PATIENTS, PATIENT_OF, check_no_leak
from ecg_core.datasets.splits import NEVER_LEARNED
from ecg_core.errors import DatasetError
from ecg_core.models.calibration import softmax
from ecg_core.models.version import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.training.beats import TrainingBeats
from ecg_core.training.figures import class_figures, confusion_matrix, evaluate
from ecg_core.training.gate import Candidate

OUT_OF_FOLD: Final = "out_of_fold.npz"
"""In a version: what models that had not seen a training patient said of that patient's beats."""
_TIMED_BEATS: Final = 2000
_TIMES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """What a version keeps from its training; one row per training beat.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, 5)
    class_index : ndarray of int8, shape (n,)
    record, patient : ndarray of str, shape (n,)
    """

    logits: FloatArray
    class_index: npt.NDArray[np.int8]
    record: npt.NDArray[np.str_]
    patient: npt.NDArray[np.str_]


def write_out_of_fold(logits: FloatArray, training: TrainingBeats, path: Path) -> None:
    """Keep what was said of the training beats; half precision is finer than any decision."""
    records, number = np.unique(training.record, return_inverse=True)
    patients = np.array([training.patient[number == i][0] for i in range(records.size)])
    np.savez_compressed(
        path,
        logits=logits.astype(np.float16),
        class_index=training.class_index,
        record_number=number.astype(np.int32),
        records=records,
        patients=patients,
    )


def read_out_of_fold(model: LoadedModel) -> OutOfFold | None:
    """Read what a version kept; None where it is from before versions did."""
    path = model.folder / OUT_OF_FOLD
    if path.name not in model.manifest["files"]:
        return None
    with np.load(path, allow_pickle=False) as stored:
        number = stored["record_number"]
        return OutOfFold(
            stored["logits"].astype(np.float32),
            stored["class_index"],
            stored["records"][number],
            stored["patients"][number],
        )


@dataclass(frozen=True, slots=True, eq=False)
class DecidingSet:
    """The deciding beats with what both versions say of them.

    Attributes
    ----------
    class_index : ndarray of int8, shape (n,)
    patient : ndarray of str, shape (n,)
    champion, challenger : Candidate
    held_back, out_of_fold : tuple of str
        Patients of either part.
    """

    class_index: npt.NDArray[np.int8]
    patient: npt.NDArray[np.str_]
    champion: Candidate
    challenger: Candidate
    held_back: tuple[str, ...]
    out_of_fold: tuple[str, ...]


def annotated_patients() -> set[str]:
    """Name the patients whose beats were annotated one by one (the Challenge's were not)."""
    return {*PATIENT_OF.values(), *INCARTDB_PATIENTS}


def deciding_set(
    champion: LoadedModel,
    challenger: LoadedModel,
    held_back: TrainingBeats,
    in_noise: TrainingBeats,
    as_champion: tuple[TrainingBeats, TrainingBeats] | None = None,
) -> DecidingSet:
    """Ask both versions.

    Parameters
    ----------
    champion, challenger : LoadedModel
    held_back : TrainingBeats
        Of patients that were held back; those that one of the two was trained on all the same are left out.
    in_noise : TrainingBeats
        Of the same patients: beats in noise, and what the detector took for beats there (class Q).
    as_champion : tuple of TrainingBeats, optional
        The same two with the features that rest on the champion's trees, where these are not the challenger's.

    Raises
    ------
    PatientLeak
        One of the two was trained on a patient of a deciding or test part.
    DatasetError
        Nobody of `held_back` is left.
    """
    for model in (champion, challenger):
        check_no_leak(model.manifest["training_data"]["records"], NEVER_LEARNED)
    trained = {p for model in (champion, challenger) for p in model.manifest["training_data"]["patients"]}
    asked = [
        [beats.select(~np.isin(beats.patient, sorted(trained))) for beats in given]
        for given in (as_champion or (held_back, in_noise), (held_back, in_noise))
    ]
    unseen = asked[1][0]
    if len(unseen) == 0:
        raise DatasetError("Every patient of the deciding set was trained on.", "Hold other patients back.")
    rows_of = _common_rows(read_out_of_fold(champion), read_out_of_fold(challenger))
    versions, classes, patients = [], unseen.class_index, unseen.patient
    for model, (kept, rows), (own, noisy) in zip((champion, challenger), rows_of, asked, strict=True):
        answers = [model.classify(own.waveform, own.context)]
        if kept is not None and rows.size:
            answers.append(softmax(kept.logits[rows], model.manifest["calibration"]["temperature"]))
        versions.append(
            Candidate(
                np.concatenate(answers),
                evaluate(model, own)["deviation_auc"],
                ms_per_beat(model, own),
                _explanations_pass(model),
                _v_f1(model, noisy),
            )
        )
    kept, rows = rows_of[1]
    if kept is not None and rows.size:
        classes = np.concatenate([classes, kept.class_index[rows]])
        patients = np.concatenate([patients, kept.patient[rows]])
    return DecidingSet(
        classes,
        patients,
        versions[0],
        versions[1],
        tuple(unseen.patients()),
        tuple(sorted(set(patients.tolist()) - set(unseen.patients()))),
    )


def ms_per_beat(model: LoadedModel, beats: TrainingBeats) -> float:
    """Return the time that classifying a beat takes, the best of three runs, in milliseconds."""
    rows = np.resize(np.arange(len(beats)), _TIMED_BEATS)
    waveform, context = beats.waveform[rows], beats.context[rows]
    seconds = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        model.classify(waveform, context)
        seconds.append(time.perf_counter() - started)
    return 1000 * min(seconds) / _TIMED_BEATS


def _common_rows(
    one: OutOfFold | None, other: OutOfFold | None
) -> list[tuple[OutOfFold | None, npt.NDArray[np.int64]]]:
    """Rows of the records that both were trained on, with the same beats; labels that were changed are not the same.

    Beats of recordings that nobody annotated beat by beat (the Challenge's) decide nothing.
    """
    rows: tuple[list[npt.NDArray[np.int64]], ...] = ([], [])
    if one is not None and other is not None:
        annotated = annotated_patients()
        for record in np.intersect1d(one.record, other.record):
            mine, others = np.flatnonzero(one.record == record), np.flatnonzero(other.record == record)
            same = np.array_equal(one.class_index[mine], other.class_index[others])
            if same and one.patient[mine[0]] == other.patient[others[0]] and other.patient[others[0]] in annotated:
                rows[0].append(mine)
                rows[1].append(others)
    none = np.zeros(0, np.int64)
    return [(kept, np.concatenate([none, *part])) for kept, part in zip((one, other), rows, strict=True)]


def _v_f1(model: LoadedModel, beats: TrainingBeats) -> float | None:
    """F1 of V; None where no beat is V."""
    called = model.classify(beats.waveform, beats.context).argmax(axis=1)
    of_v = class_figures(confusion_matrix(beats.class_index, called))["V"]
    return float(of_v["f1"]) if of_v["n"] else None


def _explanations_pass(model: LoadedModel) -> bool | None:
    """Tell whether a method passed its tests; None where this version has none."""
    explanations = model.manifest.get("explanations")
    return None if explanations is None else explanations.get("offered_first") is not None
