"""What is found of a resting ECG, in words: superclasses with their probability, criteria with what they rest on."""

from __future__ import annotations

from typing import Final

from ecg_core.report.wording import number
from ecg_core.result import Finding, Result
from ecg_core.result.resting import TERRITORIES, Measurement
from ecg_core.result.resting_findings import INCONCLUSIVE, SUPERCLASS_KINDS, TASK, called_superclasses
from ecg_core.texts import say

DIGITS: Final = {"ms": 0, "mV": 2, "deg": 0, "1/min": 0, "1": 2}
UNITS: Final = {"ms": "ms", "mV": "mV", "deg": "°", "1/min": "/min", "1": ""}
_MOST_LEADS: Final = 6


def resting_sentence(result: Result, finding: Finding) -> tuple[str, str]:
    """Put a finding of `RESTING_KINDS` into a sentence, and its doubt into another, which may be empty."""
    if finding.kind == INCONCLUSIVE:
        return _inconclusive(result), say("doubt_superclass_inconclusive")
    if finding.kind in SUPERCLASS_KINDS:
        name = say(f"superclass_{finding.kind.removeprefix('superclass_').upper()}")
        return say("superclass_called", name=name, probability=number(finding.mean_probability, 2)), ""
    first = finding.measured[0] if finding.measured else None
    sentence = say(
        f"finding_{finding.kind}",
        leads=", ".join(finding.leads),
        where=territories(finding.leads),
        value=value_text(first),
        limit=limit_text(finding),
        each=_each(finding),
    )
    return sentence, " ".join(say(f"doubt_resting_{doubt}") for doubt in finding.doubts)


def value_text(row: Measurement | None) -> str:
    """Write a measurement with its unit."""
    if row is None:
        return number(None)
    value, unit = number(row.value, DIGITS[row.unit]), UNITS[row.unit]
    return f"{value}{unit}" if unit in ("°", "/min") else f"{value} {unit}".strip()


def limit_text(finding: Finding) -> str:
    """Write the limit as the measurement that was held against it; empty where there is none."""
    if finding.limit_value is None or not finding.measured:
        return ""
    first = finding.measured[0]
    return value_text(Measurement(first.lead, first.name, finding.limit_value, first.unit))


def territories(leads: tuple[str, ...]) -> str:
    """Name the walls that these leads look at."""
    return ", ".join(say(f"territory_{name}") for name, of in TERRITORIES.items() if set(of) & set(leads))


def _each(finding: Finding) -> str:
    """Write the first measurement of each lead: ``II −0.21 mV, III −0.30 mV``."""
    by_lead: dict[str, Measurement] = {}
    for row in finding.measured:
        if row.lead is not None and row.lead in finding.leads:
            by_lead.setdefault(row.lead, row)
    told = [f"{lead} {value_text(row)}" for lead, row in by_lead.items()]
    return ", ".join(told[:_MOST_LEADS]) + ("…" if len(told) > _MOST_LEADS else "")


def _inconclusive(result: Result) -> str:
    labels = {label.label: label for label in result.labels if label.task == TASK}
    called = called_superclasses(labels)
    possible = sorted(
        (label for name, label in labels.items() if label.in_set and name not in called),
        key=lambda label: -label.probability,
    )
    if not possible:
        return say("superclass_none")
    names = [f"{say(f'superclass_{one.label}')} ({number(one.probability, 2)})" for one in possible]
    return say("superclass_possible", names=", ".join(names))
