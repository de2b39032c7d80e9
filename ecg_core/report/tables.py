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
DAY_S: Final = 24 * HOUR_S
DAY_FROM_S: Final = 6 * HOUR_S
DAY_UNTIL_S: Final = 22 * HOUR_S
Span = tuple[float, float]
"""A stretch of the recording, from and to, in seconds."""
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
    """One row for each hour of the recording, then day, night and all; None where it is not longer than an hour.

    Day and night are by the recorder's clock; without one there is only the sum of all.
    """
    duration_s = result.recording.duration_s
    if duration_s <= HOUR_S:
        return None
    of_rate = ("rate_min", "rate_mean", "rate_max")
    found = ("hourly_V", "hourly_S", "hourly_couplets", "hourly_runs", "hourly_pauses", "hourly_af")
    columns = ("hourly_from", "hourly_analysable", "hourly_beats", *of_rate, *found)
    hours = [(hour * HOUR_S, min((hour + 1) * HOUR_S, duration_s)) for hour in range(int(np.ceil(duration_s / HOUR_S)))]
    clock = Clock(result.recording.start_time)
    rows = tuple(_stretches(result, clock.at(span[0]), [span]) for span in hours)
    totals = [
        _stretches(result, say(f"hourly_{name}"), spans) for name, spans in _day_and_night(result).items() if spans
    ]
    totals.append(_stretches(result, say("hourly_all"), [(0.0, duration_s)]))
    return Table(say("hourly_caption"), tuple(say(name) for name in columns), rows, tuple(totals))


def _day_and_night(result: Result) -> dict[str, list[Span]]:
    """Cut the recording where the recorder's clock passes from day to night and back."""
    start, duration_s = result.recording.start_time, result.recording.duration_s
    found: dict[str, list[Span]] = {"day": [], "night": []}
    if start is None:
        return found
    clock_s = start.hour * HOUR_S + start.minute * 60 + start.second
    at_s = 0.0
    while at_s < duration_s:
        of_day_s = (clock_s + at_s) % DAY_S
        by_day = DAY_FROM_S <= of_day_s < DAY_UNTIL_S
        until_s = DAY_UNTIL_S if by_day else DAY_FROM_S + (DAY_S if of_day_s >= DAY_UNTIL_S else 0)
        end_s = min(duration_s, at_s + until_s - of_day_s)
        found["day" if by_day else "night"].append((at_s, end_s))
        at_s = end_s
    return found


def _stretches(result: Result, head: str, spans: Sequence[Span]) -> tuple[str, ...]:
    """Sum up what lies in stretches of the recording."""
    table, epoch_s = result.beats, result.quality.epoch_s
    # The beats are in time order: a stretch is a slice.
    slices = [slice(*np.searchsorted(table.r_time_s, span).tolist()) for span in spans]
    epochs = [result.quality.readable[int(a // epoch_s) : int(np.ceil(b / epoch_s))] for a, b in spans]
    readable = np.concatenate(epochs)
    analysable = np.concatenate([table.analysable[rows] for rows in slices])
    classes = np.concatenate([table.class_index[rows] for rows in slices])
    rates = _rates([table.rr_prev_ms[rows].astype(np.float64)[table.analysable[rows]] for rows in slices])
    inside = [e for e in result.rhythm.episodes for a, b in spans if a <= e.start_s < b]
    kinds = [e.kind for e in inside]
    return (
        head,
        percent(float(readable.mean())) if readable.size else number(None),
        number(int(analysable.sum())),
        *(number(value) for value in rates),
        *(number(int((analysable & (classes == CLASSES.index(name))).sum())) for name in ("V", "S")),
        number(_count(kinds, ["v_couplet", "s_couplet"])),
        number(_count(kinds, ["v_run", "s_run"])),
        number(_count(kinds, ["pause"])),
        percent(_fibrillating(result, spans)),
    )


def _fibrillating(result: Result, spans: Sequence[Span]) -> float | None:
    """Return the share of the time that is in fibrillation; None where it was not looked for."""
    stretches = [e for e in result.rhythm.episodes if e.kind == "atrial_fibrillation"]
    if not stretches and not result.af.size:
        return None
    inside_s = sum(max(0.0, min(e.end_s, b) - max(e.start_s, a)) for e in stretches for a, b in spans)
    return min(1.0, inside_s / sum(b - a for a, b in spans))


def _count(kinds: Sequence[str], wanted: Sequence[str]) -> int:
    return sum(kind in wanted for kind in kinds)


def _rates(stretches: Sequence[npt.NDArray[np.float64]]) -> tuple[float | None, float | None, float | None]:
    """Lowest, mean and highest heart rate, the extremes over 8 intervals that are all known."""
    rr_ms = np.concatenate(stretches)
    known = rr_ms[np.isfinite(rr_ms)]
    if not known.size:
        return None, None, None
    mean = 60_000 / float(known.mean())
    long = [each for each in stretches if each.size >= _RATE_BEATS]
    windows = np.concatenate(
        [np.lib.stride_tricks.sliding_window_view(each, _RATE_BEATS).mean(axis=1) for each in long] or [np.zeros(0)]
    )
    windows = windows[np.isfinite(windows)]
    if windows.size == 0:
        return None, mean, None
    return 60_000 / float(windows.max()), mean, 60_000 / float(windows.min())
