"""Leads that a reader called bad, against what is measured of them: the Challenge of 2011 (Silva et al. 2011).

Its recordings are twelve leads of a phone's recorder, 10 s each; `LEADS.csv` beside them says of each lead whether it
is bad.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.errors import DatasetUnavailable
from ecg_core.formats import read_recording
from ecg_core.recording import FloatArray, Recording
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal import assess_quality, clean
from ecg_core.signal.quality import LeadMeasures, measure_leads

DATABASE: Final = "challenge-2011/1.0.0/set-a"
LABELS: Final = "LEADS.csv"
FOLDS: Final = 10
DEALS: Final = 3
_DRAWS: Final = 1000
_STRENGTH: Final = 0.3
"""Inverse strength of the logistic regression's penalty; not searched."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledLeads:
    """Leads of all recordings; `features` has shape (n, K), all else (n,).

    `index` is the lead's quality as scoring rates it (`ecg_core.signal.assess_quality`), the mean over its epochs.
    """

    features: Array
    bad: npt.NDArray[np.bool_]
    record: npt.NDArray[np.str_]
    index: Array

    def bad_in_all(self) -> npt.NDArray[np.bool_]:
        """Tell which leads are of recordings that have none but bad ones."""
        names, number = np.unique(self.record, return_inverse=True)
        good = np.bincount(number, weights=~self.bad, minlength=names.size)
        return np.asarray(good[number] == 0)


def read_leads(folder: Path) -> LabelledLeads:
    """Measure every labelled lead.

    Raises
    ------
    DatasetUnavailable
        The labels are not there.
    """
    if not (folder / LABELS).is_file():
        raise DatasetUnavailable(f"There is no {LABELS} in {folder}.", "Set ECG_PHYSIONET_BASE to a base that has it.")
    features, bad, record, index = [], [], [], []
    with (folder / LABELS).open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            recording = read_recording(folder / f"{row['record']}.hea", pseudonym_key=b"")
            of_leads, of_index = _measured(recording)
            features += of_leads
            bad += [row[lead] == "1" for lead in recording.lead_names]
            record += [row["record"]] * len(recording.lead_names)
            index += of_index
    return LabelledLeads(np.array(features), np.array(bad), np.array(record), np.array(index))


def said_on_folds(leads: LabelledLeads, seed: int = 0) -> Array:
    """Give each lead's probability of being bad, by models that had not seen its recording; mean over `DEALS` deals."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, number = np.unique(leads.record, return_inverse=True)
    said = np.zeros(leads.bad.size)
    for deal in range(DEALS):
        fold = np.random.default_rng(seed + deal).permutation(names.size)[number] % FOLDS
        for k in range(FOLDS):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=1000))
            model.fit(leads.features[fold != k], leads.bad[fold != k])
            said[fold == k] += model.predict_proba(leads.features[fold == k])[:, 1] / DEALS
    return said


def area(leads: LabelledLeads, said: Array, rows: npt.NDArray[np.bool_]) -> tuple[float, tuple[float, float]]:
    """Area under the ROC curve of `said` over some leads, with its 95 % interval over recordings."""
    from sklearn.metrics import roc_auc_score

    bad, score = leads.bad[rows], said[rows]
    by_record = [np.flatnonzero(leads.record[rows] == name) for name in np.unique(leads.record[rows])]
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWS):
        at = np.concatenate([by_record[i] for i in random.integers(len(by_record), size=len(by_record))])
        if 0 < bad[at].sum() < at.size:
            drawn.append(roc_auc_score(bad[at], score[at]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(roc_auc_score(bad, score)), (float(low), float(high))


def _measured(recording: Recording) -> tuple[list[list[float]], list[float]]:
    cleaned = clean(recording)
    quality = assess_quality(recording, cleaned)
    n_epochs = len(quality.index)
    leads = []
    for k in range(len(recording.lead_names)):
        raw, column = recording.signal[:, k], cleaned.signal_mv[:, k]
        measures = measure_leads(recording, raw[:, None], column[:, None], n_epochs)
        leads.append([*_of_epochs(measures), *_of_lead(raw, column)])
    return leads, quality.index.mean(axis=0).tolist()


def _of_epochs(m: LeadMeasures) -> Sequence[float]:
    shares = [float(share.mean()) for share in (m.missing, m.constant, m.clipped, m.similarity)]
    return [*shares, *(_log(float(value.mean())) for value in (m.range_mv, m.noise, m.wander, m.kurtosis))]


def _of_lead(raw: FloatArray, column: FloatArray) -> Sequence[float]:
    """Range and steps of the lead as recorded; height of the cleaned one and how even it is, second by second."""
    known = raw[np.isfinite(raw)]
    steps = np.abs(np.diff(known)) if known.size > 1 else np.zeros(1)
    second = round(ANALYSIS_RATE_HZ)
    ranges = np.ptp(column[: len(column) // second * second].reshape(-1, second), axis=1)
    values = [np.ptp(known) if known.size else 0.0, steps.max(), np.median(steps)]
    values += [np.percentile(np.abs(column), 99.9), np.median(np.abs(column))]
    values += [ranges.max() / max(float(np.median(ranges)), 1e-4), np.median(ranges), ranges.min()]
    return [_log(float(value)) for value in values]


def _log(value: float) -> float:
    return float(np.log(value + 1e-4))
