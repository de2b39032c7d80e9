"""Superclasses of resting ECGs by families: ``python -m benchmarks.resting [--json] [--family NAME]…``.

Ten folds by patient of what the base has of PTB-XL; the Challenge's recordings of other databases are learned from
beside the nine other folds and never judged, but in ``trees_elsewhere``, which learns from PTB-XL alone and is
judged on them. Whatever is fitted (scaling, calibration, thresholds) is fitted on the nine folds. A patient's
probabilities are joined over the folds before the AUC is taken. Intervals of 95 %: bootstrap over patients (1,000) for
AUC, Wilson for coverage. ECE: ten bins of equal width.

Where all of PTB-XL is at hand, the folds are its own ten, and each family is judged on fold 10 as well, having learned
from folds 1 to 8 (what is calibrated, on 9): ``families.{name}.own_folds``.

The features and the settings of the flagship were chosen while these folds were looked at (README's table says what
was tried); ``trees_other_folds`` deals the patients out anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from benchmarks.random_convolutions import random_convolutions
from ecg_core.datasets import ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.models.resting_trees import RestingTrees
from ecg_core.recording import FloatArray
from ecg_core.resting.recurrence import recurrence_plots
from ecg_core.result.resting import SUPERCLASSES
from ecg_core.settings import load_settings
from ecg_core.training.resting import COVERAGE, fit_resting_trees, fit_scaling, grow_trees, weights
from ecg_core.training.resting_figures import auc_figures, expected_calibration_error, share
from ecg_core.training.resting_recurrence import fit_recurrence_cnn
from ecg_core.training.resting_set import RestingSet, check_apart, folds_by_patient, read_resting_set
from ecg_core.training.resting_task import split

N_FOLDS: Final = 10
_SEED: Final = 0
_MEASUREMENTS_C: Final = 0.002
_CONVOLUTIONS_C: Final = 0.001
_SUBJECT: Final = ("age_years", "female")

BoolArray = npt.NDArray[np.bool_]
Answers = tuple[FloatArray, BoolArray, BoolArray] | tuple[FloatArray]
Fit = Callable[[RestingSet, RestingSet | None], Callable[[RestingSet], Answers]]
"""Learn, and calibrate on the second where there is one.

What comes back gives scores (n, 5) of others, and, where it has them, what may be present and absent.
"""


@dataclass(frozen=True, slots=True)
class Family:
    """One row: how it learns, what it sees, and on which folds."""

    fit: Fit
    ships: bool = False
    see: Callable[[RestingSet], RestingSet] = lambda recordings: recordings
    other_databases: bool = True
    elsewhere: bool = False
    seed: int = _SEED


def run(as_json: bool, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print the families; `names` None means all."""
    base = Path(load_settings().physionet_base)
    recordings = read_resting_set(base)
    folder = base / ptbxl.DATABASE / DATABASES[ptbxl.DATABASE].version
    complete = len(ptbxl.records(folder)) == ptbxl.n_listed(folder)
    figures = measure(recordings, names or tuple(FAMILIES), lambda line: sys.stderr.write(line + "\n"), complete)
    sys.stdout.write((json.dumps(figures) if as_json else _table(figures)) + "\n")
    return figures


def measure(
    recordings: RestingSet, names: Sequence[str], say: Callable[[str], object], complete: bool = False
) -> dict[str, Any]:
    """Give the figures of these families; `complete` where all of PTB-XL is among the recordings."""
    own = recordings.database == ptbxl.DATABASE
    figures: dict[str, Any] = {
        "recordings": int(own.sum()),
        "patients": int(np.unique(recordings.patient[own]).size),
        "with_superclass": {name: int(recordings.labels[own, c].sum()) for c, name in enumerate(SUPERCLASSES)},
        "learned_from_elsewhere": int((~own).sum()),
        "left_out": dict(recordings.left_out),
        "families": {},
    }
    for name in names:
        started = time.perf_counter()
        figures["families"][name] = _family(FAMILIES[name], recordings, complete)
        if complete and not FAMILIES[name].elsewhere:
            figures["families"][name]["own_folds"] = _own_folds(FAMILIES[name], recordings)
        figures["families"][name]["seconds"] = round(time.perf_counter() - started, 1)
        say(f"{name}: macro AUC {figures['families'][name]['macro_auc']:.3f}")
    return figures


def out_of_fold(
    family: Family, recordings: RestingSet, complete: bool = False
) -> tuple[RestingSet, list[npt.NDArray[Any]]]:
    """Let a family answer recordings of patients it has not seen; the recordings judged, and its answers."""
    seen = family.see(recordings)
    own = seen.database == ptbxl.DATABASE
    if family.elsewhere:
        learned, judged = seen.select(own), seen.select(~own)
        return judged, list(family.fit(learned, None)(judged))
    fold = np.full(len(seen), -1)
    dealt = folds_by_patient(seen.patient[own], N_FOLDS, family.seed)
    fold[own] = seen.fold[own] - 1 if complete and family.seed == _SEED else dealt
    answers: list[npt.NDArray[Any]] = []
    for k in range(N_FOLDS):
        learned = seen.select(((fold != k) & own) | (~own & family.other_databases))
        judged = seen.select(fold == k)
        check_apart(learned, judged)
        of_fold = family.fit(learned, None)(judged)
        answers = answers or [np.empty((len(seen), len(SUPERCLASSES)), dtype=part.dtype) for part in of_fold]
        for whole, part in zip(answers, of_fold, strict=True):
            whole[fold == k] = part
    return seen.select(own), [whole[own] for whole in answers]


def _family(family: Family, recordings: RestingSet, complete: bool) -> dict[str, Any]:
    judged, answers = out_of_fold(family, recordings, complete)
    return {"ships": family.ships} | _figures(judged, answers)


def _own_folds(family: Family, recordings: RestingSet) -> dict[str, Any]:
    """Learn from PTB-XL's folds 1 to 8, calibrate on 9, judge on 10."""
    learned, held_back, test = split(family.see(recordings))
    if not family.other_databases:
        learned = learned.select(learned.database == ptbxl.DATABASE)
    return _figures(test, list(family.fit(learned, held_back)(test)))


def _figures(judged: RestingSet, answers: list[npt.NDArray[Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = auc_figures(answers[0], judged.labels, judged.patient)
    if len(answers) > 1:
        figures["mean_set_size"] = round(float(answers[1].sum(axis=1).mean()), 3)
        for c, name in enumerate(SUPERCLASSES):
            figures["classes"][name] |= _doubt(
                answers[0][:, c], answers[1][:, c], answers[2][:, c], judged.labels[:, c]
            )
    return figures


def _doubt(probability: FloatArray, present: BoolArray, absent: BoolArray, label: BoolArray) -> dict[str, Any]:
    """Calibration and coverage of one class."""
    return {
        "ece": round(expected_calibration_error(probability, label), 4),
        "coverage_stated": COVERAGE,
        "coverage_present": share(present[label]),
        "coverage_absent": share(absent[~label]),
        "inconclusive": round(float((present & absent).mean()), 4),
    }


def _flagship(learned: RestingSet, held_back: RestingSet | None) -> Callable[[RestingSet], Answers]:
    model: RestingTrees = fit_resting_trees(learned, held_back)

    def answer(others: RestingSet) -> Answers:
        probabilities = model.probabilities(others.features)
        return (probabilities, *model.answers(probabilities))

    return answer


def _trees(learned: RestingSet, _: RestingSet | None) -> Callable[[RestingSet], Answers]:
    """Grow the flagship's trees without its calibration, which changes no order within a fold."""
    model = grow_trees(learned)
    return lambda others: (model.shares(others.features),)


def _logistic(c: float) -> Fit:
    def fit(learned: RestingSet, _: RestingSet | None) -> Callable[[RestingSet], Answers]:
        from sklearn.linear_model import LogisticRegression

        scaling = fit_scaling(learned.features)
        scaled, weight = scaling(learned.features), weights(learned)
        models = [
            LogisticRegression(C=c, max_iter=500).fit(scaled, learned.labels[:, k], sample_weight=weight)
            for k in range(len(SUPERCLASSES))
        ]

        def answer(others: RestingSet) -> Answers:
            of_others = scaling(others.features)
            return (np.stack([model.decision_function(of_others) for model in models], axis=1),)

        return answer

    return fit


def _recurrence(learned: RestingSet, _: RestingSet | None) -> Callable[[RestingSet], Answers]:
    probabilities = fit_recurrence_cnn(_plots_of(learned), learned.labels, weights(learned), _SEED)
    return lambda others: (probabilities(_plots_of(others)),)


def _see_plots(recordings: RestingSet) -> RestingSet:
    """Recurrence plots in place of the features, made once for all folds."""
    plots = recurrence_plots(recordings.signals_mv)
    return replace(recordings, features=plots.reshape(len(plots), -1).astype(np.float32))


def _plots_of(recordings: RestingSet) -> npt.NDArray[np.uint8]:
    side = round(np.sqrt(recordings.features.shape[1] / recordings.signals_mv.shape[1]))
    return recordings.features.reshape(len(recordings), side, side, -1).astype(np.uint8)


def _see_convolutions(recordings: RestingSet) -> RestingSet:
    return replace(recordings, features=random_convolutions(recordings.signals_mv))


def _without_subject(recordings: RestingSet) -> RestingSet:
    return recordings.without_features(_SUBJECT)


FAMILIES: Final[dict[str, Family]] = {
    "flagship": Family(_flagship, ships=True),
    "measurements_logistic": Family(_logistic(_MEASUREMENTS_C)),
    "random_convolutions": Family(_logistic(_CONVOLUTIONS_C), see=_see_convolutions),
    "recurrence_cnn": Family(_recurrence, see=_see_plots),
    "trees_other_folds": Family(_trees, seed=1),
    "trees_ptb_xl_alone": Family(_trees, other_databases=False),
    "trees_without_age_and_sex": Family(_trees, see=_without_subject),
    "trees_elsewhere": Family(_trees, elsewhere=True),
}


def _table(figures: dict[str, Any]) -> str:
    """Rows of text."""
    lines = [f"{'family':30}{'macro AUC':>22}" + "".join(f"{name:>22}" for name in SUPERCLASSES)]
    for name, of in figures["families"].items():
        cells = [(of["macro_auc"], of["macro_auc_ci"])]
        cells += [(of["classes"][label]["auc"], of["classes"][label]["ci"]) for label in SUPERCLASSES]
        lines.append(f"{name:30}" + "".join(f"{f'{v:.3f} ({ci[0]:.3f} to {ci[1]:.3f})':>22}" for v, ci in cells))
    for name, of in figures["families"].items():
        for label, row in of["classes"].items():
            if "ece" in row:
                shares = (row["coverage_present"], row["coverage_absent"])
                told = ", ".join(f"{s['share']:.3f} ({s['ci'][0]:.3f} to {s['ci'][1]:.3f})" for s in shares)
                lines.append(f"{name} {label}: ECE {row['ece']:.3f}; coverage with, without the class {told}")
        if "mean_set_size" in of:
            lines.append(f"{name}: {of['mean_set_size']} superclasses in the mean set, stated coverage {COVERAGE}")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    run(arguments.json, arguments.family)


if __name__ == "__main__":
    main()
