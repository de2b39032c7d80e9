"""What moved the probability of a superclass, as a table of colours: groups of leads down, waves across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ecg_core.report.paper import mm
from ecg_core.report.view import Box, Drawing, Shape, Text
from ecg_core.report.wording import number, signed
from ecg_core.result.resting import EXACT_GAMES, LabelAttribution
from ecg_core.texts import say

_LEFT_MM: Final = 34.0
_COLUMN_MM: Final = 10.0
_ROW_MM: Final = 5.4
_APART_MM: Final = 1.4
_TEXT_MM: Final = 3.6
_LEAST_FULL: Final = 0.05
"""A value from which on a cell may be coloured in full: less is next to nothing."""


def moved_figure(name: str, moved: Sequence[LabelAttribution]) -> Drawing:
    """Draw the products, and beside and below them the two exact games.

    Parameters
    ----------
    name : str
        Of the superclass.
    moved : sequence of LabelAttribution
        Of this superclass. Without products (of an earlier release) their cells stay empty.
    """
    values = {(one.game, one.player): one.value for one in moved}
    groups, waves = EXACT_GAMES["leads"], EXACT_GAMES["waves"]
    across = [_LEFT_MM + i * _COLUMN_MM for i in range(len(waves))]
    down = [(1 + k) * _ROW_MM for k in range(len(groups))]
    right, bottom = across[-1] + _COLUMN_MM + _APART_MM, down[-1] + _ROW_MM + _APART_MM
    cells = [(right, y, values["leads", group]) for y, group in zip(down, groups, strict=True)]
    cells += [(x, bottom, values["waves", wave]) for x, wave in zip(across, waves, strict=True)]
    cells += [
        (x, y, values["products", f"{group}_{wave}"])
        for y, group in zip(down, groups, strict=True)
        for x, wave in zip(across, waves, strict=True)
        if ("products", f"{group}_{wave}") in values
    ]
    words = [_number(right, bottom, sum(values["leads", group] for group in groups))]
    words += [_number(*cell) for cell in cells]
    words += [_label(y, say(f"player_{group}")) for y, group in zip(down, groups, strict=True)]
    words += [_head(x, say(f"resting_head_{wave}")) for x, wave in zip(across, waves, strict=True)]
    words += [_head(right, say("resting_head_leads")), _label(bottom, say("moved_waves"))]
    errors = [one.standard_error for one in moved if one.standard_error is not None]
    if errors:
        words.append(_label(bottom + _ROW_MM, say("moved_error", most=number(max(errors), 3))))
    width, height = right + _COLUMN_MM, bottom + _ROW_MM * (2 if errors else 1)
    lines = (
        f"M{mm(right - _APART_MM / 2)} 1V{mm(bottom + _ROW_MM)}",
        f"M1 {mm(bottom - _APART_MM / 2)}H{mm(width)}",
    )
    boxes = _boxes(cells, max(_LEAST_FULL, *map(abs, values.values())))
    return Drawing(
        mm(width), mm(height), say("reason_figure", name=name), boxes, (Shape("".join(lines), "zero"),), tuple(words)
    )


def _boxes(cells: Sequence[tuple[float, float, float]], full: float) -> tuple[Box, ...]:
    return tuple(
        Box(
            mm(x),
            mm(y),
            mm(_COLUMN_MM - 0.4),
            mm(_ROW_MM - 0.4),
            "towards" if value >= 0 else "against",
            number(0.75 * abs(value) / full, 2),
        )
        for x, y, value in cells
    )


def _number(x: float, y: float, value: float) -> Text:
    return Text(mm(x + _COLUMN_MM / 2), mm(y + _TEXT_MM), signed(value, 2), "moved")


def _head(x: float, text: str) -> Text:
    return Text(mm(x + _COLUMN_MM / 2), mm(_TEXT_MM), text, "moved-head")


def _label(y: float, text: str) -> Text:
    return Text("1", mm(y + _TEXT_MM), text, "label")
