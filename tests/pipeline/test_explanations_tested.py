"""What tells a trained model from one with random weights: the tests of its explanations, and the report says so."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecg_core.datasets.synth import synthesise
from ecg_core.errors import DatasetUnavailable
from ecg_core.explain.trust import UNKNOWN, join, measure_methods
from ecg_core.explain.variants import randomised, weighted_layers, with_noise
from ecg_core.files import file_sha256
from ecg_core.models import LoadedModel, load_model
from ecg_core.models.version import content_id
from ecg_core.pipeline.examining import deviation_figures, measured_beats, shapley_figures
from ecg_core.pipeline.score import score_recording
from ecg_core.report import render
from ecg_core.training.equal_models import equal_models

PATIENTS = ("116", "124", "223")
METHODS = ("shapley", "saliency")


@pytest.fixture(scope="module")
def shipped(champion):
    return champion


@pytest.fixture(scope="module")
def examined(mitdb, tmp_path_factory):
    """Examine a model on three deciding patients, by a few methods, as every nightly version is."""

    def examine(model):
        found = measured_beats(model, mitdb, PATIENTS)
        document = measure_methods(
            model,
            found.abnormal(5),
            tmp_path_factory.mktemp("random"),
            balanced_recall=found.balanced_recall(),
            every_layer=False,
            methods=METHODS,
        )
        some = np.union1d(np.arange(0, len(found), 30), np.flatnonzero(found.true != 0)[::3])
        document["shapley"] = shapley_figures(model, found.select(some), quick=True)
        return document

    return examine


@pytest.fixture(scope="module")
def untrained(shipped, examined, tmp_path_factory):
    """A whole version, but its classifier was never trained; its manifest holds what the tests found."""
    models_dir = tmp_path_factory.mktemp("models")
    folder = models_dir / "made"
    shutil.copytree(shipped.folder, folder)
    classifier = randomised(shipped, len(weighted_layers(shipped)), tmp_path_factory.mktemp("weights") / "all")
    for name in ("cnn.keras", "cnn.onnx"):
        shutil.copyfile(classifier.folder / name, folder / name)
    manifest = {**shipped.manifest, "explanations": examined(classifier)}
    manifest["files"] = {name: file_sha256(folder / name) for name in manifest["files"]}
    manifest["version"] = f"cnn-untrained-{content_id(manifest)}"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    folder.rename(models_dir / manifest["version"])
    return load_model(manifest["version"], models_dir)


def test_a_trained_model_passes(shipped, examined):
    document = examined(shipped)
    assert document["offered_first"] in METHODS
    for name in METHODS:
        figures = document["methods"][name]
        assert set(UNKNOWN) <= set(figures)
        assert figures["deletion_gain_ci"][0] < figures["deletion_gain"] < figures["deletion_gain_ci"][1]
        assert -1 <= figures["randomisation_correlation"] <= 1
    assert document["methods"]["shapley"]["deletion_gain"] > document["methods"]["saliency"]["deletion_gain"]
    exact = document["shapley"]
    assert exact["efficiency_max_error"] <= 1e-4
    assert exact["exact_explainer_max_error"] <= 1e-5
    assert 0 < exact["v_share_qrs_t_rr"] <= 1
    assert 0 < exact["s_share_rr_p"] <= 1


def test_the_report_of_a_model_with_random_weights_says_that_its_explanations_failed(untrained):
    assert untrained.manifest["explanations"]["offered_first"] is None
    figures = untrained.facts.figures
    assert {figures[f"explanations.{name}.passed"] for name in METHODS} == {0.0}
    made = synthesise(60.0, pvc_per_minute=6.0, seed=1).recording
    told = re.sub(r"\s+", " ", render(score_recording(made, untrained, explained_beats=2)))
    assert "failed their test" in told


def test_a_model_that_calls_nothing_abnormal_has_no_figures(shipped, mitdb, tmp_path: Path):
    found = measured_beats(shipped, mitdb, ("116",))
    nothing = found.select(np.flatnonzero(found.called == 0))
    document = measure_methods(shipped, nothing.abnormal(5), tmp_path, balanced_recall=1 / 3, methods=METHODS)
    assert document["offered_first"] is None
    assert set(document["methods"]) == set(METHODS)
    assert not any(figures["passed"] for figures in document["methods"].values())


def test_noise_has_the_power_that_was_asked_for(shipped, mitdb):
    found = join([measured_beats(shipped, mitdb, ("116",))])
    noisy = with_noise(found.beats, 12)
    own = found.beats.waveform[:, :, 0]
    added = noisy.waveform[:, :, 0] - own
    assert 20 * np.log10(own.std(axis=1) / added.std(axis=1)) == pytest.approx(np.full(len(own), 12.0), abs=0.01)
    assert np.array_equal(noisy.waveform[:, :, 1], found.beats.waveform[:, :, 1])


def test_deviation_comes_from_the_manifest(shipped):
    assert set(deviation_figures(shipped, "deciding")) == {"auc_vf", "auc_abnormal"}


@pytest.mark.parametrize(
    ("lacking", "databases", "records"),
    [("nstdb", {"mitdb": "", "nstdb": ""}, ["119"]), ("sel872", {"mitdb": "", "qtdb": ""}, ["119", "sel872"])],
)
def test_no_other_seed_is_trained_on_less_than_the_version_was(
    settings, shipped, small_base, lacking, databases, records
):
    trained_on = {**shipped.manifest["training_data"], "databases": databases, "records": records}
    model = LoadedModel(shipped.folder, {**shipped.manifest, "training_data": trained_on})
    with pytest.raises(DatasetUnavailable, match=f"1 of the records .*{lacking}"):
        equal_models(settings, model, small_base / "mitdb" / "1.0.0")
