"""The usual page of a resting ECG: twelve leads in three rows of four, and a rhythm lead below."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.strips import LEAD_CHARACTERS
from ecg_core.report.view import Drawing, Shape, StripView, Text
from ecg_core.report.wording import Clock, shown
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.texts import say

ROWS: Final = (("I", "AVR", "V1", "V4"), ("II", "AVL", "V2", "V5"), ("III", "AVF", "V3", "V6"))
RHYTHM_LEAD: Final = "II"
COLUMN_S: Final = 2.5
PAGE_S: Final = 10.0
ROW_MM: Final = 30.0
TOP_MM: Final = 5.0


def twelve_leads(result: Result) -> StripView | None:
    """Draw the first ten seconds of all leads at once; None where one of the twelve leads is missing."""
    columns = _columns(result)
    if columns is None or result.signal_mv.shape[0] == 0:
        return None
    width = paper.CALIBRATION_MM + PAGE_S * paper.MM_PER_S + paper.MARGIN_MM
    height = TOP_MM + (len(ROWS) + 1) * ROW_MM + paper.MAJOR_MM
    shapes = [
        Shape(paper.grid(width, height, paper.MINOR_MM), "minor"),
        Shape(paper.grid(width, height, paper.MAJOR_MM), "major"),
    ]
    words: list[Text] = []
    for place, row in enumerate(ROWS):
        for quarter, name in enumerate(row):
            _draw(result, columns[name], place, quarter * COLUMN_S, COLUMN_S, shapes, words)
    _draw(result, columns[RHYTHM_LEAD], len(ROWS), 0.0, PAGE_S, shapes, words)
    baselines = [TOP_MM + (place + 0.6) * ROW_MM for place in range(len(ROWS) + 1)]
    shapes += [Shape(paper.pulse(baseline), "pulse") for baseline in baselines]
    drawing = Drawing(mm(width), mm(height), say("twelve_name"), (), tuple(shapes), tuple(words))
    return StripView(
        anchor="twelve",
        title=say("twelve_title"),
        place=say("twelve_place", time=Clock(result.recording.start_time).at(0.0)),
        drawing=drawing,
        description=say("twelve_text"),
        notes=(),
    )


def _columns(result: Result) -> dict[str, int] | None:
    found = {name.strip().upper(): i for i, name in reversed(list(enumerate(result.recording.lead_names)))}
    wanted = [name for row in ROWS for name in row]
    return {name: found[name] for name in wanted} if all(name in found for name in wanted) else None


def _draw(
    result: Result, lead: int, place: int, start_s: float, length_s: float, shapes: list[Shape], words: list[Text]
) -> None:
    first = round(start_s * ANALYSIS_RATE_HZ)
    piece = result.signal_mv[first : first + round(length_s * ANALYSIS_RATE_HZ), lead].astype(np.float64)
    baseline = TOP_MM + (place + 0.6) * ROW_MM
    left = paper.CALIBRATION_MM + start_s * paper.MM_PER_S
    x = left + np.arange(piece.size) * (paper.MM_PER_S / ANALYSIS_RATE_HZ)
    y = np.clip(baseline - piece * paper.MM_PER_MV, 1.0, TOP_MM + (len(ROWS) + 1) * ROW_MM + 4)
    shapes.append(Shape(paper.path(x, y), "trace"))
    if start_s:
        shapes.append(Shape(f"M{mm(left)} {mm(baseline - 4)}v8", "pulse"))
    name = shown(result.recording.lead_names[lead], LEAD_CHARACTERS).short
    words.append(Text(mm(left + 1.2), mm(baseline - 11), name, "lead"))
