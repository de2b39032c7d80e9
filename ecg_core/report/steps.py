"""From file to beats: what was done to the signal, so that the reader can check each step."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.strips import TRACE_STEP_MM
from ecg_core.report.view import Drawing, Fact, OverlayView, Shape, StepsView, Text
from ecg_core.report.wording import Clock, Shown, number, shown
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, WINDOW_SAMPLES, RawExcerpt, Result
from ecg_core.texts import say, say_count

ROW_MM: Final = 30.0
REMOVED_MM: Final = 22.0
MOST_OVERLAID: Final = 20
"""Beats of a class that are drawn over one another, spread over the recording; the median is of up to `MEDIAN_OF`."""
MEDIAN_OF: Final = 2000
OVERLAY_MM: Final = (58.0, 40.0)
_LOCAL_BEATS: Final = 8
_MS: Final = (np.arange(WINDOW_SAMPLES) - R_INDEX) * 1000 / ANALYSIS_RATE_HZ


def steps_view(result: Result) -> StepsView:
    """Draw the raw over the cleaned signal, all beats of each class, and one beat as the model sees it."""
    overlays = tuple(overlay for letter in CLASSES if (overlay := _overlay(result, letter)) is not None)
    beat, facts = _model_sees(result)
    raw = result.raw
    return StepsView(
        raw=_raw_figure(result, raw) if raw is not None and raw.signal_mv.size else None,
        raw_text=_raw_text(result, raw) if raw is not None else "",
        overlays=overlays,
        beat=beat,
        beat_facts=facts,
    )


def _raw_text(result: Result, raw: RawExcerpt) -> str:
    lead = shown(result.recording.lead_names[result.quality.primary_lead], 16).short
    return say(
        "steps_raw_text",
        lead=lead,
        time=Clock(result.recording.start_time).at(raw.start_s),
        rate=f"{raw.sampling_rate_hz:g}",
        filters=shown("; ".join(result.quality.filters) or say("filters_none"), 300).short,
    )


def _raw_figure(result: Result, raw: RawExcerpt) -> Drawing:
    """Three traces at 25 mm/s and 10 mm/mV: as recorded, cleaned with the detected peaks, and their difference."""
    n = raw.signal_mv.size
    times = raw.start_s + np.arange(n) / raw.sampling_rate_hz
    lead = result.quality.primary_lead
    # A second more on either side; times of a whole day's samples would take 350 MB.
    first, after = (max(0, round((at_s + by) * ANALYSIS_RATE_HZ)) for at_s, by in ((times[0], -1), (times[-1], 1)))
    column = result.signal_mv[first : after + 1, lead]
    at, known = (first + np.arange(column.size)) / ANALYSIS_RATE_HZ, np.isfinite(column)
    recorded = raw.signal_mv.astype(np.float64)
    cleaned = np.interp(times, at[known], column[known]) if known.any() else np.full(n, np.nan)
    removed = recorded - cleaned
    # The recording's own offset would carry the line off the paper; the filter takes it away as well.
    offset = float(np.nanmedian(recorded)) if np.isfinite(recorded).any() else 0.0
    rows = (
        ("steps_raw", recorded - offset, ROW_MM),
        ("steps_clean", cleaned, ROW_MM),
        ("steps_removed", removed - offset, REMOVED_MM),
    )
    height = sum(room for *_, room in rows) + paper.MARKS_MM
    shapes = [
        Shape("", "minor"),
        Shape("", "major"),
    ]
    x = paper.CALIBRATION_MM + (times - times[0]) * paper.MM_PER_S
    words: list[Text] = []
    top = paper.MARKS_MM
    for key, values, room in rows:
        baseline = top + round(room * 0.6 / paper.MAJOR_MM) * paper.MAJOR_MM
        y = np.clip(baseline - values * paper.MM_PER_MV, top, top + room)
        shapes.append(Shape(paper.path(x / TRACE_STEP_MM, y / TRACE_STEP_MM), "trace", scale=mm(TRACE_STEP_MM)))
        shapes.append(Shape(paper.pulse(baseline), "pulse"))
        words.append(Text(mm(paper.CALIBRATION_MM + 1), mm(top + 3), say(key), "lead"))
        top += room
    peaks = result.beats.r_time_s[(result.beats.r_time_s >= times[0]) & (result.beats.r_time_s <= times[-1])]
    places = paper.CALIBRATION_MM + (peaks - times[0]) * paper.MM_PER_S
    if places.size:
        clean_top, depth = paper.MARKS_MM + ROW_MM, ROW_MM
        shapes.append(Shape("".join(f"M{mm(p)} {mm(clean_top)}v{mm(depth)}" for p in places), "guide cS"))
        shapes.append(
            Shape("".join(f"M{mm(p)} {mm(clean_top + depth - 1)}{paper.MARK_SHAPES['S']}" for p in places), "mark cS")
        )
    words.append(Text(mm(paper.CALIBRATION_MM), "5", say("steps_offset", mv=number(offset, 2)), ""))
    return Drawing(mm(paper.WIDTH_MM), mm(height), say("steps_raw_name"), (), tuple(shapes), tuple(words))


def _overlay(result: Result, letter: str) -> OverlayView | None:
    """Lay beats of a class over one another; None where there is none whose whole window lies in the recording."""
    table, signal = result.beats, result.signal_mv[:, result.quality.primary_lead]
    rows = np.flatnonzero(table.analysable & (table.class_index == CLASSES.index(letter)))
    first = np.rint(table.r_time_s[rows] * ANALYSIS_RATE_HZ).astype(np.int64) - R_INDEX
    first = first[(first >= 0) & (first + WINDOW_SAMPLES <= signal.size)]
    if first.size == 0:
        return None
    first = first[np.unique(np.linspace(0, first.size - 1, min(first.size, MEDIAN_OF)).astype(np.int64))]
    windows = signal[first[:, None] + np.arange(WINDOW_SAMPLES)].astype(np.float64)
    median = np.median(windows, axis=0)
    drawn = windows[np.unique(np.linspace(0, len(windows) - 1, min(len(windows), MOST_OVERLAID)).astype(np.int64))]
    width, height = OVERLAY_MM
    x = 1 + (np.arange(WINDOW_SAMPLES) / (WINDOW_SAMPLES - 1)) * (width - 2)
    spread = drawn[np.isfinite(drawn)]
    low, high = (float(np.quantile(spread, q)) for q in (0.002, 0.998)) if spread.size else (0.0, 1.0)
    swing = max(high - low, 0.2)

    def y(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.clip(4 + (high - values) / swing * (height - 9), 0.5, height - 4)

    # Every second sample is enough for lines that lie over one another.
    lines = "".join(paper.path(x[::2], y(window[::2]), coarse=True) for window in drawn)
    at_r = mm(x[R_INDEX])
    shapes = (
        Shape(f"M{at_r} 1V{mm(height - 4)}", "rule"),
        Shape(lines, f"overlaid tick c{letter}"),
        Shape(paper.path(x, y(median)), "trace"),
    )
    words = (Text(at_r, mm(height - 0.8), say("steps_r"), "hour"),)
    n = int(rows.size)
    return OverlayView(
        letter=letter,
        shape=paper.MARK_SHAPES[letter],
        drawing=Drawing(mm(width), mm(height), say("overlay_name", letter=letter), (), shapes, words),
        text=say_count("overlay_text", n, drawn=number(len(drawn)), swing=number(swing, 1)),
    )


def _model_sees(result: Result) -> tuple[Drawing | None, tuple[Fact, ...]]:
    """Show the first chosen beat as the classifier gets it: both waveforms in units of the dominant QRS's height."""
    if not result.chosen:
        return None, ()
    chosen, table = result.chosen[0], result.beats
    row = chosen.beat_index
    letter = CLASSES[int(table.class_index[row])]
    qrs = (_MS >= -60) & (_MS <= 100)
    template = chosen.template_mv.astype(np.float64)
    scale = float(np.ptp(template[qrs])) if np.isfinite(template[qrs]).all() else 1.0
    scale = scale or 1.0
    lines = np.stack((chosen.waveform_mv.astype(np.float64), template)) / scale
    known = lines[np.isfinite(lines)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    width, height = 120.0, 46.0
    x = 10 + (np.arange(WINDOW_SAMPLES) / (WINDOW_SAMPLES - 1)) * (width - 12)
    y = 3 + (high - lines) / max(high - low, 0.2) * (height - 11)
    levels = [level for level in (-2.0, -1.0, 0.0, 1.0, 2.0) if low <= level <= high]
    places = [3 + (high - level) / max(high - low, 0.2) * (height - 11) for level in levels]
    shapes = (
        Shape("".join(f"M10 {mm(place)}H{mm(width - 2)}" for place in places), "rule"),
        Shape(paper.path(x, y[1]), "dominant"),
        Shape(paper.path(x, y[0]), "trace"),
    )
    words = [Text("9", mm(place + 1), number(level), "level") for level, place in zip(levels, places, strict=True)]
    words += [
        Text(mm(float(np.interp(ms, _MS, x))), mm(height - 3.5), number(ms), "hour")
        for ms in (-400, -200, 0, 200, 400, 600)
    ]
    words.append(Text(mm(10 + (width - 12) / 2), mm(height - 0.6), say("steps_axis"), "hour"))
    name = say("steps_beat_name", letter=letter)
    drawing = Drawing(mm(width), mm(height), name, (), shapes, tuple(words))
    return drawing, _context_facts(result, row, scale)


def _context_facts(result: Result, row: int, scale_mv: float) -> tuple[Fact, ...]:
    table = result.beats
    around = table.rr_prev_ms[max(0, row - _LOCAL_BEATS) : row + _LOCAL_BEATS + 1].astype(np.float64)
    around = around[np.isfinite(around)]
    local = float(np.median(around)) if around.size else float("nan")
    before, after = float(table.rr_prev_ms[row]), float(table.rr_next_ms[row])

    def shown_value(value: float) -> Shown:
        return Shown(say("steps_rr", ms=number(value), ratio=number(value / local, 2)), "")

    return (
        Fact(say("steps_time"), Shown(Clock(result.recording.start_time).at(float(table.r_time_s[row])), "")),
        Fact(say("steps_before"), shown_value(before)),
        Fact(say("steps_after"), shown_value(after)),
        Fact(say("steps_local"), Shown(say("hrv_ms", value=number(local)), "")),
        Fact(say("steps_scale"), Shown(say("steps_mv", mv=number(scale_mv, 2)), "")),
    )
