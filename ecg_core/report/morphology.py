"""The forms of V: a table with their counts, and beats of each over one another."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.recording import FloatArray
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.view import Drawing, EpisodeRow, FormFigure, FormsView, Shape, Text
from ecg_core.report.wording import Clock, number, percent, shown
from ecg_core.result import ANALYSIS_RATE_HZ, Result
from ecg_core.result.morphologies import BEFORE_S, Morphologies, Morphology, cut_beats, evenly, morphologies
from ecg_core.texts import say, say_count

DRAWN: Final = 8
"""Beats of a form that are drawn, evenly over it."""
DRAWN_LEADS: Final = 2
WIDTH_MM: Final = 44.0
MM_PER_S: Final = 50.0
MOST_MM_PER_MV: Final = 10.0
HEIGHT_MM: Final = 36.0
_LEFT_MM: Final = 3.0
_TOP_MM: Final = 3.0
_LETTERS: Final = "ABCDEFGHIJKLMNOP"
_LARGE: Final = 0.03
_WHERE_S: Final = 1.0


def forms_view(result: Result) -> FormsView | None:
    """Tell the forms of V; None where there are fewer than two V beats."""
    found = morphologies(result)
    n = sum(one.rows.size for one in found.found) + found.single.size
    if n < 2:
        return None
    columns = tuple(say(f"form_{name}") for name in ("first", "name", "beats", "share", "coupling"))
    rows = [_row(result, one.rows, say("form_called", letter=_LETTERS[i]), n) for i, one in enumerate(found.found)]
    if found.single.size:
        rows.append(_row(result, found.single, say("form_single"), n))
    return FormsView(
        caption=_caption(found, n),
        columns=columns,
        rows=tuple(rows),
        figures=_figures(result, found, n),
        note=_note(result, found),
    )


def _caption(found: Morphologies, n: int) -> str:
    caption = say_count("form_caption", len(found.found), total=number(n))
    return caption + say("form_caption_single", n=number(found.single.size)) if found.single.size else caption


def _note(result: Result, found: Morphologies) -> str:
    sorted_by = say("form_note", leads=", ".join(_lead(result, lead) for lead in found.leads))
    return " ".join((sorted_by, say("form_note_drawn", drawn=number(DRAWN)))) if found.found else sorted_by


def _lead(result: Result, lead: int) -> str:
    return shown(result.recording.lead_names[lead], 12).short


def _row(result: Result, rows: npt.NDArray[np.int64], name: str, n: int) -> EpisodeRow:
    at_s = float(result.beats.r_time_s[rows[0]])
    coupling = result.beats.rr_prev_ms[rows]
    coupling = coupling[np.isfinite(coupling)]
    return EpisodeRow(
        at_s=f"{max(0.0, at_s - _WHERE_S):.3f}",
        end_s=f"{at_s + _WHERE_S:.3f}",
        kind="",
        href="#disclosure",
        time=Clock(result.recording.start_time).at(at_s),
        cells=(
            name,
            number(int(rows.size)),
            percent(rows.size / n),
            say("form_ms", value=number(float(np.median(coupling)))) if coupling.size else number(None),
        ),
    )


def _figures(result: Result, found: Morphologies, n: int) -> tuple[FormFigure, ...]:
    """Draw the forms on one scale, so that they can be compared."""
    leads = found.leads[:DRAWN_LEADS]
    averages = [one.average_mv[:, : len(leads)] for one in found.found]
    if not averages:
        return ()
    # The scale is that of the large ones: what is two beats of noise runs over its figure's edge.
    large = [average for average, one in zip(averages, found.found, strict=True) if one.rows.size >= _LARGE * n]
    high = np.max([average.max(axis=0) for average in large or averages], axis=0)
    low = np.min([average.min(axis=0) for average in large or averages], axis=0)
    mm_per_mv = min(MOST_MM_PER_MV, (HEIGHT_MM - 2 * _TOP_MM) / max(float((high - low).sum()), 0.5))
    # Each lead's zero line, one under the other.
    zeros = _TOP_MM + mm_per_mv * (np.concatenate(([0.0], np.cumsum(high - low)[:-1])) + high)
    names = [_lead(result, lead) for lead in leads]
    return tuple(
        FormFigure(
            say(
                "form_figure",
                letter=_LETTERS[i],
                n=number(int(one.rows.size)),
                share=percent(one.rows.size / n),
            ),
            _drawing(result, one, leads, names, zeros, mm_per_mv),
        )
        for i, one in enumerate(found.found)
    )


def _drawing(
    result: Result,
    one: Morphology,
    leads: tuple[int, ...],
    names: list[str],
    zeros_mm: npt.NDArray[np.float64],
    mm_per_mv: float,
) -> Drawing:
    beats = cut_beats(result.signal_mv, leads, evenly(one.r_index, DRAWN))
    x = _LEFT_MM + np.arange(beats.shape[1]) / ANALYSIS_RATE_HZ * MM_PER_S
    shapes = [Shape(f"M{mm(_LEFT_MM + BEFORE_S * MM_PER_S)} 0V{mm(HEIGHT_MM)}", "rule")]
    for lead, zero_mm in enumerate(zeros_mm.tolist()):
        thin = "".join(_line(x, beat[:, lead], zero_mm, mm_per_mv) for beat in beats)
        shapes.append(Shape(thin, "form-beats"))
        shapes.append(Shape(_line(x, one.average_mv[:, lead], zero_mm, mm_per_mv), "form-average"))
    pulse = f"M{mm(WIDTH_MM - 0.6)} {mm(HEIGHT_MM)}v-{mm(mm_per_mv)}"
    words = [Text("0", mm(zero - 1), name, "form-lead") for name, zero in zip(names, zeros_mm.tolist(), strict=True)]
    words.append(Text(mm(WIDTH_MM - 1.4), mm(HEIGHT_MM - 0.4), say("why_scale", mv="1"), "level"))
    description = say("form_drawing", n=number(len(beats)))
    shapes.append(Shape(pulse, "scale"))
    return Drawing(mm(WIDTH_MM), mm(HEIGHT_MM), description, (), tuple(shapes), tuple(words))


def _line(x_mm: npt.NDArray[np.float64], lead_mv: FloatArray, zero_mm: float, mm_per_mv: float) -> str:
    """Draw every third sample, in tenths of a millimetre; what leaves the figure is cut at its edge."""
    y = np.clip(zero_mm - lead_mv[::3].astype(np.float64) * mm_per_mv, 0.0, HEIGHT_MM)
    return paper.path(x_mm[::3], y, coarse=True)
