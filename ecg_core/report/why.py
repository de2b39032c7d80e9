"""Why the model said what it said: attributions of the chosen beats as figures and as sentences."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.findings import UNCERTAIN_BELOW
from ecg_core.report.paper import mm
from ecg_core.report.texts import say, say_or
from ecg_core.report.view import Box, Drawing, Shape, Table, Text, WhyCard, WhyView
from ecg_core.report.waves import BRACKETS_MM, brackets, measured_in
from ecg_core.report.wording import Clock, number, percent, shown, signed
from ecg_core.result import ANALYSIS_RATE_HZ, R_INDEX, SEGMENTS_MS, WINDOW_SAMPLES, ChosenBeat, FloatArray, Result

METHODS: Final = ("shap", "gradcam", "saliency")
"""Methods that can be laid over the beat, in the order in which they are offered."""
TINTS: Final = 4
WIDTH_MM: Final = 90.0
LEFT_MM: Final = 13.0
MM_PER_MS: Final = 0.073
"""Wider than ECG paper (73 mm/s): these figures have no paper grid, so nobody measures on them by squares."""
WAVE_TOP_MM: Final = 5.0
WAVE_MM: Final = 30.0
SHAP_MM: Final = 16.0
BAND_MM: Final = 3.4
BIN_SAMPLES: Final = 5
"""Attributions are drawn in bins of 20 ms: finer detail is noise of the method."""
MOST_FEATURES: Final = 6
PARTS_IN_SENTENCE: Final = 3
SMALLEST_PART: Final = 0.05
"""Log-odds; what moved the answer less is not worth a word."""
ODD_DEVIATION: Final = 3.0
_SCALE_BARS_MV: Final = (5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
_TIMES_MS: Final = (np.arange(WINDOW_SAMPLES) - R_INDEX) * 1000 / ANALYSIS_RATE_HZ


def explain(result: Result) -> WhyView:
    """Cards of the chosen beats, and where the attributions of all beats lay."""
    present = {method for chosen in result.chosen for method in chosen.attributions}
    offered = [method for method in METHODS if method in present]
    return WhyView(
        tuple((method, say(f"method_{method}")) for method in offered),
        tuple(_card(result, chosen) for chosen in result.chosen),
        _segment_table(result),
    )


def _card(result: Result, chosen: ChosenBeat) -> WhyCard:
    table = result.beats
    row = chosen.beat_index
    letter = CLASSES[int(table.class_index[row])]
    time = Clock(result.recording.start_time).at(float(table.r_time_s[row]))
    reason = say_or(f"reason_{chosen.reason.replace(' ', '_')}", shown(chosen.reason).short)
    scale = _Scale(chosen)
    bars, rest = _context_parts(chosen)
    return WhyCard(
        title=say("why_title", letter=letter, time=time),
        place=say("why_reason", reason=reason, letter=letter),
        letter=letter,
        shape=paper.MARK_SHAPES[letter],
        sentences=tuple(_sentences(result, chosen, letter)),
        shape_figure=_shape_figure(chosen, scale, say("shape_figure_name", letter=letter, time=time)),
        counterpart_figure=_counterpart_figure(chosen, scale, say("counterpart_figure_name", letter=letter, time=time)),
        context_figure=_context_figure([*bars, *rest], say("context_figure_name", letter=letter)) if bars else None,
        context_text="; ".join(f"{name} {signed(value, 2)}" for name, value in [*bars, *rest]),
    )


def _sentences(result: Result, chosen: ChosenBeat, letter: str) -> list[str]:
    table = result.beats
    row = chosen.beat_index
    probabilities = np.nan_to_num(table.probabilities[row].astype(np.float64), nan=-1.0)
    called = float(table.probabilities[row, table.class_index[row]])
    probabilities[table.class_index[row]] = -2.0
    other = int(probabilities.argmax())
    sentences = [
        say(
            "why_called",
            letter=letter,
            name=say(f"class_{letter}"),
            p=_probability(called),
            other=CLASSES[other],
            q=_probability(float(table.probabilities[row, other])),
        )
    ]
    if not called >= UNCERTAIN_BELOW:
        sentences.append(say("why_uncertain"))
    if not table.analysable[row]:
        sentences.append(say("why_not_analysable"))
    sentences.append(measured_in(result, chosen))
    sentences += _moved(chosen, letter)
    z = float(table.deviation[row])
    if np.isfinite(z):
        odd = say("why_odd") if z >= ODD_DEVIATION else say("why_within") if z < 2 else ""
        sentences.append(say("why_deviation", z=number(z, 1), odd=odd))
    return sentences


def _moved(chosen: ChosenBeat, letter: str) -> list[str]:
    """Say what raised and what lowered the log-odds, largest first: shape by segment, rhythm by feature."""
    if "shap" not in chosen.attributions:
        return [say("why_no_shap")]
    parts = [(say(f"part_{name}"), value) for name, value in _segment_sums(chosen.attributions["shap"]).items()]
    parts += [(_feature_name(name), float(value)) for name, value in chosen.context_shap.items()]
    parts = [part for part in parts if np.isfinite(part[1]) and abs(part[1]) >= SMALLEST_PART]
    parts.sort(key=lambda part: (-abs(part[1]), part[0]))
    sentences: list[str] = []
    for key, wanted in (("why_towards", 1.0), ("why_against", -1.0)):
        told = [part for part in parts if part[1] * wanted > 0][:PARTS_IN_SENTENCE]
        if told:
            listed = "; ".join(say("why_part", name=name, value=signed(value)) for name, value in told)
            sentences.append(say(key, letter=letter, parts=listed))
    return sentences


class _Scale:
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


def _x(times_ms: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    return np.asarray(LEFT_MM + (np.asarray(times_ms) - _TIMES_MS[0]) * MM_PER_MS, dtype=np.float64)


def _shape_figure(chosen: ChosenBeat, scale: _Scale, name: str) -> Drawing:
    """Beat over dominant beat; below it SHAP as signed bars, then a band for each other method."""
    wave_bottom = WAVE_TOP_MM + WAVE_MM
    bar, bar_label = scale.bar()
    bounds, bound_words = brackets(chosen.waves_ms, wave_bottom + 1.0, float(_x(0.0)), MM_PER_MS)
    shapes = [bar, *bounds]
    boxes: list[Box] = []
    words = [bar_label, *bound_words]
    y = wave_bottom + 2.0 + (BRACKETS_MM if bounds else 0.0)
    if "shap" in chosen.attributions:
        shap_shapes, shap_words = _shap_bars(chosen.attributions["shap"], y)
        shapes += shap_shapes
        words += shap_words
        y += SHAP_MM + 1.5
    known = [method for method in ("gradcam", "saliency") if method in chosen.attributions]
    others = sorted(set(chosen.attributions) - {"shap", "gradcam", "saliency"})
    for method in (*known, *others):
        boxes += _band(chosen.attributions[method], y)
        label = say_or(f"method_{method}", shown(method, 10).short)
        words.append(Text(mm(LEFT_MM - 1), mm(y + 2.5), label, "level"))
        y += BAND_MM + 1.0
    frame, frame_words = _segment_frame(y)
    lines = [
        Shape(paper.path(_x(_TIMES_MS), scale.y(chosen.template_mv)), "dominant"),
        Shape(paper.path(_x(_TIMES_MS), scale.y(chosen.waveform_mv)), "trace"),
    ]
    return Drawing(
        width=mm(WIDTH_MM),
        height=mm(y + 5.0),
        name=name,
        boxes=tuple(boxes),
        shapes=(*_tints(chosen), frame, *shapes, *lines),
        words=(*words, *frame_words),
    )


def _tints(chosen: ChosenBeat) -> list[Shape]:
    """Lay each method over the beat as tinted columns of 20 ms; the page shows those of one method at a time."""
    shapes: list[Shape] = []
    width = mm(BIN_SAMPLES * 1000 / ANALYSIS_RATE_HZ * MM_PER_MS)
    for method in METHODS:
        values = chosen.attributions.get(method)
        if values is None:
            continue
        strength = _bin_sums(values) if method == "shap" else _bin_peaks(values)
        largest = float(np.abs(strength).max()) or 1.0
        level = np.rint(strength / largest * TINTS).astype(np.int64)
        left = _x(_TIMES_MS[::BIN_SAMPLES][: level.size])
        for wanted in np.unique(level[level != 0]).tolist():
            kind = "band" if method != "shap" else "towards" if wanted > 0 else "against"
            d = "".join(
                f"M{mm(float(x))} {mm(WAVE_TOP_MM)}h{width}v{mm(WAVE_MM)}h-{width}z" for x in left[level == wanted]
            )
            shapes.append(Shape(d, f"over over-{method} {kind}", f"{abs(wanted) / TINTS * 0.55:.2f}"))
    return shapes


def _counterpart_figure(chosen: ChosenBeat, scale: _Scale, name: str) -> Drawing:
    bar, bar_label = scale.bar()
    y = WAVE_TOP_MM + WAVE_MM + 2.0
    frame, frame_words = _segment_frame(y)
    x = _x(_TIMES_MS)
    beat, counterpart = scale.y(chosen.waveform_mv), scale.y(chosen.counterpart_mv)
    both = np.isfinite(beat) & np.isfinite(counterpart)
    shapes = (
        frame,
        Shape(paper.outline(x[both], beat[both], counterpart[both]), "difference"),
        bar,
        Shape(paper.path(x, counterpart), "counterpart"),
        Shape(paper.path(x, beat), "trace"),
    )
    return Drawing(mm(WIDTH_MM), mm(y + 5.0), name, (), shapes, (bar_label, *frame_words))


def _segment_frame(bottom_mm: float) -> tuple[Shape, list[Text]]:
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


def _shap_bars(values: FloatArray, top_mm: float) -> tuple[list[Shape], list[Text]]:
    """Signed bars around a zero line: up and orange towards the class, down and blue against it."""
    sums = _bin_sums(values)
    largest = float(np.abs(sums).max()) or 1.0
    zero = top_mm + SHAP_MM / 2
    height = sums / largest * (SHAP_MM / 2)
    left = _x(_TIMES_MS[::BIN_SAMPLES][: sums.size])
    width = mm(BIN_SAMPLES * 1000 / ANALYSIS_RATE_HZ * MM_PER_MS - 0.2)
    shapes = [Shape(f"M{mm(LEFT_MM)} {mm(zero)}H{mm(float(_x(_TIMES_MS[-1])))}", "zero")]
    for kind, sign in (("towards", 1), ("against", -1)):
        bars = "".join(
            f"M{mm(a)} {mm(zero)}v{mm(-h)}h{width}v{mm(h)}z"
            for a, h in zip(left, height, strict=True)
            if h * sign > 0.02
        )
        if bars:
            shapes.append(Shape(bars, kind))
    words = [
        Text(mm(LEFT_MM - 1), mm(zero + 1), say("method_shap"), "level"),
        Text(mm(LEFT_MM - 1), mm(top_mm + 2), signed(largest, 2), "level"),
        Text(mm(LEFT_MM - 1), mm(top_mm + SHAP_MM), signed(-largest, 2), "level"),
    ]
    return shapes, words


def _band(values: FloatArray, top_mm: float) -> list[Box]:
    """Draw an unsigned attribution as one row of shades, equal neighbours joined."""
    shades = np.clip(np.rint(_bin_peaks(values) * 20) / 20, 0, 1)
    edges = np.append(_x(_TIMES_MS[::BIN_SAMPLES][: shades.size]), _x(_TIMES_MS[-1]))
    starts = np.concatenate(([0], np.flatnonzero(np.diff(shades)) + 1)).tolist()
    ends = [*starts[1:], shades.size]
    outline = Box(mm(LEFT_MM), mm(top_mm), mm(float(edges[-1]) - LEFT_MM), mm(BAND_MM), "band-frame")
    boxes = [
        Box(mm(edges[a]), mm(top_mm), mm(edges[b] - edges[a]), mm(BAND_MM), "band", f"{shades[a]:.2f}")
        for a, b in zip(starts, ends, strict=True)
        if shades[a] > 0
    ]
    return [outline, *boxes]


def _context_parts(chosen: ChosenBeat) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Give the features that moved most, and the others as one sum: the bars still add up."""
    known = [(_feature_name(name), float(value)) for name, value in chosen.context_shap.items() if np.isfinite(value)]
    known.sort(key=lambda part: (-abs(part[1]), part[0]))
    rest = known[MOST_FEATURES:]
    other = [(say("context_other", n=len(rest)), sum(value for _, value in rest))] if rest else []
    return known[:MOST_FEATURES], other


def _context_figure(parts: list[tuple[str, float]], name: str) -> Drawing:
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
        words.append(Text(mm(middle - half - 1.5), mm(y + 2.4), shown(label, 44).short, "level"))
        words.append(Text(mm(WIDTH_MM - 1), mm(y + 2.4), signed(value, 2), "level"))
    return Drawing(mm(WIDTH_MM), mm(height), name, (), tuple(shapes), tuple(words))


def _segment_table(result: Result) -> Table | None:
    """Mean share of each method's attribution in each stretch, for each class that occurs."""
    if not result.attributions or not result.beats.analysable.any():
        return None
    attributions = sorted(result.attributions, key=lambda attribution: attribution.method)
    columns = [
        say(
            "segments_column",
            method=say_or(f"method_{attribution.method}", shown(attribution.method).short),
            segment=say(f"segment_{segment}"),
        )
        for attribution in attributions
        for segment in SEGMENTS_MS
    ]
    rows: list[tuple[str, ...]] = []
    for index, letter in enumerate(CLASSES):
        mask = result.beats.analysable & (result.beats.class_index == index)
        # Those of normal beats are not kept, and what is not kept could not be printed again.
        if letter != "N" and mask.any():
            shares = np.concatenate([_mean_shares(a.segment_shares[mask]) for a in attributions])
            rows.append((letter, *(percent(float(share), 0) for share in shares)))
    if not rows:
        return None
    return Table(say("segments_caption"), (say("column_class"), *columns), tuple(rows))


def _mean_shares(shares: FloatArray) -> npt.NDArray[np.float64]:
    known = shares[np.isfinite(shares).all(axis=1)].astype(np.float64)
    return known.mean(axis=0) if known.size else np.full(len(SEGMENTS_MS), np.nan)


def _segment_sums(values: FloatArray) -> dict[str, float]:
    return {
        name: float(np.nansum(values[(start <= _TIMES_MS) & (end > _TIMES_MS)].astype(np.float64)))
        for name, (start, end) in SEGMENTS_MS.items()
    }


def _bin_sums(values: FloatArray) -> npt.NDArray[np.float64]:
    known = np.nan_to_num(values.astype(np.float64))
    return np.asarray(np.add.reduceat(known, np.arange(0, known.size, BIN_SAMPLES)), dtype=np.float64)


def _bin_peaks(values: FloatArray) -> npt.NDArray[np.float64]:
    known = np.nan_to_num(values.astype(np.float64))
    return np.asarray(np.maximum.reduceat(known, np.arange(0, known.size, BIN_SAMPLES)), dtype=np.float64)


def _feature_name(name: str) -> str:
    return say_or(f"feature_{name}", shown(name.replace("_", " ")).short)


def _probability(value: float) -> str:
    """Two decimals, but never 1.00 or 0.00 for what is not certain."""
    if 0.995 <= value < 1:
        return ">0.99"
    if 0 < value < 0.005:
        return "<0.01"
    return number(value, 2)
