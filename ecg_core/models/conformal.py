"""Prediction sets: the classes that remain possible for a beat at a stated coverage (split conformal prediction).

A class is in the set where its calibrated probability reaches its threshold (the score of Sadinle, Lei and Wasserman
2019). Each class has a threshold of its own (Mondrian: Vovk 2012, doi 10.48550/arXiv.1209.2673), for one threshold for
all holds what it promises of the frequent class and not of the rare ones. Thresholds are set on what models said of
training patients whom they had not seen. Beats of one patient are alike, so beats are not exchangeable; patients are,
at best. Each patient therefore counts alike in a class, but for those with less than `FULL_SAY` beats of it (as in Lee,
Barber and Willett 2023, without their correction for the number of patients, which for some fifteen of them would put
every class into every set), and coverage is checked on patients left out in turn. F and Q are too seldom recognised for
a threshold of their own: it would put them into nearly every set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray

COVERAGE: Final = 0.95
"""Share of the beats of each class whose set shall hold it."""
FULL_SAY: Final = 20
"""A patient with fewer beats of a class counts for less."""
OWN: Final = ("N", "S", "V")
"""Classes with a threshold of their own; the others take that of all classes together, and hold no coverage."""
FEWEST_PATIENTS: Final = 5
"""Nor has a class that fewer patients have."""


def fit_conformal(
    probabilities: FloatArray,
    class_index: npt.NDArray[np.int8],
    patient: npt.NDArray[np.str_],
    coverage: float = COVERAGE,
) -> dict[str, Any]:
    """Choose the thresholds of the prediction sets, and say how well they hold for patients left out in turn.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, 5)
        Calibrated, from models that had not seen the beat's patient.
    class_index : ndarray of int8, shape (n,)
        The true classes.
    patient : ndarray of str, shape (n,)
    coverage : float
        Between 0 and 1.

    Returns
    -------
    dict
        ``coverage`` (as asked); ``thresholds``, by class; ``patients``, the coverage of each one's beats under the
        thresholds that the others give; ``classes``: by class, its ``coverage`` so, the number of ``patients`` who have
        it, and whether it has a threshold of its ``own``.
    """
    names, number = np.unique(patient, return_inverse=True)
    of_truth = probabilities[np.arange(class_index.size), class_index]
    by_patient = [np.flatnonzero(number == i) for i in range(names.size)]
    covered = np.zeros(class_index.size, dtype=np.bool_)
    for i, own in enumerate(by_patient) if names.size > 1 else ():
        others = [rows for j, rows in enumerate(by_patient) if j != i]
        thresholds, _ = _thresholds(of_truth, class_index, others, coverage)
        covered[own] = of_truth[own] >= thresholds[class_index[own]]
    thresholds, owns = _thresholds(of_truth, class_index, by_patient, coverage)
    classes = {}
    for c, name in enumerate(CLASSES):
        of_class = class_index == c
        n_patients = int(np.unique(number[of_class]).size)
        held = round(float(covered[of_class].mean()), 4) if of_class.any() and names.size > 1 else None
        classes[name] = {"coverage": held, "patients": n_patients, "own": bool(owns[c])}
    return {
        "coverage": coverage,
        "thresholds": {name: float(thresholds[c]) for c, name in enumerate(CLASSES)},
        "patients": {
            str(name): round(float(covered[own].mean()), 4)
            for name, own in zip(names, by_patient, strict=True)
            if names.size > 1
        },
        "classes": classes,
    }


def prediction_sets(probabilities: FloatArray, thresholds: float | Sequence[float]) -> npt.NDArray[np.bool_]:
    """Tell which classes are in each beat's set.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, 5)
    thresholds : float or sequence of 5 float
        From `fit_conformal`; one for all classes, or one for each.

    Returns
    -------
    ndarray of bool, shape (n, 5)
        A set may be empty (no class is likely enough) or hold several classes.
    """
    return np.asarray(probabilities >= np.asarray(thresholds, dtype=np.float32), dtype=np.bool_)


def _thresholds(
    of_truth: FloatArray, class_index: npt.NDArray[np.int8], patients: Sequence[npt.NDArray[np.int64]], coverage: float
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the threshold of each class, shape (5,), and whether it is its own."""
    of_all = _threshold([of_truth[rows] for rows in patients], coverage)
    thresholds = np.full(len(CLASSES), of_all, dtype=np.float32)
    owns = np.zeros(len(CLASSES), dtype=np.bool_)
    for c in map(CLASSES.index, OWN):
        scores = [own for rows in patients if (own := of_truth[rows][class_index[rows] == c]).size]
        if len(scores) >= FEWEST_PATIENTS:
            thresholds[c], owns[c] = _threshold(scores, coverage), True
    return thresholds, owns


def _threshold(scores: list[FloatArray], coverage: float) -> float:
    """Return the largest threshold that at least `coverage` of the beats reach, patients weighed as the module says."""
    joined = np.concatenate(scores)
    weights = np.concatenate([np.full(own.size, min(own.size, FULL_SAY) / own.size) for own in scores])
    weights /= weights.sum()
    order = np.argsort(joined)
    below = np.cumsum(weights[order]) - weights[order]
    # The weights' sum is 1 up to rounding, which must not cost a beat.
    last = int(np.searchsorted(below, 1 - coverage + 1e-12, side="right")) - 1
    return float(joined[order][max(last, 0)])
