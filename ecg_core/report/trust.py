"""How far to trust it: the model version, what it was trained on, its figures and its limits."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.paper import mm
from ecg_core.report.texts import say, say_or
from ecg_core.report.view import Drawing, Fact, Shape, Table, Text, TrustView
from ecg_core.report.wording import Shown, moment, number, shown
from ecg_core.result import Result

_MEASURES: Final = ("n", "sensitivity", "precision", "f1")
"""The order of the table's first columns; others follow by name."""


def trust_view(result: Result) -> TrustView:
    """Facts of the model version."""
    model = result.model
    special = ("calibration", "explanations")
    by_class, others = _figures({k: v for k, v in model.figures.items() if not set(k.split(".")[:2]) & set(special)})
    return TrustView(
        facts=(
            Fact(say("model_version"), shown(model.version)),
            Fact(say("model_family"), shown(model.family)),
            Fact(say("model_created"), Shown(moment(_utc(model.created_at)), "")),
        ),
        training_data=tuple(shown(sentence, 400) for sentence in model.training_data),
        figures=by_class,
        calibration=_calibration(model.figures),
        explanations=_explanations(model.figures),
        other_figures=others,
        limits=tuple(shown(sentence, 600) for sentence in model.limits),
    )


def _figures(figures: dict[str, float]) -> tuple[Table | None, tuple[Fact, ...]]:
    """``set.class.measure`` becomes a table, a row for each set and class; every other name a line of its own."""
    cells: dict[tuple[str, str], dict[str, float]] = {}
    others: list[Fact] = []
    for name in sorted(figures):
        parts = name.split(".")
        if len(parts) == 3 and parts[1] in CLASSES:
            cells.setdefault((parts[0], parts[1]), {})[parts[2]] = figures[name]
        elif not name.endswith(("_low", "_high")):
            words = ", ".join([*(_set(part) for part in parts[:-1]), _measure(parts[-1])])
            own = {n.removeprefix(name.removesuffix(parts[-1])): v for n, v in figures.items() if n.startswith(name)}
            others.append(Fact(shown(words).short, Shown(_with_interval(parts[-1], own), "")))
    # `x_low` and `x_high` are the interval of `x`, not figures of their own.
    named = {m for row in cells.values() for m in row if not m.endswith(("_low", "_high"))}
    measures = sorted(named, key=_measure_order)
    keys = sorted(cells, key=lambda key: (key[0], CLASSES.index(key[1])))
    rows = tuple(
        (
            say("figures_row", set=_set(key[0]), letter=key[1]),
            *(_with_interval(measure, cells[key]) for measure in measures),
        )
        for key in keys
    )
    columns = (say("column_set"), *(_measure(measure) for measure in measures))
    return (Table(say("figures_caption"), columns, rows) if rows else None), tuple(others)


def _with_interval(measure: str, row: dict[str, float]) -> str:
    value = _figure(measure, row.get(measure))
    low, high = row.get(f"{measure}_low"), row.get(f"{measure}_high")
    if low is None or high is None:
        return value
    return say("figure_interval", value=value, low=number(low, 2), high=number(high, 2))


def _calibration(figures: dict[str, float]) -> Drawing | None:
    """Draw how often calls were right: figures ``set.calibration.<bin>.confidence`` and ``….accuracy``."""
    bins: dict[tuple[str, str], dict[str, float]] = {}
    for name, value in figures.items():
        parts = name.split(".")
        if len(parts) == 4 and parts[1] == "calibration" and math.isfinite(value):
            bins.setdefault((parts[0], parts[2]), {})[parts[3]] = value
    found = sorted((b["confidence"], b["accuracy"]) for b in bins.values() if {"confidence", "accuracy"} <= set(b))
    if not found:
        return None
    size, left, top = 50.0, 10.0, 3.0
    x, y = (np.array(values) for values in zip(*found, strict=True))
    px, py = left + x * size, top + (1 - y) * size
    shapes = (
        Shape(f"M{mm(left)} {mm(top)}v{mm(size)}h{mm(size)}", "rule"),
        Shape(f"M{mm(left)} {mm(top + size)}l{mm(size)}-{mm(size)}", "zero"),
        Shape(paper.path(px, py), "rate"),
        Shape("".join(f"M{mm(a)} {mm(b)}{paper.MARK_SHAPES['N']}" for a, b in zip(px, py, strict=True)), "mark cS"),
    )
    words = [Text(mm(left + v * size), mm(top + size + 3.6), f"{v:.1f}", "hour") for v in (0.0, 0.5, 1.0)]
    words += [Text(mm(left - 1), mm(top + (1 - v) * size + 1), f"{v:.1f}", "level") for v in (0.0, 0.5, 1.0)]
    words.append(Text(mm(left + size / 2), mm(top + size + 7.4), say("calibration_axis"), "hour"))
    return Drawing(mm(left + size + 4), mm(top + size + 9), say("calibration_name"), (), shapes, tuple(words))


def _explanations(figures: dict[str, float]) -> Table | None:
    """How the explanation methods did in their tests: figures ``explanations.<method>.<measure>``."""
    cells: dict[str, dict[str, float]] = {}
    for name, value in figures.items():
        parts = name.split(".")
        if len(parts) == 3 and parts[0] == "explanations":
            cells.setdefault(parts[1], {})[parts[2]] = value
    if not cells:
        return None
    measures = sorted({measure for row in cells.values() for measure in row})
    rows = tuple(
        (say_or(f"method_{method}", shown(method, 20).short), *(number(row.get(m), 2) for m in measures))
        for method, row in sorted(cells.items())
    )
    return Table(say("explanations_caption"), (say("column_method"), *(_measure(m) for m in measures)), rows)


def _utc(value: datetime) -> datetime:
    """Postgres gives times in the session's zone."""
    return value.astimezone(UTC) if value.tzinfo else value


def _set(name: str) -> str:
    return say_or(f"set_{name.lower()}", shown(name, 30).short)


def _measure(name: str) -> str:
    return say_or(f"measure_{name}", shown(name.replace("_", " "), 30).short)


def _measure_order(name: str) -> tuple[int, str]:
    return (_MEASURES.index(name) if name in _MEASURES else len(_MEASURES), name)


def _figure(measure: str, value: float | None) -> str:
    return number(value) if measure == "n" else number(value, 3)
