"""Figures of a model version on beats of patients that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets.patients import PATIENT_OF, check_no_leak
from ecg_core.labels import CLASSES
from ecg_core.models.deviation import recordings_of, without_own_level
from ecg_core.models.version import LoadedModel
from ecg_core.recording import FloatArray
from ecg_core.training.beats import TrainingBeats

JUDGED: Final = ("N", "S", "V", "F")
"""Classes that macro F1 is taken over; Q is a handful of beats of no one kind."""
LEFT_OUT: Final = ("232", "202")
"""Records that DS2's figures are given without, too: 232 has three quarters of its S beats, and 202 is the person of
201, whom many train on."""
_RATES: Final = ("sensitivity", "precision", "f1")
_BINS: Final = 15
_DRAWS: Final = 1000
_AUC_BINS: Final = 2000
_AGAINST_NORMAL: Final = {"abnormal": "SVFQ", "vf": "VF", "s": "S", "v": "V", "f": "F"}
_INTERVAL_PERCENT: Final = (2.5, 97.5)

Figures = dict[str, Any]
"""JSON-able; an undefined figure is None. See `evaluate`."""
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a model makes of beats, beside the truth.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n, 5)
    in_set : ndarray of bool, shape (n, 5)
        Prediction sets.
    deviation : ndarray of float32, shape (n,)
    class_index : ndarray of int8, shape (n,)
        The true classes; -1 for a detected beat that nobody annotated.
    patient : ndarray of str, shape (n,)
    missed : mapping of str to ndarray of int64, shape (5,)
        By patient, annotated beats of each class that were not detected.
    """

    probabilities: FloatArray
    in_set: npt.NDArray[np.bool_]
    deviation: FloatArray
    class_index: npt.NDArray[np.int8]
    patient: npt.NDArray[np.str_]
    missed: Mapping[str, Counts]


def evaluate(model: LoadedModel, beats: TrainingBeats, missed: Mapping[str, Counts] | None = None) -> Figures:
    """Measure a model on labelled beats.

    Parameters
    ----------
    model : LoadedModel
    beats : TrainingBeats
        Of patients that the model was not trained on. Class -1 marks a detected beat that nobody annotated: it counts
        against the precision of the class that it is given.
    missed : mapping of str to ndarray of int64, shape (5,), optional
        By patient, annotated beats of each class that were not detected: they count against its sensitivity.

    Returns
    -------
    dict
        ``n_beats`` (annotated), ``n_missed``, ``n_extra``, ``n_patients``; ``extra_called`` (by class, what beats that
        nobody annotated were called); ``confusion`` (5 × 5, rows true, columns
        said, of the beats that are both annotated and detected); ``classes`` (by class: ``n``, ``sensitivity``,
        ``precision``, ``f1``, and ``coverage`` of the prediction sets); ``patients`` (by class: means over the
        patients who have it); ``accuracy``; ``macro_f1`` over the classes of `JUDGED` that occur, ``macro_f1_nsv``
        over N, S and V; ``kappa`` (Cohen's), ``j_kappa`` (Mar 2011); ``ece`` (expected calibration error, 15 bins),
        ``calibration`` (by bin: ``confidence``, ``accuracy``, ``n``), ``brier`` (sum over classes) and ``nll``;
        ``coverage``, ``worst_patient_coverage``, ``inconclusive_share``; ``set_sizes`` (``mean`` number of classes in a
        prediction set, and by class the share of its beats with ``more_than_one``); ``deviation``, areas under the ROC
        curve of beats against normal ones (`deviation_figures`; with ``own_`` before the name the same after each
        recording's own normal level was taken out), and ``deviation_auc``, the same as its ``auc_abnormal``;
        ``intervals``: 95 % intervals over resampled patients, of the whole and by class; and where the records occur,
        ``without_232`` and ``without_202``.

    Raises
    ------
    PatientLeak
        The model was trained on one of these patients.
    """
    check_no_leak(model.manifest["training_data"]["records"], beats.records())
    probabilities = model.classify(beats.waveform, beats.context)
    _, deviation = model.reconstruct(beats.waveform, beats.context)
    in_set = model.prediction_sets(probabilities)
    figures = figures_of(Predictions(probabilities, in_set, deviation, beats.class_index, beats.patient, missed or {}))
    known = beats.class_index >= 0
    own = without_own_level(deviation, recordings_of(beats.waveform))[known]
    of_own = deviation_figures(own, beats.class_index[known], beats.patient[known])
    figures["deviation"] |= {f"own_{name}": value for name, value in of_own.items()}
    return figures


def figures_of(predictions: Predictions) -> Figures:
    """Compute the figures of `evaluate` from a model's predictions."""
    names = sorted({*np.unique(predictions.patient).tolist(), *predictions.missed})
    counts = np.stack([_counts(predictions, name) for name in names]) if names else np.zeros((0, 6, 6), np.int64)
    known = predictions.class_index >= 0
    probabilities, class_index = predictions.probabilities[known], predictions.class_index[known]
    covered = predictions.in_set[known][np.arange(class_index.size), class_index]
    n_in_set = predictions.in_set[known].sum(axis=1)
    by_patient = {name: covered[predictions.patient[known] == name] for name in names}
    of_truth = probabilities[np.arange(class_index.size), class_index]
    squares = np.square(probabilities - np.eye(len(CLASSES))[class_index]).sum(axis=1)
    deviation = deviation_figures(predictions.deviation[known], class_index, predictions.patient[known])
    figures = _of_counts(counts.sum(axis=0))
    for c, name in enumerate(CLASSES):
        figures["classes"][name]["coverage"] = _mean(covered[class_index == c])
    return {
        "n_patients": len(names),
        **figures,
        "confusion": counts.sum(axis=0)[:5, :5].tolist(),
        "patients": _means_over_patients(counts),
        "ece": _or_none(calibration_error(probabilities, class_index)),
        "calibration": _calibration(probabilities, class_index),
        "brier": _mean(squares),
        "nll": _mean(-np.log(np.maximum(of_truth, 1e-12))),
        "coverage": _mean(covered),
        "worst_patient_coverage": min((float(own.mean()) for own in by_patient.values() if own.size), default=None),
        "inconclusive_share": _mean(n_in_set != 1),
        "set_sizes": {
            "mean": _mean(n_in_set),
            "more_than_one": {name: _mean(n_in_set[class_index == c] > 1) for c, name in enumerate(CLASSES)},
        },
        "deviation_auc": deviation["auc_abnormal"],
        "deviation": deviation,
        "intervals": _intervals(counts, list(by_patient.values())),
        **{
            f"without_{record}": _of_counts(counts[[name != PATIENT_OF[record] for name in names]].sum(axis=0))
            for record in LEFT_OUT
            if PATIENT_OF[record] in names
        },
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
    rows = [patient == name for name in np.unique(patient)]
    for name, classes in _AGAINST_NORMAL.items():
        chosen = np.isin(class_index, [0, *(CLASSES.index(c) for c in classes)])
        abnormal = class_index != 0
        figures[f"auc_{name}"] = _or_none(area_under_roc(deviation[chosen], abnormal[chosen]))
        low, high = _auc_interval(deviation, abnormal, [chosen & r for r in rows])
        figures |= {f"auc_{name}_low": low, f"auc_{name}_high": high}
    return figures


def confusion_matrix(class_index: npt.NDArray[np.int8], called: npt.NDArray[np.int64]) -> Counts:
    """Count beats by true class (rows) and called class (columns): int64, shape (5, 5)."""
    k = len(CLASSES)
    return np.bincount(class_index.astype(np.int64) * k + called, minlength=k * k).reshape(k, k)


def class_figures(confusion: Counts) -> dict[str, dict[str, Any]]:
    """Sensitivity, precision and F1 of each class; undefined ones are None.

    F1 is ``2·TP / (true + called)``: 0, not undefined, for a class that occurs and is never called.
    """
    rates = _rates(confusion)
    return {
        name: {"n": int(confusion[c].sum()), **{rate: _or_none(rates[rate][c]) for rate in _RATES}}
        for c, name in enumerate(CLASSES)
    }


def _counts(predictions: Predictions, patient: str) -> Counts:
    """Confusion of one patient's beats, shape (6, 6): the last row is not annotated, the last column not detected."""
    rows = predictions.patient == patient
    # Counted with -1 as the sixth class.
    true = np.where(predictions.class_index[rows] < 0, 5, predictions.class_index[rows]).astype(np.int64)
    counts = np.bincount(true * 6 + predictions.probabilities[rows].argmax(axis=1), minlength=36).reshape(6, 6)
    counts[:5, 5] += predictions.missed.get(patient, 0)
    return counts


def _of_counts(counts: Counts) -> Figures:
    """Figures that follow from the confusion alone, shape (6, 6)."""
    rates = _rates(counts)
    by_class = class_figures(counts)
    present = [by_class[c]["f1"] for c in JUDGED if by_class[c]["n"]]
    return {
        "n_beats": int(counts[:5].sum()),
        "n_missed": int(counts[:5, 5].sum()),
        "n_extra": int(counts[5].sum()),
        "extra_called": {c: int(n) for c, n in zip(CLASSES, counts[5], strict=False)},
        "classes": by_class,
        "macro_f1": _mean(np.array(present)),
        **{name: _or_none(rates[name]) for name in ("accuracy", "macro_f1_nsv", "kappa", "j_kappa")},
    }


def _rates(counts: Counts) -> dict[str, Any]:
    """Figures by class, shape (…, 5), and of the whole, shape (…,), of confusions of shape (…, k, k); NaN: undefined.

    Row and column 5, where there are any, are beats that only one side has: they count in a class's sums.
    """
    five = counts[..., :5, :5]
    hits = np.diagonal(five, axis1=-2, axis2=-1).astype(float)
    true, called = counts[..., :5, :].sum(axis=-1), counts[..., :, :5].sum(axis=-2)
    total = five.sum(axis=(-2, -1)).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates: dict[str, Any] = {
            "sensitivity": hits / true,
            "precision": hits / called,
            "f1": 2 * hits / (true + called),
        }
        agreed = hits.sum(axis=-1) / total
        chance = (five.sum(axis=-2) * five.sum(axis=-1)).sum(axis=-1) / total**2
        kappa = (agreed - chance) / np.where(chance < 1, 1 - chance, np.nan)
        # Mar et al. 2011: half of kappa and an eighth of each sensitivity and precision of S and V.
        parts = np.nan_to_num(np.stack([rates[rate][..., c] for rate in _RATES[:2] for c in (1, 2)]))
        rates |= {
            "accuracy": hits.sum(axis=-1) / true.sum(axis=-1),
            "macro_f1_nsv": rates["f1"][..., :3].mean(axis=-1),
            "kappa": kappa,
            "j_kappa": kappa / 2 + parts.sum(axis=0) / 8,
        }
    return rates


def _means_over_patients(counts: Counts) -> dict[str, dict[str, Any]]:
    """Every patient counts alike: means over those who have the class."""
    rates, n = _rates(counts), counts[:, :5].sum(axis=2)
    return {
        name: {
            "n_patients": int((n[:, c] > 0).sum()),
            **{f"mean_{rate}": _mean(rates[rate][n[:, c] > 0, c]) for rate in ("sensitivity", "f1")},
        }
        for c, name in enumerate(CLASSES)
    }


def _intervals(counts: Counts, covered: list[npt.NDArray[np.bool_]]) -> dict[str, Any]:
    """95 % intervals: patients are drawn again, with replacement, 1,000 times.

    Beats of one patient are alike, so an interval over beats would be far too narrow. A class gets one where three
    patients or more have it: with fewer, nothing can be said of the next one.
    """
    if len(counts) < 3:
        return {}
    draws = np.random.default_rng(0).integers(len(counts), size=(_DRAWS, len(counts)))
    rates = _rates(counts[draws].sum(axis=1))
    right, of = (np.array(values)[draws].sum(axis=1) for values in ([c.sum() for c in covered], [*map(len, covered)]))
    rates["coverage"] = right / np.maximum(of, 1)
    of_all = {name: _limits(rates[name]) for name in ("accuracy", "macro_f1_nsv", "j_kappa", "coverage")}
    n_patients = (counts[:, :5].sum(axis=2) > 0).sum(axis=0)
    of_classes = {
        name: {rate: _limits(rates[rate][:, c]) for rate in _RATES}
        for c, name in enumerate(CLASSES)
        if n_patients[c] >= 3
    }
    return {**of_all, "classes": of_classes}


def _limits(values: Floats) -> list[float] | None:
    known = values[np.isfinite(values)]
    return np.percentile(known, _INTERVAL_PERCENT).tolist() if known.size else None


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


def calibration_error(probabilities: FloatArray, class_index: npt.NDArray[np.int8]) -> float:
    """Return the expected calibration error: stated against observed accuracy, over 15 bins (Guo 2017); NaN of none."""
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


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if values.size else None


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
