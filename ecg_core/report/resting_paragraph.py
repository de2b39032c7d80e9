"""The findings of a resting ECG as running text, from a template over the stated facts: the same each time."""

from __future__ import annotations

import math

from ecg_core.report.findings import state
from ecg_core.report.resting_words import value_text
from ecg_core.report.summary import rhythm_sentence
from ecg_core.result import Result
from ecg_core.result.resting import Measurement
from ecg_core.texts import say

_RATE_AND_INTERVALS = (
    ("rate", "heart_rate_bpm", "1/min"),
    ("pr", "pr_ms", "ms"),
    ("qrs", "qrs_duration_ms", "ms"),
    ("qtc", "qtc_fridericia_ms", "ms"),
    ("axis", "qrs_axis_deg", "deg"),
)


def paragraph(result: Result) -> str:
    """Say rate and intervals, the rhythm, then each finding by its urgency, and what to bear in mind."""
    return " ".join(facts_of(result).values())


def facts_of(result: Result) -> dict[str, str]:
    """Give the sentences by what they are about: ``measured``, ``rhythm``, a finding's kind, ``notice``."""
    resting = result.resting
    if resting is None or resting.not_measured:
        return {}
    told = [
        say(f"paragraph_{name}", value=value_text(Measurement(None, of, resting.value(of), unit)))
        for name, of, unit in _RATE_AND_INTERVALS
        if math.isfinite(resting.value(of))
    ]
    sentences = {"measured": say("paragraph_measured", values=", ".join(told))} if told else {}
    sentences["rhythm"] = say("paragraph_rhythm", rhythm=rhythm_sentence(result))
    for finding in result.findings:
        tag = say(f"tag_{finding.urgency}")
        sentences[finding.kind] = say("paragraph_finding", tag=tag, sentence=state(result, finding).sentence)
    if not result.findings:
        sentences["nothing"] = say("resting_nothing")
    return sentences | {"notice": say("paragraph_notice")}
