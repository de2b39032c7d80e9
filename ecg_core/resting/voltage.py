"""Voltage criteria of left ventricular hypertrophy, for adults."""

from __future__ import annotations

from typing import Final

from ecg_core.resting.measured import Measured
from ecg_core.result.resting import Doubt, RestingFinding, Subject

SOKOLOW_LYON_MV: Final = 3.5
CORNELL_MV: Final = {"male": 2.8, "female": 2.0}
ESTABLISHED_FROM_YEARS: Final = 35.0


def voltage_findings(ecg: Measured, subject: Subject) -> list[RestingFinding]:
    """Apply both criteria.

    Voltage alone is not established from 16 to 35 years (Hancock et al. 2009, AHA/ACCF/HRS part V, doi
    10.1161/CIRCULATIONAHA.108.191097): stated with that doubt.
    """
    found = [sokolow_lyon(ecg), cornell(ecg, subject)]
    young: tuple[Doubt, ...] = ()
    if subject.age_years is not None and subject.age_years < ESTABLISHED_FROM_YEARS:
        young = ("below_35_years",)
    return [
        RestingFinding(one.kind, one.leads, one.evidence, one.limit, one.doubts + young)
        for one in found
        if one is not None
    ]


def sokolow_lyon(ecg: Measured) -> RestingFinding | None:
    """S in V1 and the larger R of V5 and V6 together from 3.5 mV (Sokolow and Lyon 1949, Am Heart J 37:161).

    A QS complex in V1 counts with its whole depth.
    """
    if not ecg.overall["sokolow_lyon_mv"] >= SOKOLOW_LYON_MV:
        return None
    rests_on = (ecg.row("s_mv", "V1"), ecg.row("q_mv", "V1"), ecg.row("r_mv", "V5"), ecg.row("r_mv", "V6"))
    return RestingFinding(
        "lvh_sokolow_lyon", ("V1", "V5", "V6"), (ecg.row("sokolow_lyon_mv"), *rests_on), SOKOLOW_LYON_MV
    )


def cornell(ecg: Measured, subject: Subject) -> RestingFinding | None:
    """R in aVL and S in V3 together above 2.8 mV in men, above 2.0 mV in women.

    Casale et al. 1985 (J Am Coll Cardiol 6:572, doi 10.1016/S0735-1097(85)80115-7). Where the sex is unknown the limit
    of men is taken, which stands for both.
    """
    limit = CORNELL_MV[subject.sex or "male"]
    if not ecg.overall["cornell_mv"] > limit:
        return None
    doubts: tuple[Doubt, ...] = () if subject.sex else ("sex_unknown",)
    rests_on = (ecg.row("r_mv", "aVL"), ecg.row("s_mv", "V3"))
    return RestingFinding("lvh_cornell", ("aVL", "V3"), (ecg.row("cornell_mv"), *rests_on), limit, doubts)
