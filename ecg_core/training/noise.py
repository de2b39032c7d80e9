"""Noise as electrodes and muscles make it, added to a recording in stretches: recorded noise, or noise made like it.

The detector takes some of it for beats, and a model that has never seen such a beat calls it V: it is wide, early and
unlike the others. Of 1,614 false beats that this noise makes of MIT-BIH's training records, a model that learned from
the clean records alone called 422 V.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import Recording

DATABASE: Final = "nstdb"
_MOTION, _MUSCLE = "em", "ma"
"""Its records of electrode motion and muscle noise. Baseline wander (bm) is taken out before beats are sought."""

_GAP_S: Final = 20.0
_STRETCH_S: Final = (1.0, 12.0)
_HEIGHT: Final = (0.05, 0.45)
"""Root mean square at the height of a stretch, as a share of the lead's usual peak-to-peak."""
_MOTION_HZ: Final = (0.7, 15.0)
_MUSCLE_HZ: Final = (15.0, 60.0)
_MUSCLE_SHARE: Final = 0.6
_SHARED, _OWN = 0.6, 0.8
"""Motion moves all leads, and each in its own way; their squares add up to 1."""
_PIECE_S: Final = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class RecordedNoise:
    """Noise that was recorded where the heart does not show (Moody 1984).

    Attributes
    ----------
    motion, muscle : ndarray of float64, shapes (n, channels)
    sampling_rate_hz : float
    sha256 : str
        Of the files.
    """

    motion: npt.NDArray[np.float64]
    muscle: npt.NDArray[np.float64]
    sampling_rate_hz: float
    sha256: str


def read_noise(folder: Path) -> RecordedNoise | None:
    """Read the Noise Stress Test Database's noise; None where the folder does not have it."""
    import wfdb

    files = [folder / f"{name}.{suffix}" for name in (_MOTION, _MUSCLE) for suffix in ("hea", "dat")]
    if not all(path.is_file() for path in files):
        return None
    motion, muscle = (wfdb.rdrecord(str(folder / name)) for name in (_MOTION, _MUSCLE))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return RecordedNoise(motion.p_signal, muscle.p_signal, float(motion.fs), digest)


def with_noise(
    recording: Recording, seed: int, recorded: RecordedNoise | None = None
) -> tuple[Recording, npt.NDArray[np.bool_]]:
    """Add electrode motion and muscle noise in stretches of 1 to 12 s, some 20 s apart.

    Parameters
    ----------
    recording : Recording
    seed : int
    recorded : RecordedNoise, optional
        Pieces of it are added, in the bands of the noise that is made where it is left out.

    Returns
    -------
    noisy : Recording
    in_noise : ndarray of bool, shape (n_samples,)
        Where noise was added.
    """
    random = np.random.default_rng(seed)
    rate, (n, n_leads) = recording.sampling_rate_hz, recording.signal.shape
    envelope = _envelope(n, rate, random)

    def motion_noise() -> npt.NDArray[np.float64]:
        if recorded is None:
            return _coloured(n, rate, _MOTION_HZ, random)
        return _piece(recorded.motion, recorded.sampling_rate_hz, n, rate, _MOTION_HZ, random)

    def muscle_noise() -> npt.NDArray[np.float64]:
        if recorded is None:
            return _coloured(n, rate, _MUSCLE_HZ, random, falls=False)
        return _piece(recorded.muscle, recorded.sampling_rate_hz, n, rate, _MUSCLE_HZ, random)

    motion = motion_noise()
    signal = recording.signal.copy()
    for lead in range(n_leads):
        share = random.random()
        of_lead = _SHARED * motion + _OWN * motion_noise()
        muscle = _MUSCLE_SHARE * muscle_noise()
        noise = envelope * (share * of_lead + (1 - share) * muscle)
        signal[:, lead] += (_usual_height(signal[:, lead], rate) * noise).astype(np.float32)
    return replace(recording, signal=signal), envelope > 0


def _envelope(n: int, rate: float, random: np.random.Generator) -> npt.NDArray[np.float64]:
    envelope = np.zeros(n)
    at = int(random.exponential(_GAP_S) * rate)
    while at < n:
        length = int(random.uniform(*_STRETCH_S) * rate)
        swell = np.sqrt(np.sin(np.pi * (np.arange(length) + 0.5) / length)) * random.uniform(*_HEIGHT)
        envelope[at : at + length] = swell[: n - at]
        at += length + int(random.exponential(_GAP_S) * rate)
    return envelope


def _coloured(
    n: int, rate: float, band_hz: tuple[float, float], random: np.random.Generator, falls: bool = True
) -> npt.NDArray[np.float64]:
    """Noise of unit variance within a band; where it `falls`, its amplitude is that of 1/f."""
    frequency = np.fft.rfftfreq(n, 1 / rate)
    within = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    amplitude = np.where(within, 1 / np.maximum(frequency, band_hz[0]) if falls else 1.0, 0.0)
    noise = np.fft.irfft(amplitude * np.exp(2j * np.pi * random.random(frequency.size)), n)
    return np.asarray(noise / max(float(noise.std()), 1e-12))


def _piece(
    noise: npt.NDArray[np.float64],
    noise_rate: float,
    n: int,
    rate: float,
    band_hz: tuple[float, float],
    random: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Take a piece of a channel from anywhere, over the end to the start again; of unit variance within a band."""
    channel = noise[:, random.integers(noise.shape[1])]
    at = random.integers(channel.size) + np.arange(n) * (noise_rate / rate)
    piece = np.interp(at, np.arange(channel.size), channel, period=channel.size)
    spectrum, frequency = np.fft.rfft(piece), np.fft.rfftfreq(n, 1 / rate)
    spectrum[(frequency < band_hz[0]) | (frequency > band_hz[1])] = 0
    piece = np.fft.irfft(spectrum, n)
    return np.asarray(piece / max(float(piece.std()), 1e-12))


def _usual_height(lead_mv: npt.NDArray[np.float32], rate: float) -> float:
    """Median peak-to-peak of the pieces of 2 s."""
    piece = round(_PIECE_S * rate)
    whole = lead_mv[: lead_mv.size // piece * piece].reshape(-1, piece)
    return float(np.median(np.ptp(whole, axis=1))) if len(whole) else 0.0
