"""Full disclosure: the whole recording folded into rows, decimated so that no peak is lost."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report.strips import LEAD_CHARACTERS
from ecg_core.report.view import DisclosureView, Panel, Text
from ecg_core.report.wording import Clock, duration, number, shown
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.texts import say

WIDTH_MM: Final = 180.0
UNIT_MM: Final = 0.12
"""Figures of this section are drawn in whole units of so many millimetres: half the bytes."""
LEFT: Final = 120
"""Units left of the signal, for the time."""
COLUMNS: Final = 690
COLUMN: Final = 2
"""Units per column; in each the lowest and the highest sample are drawn."""
_ROWS: Final = ((2400.0, 60.0, 90), (4 * 3600.0, 120.0, 80), (np.inf, 300.0, 60))
"""Up to which length (s), a row holds so much (s), and is so many units high."""
LANES: Final = {"S": -18, "V": -13, "F": -8, "Q": -3}
"""Where a class's marks lie over a row's lower edge: not told by colour alone."""
_SPREAD: Final = 0.999
"""The scale is chosen so that this share of the signal stays within its row."""
_MM_PER_MV: Final = (20.0, 10.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5)


def disclosure(result: Result) -> DisclosureView | None:
    """Fold the primary lead; None where there is no signal."""
    lead = result.quality.primary_lead
    signal = result.signal_mv[:, lead]
    if signal.size == 0:
        return None
    duration_s = signal.size / ANALYSIS_RATE_HZ
    row_s, height = row_geometry(duration_s)
    mm_per_mv = _scale(signal, height)
    per_panel = 12 if row_s == 300 else 10
    n_rows = int(np.ceil(duration_s / row_s))
    panels = tuple(
        _panel(result, signal, range(first, min(first + per_panel, n_rows)), row_s, height, mm_per_mv)
        for first in range(0, n_rows, per_panel)
    )
    name = shown(result.recording.lead_names[lead], LEAD_CHARACTERS).short
    return DisclosureView(say("disclosure_text", lead=name, row=duration(row_s), gain=f"{mm_per_mv:g}"), panels)


def row_geometry(duration_s: float) -> tuple[float, int]:
    """Return how many seconds a row holds, and its height in units."""
    return next((row_s, height) for longest, row_s, height in _ROWS if duration_s <= longest)


def _scale(signal: npt.NDArray[np.float32], height: int) -> float:
    """Millimetres per millivolt, one for the whole recording."""
    known = np.abs(signal[:: max(1, signal.size // 200_000)])
    known = known[np.isfinite(known)]
    swing = float(np.quantile(known, _SPREAD)) if known.size else 1.0
    room = height * UNIT_MM * 0.75
    return next((mm_per_mv for mm_per_mv in _MM_PER_MV if swing * mm_per_mv <= room), _MM_PER_MV[-1])


def _panel(
    result: Result, signal: npt.NDArray[np.float32], rows: range, row_s: float, height: int, mm_per_mv: float
) -> Panel:
    clock = Clock(result.recording.start_time)
    times = result.beats.r_time_s
    start_s, end_s = rows[0] * row_s, min((rows[-1] + 1) * row_s, signal.size / ANALYSIS_RATE_HZ)
    inside = slice(*np.searchsorted(times, (start_s, end_s)).tolist())
    traces: list[str] = []
    words: list[Text] = []
    ticks: dict[str, list[str]] = {}
    for place, row in enumerate(rows):
        middle = place * height + height // 2
        first = round(row * row_s * ANALYSIS_RATE_HZ)
        piece = signal[first : first + round(row_s * ANALYSIS_RATE_HZ)]
        traces.append(_trace(piece, round(row_s * ANALYSIS_RATE_HZ), middle, height, mm_per_mv))
        words.append(Text(str(LEFT - 8), str(middle + 7), clock.offset(row * row_s), "row"))
        for letter, d in _ticks(result, row * row_s, row_s, (place + 1) * height):
            ticks.setdefault(letter, []).append(d)
    analysable, classes = result.beats.analysable[inside], result.beats.class_index[inside]
    counts = {name: int((analysable & (classes == i)).sum()) for i, name in enumerate(CLASSES)}
    listed = ", ".join(f"{name} {number(n)}" for name, n in counts.items() if n) or say("disclosure_no_beats")
    return Panel(
        start_s=f"{start_s:g}",
        name=say("disclosure_name", start=clock.at(start_s), end=clock.at(end_s)),
        text=say("disclosure_panel", start=clock.at(start_s), end=clock.at(end_s), beats=listed),
        width=str(LEFT + COLUMNS * COLUMN),
        height=str(len(rows) * height),
        width_mm=f"{(LEFT + COLUMNS * COLUMN) * UNIT_MM:g}",
        height_mm=f"{len(rows) * height * UNIT_MM:.2f}",
        trace="".join(traces),
        ticks=tuple((letter, "".join(parts)) for letter, parts in sorted(ticks.items())),
        words=tuple(words),
    )


def _trace(piece: npt.NDArray[np.float32], n_full: int, middle: int, height: int, mm_per_mv: float) -> str:
    """Draw a row as one line through the lowest and highest sample of each column, in the order that is shorter."""
    edges = np.arange(COLUMNS + 1) * n_full // COLUMNS
    edges = edges[: int(np.searchsorted(edges, piece.size, side="left")) + 1]
    starts = edges[:-1] if edges.size > 1 else np.zeros(1, np.int64)
    filled = np.where(np.isnan(piece), 0, piece)
    low, high = np.minimum.reduceat(filled, starts), np.maximum.reduceat(filled, starts)
    known = np.maximum.reduceat(np.isfinite(piece), starts)
    gain = mm_per_mv / UNIT_MM
    # Up is less in SVG; what leaves the row by more than half its height is cut.
    top, bottom = (np.clip(np.rint(-v * gain), -height, height).astype(np.int64) + middle for v in (high, low))
    falling = np.arange(top.size) % 2 == 0
    y = np.column_stack((np.where(falling, top, bottom), np.where(falling, bottom, top))).ravel()
    x = np.repeat(LEFT + COLUMN * np.arange(top.size), 2)
    # A stretch without signal is left out; the pieces around it are drawn each by itself.
    known = np.repeat(known, 2)
    breaks = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(np.int8)))
    return "".join(_line(x[a:b], y[a:b]) for a, b in zip(breaks[::2], breaks[1::2], strict=True))


def _line(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]) -> str:
    dx, dy = np.diff(x), np.diff(y)
    steps = dx * 10_000 + dy
    values, where = np.unique(steps, return_inverse=True)
    # Each distinct step is spelled once.
    words = [_word(round(int(value) / 10_000), int(value) - 10_000 * round(int(value) / 10_000)) for value in values]
    return f"M{x[0]} {y[0]}" + "".join(np.array(words, dtype=object)[where])


def _word(dx: int, dy: int) -> str:
    if dx == 0:
        return f"v{dy}" if dy else ""
    return f"l{dx} {dy}" if dy >= 0 else f"l{dx}{dy}"


def _ticks(result: Result, start_s: float, row_s: float, bottom: int) -> list[tuple[str, str]]:
    """Mark beats that are not N below the row, a lane for each class; neighbours joined, so that a day stays small."""
    table = result.beats
    a, b = np.searchsorted(table.r_time_s, (start_s, start_s + row_s)).tolist()
    classes = np.where(table.analysable[a:b], table.class_index[a:b], 0)
    column = np.floor((table.r_time_s[a:b] - start_s) / row_s * COLUMNS).astype(np.int64)
    found: list[tuple[str, str]] = []
    for index, letter in enumerate(CLASSES):
        if letter == "N":
            continue
        places = np.unique(column[classes == index])
        if places.size:
            runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
            d = "".join(f"M{LEFT + COLUMN * int(run[0])} {bottom + LANES[letter]}h{COLUMN * run.size}" for run in runs)
            found.append((letter, d))
    return found
