"""How far to trust it: the model version, what it was trained on, its figures and its limits."""

from __future__ import annotations

from typing import Final

from ecg_core.labels import CLASSES
from ecg_core.report.texts import say, say_or
from ecg_core.report.view import Fact, Table, TrustView
from ecg_core.report.wording import Shown, moment, number, shown
from ecg_core.result import Result

_MEASURES: Final = ("n", "sensitivity", "precision", "f1")
"""The order of the table's first columns; others follow by name."""


def trust_view(result: Result) -> TrustView:
    """Facts of the model version."""
    model = result.model
    by_class, others = _figures(model.figures)
    return TrustView(
        facts=(
            Fact(say("model_version"), shown(model.version)),
            Fact(say("model_family"), shown(model.family)),
            Fact(say("model_created"), Shown(moment(model.created_at), "")),
        ),
        training_data=tuple(shown(sentence, 400) for sentence in model.training_data),
        figures=by_class,
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
        else:
            words = ", ".join([*(_set(part) for part in parts[:-1]), _measure(parts[-1])])
            others.append(Fact(shown(words).short, Shown(_figure(parts[-1], figures[name]), "")))
    measures = list(dict.fromkeys(sorted({m for row in cells.values() for m in row}, key=_measure_order)))
    keys = sorted(cells, key=lambda key: (key[0], CLASSES.index(key[1])))
    rows = tuple(
        (
            say("figures_row", set=_set(key[0]), letter=key[1]),
            *(_figure(measure, cells[key].get(measure)) for measure in measures),
        )
        for key in keys
    )
    columns = (say("column_set"), *(_measure(measure) for measure in measures))
    return (Table(say("figures_caption"), columns, rows) if rows else None), tuple(others)


def _set(name: str) -> str:
    return say_or(f"set_{name.lower()}", shown(name, 30).short)


def _measure(name: str) -> str:
    return say_or(f"measure_{name}", shown(name.replace("_", " "), 30).short)


def _measure_order(name: str) -> tuple[int, str]:
    return (_MEASURES.index(name) if name in _MEASURES else len(_MEASURES), name)


def _figure(measure: str, value: float | None) -> str:
    return number(value) if measure == "n" else number(value, 3)
