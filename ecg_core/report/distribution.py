"""How the intervals lie: a histogram, and each interval against the one before (Poincaré)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.report.paper import mm
from ecg_core.report.view import Distribution, Drawing, Fact, Shape, Text
from ecg_core.report.wording import Shown, number, percent
from ecg_core.result import Result
from ecg_core.result.variability import intervals, variability
from ecg_core.texts import say, say_count

WIDTH_MM: Final = 88.0
HEIGHT_MM: Final = 58.0
LEFT_MM: Final = 10.0
TOP_MM: Final = 3.0
BOTTOM_MM: Final = 9.0
BIN_MS: Final = 20.0
CELL_MM: Final = 0.6
FEWEST: Final = 5
_LIMITS_MS: Final = (200.0, 2400.0)
_TICK_STEPS_MS: Final = (50, 100, 200, 400)


def distribution(result: Result) -> Distribution | None:
    """Draw both figures; None where there are too few intervals."""
    rr_ms, known, normal = intervals(result)
    if int(known.sum()) < FEWEST:
        return None
    clipped = np.clip(rr_ms, *_LIMITS_MS)
    low = np.floor(clipped[known].min() / 100) * 100
    high = max(np.ceil((clipped[known].max() + 1) / 100) * 100, low + 400)
    measures, note = _measures(result)
    return Distribution(
        histogram=_histogram(clipped, known, normal, low, high),
        histogram_text=say(
            "histogram_text",
            n=number(int(known.sum())),
            middle=number(float(np.median(rr_ms[known]))),
            low=number(float(np.quantile(rr_ms[known], 0.05))),
            high=number(float(np.quantile(rr_ms[known], 0.95))),
        ),
        poincare=_poincare(clipped, known, normal, low, high),
        poincare_text=say("poincare_text"),
        measures=measures,
        note=note,
    )


def _measures(result: Result) -> tuple[tuple[Fact, ...], str]:
    found = variability(result)
    if found is None:
        return (), say("hrv_none")
    ms = [("mean_nn", found.mean_nn_ms), ("sdnn", found.sdnn_ms), ("rmssd", found.rmssd_ms)]
    facts = [Fact(say(f"hrv_{key}"), Shown(say("hrv_ms", value=number(value)), "")) for key, value in ms]
    facts.append(Fact(say("hrv_pnn50"), Shown(percent(found.pnn50), "")))
    ratio = number(found.lf_hf, 2) if found.windows else say("hrv_too_short")
    facts.append(Fact(say("hrv_lf_hf"), Shown(ratio, "")))
    note = say("hrv_note", n=number(found.n), share=percent(found.share))
    if found.windows:
        note = f"{note} {say_count('hrv_windows', found.windows)}"
    return tuple(facts), note


class _Frame:
    """Maps milliseconds to the figure."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.across = WIDTH_MM - LEFT_MM - 2
        self.down = HEIGHT_MM - TOP_MM - BOTTOM_MM

    def x(self, ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return LEFT_MM + (ms - self.low) / (self.high - self.low) * self.across

    def y(self, ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return TOP_MM + (self.high - ms) / (self.high - self.low) * self.down

    def ticks(self) -> npt.NDArray[np.float64]:
        step = next((s for s in _TICK_STEPS_MS if (self.high - self.low) / s <= 8), _TICK_STEPS_MS[-1])
        return np.arange(np.ceil(self.low / step) * step, self.high + 1, step)

    def axis(self) -> tuple[Shape, list[Text]]:
        bottom = TOP_MM + self.down
        places = self.x(self.ticks())
        rules = "".join(f"M{mm(x)} {mm(TOP_MM)}V{mm(bottom)}" for x in places)
        words = [Text(mm(x), mm(bottom + 3.4), f"{ms:.0f}", "hour") for x, ms in zip(places, self.ticks(), strict=True)]
        words.append(Text(mm(LEFT_MM + self.across / 2), mm(bottom + 7.2), say("rr_axis"), "hour"))
        return Shape(f"{rules}M{mm(LEFT_MM)} {mm(bottom)}h{mm(self.across)}", "rule"), words


def _histogram(
    rr_ms: npt.NDArray[np.float64],
    known: npt.NDArray[np.bool_],
    normal: npt.NDArray[np.bool_],
    low: float,
    high: float,
) -> Drawing:
    """Bars of 20 ms: between normal beats, and on top of them all others."""
    frame = _Frame(low, high)
    edges = np.arange(low, high + BIN_MS, BIN_MS)
    of_normal = np.histogram(rr_ms[normal], edges)[0].astype(np.float64)
    of_all = np.histogram(rr_ms[known], edges)[0].astype(np.float64)
    most = float(of_all.max()) or 1.0
    zero = TOP_MM + frame.down
    left = frame.x(edges[:-1])
    width = mm(frame.across * BIN_MS / (high - low) - 0.15)
    axis, words = frame.axis()
    shapes = [axis]
    for kind, base, top in (("bar-normal", np.zeros_like(of_all), of_normal), ("bar-other", of_normal, of_all)):
        bars = "".join(
            f"M{mm(x)} {mm(zero - a / most * frame.down)}v{mm(-(b - a) / most * frame.down)}h{width}"
            f"v{mm((b - a) / most * frame.down)}z"
            for x, a, b in zip(left, base, top, strict=True)
            if b > a
        )
        if bars:
            shapes.append(Shape(bars, kind))
    words += [
        Text(mm(LEFT_MM - 1), mm(TOP_MM + 2), number(most), "level"),
        Text(mm(LEFT_MM - 1), mm(zero), "0", "level"),
    ]
    return Drawing(mm(WIDTH_MM), mm(HEIGHT_MM), say("histogram_name"), (), tuple(shapes), tuple(words))


def _poincare(
    rr_ms: npt.NDArray[np.float64],
    known: npt.NDArray[np.bool_],
    normal: npt.NDArray[np.bool_],
    low: float,
    high: float,
) -> Drawing:
    """One small square for each occupied cell, so that a day stays small; darker where more intervals fall."""
    frame = _Frame(low, high)
    pair = known[1:] & known[:-1]
    both_normal = (normal[1:] & normal[:-1])[pair]
    x, y = frame.x(rr_ms[:-1][pair]), frame.y(rr_ms[1:][pair])
    axis, words = frame.axis()
    # The same interval twice lies on this line.
    diagonal = f"M{mm(LEFT_MM)} {mm(TOP_MM + frame.down)}L{mm(LEFT_MM + frame.across)} {mm(TOP_MM)}"
    shapes = [axis, Shape(diagonal, "zero")]
    for kind, mask in (("dots-normal", both_normal), ("dots-other", ~both_normal)):
        shapes += _cells(x[mask], y[mask], kind)
    places = frame.y(frame.ticks())
    words += [
        Text(mm(LEFT_MM - 1), mm(y_mm + 1), f"{ms:.0f}", "level")
        for y_mm, ms in zip(places, frame.ticks(), strict=True)
    ]
    return Drawing(mm(WIDTH_MM), mm(HEIGHT_MM), say("poincare_name"), (), tuple(shapes), tuple(words))


def _cells(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], kind: str) -> list[Shape]:
    if x.size == 0:
        return []
    cell = np.column_stack((np.floor(x / CELL_MM), np.floor(y / CELL_MM))).astype(np.int64)
    occupied, counts = np.unique(cell, axis=0, return_counts=True)
    level = np.digitize(counts / counts.max(), (0.05, 0.3))
    half = CELL_MM / 2
    shapes: list[Shape] = []
    for strength, wanted in (("0.4", 0), ("0.7", 1), ("1", 2)):
        places = occupied[level == wanted] * CELL_MM + half
        if places.size:
            d = "".join(f"M{mm(a)} {mm(b)}h.01" for a, b in places)
            shapes.append(Shape(d, kind, strength))
    return shapes
