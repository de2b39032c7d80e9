"""Spikes of a pacemaker: found where they are, and nothing taken for them."""

import os
from pathlib import Path

import numpy as np
import pytest

from ecg_core.datasets.synth import synthesise
from ecg_core.formats import read_recording
from ecg_core.recording import Recording
from ecg_core.signal.pacing import find_pacing_spikes

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
CASES = MIRROR.parent / "cases" / "rhythms"


@pytest.mark.parametrize(("name", "count"), [("j3_vpace60_tall", 89), ("v3_aai_250", 69), ("t2_nocapture", 104)])
def test_every_spike_of_the_cases(name: str, count: int):
    if not CASES.is_dir():
        pytest.skip("the case table is not beside the PhysioNet mirror")
    spikes = find_pacing_spikes(read_recording(CASES / f"{name}.hea", pseudonym_key=b""))
    assert spikes is not None
    assert spikes.time_s.size == pytest.approx(count, abs=1)


def test_none_in_real_unpaced_recordings(mitdb: Path):
    for name in ("101", "108", "118", "208", "230"):
        assert find_pacing_spikes(read_recording(mitdb / f"{name}.hea", pseudonym_key=b"")) is None


def test_single_samples_that_jump_are_no_pacemaker():
    recording = synthesise(60.0, seed=3).recording
    signal = recording.signal.copy()
    rng = np.random.default_rng(4)
    signal[rng.integers(0, len(signal), 60)] += 3.0
    assert find_pacing_spikes(Recording("x", signal, 360.0, recording.lead_names, "made")) is None


def test_what_cannot_be_seen_is_not_said():
    slow = synthesise(20.0, sampling_rate_hz=100, seed=3).recording
    assert find_pacing_spikes(slow) is None
    missing = Recording("x", np.full((5000, 1), np.nan, np.float32), 500.0, ("II",), "made")
    assert find_pacing_spikes(missing) is None
