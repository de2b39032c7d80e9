"""What versions of the task ``resting`` are measured by."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.result.resting import SUPERCLASSES

_BINS: Final = 10
_RESAMPLED: Final = 1000
_Z: Final = 1.96
BoolArray = npt.NDArray[np.bool_]


def auc(score: FloatArray, label: BoolArray) -> float:
    """Share of the pairs in which the recording with the class has the higher score, ties half; NaN without pairs."""
    from scipy.stats import rankdata

    n_present = int(label.sum())
    n_absent = label.size - n_present
    if not n_present or not n_absent:
        return float("nan")
    return float((rankdata(score)[label].sum() - n_present * (n_present + 1) / 2) / (n_present * n_absent))


def auc_figures(scores: FloatArray, labels: BoolArray, patient: npt.NDArray[np.str_], seed: int = 0) -> dict[str, Any]:
    """AUC of each class and their mean, each with its 95 % interval over patients (bootstrap)."""
    names, index = np.unique(patient, return_inverse=True)
    rows_of = [np.flatnonzero(index == k) for k in range(names.size)]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(_RESAMPLED):
        rows = np.concatenate([rows_of[k] for k in rng.integers(names.size, size=names.size)])
        draws.append([auc(scores[rows, c], labels[rows, c]) for c in range(len(SUPERCLASSES))])
    low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    macro = np.nanpercentile(np.mean(draws, axis=1), [2.5, 97.5])
    each = [auc(scores[:, c], labels[:, c]) for c in range(len(SUPERCLASSES))]
    classes = {
        name: {"auc": round(each[c], 4), "ci": [round(float(low[c]), 4), round(float(high[c]), 4)]}
        for c, name in enumerate(SUPERCLASSES)
    }
    return {
        "macro_auc": round(float(np.mean(each)), 4),
        "macro_auc_ci": [round(float(end), 4) for end in macro],
        "classes": classes,
    }


def expected_calibration_error(probability: FloatArray, label: BoolArray) -> float:
    """Mean distance between stated and found share over ten bins of equal width, weighted by recordings."""
    in_bin = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    bins = [in_bin == b for b in range(_BINS) if (in_bin == b).any()]
    return float(sum(abs(probability[b].mean() - label[b].mean()) * b.mean() for b in bins))


def share(true: BoolArray) -> dict[str, Any]:
    """Share with Wilson's interval of 95 %."""
    n = true.size
    if not n:
        return {"share": None, "ci": None, "n": 0}
    p = float(true.mean())
    middle, half = p + _Z * _Z / (2 * n), _Z * np.sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n))
    ends = [round(float((middle + sign * half) / (1 + _Z * _Z / n)), 4) for sign in (-1, 1)]
    return {"share": round(p, 4), "ci": ends, "n": n}
