"""The version that tells ventricular fibrillation and tachycardia by stretches of seconds: boosted trees."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ecg_core.beats.fibrillation import Trees, read_trees
from ecg_core.models.version import SHIPPED_DIR, find_version

TREES_FILE: Final = "ventricular_trees.json"


@lru_cache(maxsize=1)
def shipped_trees() -> Trees:
    """Return the trees that ship, after every file of their version was checked against its manifest.

    Raises
    ------
    ModelIntegrityError
        A file, or the manifest itself, is not what was written.
    """
    [name] = (path.name for path in SHIPPED_DIR.glob("ventricular-*"))
    folder, _ = find_version(name, SHIPPED_DIR)
    return read_trees(folder, TREES_FILE)
