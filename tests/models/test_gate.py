import copy
import math

import pytest

from ecg_core.models.gate import gate


def figures(macro_f1=0.6, auc=0.9, n_beats=1000, **recalls):
    recalls = {"N": 0.95, "S": 0.6, "V": 0.9, "F": 0.2, **recalls}
    counts = {"N": 800, "S": 100, "V": 90, "F": 10}
    return {
        "n_beats": n_beats,
        "macro_f1": macro_f1,
        "deviation_auc": auc,
        "classes": {c: {"n": counts[c], "sensitivity": r, "precision": 0.5, "f1": 0.5} for c, r in recalls.items()},
    }


def test_a_better_challenger_is_promoted_and_the_reason_holds_the_numbers():
    verdict = gate(figures(), figures(macro_f1=0.65, S=0.7), 0.005, 0.02)
    assert verdict.promote
    assert "0.6000 to 0.6500" in verdict.reason
    assert "recall of S from 0.6000 to 0.7000" in verdict.reason


def test_a_loss_within_the_margins_is_promoted():
    assert gate(figures(), figures(macro_f1=0.596, V=0.885), 0.005, 0.02).promote


@pytest.mark.parametrize(
    ("worse", "named"),
    [
        ({"macro_f1": 0.59}, "macro F1"),
        ({"macro_f1": 0.8, "V": 0.85}, "recall of V"),
        ({"macro_f1": 0.8, "N": 0.92}, "recall of N"),
        ({"macro_f1": 0.8, "auc": 0.85}, "deviation AUC"),
    ],
)
def test_a_worse_challenger_is_kept_out_whatever_else_got_better(worse, named):
    verdict = gate(figures(), figures(**worse), 0.005, 0.02)
    assert not verdict.promote
    assert named in verdict.reason


def test_of_a_class_with_few_beats_one_beat_may_be_lost_but_not_two():
    assert gate(figures(), figures(macro_f1=0.65, F=0.1), 0.005, 0.02).promote
    assert not gate(figures(), figures(macro_f1=0.65, F=0.0), 0.005, 0.02).promote


def test_the_same_model_is_not_promoted():
    verdict = gate(figures(), figures(), 0.005, 0.02)
    assert not verdict.promote
    assert "the same" in verdict.reason


@pytest.mark.parametrize("broken", [None, math.nan, math.inf, "0.9"])
@pytest.mark.parametrize("place", ["macro_f1", "deviation_auc", "sensitivity"])
def test_a_figure_that_is_no_number_never_promotes(place, broken):
    challenger = figures(macro_f1=0.9, S=0.9)
    (challenger["classes"]["V"] if place == "sensitivity" else challenger)[place] = broken
    assert not gate(figures(), challenger, 0.005, 0.02).promote


@pytest.mark.parametrize("missing", ["macro_f1", "deviation_auc", "classes", "n_beats"])
def test_a_missing_figure_never_promotes(missing):
    challenger = figures(macro_f1=0.9)
    del challenger[missing]
    assert not gate(figures(), challenger, 0.005, 0.02).promote


def test_figures_of_other_beats_are_not_compared():
    assert not gate(figures(), figures(macro_f1=0.9, n_beats=999), 0.005, 0.02).promote


def test_a_class_that_does_not_occur_is_not_judged_and_the_reason_says_so():
    champion, challenger = figures(), figures(macro_f1=0.65)
    for f in (champion, challenger):
        f["classes"]["F"] = {"n": 0, "sensitivity": None, "precision": None, "f1": None}
    verdict = gate(champion, copy.deepcopy(challenger), 0.005, 0.02)
    assert verdict.promote
    assert "No beat of F" in verdict.reason
