"""Learn the superclasses of resting ECGs: ``python -m benchmarks.train_resting``.

Reads PTB-XL, and the Challenge of 2021 where it is there, from ``ECG_PHYSIONET_BASE``, writes a version of the task
``resting`` into ``ecg_core/models/shipped``, and names it in ``CURRENT``.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from ecg_core.datasets import ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.models import SHIPPED
from ecg_core.models.version import MANIFEST, SHIPPED_DIR
from ecg_core.settings import load_settings
from ecg_core.training.resting_set import read_resting_set
from ecg_core.training.resting_task import normal_beat, write_version


def main() -> None:
    """Train, write, name it."""
    base = Path(load_settings().physionet_base)
    folder = base / ptbxl.DATABASE / DATABASES[ptbxl.DATABASE].version
    recordings = read_resting_set(base, with_signals=False)
    content = ptbxl.content_sha256(folder, ptbxl.records(folder))
    version = write_version(recordings, normal_beat(recordings), content, SHIPPED_DIR)
    before = SHIPPED.get("resting", version)
    if before != version:
        shutil.rmtree(SHIPPED_DIR / before)
    (SHIPPED_DIR / "CURRENT").write_text(json.dumps({**SHIPPED, "resting": version}, indent=1) + "\n")
    manifest = json.loads((SHIPPED_DIR / version / MANIFEST).read_text())
    sys.stdout.write(json.dumps({"version": version, "figures": manifest["figures"]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
