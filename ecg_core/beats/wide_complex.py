"""Rhythms named by rate and by the width of their complexes, by absolute rules: where no beat is there to compare with.

A class is decided by comparing a beat with others of its recording. Where a ventricular rhythm fills the recording
there are none, and the comparison calls it normal. QRS width and rate need no other beat:

- wide (120 ms and more: AHA/ACCF/HRS 2009), 100/min and more, regular, no P waves: ``wide_complex_tachycardia``;
  ventricular tachycardia until shown otherwise (ACC/AHA/HRS 2017), or supraventricular with bundle branch block;
- wide, 50 to 100/min, regular, no P waves: ``wide_complex_rhythm``; idioventricular, paced, or junctional with block;
- wide, below 50/min: ``wide_escape``, ventricular escape where P waves, if there are any, do not lead to it;
- narrow, 150/min and more, regular, no P waves of its own: ``narrow_tachycardia``, supraventricular.

Runs of fewer than ten beats (six of an escape rhythm) are for the classes of beats to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.recording import FloatArray
from ecg_core.result import WAVE_POINTS

WIDE_MS: Final = 120.0
TACHYCARDIA_BPM: Final = 100.0
ESCAPE_BPM: Final = 50.0
NARROW_TACHYCARDIA_BPM: Final = 150.0
FEWEST_BEATS: Final = 6
SUSTAINED_S: Final = 30.0
_AROUND_BEATS: Final = 5
_FEW_P: Final = 0.3
_REGULAR: Final = 0.1
_FEWEST_FAST: Final = 10
_LONGEST_GAP_S: Final = 3.0

Array = npt.NDArray[np.float64]
Kind = Literal["wide_complex_tachycardia", "wide_complex_rhythm", "wide_escape", "narrow_tachycardia"]
_KINDS: Final[tuple[Kind, ...]] = (
    "wide_complex_tachycardia",
    "wide_complex_rhythm",
    "wide_escape",
    "narrow_tachycardia",
)


@dataclass(frozen=True, slots=True)
class RateAndWidth:
    """A stretch of beats that rate and width give a name.

    Attributes
    ----------
    kind : str
        One of the four of the module's docstring.
    first_beat, last_beat : int
    start_s, end_s : float
        R peaks of these beats.
    rate_bpm, qrs_duration_ms : float
        Medians.
    fills_recording : bool
        More than nine tenths of the beats are in it.
    """

    kind: Kind
    first_beat: int
    last_beat: int
    start_s: float
    end_s: float
    rate_bpm: float
    qrs_duration_ms: float
    fills_recording: bool

    @property
    def sustained(self) -> bool:
        """Whether it lasts 30 s."""
        return self.end_s - self.start_s >= SUSTAINED_S


def name_by_rate_and_width(
    r_time_s: Array, waves_ms: FloatArray, analysable: npt.NDArray[np.bool_]
) -> tuple[RateAndWidth, ...]:
    """Find the stretches that rate and QRS width give a name.

    Parameters
    ----------
    r_time_s : ndarray of float64, shape (n,)
        R peaks, increasing.
    waves_ms : ndarray of float32, shape (n, 8)
        `ecg_core.result.WAVE_POINTS` from the R peak, as `ecg_core.signal.waves.delineate` gives them.
    analysable : ndarray of bool, shape (n,)

    Returns
    -------
    tuple of RateAndWidth
        By start; nothing across a beat that is not analysable or a gap of 3 s.
    """
    n = r_time_s.size
    if n < FEWEST_BEATS:
        return ()
    width_ms = _width_ms(waves_ms)
    width = _running_median(width_ms)
    has_p = np.isfinite(waves_ms[:, WAVE_POINTS.index("p_peak")]).astype(float)
    p_share = ndimage.uniform_filter1d(has_p, 2 * _AROUND_BEATS + 1, mode="nearest")
    rr_s = np.concatenate([[np.diff(r_time_s)[0]], np.diff(r_time_s)])
    # An interval across a gap is none.
    rr_s = np.where(rr_s > _LONGEST_GAP_S, np.nan, rr_s)
    usual_rr_s = _running_median(rr_s)
    rate = 60 / usual_rr_s
    irregular = ndimage.uniform_filter1d(
        np.nan_to_num(np.abs(rr_s / usual_rr_s - 1)), 2 * _AROUND_BEATS + 1, mode="nearest"
    )
    code = _codes(width, rate, p_share, irregular)
    code[~analysable | ~np.isfinite(width)] = -1
    named = [-1 if code[k] < 0 else int(code[k]) for k in range(n)]
    edges = [0, *(k for k in range(1, n) if named[k] != named[k - 1] or np.isnan(rr_s[k])), n]
    found = []
    for first, after in pairwise(edges):
        fewest = FEWEST_BEATS if _KINDS[named[first]] == "wide_escape" else _FEWEST_FAST
        if named[first] < 0 or after - first < fewest:
            continue
        here = slice(first, after)
        found.append(
            RateAndWidth(
                kind=_KINDS[named[first]],
                first_beat=first,
                last_beat=after - 1,
                start_s=float(r_time_s[first]),
                end_s=float(r_time_s[after - 1]),
                rate_bpm=float(60 / np.median(np.diff(r_time_s[here]))),
                qrs_duration_ms=float(np.nanmedian(width_ms[here])),
                fills_recording=after - first > 0.9 * n,
            )
        )
    return tuple(found)


def _codes(width: Array, rate: Array, p_share: Array, irregular: Array) -> npt.NDArray[np.int64]:
    """Index into `_KINDS` for each beat, -1 for none."""
    wide, no_p = width >= WIDE_MS, p_share < _FEW_P
    conditions = [
        wide & no_p & (rate >= TACHYCARDIA_BPM) & (irregular < _REGULAR),
        wide & no_p & (rate >= ESCAPE_BPM) & (rate < TACHYCARDIA_BPM) & (irregular < _REGULAR),
        wide & (rate < ESCAPE_BPM) & no_p,
        ~wide & no_p & (rate >= NARROW_TACHYCARDIA_BPM) & (irregular < _REGULAR),
    ]
    return np.asarray(np.select(conditions, range(len(conditions)), -1), dtype=np.int64)


def _width_ms(waves_ms: FloatArray) -> Array:
    on, off = (waves_ms[:, WAVE_POINTS.index(name)].astype(np.float64) for name in ("qrs_on", "qrs_off"))
    return off - on


def _running_median(values: Array) -> Array:
    """Take the median of the beats around that are known; an odd beat does not end a rhythm."""
    padded = np.pad(values, _AROUND_BEATS // 2, mode="edge")
    rows = np.lib.stride_tricks.sliding_window_view(padded, 2 * (_AROUND_BEATS // 2) + 1)
    known = np.isfinite(rows)
    ordered = np.sort(np.where(known, rows, np.inf), axis=1)
    middle = ordered[np.arange(len(rows)), np.maximum(known.sum(axis=1) - 1, 0) // 2]
    return np.where(known.any(axis=1), middle, np.nan)
