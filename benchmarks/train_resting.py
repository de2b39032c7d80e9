"""Learn the superclasses of resting ECGs: ``python -m benchmarks.train_resting``.

Reads PTB-XL, and the Challenge of 2021 where it is there, from ``ECG_PHYSIONET_BASE``, writes a version of the task
``resting`` into ``ecg_core/models/shipped``, and names it in ``CURRENT``.

With ``--repeated 21799`` nothing is kept: what is there is repeated to so many recordings, as many as PTB-XL has, each
repeat under patients of its own, and time and memory of a retraining are printed. All signals are held beside, as they
are while recordings are read; reading is timed on what is there, and its time multiplied.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecg_core.datasets import ptbxl
from ecg_core.datasets.databases import DATABASES
from ecg_core.models import SHIPPED
from ecg_core.models.version import MANIFEST, SHIPPED_DIR
from ecg_core.settings import load_settings
from ecg_core.training.resting_set import RestingSet, read_resting_set
from ecg_core.training.resting_task import normal_beat, write_version


def main() -> None:
    """Train, write, name it; or measure what a retraining of many takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeated", type=int, metavar="N", help="measure learning from N recordings")
    arguments = parser.parse_args()
    base = Path(load_settings().physionet_base)
    if arguments.repeated:
        sys.stdout.write(json.dumps(measure(base, arguments.repeated), indent=1) + "\n")
        return
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


def measure(base: Path, n: int) -> dict[str, Any]:
    """Learn from what is there, repeated to `n` recordings; seconds by the clock, and the process' peak memory."""
    started = time.perf_counter()
    few = read_resting_set(base)
    read_s = time.perf_counter() - started
    many = repeated(few, n)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        version = write_version(many, normal_beat(many), "repeated", Path(folder))
        size = sum(path.stat().st_size for path in (Path(folder) / version).iterdir())
    learn_s = time.perf_counter() - started
    return {
        "recordings": len(many),
        "learning_s": round(learn_s),
        "reading_s_of_all": round(read_s * n / len(few)),
        "reading_s": round(read_s, 1),
        "read": len(few),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "version_mb": round(size / 1e6, 2),
    }


def repeated(recordings: RestingSet, n: int) -> RestingSet:
    """Repeat recordings to `n`, each repeat under patients of its own."""
    rows = np.arange(n)
    many = recordings.select(rows % len(recordings))
    repeat = (rows // len(recordings)).astype(str)
    return replace(many, patient=np.char.add(np.char.add(many.patient, "#"), repeat))


if __name__ == "__main__":
    main()
