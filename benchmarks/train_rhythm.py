"""Learn to tell atrial fibrillation: ``python -m benchmarks.train_rhythm``.

Reads the Challenge of 2017 from ``ECG_PHYSIONET_BASE``, writes a version of the task ``rhythm`` into
``ecg_core/models/shipped``, and names it in ``CURRENT``. The champion of ``beats`` keeps the trees that it learned
with: ``python -m benchmarks.train_champion`` makes one that learned with these.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from ecg_core.datasets import challenge2017
from ecg_core.datasets.databases import DATABASES
from ecg_core.models import SHIPPED
from ecg_core.models.version import MANIFEST, SHIPPED_DIR
from ecg_core.settings import load_settings
from ecg_core.training.rhythm import challenge_windows
from ecg_core.training.rhythm_task import write_version


def main() -> None:
    """Train, write, name it."""
    settings = load_settings()
    database = challenge2017.DATABASE
    folder = Path(settings.physionet_base) / database / DATABASES[database].version
    windows = challenge_windows(folder)
    content = challenge2017.content_sha256(folder, list(windows.names))
    version = write_version(windows, content, settings.seed, SHIPPED_DIR)
    if SHIPPED["rhythm"] != version:
        shutil.rmtree(SHIPPED_DIR / SHIPPED["rhythm"])
    (SHIPPED_DIR / "CURRENT").write_text(json.dumps({**SHIPPED, "rhythm": version}, indent=1) + "\n")
    manifest = json.loads((SHIPPED_DIR / version / MANIFEST).read_text())
    sys.stdout.write(json.dumps({"version": version, "figures": manifest["figures"]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
