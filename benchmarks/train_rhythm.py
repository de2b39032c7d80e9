"""Learn to tell atrial fibrillation: ``python -m benchmarks.train_rhythm``.

Reads the Challenge of 2017 from ``ECG_PHYSIONET_BASE`` and writes ``ecg_core/beats/fibrillation.json``: the trees, and
beside them what they were learned from, its hash, and the figures on folds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ecg_core.beats.fibrillation import WEIGHTS
from ecg_core.datasets.databases import DATABASES
from ecg_core.settings import load_settings
from ecg_core.training.rhythm import train_fibrillation


def main() -> None:
    """Train and write."""
    folder = Path(load_settings().physionet_base) / "challenge-2017" / DATABASES["challenge-2017"].version
    manifest = train_fibrillation(folder, WEIGHTS)
    sys.stdout.write(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
