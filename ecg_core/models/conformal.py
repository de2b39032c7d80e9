"""Prediction sets: the classes that remain possible for a beat at a stated coverage (split conformal prediction).

A class is in the set where its calibrated probability reaches a threshold (the score of Sadinle, Lei and Wasserman
2019, which gives the smallest sets). The threshold is set on what models said of training patients whom they had not
seen. Beats of one patient are alike, so beats are not exchangeable; patients are, at best. Each patient therefore
counts alike (as in Lee, Barber and Willett 2023, without their correction for the number of patients, which for some
fifteen of them would put every class into every set), and coverage is checked on patients left out in turn.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray

COVERAGE: Final = 0.95
"""Share of beats whose true class shall be in their set."""


def fit_conformal(
    probabilities: FloatArray,
    class_index: npt.NDArray[np.int8],
    patient: npt.NDArray[np.str_],
    coverage: float = COVERAGE,
) -> dict[str, Any]:
    """Choose the threshold of the prediction sets, and say how well it holds for patients left out in turn.

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
        ``coverage`` (as asked), ``threshold`` and ``patients``: by patient, the coverage of his beats under the
        threshold that the others give.
    """
    of_truth = probabilities[np.arange(class_index.size), class_index]
    scores = {str(name): np.sort(of_truth[patient == name]) for name in np.unique(patient)}
    left_out = {}
    for name, own in scores.items():
        others = [of_other for other, of_other in scores.items() if other != name]
        if others:
            left_out[name] = round(float((own >= _threshold(others, coverage)).mean()), 4)
    return {"coverage": coverage, "threshold": _threshold(list(scores.values()), coverage), "patients": left_out}


def prediction_sets(probabilities: FloatArray, threshold: float) -> npt.NDArray[np.bool_]:
    """Tell which classes are in each beat's set.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, 5)
    threshold : float
        From `fit_conformal`.

    Returns
    -------
    ndarray of bool, shape (n, 5)
        A set may be empty (no class is likely enough) or hold several classes.
    """
    return probabilities >= np.float32(threshold)


def _threshold(scores: list[FloatArray], coverage: float) -> float:
    """Return the largest threshold that at least `coverage` of the beats reach, every patient counting alike."""
    joined = np.concatenate(scores)
    weights = np.concatenate([np.full(own.size, 1 / own.size) for own in scores]) / len(scores)
    order = np.argsort(joined)
    below = np.cumsum(weights[order]) - weights[order]
    # The weights' sum is 1 up to rounding, which must not cost a beat.
    last = int(np.searchsorted(below, 1 - coverage + 1e-12, side="right")) - 1
    return float(joined[order][max(last, 0)])
