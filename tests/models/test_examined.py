"""What the tests of the explanations found stands in the manifest, sealed, and in what a reader is told."""

import json

import pytest

from ecg_core.errors import ModelIntegrityError
from ecg_core.models import load_model
from ecg_core.training import TrainingSource, assemble

FOUND = {
    "methods": {
        "shapley": {
            "randomisation_correlation": 0.07,
            "deletion_gain": 0.25,
            "deletion_gain_ci": [0.2, 0.3],
            "stability": None,
            "beats_per_second": 300.0,
            "passed": True,
        },
        "shap": {"error": "It cannot.", "deletion_gain_ci": [None, None], "passed": False},
    },
    "offered_first": "shapley",
    "shapley": {"v_share_qrs_t_rr": 0.78, "s_share_rr_p": None},
}


@pytest.fixture(scope="module")
def examined(components, two_patients, deciding, tmp_path_factory):
    models_dir = tmp_path_factory.mktemp("examined")
    seen = []

    def examine(model):
        seen.append((model.version, model.classify(deciding.waveform[:2], deciding.context[:2]).shape))
        return FOUND

    source = TrainingSource("two MIT-BIH records", {"mitdb": "0" * 64})
    version = assemble(components, two_patients, {"deciding": deciding}, source, models_dir, examine=examine)
    assert seen == [("unsealed", (2, 5))], "it is a model that works, before it has its name"
    return models_dir / version


def test_the_figures_are_told_by_method_and_measure(examined):
    model = load_model(examined.name, examined.parent)
    assert model.manifest["explanations"] == FOUND
    told = {name: value for name, value in model.facts.figures.items() if name.startswith("explanations.")}
    assert told == {
        "explanations.shapley.offered_first": 1.0,
        "explanations.shapley.randomisation_correlation": 0.07,
        "explanations.shapley.deletion_gain": 0.25,
        "explanations.shapley.deletion_gain_low": 0.2,
        "explanations.shapley.deletion_gain_high": 0.3,
        "explanations.shapley.beats_per_second": 300.0,
        "explanations.shapley.passed": 1.0,
        "explanations.shapley.v_share_qrs_t_rr": 0.78,
        "explanations.shap.offered_first": 0.0,
        "explanations.shap.passed": 0.0,
    }


def test_figures_that_were_bettered_afterwards_are_noticed(examined):
    manifest = json.loads((examined / "manifest.json").read_text())
    manifest["explanations"]["methods"]["shap"]["passed"] = True
    whole = (examined / "manifest.json").read_text()
    (examined / "manifest.json").write_text(json.dumps(manifest))
    try:
        with pytest.raises(ModelIntegrityError):
            load_model(examined.name, examined.parent)
    finally:
        (examined / "manifest.json").write_text(whole)
