"""Made resting ECGs whose every wave is known, and the real ones where they lie."""

import os
from pathlib import Path

import numpy as np
import pytest

from ecg_core.datasets import ptbxl
from ecg_core.recording import Recording
from ecg_core.resting import read_resting
from ecg_core.resting.leads import LIMB_OF_I_AND_II
from ecg_core.result.resting import STANDARD_LEADS, Subject
from ecg_core.signal import analyse

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
WAVES = {  # mV in INDEPENDENT, middle and width in s
    "p": ((0.08, 0.12, 0.04, 0.05, 0.06, 0.06, 0.06, 0.06), -0.16, 0.022),
    "r": ((0.60, 0.90, 0.15, 0.40, 0.80, 1.20, 1.20, 1.00), 0.0, 0.011),
    "s": ((-0.10, -0.15, -0.90, -1.20, -0.80, -0.40, -0.20, -0.10), 0.03, 0.009),
    "t": ((0.20, 0.30, -0.05, 0.30, 0.40, 0.40, 0.35, 0.30), 0.30, 0.04),
}


def _made(
    st_mv=None, wander_mv=0.0, rate_hz=500.0, seconds=10.0, rr_s=0.8, noise_mv=0.005, scale=None, names=STANDARD_LEADS
):
    """A recording of alike beats; `st_mv` lifts ST in leads, `scale` multiplies waves ("r", …) in leads."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    beats = np.arange(0.6, seconds - 0.3, rr_s)
    columns = []
    for k, lead in enumerate(INDEPENDENT):
        column = np.zeros(t.size)
        for at in beats:
            for wave, (heights, middle, width) in WAVES.items():
                height = heights[k] * (scale or {}).get((wave, lead), 1.0)
                column += height * np.exp(-0.5 * ((t - at - middle) / width) ** 2)
            since = t - at
            lifted = (1 + np.tanh((since - 0.035) / 0.008)) * (1 - np.tanh((since - 0.36) / 0.02)) / 4
            column += (st_mv or {}).get(lead, 0.0) * lifted
        columns.append(column)
    limbs = LIMB_OF_I_AND_II @ np.array(columns[:2])
    signal = np.concatenate([limbs, columns[2:]]).T
    signal = signal + wander_mv * np.sin(2 * np.pi * 0.27 * t)[:, None]
    signal = signal + np.random.default_rng(1).normal(0, noise_mv, signal.shape)
    picked = signal[:, [STANDARD_LEADS.index(name) for name in names]]
    return Recording("0" * 64, picked.astype(np.float32), rate_hz, tuple(names), "made", synthetic=True)


def _read(recording, subject=None, high_pass=None):
    """Analyse and measure, as scoring does."""
    analysis = analyse(recording)
    return read_resting(recording, analysis, analysis.waves_ms(), subject or Subject(60.0, "male"), high_pass)


@pytest.fixture(scope="session")
def ptb_xl() -> Path:
    """The folder of real PTB-XL records."""
    folder = MIRROR / ptbxl.DATABASE / "1.0.3"
    if not folder.is_dir():
        pytest.skip("no PTB-XL here: set ECG_PHYSIONET_BASE to a folder that holds ptb-xl/1.0.3")
    return folder


@pytest.fixture(scope="session")
def made():
    """What makes a recording."""
    return _made


@pytest.fixture(scope="session")
def read():
    """What measures one."""
    return _read
