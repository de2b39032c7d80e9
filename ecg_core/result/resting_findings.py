"""What is said of a resting ECG: superclasses, called or inconclusive, and published criteria that it meets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ecg_core.result.resting import KINDS, Resting, RestingFinding
from ecg_core.result.result import Evidence, Finding, RecordingLabel, Result, Urgency

TASK: Final = "resting"
SHOWN_S: Final = 10.0
"""What the page of twelve leads shows, from the start: the evidence of every finding here."""
VERY_LONG_QTC_MS: Final = 500.0
INCONCLUSIVE: Final = "superclass_inconclusive"
SUPERCLASS_KINDS: Final = ("superclass_mi", "superclass_sttc", "superclass_cd", "superclass_hyp", "superclass_norm")
"""In the order in which they are told; the label is what follows the underscore."""
RESTING_KINDS: Final = (*SUPERCLASS_KINDS, INCONCLUSIVE, *KINDS)
"""All kinds of finding of a resting ECG: superclasses, then criteria."""
_CAVEATS: Final = frozenset(("age_unknown", "sex_unknown", "filter_not_stated", "below_35_years"))
"""Doubts that go without saying of most files: they are told, and do not make a finding inconclusive."""
_URGENT: Final = frozenset(("st_elevation",))
_NOTED: Final = frozenset(
    ("pr_long", "pr_short", "rbbb_incomplete", "lafb", "lpfb", "axis_left", "axis_right", "axis_extreme")
)


def resting_findings(result: Result) -> tuple[Finding, ...]:
    """State what the task ``resting`` found, exchanged electrodes first, then superclasses, then criteria."""
    resting = result.resting
    if resting is None or resting.not_measured:
        return ()
    evidence = (Evidence(0.0, min(SHOWN_S, result.recording.duration_s)),)
    labels = {label.label: label for label in result.labels if label.task == TASK}
    criteria = [_of_criterion(criterion, resting, labels, evidence) for criterion in resting.criteria]
    n_exchanged = sum(is_reversal(criterion.kind) for criterion in resting.criteria)
    return (*criteria[:n_exchanged], *_superclasses(labels, evidence), *criteria[n_exchanged:])


def is_reversal(kind: str) -> bool:
    """Whether a kind of finding is about how the electrodes were placed."""
    return kind.startswith("reversal_") or kind == "limb_leads_inconsistent"


def called_superclasses(labels: dict[str, RecordingLabel]) -> tuple[str, ...]:
    """Name the superclasses that are affirmed; NORM only where all others are ruled out."""
    names = [kind.removeprefix("superclass_").upper() for kind in SUPERCLASS_KINDS]
    called = tuple(name for name in names if name in labels and labels[name].called)
    others = any(label.in_set for name, label in labels.items() if name != "NORM")
    return tuple(name for name in called if name != "NORM" or not others)


def _superclasses(labels: dict[str, RecordingLabel], evidence: tuple[Evidence, ...]) -> Iterator[Finding]:
    called = called_superclasses(labels)
    for name in called:
        urgency: Urgency = "info" if name == "NORM" else "notable"
        yield Finding(f"superclass_{name.lower()}", urgency, evidence, mean_probability=labels[name].probability)
    if any(label.in_set and name not in called for name, label in labels.items()) or (labels and not called):
        yield Finding(INCONCLUSIVE, "doubt", evidence)


def _of_criterion(
    found: RestingFinding, resting: Resting, labels: dict[str, RecordingLabel], evidence: tuple[Evidence, ...]
) -> Finding:
    return Finding(
        found.kind,
        _urgency(found, resting, labels),
        evidence,
        leads=found.leads,
        measured=found.evidence,
        limit_value=found.limit,
        doubts=found.doubts,
    )


def _urgency(found: RestingFinding, resting: Resting, labels: dict[str, RecordingLabel]) -> Urgency:
    """Say how urgent a criterion is.

    ST elevation is urgent where nothing casts doubt on it or an infarction is called, too. A hard doubt (nearer to the
    limit than the measurement is exact, a block, exchanged leads) makes it inconclusive.
    """
    infarction = "MI" in called_superclasses(labels)
    if not set(found.doubts) <= _CAVEATS:
        return "doubt"
    if found.kind in _URGENT:
        return "urgent" if infarction or "filter_not_stated" not in found.doubts else "notable"
    if found.kind == "qtc_long" and resting.value("qtc_fridericia_ms") >= VERY_LONG_QTC_MS:
        return "urgent"
    return "info" if found.kind in _NOTED else "notable"


SPEAKS_FOR: Final[dict[str, tuple[str, ...]]] = {
    "NORM": (),
    "MI": ("q_pathological", "st_elevation"),
    "STTC": ("st_depression", "t_inversion", "qtc_long"),
    "CD": ("qrs_wide", "rbbb", "rbbb_incomplete", "lbbb", "lafb", "lpfb", "pr_long"),
    "HYP": ("lvh_sokolow_lyon", "lvh_cornell"),
}
"""By superclass, the criteria that speak for it where they are met, and against it where they are not."""
NOT_MET: Final[dict[str, tuple[str, float]]] = {
    "qtc_long": ("qtc_fridericia_ms", 460.0),
    "qrs_wide": ("qrs_duration_ms", 120.0),
    "pr_long": ("pr_ms", 200.0),
    "lvh_sokolow_lyon": ("sokolow_lyon_mv", 3.5),
}
"""Criteria that one value decides, with the limit that stands for both sexes."""
