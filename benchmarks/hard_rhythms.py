"""Recordings of rhythms that kill, drawn at random, and whether they are said with their time and urgency.

Shapes are loops of splines in three dimensions, seen from a few leads; fibrillation is noise through a wandering band.
Nothing that trains makes any of it (`ecg_core.datasets.ventricular_simulation` sums Gaussians and sines), so what
learned there meets strange shapes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt

from ecg_core.models import LoadedModel
from ecg_core.pipeline.score import read_beats
from ecg_core.recording import Recording
from ecg_core.result import Result

Array = npt.NDArray[np.float64]
Wave = Callable[[Array], Array]
"""Seconds from the R peak, shape (n,), to millivolts in three dimensions, shape (n, 3)."""

SAID_BY: Final[dict[str, frozenset[str]]] = {
    "asystole": frozenset({"pause"}),
    "standstill_with_p": frozenset({"pause"}),
    "vf": frozenset({"vf"}),
    "polymorphic_vt": frozenset({"vf", "vt", "v_run", "wide_complex_tachycardia"}),
    "vt_short": frozenset({"vt", "v_run", "wide_complex_tachycardia"}),
    "vt_sustained": frozenset({"vt", "v_run", "wide_complex_tachycardia"}),
    "vt_whole": frozenset({"vt", "v_run", "wide_complex_tachycardia"}),
    "svt": frozenset({"svt"}),
    "escape": frozenset({"escape"}),
}
"""Kinds of recording, and the kinds of episode of which one must be said."""
COVERED: Final = 0.8
"""Share of the stretch that one claim must cover; a quarter of its length, or 2 s, may lie outside."""
BESIDE_S: Final = 3.0
"""Rates are taken over eight intervals, and a pause may follow: what touches the stretch is no false claim."""


@dataclass(frozen=True, slots=True)
class Hard:
    """A made recording, and the stretch of it that must be said."""

    recording: Recording
    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class _Train:
    """Waves of one shape: when, and how tall each is."""

    wave: Wave
    times_s: Array
    heights: Array


def make(kind: str, seed: int) -> Hard:
    """Draw one recording of a key of `SAID_BY`: one to three leads, 40 to 180 s; the same for the same seed."""
    rng = np.random.default_rng([seed, list(SAID_BY).index(kind)])
    rate_hz = float(rng.choice([125, 200, 250, 360, 500]))
    length_s = float(rng.uniform(60, 180))
    start_s, end_s = _place(kind, length_s, rng)
    n = round(length_s * rate_hz)
    time_s = np.arange(n) / rate_hz
    normal, r_s = _Normal.draw(rng), _sinus_times(length_s, rng)
    before, after = r_s[r_s < start_s], r_s[r_s > end_s]
    trains = [*normal.beats(np.concatenate([before, after]), rng), *_inside(kind, start_s, end_s, normal, rng)]
    loop = sum((_draw(time_s, train) for train in trains), np.zeros((n, 3)))
    if kind in ("asystole", "standstill_with_p"):
        start_s = float(before[-1]) if before.size else 0.0
        end_s = float(after[0]) if after.size else length_s
    elif kind != "vf":
        start_s, end_s = float(trains[-1].times_s[0]), float(trains[-1].times_s[-1])
    leads = int(rng.choice([1, 2, 2, 2, 3]))
    signal = float(np.exp(rng.uniform(np.log(0.6), np.log(1.6)))) * loop @ _views(leads, rng)
    if kind == "vf":
        signal += _fibrillation(time_s, start_s, end_s, leads, rng)
    signal += _noise(time_s, rate_hz, leads, rng)
    names = ("II", "V1", "V5")[:leads]
    recording = Recording(f"{kind}-{seed}", signal.astype(np.float32), rate_hz, names, "simulated", synthetic=True)
    return Hard(recording, kind, start_s, end_s)


def said(hard: Hard, result: Result) -> tuple[bool, list[str]]:
    """Whether one urgent claim covers the stretch and little else; and urgent kinds said mostly elsewhere."""
    urgent = {finding.kind for finding in result.findings if finding.urgency == "urgent"}
    right, wrong = False, []
    for episode in result.rhythm.episodes:
        if episode.kind not in urgent:
            continue
        overlap = min(episode.end_s, hard.end_s) - max(episode.start_s, hard.start_s)
        length, true_s = episode.end_s - episode.start_s, hard.end_s - hard.start_s
        covers = overlap >= COVERED * true_s and length - overlap <= max(2.0, 0.25 * true_s)
        right |= episode.kind in SAID_BY[hard.kind] and covers
        beside = episode.end_s < hard.start_s - BESIDE_S or episode.start_s > hard.end_s + BESIDE_S
        if overlap < 0.5 * length and (beside or episode.kind not in ("bradycardia", "tachycardia", "pause")):
            wrong.append(f"{episode.kind} {episode.start_s:.1f} to {episode.end_s:.1f} s")
    return right, wrong


def measure(model: LoadedModel, each: int, say: Callable[[str], None], first_seed: int = 0) -> dict[str, Any]:
    """Score `each` recordings of every kind: ``{kind: {recordings, said, sensitivity, false_urgent}}``."""
    figures: dict[str, Any] = {}
    for kind in SAID_BY:
        told, false = 0, 0
        for seed in range(first_seed, first_seed + each):
            hard = make(kind, seed)
            right, wrong = said(hard, read_beats(hard.recording, model)[0])
            told += right
            false += bool(wrong)
            if not right or wrong:
                what = "" if right else "not said; "
                say(f"{kind} {seed} ({hard.start_s:.1f} to {hard.end_s:.1f} s): {what}{', '.join(wrong)}")
        figures[kind] = {"recordings": each, "said": told, "sensitivity": told / each, "false_urgent": false}
    return figures


def _place(kind: str, length_s: float, rng: np.random.Generator) -> tuple[float, float]:
    """Draw from when to when: the beginning, the end, the middle, or all of it."""
    longest = {"asystole": 30.0, "standstill_with_p": 20.0, "vt_short": 25.0, "polymorphic_vt": 30.0}
    shortest = {"asystole": 4.0, "standstill_with_p": 4.0, "vt_short": 4.0, "polymorphic_vt": 5.0, "vf": 8.0}
    if kind == "vt_whole" or (kind in ("vf", "escape", "svt") and rng.random() < 0.2):
        return 0.0, length_s
    low = shortest.get(kind, 31.0 if kind == "vt_sustained" else 20.0)
    high = min(longest.get(kind, 60.0), length_s - 15)
    stretch = float(np.exp(rng.uniform(np.log(low), np.log(max(high, low + 1)))))
    where = rng.random()
    if where < 0.1:
        return 0.0, stretch
    if where < 0.2:
        return length_s - stretch, length_s
    start_s = float(rng.uniform(6, max(7, length_s - stretch - 6)))
    return start_s, start_s + stretch


def _inside(kind: str, start_s: float, end_s: float, normal: _Normal, rng: np.random.Generator) -> list[_Train]:
    """Give what is in the stretch; its own beats, if it has any, come last."""
    p_waves: list[_Train] = []
    if kind in ("standstill_with_p", "escape") or (kind.startswith("vt") and rng.random() < 0.3):
        times_s = np.arange(start_s + 0.2, end_s - 0.4, 60 / rng.uniform(60, 105))
        p_waves = [_Train(normal.p, times_s, np.ones(times_s.size))]
    if kind in ("asystole", "standstill_with_p", "vf"):
        return p_waves
    rate_bpm = {"svt": (180, 230), "escape": (22, 40), "polymorphic_vt": (180, 260)}.get(kind, (105, 240))
    rr_s = 60 / float(rng.uniform(*rate_bpm))
    jitter = {"svt": 0.004, "polymorphic_vt": 0.07, "escape": 0.02}.get(kind, float(rng.uniform(0.004, 0.025)))
    count = int((end_s - start_s) / rr_s) + 2
    times_s = start_s - 0.25 * rr_s + np.cumsum(rr_s * (1 + jitter * rng.standard_normal(count)))
    times_s = times_s[times_s < end_s - 0.2]
    heights = 1 + 0.03 * rng.standard_normal(times_s.size)
    if kind == "svt":
        return [_Train(normal.t(rr_s), times_s, heights), _Train(normal.qrs, times_s, heights)]
    wide = _wide_beat(rr_s, rng)
    if kind != "polymorphic_vt":
        return [*p_waves, _Train(wide, times_s, heights)]
    angle = 2 * np.pi * times_s / rng.uniform(2.5, 8)
    other = _wide_beat(rr_s, rng)
    return [_Train(other, times_s, heights * np.sin(angle)), _Train(wide, times_s, heights * np.cos(angle))]


@dataclass(frozen=True, slots=True)
class _Normal:
    """One person's conducted beat."""

    p: Wave
    qrs: Wave
    t_direction: Array
    pr_s: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Normal:
        """Draw a narrow QRS of 70 to 105 ms whose main vector points down and left, with its P and T."""
        down = np.array([0.5, 1.0, -0.2]) + 0.25 * rng.standard_normal(3)
        qrs = _loop(rng.uniform(0.07, 0.105), rng.uniform(0.7, 1.4) * down, 0.35, rng)
        p_vector = rng.uniform(0.08, 0.16) * (np.array([0.5, 1.0, 0.1]) + 0.15 * rng.standard_normal(3))
        t_direction = rng.uniform(0.15, 0.4) * (down + 0.3 * rng.standard_normal(3))
        pr_s = float(rng.uniform(0.13, 0.19))
        return cls(_loop(rng.uniform(0.08, 0.11), p_vector, 0.1, rng), qrs, t_direction, pr_s)

    def t(self, rr_s: float) -> Wave:
        """Its T wave: rises slower than it falls, and comes the earlier the shorter the beat."""
        peak_s, rise_s, fall_s = 0.28 * rr_s**0.4, 0.075 * rr_s**0.4, 0.045 * rr_s**0.4
        return lambda at_s: (
            np.exp(-0.5 * ((at_s - peak_s) / np.where(at_s < peak_s, rise_s, fall_s)) ** 2)[:, None] * self.t_direction
        )

    def beats(self, times_s: Array, rng: np.random.Generator) -> list[_Train]:
        """P, QRS and T at each time."""
        heights = 1 + 0.04 * rng.standard_normal(times_s.size)
        rr_s = float(np.median(np.diff(times_s))) if times_s.size > 1 else 0.8
        return [
            _Train(self.p, times_s - self.pr_s, np.ones(times_s.size)),
            _Train(self.qrs, times_s, heights),
            _Train(self.t(rr_s), times_s, heights),
        ]


def _wide_beat(rr_s: float, rng: np.random.Generator) -> Wave:
    """Draw a QRS of 125 to 200 ms in any direction, with a T against it that fills what is left of the beat."""
    direction = rng.standard_normal(3)
    vector = rng.uniform(0.8, 2.0) * direction / np.linalg.norm(direction)
    width_s = min(float(rng.uniform(0.125, 0.2)), 0.6 * rr_s)
    qrs = _loop(width_s, vector, 0.3, rng)
    t_s = min(0.36, rr_s - width_s)
    t_wave = _loop(t_s, -rng.uniform(0.2, 0.5) * vector, 0.1, rng)
    return lambda at_s: qrs(at_s) + t_wave(at_s - 0.5 * (width_s + t_s))


def _loop(width_s: float, vector: Array, strange: float, rng: np.random.Generator) -> Wave:
    """Draw a loop from 0 out to the vector and back, through points beside the straight way."""
    knots = np.array([-0.5, -0.3, -0.12, 0.06, 0.24, 0.5]) * width_s
    size = float(np.linalg.norm(vector))
    points = np.outer([0, 0.05, 0.75, 0.85, 0.1, 0], vector)
    points[1:-1] += strange * size * rng.standard_normal((4, 3)) * np.array([[0.6], [0.4], [0.4], [0.6]])
    spline = CubicSpline(knots, points, bc_type="clamped")

    def wave(at_s: Array) -> Array:
        inside = np.abs(at_s) < 0.5 * width_s
        return np.where(inside[:, None], spline(np.clip(at_s, knots[0], knots[-1])), 0.0)

    return wave


def _sinus_times(length_s: float, rng: np.random.Generator) -> Array:
    rr_s = 60 / float(rng.uniform(55, 100))
    count = int(length_s / rr_s * 1.3) + 4
    breath = 0.03 * np.sin(2 * np.pi * 0.25 * rr_s * np.arange(count))
    times_s = rng.uniform(0.2, rr_s) + np.cumsum(rr_s * (1 + breath + 0.02 * rng.standard_normal(count)))
    return np.asarray(times_s[times_s < length_s - 0.3])


def _draw(time_s: Array, train: _Train) -> Array:
    total = np.zeros((time_s.size, 3))
    for place_s, height in zip(train.times_s, train.heights, strict=True):
        low, high = np.searchsorted(time_s, [place_s - 0.3, place_s + 0.7])
        total[low:high] += height * train.wave(time_s[low:high] - place_s)
    return total


def _views(leads: int, rng: np.random.Generator) -> Array:
    """Directions of II, V1 and V5 as a person's, somewhat turned; shape (3, leads)."""
    usual = np.array([[0.4, 0.9, 0.0], [-0.5, -0.1, -0.8], [0.9, 0.3, 0.1]])
    return np.asarray((usual + 0.15 * rng.standard_normal((3, 3)))[:leads].T)


def _fibrillation(time_s: Array, start_s: float, end_s: float, leads: int, rng: np.random.Generator) -> Array:
    """Noise through a band around a frequency of 4 to 7 Hz that wanders, waxing and waning; .2 to 1.2 mV in height."""
    rate_hz = 1 / (time_s[1] - time_s[0])
    centre_hz = float(rng.uniform(4.0, 6.5))
    band = butter(2, [0.8 * centre_hz, 1.25 * centre_hz], "bandpass", fs=rate_hz, output="sos")
    waves = sosfiltfilt(band, rng.standard_normal((time_s.size, 2)), axis=0) @ rng.uniform(0.3, 1.0, (2, leads))
    spread = np.percentile(waves, 97.5, axis=0) - np.percentile(waves, 2.5, axis=0)
    height = float(np.exp(rng.uniform(np.log(0.25), np.log(1.2))))
    inside = np.clip((time_s - start_s) / 0.3, 0, 1) * np.clip((end_s - time_s) / 0.3, 0, 1)
    return np.asarray(inside[:, None] * waves / spread * height)


def _noise(time_s: Array, rate_hz: float, leads: int, rng: np.random.Generator) -> Array:
    """Muscle, wander, and in a third of the recordings mains."""
    muscle = np.exp(rng.uniform(np.log(0.004), np.log(0.04))) * rng.standard_normal((time_s.size, leads))
    slow = butter(2, 0.4, fs=rate_hz, output="sos")
    wander = sosfiltfilt(slow, rng.standard_normal((time_s.size, leads)), axis=0)
    wander *= rng.uniform(0.02, 0.15) / wander.std()
    mains_mv = rng.uniform(0, 0.05) if rng.random() < 1 / 3 else 0.0
    return np.asarray(muscle + wander + mains_mv * np.sin(2 * np.pi * 50 * time_s)[:, None])
