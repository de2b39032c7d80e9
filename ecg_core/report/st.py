"""The ST trend as a chart of each lead against the recording's own middle, and as a table."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.trend import LEFT_MM, SPAN_MM, time_axis
from ecg_core.report.view import Drawing, Shape, StView, Table, Text
from ecg_core.report.wording import Clock, number, shown
from ecg_core.result import Result
from ecg_core.result.st_trend import AFTER_J_MS, StTrend, st_trend
from ecg_core.texts import say

LANE_MM: Final = 16.0
GAP_MM: Final = 5.0
TOP_MM: Final = 2.0
LEAST_MV: Final = 0.1
"""Each lane shows at least so much above and below the lead's middle."""
AXIS_MM: Final = 6.0
_STEPS_MV: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


def st_view(result: Result) -> StView | None:
    """Draw and list the trend; None where it cannot be measured."""
    trend = st_trend(result)
    if trend is None:
        return None
    names = [shown(result.recording.lead_names[lead], 12).short for lead in trend.leads]
    filters = "; ".join(result.recording.stated.filters)
    bandwidth = say("st_filters", filters=shown(filters, 120).short) if filters else say("st_no_filters")
    before, after = (number(abs(ms)) for ms in trend.from_r_ms)
    note = say("st_note", after_j=number(AFTER_J_MS), before=before, after=after, bandwidth=bandwidth)
    return StView(_drawing(result, trend, names), note, say("st_fold"), _table(result, trend, names))


def _drawing(result: Result, trend: StTrend, names: list[str]) -> Drawing:
    duration_s = max(result.recording.duration_s, 1.0)
    moved = trend.level_mv - trend.baseline_mv
    reach = max(LEAST_MV, 1.1 * float(np.nanmax(np.abs(moved))))
    step = next((one for one in _STEPS_MV if reach / one < 3), _STEPS_MV[-1])
    middle_s = np.minimum((np.arange(len(moved)) + 0.5) * trend.window_s, duration_s)
    x = LEFT_MM + middle_s / duration_s * SPAN_MM
    shapes: list[Shape] = []
    words: list[Text] = []
    for lead, name in enumerate(names):
        top = TOP_MM + lead * (LANE_MM + GAP_MM)
        lane_shapes, lane_words = _lane(trend, lead, x, top, reach, step)
        shapes += lane_shapes
        words += [Text("1", mm(top + LANE_MM / 2 + 1), name, "label"), *lane_words]
    bottom = TOP_MM + len(names) * (LANE_MM + GAP_MM)
    axis_shapes, axis_words = time_axis(duration_s, bottom)
    return Drawing(
        width=mm(paper.WIDTH_MM),
        height=mm(bottom + AXIS_MM),
        name=say("st_name"),
        boxes=(),
        shapes=(*axis_shapes, *shapes),
        words=(*words, *axis_words),
    )


def _lane(
    trend: StTrend, lead: int, x: npt.NDArray[np.float64], top: float, reach: float, step: float
) -> tuple[list[Shape], list[Text]]:
    """Draw one lead: quartiles as bars, medians as a line that is broken where nothing could be measured."""

    def y(mv: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        away = np.clip(mv - trend.baseline_mv[lead], -reach, reach)
        return np.asarray(top + LANE_MM / 2 - away / reach * LANE_MM / 2, dtype=np.float64)

    levels = np.arange(-np.floor(reach / step), np.floor(reach / step) + 1) * step
    places = y(levels + trend.baseline_mv[lead])
    rules = "".join(f"M{mm(LEFT_MM)} {mm(place)}h{mm(SPAN_MM)}" for place in places.tolist())
    words = [
        Text(mm(LEFT_MM - 1.5), mm(place + 1), _signed(level), "level")
        for level, place in zip(levels.tolist(), places.tolist(), strict=True)
    ]
    known = np.isfinite(trend.level_mv[:, lead])
    ends = zip(x[known], y(trend.low_mv[known, lead]), y(trend.high_mv[known, lead]), strict=True)
    bars = "".join(f"M{mm(a)} {mm(b)}V{mm(c)}" for a, b, c in ends)
    line = paper.path(x, np.where(known, y(trend.level_mv[:, lead]), np.nan))
    return [Shape(rules, "rule"), Shape(bars, "spread"), Shape(line, "rate")], words


def _signed(mv: float) -> str:
    return "0" if abs(mv) < 1e-9 else f"{mv:+.2g}".replace("-", "−")


def _table(result: Result, trend: StTrend, names: list[str]) -> Table:
    """List what every window measured: the level itself, and in brackets how far it is from the middle."""
    clock = Clock(result.recording.start_time)
    rows = tuple(
        (clock.at(i * trend.window_s), number(int(trend.n_beats[i].max())), *_cells(trend, i))
        for i in range(len(trend.level_mv))
    )
    heads = (say("st_lead", lead=name) for name in names)
    middles = (f"{mv:.2f}".replace("-", "−") for mv in trend.baseline_mv.tolist())
    totals = ((say("st_middle"), number(int(trend.n_beats.max(axis=1).sum())), *middles),)
    return Table(say("st_caption"), (say("st_from"), say("st_beats"), *heads), rows, totals)


def _cells(trend: StTrend, window: int) -> list[str]:
    cells = []
    for lead, level in enumerate(trend.level_mv[window].tolist()):
        away = level - float(trend.baseline_mv[lead])
        cells.append(f"{level:.2f} ({away:+.2f})".replace("-", "−") if np.isfinite(level) else number(None))
    return cells
