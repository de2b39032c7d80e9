"""Generated ECG with known beats: for machines without data, and for tests that need to know the truth.

The model is McSharry, Clifford, Tarassenko, Smith 2003 (IEEE Trans Biomed Eng 50:289): a tachogram whose spectrum has
a Mayer and a respiratory peak, and P, Q, R, S, T as Gaussians. Deviations from the paper:

- The waves are summed in closed form around each R peak instead of integrating the differential equation: same
  shapes, the R peak is where it is wanted, and a day of signal takes seconds.
- Gaussians stand in time, not in phase; the T wave's distance and width follow the square root of the RR interval
  (Bazett), as in the authors' later work. T is two Gaussians, so that it falls more steeply than it rises.
- Each wave is a vector in space; leads are its projections by Dower's matrix (Dower 1980), so all twelve leads are of
  the same heart.
- Ectopic beats, which the paper leaves out: PVC (wide, early, full compensatory pause, no P, T against the QRS) and
  SVEB (early, another P, sinus rhythm reset). Atrial fibrillation: independent RR intervals, no P, f waves as
  frequency-modulated saw teeth (Stridh and Sörnmo 2001).
- Noise on top: white, baseline wander and mains hum.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.datasets.synth_rhythm import Rhythm, make_rhythm
from ecg_core.errors import SettingsError
from ecg_core.formats import SYNTHETIC_COMMENT
from ecg_core.recording import Recording

FloatArray = npt.NDArray[np.float64]

_STEPS_PER_MV: Final = 1000
"""The signal is rounded to what a 16-bit file holds, so that writing and reading it changes nothing."""
_MAINS_HZ: Final = 50.0

_DOWER: Final = {
    "I": (0.632, -0.235, 0.059),
    "II": (0.235, 1.066, -0.132),
    "V1": (-0.515, 0.157, -0.917),
    "V2": (0.044, 0.164, -1.387),
    "V3": (0.882, 0.098, -1.277),
    "V4": (1.213, 0.127, -0.601),
    "V5": (1.125, 0.127, -0.086),
    "V6": (0.831, 0.076, 0.230),
}
_TWELVE: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_FEWER: Final = ("II", "V1", "V5", "I", "III", "aVR", "aVL", "aVF", "V2", "V3", "V4")


@dataclass(frozen=True, slots=True)
class _Wave:
    """A Gaussian: distance from R and width in seconds (with RR = 1 s), peak vector in mV (left, down, back)."""

    at_s: float
    width_s: float
    vector_mv: tuple[float, float, float]
    follows_rr: bool = False


_QRS: Final = (
    _Wave(-0.026, 0.009, (-0.12, -0.08, -0.14)),
    _Wave(0.0, 0.0115, (1.05, 0.72, 0.50)),
    _Wave(0.027, 0.010, (-0.20, -0.18, 0.30)),
)
_T: Final = (
    _Wave(0.255, 0.055, (0.15, 0.10, -0.06), follows_rr=True),
    _Wave(0.310, 0.036, (0.24, 0.15, -0.09), follows_rr=True),
)
_P: Final = _Wave(-0.165, 0.023, (0.12, 0.11, -0.05))
_WAVES: Final[dict[str, tuple[_Wave, ...]]] = {
    "N": (_P, *_QRS, *_T),
    "A": (_Wave(-0.130, 0.019, (0.03, -0.08, 0.05)), *_QRS, *_T),
    "V": (
        _Wave(-0.035, 0.024, (0.25, 0.45, 0.10)),
        _Wave(0.0, 0.030, (0.55, 1.05, 0.55)),
        _Wave(0.080, 0.034, (-0.30, -0.15, 0.40)),
        _Wave(0.275, 0.070, (-0.35, -0.45, -0.30), follows_rr=True),
    ),
    "fibrillating": (*_QRS, *_T),
}


KINDS: Final = ("normal", "mi", "sttc", "cd", "hyp")
"""What the heart may be like: the superclasses of a resting ECG."""
_UNLIKE: Final[dict[str, tuple[_Wave, ...]]] = {
    # An old infarction of the inferior wall: what is lost there points away from it at first, and T turns round.
    "mi": (
        _P,
        _Wave(-0.030, 0.014, (0.02, -0.55, -0.10)),
        _Wave(0.004, 0.0125, (0.95, -0.02, 0.40)),
        _Wave(0.030, 0.010, (-0.15, 0.12, 0.30)),
        _Wave(0.110, 0.035, (-0.02, 0.09, 0.0), follows_rr=True),
        _Wave(0.290, 0.045, (0.22, -0.30, -0.05), follows_rr=True),
    ),
    # Ischaemia: the ST segment and T point away from the left ventricle.
    "sttc": (
        _P,
        *_QRS,
        _Wave(0.115, 0.045, (-0.14, -0.12, 0.10), follows_rr=True),
        _Wave(0.270, 0.045, (-0.24, -0.16, 0.14), follows_rr=True),
    ),
    # Right bundle branch block: the right ventricle comes late, to the right and forwards.
    "cd": (
        _P,
        *_QRS[:2],
        _Wave(0.030, 0.012, (-0.15, -0.12, 0.25)),
        _Wave(0.068, 0.018, (-0.42, -0.06, -0.62)),
        _Wave(0.290, 0.045, (0.30, 0.16, 0.12), follows_rr=True),
    ),
    # Left ventricular hypertrophy with strain.
    "hyp": (
        _P,
        _Wave(-0.030, 0.010, (-0.15, -0.08, -0.22)),
        _Wave(0.0, 0.0145, (2.15, 0.75, 1.45)),
        _Wave(0.034, 0.011, (-0.15, -0.15, 0.60)),
        _Wave(0.130, 0.050, (-0.16, -0.06, -0.08), follows_rr=True),
        _Wave(0.280, 0.045, (-0.30, -0.10, -0.16), follows_rr=True),
    ),
}
"""Sinus beats of each kind but the normal one."""
RESTING_S: Final = (5.0, 60.0)


@dataclass(frozen=True, slots=True, eq=False)
class Synthetic:
    """A generated recording and its truth.

    Attributes
    ----------
    recording : Recording
        With `synthetic` set.
    r_sample : ndarray of int64, shape (n_beats,)
        Extremum of the QRS in lead II without noise.
    symbols : tuple of str
        ``"N"``, ``"V"`` or ``"A"`` for each beat.
    rhythm_notes : tuple of (int, str)
        Sample and MIT-BIH rhythm string, ``"(N"`` or ``"(AFIB"``.
    """

    recording: Recording
    r_sample: npt.NDArray[np.int64]
    symbols: tuple[str, ...]
    rhythm_notes: tuple[tuple[int, str], ...]


def synthesise(
    duration_s: float,
    sampling_rate_hz: int = 360,
    n_leads: int = 2,
    pvc_per_minute: float = 3.0,
    sveb_per_minute: float = 2.0,
    af: bool = False,
    noise_mv: float = 0.02,
    heart_rate_bpm: float = 70.0,
    seed: int = 0,
    kind: str = "normal",
) -> Synthetic:
    """Generate a recording.

    Parameters
    ----------
    duration_s : float
        At least 5 s.
    sampling_rate_hz : int
        100 to 2000.
    n_leads : int
        1 to 12; twelve are the standard ones in their usual order, fewer begin with II, V1, V5.
    pvc_per_minute, sveb_per_minute : float
        On average; no SVEB in atrial fibrillation.
    af : bool
        Atrial fibrillation from beginning to end.
    noise_mv : float
        Standard deviation of the white noise; wander and mains hum are in proportion to it.
    heart_rate_bpm : float
        Mean rate without ectopic beats, 25 to 220.
    seed : int
        The same arguments and seed give the same bytes.
    kind : str
        One of `KINDS`; all but ``normal`` with twelve leads and 5 to 60 s alone.

    Raises
    ------
    SettingsError
        An argument is out of its range.
    """
    _check("duration_s", duration_s, 5, 14 * 86_400)
    _check("sampling_rate_hz", sampling_rate_hz, 100, 2000)
    _check("n_leads", n_leads, 1, 12)
    _check("heart_rate_bpm", heart_rate_bpm, 25, 220)
    _check("noise_mv", noise_mv, 0, 5)
    _check("pvc_per_minute", pvc_per_minute, 0, heart_rate_bpm / 2)
    _check("sveb_per_minute", sveb_per_minute, 0, heart_rate_bpm / 2)
    _check_kind(kind, n_leads, duration_s)
    rng = np.random.default_rng(seed)
    rhythm = make_rhythm(duration_s, heart_rate_bpm, pvc_per_minute, 0.0 if af else sveb_per_minute, af, rng)
    n_samples = round(duration_s * sampling_rate_hz)
    names = _TWELVE if n_leads == len(_TWELVE) else _FEWER[:n_leads]
    leads = np.array([_lead_vector(name) for name in names])
    r_sample = np.round(rhythm.r_time_s * sampling_rate_hz).astype(np.int64)
    signal, lead_two = _sum_of_waves(rhythm, r_sample, n_samples, sampling_rate_hz, leads, rng, kind)
    r_sample = _at_extremum(lead_two, r_sample, round(0.04 * sampling_rate_hz))
    if af:
        signal += _fibrillatory_waves(n_samples, sampling_rate_hz, rng)[:, None] * (leads @ (0.3, 0.5, -0.6))
    _add_noise(signal, sampling_rate_hz, noise_mv, rng)
    steps = np.clip(np.round(signal * _STEPS_PER_MV), -32_767, 32_767).astype("<i2")
    recording = Recording(
        recording_id=hashlib.sha256(f"{sampling_rate_hz} {names}".encode() + steps.tobytes()).hexdigest(),
        signal=(steps / np.float32(_STEPS_PER_MV)).astype(np.float32),
        sampling_rate_hz=float(sampling_rate_hz),
        lead_names=names,
        source_format="synthetic",
        synthetic=True,
    )
    return Synthetic(recording, r_sample, rhythm.symbols, ((0, "(AFIB" if af else "(N"),))


def write_wfdb(synthetic: Synthetic, folder: Path, name: str) -> Path:
    """Write a generated recording as WFDB: 16-bit ``.dat``, ``.atr`` with beats and rhythm, and ``.hea``.

    Parameters
    ----------
    synthetic : Synthetic
    folder : Path
        Made where it does not exist.
    name : str
        Letters, digits, ``-`` and ``_``.

    Returns
    -------
    Path
        The header. It comes last, so that whoever sees it finds the other files.
    """
    import wfdb

    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) is None:
        raise SettingsError(f"{name!r} is no WFDB record name.", "Use letters, digits, - and _.")
    recording = synthetic.recording
    n_leads = len(recording.lead_names)
    notes = synthetic.rhythm_notes
    samples = np.concatenate([np.array([at for at, _ in notes], dtype=np.int64), synthetic.r_sample])
    order = np.argsort(samples, kind="stable")
    symbols = np.array(["+"] * len(notes) + list(synthetic.symbols))[order]
    texts = np.array([text + "\0" for _, text in notes] + [""] * len(synthetic.symbols), dtype=object)[order]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".synth-", dir=folder) as draft:
        wfdb.wrsamp(
            name,
            fs=recording.sampling_rate_hz,
            units=["mV"] * n_leads,
            sig_name=list(recording.lead_names),
            d_signal=np.round(recording.signal * _STEPS_PER_MV).astype(np.int16),
            fmt=["16"] * n_leads,
            adc_gain=[float(_STEPS_PER_MV)] * n_leads,
            baseline=[0] * n_leads,
            comments=[SYNTHETIC_COMMENT],
            write_dir=draft,
        )
        wfdb.wrann(name, "atr", samples[order], symbol=list(symbols), aux_note=list(texts), write_dir=draft)
        for suffix in (".dat", ".atr", ".hea"):
            (Path(draft) / (name + suffix)).replace(folder / (name + suffix))
    return folder / f"{name}.hea"


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value:g}.", f"Choose {low:g} to {high:g}.")


def _check_kind(kind: str, n_leads: int, duration_s: float) -> None:
    if kind not in KINDS:
        raise SettingsError(f"The kind {kind!r} is not known.", f"Choose one of these: {', '.join(KINDS)}.")
    if kind != "normal" and n_leads != len(_TWELVE):
        raise SettingsError(f"The kind {kind} shows in twelve leads alone, not in {n_leads}.", "Add --leads 12.")
    if kind != "normal":
        _check("duration_s", duration_s, *RESTING_S)


def _lead_vector(name: str) -> FloatArray:
    """Direction that a lead looks from: Dower's matrix, the limb leads by Einthoven and Goldberger."""
    one, two = np.array(_DOWER["I"]), np.array(_DOWER["II"])
    limbs = {"III": two - one, "aVR": -(one + two) / 2, "aVL": one - two / 2, "aVF": two - one / 2}
    return limbs[name] if name in limbs else np.array(_DOWER[name])


def _sum_of_waves(
    rhythm: Rhythm,
    r_sample: npt.NDArray[np.int64],
    n_samples: int,
    rate: float,
    leads: FloatArray,
    rng: np.random.Generator,
    heart: str,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the signal (n_samples, n_leads), and lead II alone, both without noise."""
    signal = np.zeros((n_samples, len(leads)), dtype=np.float32)
    lead_two = np.zeros(n_samples, dtype=np.float32)
    two = _lead_vector("II")
    kinds = np.array(rhythm.symbols, dtype=object)
    if rhythm.fibrillating:
        kinds[kinds == "N"] = "fibrillating"
    # No two beats are quite alike; breathing moves the heart and so its size in the leads.
    size = 1 + 0.02 * rng.standard_normal(kinds.size) + 0.04 * np.sin(2 * np.pi * 0.25 * rhythm.r_time_s)
    stretch = np.sqrt(np.clip(rhythm.rr_s, 0.35, 1.6))
    sinus = {"N": _UNLIKE[heart]} if heart in _UNLIKE else {}
    for kind, waves in (_WAVES | sinus).items():
        of_kind = np.flatnonzero(kinds == kind)
        for wave in waves if of_kind.size else ():
            scale = stretch[of_kind] if wave.follows_rr else np.ones(of_kind.size)
            train = _gaussians(
                r_sample[of_kind] + wave.at_s * scale * rate, wave.width_s * scale * rate, size[of_kind], n_samples
            )
            for column, lead in enumerate(leads):
                signal[:, column] += train * np.float32(lead @ wave.vector_mv)
            lead_two += train * np.float32(two @ wave.vector_mv)
    return signal, lead_two


def _gaussians(centre: FloatArray, width: FloatArray, height: FloatArray, n_samples: int) -> npt.NDArray[np.float32]:
    """Sum of Gaussians, centre and width in samples, each cut off at four widths."""
    total = np.zeros(n_samples, dtype=np.float32)
    reach = int(np.ceil(4 * width.max()))
    around = np.arange(-reach, reach + 1)
    # Some thousand beats at a time: a day of them at once would need gigabytes.
    for part in range(0, centre.size, 4096):
        c, w, h = (array[part : part + 4096, None] for array in (centre, width, height))
        index = np.floor(c).astype(np.int64) + around
        value = h * np.exp(-0.5 * ((index - c) / w) ** 2)
        inside = (index >= 0) & (index < n_samples)
        first = max(0, int(index.min()))
        added = np.bincount(index[inside] - first, weights=value[inside])
        total[first : first + added.size] += added.astype(np.float32)
    return total


def _at_extremum(
    lead_mv: npt.NDArray[np.float32], r_sample: npt.NDArray[np.int64], reach: int
) -> npt.NDArray[np.int64]:
    """Move each R peak to the largest value within `reach` samples: the neighbouring waves shift it a little."""
    index = np.clip(r_sample[:, None] + np.arange(-reach, reach + 1), 0, lead_mv.size - 1)
    best = lead_mv[index].argmax(axis=1)
    return np.take_along_axis(index, best[:, None], axis=1)[:, 0].astype(np.int64)


def _fibrillatory_waves(n_samples: int, rate: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Make f waves of about 0.1 mV: saw teeth of three harmonics, 6 Hz give or take, waxing and waning."""
    time_s = np.arange(n_samples) / rate
    f0, swing, slow = rng.uniform(5.2, 7.0), rng.uniform(0.1, 0.3), rng.uniform(0.08, 0.2)
    phase = 2 * np.pi * f0 * time_s + swing / slow * np.sin(2 * np.pi * slow * time_s)
    height = 0.08 * (1 + 0.35 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * time_s + rng.uniform(0, 6)))
    saw = sum(np.sin(k * phase) / k for k in range(1, 4))
    return np.asarray(height * saw, dtype=np.float32)


def _add_noise(signal: npt.NDArray[np.float32], rate: float, noise_mv: float, rng: np.random.Generator) -> None:
    """Add white noise, wander (breathing and slower) and mains hum, each lead its own."""
    time_s = np.arange(signal.shape[0]) / rate
    for column in range(signal.shape[1]):
        lead = noise_mv * rng.standard_normal(time_s.size, dtype=np.float32)
        for frequency, height in ((0.25, 2.0), (rng.uniform(0.03, 0.09), 3.0), (rng.uniform(0.1, 0.2), 1.5)):
            lead += (height * noise_mv * np.sin(2 * np.pi * frequency * time_s + rng.uniform(0, 6))).astype(np.float32)
        lead += (0.5 * noise_mv * np.sin(2 * np.pi * _MAINS_HZ * time_s + rng.uniform(0, 6))).astype(np.float32)
        signal[:, column] += lead
