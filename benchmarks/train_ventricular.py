"""Learn to tell ventricular fibrillation and tachycardia: ``python -m benchmarks.train_ventricular``.

Reads vfdb, cudb and the others from ``ECG_PHYSIONET_BASE`` and writes ``ecg_core/beats/ventricular.json``: the
trees, what they were learned from with its hash, and the figures on folds of patients. With ``--json`` it only prints
the figures.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ecg_core.models.ventricular_training import gather, held_out, measure, train_ventricular
from ecg_core.settings import load_settings


def main() -> None:
    """Train and write, or measure only."""
    base = Path(load_settings().physionet_base)
    if "--json" in sys.argv[1:]:
        windows = gather(base)
        found = measure(base, windows, held_out(windows))
    else:
        found = train_ventricular(base)["figures"]
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
