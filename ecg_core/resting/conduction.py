"""Criteria of rhythm's intervals, conduction and axis."""

from __future__ import annotations

from typing import Final

from ecg_core.resting.measured import Measured
from ecg_core.result.intervals import LONG_PR_MS, LONG_QTC_MS, WIDE_QRS_MS
from ecg_core.result.resting import Doubt, Measurement, RestingFinding, Subject

SHORT_PR_MS: Final = 120.0
INCOMPLETE_BLOCK_MS: Final = 110.0
SHORT_QTC_MS: Final = 340.0
LEFT_AXIS_DEG: Final = -30.0
FASCICULAR_AXIS_DEG: Final = -45.0
RIGHT_AXIS_DEG: Final = 90.0

_EXACT: Final = {"pr_ms": 10.0, "qrs_duration_ms": 8.0, "qtc_fridericia_ms": 15.0, "qrs_axis_deg": 10.0}
"""About one standard deviation of our measurement: nearer to a limit it is doubtful which side it is on."""


def conduction_findings(ecg: Measured, subject: Subject) -> list[RestingFinding]:
    """Apply all criteria of this module."""
    block = bundle_branch_block(ecg)
    found = [long_pr(ecg), short_pr(ecg), block, long_qtc(ecg, subject), short_qtc(ecg), axis_deviation(ecg)]
    found.append(fascicular_block(ecg))
    return [finding for finding in found if finding is not None]


def long_pr(ecg: Measured) -> RestingFinding | None:
    """First-degree AV block: PR above 200 ms (Kusumoto et al. 2018, ACC/AHA/HRS, doi 10.1161/CIR.0000000000000628)."""
    return _beyond(ecg, "pr_long", "pr_ms", LONG_PR_MS)


def short_pr(ecg: Measured) -> RestingFinding | None:
    """Short PR: below 120 ms (Surawicz et al. 2009, AHA/ACCF/HRS part III, doi 10.1161/CIRCULATIONAHA.108.191095)."""
    return _beyond(ecg, "pr_short", "pr_ms", SHORT_PR_MS, above=False)


def long_qtc(ecg: Measured, subject: Subject) -> RestingFinding | None:
    """Long QT: QTc from 450 ms in men, from 460 ms in women, by Fridericia.

    Rautaharju et al. 2009, AHA/ACCF/HRS part IV, doi 10.1161/CIRCULATIONAHA.108.191096. Where the sex is unknown the
    limit of women is taken. Not stated where the QRS complex is wide: the limits are of QRS complexes below 120 ms.
    """
    if ecg.overall["qrs_duration_ms"] >= WIDE_QRS_MS:
        return None
    limit = LONG_QTC_MS[subject.sex or "female"]
    return _beyond(ecg, "qtc_long", "qtc_fridericia_ms", limit, inclusive=True, sex_matters=subject.sex is None)


def short_qtc(ecg: Measured) -> RestingFinding | None:
    """Short QT: QTc up to 340 ms, by Fridericia (Priori et al. 2015, ESC, doi 10.1093/eurheartj/ehv316).

    The 390 ms of Rautaharju et al. 2009 would name one normal ECG of PTB-XL in five.
    """
    return _beyond(ecg, "qtc_short", "qtc_fridericia_ms", SHORT_QTC_MS, above=False, inclusive=True)


def axis_deviation(ecg: Measured) -> RestingFinding | None:
    """Left axis beyond -30°, right axis beyond 90° (Surawicz et al. 2009, doi 10.1161/CIRCULATIONAHA.108.191095).

    -90° to -180° is the north-west (extreme) axis.
    """
    axis = ecg.overall["qrs_axis_deg"]
    if axis < -90:
        return RestingFinding("axis_extreme", (), (ecg.row("qrs_axis_deg"),), None)
    if axis < 0:
        return _beyond(ecg, "axis_left", "qrs_axis_deg", LEFT_AXIS_DEG, above=False)
    return _beyond(ecg, "axis_right", "qrs_axis_deg", RIGHT_AXIS_DEG)


def bundle_branch_block(ecg: Measured) -> RestingFinding | None:
    """Right, left or unspecific block (Surawicz et al. 2009, doi 10.1161/CIRCULATIONAHA.108.191095, for adults).

    - RBBB: QRS from 120 ms; in V1 or V2 an R' after an S (rsr', rSR'), or in V1 a lone R whose peak comes later than
      50 ms; S in I and V6 longer than 40 ms or than R. Incomplete from 110 ms.
    - LBBB: QRS from 120 ms; no Q in I, V5 and V6; the peak of R later than 60 ms in V5 or V6; V1 mainly negative
      (that, by Strauss et al. 2011, doi 10.1016/j.amjcard.2010.11.010). Whether R is notched or slurred is not judged.
    - Unspecific: QRS above 110 ms and neither of them; stated from 120 ms, below which it rests on a few milliseconds.
    """
    width = ecg.overall["qrs_duration_ms"]
    limit = WIDE_QRS_MS if width >= WIDE_QRS_MS else INCOMPLETE_BLOCK_MS
    if not width >= INCOMPLETE_BLOCK_MS:
        return None
    if _right_block_shape(ecg):
        kind = "rbbb" if width >= WIDE_QRS_MS else "rbbb_incomplete"
        rests_on = [ecg.row("r2_mv", "V1"), ecg.row("r_mv", "V1"), ecg.row("s_mv", "I"), ecg.row("s_mv", "V6")]
    elif width < WIDE_QRS_MS:
        return None
    elif _left_block_shape(ecg):
        kind = "lbbb"
        rests_on = [ecg.row("s_mv", "V1"), ecg.row("r_peak_time_ms", "V5"), ecg.row("r_peak_time_ms", "V6")]
    else:
        kind, rests_on = "qrs_wide", []
    return _beyond(ecg, kind, "qrs_duration_ms", limit, also=rests_on, inclusive=True)


def _right_block_shape(ecg: Measured) -> bool:
    second_r = any(ecg.at("r2_mv", lead) > 0 for lead in ("V1", "V2"))
    late_r = ecg.at("r_mv", "V1") > -ecg.at("s_mv", "V1") and ecg.at("r_peak_time_ms", "V1") > 50
    wide_s = all(ecg.at("s_ms", lead) > min(40, ecg.at("r_ms", lead)) for lead in ("I", "V6"))
    return (second_r or late_r) and wide_s


def _left_block_shape(ecg: Measured) -> bool:
    no_q = all(ecg.at("q_mv", lead) == 0 or ecg.at("r_mv", lead) == 0 for lead in ("I", "V5", "V6"))
    late_r = any(ecg.at("r_peak_time_ms", lead) > 60 for lead in ("V5", "V6"))
    negative_v1 = ecg.at("r_mv", "V1") < max(-ecg.at("s_mv", "V1"), -ecg.at("q_mv", "V1"))
    return no_q and late_r and negative_v1


def fascicular_block(ecg: Measured) -> RestingFinding | None:
    """Left anterior or posterior fascicular block (Surawicz et al. 2009, doi 10.1161/CIRCULATIONAHA.108.191095).

    - Anterior: axis from -45° to -90°, qR in aVL, peak of R in aVL at 45 ms or later, QRS below 120 ms.
    - Posterior: axis from 90° to 180°, rS in I and aVL, qR in III and aVF, QRS below 120 ms.

    Beside a right bundle branch block, which widens the complex by itself, the width does not count (bifascicular
    block). The peak of R is known to half a sample, 2 ms.
    """
    axis = ecg.overall["qrs_axis_deg"]
    narrow = ecg.overall["qrs_duration_ms"] < WIDE_QRS_MS or _right_block_shape(ecg)
    q_r = {lead: ecg.at("q_mv", lead) < 0 < ecg.at("r_mv", lead) for lead in ("aVL", "III", "aVF")}
    r_s = {lead: 0 < ecg.at("r_mv", lead) < -ecg.at("s_mv", lead) for lead in ("I", "aVL")}
    if narrow and -90 <= axis <= FASCICULAR_AXIS_DEG and q_r["aVL"] and ecg.at("r_peak_time_ms", "aVL") >= 45 - 2:
        rests_on = [ecg.row("q_mv", "aVL"), ecg.row("r_mv", "aVL"), ecg.row("r_peak_time_ms", "aVL")]
        return _beyond(ecg, "lafb", "qrs_axis_deg", FASCICULAR_AXIS_DEG, above=False, also=rests_on, inclusive=True)
    if narrow and axis >= RIGHT_AXIS_DEG and r_s["I"] and r_s["aVL"] and q_r["III"] and q_r["aVF"]:
        rests_on = [ecg.row("s_mv", "I"), ecg.row("q_mv", "III"), ecg.row("r_mv", "III")]
        return _beyond(ecg, "lpfb", "qrs_axis_deg", RIGHT_AXIS_DEG, also=rests_on, inclusive=True)
    return None


def _beyond(
    ecg: Measured,
    kind: str,
    name: str,
    limit: float,
    *,
    above: bool = True,
    inclusive: bool = False,
    also: list[Measurement] | None = None,
    sex_matters: bool = False,
) -> RestingFinding | None:
    """State a finding where a global value is beyond its limit, doubtful where it is hardly so."""
    value = ecg.overall[name]
    by = value - limit if above else limit - value
    if not (by > 0 or (inclusive and by == 0)):
        return None
    doubts: list[Doubt] = ["near_limit"] if by < _EXACT[name] else []
    if sex_matters:
        doubts.append("sex_unknown")
    return RestingFinding(kind, (), (ecg.row(name), *(also or [])), limit, tuple(doubts))
