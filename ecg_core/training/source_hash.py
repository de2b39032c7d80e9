"""What a cache of computed things is keyed by: the code that computes them.

A comment, a docstring and the layout change no result, so they are not part of the hash; a constant is. What was
learned lies in model versions and not beside the code: who computes with it adds its hash to the key.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

FEATURE_CODE: Final = (
    "ecg_core.labels",
    "ecg_core.recording",
    "ecg_core.result.alike",
    "ecg_core.result.result",
    "ecg_core.datasets.annotated",
    "ecg_core.formats",
    "ecg_core.signal",
    "ecg_core.beats",
    "ecg_core.training.noise",
    "ecg_core.training.prepare",
    "ecg_core.training.beats",
)
"""What makes labelled beats with their features of an annotated record."""
TRAINING_CODE: Final = (*FEATURE_CODE, "ecg_core.models", "ecg_core.training")
"""What makes a model of them. Of `ecg_core.models`, the code alone: shipped models are in no package."""


@lru_cache(maxsize=32)
def source_sha256(*names: str) -> str:
    """Hash modules, and packages with their subpackages and data files.

    Parameters
    ----------
    *names : str
        Dotted names, for instance ``"ecg_core.beats"``. They are found, not imported.

    Raises
    ------
    ModuleNotFoundError
        One of them does not exist.
    """
    return files_sha256(*map(_place, names))


def files_sha256(*places: Path) -> str:
    """Hash Python files, and folders of packages, in this order."""
    digest = hashlib.sha256()
    for place in places:
        for path in [place] if place.is_file() else sorted(_files(place)):
            content = _code(path) if path.suffix == ".py" else path.read_bytes()
            digest.update(f"{path.relative_to(place.parent).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _place(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {name!r}", name=name)
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _files(package: Path) -> Iterator[Path]:
    """Find the files of a package and its subpackages; a folder without ``__init__.py`` is none."""
    for path in package.iterdir():
        if path.is_dir() and (path / "__init__.py").is_file():
            yield from _files(path)
        elif path.is_file() and not path.name.startswith(".") and path.suffix not in (".pyc", ".typed"):
            yield path


def _code(path: Path) -> bytes:
    """Give the syntax tree without positions, comments, docstrings and other strings that stand alone."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, name, [each for each in value if not _stands_alone(each)])
    return ast.dump(tree).encode()


def _stands_alone(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
