"""The gate on figures that can be computed by hand."""

import math

import numpy as np
import pytest

from ecg_core.training.figures import calibration_error
from ecg_core.training.gate import Candidate, Limits, gate

LIMITS = Limits(macro_f1_margin=0.01, recall_margin=0.02, recall_floors={}, ece_margin=0.05, ms_per_beat=0.1)
N, S, V, F = 0, 1, 2, 3
PATIENTS = 4
TRUE = np.tile(np.repeat(np.array([N, S, V, F], np.int8), [60, 10, 20, 10]), PATIENTS)
PATIENT = np.repeat([f"p{i}" for i in range(PATIENTS)], 100)


def version(wrong=(), sure=1.0, auc=0.9, ms=0.05, explanations=None, in_noise=0.6):
    """A version that is right but where told: (true class, called class, how many in each patient)."""
    called = TRUE.copy()
    for true, instead, n in wrong:
        for patient in np.unique(PATIENT):
            called[np.flatnonzero((patient == PATIENT) & (called == true) & (true == TRUE))[:n]] = instead
    probabilities = np.full((TRUE.size, 5), (1 - sure) / 4, np.float32)
    probabilities[np.arange(TRUE.size), called] = sure
    return Candidate(probabilities, auc, ms, explanations, in_noise)


def judge(champion, challenger, limits=LIMITS):
    return gate(TRUE, PATIENT, champion, challenger, limits)


def test_a_better_challenger_is_promoted_and_the_reason_holds_the_numbers():
    # Champion: 5 of 10 S of each patient called N. S: recall .5, F1 2/3; N: precision 240/260, F1 .96.
    champion, challenger = version([(S, N, 5)]), version()
    verdict = judge(champion, challenger)
    assert verdict.promote
    assert "recall of S from 0.5000 to 1.0000 (at least 0.4750, 40 beats)" in verdict.reason
    assert verdict.figures["macro_F1"]["champion"] == pytest.approx((0.96 + 2 / 3 + 1 + 1) / 4)
    # Every patient is alike, so drawing them again changes nothing.
    gain = verdict.figures["macro_f1_difference"]
    assert gain["low"] == gain["high"] == pytest.approx(gain["mean"]) == pytest.approx(1 - (0.96 + 2 / 3 + 2) / 4)
    assert (verdict.figures["n_beats"], verdict.figures["n_patients"]) == (400, 4)
    assert "4 patients" in verdict.reason


def test_a_loss_within_the_margins_is_promoted():
    # One of 60 N of each patient: recall .983, and macro F1 moves by .004; but shown by every patient alike.
    kept = judge(version(), version([(N, S, 1)]))
    assert not kept.promote
    assert "whichever patients are drawn" in kept.reason
    champion = version([(V, N, 1)])
    assert judge(champion, version([(N, V, 1)])).promote


@pytest.mark.parametrize(
    ("worse", "named"),
    [
        ({"wrong": [(V, N, 4)]}, "recall of V from 0.9500 to 0.8000 (at least 0.9300, 80 beats)"),
        ({"wrong": [(S, N, 2)]}, "recall of S from 0.9000 to 0.8000"),
        ({"wrong": [(N, V, 6)]}, "macro F1"),
        ({"auc": 0.87}, "deviation AUC from 0.9000 to 0.8700 (at least 0.8800)"),
        ({"sure": 0.8}, "ECE from 0.0700 to 0.2000 (at most 0.1200)"),
        ({"ms": 0.11}, "ms per beat from 0.0500 to 0.1100 (at most 0.1000)"),
        ({"in_noise": 0.57}, "V F1 in noise from 0.6000 to 0.5700 (at least 0.5800)"),
        ({"explanations": False}, "no method of explanation passed its tests"),
    ],
)
def test_a_worse_challenger_is_kept_out_whatever_else_got_better(worse, named):
    champion = version([(V, N, 1), (S, N, 1), (F, N, 5)])
    assert judge(champion, version()).promote
    verdict = judge(champion, version(**worse))
    assert not verdict.promote
    assert named in verdict.reason


def test_a_class_that_is_never_found_any_more_is_kept_out():
    verdict = judge(version([(S, N, 5)]), version([(F, N, 10)]))
    assert not verdict.promote
    assert "recall of F from 1.0000 to 0.0000" in verdict.reason


def test_no_promotion_goes_below_a_floor_but_a_champion_there_may_be_followed():
    limits = Limits(0.5, 0.5, {"S": 0.85}, 0.5, 0.1)
    assert judge(version(), version([(S, N, 2), (V, N, 0)]), Limits(0.5, 0.5, {"S": 0.8}, 0.5, 0.1)).promote is False
    kept = judge(version([(V, N, 15)]), version([(S, N, 2)]), limits)
    assert "recall of S from 1.0000 to 0.8000 (at least 0.8500, 40 beats)" in kept.reason
    assert judge(version([(S, N, 4), (V, N, 5)]), version([(S, N, 3)]), limits).promote


def test_of_a_class_with_few_beats_one_beat_may_be_lost_but_not_two():
    few = np.ones(TRUE.size, bool)
    few[np.flatnonzero(TRUE == F)[3:]] = False
    champion, lost = version([(V, N, 4)]), version()

    def without(version, n_lost):
        probabilities = version.probabilities.copy()
        rows = np.flatnonzero(TRUE == F)[:n_lost]
        probabilities[rows] = np.eye(5, dtype=np.float32)[N]
        return Candidate(probabilities[few], version.deviation_auc, version.ms_per_beat)

    limits = Limits(0.5, 0.02, {}, 0.05, 0.1)
    promotes = [
        gate(TRUE[few], PATIENT[few], without(champion, 0), without(lost, n), limits).promote for n in (0, 1, 2)
    ]
    assert promotes == [True, True, False]


def test_the_interval_is_over_patients_not_beats():
    """A challenger that gains in one patient and loses nothing elsewhere: without that patient there is no gain."""
    champion = version()
    champion.probabilities[np.flatnonzero((PATIENT == "p2") & (TRUE == V))] = np.eye(5, dtype=np.float32)[N]
    gain = judge(champion, version()).figures["macro_f1_difference"]
    assert gain["low"] == 0
    assert gain["high"] > gain["mean"] > 0


def test_the_same_model_is_not_promoted():
    verdict = judge(version(), version(ms=0.04))
    assert not verdict.promote
    assert "the same" in verdict.reason


@pytest.mark.parametrize("broken", [None, math.nan, math.inf])
def test_a_figure_that_is_no_number_never_promotes(broken):
    champion = version([(V, N, 4)])
    verdict = judge(champion, version(auc=broken))
    assert not verdict.promote
    assert "deviation AUC missing or not a number" in verdict.reason
    assert not judge(version([(V, N, 4)], auc=broken), version()).promote
    assert not judge(champion, version(ms=math.nan)).promote


def test_probabilities_that_are_no_numbers_never_promote():
    challenger = version()
    challenger.probabilities[7] = np.nan
    assert not judge(version([(V, N, 4)]), challenger).promote


def test_other_beats_or_one_patient_are_not_compared():
    champion, challenger = version([(V, N, 4)]), version()
    shorter = Candidate(challenger.probabilities[:-1], 0.9, 0.05)
    assert not judge(champion, shorter).promote
    assert not gate(TRUE, np.full(TRUE.size, "one"), champion, challenger, LIMITS).promote
    nothing = Candidate(np.zeros((0, 5), np.float32), 0.9, 0.05)
    assert not gate(TRUE[:0], PATIENT[:0], nothing, nothing, LIMITS).promote


def test_a_class_that_does_not_occur_is_not_judged_and_the_reason_says_so():
    rows = TRUE != F
    champion, challenger = (
        Candidate(s.probabilities[rows], s.deviation_auc, s.ms_per_beat) for s in (version([(V, N, 4)]), version())
    )
    verdict = gate(TRUE[rows], PATIENT[rows], champion, challenger, LIMITS)
    assert verdict.promote
    assert "No beat of F" in verdict.reason


def test_calibration_error_by_hand():
    # Four beats at .9, of which three are right: .15 off. Two at .5, both right: .5 off.
    probabilities = np.full((6, 5), 0.025, np.float32)
    probabilities[:4, 0] = 0.9
    probabilities[4:, 0] = 0.5
    assert calibration_error(probabilities, np.array([0, 0, 0, 1, 0, 0], np.int8)) == pytest.approx(
        (4 * 0.15 + 2 * 0.5) / 6
    )
