"""`ecg evaluate beats`: from the signals to figures, and each look at DS2 in the log."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecg_core.datasets.annotated import load_record
from ecg_core.datasets.splits import TEST
from ecg_core.errors import DatasetUnavailable, PatientLeak, UnknownModelVersion
from ecg_core.models import SHIPPED_VERSION, load_model
from ecg_core.pipeline import evaluating
from ecg_core.settings import Settings
from ecg_core.training.prepare import prepare_scored


@pytest.fixture
def settings(tmp_path: Path, small_base: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, physionet_base=str(small_base))


@pytest.fixture
def two_records(monkeypatch) -> None:
    """The splits in small: two deciding patients, who stand for the test patients too."""
    both = ("mitdb", ("207", "223"))
    monkeypatch.setattr(evaluating, "SPLITS", {"deciding": both, "ds2": both})


def test_figures_have_the_names_that_other_programs_read(settings, two_records, tmp_path):
    log = tmp_path / "looks.csv"
    figures = evaluating.evaluate_beats(settings, SHIPPED_VERSION, "deciding", "detected", "A", log)
    figures = json.loads(json.dumps(figures, allow_nan=False))
    for name in ("accuracy", "macro_f1_nsv", "j_kappa", "ece", "coverage", "worst_patient_coverage", "brier"):
        assert 0 <= figures[name] <= 1, name
    for name in "NSVF":
        assert {"sensitivity", "precision", "f1"} <= figures["classes"][name].keys()
    assert "mean_f1" in figures["patients"]["S"]
    assert figures["looks"] == 0, "the deciding patients are no look"
    assert not log.exists()


def test_noise_is_seldom_taken_for_ventricular_beats(settings, two_records, tmp_path):
    """The champion before this noise was learned from called more than half of these false beats V."""
    log = tmp_path / "looks.csv"
    plain, noisy = (
        evaluating.evaluate_beats(settings, SHIPPED_VERSION, "deciding", "detected", "A", log, noise=noise)
        for noise in (False, True)
    )
    assert noisy["n_extra"] > plain["n_extra"] + 20
    assert noisy["extra_called"]["V"] < 0.25 * noisy["n_extra"]
    assert noisy["n_beats"] == plain["n_beats"]


def test_each_look_at_ds2_is_logged(settings, two_records, tmp_path):
    log = tmp_path / "looks.csv"
    shutil.copy(evaluating.LOOKS, log)
    before = log.read_text()
    so_far = evaluating.count_looks(log)
    for n, beats in enumerate(("detected", "reference"), 1):
        figures = evaluating.evaluate_beats(settings, SHIPPED_VERSION, "ds2", beats, "B", log)
        assert figures["looks"] == so_far + n
    assert log.read_text().startswith(before), "what was logged stays"
    last = log.read_text().splitlines()[-1]
    assert f"ecg evaluate beats --model {SHIPPED_VERSION} --split ds2 --beats reference --mapping B" in last


def test_the_split_is_that_of_de_chazal():
    assert evaluating.SPLITS["ds2"] == ("mitdb", TEST)
    assert len(TEST) == 22


def test_a_patient_that_was_trained_on_is_not_evaluated(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(evaluating, "SPLITS", {"ds2": ("mitdb", ("208",))})
    with pytest.raises(PatientLeak):
        evaluating.evaluate_beats(settings, SHIPPED_VERSION, "ds2", "detected", "A", tmp_path / "looks.csv")
    assert not (tmp_path / "looks.csv").exists()


def test_what_is_not_there_is_said(settings, tmp_path):
    with pytest.raises(UnknownModelVersion):
        evaluating.evaluate_beats(settings, "no-such-version", "deciding", "detected", "A", tmp_path / "looks.csv")
    with pytest.raises(DatasetUnavailable, match="is not in"):
        evaluating.evaluate_beats(settings, SHIPPED_VERSION, "ds2", "detected", "A", tmp_path / "looks.csv")


@pytest.mark.parametrize(("record", "mapping", "n_s"), [("207", "A", 107), ("223", "A", 73), ("223", "B", 89)])
def test_detected_beats_are_all_counted_once(mitdb, trees, record, mapping, n_s):
    """207 has flutter, which has no beats to be found; 223 has escape beats, which the mappings count differently."""
    labelled = load_record(mitdb, record, mapping)
    beats, missed = prepare_scored(labelled, trees)
    annotated = np.bincount(labelled.class_index, minlength=5)
    found = np.bincount(beats.class_index[beats.class_index >= 0], minlength=5)
    assert annotated[1] == n_s
    assert (found + missed == annotated).all()
    assert (beats.class_index < 0).sum() < 60, "flutter waves are no false beats"


def test_with_other_seeds_the_mean_of_three_is_told_and_logged(settings, two_records, tmp_path, monkeypatch):
    shipped = load_model(SHIPPED_VERSION, tmp_path)
    monkeypatch.setattr(evaluating, "equal_models", lambda *_: [shipped, shipped])
    log = tmp_path / "looks.csv"
    figures = evaluating.evaluate_beats(settings, SHIPPED_VERSION, "ds2", "detected", "A", log, seeds=True)
    assert [of_seed["accuracy"] for of_seed in figures["seeds"]] == [figures["accuracy"]] * 3
    assert figures["mean_of_seeds"]["V"]["f1"] == pytest.approx(figures["classes"]["V"]["f1"])
    assert "--seeds" in log.read_text()
    assert figures["looks"] == 2
