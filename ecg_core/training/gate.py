"""Whether a challenger takes the champion's place: no worse on anything that counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.training.figures import JUDGED, calibration_error, class_figures, confusion_matrix

DRAWS: Final = 2000
FEWEST_PATIENTS: Final = 2
_INTERVAL_PERCENT: Final = (2.5, 97.5)
_ROUNDING: Final = 1e-9
_JUDGED: Final = [CLASSES.index(name) for name in JUDGED]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a challenger may lose.

    Attributes
    ----------
    macro_f1_margin, recall_margin, ece_margin : float
        So much below (ECE: above) the champion is still no worse, 0 to 1. `recall_margin` holds for the deviation's
        area under the curve and for F1 of V in noise too.
    recall_floors : mapping of str to float
        Recall that no class may fall below, by class, unless the champion's lies there already.
    ms_per_beat : float
        Longest time that classifying a beat may take, unless the champion takes as long.
    """

    macro_f1_margin: float
    recall_margin: float
    recall_floors: Mapping[str, float]
    ece_margin: float
    ms_per_beat: float


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One version in the comparison: its probabilities of the deciding beats, and what else is known of it.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n, 5)
        Calibrated.
    deviation_auc : float or None
        Of the patients held back: abnormal against normal.
    ms_per_beat : float
    explanations_pass : bool or None
        Whether a method of explanation passed its tests on this version; None where none was tested.
    v_f1_in_noise : float or None
        Of the patients held back, where the detector takes noise for beats; None where it does not.
    """

    probabilities: FloatArray
    deviation_auc: float | None
    ms_per_beat: float
    explanations_pass: bool | None = None
    v_f1_in_noise: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promote or keep, why in one sentence with the numbers, and every figure that was looked at (JSON-able)."""

    promote: bool
    reason: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Check:
    """One thing that is judged: champion's and challenger's figure, and the worst that passes."""

    name: str
    was: float | None
    is_now: float | None
    worst: float
    higher_is_better: bool = True
    more: str = ""

    @property
    def known(self) -> bool:
        return all(isinstance(value, float) and math.isfinite(value) for value in (self.was, self.is_now))

    @property
    def passed(self) -> bool:
        if self.was is None or self.is_now is None:
            return False
        lost = self.worst - self.is_now if self.higher_is_better else self.is_now - self.worst
        return lost <= _ROUNDING

    def sentence(self) -> str:
        limit = "at least" if self.higher_is_better else "at most"
        return f"{self.name} from {self.was:.4f} to {self.is_now:.4f} ({limit} {self.worst:.4f}{self.more})"


def gate(
    class_index: npt.NDArray[np.int8],
    patient: npt.NDArray[np.str_],
    champion: Candidate,
    challenger: Candidate,
    limits: Limits,
) -> Verdict:
    """Compare two versions on the same deciding beats, of patients that neither had seen when it said so.

    A challenger is promoted when all of these hold, and it is not the same on all of them:

    - its macro F1 over N, S, V and F is no lower than the champion's by more than the margin, and the 95 % interval of
      the difference (paired bootstrap: patients are drawn again, the same for both) does not lie below 0;
    - no class's recall is lower by more than the margin, nor below its floor. With fewer than 1/margin beats of a class
      one beat is the margin, or one single beat would decide;
    - F1 of V in noise is no lower by more than the margin: a model that takes false beats for V is found out nowhere
      else, for nobody annotated them;
    - calibration error, the deviation's area under the curve, and time per beat are within their limits;
    - a method of explanation has passed its tests, where they were made.

    A class without beats is not judged, and the reason says so. What is missing or not a number never promotes.

    Parameters
    ----------
    class_index : ndarray of int8, shape (n,)
        The true classes.
    patient : ndarray of str, shape (n,)
    champion, challenger : Candidate
    limits : Limits

    Returns
    -------
    Verdict
        `figures` holds ``n_beats``, ``n_patients``, ``macro_f1_difference`` with ``low`` and ``high``, and by figure
        ``champion``, ``challenger`` and ``limit``.
    """
    same_length = len({len(champion.probabilities), len(challenger.probabilities), class_index.size, patient.size}) == 1
    n_patients = len(np.unique(patient))
    if not same_length or n_patients < FEWEST_PATIENTS:
        return Verdict(False, f"Kept the champion: there are no beats of {FEWEST_PATIENTS} patients to compare on.")
    if not all(np.isfinite(version.probabilities).all() for version in (champion, challenger)):
        return Verdict(False, "Kept the champion: a probability is not a number.")
    before, after = (_confusions(class_index, patient, version.probabilities) for version in (champion, challenger))
    low, high = _interval_of_difference(before, after)
    checks = _checks(class_index, before.sum(axis=0), after.sum(axis=0), champion, challenger, limits)
    difference = _macro_f1(after.sum(axis=0)) - _macro_f1(before.sum(axis=0))
    figures = {
        "n_beats": int(class_index.size),
        "n_patients": n_patients,
        "macro_f1_difference": {"mean": float(difference), "low": low, "high": high},
        "explanations_pass": {"champion": champion.explanations_pass, "challenger": challenger.explanations_pass},
        **{c.name.replace(" ", "_"): {"champion": c.was, "challenger": c.is_now, "limit": c.worst} for c in checks},
    }
    return _verdict(class_index, checks, (low, high), challenger.explanations_pass, n_patients, figures)


def _verdict(
    class_index: npt.NDArray[np.int8],
    checks: list[_Check],
    interval: tuple[float, float],
    explanations_pass: bool | None,
    n_patients: int,
    figures: dict[str, Any],
) -> Verdict:
    absent = [name for name, c in zip(JUDGED, _JUDGED, strict=True) if not (class_index == c).any()]
    note = (
        f" {n_patients} patients; 95 % interval of the macro F1's difference {interval[0]:+.4f} to {interval[1]:+.4f}."
    )
    note += f" No beat of {', '.join(absent)} in the deciding set: not judged." if absent else ""
    unknown = [c.name for c in checks if not c.known]
    if unknown:
        return Verdict(False, f"Kept the champion: {', '.join(unknown)} missing or not a number.{note}", figures)
    worse = [c.sentence() for c in checks if not c.passed]
    if interval[1] < 0:
        worse.insert(0, "macro F1 is lower, whichever patients are drawn")
    if explanations_pass is False:
        worse.append("no method of explanation passed its tests")
    if worse:
        return Verdict(False, f"Kept the champion: {'; '.join(worse)}.{note}", figures)
    if all(c.was == c.is_now for c in checks if c.name != "ms per beat"):
        return Verdict(False, f"Kept the champion: the challenger is the same on every figure.{note}", figures)
    return Verdict(True, f"Promoted: {'; '.join(c.sentence() for c in checks)}.{note}", figures)


def _checks(
    class_index: npt.NDArray[np.int8],
    before: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
    champion: Candidate,
    challenger: Candidate,
    limits: Limits,
) -> list[_Check]:
    was_f1, is_f1 = float(_macro_f1(before)), float(_macro_f1(after))
    checks = [_Check("macro F1", was_f1, is_f1, was_f1 - limits.macro_f1_margin)]
    was_by_class, is_by_class = class_figures(before), class_figures(after)
    for name in JUDGED:
        was, is_now, n = was_by_class[name]["sensitivity"], is_by_class[name]["sensitivity"], was_by_class[name]["n"]
        if n:
            floor = min(limits.recall_floors.get(name, 0.0), was)
            worst = max(was - max(limits.recall_margin, 1 / n), floor)
            checks.append(_Check(f"recall of {name}", was, is_now, worst, more=f", {n} beats"))
    if champion.v_f1_in_noise is not None:
        was_v, is_v = champion.v_f1_in_noise, challenger.v_f1_in_noise
        checks.append(_Check("V F1 in noise", was_v, is_v, was_v - limits.recall_margin))
    was_ece, is_ece = (calibration_error(s.probabilities, class_index) for s in (champion, challenger))
    was_auc = champion.deviation_auc
    return [
        *checks,
        _Check("ECE", was_ece, is_ece, was_ece + limits.ece_margin, higher_is_better=False),
        _Check("deviation AUC", was_auc, challenger.deviation_auc, (was_auc or 0.0) - limits.recall_margin),
        _Check(
            "ms per beat",
            champion.ms_per_beat,
            challenger.ms_per_beat,
            max(limits.ms_per_beat, champion.ms_per_beat),
            higher_is_better=False,
        ),
    ]


def _confusions(
    class_index: npt.NDArray[np.int8], patient: npt.NDArray[np.str_], probabilities: FloatArray
) -> npt.NDArray[np.int64]:
    """Confusion of each patient, in the order of their names: shape (n_patients, 5, 5)."""
    called = probabilities.argmax(axis=1)
    return np.stack(
        [confusion_matrix(class_index[patient == name], called[patient == name]) for name in np.unique(patient)]
    )


def _macro_f1(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Mean F1 of the judged classes that occur; shape (…, 5, 5) gives (…)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)[..., _JUDGED]
    true, called = confusion.sum(axis=-1)[..., _JUDGED], confusion.sum(axis=-2)[..., _JUDGED]
    f1 = 2 * hits / np.maximum(true + called, 1)
    occurs = true > 0
    return np.asarray((f1 * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1), dtype=np.float64)


def _interval_of_difference(before: npt.NDArray[np.int64], after: npt.NDArray[np.int64]) -> tuple[float, float]:
    """95 % interval of the macro F1's gain: patients are drawn again, with replacement, the same for both versions."""
    draws = np.random.default_rng(0).multinomial(len(before), np.full(len(before), 1 / len(before)), DRAWS)
    drawn_before, drawn_after = (np.einsum("dp,pij->dij", draws, part) for part in (before, after))
    low, high = np.percentile(_macro_f1(drawn_after) - _macro_f1(drawn_before), _INTERVAL_PERCENT)
    return float(low), float(high)
