"""Figures of an explained beat: attributions under and over it, its normal counterpart, the features beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.report import paper
from ecg_core.report.methods import BIN_SAMPLES, bin_peaks, bin_sums, method_name
from ecg_core.report.paper import mm
from ecg_core.report.view import Drawing, Shape, Text
from ecg_core.report.waves import BRACKETS_MM, brackets
from ecg_core.report.wording import number, shown, signed
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, SEGMENTS_MS, WINDOW_SAMPLES, ChosenBeat
from ecg_core.result.methods import MAPS, is_signed
from ecg_core.texts import say, say_or

TINTS: Final = 4
WIDTH_MM: Final = 90.0
LEFT_MM: Final = 20.0
MM_PER_MS: Final = 0.067
"""Wider than ECG paper (67 mm/s): these figures have no paper grid, so nobody measures on them by squares."""
WAVE_TOP_MM: Final = 5.0
WAVE_MM: Final = 26.0
BAND_MM: Final = 3.2
BAND_STEP_MM: Final = 3.9
LONGEST_LABEL: Final = 48
"""Characters of a name that fit beside the bars."""
_SCALE_BARS_MV: Final = (5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
TIMES_MS: Final = (np.arange(WINDOW_SAMPLES) - R_INDEX) * 1000 / ANALYSIS_RATE_HZ


class Scale:
    """One vertical scale for all lines of a beat, so that its two figures can be compared."""

    def __init__(self, chosen: ChosenBeat) -> None:
        lines = np.concatenate((chosen.waveform_mv, chosen.counterpart_mv, chosen.template_mv)).astype(np.float64)
        known = lines[np.isfinite(lines)]
        self.high_mv, low_mv = (float(known.max()), float(known.min())) if known.size else (1.0, 0.0)
        self.mm_per_mv = WAVE_MM / max(self.high_mv - low_mv, 0.2)

    def y(self, values_mv: FloatArray) -> npt.NDArray[np.float64]:
        """Millimetres from the figure's top."""
        return np.asarray(
            WAVE_TOP_MM + (self.high_mv - values_mv.astype(np.float64)) * self.mm_per_mv, dtype=np.float64
        )

    def bar(self) -> tuple[Shape, Text]:
        """Draw the scale bar left of the lines: as long as fits into half of the figure."""
        mv = next((mv for mv in _SCALE_BARS_MV if mv * self.mm_per_mv <= WAVE_MM / 2), _SCALE_BARS_MV[-1])
        bottom = WAVE_TOP_MM + WAVE_MM
        bar = f"M{mm(LEFT_MM - 2)} {mm(bottom)}v-{mm(mv * self.mm_per_mv)}"
        return Shape(bar, "scale"), Text(mm(LEFT_MM - 3), mm(bottom), say("why_scale", mv=f"{mv:g}"), "level")


def shape_figure(chosen: ChosenBeat, scale: Scale, methods: Sequence[str], name: str) -> Drawing:
    """Beat over dominant beat, tinted by each method in turn; below it a band for each of them, the first on top."""
    bar, bar_label = scale.bar()
    shapes, bound_words = brackets(chosen.waves_ms, WAVE_TOP_MM + WAVE_MM + 1.0, float(_x(0.0)), MM_PER_MS)
    words = [bar_label, *bound_words]
    y = WAVE_TOP_MM + WAVE_MM + 2.0 + (BRACKETS_MM if shapes else 0.0)
    for method in methods:
        values = chosen.attributions.get(method)
        if values is None:
            continue
        if method in MAPS:
            shapes += _columns(method, values, WAVE_TOP_MM, WAVE_MM, f"over over-{method} ")
        shapes.append(Shape(f"M{mm(LEFT_MM)} {mm(y)}H{mm(_right())}v{mm(BAND_MM)}H{mm(LEFT_MM)}z", "band-frame"))
        shapes += _columns(method, values, y, BAND_MM)
        words.append(Text(mm(LEFT_MM - 1), mm(y + 2.5), say_or(f"band_{method}", method_name(method)), "level"))
        y += BAND_STEP_MM
    frame, frame_words = _frame(y)
    lines = (
        Shape(paper.path(_x(TIMES_MS), scale.y(chosen.template_mv), coarse=True), "dominant"),
        Shape(paper.path(_x(TIMES_MS), scale.y(chosen.waveform_mv), coarse=True), "trace"),
    )
    return Drawing(mm(WIDTH_MM), mm(y + 5.0), name, (), (frame, bar, *shapes, *lines), (*words, *frame_words))


def _columns(method: str, values: FloatArray, top_mm: float, height_mm: float, prefix: str = "") -> list[Shape]:
    """Draw a map as columns of 20 ms in four strengths, equal neighbours joined."""
    strength = bin_sums(values) if is_signed(method) else bin_peaks(values)
    largest = float(np.abs(strength).max()) or 1.0
    level = np.rint(strength / largest * TINTS).astype(np.int64)
    edges = np.append(_x(TIMES_MS[::BIN_SAMPLES][: level.size]), _right())
    starts = np.concatenate(([0], np.flatnonzero(np.diff(level)) + 1))
    ends = np.append(starts[1:], level.size)
    shapes: list[Shape] = []
    for wanted in np.unique(level[level != 0]).tolist():
        kind = "band" if not is_signed(method) else "towards" if wanted > 0 else "against"
        d = "".join(
            f"M{mm(edges[a])} {mm(top_mm)}H{mm(edges[b])}v{mm(height_mm)}H{mm(edges[a])}z"
            for a, b in zip(starts, ends, strict=True)
            if level[a] == wanted
        )
        shapes.append(Shape(d, prefix + kind, f"{abs(wanted) / TINTS * (0.55 if prefix else 0.9):.2f}"))
    return shapes


def counterpart_figure(chosen: ChosenBeat, scale: Scale, name: str) -> Drawing:
    """Lay the beat over the autoencoder's normal counterpart, the difference shaded."""
    bar, bar_label = scale.bar()
    y = WAVE_TOP_MM + WAVE_MM + 2.0
    frame, frame_words = _frame(y)
    x = _x(TIMES_MS)
    beat, counterpart = scale.y(chosen.waveform_mv), scale.y(chosen.counterpart_mv)
    both = np.isfinite(beat) & np.isfinite(counterpart)
    # Every second sample is enough for the shade and for what the autoencoder draws, which is smooth.
    shade = np.flatnonzero(both)[::2]
    shapes = (
        frame,
        Shape(paper.outline(x[shade], beat[shade], counterpart[shade]), "difference"),
        bar,
        Shape(paper.path(x[::2], counterpart[::2], coarse=True), "counterpart"),
        Shape(paper.path(x, beat, coarse=True), "trace"),
    )
    return Drawing(mm(WIDTH_MM), mm(y + 5.0), name, (), shapes, (bar_label, *frame_words))


def context_figure(parts: Sequence[tuple[str, float]], name: str) -> Drawing:
    """Signed bars of named parts, one a row."""
    row, middle, half = 4.6, 68.0, 10.0
    largest = max(abs(value) for _, value in parts) or 1.0
    height = row * len(parts) + 1.0
    shapes = [Shape(f"M{mm(middle)} 0V{mm(height)}", "zero")]
    words: list[Text] = []
    for i, (label, value) in enumerate(parts):
        length = value / largest * half
        y = i * row + 0.8
        shapes.append(
            Shape(f"M{mm(middle)} {mm(y)}h{mm(length)}v3h{mm(-length)}z", "towards" if value > 0 else "against")
        )
        words.append(Text(mm(middle - half - 1.5), mm(y + 2.4), shown(label, LONGEST_LABEL).short, "level"))
        words.append(Text(mm(WIDTH_MM - 1), mm(y + 2.4), signed(value, 2), "level"))
    return Drawing(mm(WIDTH_MM), mm(height), name, (), tuple(shapes), tuple(words))


def _frame(bottom_mm: float) -> tuple[Shape, list[Text]]:
    """Edges of the fixed stretches around the R peak, their names above, milliseconds below."""
    inner = [start for start, _ in list(SEGMENTS_MS.values())[1:]]
    rules = "".join(f"M{mm(float(_x(edge)))} {mm(WAVE_TOP_MM - 1)}V{mm(bottom_mm)}" for edge in inner)
    words = [
        Text(mm(float(_x((start + end) / 2))), "3", say(f"segment_{name}"), "segment")
        for name, (start, end) in SEGMENTS_MS.items()
    ]
    words += [Text(mm(float(_x(ms))), mm(bottom_mm + 3.4), number(ms), "hour") for ms in (-400, -200, 0, 200, 400)]
    words.append(Text(mm(WIDTH_MM - 1), mm(bottom_mm + 3.4), say("why_ms"), "level"))
    return Shape(rules, "rule"), words


def _x(times_ms: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    return np.asarray(LEFT_MM + (np.asarray(times_ms) - TIMES_MS[0]) * MM_PER_MS, dtype=np.float64)


def _right() -> float:
    return float(_x(TIMES_MS[-1]))
