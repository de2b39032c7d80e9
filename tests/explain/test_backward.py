"""Gradients and SHAP values on the ONNX graph are those of TensorFlow and of the shap package."""

import subprocess
import sys

import numpy as np
import pytest

from ecg_core.explain import METHODS, keras_gradients
from ecg_core.explain.gradients import way_back
from ecg_core.explain.methods.shap import by_package, seed_shares
from ecg_core.explain.target import log_odds

KINDS = ("gradients", "maps", "guided")


@pytest.fixture(scope="module")
def towards(abnormal):
    """Forty beats, each towards a class that need not be its own."""
    beats, _ = abnormal
    return beats, np.arange(len(beats)) % 5


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_tensorflow(kind, shipped, towards):
    beats, target = towards
    found = way_back(shipped, kind, beats.waveform, beats.context, target)
    wanted = keras_gradients.traced(shipped, kind)(beats.waveform, beats.context, target)
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.abs(theirs).max() > 0.01
        off = np.abs(ours - theirs).max(axis=1)
        assert (off < 1e-4).mean() >= 0.9
        # Where a unit lies within rounding of its bend, one of both counts it and the other does not.
        assert off.max() < 1e-3 * np.abs(theirs).max()


def test_shap_values_are_those_of_the_package(shipped, towards):
    beats, target = (towards[0].select(slice(0, 40, 4)), towards[1][::4])
    found = METHODS["shap"](shipped, beats, target)
    samples, rhythm = by_package(shipped, beats.waveform, beats.context, target)
    assert found.samples == pytest.approx(samples, abs=1e-5)
    assert found.context == pytest.approx(rhythm, abs=1e-5)


def test_the_logits_shares_sum_to_what_the_log_odds_moved():
    random = np.random.default_rng(1)
    own, others = random.normal(size=(1, 5)).astype(np.float32), random.normal(size=(30, 5)).astype(np.float32)
    others[0] = own
    for target in range(5):
        moved = log_odds(own, 1.5, np.array([target])) - log_odds(others, 1.5, np.full(30, target))
        shares = seed_shares(own[0], others, 1.5, target)
        assert ((own - others) * shares).sum(axis=1) == pytest.approx(moved, abs=1e-6)


def test_scoring_loads_no_tensorflow():
    """In a process of its own: here other tests have loaded it."""
    score = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ecg_core.datasets.synth import synthesise\n"
        "from ecg_core.models import SHIPPED_VERSION, load_model\n"
        "from ecg_core.pipeline.score import score_recording\n"
        "champion = load_model(SHIPPED_VERSION, Path('nowhere'))\n"
        "result = score_recording(synthesise(10.0, pvc_per_minute=12.0).recording, champion)\n"
        "assert set(result.chosen[0].attributions), 'explained'\n"
        "print([name for name in ('tensorflow', 'keras', 'shap') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", score], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
