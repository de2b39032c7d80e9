"""Codes of what a result says: LOINC for measurements, SNOMED CT for findings where a concept means exactly that.

Findings that are told as possible have no code, and neither have those that SNOMED CT defines otherwise or not at all.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from ecg_core.result import FinalFacts, Result
from ecg_core.result.intervals import summarise

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
HOLTER: Final = ("18754-2", "Ambulatory cardiac rhythm monitor (Holter) study")
RESTING: Final = ("11524-6", "EKG study")
HEART_RATE: Final = ("8867-4", "Heart rate")
IMPRESSION: Final = ("8601-7", "EKG impression")
HOLTER_FROM_S: Final = 3600.0
"""A recording of at least this length is told as a Holter study, a shorter one as an ECG."""
NOTICE: Final = "For research use, not for diagnosis."

_INTERVALS: Final = {
    "pr_ms": ("8625-6", "P-R Interval"),
    "qrs_duration_ms": ("8633-0", "QRS duration"),
    "qt_ms": ("8634-8", "Q-T interval"),
    "qtc_bazett_ms": ("8636-3", "Q-T interval corrected"),
}
_AXES: Final = {
    "p_axis_deg": ("8626-4", "P wave axis"),
    "qrs_axis_deg": ("8632-2", "QRS axis"),
    "t_axis_deg": ("8638-9", "T wave axis"),
}
FINDINGS: Final = {
    "vf": ("164896001", "Electrocardiographic ventricular fibrillation"),
    "vt": ("164895002", "Electrocardiographic ventricular tachycardia"),
    "svt": ("426761007", "Electrocardiographic supraventricular tachycardia"),
    "tachycardia": ("3424008", "Tachycardia"),
    "bradycardia": ("48867003", "Bradycardia"),
    "atrial_fibrillation": ("164889003", "Electrocardiographic atrial fibrillation"),
    "v_couplet": ("251182009", "Paired ventricular premature complexes"),
    "bigeminy": ("11157007", "Ventricular bigeminy"),
    "trigeminy": ("251180001", "Ventricular trigeminy"),
    "v_beats": ("17338001", "Ventricular premature complex"),
    "s_beats": ("63593006", "Supraventricular premature beats"),
    "idioventricular": ("49260003", "Idioventricular rhythm"),
    "pacing": ("10370003", "Rhythm from artificial pacing"),
    "pr_long": ("164947007", "Prolonged PR interval"),
    "pr_short": ("49578007", "Shortened PR interval"),
    "rbbb": ("59118001", "Right bundle branch block"),
    "rbbb_incomplete": ("713426002", "Incomplete right bundle branch block"),
    "lbbb": ("164909002", "Electrocardiographic left bundle branch block"),
    "lafb": ("445118002", "Left anterior fascicular block"),
    "lpfb": ("445211001", "Left posterior fascicular block"),
    "qtc_long": ("111975006", "Prolonged QT interval"),
    "qtc_short": ("77867006", "Shortened QT interval"),
    "axis_left": ("39732003", "Left axis deviation"),
    "axis_right": ("47665007", "Right axis deviation"),
    "lvh_sokolow_lyon": ("55827005", "Left ventricular high voltage"),
    "lvh_cornell": ("55827005", "Left ventricular high voltage"),
    "q_pathological": ("164917005", "Electrocardiographic Q wave abnormal"),
    "st_elevation": ("164931005", "ST elevation"),
    "st_depression": ("429622005", "ST segment depression"),
    "t_inversion": ("59931005", "Inverted T wave"),
    "superclass_norm": ("164854000", "Electrocardiogram normal"),
}
"""SNOMED CT's (code, term) by our kinds of finding."""


def coded() -> dict[str, tuple[str, str]]:
    """Return vocabulary (``LOINC`` or ``SNOMED``) and code by our name of a value, finding or impression."""
    loinc = {"heart_rate_bpm": HEART_RATE, **_INTERVALS, **_AXES, "impression": IMPRESSION}
    of_findings = {name: ("SNOMED", code) for name, (code, _) in FINDINGS.items()}
    return {**{name: ("LOINC", code) for name, (code, _) in loinc.items()}, **of_findings}


class Measured(NamedTuple):
    """One value: our name of it, LOINC's code and term, the value, and its unit as UCUM writes it."""

    name: str
    code: str
    term: str
    value: float
    unit: str


def study_code(result: Result) -> tuple[str, str]:
    """Return LOINC's (code, term) of the examination."""
    return HOLTER if result.recording.duration_s >= HOLTER_FROM_S else RESTING


def measured(result: Result, final: FinalFacts | None = None) -> list[Measured]:
    """Return what was measured and can be told by LOINC: rates, intervals (medians of conducted beats), axes.

    Parameters
    ----------
    result : Result
        Without its beats there are no intervals but those of a resting ECG.
    final : FinalFacts, optional
        What stands where a reader has signed: its heart rate takes the place of the model's.
    """
    rate = result.rhythm.heart_rate
    mean = rate.mean_bpm if rate else None
    if final is not None:
        mean = final.heart_rates_bpm.get("mean")
    found = [] if mean is None else [Measured("heart_rate_bpm", *HEART_RATE, round(mean, 1), "/min")]
    values: dict[str, float] = {}
    if len(result.beats):
        values = {name: one.median_ms for name, one in summarise(result.beats, result.rhythm.episodes).items()}
    if result.resting is not None:
        values |= {row.name: row.value for row in result.resting.measurements if row.lead is None}
    for codes, unit in ((_INTERVALS, "ms"), (_AXES, "deg")):
        for name, (code, term) in codes.items():
            if math.isfinite(value := values.get(name, math.nan)):
                found.append(Measured(name, code, term, round(float(value), 1), unit))
    return found
