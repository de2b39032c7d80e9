"""How far to trust it: the model version, what it was trained on, its figures and its limits."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.methods import MethodTests, method_name
from ecg_core.report.paper import mm
from ecg_core.report.shapley import EXPECTED, share_here
from ecg_core.report.view import Banner, Drawing, Fact, Shape, Table, Text, TrustView
from ecg_core.report.wording import Shown, moment, number, percent, shown
from ecg_core.result import Result
from ecg_core.result.methods import INSENSITIVE, STABLE
from ecg_core.texts import say, say_count, say_or

_MEASURES: Final = ("n", "sensitivity", "precision", "f1")
"""The order of the table's first columns; others follow by name."""
_CALIBRATION_LINES: Final = (("rate", "N", "mark cS"), ("rate dashed", "S", "mark cV"))
"""Line, shape of mark and style of the first and the second set of patients."""


def trust_view(result: Result) -> TrustView:
    """Facts of the model version."""
    model = result.model
    special = ("calibration", "explanations")
    by_class, others = _figures(
        tuple((k, v) for k, v in model.figures.items() if not set(k.split(".")[:2]) & set(special))
    )
    tests = MethodTests(model.figures)
    return TrustView(
        facts=(
            Fact(say("model_version"), shown(model.version)),
            Fact(say("model_family"), shown(model.family)),
            Fact(say("model_created"), Shown(moment(_utc(model.created_at)), "")),
        ),
        training_data=tuple(shown(sentence, 400) for sentence in model.training_data),
        figures=by_class,
        calibration=_calibration(model.figures),
        explanations=_explanations(tests),
        explanations_text=say("explanations_text", insensitive=INSENSITIVE, stable=STABLE)
        if tests.by_method
        else say("explanations_none"),
        explanations_failed=Banner("warning", say("why_failed")) if tests.none_passed() else None,
        shares=_shares(result),
        other_figures=others,
        limits=tuple(shown(sentence, 600) for sentence in model.limits),
    )


@lru_cache(maxsize=4)
def _figures(of_version: tuple[tuple[str, float], ...]) -> tuple[tuple[Table, ...], tuple[Fact, ...]]:
    """``set.class.measure`` becomes a table for each set, a row for each class; every other name a line of its own.

    The same for all recordings that a version reads.
    """
    figures = dict(of_version)
    cells: dict[str, dict[str, dict[str, float]]] = {}
    others: list[Fact] = []
    for name in sorted(figures):
        parts = name.split(".")
        if len(parts) == 3 and parts[1] in CLASSES:
            cells.setdefault(parts[0], {}).setdefault(parts[1], {})[parts[2]] = figures[name]
        elif not name.endswith(("_low", "_high")):
            words = ", ".join([*(_set(part) for part in parts[:-1]), _measure(parts[-1])])
            own = {n.removeprefix(name.removesuffix(parts[-1])): v for n, v in figures.items() if n.startswith(name)}
            others.append(Fact(shown(words, 100).short, Shown(_with_interval(parts[-1], own), "")))
    return tuple(_figures_of(patients, cells[patients]) for patients in sorted(cells, key=_set_order)), tuple(others)


def _figures_of(patients: str, rows: dict[str, dict[str, float]]) -> Table:
    # `x_low` and `x_high` are the interval of `x`, not figures of their own.
    named = {m for row in rows.values() for m in row if not m.endswith(("_low", "_high"))}
    measures = sorted(named, key=_measure_order)
    body = tuple((letter, *(_with_interval(m, rows[letter]) for m in measures)) for letter in CLASSES if letter in rows)
    columns = (say("column_class"), *(_measure(measure) for measure in measures))
    return Table(say("figures_caption", set=_set(patients)), columns, body)


def _with_interval(measure: str, row: dict[str, float]) -> str:
    value = _figure(measure, row.get(measure))
    low, high = row.get(f"{measure}_low"), row.get(f"{measure}_high")
    if low is None or high is None:
        return value
    return say("figure_interval", value=value, low=number(low, 2), high=number(high, 2))


def _calibration(figures: dict[str, float]) -> tuple[Drawing, str] | None:
    """Draw how often calls were right: figures ``set.calibration.<bin>.confidence`` and ``….accuracy``.

    One line for each of the first two sets; and a sentence that tells them apart.
    """
    bins: dict[str, dict[str, dict[str, float]]] = {}
    for name, value in figures.items():
        parts = name.split(".")
        if len(parts) == 4 and parts[1] == "calibration" and math.isfinite(value):
            bins.setdefault(parts[0], {}).setdefault(parts[2], {})[parts[3]] = value
    lines = {
        patients: sorted(
            (b["confidence"], b["accuracy"]) for b in found.values() if {"confidence", "accuracy"} <= set(b)
        )
        for patients, found in sorted(bins.items(), key=lambda item: _set_order(item[0]))
    }
    lines = {patients: points for patients, points in lines.items() if points}
    if not lines:
        return None
    size, left, top = 50.0, 10.0, 3.0
    shapes = [
        Shape(f"M{mm(left)} {mm(top)}v{mm(size)}h{mm(size)}", "rule"),
        Shape(f"M{mm(left)} {mm(top + size)}l{mm(size)}-{mm(size)}", "zero"),
    ]
    for points, (line, mark, kind) in zip(lines.values(), _CALIBRATION_LINES, strict=False):
        x, y = (np.array(values) for values in zip(*points, strict=True))
        px, py = left + x * size, top + (1 - y) * size
        shapes.append(Shape(paper.path(px, py), line))
        marks = "".join(f"M{mm(a)} {mm(b)}{paper.MARK_SHAPES[mark]}" for a, b in zip(px, py, strict=True))
        shapes.append(Shape(marks, kind))
    words = [Text(mm(left + v * size), mm(top + size + 3.6), f"{v:.1f}", "hour") for v in (0.0, 0.5, 1.0)]
    words += [Text(mm(left - 1), mm(top + (1 - v) * size + 1), f"{v:.1f}", "level") for v in (0.0, 0.5, 1.0)]
    words.append(Text(mm(left + size / 2), mm(top + size + 7.4), say("calibration_axis"), "hour"))
    drawing = Drawing(mm(left + size + 4), mm(top + size + 9), say("calibration_name"), (), tuple(shapes), tuple(words))
    names = [_set(patients) for patients in lines]
    key = say("calibration_key", first=names[0], second=names[1]) if len(names) > 1 else names[0]
    return drawing, key


def _explanations(tests: MethodTests) -> Table | None:
    """How each explanation method did in its tests, the first to be offered on top."""
    if not tests.by_method:
        return None
    measures = tests.measures()
    rows = tuple(
        (
            method_name(method),
            say(f"verdict_{tests.verdict(method)}"),
            *(_tested(m, tests.by_method[method]) for m in measures),
        )
        for method in tests.in_order(tests.by_method)
    )
    columns = (say("column_method"), say("column_verdict"), *(_measure(m) for m in measures))
    return Table(say("explanations_caption"), columns, rows)


def _tested(measure: str, row: dict[str, float]) -> str:
    if measure == "beats_per_second":
        return number(row.get(measure))
    value = number(row.get(measure), 2)
    low, high = row.get(f"{measure}_low"), row.get(f"{measure}_high")
    return (
        value
        if low is None or high is None
        else say("figure_interval", value=value, low=number(low, 2), high=number(high, 2))
    )


def _shares(result: Result) -> tuple[str, ...]:
    """Set the share of what a cardiologist looks at beside what is expected, beside the model's own recall."""
    figures = result.model.figures
    sentences: list[str] = []
    for letter, (_, expected, name) in EXPECTED.items():
        share = figures.get(f"explanations.shapley.{name}", math.nan)
        if not math.isfinite(share):
            continue
        clauses = [
            say(
                "shares_expected",
                letter=letter,
                players=say(f"shares_players_{letter}"),
                expected=percent(expected, 0),
                share=percent(share, 0),
            )
        ]
        here = share_here(result, letter)
        if share < expected:
            clauses.append(say("shares_less", letter=letter))
        if math.isfinite(recall := _recall(figures, letter)):
            clauses.append(say("shares_recall", letter=letter, recall=percent(recall, 0)))
        if here is not None:
            clauses.append(say_count("shares_here", here[0], share=percent(here[1], 0)))
            if here[1] < expected <= share:
                clauses.append(say("shares_less", letter=letter))
        sentences.append(" ".join(clauses))
    return tuple(sentences)


def _recall(figures: dict[str, float], letter: str) -> float:
    """Sensitivity on the patients that no choice was made on, else on the deciding ones."""
    names = [f"{patients}.{letter}.sensitivity" for patients in ("ds2", "deciding")]
    return next((figures[name] for name in names if name in figures), math.nan)


def _utc(value: datetime) -> datetime:
    """Postgres gives times in the session's zone."""
    return value.astimezone(UTC) if value.tzinfo else value


def _set_order(name: str) -> tuple[bool, str]:
    """Put test patients first: no choice was made on them."""
    return (name != "ds2", name)


def _set(name: str) -> str:
    return say_or(f"set_{name.lower()}", shown(name, 30).short)


def _measure(name: str) -> str:
    return say_or(f"measure_{name}", shown(name.replace("_", " "), 30).short)


def _measure_order(name: str) -> tuple[int, str]:
    return (_MEASURES.index(name) if name in _MEASURES else len(_MEASURES), name)


def _figure(measure: str, value: float | None) -> str:
    return number(value) if measure == "n" else number(value, 3)
