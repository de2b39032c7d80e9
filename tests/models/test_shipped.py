"""The champion of a fresh machine, on real beats of the deciding patients."""

import numpy as np
import pytest

from ecg_core.datasets.patients import check_no_leak
from ecg_core.datasets.splits import DECIDING, NEVER_LEARNED
from ecg_core.models.version import content_id
from ecg_core.training import Limits, deciding_set, evaluate, gate, prepare_records


@pytest.fixture(scope="module")
def model(champion):
    return champion


@pytest.fixture(scope="module")
def deciding(mitdb, tmp_path_factory, trees):
    return prepare_records(mitdb, DECIDING, "detected", tmp_path_factory.mktemp("beats"), trees)


@pytest.fixture(scope="module")
def in_noise(mitdb, tmp_path_factory, trees):
    return prepare_records(mitdb, DECIDING, "noise", tmp_path_factory.mktemp("beats"), trees)


@pytest.fixture(scope="module")
def figures(model, deciding):
    return evaluate(model, deciding)


def test_it_is_small_and_whole_and_has_seen_no_deciding_or_test_patient(model):
    assert sum(path.stat().st_size for path in model.folder.iterdir()) < 5e6
    assert model.version.endswith(content_id(model.manifest))
    check_no_leak(model.manifest["training_data"]["records"], NEVER_LEARNED)


def test_its_figures_can_be_made_again(model, figures):
    stored = model.manifest["figures"]["deciding"]
    assert figures["macro_f1"] == pytest.approx(stored["macro_f1"], abs=0.02)
    for c in "NSV":
        assert figures["classes"][c]["sensitivity"] == pytest.approx(stored["classes"][c]["sensitivity"], abs=0.03)


def test_it_finds_ectopic_beats_of_patients_it_has_not_seen(figures):
    assert figures["accuracy"] > 0.95
    assert figures["classes"]["V"]["f1"] > 0.75
    assert figures["classes"]["S"]["f1"] > 0.6
    assert figures["ece"] < 0.08


def test_abnormal_beats_of_patients_it_has_not_seen_deviate(model, deciding, figures):
    assert figures["deviation"]["auc_vf"] > 0.97
    assert figures["deviation"]["auc_abnormal"] > 0.93
    reconstruction, deviation = model.reconstruct(deciding.waveform, deciding.context)
    assert reconstruction.shape == (len(deciding), 256)
    of_normal = deviation[deciding.class_index == 0]
    assert np.abs(np.median(of_normal)) < 1.5, "a z-score: normal beats of other patients lie about 0"


def test_it_is_not_promoted_over_itself(model, deciding, in_noise):
    both = deciding_set(model, model, deciding, in_noise)
    verdict = gate(both.class_index, both.patient, both.champion, both.challenger, Limits(0.005, 0.02, {}, 0.01, 10.0))
    assert not verdict.promote
    assert "the same on every figure" in verdict.reason
    assert len(both.held_back) == len(DECIDING)
    assert verdict.figures["macro_f1_difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    # Before it learned in noise it was .51, and half of the false beats were called V.
    assert verdict.figures["V_F1_in_noise"]["champion"] > 0.55
