"""Caches are keyed by what changes a result: code and learned files, not prose."""

import shutil
from pathlib import Path

import pytest

from ecg_core import beats as our_beats
from ecg_core.training.source_hash import FEATURE_CODE, TRAINING_CODE, files_sha256, source_sha256


@pytest.fixture
def beats(tmp_path: Path) -> Path:
    """A copy of our package of beats."""
    return Path(
        shutil.copytree(
            Path(our_beats.__file__).parent, tmp_path / "beats", ignore=shutil.ignore_patterns("__pycache__")
        )
    )


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


def test_what_is_hashed_by_name_is_the_package(beats: Path):
    assert source_sha256("ecg_core.beats") == files_sha256(beats)
