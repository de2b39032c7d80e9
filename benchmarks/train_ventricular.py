"""Learn to tell ventricular fibrillation and tachycardia: ``python -m benchmarks.train_ventricular``.

Reads vfdb, cudb and the others from ``ECG_PHYSIONET_BASE`` and writes a version of the task ``ventricular`` into
``ecg_core/models/shipped``: the trees, what they were learned from with its hash, and the figures on folds of patients.
With ``--json`` it only prints the figures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ecg_core.models.version import SHIPPED_DIR
from ecg_core.settings import load_settings
from ecg_core.training.ventricular import gather, held_out, measure, train_ventricular


def main() -> None:
    """Train and write, or measure only."""
    base = Path(load_settings().physionet_base)
    if "--json" in sys.argv[1:]:
        windows = gather(base)
        sys.stdout.write(json.dumps(measure(base, windows, held_out(windows)), indent=1) + "\n")
        return
    sys.stdout.write(f"{train_ventricular(base, SHIPPED_DIR)}\n")


if __name__ == "__main__":
    main()
