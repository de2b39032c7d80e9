"""The registry of tasks: each has its versions, and a beats version keeps the trees that it learned with."""

import json
import shutil

import numpy as np
import pytest

from ecg_core.beats.fibrillation import TREES_FILE, read_trees
from ecg_core.datasets.synth import synthesise
from ecg_core.errors import ModelOutdated, UnknownModelVersion
from ecg_core.files import file_sha256
from ecg_core.models import SHIPPED, SHIPPED_VERSION, TASKS, labels_recordings, load_model, load_version
from ecg_core.models.rhythm import stretches_of
from ecg_core.models.version import MANIFEST, SHIPPED_DIR, content_id
from ecg_core.pipeline.score import read_beats


def changed(version: str, models_dir, change):
    """A copy of a version under another manifest, named and sealed as it should be."""
    folder = models_dir / "copy"
    shutil.copytree(SHIPPED_DIR / version, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    change(folder, manifest)
    manifest["files"] = {p.name: file_sha256(p) for p in sorted(folder.iterdir()) if p.name != MANIFEST}
    manifest["version"] = f"copy-{content_id(manifest)}"
    (folder / MANIFEST).write_text(json.dumps(manifest))
    folder.rename(models_dir / manifest["version"])
    return manifest["version"]


def test_every_task_that_ships_has_a_version_of_its_own_task():
    assert set(SHIPPED) <= set(TASKS)
    for task, version in SHIPPED.items():
        model = load_version(version, SHIPPED_DIR)
        assert type(model) is TASKS[task]
        assert model.task == model.facts.task == task
        assert labels_recordings(model) == (task != "beats")


def test_a_version_that_names_no_task_is_of_beats(tmp_path):
    version = changed(SHIPPED_VERSION, tmp_path, lambda folder, manifest: manifest.pop("task"))
    assert load_version(version, tmp_path).task == "beats"
    assert load_model(version, tmp_path).version == version


def test_a_version_of_another_task_classifies_no_beats(tmp_path):
    with pytest.raises(UnknownModelVersion, match="task rhythm"):
        load_model(SHIPPED["rhythm"], tmp_path)


def test_a_task_that_this_release_does_not_know_is_named(tmp_path):
    version = changed(SHIPPED["rhythm"], tmp_path, lambda folder, manifest: manifest.update(task="snoring"))
    with pytest.raises(UnknownModelVersion, match="snoring"):
        load_version(version, tmp_path)


def test_a_beats_version_without_its_trees_is_outdated(tmp_path):
    version = changed(SHIPPED_VERSION, tmp_path, lambda folder, manifest: (folder / TREES_FILE).unlink())
    with pytest.raises(ModelOutdated):
        load_version(version, tmp_path)


def test_another_rhythm_version_changes_no_feature_of_a_standing_champion(tmp_path):
    """Trees that find fibrillation everywhere change what the task rhythm says, and nothing that the beats rest on."""

    def biased(folder, manifest):
        stored = json.loads((folder / TREES_FILE).read_text())
        stored["start"][1] += 20.0
        (folder / TREES_FILE).write_text(json.dumps(stored))

    champion = load_model(SHIPPED_VERSION, tmp_path)
    other = load_version(changed(SHIPPED["rhythm"], tmp_path, biased), tmp_path)
    usual = load_version(SHIPPED["rhythm"], tmp_path)
    assert champion.trees.sha256 == usual.trees.sha256 == file_sha256(SHIPPED_DIR / SHIPPED["rhythm"] / TREES_FILE)
    recording = synthesise(65.0, seed=3).recording
    (before, beats), (after, beats_after) = (read_beats(recording, champion, others=[r]) for r in (usual, other))
    assert np.array_equal(beats.context, beats_after.context)
    assert np.array_equal(before.beats.probabilities, after.beats.probabilities)
    assert np.array_equal(before.af, after.af, equal_nan=True)
    assert before.findings == after.findings
    assert before.stretches == ()
    [stretch] = after.stretches
    assert (stretch.from_s, stretch.to_s, stretch.label) == (0.0, 60.0, "atrial_fibrillation")
    assert stretch.version == other.version
    assert stretch.probability > 0.9


def test_trees_come_back_to_the_bit(trees, tmp_path):
    (tmp_path / TREES_FILE).write_bytes(trees.to_bytes())
    assert read_trees(tmp_path).to_bytes() == trees.to_bytes()


@pytest.mark.parametrize(
    ("probability", "stretches"),
    [
        ([], []),
        ([np.nan], []),
        ([0.9], [(0.0, 20.0)]),
        ([0.9, 0.6, 0.1, 0.7], [(0.0, 60.0), (90.0, 120.0)]),
        ([0.9, np.nan, 0.9], [(0.0, 30.0), (60.0, 90.0)]),
    ],
)
def test_windows_in_a_row_are_one_stretch_and_the_unknown_is_none(probability, stretches):
    duration_s = 20.0 if len(probability) == 1 else 30.0 * len(probability)
    found = stretches_of(np.array(probability, np.float32), duration_s, "v")
    assert [(stretch.from_s, stretch.to_s) for stretch in found] == stretches
