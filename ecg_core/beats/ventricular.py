"""Ventricular fibrillation, flutter and tachycardia by stretches of seconds, without any beat being found.

Each lead is cut into windows of 4 s, one a second (`ecg_core.beats.ventricular_features`); boosted trees say of each
how probable VF or flutter, VT and everything else are. The windows over a second are averaged, the leads are fused (one
that clearly shows something else denies it: an artefact is in one lead, fibrillation in all), and the most probable
sequence of states (Viterbi) joins seconds to stretches. Nothing is measured against the recording's own other rhythm,
so it is found where it fills the recording too.

What is slow (below `SLOW_BPM`), comes again and again, and is only moderately like VT is told as a wide-complex
rhythm: VT or bundle branch block, one lead and a few seconds do not say which.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from ecg_core.beats.fibrillation import Trees
from ecg_core.beats.ventricular_features import FEATURE_NAMES, HOP_S, WINDOW_S, window_features
from ecg_core.recording import FloatArray
from ecg_core.result import ANALYSIS_RATE_HZ
from ecg_core.signal.fourier import lead_batches
from ecg_core.signal.threads import side_by_side

STATES: Final = ("other", "vt", "vf")
"""The columns of what the trees say. Flutter and polymorphic tachycardia count with fibrillation."""
SLOW_BPM: Final = 150.0
_SLOW_HZ: Final = 2.4
SHORTEST_S: Final = 3
LIKELY_FROM: Final = {"vf": 0.6, "vt": 0.5, "wide_complex": 0.5}
"""Below this mean probability a stretch is possible, and may well be an artefact: tremor looks like fibrillation."""

_BIAS: Final = -0.2
"""Log odds that VT or VF must have before they are preferred; chosen on folds of patients, as all here."""
_SWITCH: Final = 2.0
_NAME_S: Final = 5
_REACH_S: Final = 1
_EDGE: Final = -2.5
_RATHER_VF: Final = 1.5
"""Log odds by which VF is preferred to VT: of two names for one alarm the graver."""
_DENIES: Final = -4.0
_LOWEST: Final = 1e-4
_MODERATE: Final = 3.7
_COMES_AGAIN: Final = 0.6
_AT_ONCE: Final = 600
_READABLE: Final = 0.9

Array = npt.NDArray[np.float64]
Kind = Literal["vf", "vt", "wide_complex"]


@dataclass(frozen=True, slots=True)
class VentricularStretch:
    """A stretch of a ventricular, or probably ventricular, rhythm.

    Attributes
    ----------
    start_s, end_s : float
    kind : {"vf", "vt", "wide_complex"}
        VF or flutter; VT; a wide-complex tachycardia of which no more can be said.
    probability : float
        Mean over its seconds (not those that only its edges reach), of VF and VT together.
    rate_bpm : float or None
        By autocorrelation; None where nothing comes again.
    fills_recording : bool
        There is nothing else in the recording to compare it with.
    """

    start_s: float
    end_s: float
    kind: Kind
    probability: float
    rate_bpm: float | None
    fills_recording: bool

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    @property
    def likely(self) -> bool:
        """Whether it may be told without doubt in its sentence."""
        return self.probability >= LIKELY_FROM[self.kind]


@dataclass(frozen=True, slots=True, eq=False)
class Seconds:
    """What is said second by second.

    Attributes
    ----------
    log_probability : ndarray of float64, shape (n, 3)
        Means over the windows that cover the second; NaN where none can be read.
    dominant_hz, interval_s, correlation : ndarray of float64, shape (n,)
        Dominant frequency, the interval at which the signal comes again, and its autocorrelation there.
    """

    log_probability: Array
    dominant_hz: Array
    interval_s: Array
    correlation: Array

    def __len__(self) -> int:
        return len(self.interval_s)


def find_ventricular(
    signal_mv: FloatArray, trees: Trees, readable: npt.NDArray[np.bool_] | None = None
) -> tuple[VentricularStretch, ...]:
    """Find the stretches of ventricular fibrillation, flutter and tachycardia.

    Parameters
    ----------
    signal_mv : ndarray of float32, shape (n, n_leads)
        Cleaned, at `ANALYSIS_RATE_HZ`. Two or three leads of different direction are enough.
    trees : Trees
        Of a version of the task ``ventricular``; others, to judge on patients that they have not seen.
    readable : ndarray of bool, shape (n, n_leads), optional
        Where a lead is not, it has no say.

    Returns
    -------
    tuple of VentricularStretch
        By start; empty for less than `WINDOW_S`.
    """
    if signal_mv.shape[0] < round(WINDOW_S * ANALYSIS_RATE_HZ):
        return ()
    n, n_leads = signal_mv.shape

    def ask(leads: slice) -> list[Seconds]:
        return _seconds(signal_mv[:, leads], None if readable is None else readable[:, leads], trees)

    said = side_by_side(ask, lead_batches(n_leads, n, ANALYSIS_RATE_HZ), n)
    return stretches_of(fuse([lead for batch in said for lead in batch]), n / ANALYSIS_RATE_HZ)


def windows_of(signal_mv: FloatArray, hop_s: float = HOP_S) -> tuple[FloatArray, Array]:
    """Describe the windows of leads: features (n_leads, n, len(FEATURE_NAMES)); where each begins, in seconds."""
    length = round(WINDOW_S * ANALYSIS_RATE_HZ)
    leads = np.ascontiguousarray(signal_mv.T)
    rows = sliding_window_view(leads, length, axis=1)
    starts = np.arange(0, leads.shape[1] - length + 1, round(hop_s * ANALYSIS_RATE_HZ))
    parts = [
        window_features(rows[:, starts[k : k + _AT_ONCE]].reshape(-1, length)) for k in range(0, starts.size, _AT_ONCE)
    ]
    by_lead = [part.reshape(len(leads), -1, len(FEATURE_NAMES)) for part in parts]
    return np.concatenate(by_lead, axis=1), starts / ANALYSIS_RATE_HZ


def readable_windows(readable: npt.NDArray[np.bool_], starts_s: Array) -> npt.NDArray[np.bool_]:
    """Tell which windows can be read for nine tenths: the filter smears a lost contact over what is beside it."""
    if readable.all():
        return np.ones(starts_s.shape, dtype=bool)
    length = round(WINDOW_S * ANALYSIS_RATE_HZ)
    rows = sliding_window_view(np.ascontiguousarray(readable), length)
    first = np.round(starts_s * ANALYSIS_RATE_HZ).astype(np.int64)
    parts = [rows[first[k : k + _AT_ONCE]].sum(axis=1) for k in range(0, first.size, _AT_ONCE)]
    return np.asarray(np.concatenate(parts) >= _READABLE * length, dtype=bool)


def _seconds(signal_mv: FloatArray, readable: npt.NDArray[np.bool_] | None, trees: Trees) -> list[Seconds]:
    features, starts_s = windows_of(signal_mv)
    n = -(-signal_mv.shape[0] // round(ANALYSIS_RATE_HZ))
    probabilities = np.full((*features.shape[:2], len(STATES)), np.nan)
    told = np.isfinite(features[..., 0])
    if readable is not None:
        told &= np.stack([readable_windows(lead, starts_s) for lead in readable.T])
    if told.any():
        probabilities[told] = trees.probabilities(features[told])
    return [seconds_of(*of_lead, starts_s, n) for of_lead in zip(features, probabilities, strict=True)]


def seconds_of(features: FloatArray, probabilities: Array, starts_s: Array, n: int) -> Seconds:
    """Average the windows that cover each second.

    Parameters
    ----------
    features : ndarray of float32, shape (n_windows, len(FEATURE_NAMES))
    probabilities : ndarray, shape (n_windows, 3)
        NaN where the window cannot be read.
    starts_s : ndarray of float64, shape (n_windows,)
        Whole seconds.
    n : int
        Seconds of the recording, the last one begun.
    """
    told = np.isfinite(probabilities[:, 0])
    logs = np.log(np.clip(np.where(told[:, None], probabilities, 1.0), _LOWEST, 1.0))
    sums, count = np.zeros((n, len(STATES))), np.zeros(n)
    lag, correlation, dominant = np.zeros(n), np.zeros(n), np.zeros(n)
    columns = [FEATURE_NAMES.index(name) for name in ("correlation_first_lag_s", "correlation_first", "dominant_hz")]
    rhythm = np.nan_to_num(features[:, columns].astype(np.float64))
    first = starts_s.astype(np.int64)
    for second in range(round(WINDOW_S)):
        at = np.minimum(first + second, n - 1)
        np.add.at(sums, at[told], logs[told])
        np.add.at(count, at[told], 1)
        np.add.at(dominant, at[told], rhythm[told, 2])
        # Where several windows tell an interval, that counts which comes again most clearly.
        better = told & (rhythm[:, 1] > correlation[at])
        correlation[at[better]], lag[at[better]] = rhythm[better, 1], rhythm[better, 0]
    mean = sums / np.maximum(count, 1)[:, None]
    mean[count == 0] = np.nan
    return Seconds(mean, dominant / np.maximum(count, 1), lag, correlation)


def fuse(leads: list[Seconds]) -> Seconds:
    """Join what the leads say: the mean, or the one that clearly denies."""
    logs = np.stack([lead.log_probability for lead in leads])
    known = np.isfinite(logs[..., 0])
    logs = np.where(known[..., None], logs, 0.0)
    odds = np.logaddexp(logs[..., 1], logs[..., 2]) - logs[..., 0]
    count = known.sum(axis=0)
    fused = logs.sum(axis=0) / np.maximum(count, 1)[:, None]
    lowest = np.where(known, odds, np.inf).argmin(axis=0)
    rows = np.arange(fused.shape[0])
    denied = (count > 1) & (np.where(known, odds, np.inf).min(axis=0) < _DENIES)
    fused[denied] = logs[lowest, rows][denied]
    fused[count == 0] = np.nan
    correlation = np.stack([lead.correlation for lead in leads])
    clearest = correlation.argmax(axis=0)
    interval, dominant = (np.stack([getattr(lead, name) for lead in leads]) for name in ("interval_s", "dominant_hz"))
    return Seconds(fused, dominant[clearest, rows], interval[clearest, rows], correlation[clearest, rows])


def stretches_of(seconds: Seconds, duration_s: float) -> tuple[VentricularStretch, ...]:
    """Join seconds to stretches and name them."""
    logs = seconds.log_probability
    known = np.isfinite(logs[:, 0])
    ventricular = np.full(len(seconds), np.nan)
    ventricular[known] = np.logaddexp(logs[known, 1], logs[known, 2])
    odds = np.where(known, ventricular - np.where(known, logs[:, 0], 0.0), 0.0)
    path = _most_probable_path(odds - np.where(known, _BIAS, 0.0))
    for first, after in _pieces(path):
        if path[first] and after - first < SHORTEST_S:
            path[first:after] = 0
    core = path > 0
    _reach_out(path, odds)
    fills = bool(known.any() and (path[known] > 0).mean() > 0.9)
    named = _named(path, seconds, odds)
    found = []
    for first, after in _pieces(named):
        if named[first] == 0:
            continue
        inner = ventricular[first:after][core[first:after] & known[first:after]]
        probability = float(np.exp(inner.mean())) if inner.size else 0.0
        kind: Kind = ("vt", "vf", "wide_complex")[int(named[first]) - 1]
        end_s = min(float(after), duration_s)
        rate = _rate(seconds, first, after)
        found.append(VentricularStretch(float(first), end_s, kind, min(probability, 1.0), rate, fills))
    return tuple(found)


def _reach_out(path: npt.NDArray[np.int64], odds: Array) -> None:
    """Move each onset and end outwards, in place, by up to `_REACH_S`: windows across an edge show both rhythms."""
    for first, after in _pieces(path):
        if path[first] == 0:
            continue
        for outwards in (range(first - 1, first - 1 - _REACH_S, -1), range(after, after + _REACH_S)):
            for second in outwards:
                if not 0 <= second < len(path) or odds[second] < _EDGE:
                    break
                path[second] = 1


def _named(path: npt.NDArray[np.int64], seconds: Seconds, odds: Array) -> npt.NDArray[np.int64]:
    """Give each second 0 (other), 1 (VT), 2 (VF or flutter) or 3 (wide complexes); no name for less than `_NAME_S`."""
    logs = np.nan_to_num(seconds.log_probability)
    named = np.zeros(len(path), dtype=np.int64)
    for first, after in _pieces(path):
        if path[first] == 0:
            continue
        here = slice(first, after)
        rather_vf = _smooth(logs[here, 2] - logs[here, 1]) > -_RATHER_VF
        again = _smooth(seconds.correlation[here]) > _COMES_AGAIN
        fast = seconds.interval_s[here] < 60 / SLOW_BPM
        slow = again & (_smooth(seconds.dominant_hz[here]) < _SLOW_HZ) & (_smooth(fast.astype(float)) < 0.5)
        names = np.where(slow & (_smooth(odds[here]) < _MODERATE), 3, np.where(rather_vf, 2, 1))
        named[here] = _without_short(names)
    return named


def _smooth(values: Array) -> Array:
    """Take a running median."""
    return np.asarray(ndimage.median_filter(values, min(_NAME_S, 2 * (len(values) // 2) + 1), mode="nearest"))


def _without_short(names: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give a name that lasts less than `_NAME_S` to the longer neighbour, the shortest first."""
    names = names.copy()
    while len(pieces := _pieces(names)) > 1:
        first, after = min(pieces, key=lambda piece: piece[1] - piece[0])
        if after - first >= _NAME_S:
            break
        place = pieces.index((first, after))
        beside = [pieces[k] for k in (place - 1, place + 1) if 0 <= k < len(pieces)]
        longer = max(beside, key=lambda piece: piece[1] - piece[0])
        names[first:after] = names[longer[0]]
    return names


def _rate(seconds: Seconds, first: int, after: int) -> float | None:
    """Median rate where the autocorrelation tells one."""
    clear = seconds.correlation[first:after] > _COMES_AGAIN
    if clear.mean() < 0.5:
        return None
    return float(60 / np.median(seconds.interval_s[first:after][clear]))


def _most_probable_path(odds: Array) -> npt.NDArray[np.int64]:
    """Viterbi over seconds, 0 or 1; a change costs `_SWITCH`. One that nothing is known of goes with its neighbours."""
    lead = float(odds[0])
    # Whether state 1 is best reached from 1, and state 0 from 0.
    stays = np.ones((len(odds), 2), dtype=bool)
    for second in range(1, len(odds)):
        stays[second] = lead < _SWITCH, lead > -_SWITCH
        lead = min(max(lead, -_SWITCH), _SWITCH) + float(odds[second])
    path = np.zeros(len(odds), dtype=np.int64)
    path[-1] = lead > 0
    for second in range(len(odds) - 1, 0, -1):
        state = path[second]
        path[second - 1] = state if stays[second, state] else 1 - state
    return path


def _pieces(values: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """First index and the one after the last of every run of equal values."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return list(pairwise(edges))
