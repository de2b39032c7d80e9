"""Ectopy in one table, and the hours of a long recording in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report.view import Table
from ecg_core.report.wording import Clock, number, percent
from ecg_core.result import Result, RhythmEpisode
from ecg_core.texts import say

HOUR_S: Final = 3600.0
_RATE_BEATS: Final = 8
"""As in `result.HeartRate`."""


def ectopy_table(result: Result) -> Table | None:
    """Isolated beats, couplets, patterns and runs of V and S; None where no beat is analysable."""
    table = result.beats
    if not table.analysable.any():
        return None
    counted = ("ectopy_class", "ectopy_beats", "ectopy_isolated", "ectopy_couplets", "ectopy_runs")
    columns = (*counted, "ectopy_longest", "ectopy_fastest", "ectopy_bigeminy", "ectopy_trigeminy")
    rows = tuple(_ectopy_row(result, letter) for letter in ("V", "S"))
    return Table(say("ectopy_caption"), tuple(say(name) for name in columns), rows)


def _ectopy_row(result: Result, letter: str) -> tuple[str, ...]:
    kind = letter.lower()
    members = result.beats.analysable & (result.beats.class_index == CLASSES.index(letter))
    runs = _of(result, f"{kind}_run")
    clock = Clock(result.recording.start_time)
    longest = max(runs, key=lambda e: e.last_beat - e.first_beat, default=None)
    fastest = max(runs, key=lambda e: e.heart_rate_bpm or 0.0, default=None)
    # Only ventricular patterns are looked for.
    patterns = [number(len(_of(result, name))) if letter == "V" else number(None) for name in ("bigeminy", "trigeminy")]
    return (
        letter,
        number(int(members.sum())),
        number(_isolated(members)),
        number(len(_of(result, f"{kind}_couplet"))),
        number(len(runs)),
        say("ectopy_run", beats=longest.last_beat - longest.first_beat + 1, time=clock.offset(longest.start_s))
        if longest
        else number(None),
        say("ectopy_rate", bpm=number(fastest.heart_rate_bpm), time=clock.offset(fastest.start_s))
        if fastest
        else number(None),
        *patterns,
    )


def _isolated(members: npt.NDArray[np.bool_]) -> int:
    """Count beats of a class that have no neighbour of that class."""
    around = np.concatenate(([False], members, [False]))
    return int((members & ~around[:-2] & ~around[2:]).sum())


def _of(result: Result, kind: str) -> list[RhythmEpisode]:
    return [episode for episode in result.rhythm.episodes if episode.kind == kind]


def hourly_table(result: Result) -> Table | None:
    """One row for each hour of the recording; None where it is not longer than one."""
    duration_s = result.recording.duration_s
    if duration_s <= HOUR_S:
        return None
    hours = range(int(np.ceil(duration_s / HOUR_S)))
    of_rate = ("rate_min", "rate_mean", "rate_max")
    found = ("hourly_V", "hourly_S", "hourly_pauses", "hourly_runs")
    columns = ("hourly_from", "hourly_analysable", "hourly_beats", *of_rate, *found)
    # The beats are in time order: an hour is a slice.
    edges = np.searchsorted(result.beats.r_time_s, np.arange(len(hours) + 1) * HOUR_S)
    rows = tuple(_hour(result, hour, slice(int(edges[hour]), int(edges[hour + 1]))) for hour in hours)
    return Table(say("hourly_caption"), tuple(say(name) for name in columns), rows)


def _hour(result: Result, hour: int, rows: slice) -> tuple[str, ...]:
    table, quality = result.beats, result.quality
    start_s, end_s = hour * HOUR_S, (hour + 1) * HOUR_S
    clock = Clock(result.recording.start_time)
    first, last = int(start_s // quality.epoch_s), int(np.ceil(end_s / quality.epoch_s))
    epochs = quality.readable[first:last]
    analysable = table.analysable[rows]
    classes = table.class_index[rows]
    low, mean, high = _rates(table.rr_prev_ms[rows].astype(np.float64)[analysable])
    count = {name: int((analysable & (classes == CLASSES.index(name))).sum()) for name in ("V", "S")}
    inside = [e.kind for e in result.rhythm.episodes if start_s <= e.start_s < end_s]
    return (
        clock.at(start_s),
        percent(float(epochs.mean())) if epochs.size else number(None),
        number(int(analysable.sum())),
        *(number(value) for value in (low, mean, high)),
        number(count["V"]),
        number(count["S"]),
        number(_count(inside, ["pause"])),
        number(_count(inside, ["v_run", "s_run"])),
    )


def _count(kinds: Sequence[str], wanted: Sequence[str]) -> int:
    return sum(kind in wanted for kind in kinds)


def _rates(rr_ms: npt.NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Lowest, mean and highest heart rate, the extremes over 8 intervals that are all known."""
    known = np.isfinite(rr_ms)
    if not known.any():
        return None, None, None
    mean = 60_000 / float(rr_ms[known].mean())
    if rr_ms.size < _RATE_BEATS:
        return None, mean, None
    windows = np.lib.stride_tricks.sliding_window_view(rr_ms, _RATE_BEATS).mean(axis=1)
    windows = windows[np.isfinite(windows)]
    if windows.size == 0:
        return None, mean, None
    return 60_000 / float(windows.max()), mean, 60_000 / float(windows.min())
