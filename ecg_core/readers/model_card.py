"""The card of a model version: what it learned from, its figures, what it cannot do, what was decided about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ecg_core.models.version import find_version, task_of, with_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows
from ecg_core.store.database import store_engine

_RATES: Final = (
    "n", "sensitivity", "precision", "f1", "coverage", "auc", "ece", "coverage_present", "coverage_absent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SetFigures:
    """Figures on one set of recordings, as text.

    `overall` pairs a name with its value; `columns` name what `classes` hold after the class; `confusion` has a row for
    each true class, its name first, and is empty where the version kept none.
    """

    name: str
    overall: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    confusion: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that a reader should know of a version before relying on it."""

    version: str
    task: str
    family: str
    created_at: str
    state: str
    parent: str
    training_data: tuple[str, ...]
    databases: tuple[tuple[str, str], ...]
    figures: tuple[SetFigures, ...]
    limits: tuple[str, ...]
    decisions: tuple[model_rows.Decision, ...]


def model_card(settings: Settings, version: str) -> ModelCard:
    """Gather a version's card from its manifest, and from what was decided about it.

    Raises
    ------
    UnknownModelVersion
        Neither the database nor the models folder has its manifest.
    ModelIntegrityError
        The database does not have it, and its folder is not what was written.
    """
    with store_engine(settings).connect() as connection:
        manifest = model_rows.manifest_of(connection, version)
        decisions = model_rows.decisions(connection, version)
        states = {known.model_version: known.state for known in model_rows.versions(connection)}
    if manifest is None:
        manifest = find_version(version, with_version(settings, version))[1]
    trained = manifest["training_data"]
    return ModelCard(
        version=version,
        task=task_of(manifest),
        family=manifest["family"],
        created_at=minute(datetime.fromisoformat(manifest["created_at"])),
        state=states.get(version, "archived"),
        parent=manifest.get("parent", ""),
        training_data=tuple(trained["sentences"]),
        databases=tuple(sorted((name, _content(of)) for name, of in trained.get("databases", {}).items())),
        figures=tuple(_of_set(manifest, name, of_set) for name, of_set in manifest["figures"].items()),
        limits=tuple(manifest["limits"]),
        decisions=tuple(decisions),
    )


def _content(of: str | Mapping[str, str]) -> str:
    """Return a database's hash; the first version of the task ``resting`` keeps it beside the terms."""
    return of if isinstance(of, str) else of["content_sha256"]


def minute(moment: datetime) -> str:
    """Write a time to the minute."""
    return moment.isoformat(" ", "minutes")


def _of_set(manifest: Mapping[str, Any], name: str, of_set: Mapping[str, Any]) -> SetFigures:
    classes = of_set.get("classes", {})
    columns = tuple(rate for rate in _RATES if any(rate in of_class for of_class in classes.values()))
    intervals = of_set.get("intervals", {}).get("classes", {})
    rows = tuple(
        (letter, *(_figure(of_class.get(rate), intervals.get(letter, {}).get(rate)) for rate in columns))
        for letter, of_class in classes.items()
    )
    confusion = tuple(
        (true, *(f"{n:,}" for n in row))
        for true, row in zip(manifest.get("classes", ()), of_set.get("confusion", ()), strict=False)
    )
    return SetFigures(name, tuple(_overall(of_set)), columns, rows, confusion)


def _overall(of_set: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    of_all = of_set.get("intervals", {})
    for name, value in of_set.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, _figure(value, of_all.get(name))


def _figure(value: float | None, interval: object = None) -> str:
    if value is None:
        return "–"
    told = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
    if isinstance(interval, list | tuple) and len(interval) == 2 and None not in interval:
        return f"{told} ({interval[0]:.3f} to {interval[1]:.3f})"
    return told


def as_markdown(card: ModelCard) -> str:
    """Write a card as Markdown."""
    lines = [
        f"# {card.version}",
        "",
        f"Task {card.task}, family {card.family}, trained {card.created_at}, {card.state}.",
    ]
    lines += [f"Made of {card.parent}."] if card.parent else []
    lines += ["", "## Training data", "", *(f"- {sentence}" for sentence in card.training_data)]
    lines += [f"- {database}: SHA-256 {sha256}" for database, sha256 in card.databases]
    lines += ["", "## Figures"]
    for of_set in card.figures:
        lines += ["", f"### On {of_set.name}", "", *(f"- {name}: {value}" for name, value in of_set.overall), ""]
        lines += _table(("class", *of_set.columns), of_set.classes)
        if of_set.confusion:
            said = (row[0] for row in of_set.confusion)
            lines += ["", "Confusion (rows true, columns said):", "", *_table(("", *said), of_set.confusion)]
        else:
            lines += ["", "This version kept no confusion matrix."]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in card.limits), "", "## Decisions", ""]
    lines += [
        f"- {minute(one.decided_at)}, {one.verdict}"
        f"{f' against {one.judged_against}' if one.judged_against else ''}: {one.reason}"
        for one in card.decisions
    ] or ["Nothing was ever decided about it."]
    return "\n".join(lines) + "\n"


def _table(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> list[str]:
    told = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(row)} |" for row in told]
