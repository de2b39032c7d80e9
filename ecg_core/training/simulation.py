"""Rhythms that are rare among few patients, made from their own beats: an overlap-add generator.

MIT-BIH's training patients hold hardly a recording in which most beats are ectopic, no second-degree block and one
patient with atrial fibrillation, so that a model learns the timing of S beats from what those few happened to do. Here
each recording lends its dominant beat, cut into P wave and QRS-T, and the noise that its beats leave over; a rhythm is
drawn, and the parts are added at its times. The result walks through `ecg_core.beats` as a recording does.

The other half are the rhythms in which an early beat is *not* ectopic: strong respiratory sinus arrhythmia, dropped
beats, atrial fibrillation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ecg_core.beats import CONTEXT_NAMES, extract_beats, model_inputs
from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, WINDOW_SAMPLES
from ecg_core.training.beats import TrainingBeats, join_beats

BEATS: Final = (40, 400)
"""Fewest and most beats of a stretch."""
_SHORT_RECORDING: Final = 100
_SHORT_SHARE: Final = 0.25
_FIBRILLATES: Final = 0.3
_VENTRICULAR: Final = 0.5
"""So many stretches with V beats come to one of `RHYTHMS`."""
_GEMINY: Final = 0.4
_COMPENSATES: Final = 0.75
_TURNED_OVER: Final = 0.4
_SHAPES_PER_PATIENT: Final = 40
_N, _V = CLASSES.index("N"), CLASSES.index("V")
_P_FIRST, _P_LAST = R_INDEX - 66, R_INDEX - 16
_QRS_LAST: Final = R_INDEX + 130
_V_WAVE: Final = np.arange(R_INDEX - 45, R_INDEX + 125)
"""A ventricular beat, its T wave included."""
_TAPER: Final = 8
_FADE: Final = 30
_SHORTEST_MS: Final = 290.0
_MARGIN: Final = WINDOW_SAMPLES
_F_WAVES_HZ: Final = (4.0, 9.0)

IntArray = npt.NDArray[np.int64]
Random = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRhythm:
    """When beats fall and what they are.

    Attributes
    ----------
    rr_ms : ndarray of float64, shape (n,)
        Interval before each beat.
    is_ectopic : ndarray of bool, shape (n,)
    ectopic : {"S", "V"}
        What the ectopic beats are.
    has_p : bool
        False in atrial fibrillation: no P wave, but fibrillatory waves.
    """

    rr_ms: npt.NDArray[np.float64]
    is_ectopic: npt.NDArray[np.bool_]
    ectopic: Literal["S", "V"] = "S"
    has_p: bool = True


def sinus(n: int, random: Random, arrhythmia: float | None = None) -> npt.NDArray[np.float64]:
    """Draw sinus intervals: respiration, a slow drift and jitter around a rate of 45 to 120/min, in ms."""
    mean = np.exp(random.uniform(np.log(500), np.log(1300)))
    depth = random.uniform(0, 0.08) if arrhythmia is None else arrhythmia
    beat = np.arange(n)
    breath = np.sin(2 * np.pi * np.cumsum(random.uniform(0.14, 0.4) * random.uniform(0.8, 1.2, n)))
    drift = np.cumsum(random.normal(0, random.uniform(0.002, 0.01), n))
    drift -= np.linspace(drift[0], drift[-1], n) * random.uniform(0.3, 1) if n else 0
    jitter = random.normal(0, random.uniform(0.005, 0.025), n)
    slow = random.uniform(0, 0.04) * np.sin(2 * np.pi * beat / random.uniform(20, 120))
    return np.asarray(mean * np.exp(depth * breath + drift + jitter + slow))


def _with_runs(n: int, random: Random, share: float, longest: int, long_pauses: float = 0.3) -> SimulatedRhythm:
    """Draw runs of 1 to `longest` S beats; between them conducted beats, so that about `share` of all beats are S."""
    base = sinus(n, random, random.uniform(0, 0.05))
    rr, is_s = base.copy(), np.zeros(n, dtype=bool)
    early, spread = random.uniform(0.5, 0.87), random.uniform(0.01, 0.07)
    after = random.uniform(1.3, 2.2) if random.random() < long_pauses else random.uniform(1.0, 1.35)
    i = int(random.integers(4, 12))
    while i < n:
        run = 1 + int(random.integers(0, longest)) if longest > 1 else 1
        run = min(run, n - i)
        is_s[i : i + run] = True
        rr[i : i + run] = base[i : i + run] * np.clip(early + random.normal(0, spread, run), 0.4, 0.92)
        if i + run < n:
            rr[i + run] = base[i + run] * after * np.exp(random.normal(0, 0.05))
        mean_gap = max(1.0, run * (1 - share) / share)
        i += run + 1 + int(random.poisson(mean_gap - 1))
    return SimulatedRhythm(rr, is_s)


def sporadic(n: int, random: Random) -> SimulatedRhythm:
    """S beats one by one, up to one in eight."""
    return _with_runs(n, random, random.uniform(0.02, 0.12), 1)


def runs(n: int, random: Random) -> SimulatedRhythm:
    """Couplets and runs of S beats."""
    return _with_runs(n, random, random.uniform(0.1, 0.4), int(random.integers(2, 30)))


def tachycardia(n: int, random: Random) -> SimulatedRhythm:
    """One or two long runs that begin and end at once."""
    rhythm = SimulatedRhythm(sinus(n, random, random.uniform(0, 0.05)), np.zeros(n, dtype=bool))
    for _ in range(int(random.integers(1, 3))):
        first = int(random.integers(n // 10, n))
        run = slice(first, first + int(random.integers(10, max(11, n // 2))))
        rhythm.is_ectopic[run] = True
    early = random.uniform(0.45, 0.8)
    rate = np.median(rhythm.rr_ms) * early * np.exp(random.normal(0, random.uniform(0.01, 0.05), n))
    return SimulatedRhythm(np.where(rhythm.is_ectopic, rate, rhythm.rr_ms), rhythm.is_ectopic)


def mostly_ectopic(n: int, random: Random) -> SimulatedRhythm:
    """More S beats than others, in runs ended by a pause (sick sinus)."""
    return _with_runs(n, random, random.uniform(0.5, 0.93), int(random.integers(2, 16)), long_pauses=0.7)


def geminy(n: int, random: Random) -> SimulatedRhythm:
    """Every second, third or fourth beat is S, in stretches or throughout."""
    base = sinus(n, random, random.uniform(0, 0.05))
    period = int(random.integers(2, 5))
    is_s = np.arange(n) % period == period - 1
    if random.random() < 0.5:
        is_s &= np.sin(np.arange(n) / random.uniform(8, 25)) > -0.2
    early, after = random.uniform(0.5, 0.87), random.uniform(1.0, 1.5)
    rr = base * np.where(is_s, np.clip(early + random.normal(0, 0.03, n), 0.4, 0.92), 1)
    rr[1:] *= np.where(is_s[:-1] & ~is_s[1:], after, 1)
    return SimulatedRhythm(rr, is_s)


def respiratory(n: int, random: Random) -> SimulatedRhythm:
    """Strong respiratory sinus arrhythmia: nothing is ectopic."""
    rr = sinus(n, random, random.uniform(0.0, 0.25))
    slow = np.cumsum(2 * np.pi / random.uniform(5, 40) * random.uniform(0.7, 1.3, n))
    return SimulatedRhythm(rr * np.exp(random.uniform(0, 0.3) * np.sin(slow)), np.zeros(n, dtype=bool))


def dropped(n: int, random: Random) -> SimulatedRhythm:
    """Sinus rhythm with pauses of about two intervals (block, arrest), now and then or every few beats."""
    rr = sinus(n, random, random.uniform(0, 0.06))
    share = np.exp(random.uniform(np.log(0.02), np.log(0.6)))
    pause = random.random(n) < share
    if random.random() < 0.4:
        pause = np.arange(n) % int(random.integers(2, 6)) == 0
    ratio = random.uniform(1.3, 2.2)
    return SimulatedRhythm(rr * np.where(pause, ratio + random.normal(0, 0.05, n), 1), np.zeros(n, dtype=bool))


def fibrillation(n: int, random: Random) -> SimulatedRhythm:
    """Atrial fibrillation: irregularly irregular, no P waves; nothing counts as S."""
    mean = np.exp(random.uniform(np.log(400), np.log(1000)))
    spread = random.uniform(0.1, 0.3)
    rr = mean * np.exp(spread * np.clip(random.gamma(4, 0.5, n) - 2, -2, 3))
    return SimulatedRhythm(np.maximum(rr, 330), np.zeros(n, dtype=bool), has_p=False)


def ventricular(n: int, random: Random) -> SimulatedRhythm:
    """V beats one by one, every second to fourth, as couplets or in runs; after most of them a compensatory pause."""
    base = sinus(n, random)
    rr, is_v = base.copy(), np.zeros(n, dtype=bool)
    longest = int(random.choice((1, 3, 14), p=(0.65, 0.2, 0.15)))
    geminy = longest == 1 and random.random() < _GEMINY
    period, share = int(random.integers(2, 5)), np.exp(random.uniform(np.log(0.02), np.log(0.3)))
    early, spread, within = random.uniform(0.45, 0.95), random.uniform(0.01, 0.08), random.uniform(0.4, 0.75)
    pauses = random.random() < _COMPENSATES
    i = int(random.integers(3, 10))
    while i < n:
        run = min(int(random.integers(1, longest + 1)), n - i)
        is_v[i : i + run] = True
        ratio = np.clip(within + random.normal(0, 0.04, run), 0.3, 0.95)
        ratio[0] = np.clip(early + random.normal(0, spread), 0.35, 1.05)
        rr[i : i + run] = base[i : i + run] * ratio
        if i + run < n:
            full = 2 - ratio[0] if run == 1 else random.uniform(1, 1.5)
            rr[i + run] = base[i + run] * (full if pauses else random.uniform(0.9, 1.3))
        gap = period - 1 if geminy else max(1, int(random.poisson(run * (1 - share) / share)))
        i += run + gap
    return SimulatedRhythm(rr, is_v, "V")


RHYTHMS: Final[tuple[tuple[Callable[[int, Random], SimulatedRhythm], float], ...]] = (
    (sporadic, 0.14),
    (runs, 0.12),
    (tachycardia, 0.08),
    (mostly_ectopic, 0.22),
    (geminy, 0.12),
    (respiratory, 0.12),
    (dropped, 0.08),
    (fibrillation, 0.16),
)
"""The rhythms of S beats and those that are taken for them, with the share of stretches that each gets."""


def simulate(beats: TrainingBeats, stretches_per_lead: int, seed: int) -> TrainingBeats:
    """Make stretches of simulated rhythms of every recording and lead.

    Parameters
    ----------
    beats : TrainingBeats
        Rows of one recording and lead share their dominant beat.
    stretches_per_lead : int
    seed : int

    Returns
    -------
    TrainingBeats
        Simulated beats alone; the patient is the one whose beats they are made of, so that folds by patient hold.
    """
    random = np.random.default_rng(seed)
    draws, shares = zip(*RHYTHMS, strict=True)
    shapes = ventricular_shapes(beats, random)
    made = [beats.select(np.zeros(len(beats), dtype=bool))]
    for record in beats.records():
        own = beats.select(beats.record == record)
        if own.context[:, CONTEXT_NAMES.index("af_probability")].mean() > _FIBRILLATES:
            continue  # it has no P wave to lend
        for rows in _by_lead(own):
            lead = own.select(rows)
            # The short recordings of the Challenge are many, and all alike: some of them lend one stretch each.
            count = stretches_per_lead if rows.size >= _SHORT_RECORDING else int(random.random() < _SHORT_SHARE)
            drawn = [draws[k] for k in random.choice(len(draws), size=count, p=np.array(shares) / sum(shares))]
            if len(shapes):
                drawn += [ventricular] * int(random.binomial(count, _VENTRICULAR))
            made += [stretch(lead, draw(int(random.integers(*BEATS)), random), random, shapes) for draw in drawn]
    return join_beats(made)


def ventricular_shapes(beats: TrainingBeats, random: Random) -> FloatArray:
    """Choose up to 40 V beats of each patient, each without the slope from its start to its end.

    Returns
    -------
    ndarray of float32, shape (m, 170)
        From 180 ms before R to 500 ms after, in units of the lender's scale.
    """
    rows = [
        random.permutation(np.flatnonzero((beats.patient == patient) & (beats.class_index == _V)))[:_SHAPES_PER_PATIENT]
        for patient in beats.patients()
    ]
    shapes = beats.waveform[np.concatenate(rows)][:, _V_WAVE, 0]
    slopes = np.linspace(shapes[:, :4].mean(axis=1), shapes[:, -4:].mean(axis=1), _V_WAVE.size, axis=1)
    return np.asarray(shapes - slopes, dtype=np.float32)


def _by_lead(own: TrainingBeats) -> list[IntArray]:
    _, lead = np.unique(own.waveform[:, R_INDEX - 20 : R_INDEX + 26, 1], axis=0, return_inverse=True)
    return [np.flatnonzero(lead.ravel() == k) for k in range(int(lead.max(initial=-1)) + 1)]


def stretch(lead: TrainingBeats, rhythm: SimulatedRhythm, random: Random, shapes: FloatArray) -> TrainingBeats:
    """Let a recording's lead beat in a given rhythm, and describe its beats as those of a recording are.

    Parameters
    ----------
    lead : TrainingBeats
        Beats of one recording and lead.
    rhythm : SimulatedRhythm
    random : numpy.random.Generator
    shapes : ndarray of float32, shape (m, 170)
        From `ventricular_shapes`; at least one where the rhythm has V beats.
    """
    at = _MARGIN + np.cumsum(np.rint(np.maximum(rhythm.rr_ms, _SHORTEST_MS) * ANALYSIS_RATE_HZ / 1000)).astype(np.int64)
    signal = np.zeros(int(at[-1]) + 2 * _MARGIN, dtype=np.float32)
    dominant = lead.waveform[0, :, 1]
    p, qrs_t = _parts(dominant)
    complexes = qrs_t[None, :] * np.exp(random.normal(0, 0.04, at.size)).astype(np.float32)[:, None]
    is_v = rhythm.is_ectopic & (rhythm.ectopic == "V")
    complexes[is_v] = _ventricular_complexes(shapes, int(is_v.sum()), random)
    _add(signal, at, complexes)
    if rhythm.has_p:
        _add(signal, at[~is_v], _p_waves(p, rhythm.is_ectopic, random)[~is_v])
    else:
        signal += _f_waves(signal.size, float(np.abs(p).max()), random)
    signal += _noise(lead, signal.size, random)
    cut = extract_beats(signal, at, np.ones(signal.size // 2500 + 1, dtype=bool), 10.0, lead.trees)
    waveform, context = model_inputs(cut)
    record, patient = np.full(at.size, f"sim-{lead.record[0]}"), np.full(at.size, lead.patient[0])
    class_index = np.where(rhythm.is_ectopic, CLASSES.index(rhythm.ectopic), _N).astype(np.int8)
    return TrainingBeats(waveform, context, class_index, record, patient, trees=lead.trees)


def _parts(dominant: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut a beat into P wave and QRS-T, each falling to 0 at its ends, from the level before the QRS."""
    level = np.median(dominant[_P_LAST - 4 : _P_LAST + 2])
    ramp = np.linspace(0, 1, _TAPER)
    p_mask, q_mask = np.zeros(dominant.size), np.zeros(dominant.size)
    p_mask[_P_FIRST:_P_LAST] = 1
    p_mask[_P_FIRST : _P_FIRST + _TAPER], p_mask[_P_LAST - _TAPER : _P_LAST] = ramp, ramp[::-1]
    q_mask[_P_LAST:_QRS_LAST] = 1
    q_mask[_P_LAST - _TAPER : _P_LAST] = ramp
    q_mask[_QRS_LAST - _FADE : _QRS_LAST] = np.linspace(1, 0, _FADE)
    zeroed = dominant - level
    # What is not P wave: the slope from the T wave before, drawn as a line under the P wave.
    line = np.interp(np.arange(dominant.size), [_P_FIRST, _P_LAST], [zeroed[_P_FIRST], zeroed[_P_LAST]])
    return ((zeroed - line) * p_mask).astype(np.float32), (zeroed * q_mask).astype(np.float32)


def _p_waves(p: FloatArray, is_s: npt.NDArray[np.bool_], random: Random) -> FloatArray:
    """P waves: the recording's own for sinus beats; another focus, another time or none at all for S."""
    waves = p[None, :] * np.exp(random.normal(0, 0.12, is_s.size)).astype(np.float32)[:, None]
    kind = random.choice(4, p=[0.4, 0.3, 0.22, 0.08])
    size = float(np.abs(p).max())
    if kind == 0:
        focus = p * np.float32(random.uniform(-1.2, -0.3))
    elif kind == 1:
        focus = np.gradient(p)
        focus = focus * np.float32(random.choice([-1, 1]) * size / (np.abs(focus).max() + 1e-6))
    elif kind == 2:
        focus = p * np.float32(random.uniform(0, 0.4))
    else:
        focus = p * np.float32(random.uniform(0.6, 1.3))
    shift = int(random.integers(-12, 10))
    waves[is_s] = np.roll(focus, shift) * np.exp(random.normal(0, 0.15, int(is_s.sum()))).astype(np.float32)[:, None]
    return waves.astype(np.float32)


def _ventricular_complexes(shapes: FloatArray, n: int, random: Random) -> FloatArray:
    """Draw one to three forms for a stretch, each another patient's, stretched, scaled and at times turned over."""
    grid = np.arange(WINDOW_SAMPLES) - R_INDEX
    forms = np.zeros((int(random.choice((1, 2, 3), p=(0.6, 0.2, 0.2))), WINDOW_SAMPLES))
    for form in forms:
        lent = shapes[random.integers(len(shapes))] if n else np.zeros(_V_WAVE.size)
        form[:] = np.interp(grid / random.uniform(0.8, 1.3), _V_WAVE - R_INDEX, lent, left=0, right=0)
        form *= np.exp(random.normal(0, 0.35)) * (-1 if random.random() < _TURNED_OVER else 1)
    sizes = np.exp(random.normal(0, 0.08, n))[:, None]
    return np.asarray(forms[random.integers(len(forms), size=n)] * sizes, dtype=np.float32)


def _f_waves(n: int, p_size: float, random: Random) -> FloatArray:
    rate = random.uniform(*_F_WAVES_HZ) * np.exp(np.cumsum(random.normal(0, 0.01, n)) * 0.3)
    phase = 2 * np.pi * np.cumsum(rate) / ANALYSIS_RATE_HZ
    swell = 1 + 0.4 * np.sin(2 * np.pi * np.arange(n) / (ANALYSIS_RATE_HZ * random.uniform(1, 4)))
    wave = np.sin(phase) + random.uniform(0, 0.5) * np.sin(2 * phase + random.uniform(0, 6))
    return np.asarray(wave * swell * random.uniform(0, 0.8) * max(p_size, 0.02), dtype=np.float32)


def _noise(lead: TrainingBeats, n: int, random: Random) -> FloatArray:
    """Join what normal beats leave over when the dominant beat is taken from them into one stretch of noise."""
    rows = np.flatnonzero(lead.class_index == _N)
    rows = rows if rows.size else np.arange(len(lead))
    hop = WINDOW_SAMPLES // 2
    drawn = random.choice(rows, size=n // hop + 2)
    left = lead.waveform[drawn, :, 0] - lead.waveform[drawn, :, 1]
    limit = np.percentile(np.abs(left), 99)
    window = np.sin(np.pi * (np.arange(WINDOW_SAMPLES) + 0.5) / WINDOW_SAMPLES)
    noise = np.zeros((drawn.size + 1) * hop, dtype=np.float32)
    _add(noise, np.arange(drawn.size) * hop + R_INDEX, (np.clip(left, -limit, limit) * window).astype(np.float32))
    return noise[hop : hop + n]


def _add(signal: FloatArray, at: IntArray, shapes: FloatArray) -> None:
    """Add one window-long shape at each R peak."""
    columns = at[:, None] - R_INDEX + np.arange(WINDOW_SAMPLES)[None, :]
    np.add.at(signal, columns.ravel(), np.broadcast_to(shapes, columns.shape).ravel())
