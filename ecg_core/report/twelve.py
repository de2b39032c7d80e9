"""The usual page of a resting ECG: twelve leads in three rows of four, and a rhythm lead below."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.recording import FloatArray
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.view import Drawing, Shape, StripView, Text
from ecg_core.report.wording import Clock, shown
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.texts import say

ROWS: Final = (("I", "AVR", "V1", "V4"), ("II", "AVL", "V2", "V5"), ("III", "AVF", "V3", "V6"))
RHYTHM_LEAD: Final = "II"
LINES: Final[tuple[tuple[str, ...], ...]] = (*ROWS, (RHYTHM_LEAD,))
COLUMN_S: Final = 2.5
PAGE_S: Final = 10.0
MOST_MM: Final = 140.0
"""Paper that a sheet across has for it, where nothing else is on the sheet."""
GAINS_MM_PER_MV: Final = ((10.0, 10.0), (10.0, 5.0), (5.0, 5.0), (5.0, 2.5), (2.5, 2.5), (2.5, 1.25))
"""Limb leads and chest leads: the first that keeps the rows apart is drawn, as electrocardiographs do."""
_LEAST_APART_MM: Final = 17.0
_CLEAR_MM: Final = 1.5
_NAME_LEAST_MM: Final = 5.0
_NAME_HIGH_MM: Final = 3.0
_SAMPLE_MM: Final = paper.MM_PER_S / ANALYSIS_RATE_HZ
_NAME_SAMPLES: Final = round(8.0 / _SAMPLE_MM)
_PAGE_SAMPLES: Final = round(PAGE_S * ANALYSIS_RATE_HZ)
_NEAR_SAMPLES: Final = 2 * round(_CLEAR_MM / _SAMPLE_MM) + 1

Line = npt.NDArray[np.float64]


def twelve_leads(result: Result, most_mm: float = MOST_MM) -> StripView | None:
    """Draw the first ten seconds of all leads at once; None where one of the twelve is missing and cannot be derived.

    No row runs over another: each has the paper that its waves need. Where that is more than `most_mm`, the chest
    leads, then the limb leads are drawn at half of the gain, and the chest leads at half of that.

    Parameters
    ----------
    result : Result
    most_mm : float
        Height of paper that there is.
    """
    signals = _signals(result)
    if signals is None or result.signal_mv.shape[0] == 0:
        return None
    for gains in GAINS_MM_PER_MV:
        rows = [_row(signals, names, gains) for names in LINES]
        baselines, height = _placed(rows)
        if height <= most_mm:
            break
    filters = shown("; ".join(result.quality.filters) or say("filters_none"), 400).short
    return StripView(
        anchor="twelve",
        # The leads of a row follow one another on one time axis: what is above is also when it was.
        start_s="0.000",
        title=say("twelve_title"),
        place=say("twelve_place", time=Clock(result.recording.start_time).at(0.0), gain=_gain_text(gains)),
        drawing=_drawing(rows, baselines, height, gains),
        description=say("twelve_text", filters=filters),
        notes=(),
        seconds=f"{PAGE_S:g}",
    )


def _gain_text(gains: tuple[float, float]) -> str:
    limb, chest = (f"{gain:g}" for gain in gains)
    return say("twelve_gain" if limb == chest else "twelve_gains", limb=limb, chest=chest)


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


def _row(signals: dict[str, FloatArray], names: tuple[str, ...], gains: tuple[float, float]) -> Line:
    """Leads of a row one after the other, mm above its zero line, shape (2500,); NaN where the recording has ended."""
    row = np.full(_PAGE_SAMPLES, np.nan)
    for name, place in zip(names, _places(names), strict=True):
        piece = signals[name][place]
        row[place][: piece.size] = piece * gains[name.startswith("V")]
    return row


def _places(names: tuple[str, ...]) -> list[slice]:
    """Give the samples of the page that each lead of a row has."""
    n = _PAGE_SAMPLES // len(names)
    return [slice(k * n, (k + 1) * n) for k in range(len(names))]


def _placed(rows: list[Line]) -> tuple[list[float], float]:
    """Put the rows as near to each other as waves and names allow: zero lines and height of the paper, mm."""
    above = [_above(row, names) for row, names in zip(rows, LINES, strict=True)]
    below = [_around(-row) for row in rows]
    zero_lines = [float(np.ceil(max(above[0].max(), paper.MM_PER_MV) + _CLEAR_MM))]
    for lower, upper in zip(below[:-1], above[1:], strict=True):
        apart = max(float((lower + upper).max()) + _CLEAR_MM, _LEAST_APART_MM)
        zero_lines.append(zero_lines[-1] + float(np.ceil(apart)))
    height = (zero_lines[-1] + float(below[-1].max()) + _CLEAR_MM) / paper.MAJOR_MM
    return zero_lines, float(np.ceil(height)) * paper.MAJOR_MM


def _above(row: Line, names: tuple[str, ...]) -> Line:
    """How far a row reaches above its zero line at each sample, with the names of its leads."""
    reach = _around(row)
    for place in _places(names):
        start = slice(place.start, place.start + _NAME_SAMPLES)
        reach[start] = _name_mm(reach[start]) + _NAME_HIGH_MM
    return reach


def _name_mm(reach: Line) -> float:
    """Height of a lead's name over the zero line: above all that is drawn below it."""
    return float(max(reach.max() + _CLEAR_MM, _NAME_LEAST_MM))


def _around(row: Line) -> Line:
    """Highest value within `_CLEAR_MM` of each sample, and of the zero line."""
    highest: Line = ndimage.maximum_filter1d(np.maximum(np.nan_to_num(row), 0), _NEAR_SAMPLES)
    return highest


def _drawing(rows: list[Line], zero_lines: list[float], height: float, gains: tuple[float, float]) -> Drawing:
    width = paper.CALIBRATION_MM + PAGE_S * paper.MM_PER_S + paper.MARGIN_MM
    shapes = [
        Shape(paper.grid(width, height, paper.MINOR_MM), "minor"),
        Shape(paper.grid(width, height, paper.MAJOR_MM), "major"),
    ]
    words: list[Text] = []
    for row, names, zero in zip(rows, LINES, zero_lines, strict=True):
        shapes.append(Shape(paper.pulse(zero, gains[0]), "pulse"))
        for name, place in zip(names, _places(names), strict=True):
            left = paper.CALIBRATION_MM + place.start * _SAMPLE_MM
            line = row[place]
            shapes.append(Shape(paper.path(left + np.arange(line.size) * _SAMPLE_MM, zero - line), "trace"))
            if place.start:
                shapes.append(Shape(f"M{mm(left)} {mm(zero - 4)}v8", "pulse"))
            above = _name_mm(_around(row)[place][:_NAME_SAMPLES])
            half = " ½" if gains[name.startswith("V")] < gains[0] else ""
            words.append(Text(mm(left + 1.2), mm(zero - above), name.replace("AV", "aV") + half, "lead"))
    return Drawing(mm(width), mm(height), say("twelve_name"), (), tuple(shapes), tuple(words))
