"""Versions of the task rhythm: written once with all that was learned, and judged by what was said out of fold."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ecg_core.beats.fibrillation import FEATURE_NAMES, RHYTHMS, TREES_FILE
from ecg_core.errors import DatasetError, ModelIntegrityError
from ecg_core.models import SHIPPED, load_version
from ecg_core.models.rhythm import RhythmModel
from ecg_core.models.version import MANIFEST, SHIPPED_DIR, content_id
from ecg_core.training.gate import Limits
from ecg_core.training.rhythm import RhythmWindows
from ecg_core.training.rhythm_task import judge, write_version

LIMITS = Limits(0.005, 0.02, {}, 0.01, 1.0)
EACH = 12


def windows_of(told: float, seed: int = 0) -> RhythmWindows:
    """Windows whose first features tell the rhythm, the more clearly the larger `told`."""
    random = np.random.default_rng(seed)
    rhythm = np.repeat(np.arange(len(RHYTHMS), dtype=np.int8), EACH)
    features = random.normal(size=(rhythm.size, len(FEATURE_NAMES))).astype(np.float32)
    for code in range(len(RHYTHMS)):
        features[rhythm == code, code::4] += told
    names = tuple(f"A{i:05d}" for i in range(rhythm.size))
    return RhythmWindows(features, np.arange(rhythm.size), rhythm, names)


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    """The folder of a version that learned from clear windows."""
    models_dir = tmp_path_factory.mktemp("models")
    return models_dir / write_version(windows_of(3.0), "0" * 64, 7, models_dir)


def test_a_version_holds_what_it_learned_and_is_checked_when_it_is_loaded(clear, tmp_path):
    model = load_version(clear.name, clear.parent)
    assert isinstance(model, RhythmModel)
    assert (model.task, model.facts.task, model.facts.family) == ("rhythm", "rhythm", "trees")
    manifest = json.loads((clear / MANIFEST).read_text())
    assert manifest["training_data"]["databases"] == {"challenge-2017": "0" * 64}
    assert np.sum(manifest["figures"]["folds"]["confusion"]) == EACH * len(RHYTHMS)
    low, high = manifest["figures"]["folds"]["intervals"]["classes"]["A"]["f1"]
    assert low <= manifest["figures"]["folds"]["classes"]["A"]["f1"] <= high
    assert model.facts.figures["folds.A.f1"] == manifest["figures"]["folds"]["classes"]["A"]["f1"]
    copy = tmp_path / clear.name
    shutil.copytree(clear, copy)
    (copy / TREES_FILE).write_text((copy / TREES_FILE).read_text().replace("0.", "1.", 1))
    with pytest.raises(ModelIntegrityError, match=TREES_FILE):
        load_version(copy.name, copy.parent)


def test_a_worse_challenger_is_kept_out_and_an_equal_one_is_no_gain(clear, tmp_path):
    poor = tmp_path / write_version(windows_of(0.3), "0" * 64, 7, tmp_path)
    kept = judge(clear, poor, LIMITS)
    assert not kept.promote
    assert "worse by more than the margin" in kept.reason
    assert kept.figures["F1_of_AF"]["challenger"] < kept.figures["F1_of_AF"]["limit"]
    assert judge(poor, clear, LIMITS).promote
    same = judge(clear, clear, LIMITS)
    assert not same.promote
    assert "the same on every figure" in same.reason


def test_only_recordings_that_both_learned_from_decide(clear, tmp_path):
    windows = windows_of(3.0)
    others = replace(windows, names=tuple(f"B{name}" for name in windows.names))
    stranger = tmp_path / write_version(others, "0" * 64, 7, tmp_path)
    assert "no recordings" in judge(clear, stranger, LIMITS).reason
    relabelled = replace(windows, rhythm=windows.rhythm[::-1].copy())
    other = tmp_path / write_version(relabelled, "0" * 64, 7, tmp_path)
    assert not judge(clear, other, LIMITS).promote


def test_the_first_version_that_shipped_is_compared_by_its_own_folds(clear):
    verdict = judge(SHIPPED_DIR / SHIPPED["rhythm"], clear, LIMITS)
    assert verdict.figures["F1_of_AF"]["champion"] == pytest.approx(0.798)


def test_too_few_recordings_leave_nothing_behind(tmp_path):
    few = windows_of(1.0)
    few = replace(few, rhythm=np.where(np.arange(few.rhythm.size) < 2, 1, 0).astype(np.int8))
    with pytest.raises(DatasetError, match="too few"):
        write_version(few, "0" * 64, 7, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_names_are_by_content(clear):
    manifest = json.loads((clear / MANIFEST).read_text())
    assert clear.name.startswith("rhythm-")
    assert clear.name.endswith(content_id(manifest))
