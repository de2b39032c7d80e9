"""Published criteria at their limits, on measurements that are set by hand."""

from dataclasses import fields

import numpy as np
import pytest

from ecg_core.resting.amplitudes import Amplitudes, axis_degrees
from ecg_core.resting.conduction import conduction_findings
from ecg_core.resting.infarction import pathological_q, st_depression, st_elevation, t_inversion
from ecg_core.resting.measured import GLOBAL_UNITS, Measured
from ecg_core.resting.voltage import voltage_findings
from ecg_core.result.resting import STANDARD_LEADS, Subject

MAN, WOMAN, SOMEONE = Subject(60.0, "male"), Subject(60.0, "female"), Subject(60.0, None)
NORMAL = dict.fromkeys(GLOBAL_UNITS, 1.0) | {
    "pr_ms": 160.0,
    "qrs_duration_ms": 90.0,
    "qtc_fridericia_ms": 410.0,
    "qrs_axis_deg": 40.0,
}


def measured(by_lead=None, **overall):
    """Normal values but for those given; `by_lead` maps (name, lead) to a value."""
    arrays = {field.name: np.zeros(12) for field in fields(Amplitudes)}
    arrays["r_mv"][:] = 0.8
    for (name, lead), value in (by_lead or {}).items():
        arrays[name][STANDARD_LEADS.index(lead)] = value
    return Measured(NORMAL | overall, Amplitudes(**arrays))


def conduction(subject=MAN, by_lead=None, **overall):
    return {finding.kind: finding for finding in conduction_findings(measured(by_lead, **overall), subject)}


def test_a_normal_ecg_meets_none():
    assert conduction() == {}
    assert voltage_findings(measured(), MAN) == []


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("pr_ms", 200.0, None),
        ("pr_ms", 201.0, "pr_long"),
        ("pr_ms", 120.0, None),
        ("pr_ms", 119.0, "pr_short"),
        ("pr_ms", float("nan"), None),
        ("qrs_duration_ms", 119.0, None),
        ("qrs_duration_ms", 120.0, "qrs_wide"),
        ("qrs_axis_deg", -30.0, None),
        ("qrs_axis_deg", -31.0, "axis_left"),
        ("qrs_axis_deg", 90.0, None),
        ("qrs_axis_deg", 91.0, "axis_right"),
        ("qrs_axis_deg", -91.0, "axis_extreme"),
        ("qrs_axis_deg", float("nan"), None),
        ("qtc_fridericia_ms", 341.0, None),
        ("qtc_fridericia_ms", 340.0, "qtc_short"),
    ],
)
def test_limits_of_intervals_and_axis(name, value, kind):
    assert set(conduction(**{name: value})) == ({kind} if kind else set())


def test_qtc_has_a_limit_for_each_sex_and_none_with_a_wide_qrs():
    assert "qtc_long" in conduction(MAN, qtc_fridericia_ms=450.0)
    assert "qtc_long" not in conduction(WOMAN, qtc_fridericia_ms=459.0)
    unknown = conduction(SOMEONE, qtc_fridericia_ms=470.0)["qtc_long"]
    assert unknown.limit == 460
    assert unknown.doubts == ("near_limit", "sex_unknown")
    assert "qtc_long" not in conduction(MAN, qtc_fridericia_ms=480.0, qrs_duration_ms=130.0)


def test_what_is_hardly_beyond_a_limit_is_doubtful():
    assert conduction(pr_ms=205.0)["pr_long"].doubts == ("near_limit",)
    assert conduction(pr_ms=230.0)["pr_long"].doubts == ()


RIGHT = {
    ("r2_mv", "V1"): 0.4,
    ("s_mv", "V1"): -0.3,
    ("s_mv", "I"): -0.3,
    ("s_ms", "I"): 50.0,
    ("s_mv", "V6"): -0.3,
    ("s_ms", "V6"): 50.0,
    ("r_ms", "I"): 60.0,
    ("r_ms", "V6"): 60.0,
}
LEFT = {("r_mv", "V1"): 0.05, ("s_mv", "V1"): -1.2, ("r_peak_time_ms", "V5"): 70.0, ("r_peak_time_ms", "V6"): 65.0}


def test_bundle_branch_blocks_by_shape():
    assert set(conduction(by_lead=RIGHT, qrs_duration_ms=130.0)) == {"rbbb"}
    assert set(conduction(by_lead=RIGHT, qrs_duration_ms=112.0)) == {"rbbb_incomplete"}
    assert set(conduction(by_lead=RIGHT, qrs_duration_ms=100.0)) == set()
    assert set(conduction(by_lead=LEFT, qrs_duration_ms=140.0)) == {"lbbb"}
    with_q = {**LEFT, ("q_mv", "V6"): -0.1}
    assert set(conduction(by_lead=with_q, qrs_duration_ms=140.0)) == {"qrs_wide"}


def test_left_anterior_block_needs_axis_and_shape():
    shape = {("q_mv", "aVL"): -0.05, ("r_peak_time_ms", "aVL"): 48.0}
    assert set(conduction(by_lead=shape, qrs_axis_deg=-50.0)) == {"axis_left", "lafb"}
    assert set(conduction(by_lead=shape, qrs_axis_deg=-40.0)) == {"axis_left"}
    assert set(conduction(qrs_axis_deg=-50.0)) == {"axis_left"}


@pytest.mark.parametrize(
    ("subject", "cornell_mv", "found"),
    [(MAN, 2.8, False), (MAN, 2.9, True), (WOMAN, 2.1, True), (SOMEONE, 2.5, False), (SOMEONE, 2.9, True)],
)
def test_cornell_by_sex(subject, cornell_mv, found):
    findings = voltage_findings(measured(cornell_mv=cornell_mv), subject)
    assert [finding.kind for finding in findings] == ["lvh_cornell"] * found
    assert all(("sex_unknown" in finding.doubts) == (subject.sex is None) for finding in findings)


def test_voltage_of_the_young_is_doubtful():
    (young,) = voltage_findings(measured(sokolow_lyon_mv=3.6), Subject(25.0, "male"))
    (older,) = voltage_findings(measured(sokolow_lyon_mv=3.6), MAN)
    assert young.doubts == ("below_35_years",)
    assert older.doubts == ()


def test_q_waves_need_two_contiguous_leads():
    deep = {("q_mv", "III"): -0.3, ("q_ms", "III"): 40.0}
    assert pathological_q(measured(deep)) is None
    both = {**deep, ("q_mv", "aVF"): -0.2, ("q_ms", "aVF"): 35.0}
    assert pathological_q(measured(both)).leads == ("III", "aVF")
    apart = {**deep, ("q_mv", "V5"): -0.2, ("q_ms", "V5"): 35.0}
    assert pathological_q(measured(apart)) is None
    shallow = {**both, ("q_mv", "aVF"): -0.09}
    assert pathological_q(measured(shallow)) is None


def test_the_tail_of_a_qrs_complex_is_no_st_elevation():
    lifted = {("j_mv", lead): 0.15 for lead in ("II", "aVF")}
    assert st_elevation(measured(lifted), MAN) is None
    lasting = lifted | {("j60_mv", lead): 0.06 for lead in ("II", "aVF")}
    assert st_elevation(measured(lasting), MAN).leads == ("II", "aVF")


@pytest.mark.parametrize(
    ("subject", "limit"),
    [(MAN, 0.2), (Subject(39.0, "male"), 0.25), (Subject(None, "male"), 0.25), (WOMAN, 0.15), (SOMEONE, 0.25)],
)
def test_the_limit_in_v2_and_v3_is_that_of_sex_and_age(subject, limit):
    def found(level):
        return st_elevation(measured({(n, lead): level for n in ("j_mv", "j60_mv") for lead in ("V2", "V3")}), subject)

    assert found(limit - 0.01) is None
    assert found(limit).leads == ("V2", "V3")


def test_upsloping_depression_is_none():
    down = {(name, lead): -0.1 for name in ("j_mv", "j60_mv") for lead in ("V5", "V6")}
    assert st_depression(measured(down)).leads == ("V5", "V6")
    up = down | {("j60_mv", "V5"): -0.055, ("j60_mv", "V6"): -0.055}
    assert st_depression(measured(up)) is None


def test_an_inverted_t_counts_where_r_is_larger_than_s():
    inverted = {("t_mv", "V5"): -0.2, ("t_mv", "V6"): -0.2}
    assert t_inversion(measured(inverted)).leads == ("V5", "V6")
    assert t_inversion(measured({**inverted, ("s_mv", "V6"): -1.0})) is None


@pytest.mark.parametrize("angle", [-150, -90, -60, -30, 0, 45, 90, 120, 180])
def test_the_axis_comes_back(angle):
    directions = np.radians([0, 60, 120, -150, -30, 90])
    sizes = np.array([1, 1, 1, *[np.sqrt(3) / 2] * 3])
    net = np.concatenate([sizes * np.cos(directions - np.radians(angle)), np.zeros(6)])
    assert abs((axis_degrees(net) - angle + 180) % 360 - 180) < 0.01
    assert np.isnan(axis_degrees(np.concatenate([np.zeros(6), np.ones(6)])))
