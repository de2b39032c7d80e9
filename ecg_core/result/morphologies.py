"""Morphologies of a class: its beats sorted by shape, on the leads that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result.alike import BELONGS, HALF, leaders, same_beat, unit_rows, windows
from ecg_core.result.result import ANALYSIS_RATE_HZ, Result

BEFORE_S: Final = 0.3
AFTER_S: Final = 0.5
_LEVEL_S: Final = 0.15
MOST: Final = 8
FEWEST: Final = 2
_MOST_LEADS: Final = 3
_READABLE_SHARE: Final = 0.5
_SAMPLED: Final = 1200
_AVERAGED: Final = 200

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Morphology:
    """Beats of one shape.

    Attributes
    ----------
    rows : ndarray of int64
        Their rows in the beat table, in time order.
    r_index : ndarray of int64
        Where their marks would lie if all were marked at the same place of the complex, in samples of the signal.
    average_mv : ndarray of float32, shape (n_samples, n_leads)
        Their median from `BEFORE_S` before that place to `AFTER_S` behind it, on `Morphologies.leads`.
    """

    rows: IntArray
    r_index: IntArray
    average_mv: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Morphologies:
    """Beats of a class by shape, the largest group first; `single` are like none of them, `leads` are compared."""

    found: tuple[Morphology, ...]
    single: IntArray
    leads: tuple[int, ...]


def morphologies(result: Result, letter: str = "V") -> Morphologies:
    """Sort the analysable beats of a class by shape, as `ecg_core.beats.families` sorts all.

    The families of all beats would not do: they come from a few hundred beats of each pace, and a shape that a
    recording has ten times is in none of them. Here the class is asked alone, so that two beats make a group.
    """
    table, leads = result.beats, _leads(result)
    rows = np.flatnonzero(table.analysable & (table.class_index == CLASSES.index(letter)))
    if not rows.size or not len(result.signal_mv):
        return Morphologies((), rows, leads)
    signal_mv = result.signal_mv
    r_index = np.rint(table.r_time_s[rows] * ANALYSIS_RATE_HZ).astype(np.int64)
    unit = unit_rows(_known(windows(signal_mv, r_index, HALF), leads).reshape(rows.size, -1))
    sample = np.unique(np.linspace(0, rows.size - 1, min(rows.size, _SAMPLED)).astype(np.int64))
    members = leaders(unit, sample, MOST, FEWEST)
    if not members:
        return Morphologies((), rows, leads)
    wide = np.stack(
        [np.median(_known(windows(signal_mv, r_index[each[:_AVERAGED]], 4 * HALF), leads), axis=0) for each in members]
    )
    joins, shift = same_beat(wide)
    shapes = unit_rows(np.stack([np.median(unit[each], axis=0) for each in members]))
    likeness = unit @ shapes.T
    nearest = likeness.argmax(axis=1)
    group = np.where(likeness.max(axis=1) >= BELONGS, joins[nearest], -1)
    moved = r_index + shift[nearest]
    found = [_morphology(signal_mv, leads, rows[group == k], moved[group == k]) for k in np.unique(group[group >= 0])]
    found.sort(key=lambda one: (-one.rows.size, int(one.rows[0])))
    return Morphologies(tuple(found), rows[group < 0], leads)


def _known(cut: FloatArray, leads: tuple[int, ...]) -> FloatArray:
    known: FloatArray = np.nan_to_num(cut[..., leads])
    return known


def _morphology(signal_mv: FloatArray, leads: tuple[int, ...], rows: IntArray, r_index: IntArray) -> Morphology:
    average: FloatArray = np.median(cut_beats(signal_mv, leads, evenly(r_index, _AVERAGED)), axis=0)
    return Morphology(rows, r_index, average)


def evenly(r_index: IntArray, most: int) -> IntArray:
    """Draw so many of the beats at most, evenly over them."""
    return r_index[np.unique(np.linspace(0, r_index.size - 1, min(r_index.size, most)).astype(np.int64))]


def cut_beats(signal_mv: FloatArray, leads: tuple[int, ...], r_index: IntArray) -> FloatArray:
    """Cut out beats from `BEFORE_S` to `AFTER_S` around marks, each about its level before the complex.

    Returns
    -------
    ndarray of float32, shape (n_beats, n_samples, n_leads)
        End values go on; a missing sample is 0.
    """
    around = np.arange(-round(BEFORE_S * ANALYSIS_RATE_HZ), round(AFTER_S * ANALYSIS_RATE_HZ) + 1)
    cut = _known(signal_mv[np.clip(r_index[:, None] + around, 0, len(signal_mv) - 1)], leads)
    level: FloatArray = np.median(cut[:, : round(_LEVEL_S * ANALYSIS_RATE_HZ)], axis=1, keepdims=True)
    return cut - level


def _leads(result: Result) -> tuple[int, ...]:
    """Name the primary lead, then those that can be read most of the time, best first."""
    share = result.quality.analysable.mean(axis=0) if len(result.quality.analysable) else np.zeros(0)
    primary = result.quality.primary_lead
    others = [int(lead) for lead in np.argsort(-share, kind="stable") if share[lead] >= _READABLE_SHARE]
    return (primary, *[lead for lead in others if lead != primary])[:_MOST_LEADS]
