"""Caches are keyed by what changes a result: code and learned files, not prose."""

import json
import shutil
from pathlib import Path

import pytest

from ecg_core.beats.fibrillation import WEIGHTS
from ecg_core.training.source_hash import FEATURE_CODE, TRAINING_CODE, files_sha256, source_sha256


@pytest.fixture
def beats(tmp_path: Path) -> Path:
    """A copy of our package of beats, with its learned trees."""
    return Path(shutil.copytree(WEIGHTS.parent, tmp_path / "beats", ignore=shutil.ignore_patterns("__pycache__")))


def changed(path: Path, old: str, new: str) -> None:
    source = path.read_text()
    assert source.count(old) >= 1
    path.write_text(source.replace(old, new, 1))


def test_prose_and_layout_are_no_part_of_it(beats: Path):
    before = files_sha256(beats)
    changed(beats / "rhythm.py", '"""', '"""Other words: ')  # the module's docstring
    changed(beats / "rhythm.py", "PAUSE_MS: Final = 2500.0", "# Why.\nPAUSE_MS: Final = 2500.0  # ms\n'''As said.'''\n")
    changed(beats / "context.py", "    Parameters\n", "    What it takes\n")
    (beats / "__pycache__").mkdir()
    (beats / "__pycache__" / "rhythm.cpython-311.pyc").write_bytes(b"\0")
    assert files_sha256(beats) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("PAUSE_MS: Final = 2500.0", "PAUSE_MS: Final = 2400.0"), ('("pause", int(i) - 1', '("stop", int(i) - 1')],
)
def test_a_changed_constant_is_another_hash(beats: Path, old: str, new: str):
    before = files_sha256(beats)
    changed(beats / "rhythm.py", old, new)
    assert files_sha256(beats) != before


def test_trees_that_were_learned_anew_are_another_hash(beats: Path):
    before = files_sha256(beats)
    learned = json.loads((beats / WEIGHTS.name).read_text())
    learned["trees"]["value"][0][0] += 1e-6
    (beats / WEIGHTS.name).write_text(json.dumps(learned))
    assert files_sha256(beats) != before


def test_a_file_more_or_under_another_name_is_another_hash(beats: Path):
    hashes = {files_sha256(beats)}
    (beats / "deeper").mkdir()
    (beats / "deeper" / "__init__.py").touch()
    hashes.add(files_sha256(beats))
    (beats / "rhythm.py").rename(beats / "rhythms.py")
    hashes.add(files_sha256(beats))
    assert len(hashes) == 3


def test_every_module_that_is_named_is_there():
    assert source_sha256(*FEATURE_CODE) != source_sha256(*TRAINING_CODE)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        source_sha256("ecg_core.no_such_module")


def test_the_features_know_their_own_trees(beats: Path):
    """What is hashed by name is the package whose trees scoring reads."""
    assert source_sha256("ecg_core.beats") == files_sha256(beats)
