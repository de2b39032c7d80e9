"""Generated rhythms for learning to tell ventricular ones: one lead, a minute each, shapes and rates drawn.

Sums of Gaussians, not the vectors of `ecg_core.datasets.synth`: what is wanted here is that no two patients are alike
in shape, and rhythms that a tachogram does not give. Half of the kinds are what must not be mistaken for ventricular:
narrow tachycardia, flutter of the atria, bundle branch block, bigeminy, pacing, tremor.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ

Array = npt.NDArray[np.float64]

LABEL_OF_KIND: Final = {
    "sinus": "other",
    "block": "other",
    "narrow_tachycardia": "other",
    "atrial_flutter": "other",
    "bigeminy": "other",
    "paced": "other",
    "tremor": "other",
    "standstill": "other",
    "vt": "vt",
    "torsades": "vf",
    "vf": "vf",
}
"""Kinds that can be generated, and what windows of them are learned as."""


def simulate(kind: str, duration_s: float, rng: np.random.Generator) -> FloatArray:
    """Generate one lead of one rhythm from beginning to end.

    Parameters
    ----------
    kind : str
        A key of `LABEL_OF_KIND`.
    duration_s : float
    rng : Generator

    Returns
    -------
    ndarray of float32, shape (round(duration_s * ANALYSIS_RATE_HZ),)
        Millivolts, with noise and wander, not filtered.
    """
    n = round(duration_s * ANALYSIS_RATE_HZ)
    time_s = np.arange(n) / ANALYSIS_RATE_HZ
    if kind == "vf":
        signal = _fibrillation(time_s, rng) * float(np.exp(rng.uniform(np.log(0.15), np.log(1.5))))
    elif kind in ("vt", "torsades"):
        signal = _tachycardia(time_s, rng, turning=kind == "torsades")
    else:
        signal = _beats(kind, time_s, rng)
    return np.asarray(signal + _noise(time_s, rng), dtype=np.float32)


def real_beats_in_a_row(
    beats_mv: FloatArray, duration_s: float, rate_bpm: float, rng: np.random.Generator
) -> FloatArray:
    """Make a tachycardia of real ventricular beats in a row.

    Parameters
    ----------
    beats_mv : ndarray of float32, shape (n_beats, n_columns)
        Around each beat's R peak, which is at the middle column.
    duration_s, rate_bpm : float
    rng : Generator

    Returns
    -------
    ndarray of float32, shape (n,)
        Each beat is tilted so that it ends where the next begins.
    """
    interval = ANALYSIS_RATE_HZ * 60 / rate_bpm
    pieces: list[npt.NDArray[np.floating]] = []
    total, wanted = 0, round(duration_s * ANALYSIS_RATE_HZ)
    while total < wanted:
        length = round(interval * (1 + 0.02 * rng.standard_normal()))
        beat = beats_mv[rng.integers(len(beats_mv))]
        first = beat.size // 2 - round(0.38 * length)
        piece = beat[first : first + length]
        piece = piece - np.linspace(piece[0], piece[-1], piece.size)
        pieces.append(piece)
        total += piece.size
    return np.concatenate(pieces)[:wanted].astype(np.float32)


def _fibrillation(time_s: Array, rng: np.random.Generator) -> Array:
    """Give waves whose frequency wanders between 3 and 8 Hz, waxing and waning; about 1 mV from low to high."""
    total = np.zeros_like(time_s)
    for _ in range(rng.integers(2, 5)):
        wander = _slow(time_s, rng, 0.6) * rng.uniform(0.3, 1.0)
        phase = 2 * np.pi * np.cumsum(rng.uniform(3.2, 7.0) + wander) / ANALYSIS_RATE_HZ
        total += (1 + 0.6 * _slow(time_s, rng, 0.5)) * (np.sin(phase) + rng.uniform(0, 0.3) * np.sin(2 * phase))
    return np.asarray(total / (np.percentile(total, 98) - np.percentile(total, 2)))


def _tachycardia(time_s: Array, rng: np.random.Generator, turning: bool) -> Array:
    """Give wide complexes in a row; with `turning` they wax, wane and change sides, as in torsade de pointes."""
    rate = rng.uniform(170, 280) if turning else rng.uniform(100, 250)
    places = _times(time_s[-1], 60 / rate, 0.08 if turning else rng.uniform(0.005, 0.03), rng)
    cycle = 60 / rate
    wave = [(-0.3 * rng.uniform(0.1, 0.3), rng.uniform(0.018, 0.035), rng.uniform(-0.4, 0.8))]
    wave += [
        (0.0, rng.uniform(0.028, 0.05), 1.0),
        (rng.uniform(0.07, 0.11), rng.uniform(0.025, 0.05), rng.uniform(-0.8, 0.3)),
    ]
    wave += [(cycle * rng.uniform(0.5, 0.62), cycle * rng.uniform(0.09, 0.16), rng.uniform(-0.7, -0.15))]
    height = np.ones(places.size)
    if turning:
        height = np.cos(2 * np.pi * places / rng.uniform(3, 9) + rng.uniform(0, 6)) * (
            1 + 0.2 * rng.standard_normal(places.size)
        )
    signal = _train(time_s, places, wave, height * (1 + 0.03 * rng.standard_normal(places.size)))
    size = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0)))) * float(rng.choice([-1, 1]))
    return np.asarray(signal * size)


def _beats(kind: str, time_s: Array, rng: np.random.Generator) -> Array:
    """Rhythms with P waves or with narrow complexes."""
    rate = {"narrow_tachycardia": rng.uniform(140, 220), "block": rng.uniform(50, 98)}.get(kind, rng.uniform(40, 125))
    if kind == "atrial_flutter":
        rate = rng.uniform(240, 320) / rng.integers(2, 5)
    size = float(np.exp(rng.uniform(np.log(0.25), np.log(2.5))))
    places = _times(time_s[-1], 60 / rate, rng.uniform(0.005, 0.05), rng)
    width = rng.uniform(0.009, 0.016) * (rng.uniform(1.8, 2.6) if kind in ("block", "paced") else 1.0)
    qrs = [
        (-2.2 * width, width, rng.uniform(-0.3, 0.1)),
        (0.0, width, 1.0),
        (2.4 * width, width, rng.uniform(-0.6, 0.1)),
    ]
    stretch = np.sqrt(60 / rate)
    t_wave = [(rng.uniform(0.24, 0.3) * stretch, rng.uniform(0.035, 0.06) * stretch, rng.uniform(-0.3, 0.6))]
    p_wave = [(-rng.uniform(0.12, 0.2), rng.uniform(0.018, 0.026), rng.uniform(0.05, 0.18))]
    with_p = kind not in ("narrow_tachycardia", "atrial_flutter", "paced")
    height = 1 + 0.04 * rng.standard_normal(places.size)
    ectopic = np.zeros(places.size, dtype=bool)
    if kind == "bigeminy":
        ectopic[1 :: int(rng.integers(2, 4))] = True
        places = places - np.where(ectopic, 0.35 * 60 / rate, 0)
    if kind == "standstill":
        places, height, ectopic = places[places < 6], height[places < 6], ectopic[places < 6]
    signal = _train(time_s, places[~ectopic], qrs + t_wave + (p_wave if with_p else []), height[~ectopic])
    if ectopic.any():
        wide = [(0.0, rng.uniform(0.03, 0.045), rng.uniform(0.8, 1.5)), (0.09, 0.035, rng.uniform(-0.6, 0.2))]
        wide += [(0.3, 0.07, rng.uniform(-0.6, -0.2))]
        signal += _train(time_s, places[ectopic], wide, height[ectopic])
    if kind == "paced":
        signal += _train(time_s, places - 0.04, [(0.0, 0.003, rng.uniform(-4, 4))], np.ones(places.size))
    signal *= size * rng.choice([-1, 1])
    if kind == "atrial_flutter":
        phase = 2 * np.pi * time_s * rng.uniform(4.0, 5.3)
        signal += rng.uniform(0.05, 0.2) * sum(np.sin(k * phase) / k for k in range(1, 4))
    if kind == "tremor":
        phase = 2 * np.pi * np.cumsum(rng.uniform(3.5, 7) + 0.3 * _slow(time_s, rng, 0.5)) / ANALYSIS_RATE_HZ
        signal += rng.uniform(0.1, 0.45) * size * (1 + 0.3 * _slow(time_s, rng, 0.5)) * np.sin(phase)
    return np.asarray(signal)


def _times(last_s: float, interval_s: float, jitter: float, rng: np.random.Generator) -> Array:
    count = int(last_s / interval_s) + 2
    places = rng.uniform(0, interval_s) + np.cumsum(interval_s * (1 + jitter * rng.standard_normal(count)))
    return np.asarray(places[places < last_s])


def _train(time_s: Array, places: Array, waves: list[tuple[float, float, float]], height: Array) -> Array:
    """Sum of Gaussians (seconds from the place, width, height) at each place."""
    total = np.zeros_like(time_s)
    for place, size in zip(places, height, strict=True):
        low, high = np.searchsorted(time_s, [place - 0.5, place + 0.9])
        here = time_s[low:high] - place
        for at_s, width_s, tall in waves:
            total[low:high] += size * tall * np.exp(-0.5 * ((here - at_s) / width_s) ** 2)
    return total


def _slow(time_s: Array, rng: np.random.Generator, highest_hz: float) -> Array:
    """Something that changes slowly, of about 1."""
    total = np.zeros_like(time_s)
    for _ in range(4):
        total += np.sin(2 * np.pi * rng.uniform(0.05, highest_hz) * time_s + rng.uniform(0, 6.3))
    return total / 2


def _noise(time_s: Array, rng: np.random.Generator) -> Array:
    white = np.exp(rng.uniform(np.log(0.004), np.log(0.06))) * rng.standard_normal(time_s.size)
    wander = rng.uniform(0.02, 0.3) * _slow(time_s, rng, 0.4)
    return np.asarray(white + wander)
