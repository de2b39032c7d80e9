"""Figures of a model version on beats of patients that it was not trained on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets.mitdb import check_no_leak
from ecg_core.labels import CLASSES
from ecg_core.models.loading import LoadedModel
from ecg_core.models.training_beats import FloatArray, TrainingBeats

JUDGED: Final = ("N", "S", "V", "F")
"""Classes that macro F1 is taken over; Q is a handful of beats of no one kind."""
_BINS: Final = 15
_DRAWS: Final = 1000
_INTERVAL_PERCENT: Final = (2.5, 97.5)

Figures = dict[str, Any]
"""JSON-able; an undefined figure is None. See `evaluate`."""


def evaluate(model: LoadedModel, beats: TrainingBeats) -> Figures:
    """Measure a model on labelled beats.

    Parameters
    ----------
    model : LoadedModel
    beats : TrainingBeats
        Of patients that the model was not trained on.

    Returns
    -------
    dict
        ``n_beats``, ``n_patients``; ``confusion`` (5 × 5, rows true, columns said); ``classes`` (by class: ``n``,
        ``sensitivity``, ``precision``, ``f1``, each with ``…_low`` and ``…_high``, the 95 % interval over resampled
        patients; and their means over patients who have the class); ``accuracy``; ``macro_f1`` over the classes of
        `JUDGED` that occur; ``kappa`` (Cohen's), ``j_kappa`` (Mar 2011); ``ece`` (expected calibration error, 15
        bins) and ``calibration`` (by bin: ``confidence``, ``accuracy``, ``n``); ``nll``; ``deviation_auc`` (abnormal
        against normal).

    Raises
    ------
    PatientLeak
        The model was trained on one of these patients.
    """
    check_no_leak(model.manifest["training_data"]["records"], beats.records())
    probabilities = model.classify(beats.waveform, beats.context)
    _, deviation = model.reconstruct(beats.waveform)
    return figures_of(probabilities, deviation, beats.class_index, beats.patient)


def figures_of(
    probabilities: FloatArray,
    deviation: FloatArray,
    class_index: npt.NDArray[np.int8],
    patient: npt.NDArray[np.str_],
) -> Figures:
    """Compute the figures of `evaluate` from what a model said.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, 5)
    deviation : ndarray of float32, shape (n,)
    class_index : ndarray of int8, shape (n,)
        The true classes.
    patient : ndarray of str, shape (n,)
    """
    said = probabilities.argmax(axis=1)
    confusion = confusion_matrix(class_index, said)
    by_class = class_figures(confusion)
    confusions = [confusion_matrix(class_index[p], said[p]) for p in _rows_by_patient(patient)]
    by_patient = [class_figures(of_patient) for of_patient in confusions]
    for name, own in by_class.items():
        own |= _intervals(confusions, CLASSES.index(name))
        for figure in ("sensitivity", "f1"):
            values = [f[name][figure] for f in by_patient if f[name]["n"]]
            own[f"patient_mean_{figure}"] = _or_none(float(np.mean(values)) if values else np.nan)
    kappa = _kappa(confusion)
    present = [by_class[c]["f1"] for c in JUDGED if by_class[c]["n"]]
    true_probability = probabilities[np.arange(class_index.size), class_index]
    return {
        "n_beats": int(class_index.size),
        "n_patients": len(by_patient),
        "confusion": confusion.tolist(),
        "classes": by_class,
        "accuracy": _or_none(float(np.mean(said == class_index)) if class_index.size else np.nan),
        "macro_f1": _or_none(float(np.mean(present)) if present else np.nan),
        "kappa": _or_none(kappa),
        "j_kappa": _or_none(_j_kappa(kappa, by_class)),
        "ece": _or_none(_calibration_error(probabilities, class_index)),
        "calibration": _calibration(probabilities, class_index),
        "nll": _or_none(float(-np.log(np.maximum(true_probability, 1e-12)).mean()) if class_index.size else np.nan),
        "deviation_auc": _or_none(_auc(deviation, class_index != 0)),
    }


def confusion_matrix(class_index: npt.NDArray[np.int8], said: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Count beats by true class (rows) and by what was said (columns): int64, shape (5, 5)."""
    k = len(CLASSES)
    return np.bincount(class_index.astype(np.int64) * k + said, minlength=k * k).reshape(k, k)


def class_figures(confusion: npt.NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Sensitivity, precision and F1 of each class; undefined ones are None.

    F1 is ``2·TP / (true + said)``: 0, not undefined, for a class that occurs and is never said.
    """
    hits, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        name: {
            "n": int(true[c]),
            "sensitivity": float(hits[c] / true[c]) if true[c] else None,
            "precision": float(hits[c] / said[c]) if said[c] else None,
            "f1": float(2 * hits[c] / (true[c] + said[c])) if true[c] + said[c] else None,
        }
        for c, name in enumerate(CLASSES)
    }


def _rows_by_patient(patient: npt.NDArray[np.str_]) -> list[npt.NDArray[np.bool_]]:
    return [patient == name for name in np.unique(patient)]


def _kappa(confusion: npt.NDArray[np.int64]) -> float:
    n = confusion.sum()
    if n == 0:
        return float("nan")
    chance = float((confusion.sum(axis=0) * confusion.sum(axis=1)).sum()) / float(n) ** 2
    agreed = float(np.trace(confusion)) / float(n)
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")


def _j_kappa(kappa: float, by_class: dict[str, dict[str, Any]]) -> float:
    # Mar et al. 2011: half of kappa and an eighth of each sensitivity and precision of S and V.
    parts = [by_class[c][figure] for c in ("S", "V") for figure in ("sensitivity", "precision")]
    return kappa / 2 + sum(0.0 if part is None else part for part in parts) / 8


def _intervals(confusions: list[npt.NDArray[np.int64]], c: int) -> dict[str, float | None]:
    """95 % intervals of a class's figures: patients are drawn again, with replacement, 1,000 times.

    Beats of one patient are alike, so an interval over beats would be far too narrow. None where fewer than three
    patients have the class: then nothing can be said of the next one.
    """
    limits: dict[str, float | None] = {}
    if sum(bool(confusion[c].sum()) for confusion in confusions) < 3:
        return limits
    stacked = np.stack(confusions)
    draws = np.random.default_rng(0).integers(len(stacked), size=(_DRAWS, len(stacked)))
    hits = stacked[draws, c, c].sum(axis=1).astype(float)
    true, said = stacked.sum(axis=2)[draws, c].sum(axis=1), stacked.sum(axis=1)[draws, c].sum(axis=1)
    drawn = {"sensitivity": (hits, true), "precision": (hits, said), "f1": (2 * hits, true + said)}
    for figure, (over, under) in drawn.items():
        values = over[under > 0] / under[under > 0]
        for side, percent in zip(("low", "high"), _INTERVAL_PERCENT, strict=True):
            limits[f"{figure}_{side}"] = _or_none(float(np.percentile(values, percent)) if values.size else np.nan)
    return limits


def _calibration(probabilities: FloatArray, class_index: npt.NDArray[np.int8]) -> dict[str, dict[str, float]]:
    """By bin of the stated probability: its mean, how often the call was right, and the number of beats."""
    sure = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == class_index
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    return {
        str(b): {
            "confidence": float(sure[bins == b].mean()),
            "accuracy": float(right[bins == b].mean()),
            "n": int((bins == b).sum()),
        }
        for b in np.unique(bins).tolist()
    }


def _calibration_error(probabilities: FloatArray, class_index: npt.NDArray[np.int8]) -> float:
    if class_index.size == 0:
        return float("nan")
    bins = _calibration(probabilities, class_index).values()
    return sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / class_index.size


def _auc(deviation: FloatArray, abnormal: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve, as the Mann-Whitney statistic."""
    from scipy.stats import rankdata

    n_abnormal, n_normal = int(abnormal.sum()), int((~abnormal).sum())
    if not n_abnormal or not n_normal or not np.isfinite(deviation).all():
        return float("nan")
    rank_sum = float(rankdata(deviation)[abnormal].sum())
    return (rank_sum - n_abnormal * (n_abnormal + 1) / 2) / (n_abnormal * n_normal)


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
