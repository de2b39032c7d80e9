"""Measurements of a resting ECG: known waves come back, ST keeps its level, doubts are stated, bad input is refused."""

from dataclasses import replace

import numpy as np
import pytest

from ecg_core.datasets import ptbxl
from ecg_core.resting import KINDS, HighPass, NotMeasured, RestingECG, Subject
from ecg_core.resting.measured import GLOBAL_UNITS, LEAD_UNITS
from ecg_core.result.resting import STANDARD_LEADS

LIFTED = {"V1": 0.15, "V2": 0.3, "V3": 0.3, "V4": 0.25}


def kinds(ecg):
    return {finding.kind: finding for finding in ecg.findings}


@pytest.mark.parametrize("rate_hz", [100.0, 257.0, 500.0, 1000.0])
def test_known_waves_come_back_at_any_rate(made, read, rate_hz):
    ecg = read(made(rate_hz=rate_hz))
    assert ecg.measured.overall["heart_rate_bpm"] == pytest.approx(75, abs=0.5)
    # R less S: .5 mV in I, .75 mV in II.
    assert ecg.measured.overall["qrs_axis_deg"] == pytest.approx(49, abs=3)
    assert ecg.measured.overall["pr_ms"] == pytest.approx(180, abs=25)
    assert 50 < ecg.measured.overall["qrs_duration_ms"] < 100
    for lead, r_mv, s_mv, t_mv in (("V1", 0.15, -0.9, -0.05), ("V5", 1.2, -0.2, 0.35), ("II", 0.9, -0.15, 0.3)):
        # 100 Hz holds a wave this narrow but for a tenth.
        assert ecg.measured.at("r_mv", lead) == pytest.approx(r_mv, rel=0.12, abs=0.02)
        assert ecg.measured.at("s_mv", lead) == pytest.approx(s_mv, rel=0.15, abs=0.06)
        assert ecg.measured.at("t_mv", lead) == pytest.approx(t_mv, rel=0.1, abs=0.02)
    assert ecg.measured.overall["sokolow_lyon_mv"] == pytest.approx(2.1, abs=0.2)


def test_qtc_follows_its_formulas(made, read):
    overall = read(made(rr_s=0.64)).measured.overall
    assert overall["qtc_bazett_ms"] == pytest.approx(overall["qt_ms"] / 0.64**0.5, rel=1e-3)
    assert overall["qtc_fridericia_ms"] == pytest.approx(overall["qt_ms"] / 0.64 ** (1 / 3), rel=1e-3)


@pytest.mark.parametrize("wander_mv", [0.0, 0.4])
def test_st_keeps_its_level_under_wander(made, read, wander_mv):
    ecg = read(made(st_mv=LIFTED, wander_mv=wander_mv, seconds=12))
    for lead, level in LIFTED.items():
        assert ecg.measured.at("j60_mv", lead) == pytest.approx(level, abs=0.04)
    assert ecg.measured.at("j60_mv", "V6") == pytest.approx(0, abs=0.04)


def test_mains_in_step_with_the_beats_moves_no_amplitude(made, read):
    recording = made(st_mv=LIFTED)
    hum = 0.15 * np.sin(2 * np.pi * 50 * np.arange(recording.n_samples) / recording.sampling_rate_hz + 1)
    humming = read(replace(recording, signal=recording.signal + hum[:, None].astype(np.float32)))
    quiet = read(recording)
    for name in ("j_mv", "j60_mv", "t_mv"):
        of_one, of_other = getattr(humming.measured.by_lead, name), getattr(quiet.measured.by_lead, name)
        assert of_one == pytest.approx(of_other, abs=0.03)


def test_st_elevation_is_found_in_its_leads_and_no_others(made, read):
    assert "st_elevation" not in kinds(read(made()))
    finding = kinds(read(made(st_mv=LIFTED)))["st_elevation"]
    assert {"V2", "V3", "V4"} <= set(finding.leads) <= {"V1", "V2", "V3", "V4"}
    assert {"septal", "anterior"} == set(finding.territories)
    assert {row.lead for row in finding.evidence} == set(finding.leads)


@pytest.mark.parametrize(
    ("high_pass", "stated", "doubtful"),
    [
        (None, True, True),
        (HighPass(0.05), True, False),
        (HighPass(0.15), False, False),
        (HighPass(0.5), False, False),
        (HighPass(0.5, zero_phase=True), True, False),
        (HighPass(0.7, zero_phase=True), False, False),
    ],
)
def test_st_is_stated_as_far_as_the_recorder_s_filter_allows(made, read, high_pass, stated, doubtful):
    found = kinds(read(made(st_mv=LIFTED), high_pass=high_pass))
    assert ("st_elevation" in found) == stated
    assert not stated or ("filter_not_stated" in found["st_elevation"].doubts) == doubtful


def test_below_18_no_adult_criterion_and_without_age_its_doubt(made, read):
    recording = made(st_mv=LIFTED, rr_s=0.7)
    child = read(recording, Subject(17.0, "male"))
    assert child.findings == ()
    assert child.measurements
    unknown = read(recording, Subject(None, "male"))
    assert unknown.findings
    assert all("age_unknown" in finding.doubts for finding in unknown.findings)
    assert not any("age_unknown" in finding.doubts for finding in read(recording).findings)


def test_limits_in_v2_and_v3_are_those_of_sex_and_age(made, read):
    recording = made(st_mv={"V2": 0.185, "V3": 0.185})
    of_whom = {"woman": Subject(60.0, "female"), "man": Subject(60.0, "male"), "unknown": Subject(60.0, None)}
    found = {who: "st_elevation" in kinds(read(recording, subject)) for who, subject in of_whom.items()}
    assert found == {"woman": True, "man": False, "unknown": False}


def test_rows_are_named_finite_and_have_units(made, read):
    rows = read(made()).measurements
    assert len({(row.lead, row.name) for row in rows}) == len(rows)
    assert {row.name for row in rows if row.lead is None} == set(GLOBAL_UNITS)
    assert {(row.lead, row.name) for row in rows if row.lead} == {(x, n) for x in STANDARD_LEADS for n in LEAD_UNITS}
    assert all(np.isfinite(row.value) and row.unit in ("ms", "mV", "deg", "1/min") for row in rows)


def test_an_ectopic_beat_and_an_artefact_are_left_out(made, read):
    recording = made(seconds=12)
    plain = read(recording)
    signal = recording.signal.copy()
    rate = round(recording.sampling_rate_hz)
    t = np.arange(signal.shape[0]) / rate
    # A wide beat over the fourth, and an electrode that is touched at 8 s.
    signal += (1.5 * np.exp(-0.5 * ((t - 3.0) / 0.05) ** 2))[:, None].astype(np.float32)
    signal[8 * rate : 8 * rate + 200, 8] += 2.0
    disturbed = read(replace(recording, signal=signal))
    assert disturbed.beat.n_left_out >= plain.beat.n_left_out + 1
    for name in ("r_mv", "s_mv", "j60_mv", "t_mv"):
        ours, theirs = getattr(disturbed.measured.by_lead, name), getattr(plain.measured.by_lead, name)
        assert ours == pytest.approx(theirs, abs=0.05)


def test_a_lead_without_a_signal_has_no_rows_and_harms_no_other(made, read):
    recording = made()
    signal = recording.signal.copy()
    signal[:, 8] = np.nan
    ecg = read(replace(recording, signal=signal))
    assert {row.lead for row in ecg.measurements if row.lead} == set(STANDARD_LEADS) - {"V3"}
    assert "cornell_mv" not in {row.name for row in ecg.measurements}
    assert ecg.measured.at("r_mv", "V4") == pytest.approx(read(recording).measured.at("r_mv", "V4"), abs=0.01)


@pytest.mark.parametrize("what", ["zeros", "missing", "noise", "one beat"])
def test_what_holds_no_beats_is_refused(made, read, what):
    recording = made()
    rng = np.random.default_rng(0)
    signal = {
        "zeros": recording.signal * 0,
        "missing": recording.signal * np.nan,
        "noise": rng.normal(0, 0.3, recording.signal.shape),
        "one beat": np.where(np.abs(np.arange(5000) - 2500)[:, None] < 200, recording.signal, 0),
    }[what]
    refused = read(replace(recording, signal=signal.astype(np.float32)))
    assert isinstance(refused, NotMeasured)
    assert refused.reason


def test_gaps_are_survived(made, read):
    recording = made(seconds=20)
    signal = recording.signal.copy()
    signal[2000:2300] = np.nan
    signal[:50] = np.nan
    assert isinstance(read(replace(recording, signal=signal)), RestingECG)


def test_real_records_give_what_cardiologists_measure(ptb_xl, read):
    records = [record for record in ptbxl.records(ptb_xl) if record.fold in (1, 2)]
    ecgs = [read(one) for one in ptbxl.recordings(ptb_xl, records)]
    assert all(isinstance(ecg, RestingECG) for ecg in ecgs)
    assert {finding.kind for ecg in ecgs for finding in ecg.findings} <= set(KINDS)
    normal = [ecg for ecg, record in zip(ecgs, records, strict=True) if "NORM" in record.superclasses]
    # Normal limits of adults: Rijnbeek et al. 2014 (J Electrocardiol 47:914), medians over ages and sexes.
    medians = {
        name: float(np.nanmedian([ecg.measured.overall[name] for ecg in normal]))
        for name in ("pr_ms", "qrs_duration_ms", "qtc_fridericia_ms", "qrs_axis_deg")
    }
    assert 140 < medians["pr_ms"] < 175
    assert 80 < medians["qrs_duration_ms"] < 102
    assert 385 < medians["qtc_fridericia_ms"] < 430
    assert 15 < medians["qrs_axis_deg"] < 70
    blocked = [ecg for ecg, record in zip(ecgs, records, strict=True) if record.statements.keys() & {"CRBBB", "CLBBB"}]
    assert blocked
    assert all(ecg.measured.overall["qrs_duration_ms"] >= 120 for ecg in blocked)
