"""The same recordings under another Python: the same peaks and classes, and probabilities within 1e-4.

``OTHER_PYTHON`` names an interpreter of another minor version into which the lock was installed, as by
``make setup PYTHON=python3.13`` in a second checkout.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ecg_core.settings import PROJECT_DIR

OTHER = os.environ.get("OTHER_PYTHON", "")
READ = """
import json, sys
from pathlib import Path
from ecg_core.datasets.synth import synthesise
from ecg_core.formats import read_recording
from ecg_core.models import SHIPPED, load_model, load_version
from ecg_core.pipeline.score import read_beats
from ecg_core.settings import load_settings

models, base = load_settings().models_dir, Path(sys.argv[1])
beats, resting = load_model(SHIPPED["beats"], models), load_version(SHIPPED["resting"], models)
headers = [base / "mitdb/1.0.0/101.hea", base / "ptb-xl/1.0.3/records100/00000/00017_lr.hea"]
recordings = [read_recording(header, b"") for header in headers if header.is_file()]
recordings.append(synthesise(30.0, pvc_per_minute=8.0, seed=5).recording)
told = []
for recording in recordings:
    result = read_beats(recording, beats, others=[resting])[0]
    told.append({
        "r_peaks": result.beats.r_sample.tolist(),
        "classes": result.beats.class_index.tolist(),
        "probabilities": result.beats.probabilities.tolist(),
        "findings": [[finding.kind, finding.urgency] for finding in result.findings],
        "labels": {label.label: [label.probability, label.called] for label in result.labels},
    })
print(json.dumps({"python": sys.version_info[:2], "told": told}))
"""


def _read(python: str, base: str, folder) -> dict:
    done = subprocess.run(
        [python, "-c", READ, base],
        env={**os.environ, "PYTHONPATH": str(PROJECT_DIR), "ECG_HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
@pytest.mark.skipif(not OTHER, reason="no other Python at hand: OTHER_PYTHON names one that has the lock")
def test_another_python_finds_the_same(physionet_base, tmp_path):
    here, there = (_read(python, str(physionet_base), tmp_path) for python in (sys.executable, OTHER))
    assert here["python"] != there["python"], "the same Python twice shows nothing"
    assert len(here["told"]) == len(there["told"]) >= 1
    for one, other in zip(here["told"], there["told"], strict=True):
        for name in ("r_peaks", "classes", "findings"):
            assert one[name] == other[name], name
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], rtol=0, atol=1e-4)
        assert one["labels"].keys() == other["labels"].keys()
        for label, (probability, called) in one["labels"].items():
            assert other["labels"][label] == [pytest.approx(probability, abs=1e-4), called], label
