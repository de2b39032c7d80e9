"""Criteria of the Fourth Universal Definition of Myocardial Infarction: Q waves, ST elevation and depression, T waves.

Thygesen et al. 2018 (Circulation 138:e618, doi 10.1161/CIR.0000000000000617), for adults. "New" cannot be judged from
one ECG. Leads are contiguous as there: I and aVL; II, III and aVF among each other; neighbours among V1 to V6.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from ecg_core.resting.leads import CHEST_LEADS
from ecg_core.resting.measured import Measured
from ecg_core.result.resting import STANDARD_LEADS, Doubt, HighPass, RestingFinding, Subject

DIAGNOSTIC_HIGH_PASS_HZ: Final = 0.05
ZERO_PHASE_HIGH_PASS_HZ: Final = 0.67
_CONTIGUOUS: Final = (
    ("I", "aVL"),
    ("II", "III"),
    ("II", "aVF"),
    ("III", "aVF"),
    *pairwise(CHEST_LEADS),
)
ELEVATION_MV: Final = 0.1
ELEVATION_V2_V3_MV: Final = {"male": 0.2, "young male": 0.25, "female": 0.15}
OLDER_MEN_FROM_YEARS: Final = 40.0
DEPRESSION_MV: Final = -0.05
INVERSION_MV: Final = -0.1
# An upsloping depression rises by more than noise does in 60 ms.
_RISES_MV: Final = 0.025


def pathological_q(ecg: Measured) -> RestingFinding | None:
    """Q waves of a prior infarction, in two contiguous leads (table 4 of the definition, the last row left out).

    Q from 30 ms and 0.1 mV deep, or QS, in I, II, aVL, aVF or V4 to V6 (III beside II or aVF); in V2 and V3 any Q above
    20 ms or QS. V1 alone, aVR and III alone may have one in health. Whether it is due to a bundle branch block is left
    to the doubt.
    """

    def meets(lead: str) -> bool:
        q_mv, q_ms, qs = ecg.at("q_mv", lead), ecg.at("q_ms", lead), ecg.at("r_mv", lead) == 0
        if lead in ("aVR", "V1") or not q_mv < 0:
            return False
        if lead in ("V2", "V3"):
            return q_ms > 20 or qs
        return q_mv <= -0.1 and (q_ms >= 30 or qs)

    return _finding(ecg, "q_pathological", meets, ("q_mv", "q_ms"), None)


def st_elevation(ecg: Measured, subject: Subject) -> RestingFinding | None:
    """J point from 0.1 mV in two contiguous leads; in V2 and V3 by sex and age.

    There from 0.2 mV in men of 40 years and older, 0.25 mV in younger men, 0.15 mV in women. Where sex or age is
    unknown the highest of the limits that may hold is taken. Half of the limit must be left 60 ms later: else it is the
    end of the QRS complex, bounded a sample too early, that stands above it.
    """
    limit_v2_v3 = elevation_limit_mv(subject)

    def meets(lead: str) -> bool:
        limit = limit_v2_v3 if lead in ("V2", "V3") else ELEVATION_MV
        return lead != "aVR" and ecg.at("j_mv", lead) >= limit and ecg.at("j60_mv", lead) >= limit / 2

    doubts: tuple[Doubt, ...] = () if subject.sex else ("sex_unknown",)
    return _finding(ecg, "st_elevation", meets, ("j_mv", "j60_mv"), ELEVATION_MV, doubts)


def elevation_limit_mv(subject: Subject) -> float:
    """Limit of the J point in V2 and V3."""
    if subject.sex == "female":
        return ELEVATION_V2_V3_MV["female"]
    older = subject.age_years is not None and subject.age_years >= OLDER_MEN_FROM_YEARS
    return ELEVATION_V2_V3_MV["male" if older and subject.sex else "young male"]


def st_depression(ecg: Measured) -> RestingFinding | None:
    """Horizontal or downsloping: J and J + 60 ms at -0.05 mV or lower, not rising, in two contiguous leads."""

    def meets(lead: str) -> bool:
        j, j60 = ecg.at("j_mv", lead), ecg.at("j60_mv", lead)
        return lead != "aVR" and max(j, j60) <= DEPRESSION_MV and j60 - j <= _RISES_MV

    return _finding(ecg, "st_depression", meets, ("j_mv", "j60_mv"), DEPRESSION_MV)


def t_inversion(ecg: Measured) -> RestingFinding | None:
    """T lower than -0.1 mV in two contiguous leads with R larger than S."""

    def meets(lead: str) -> bool:
        return lead != "aVR" and ecg.at("t_mv", lead) < INVERSION_MV and ecg.at("r_mv", lead) > -ecg.at("s_mv", lead)

    return _finding(ecg, "t_inversion", meets, ("t_mv",), INVERSION_MV)


def infarction_findings(ecg: Measured, subject: Subject, high_pass: HighPass | None) -> list[RestingFinding]:
    """Apply all criteria of this module; none of ST where the recorder's high-pass has bent it.

    A high-pass up to 0.05 Hz, or one without phase distortion up to 0.67 Hz, leaves the ST segment as it is (Kligfield
    et al. 2007, AHA/ACC/HRS, doi 10.1161/CIRCULATIONAHA.106.180200). Where the file states none, ST findings are
    doubtful.
    """
    found = [pathological_q(ecg), t_inversion(ecg)]
    if high_pass is None:
        found += [
            _doubtful(one, "filter_not_stated") for one in (st_elevation(ecg, subject), st_depression(ecg)) if one
        ]
    elif high_pass.corner_hz <= (ZERO_PHASE_HIGH_PASS_HZ if high_pass.zero_phase else DIAGNOSTIC_HIGH_PASS_HZ):
        found += [st_elevation(ecg, subject), st_depression(ecg)]
    return [finding for finding in found if finding is not None]


def _doubtful(finding: RestingFinding, doubt: Doubt) -> RestingFinding:
    return RestingFinding(finding.kind, finding.leads, finding.evidence, finding.limit, (*finding.doubts, doubt))


def _finding(
    ecg: Measured,
    kind: str,
    meets: Callable[[str], bool],
    names: tuple[str, ...],
    limit: float | None,
    doubts: tuple[Doubt, ...] = (),
) -> RestingFinding | None:
    """State a finding of the leads that meet it beside a contiguous one that does too."""
    there = {lead for lead in STANDARD_LEADS if meets(lead)}
    counted = {lead for pair in _CONTIGUOUS if there.issuperset(pair) for lead in pair}
    if not counted:
        return None
    leads = tuple(lead for lead in STANDARD_LEADS if lead in counted)
    return RestingFinding(kind, leads, tuple(ecg.row(name, lead) for lead in leads for name in names), limit, doubts)
