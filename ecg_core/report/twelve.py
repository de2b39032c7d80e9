"""The usual page of a resting ECG: twelve leads in three rows of four, and a rhythm lead below."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.recording import FloatArray
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.view import Drawing, Shape, StripView, Text
from ecg_core.report.wording import Clock
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.texts import say

ROWS: Final = (("I", "AVR", "V1", "V4"), ("II", "AVL", "V2", "V5"), ("III", "AVF", "V3", "V6"))
RHYTHM_LEAD: Final = "II"
COLUMN_S: Final = 2.5
PAGE_S: Final = 10.0
ROW_MM: Final = 30.0
TOP_MM: Final = 5.0


def twelve_leads(result: Result, row_mm: float = ROW_MM) -> StripView | None:
    """Draw the first ten seconds of all leads at once; None where one of the twelve is missing and cannot be derived.

    Parameters
    ----------
    result : Result
    row_mm : float
        Paper that each row has.
    """
    signals = _signals(result)
    if signals is None or result.signal_mv.shape[0] == 0:
        return None
    width = paper.CALIBRATION_MM + PAGE_S * paper.MM_PER_S + paper.MARGIN_MM
    height = TOP_MM + (len(ROWS) + 1) * row_mm + paper.MAJOR_MM
    shapes = [
        Shape(paper.grid(width, height, paper.MINOR_MM), "minor"),
        Shape(paper.grid(width, height, paper.MAJOR_MM), "major"),
    ]
    words: list[Text] = []
    baselines = [TOP_MM + (place + 0.6) * row_mm for place in range(len(ROWS) + 1)]
    for baseline, row in zip(baselines, ROWS, strict=False):
        for quarter, name in enumerate(row):
            piece = _piece(signals[name], quarter * COLUMN_S, COLUMN_S)
            _draw(piece, _name(name), baseline, quarter * COLUMN_S, height, shapes, words)
    _draw(_piece(signals[RHYTHM_LEAD], 0.0, PAGE_S), RHYTHM_LEAD, baselines[-1], 0.0, height, shapes, words)
    shapes += [Shape(paper.pulse(baseline), "pulse") for baseline in baselines]
    drawing = Drawing(mm(width), mm(height), say("twelve_name"), (), tuple(shapes), tuple(words))
    return StripView(
        anchor="twelve",
        start_s="",
        title=say("twelve_title"),
        place=say("twelve_place", time=Clock(result.recording.start_time).at(0.0)),
        drawing=drawing,
        description=say("twelve_text"),
        notes=(),
    )


def _signals(result: Result) -> dict[str, FloatArray] | None:
    """Signal of each lead by its name in capitals; limb leads that are missing follow from I and II (Einthoven)."""
    names = [name.strip().upper() for name in result.recording.lead_names]
    found = {name: result.signal_mv[:, i] for i, name in reversed(list(enumerate(names)))}
    if "II" in found and "III" in found:
        found.setdefault("I", found["II"] - found["III"])
    if "I" in found and "III" in found:
        found.setdefault("II", found["I"] + found["III"])
    if "I" in found and "II" in found:
        one, two = found["I"], found["II"]
        derived = {"III": two - one, "AVR": -(one + two) / 2, "AVL": one - two / 2, "AVF": two - one / 2}
        found = derived | found
    return found if all(name in found for row in ROWS for name in row) else None


def _name(lead: str) -> str:
    return lead.replace("AV", "aV")


def _piece(signal: FloatArray, start_s: float, length_s: float) -> FloatArray:
    first = round(start_s * ANALYSIS_RATE_HZ)
    return signal[first : first + round(length_s * ANALYSIS_RATE_HZ)]


def _draw(
    piece: FloatArray,
    name: str,
    baseline_mm: float,
    start_s: float,
    height_mm: float,
    shapes: list[Shape],
    words: list[Text],
) -> None:
    left = paper.CALIBRATION_MM + start_s * paper.MM_PER_S
    x = left + np.arange(piece.size) * (paper.MM_PER_S / ANALYSIS_RATE_HZ)
    y = np.clip(baseline_mm - piece.astype(np.float64) * paper.MM_PER_MV, 1.0, height_mm - 1)
    shapes.append(Shape(paper.path(x, y), "trace"))
    if start_s:
        shapes.append(Shape(f"M{mm(left)} {mm(baseline_mm - 4)}v8", "pulse"))
    words.append(Text(mm(left + 1.2), mm(baseline_mm - 9.5), name, "lead"))
