"""A patient's recordings: a table, and how rate, burdens and intervals went over months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.view import Drawing, HistoryRow, HistoryView, Shape, Text
from ecg_core.report.wording import duration, number, percent, shown
from ecg_core.result.past import PastRecording
from ecg_core.texts import UI_TEXTS, say_ui

WIDTH_MM: Final = 180.0
HEIGHT_MM: Final = 46.0
LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM = 14.0, 26.0, 4.0, 7.0
LABEL_MM: Final = 3.2
_SHAPES: Final = ("N", "V", "S")
"""Marks of the lines of a trend, in their order: none is told by colour alone."""
_SECONDS_A_DAY: Final = 86_400.0
Line = tuple[str, Sequence[float | None]]


def history_view(history: Sequence[PastRecording]) -> HistoryView:
    """Say what a patient's recordings hold, the newest first, and draw what is known of two or more."""
    oldest_first = list(reversed(history))
    at = np.array([_moment(one).timestamp() for one in oldest_first]) / _SECONDS_A_DAY

    def over_time(name: str, lines: Sequence[Line], unit: str) -> Drawing | None:
        return _trend(at, lines, say_ui(f"trend_{name}"), unit)

    trends = (
        over_time(
            "rate",
            [
                (say_ui("trend_mean"), [one.mean_heart_rate_bpm for one in oldest_first]),
                (say_ui("trend_highest"), [one.max_heart_rate_bpm for one in oldest_first]),
                (say_ui("trend_lowest"), [one.min_heart_rate_bpm for one in oldest_first]),
            ],
            say_ui("trend_bpm"),
        ),
        over_time(
            "burdens",
            [
                (say_ui("trend_af"), [100 * one.fibrillation for one in oldest_first]),
                (say_ui("trend_v"), [_percent(one.ventricular) for one in oldest_first]),
                (say_ui("trend_s"), [_percent(one.supraventricular) for one in oldest_first]),
            ],
            say_ui("trend_percent"),
        ),
        over_time(
            "intervals",
            [
                (say_ui("trend_qtc"), [one.intervals_ms.get("qtc_fridericia_ms") for one in oldest_first]),
                (say_ui("trend_pr"), [one.intervals_ms.get("pr_ms") for one in oldest_first]),
                (say_ui("trend_qrs"), [one.intervals_ms.get("qrs_duration_ms") for one in oldest_first]),
            ],
            say_ui("trend_ms"),
        ),
    )
    return HistoryView(tuple(map(_row, history)), tuple(drawn for drawn in trends if drawn is not None))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _moment(one: PastRecording) -> datetime:
    """When it was recorded, or else when it arrived; a recorder's clock without a zone is taken as UTC."""
    return one.start_time.replace(tzinfo=UTC) if one.start_time else one.arrived_at


def _row(one: PastRecording) -> HistoryRow:
    kinds = [UI_TEXTS.get(f"finding_{kind}") or shown(kind.replace("_", " ")).short for kind in one.kinds]
    return HistoryRow(
        report_id="" if one.report_id is None else str(one.report_id),
        recording_id=one.recording_id,
        when=_moment(one).isoformat(" ", "minutes")[:16] + ("" if one.start_time else say_ui("history_arrived")),
        urgent=say_ui("urgent", n=one.n_urgent) if one.n_urgent else "",
        cells=(
            duration(one.duration_s),
            say_ui(f"state_{one.state}"),
            number(one.mean_heart_rate_bpm),
            percent(one.ventricular),
            percent(one.supraventricular),
            percent(one.fibrillation),
            number(one.longest_pause_s, 1),
            " · ".join(number(one.intervals_ms.get(n)) for n in ("pr_ms", "qrs_duration_ms", "qtc_fridericia_ms")),
        ),
        findings=", ".join(dict.fromkeys(kinds)),
    )


def _trend(at: paper.FloatArray, lines: Sequence[Line], name: str, unit: str) -> Drawing | None:
    """Draw lines over days; None where less than two recordings know any of them."""
    values = [np.array([np.nan if v is None else v for v in line], np.float64) for _, line in lines]
    known = np.isfinite(np.stack(values)).any(axis=0)
    if known.sum() < 2:
        return None
    highest = float(np.nanmax(np.stack(values)))
    top = _round_up(highest)
    span = max(float(at.max() - at.min()), 1.0)
    width, height = WIDTH_MM - LEFT_MM - RIGHT_MM, HEIGHT_MM - TOP_MM - BOTTOM_MM
    x = LEFT_MM + (at - at.min()) / span * width
    levels = [top * share for share in (0, 0.5, 1)]
    rules = "".join(f"M{mm(LEFT_MM)} {mm(_y(level, top, height))}h{mm(width)}" for level in levels)
    shapes, words = [Shape(rules, "rule")], []
    labels: list[tuple[float, float, str, str]] = []
    words += [
        Text(mm(LEFT_MM - 1.5), mm(_y(v, top, height) + 1), number(v, 0 if top >= 4 else 1), "level") for v in levels
    ]
    words.append(Text("1", "3", unit, "label"))
    for place, (label, _) in enumerate(lines):
        y = np.array([_y(v, top, height) for v in values[place]])
        letter, own = _SHAPES[place], np.isfinite(y)
        if not own.any():
            continue
        shapes.append(Shape(paper.path(x[own], y[own]), f"line c{letter}"))
        marks = "".join(f"M{mm(a)} {mm(b)}{paper.MARK_SHAPES[letter]}" for a, b in zip(x[own], y[own], strict=True))
        shapes.append(Shape(marks, f"mark c{letter}"))
        labels.append((float(y[own][-1]), float(x[own][-1]), label, letter))
    below = -np.inf
    for label_y, label_x, label, letter in sorted(labels):
        # Lines that end at the same place have their names one below the other.
        below = max(label_y, below + LABEL_MM)
        words.append(Text(mm(label_x + 2.5), mm(below + 1), label, f"label t{letter}"))
    for place_x, day in ((x[0], at.min()), (x[-1], at.max())):
        date = datetime.fromtimestamp(float(day) * _SECONDS_A_DAY, UTC).date().isoformat()
        words.append(Text(mm(float(place_x)), mm(HEIGHT_MM - 1.5), date, "hour"))
    return Drawing(mm(WIDTH_MM), mm(HEIGHT_MM), name, (), tuple(shapes), tuple(words))


def _y(value: float, top: float, height: float) -> float:
    return TOP_MM + height * (1 - value / top)


def _round_up(value: float) -> float:
    """Return a round number that is not below a value."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** np.floor(np.log10(value))
    return float(next(unit * step for step in (1, 2, 4, 5, 10) if unit * step >= value))
