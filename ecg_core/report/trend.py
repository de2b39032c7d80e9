"""The whole recording on one time axis: heart rate, ectopic beats by class, signal quality by lead."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.strips import LEAD_CHARACTERS, leads_in_order
from ecg_core.report.view import Box, Drawing, Shape, Text
from ecg_core.report.wording import Clock, percent, shown
from ecg_core.result import Quality, Result
from ecg_core.texts import say, say_count

LEFT_MM: Final = 22.0
RIGHT_MM: Final = 3.0
SPAN_MM: Final = paper.WIDTH_MM - LEFT_MM - RIGHT_MM
COLUMN_MM: Final = 0.4
"""Beats that fall into the same column are drawn as its lowest, middle and highest value."""
TOP_MM: Final = 2.0
RATE_MM: Final = 24.0
LANE_MM: Final = 5.0
AXIS_MM: Final = 6.0
QUALITY_LEADS: Final = 4
BRIDGED_COLUMNS: Final = 3
"""The line is broken over a longer gap, unless the beats are simply further apart than that."""
BRIDGED_S: Final = 5.0
_RATE_LIMITS_BPM: Final = (20.0, 300.0)
_TICK_STEPS_S: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600)
_MOST_TICKS: Final = 10


def draw_trend(result: Result) -> Drawing:
    """Draw the overview; it stays small whatever the recording's length."""
    duration_s = max(result.recording.duration_s, 1.0)
    boxes: list[Box] = []
    shapes, words = _rate(result, duration_s)
    y = TOP_MM + RATE_MM + 2.0
    for index, letter in enumerate(CLASSES):
        mask = result.beats.analysable & (result.beats.class_index == index)
        if letter == "N" or not mask.any():
            continue
        shapes += _class_lane(letter, result.beats.r_time_s[mask], duration_s, y)
        words.append(Text("5.5", mm(y + 3.6), letter, f"label t{letter}"))
        y += LANE_MM
    for lead in leads_in_order(result)[:QUALITY_LEADS]:
        boxes += _quality_lane(result.quality, lead, duration_s, y)
        words.append(Text("1", mm(y + 3.4), shown(result.recording.lead_names[lead], 11).short, "label"))
        y += LANE_MM
    axis_shapes, axis_words = time_axis(duration_s, y)
    return Drawing(
        width=mm(paper.WIDTH_MM),
        height=mm(y + AXIS_MM),
        name=say("trend_name"),
        boxes=tuple(boxes),
        shapes=(*axis_shapes, *shapes),
        words=(*words, *axis_words),
    )


def trend_text(result: Result) -> str:
    """Say in words what the overview shows, quality of each lead included."""
    names = result.recording.lead_names
    shares = result.quality.analysable.mean(axis=0) if result.quality.analysable.size else np.zeros(len(names))
    leads = leads_in_order(result)
    rows = [
        say("quality_row", lead=shown(names[lead], LEAD_CHARACTERS).short, share=percent(float(shares[lead])))
        for lead in leads[:QUALITY_LEADS]
    ]
    sentences = [say("trend_text") if _rates(result)[0].size else say("trend_empty"), "; ".join(rows) + "."]
    left_out = [shown(names[lead], LEAD_CHARACTERS).short for lead in leads[QUALITY_LEADS:]]
    if left_out:
        sentences.append(say_count("quality_more", len(left_out), leads=", ".join(left_out)))
    return " ".join(sentences)


def _rates(result: Result) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give times and beat-to-beat heart rates of the analysable beats."""
    table = result.beats
    rr_ms = table.rr_prev_ms.astype(np.float64)
    known = table.analysable & np.isfinite(rr_ms) & (rr_ms > 0)
    return table.r_time_s[known], np.clip(60_000 / rr_ms[known], *_RATE_LIMITS_BPM)


def _rate(result: Result, duration_s: float) -> tuple[list[Shape], list[Text]]:
    times, rates = _rates(result)
    words = [Text("1", mm(TOP_MM + 3), say("trend_axis"), "label")]
    if times.size == 0:
        return [], [*words, Text(mm(LEFT_MM + 4), mm(TOP_MM + RATE_MM / 2), say("trend_empty"), "label")]
    low = 20.0 * np.floor(min(float(rates.min()), 50.0) / 20)
    high = 20.0 * np.ceil(max(float(rates.max()), 110.0) / 20)

    def y(bpm: paper.FloatArray) -> npt.NDArray[np.float64]:
        return np.asarray(TOP_MM + RATE_MM * (high - bpm) / (high - low), dtype=np.float64)

    column = np.floor(times / duration_s * SPAN_MM / COLUMN_MM).astype(np.int64)
    occupied, lowest, middle, highest = paper.columns_min_max(column, rates)
    x = LEFT_MM + (occupied + 0.5) * COLUMN_MM
    bridged = max(BRIDGED_COLUMNS, BRIDGED_S / duration_s * SPAN_MM / COLUMN_MM)
    breaks = np.flatnonzero(np.diff(occupied) > bridged) + 1
    band = "".join(f"M{mm(a)} {mm(b)}V{mm(c)}" for a, b, c in zip(x, y(lowest), y(highest), strict=True) if b - c > 0.1)
    line = paper.path(np.insert(x, breaks, np.nan), np.insert(y(middle), breaks, np.nan))
    step = 20.0 if high - low <= 120 else 40.0
    levels = np.arange(low, high + 1, step)
    rules = "".join(f"M{mm(LEFT_MM)} {mm(float(level_y))}h{mm(SPAN_MM)}" for level_y in y(levels))
    words += [
        Text(mm(LEFT_MM - 1.5), mm(float(level_y) + 1), f"{level:.0f}", "level")
        for level, level_y in zip(levels, y(levels), strict=True)
    ]
    return [Shape(rules, "rule"), Shape(band, "spread"), Shape(line, "rate")], words


def _class_lane(letter: str, times: npt.NDArray[np.float64], duration_s: float, y: float) -> list[Shape]:
    columns = np.unique(np.floor(times / duration_s * SPAN_MM / COLUMN_MM).astype(np.int64))
    ticks = "".join(f"M{mm(LEFT_MM + (c + 0.5) * COLUMN_MM)} {mm(y + 0.8)}v3.4" for c in columns.tolist())
    mark = f"M3 {mm(y + 2.5)}{paper.MARK_SHAPES[letter]}"
    return [Shape(ticks, f"tick c{letter}"), Shape(mark, f"mark c{letter}")]


def _quality_lane(quality: Quality, lead: int, duration_s: float, y: float) -> list[Box]:
    """Draw runs of columns that are wholly, partly or not analysable."""
    epochs = quality.analysable[:, lead]
    if epochs.size == 0:
        return []
    n = min(epochs.size, round(SPAN_MM / COLUMN_MM))
    edges = np.linspace(0, epochs.size, n + 1).astype(np.int64)
    shares = np.add.reduceat(epochs.astype(np.float64), edges[:-1]) / np.diff(edges)
    level = np.where(shares == 1, 2, np.where(shares == 0, 0, 1))
    starts = np.concatenate(([0], np.flatnonzero(np.diff(level)) + 1))
    ends = np.concatenate((starts[1:], [n]))
    boxes: list[Box] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        left = min(float(edges[start]) * quality.epoch_s, duration_s) / duration_s * SPAN_MM
        right = min(float(edges[end]) * quality.epoch_s, duration_s) / duration_s * SPAN_MM
        kind = ("bad", "part", "good")[int(level[start])]
        boxes.append(Box(mm(LEFT_MM + left), mm(y + 1.2), mm(right - left), "2.6", kind))
    return boxes


def time_axis(duration_s: float, y: float) -> tuple[list[Shape], list[Text]]:
    """Draw the rules and times of a recording's whole length, down to `y`."""
    step = next((s for s in _TICK_STEPS_S if duration_s / s <= _MOST_TICKS), None)
    step = step or int(np.ceil(duration_s / _MOST_TICKS / 86_400)) * 86_400
    ticks = np.arange(0, duration_s, step)
    x = LEFT_MM + ticks / duration_s * SPAN_MM
    rules = "".join(f"M{mm(float(place))} {mm(TOP_MM)}V{mm(y + 1)}" for place in x)
    words = [
        Text(mm(float(place)), mm(y + 4.4), Clock.offset(float(tick)), "hour")
        for tick, place in zip(ticks, x, strict=True)
        if place < LEFT_MM + SPAN_MM - 4
    ]
    return [Shape(rules, "rule")], words
