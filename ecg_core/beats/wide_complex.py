"""Rhythms named by their rate and by the shape and width of their complexes, by absolute rules.

A class is decided by comparing a beat with others of its recording. Where a ventricular rhythm fills the recording, or
much of it, that comparison calls it normal. The average beat of each family (`ecg_core.beats.families`) is measured
instead, and a row of beats that are none of the conducted family is named:

- wide (120 ms and more: AHA/ACCF/HRS 2009), 100/min and more, regular: ``wide_complex_tachycardia``; ventricular
  tachycardia until shown otherwise (ACC/AHA/HRS 2017), or supraventricular with bundle branch block. Where narrow
  conducted beats are there to compare with and it sets in at once, it is told as ventricular;
- wide, 50 to 100/min, regular: ``wide_complex_rhythm``; idioventricular, paced, or junctional with block;
- wide, below 50/min: ``wide_escape``, ventricular escape;
- conducted beats at 175/min and more, or at 150/min and more without P waves: ``narrow_tachycardia``,
  supraventricular.

P waves that lead to the beats speak against the wide ones, unless these set in at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.beats.families import WIDE_MS, Families
from ecg_core.recording import FloatArray
from ecg_core.result import WAVE_POINTS

TACHYCARDIA_BPM: Final = 100.0
ESCAPE_BPM: Final = 50.0
NARROW_TACHYCARDIA_BPM: Final = 150.0
NEVER_SINUS_BPM: Final = 175.0
URGENT_BPM: Final = 120.0
UNLIKE_CONDUCTED: Final = 0.9
"""How probable beats of a fast row unlike the conducted ones are ventricular: 112 of 118 on DS1 and svdb."""
_FEWEST: Final = {
    "wide_complex_tachycardia": 5,
    "wide_complex_rhythm": 10,
    "wide_escape": 4,
    "narrow_tachycardia": 10,
}
_LIKE_CONDUCTED: Final = 0.9
_REGULAR: Final = 0.12
_NEARLY_REGULAR: Final = 0.25
_FEWEST_OF_MANY_SHAPES: Final = 8
_LONG_ROW: Final = 20
_CONDUCTED_WITHIN: Final = 0.2
_MOSTLY, _NEARLY_ALL = 0.4, 0.8
_WIDER, _WIDE_AGAINST_MS = 1.2, 108.0
_AS_TALL: Final = 0.2
_AT_ONCE: Final = 0.85
_BEFORE: Final = 8
_LONGEST_GAP_S: Final = 3.5

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Kind = Literal["wide_complex_tachycardia", "wide_complex_rhythm", "wide_escape", "narrow_tachycardia"]


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
    unlike_conducted : bool
        Narrow conducted beats are there to compare with, and it set in at once, or no P waves lead to it.
    """

    kind: Kind
    first_beat: int
    last_beat: int
    start_s: float
    end_s: float
    rate_bpm: float
    qrs_duration_ms: float
    fills_recording: bool
    unlike_conducted: bool


def name_by_rate_and_width(
    r_time_s: Array, families: Families, waves_ms: FloatArray, analysable: BoolArray, suspected: BoolArray
) -> tuple[RateAndWidth, ...]:
    """Find the stretches that rate, shape and QRS width give a name.

    Parameters
    ----------
    r_time_s : ndarray of float64, shape (n,)
        R peaks, increasing.
    families : Families
        Of the same beats.
    waves_ms : ndarray of float32, shape (n, 8)
        `ecg_core.result.WAVE_POINTS` from the R peak.
    analysable : ndarray of bool, shape (n,)
    suspected : ndarray of bool, shape (n,)
        The beat lies where the signal may show VT or VF (`ecg_core.beats.ventricular`).

    Returns
    -------
    tuple of RateAndWidth
        By start; nothing across a beat that is not analysable or a gap of 3.5 s.
    """
    n = r_time_s.size
    if n < 2 or not families.qrs_ms.size:
        return ()
    with_p = np.isfinite(waves_ms[:, WAVE_POINTS.index("p_peak")])
    on, off = (waves_ms[:, WAVE_POINTS.index(name)].astype(np.float64) for name in ("qrs_on", "qrs_off"))
    width_ms = off - on
    like = families.likeness >= _LIKE_CONDUCTED
    rr_s = np.diff(r_time_s, prepend=r_time_s[0] - _LONGEST_GAP_S - 1)
    usual_s = ndimage.median_filter(rr_s, 5, mode="nearest")
    known = families.of_beat >= 0
    conducted = known & like[families.of_beat]
    of_wide = known & ~conducted & _are_wide(families)[families.of_beat]
    # In polymorphic tachycardia many beats are like no other.
    wide = of_wide | ~known
    wide |= _single(wide) & ~conducted
    found = [
        _of_wide(first, after, r_time_s, families, suspected, width_ms)
        for first, after in _rows(wide & analysable, rr_s <= _LONGEST_GAP_S)
    ]
    fast = conducted & analysable & (usual_s <= 60 / NARROW_TACHYCARDIA_BPM)
    found += [
        _of_narrow(first, after, r_time_s, families, with_p) for first, after in _rows(fast, rr_s <= _LONGEST_GAP_S)
    ]
    return tuple(sorted((stretch for stretch in found if stretch is not None), key=lambda s: s.start_s))


def _of_wide(
    first: int, after: int, r_time_s: Array, families: Families, suspected: BoolArray, width_ms: Array
) -> RateAndWidth | None:
    """Name a row of wide beats, none of them of the conducted family."""
    if after - first < min(_FEWEST.values()):
        return None
    middle_s = float(np.median(np.diff(r_time_s[first:after])))
    kind: Kind = "wide_escape"
    if middle_s <= 60 / ESCAPE_BPM:
        kind = "wide_complex_rhythm" if middle_s > 60 / TACHYCARDIA_BPM else "wide_complex_tachycardia"
    of = families.of_beat[first:after]
    if (of >= 0).sum() < min(_FEWEST.values()):
        return None
    of_families = float((of >= 0).mean())
    placed_s = (r_time_s + families.shift_s)[first:after]
    both = (of[1:] >= 0) & (of[:-1] >= 0)
    regular = of_families >= _NEARLY_ALL and both.any() and _irregularity(np.diff(placed_s)[both]) < _REGULAR
    # Of many shapes: where the signal itself looks like it, or all of them are wide and nearly regular.
    turning = middle_s <= 60 / NARROW_TACHYCARDIA_BPM and (
        (of_families >= _MOSTLY and suspected[first:after].mean() > 0.5)
        or (
            after - first >= _FEWEST_OF_MANY_SHAPES
            and families.conducted is not None
            and (width_ms[first:after] >= _WIDE_AGAINST_MS).mean() >= 0.5
            and _irregularity(np.diff(r_time_s[first:after])) < _NEARLY_REGULAR
        )
    )
    if after - first < _FEWEST[kind] or not (regular or turning):
        return None
    # Over tremor, conducted complexes go on.
    if kind != "wide_escape" and families.conducted_within[first:after].mean() > _CONDUCTED_WITHIN:
        return None
    # In faster rhythms the T wave before passes for a P wave.
    if middle_s > 60 / URGENT_BPM and np.mean(families.leads_by_p[of[of >= 0]]) > 0.5:
        sets_in = _sets_in_at_once(first, r_time_s) or _ends_at_once(after, r_time_s)
        if kind == "wide_complex_rhythm" or not sets_in:
            return None
    unlike = families.conducted is not None and kind == "wide_complex_tachycardia"
    return _stretch(kind, first, after, r_time_s, families, unlike)


def _irregularity(intervals_s: Array) -> float:
    """Measure how far from their median four fifths of the intervals lie at most (two thirds in long rows)."""
    percent = 80 if intervals_s.size < _LONG_ROW else 65
    return float(np.percentile(np.abs(intervals_s / np.median(intervals_s) - 1), percent))


def _of_narrow(first: int, after: int, r_time_s: Array, families: Families, with_p: BoolArray) -> RateAndWidth | None:
    """Name a fast row of conducted beats."""
    if after - first < _FEWEST["narrow_tachycardia"]:
        return None
    middle_s = float(np.median(np.diff(r_time_s[first:after])))
    regular = _irregularity(np.diff(r_time_s[first:after])) < _REGULAR
    never_sinus = middle_s <= 60 / NEVER_SINUS_BPM
    if not regular or not (never_sinus or (_sets_in_at_once(first, r_time_s) and with_p[first:after].mean() < 0.3)):
        return None
    return _stretch("narrow_tachycardia", first, after, r_time_s, families, False)


def _stretch(
    kind: Kind, first: int, after: int, r_time_s: Array, families: Families, unlike_conducted: bool
) -> RateAndWidth:
    of = families.of_beat[first:after]
    return RateAndWidth(
        kind=kind,
        first_beat=first,
        last_beat=after - 1,
        start_s=float(r_time_s[first]),
        end_s=float(r_time_s[after - 1]),
        rate_bpm=float(60 / np.median(np.diff(r_time_s[first:after]))),
        qrs_duration_ms=float(np.median(families.qrs_ms[of[of >= 0]])) if (of >= 0).any() else float("nan"),
        fills_recording=after - first > 0.9 * r_time_s.size,
        unlike_conducted=unlike_conducted,
    )


def _sets_in_at_once(first: int, r_time_s: Array) -> bool:
    """Whether a row's own pace differs from that of the beats before it; not where too little was before."""
    before = np.diff(r_time_s[max(0, first - _BEFORE) : first])
    if before.size < 3:
        return False
    pace_s = float(np.median(np.diff(r_time_s[first : first + _BEFORE])))
    ratio = pace_s / float(np.median(before))
    return ratio < _AT_ONCE or ratio > 1 / _AT_ONCE


def _ends_at_once(after: int, r_time_s: Array) -> bool:
    """Tell the same of what comes after."""
    return _sets_in_at_once(r_time_s.size - after, -r_time_s[::-1])


def _are_wide(families: Families) -> BoolArray:
    """Which families are wide: against a narrow conducted beat a little less is enough."""
    if families.conducted is None:
        return np.asarray(families.qrs_ms >= WIDE_MS)
    of_conducted = float(families.qrs_ms[families.conducted])
    tall = families.height_mv >= _AS_TALL * families.height_mv[families.conducted]
    return np.asarray(tall & (families.qrs_ms >= min(WIDE_MS, max(_WIDE_AGAINST_MS, _WIDER * of_conducted))))


def _single(mask: BoolArray) -> BoolArray:
    """Which beats alone stand between two: one odd beat does not end a row."""
    between = np.zeros_like(mask)
    between[1:-1] = mask[:-2] & mask[2:]
    return between


def _rows(mask: BoolArray, follows: BoolArray) -> list[tuple[int, int]]:
    """First beat and the one after the last of every row of beats that follow one another."""
    edges = [0, *(1 + np.flatnonzero((mask[1:] != mask[:-1]) | ~follows[1:])).tolist(), mask.size]
    return [(first, after) for first, after in pairwise(edges) if mask[first]]
