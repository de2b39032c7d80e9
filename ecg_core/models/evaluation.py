"""Figures of a model version on beats of patients that it was not trained on."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets.mitdb import check_no_leak
from ecg_core.labels import CLASSES
from ecg_core.models.deviation import recordings_of, without_own_level
from ecg_core.models.loading import LoadedModel
from ecg_core.models.training_beats import FloatArray, TrainingBeats

JUDGED: Final = ("N", "S", "V", "F")
"""Classes that macro F1 is taken over; Q is a handful of beats of no one kind."""
_BINS: Final = 15
_DRAWS: Final = 1000
_AUC_BINS: Final = 2000
_AGAINST_NORMAL: Final = {"abnormal": "SVFQ", "vf": "VF", "s": "S", "v": "V", "f": "F"}
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
        bins) and ``calibration`` (by bin: ``confidence``, ``accuracy``, ``n``); ``nll``; ``deviation``, areas under
        the ROC curve of beats against normal ones (`deviation_figures`; with ``own_`` before the name the same after
        each recording's own normal level was taken out), and ``deviation_auc``, the same as its ``auc_abnormal``.

    Raises
    ------
    PatientLeak
        The model was trained on one of these patients.
    """
    check_no_leak(model.manifest["training_data"]["records"], beats.records())
    probabilities = model.classify(beats.waveform, beats.context)
    _, deviation = model.reconstruct(beats.waveform, beats.context)
    figures = figures_of(probabilities, deviation, beats.class_index, beats.patient)
    own = without_own_level(deviation, recordings_of(beats.waveform))
    of_own = deviation_figures(own, beats.class_index, beats.patient)
    figures["deviation"] |= {f"own_{name}": value for name, value in of_own.items()}
    return figures


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
        "deviation_auc": _or_none(area_under_roc(deviation, class_index != 0)),
        "deviation": deviation_figures(deviation, class_index, patient),
    }


def deviation_figures(
    deviation: FloatArray, class_index: npt.NDArray[np.int8], patient: npt.NDArray[np.str_]
) -> dict[str, float | None]:
    """Area under the ROC curve of the deviation for abnormal against normal beats.

    Parameters
    ----------
    deviation : ndarray of float32, shape (n,)
    class_index : ndarray of int8, shape (n,)
    patient : ndarray of str, shape (n,)

    Returns
    -------
    dict
        ``auc_abnormal``, ``auc_vf`` (V and F), ``auc_s``, ``auc_v``, ``auc_f``, each against N, and with ``…_low`` and
        ``…_high`` the 95 % interval over resampled patients (None where fewer than three have such beats).
    """
    figures: dict[str, float | None] = {}
    rows = _rows_by_patient(patient)
    for name, classes in _AGAINST_NORMAL.items():
        chosen = np.isin(class_index, [0, *(CLASSES.index(c) for c in classes)])
        abnormal = class_index != 0
        figures[f"auc_{name}"] = _or_none(area_under_roc(deviation[chosen], abnormal[chosen]))
        low, high = _auc_interval(deviation, abnormal, [chosen & r for r in rows])
        figures |= {f"auc_{name}_low": low, f"auc_{name}_high": high}
    return figures


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


def area_under_roc(deviation: FloatArray, abnormal: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve, as the Mann-Whitney statistic; NaN where one side is empty or a value not finite."""
    from scipy.stats import rankdata

    n_abnormal, n_normal = int(abnormal.sum()), int((~abnormal).sum())
    if not n_abnormal or not n_normal or not np.isfinite(deviation).all():
        return float("nan")
    rank_sum = float(rankdata(deviation)[abnormal].sum())
    return (rank_sum - n_abnormal * (n_abnormal + 1) / 2) / (n_abnormal * n_normal)


def _auc_interval(
    deviation: FloatArray, abnormal: npt.NDArray[np.bool_], rows: list[npt.NDArray[np.bool_]]
) -> tuple[float | None, float | None]:
    """95 % interval of the area over resampled patients, from each patient's histograms over 2,000 quantiles."""
    if sum(bool((abnormal & r).any()) for r in rows) < 3 or not np.isfinite(deviation).all():
        return None, None
    edges = np.unique(np.quantile(deviation, np.linspace(0, 1, _AUC_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, deviation)
    k = edges.size + 1
    counts = [np.stack([np.bincount(place[r & side], minlength=k) for r in rows]) for side in (abnormal, ~abnormal)]
    draws = np.random.default_rng(0).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), _DRAWS)
    positive, negative = (draws @ of_side.astype(np.float64) for of_side in counts)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    areas = (positive * below).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    low, high = np.percentile(areas, _INTERVAL_PERCENT)
    return float(low), float(high)


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
