"""Every name that can reach a reader has its text: no clinician reads the name of a variable."""

import re

import pytest

from ecg_core import errors
from ecg_core.beats import CONTEXT_NAMES
from ecg_core.explain.choice import REASONS
from ecg_core.labels import CLASSES
from ecg_core.models import SHIPPED_VERSION, load_model
from ecg_core.report import methods, trust, waves
from ecg_core.report.methods import Verdict
from ecg_core.report.shapley import EXPECTED
from ecg_core.report.why_figures import LONGEST_LABEL
from ecg_core.result import PLAYERS, SEGMENTS_MS, findings
from ecg_core.result.methods import ATTRIBUTION_METHODS
from ecg_core.texts import TEXTS

TONES = ("urgent", "notable", "doubt", "info")
VERDICTS = Verdict.__args__
COUNTED = [f"{kind}_{number}" for kind in findings.KINDS for number in ("one", "many")]
BURDENS = [f"burden_{letter}_{number}" for letter in CLASSES[1:] for number in ("one", "many")]
BESIDE_PLAYERS = [
    f"{player}_{which}" for player in ("previous_rr", "following_rr") for which in ("early", "late", "plain")
]
NAMES = {
    "feature": CONTEXT_NAMES,
    "player": (*PLAYERS, *BESIDE_PLAYERS, "p_wave_absent"),
    "segment": SEGMENTS_MS,
    "part": SEGMENTS_MS,
    "method": ATTRIBUTION_METHODS,
    "verdict": VERDICTS,
    "measure": methods.MEASURES,
    "reason": [reason.replace(" ", "_") for reason in REASONS],
    "class": CLASSES,
    "kind": findings.KINDS,
    "what": (*findings.KINDS, *CLASSES[1:]),
    "tag": TONES,
    "interval": waves.MEASURES,
    "shares_players": EXPECTED,
    "set": ("ds2", "deciding"),
}


@pytest.mark.parametrize("of", NAMES)
def test_every_name_has_its_text(of):
    assert [name for name in NAMES[of] if f"{of}_{name}" not in TEXTS] == []


def test_every_finding_has_its_sentence():
    assert [key for key in (*COUNTED, *BURDENS, "poor_signal", "no_beats") if key not in TEXTS] == []


def test_no_text_of_a_feature_is_left_without_it():
    features = {key.removeprefix("feature_") for key in TEXTS if key.startswith("feature_")}
    assert features == set(CONTEXT_NAMES)


def test_no_text_shows_the_name_of_a_variable():
    """Words that are filled in, in braces, apart."""
    shown = {key: re.sub(r"{\w+}", "", text) for key, text in TEXTS.items()}
    assert [key for key, text in shown.items() if re.search(r"[a-z]_[a-z]", text)] == []


def test_names_of_features_fit_beside_their_bars():
    features = {text for key, text in TEXTS.items() if key.startswith("feature_")}
    assert max(map(len, features)) <= LONGEST_LABEL
    assert len(features) == len(CONTEXT_NAMES), "two features of one name cannot be told apart"


def test_every_figure_of_the_shipped_model_has_its_words(tmp_path):
    figures = load_model(SHIPPED_VERSION, tmp_path).facts.figures
    plain = [name.split(".") for name in figures if not {"explanations", "calibration"} & set(name.split(".")[:2])]
    names = {f"measure_{parts[-1]}" for parts in plain if not parts[-1].endswith(("_low", "_high"))} | {
        f"set_{part.lower()}" for parts in plain for part in parts[:-1] if part not in CLASSES
    }
    assert sorted(names - set(TEXTS)) == []
    by_class, others = trust._figures(tuple((".".join(parts), 0.5) for parts in plain))
    assert len(by_class) + len(others) > 1


def test_codes_of_the_ledger_are_words():
    """A code stands in the ledger and the mart beside its sentence."""
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.EcgError)
    ]
    assert [each.code for each in classes if not re.fullmatch(r"[a-z]+( [a-z]+)*", each.code)] == []
