"""Model versions, and which of them answers its task.

The champion of a task is the version of the task's newest decision with the verdict ``promoted``. Decisions are only
ever added, one at a time, so a task has at most one champion, and its whole history is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert

from ecg_core.errors import StoreError
from ecg_core.result import ModelFacts
from ecg_core.store.tables import StorableText, model_version, training_run

_IS_KNOWN: Final = select(exists().where(model_version.c.model_version == bindparam("version", type_=StorableText)))


def register_version(conn: Connection, facts: ModelFacts, manifest: Mapping[str, Any] | None = None) -> None:
    """Enter a model version; doing so again changes nothing.

    Parameters
    ----------
    conn : Connection
    facts : ModelFacts
    manifest : mapping, optional
        JSON-able; added later where a version was first known by its scores alone.

    Raises
    ------
    StoreError
        A version of that name has another manifest: versions are never changed.
    """
    if manifest is None and conn.execute(_IS_KNOWN, {"version": facts.version}).scalar_one():
        return
    as_json = None if manifest is None else as_stored(manifest)
    conn.execute(
        insert(model_version)
        .values(
            model_version=facts.version,
            family=facts.family,
            created_at=_aware(facts.created_at),
            training_data=list(facts.training_data),
            figures=as_stored(facts.figures),
            limits=list(facts.limits),
            manifest=as_json,
            task=facts.task,
        )
        .on_conflict_do_nothing()
    )
    if as_json is None:
        return
    this = model_version.c.model_version == facts.version
    conn.execute(update(model_version).where(this, model_version.c.manifest.is_(None)).values(manifest=as_json))
    if conn.execute(select(model_version.c.manifest).where(this)).scalar_one() != as_json:
        raise StoreError(
            f"The model version {facts.version} is registered with another manifest.",
            "A version is never changed: give the changed model a name of its own.",
        )


def manifest_of(conn: Connection, version: str) -> dict[str, Any] | None:
    """Return the manifest of a registered version; None where it is not registered, or known by its scores alone."""
    found = select(model_version.c.manifest).where(model_version.c.model_version == version)
    return conn.execute(found).scalar_one_or_none()


def champion(conn: Connection, task: str = "beats") -> str | None:
    """Name the version that answers a task; None where none was ever promoted."""
    return champions(conn).get(task)


def champions(conn: Connection) -> dict[str, str]:
    """Name the version that answers each task, by the task's name."""
    run = training_run.c
    newest = (
        select(run.task, run.model_version)
        .where(run.verdict == "promoted")
        .distinct(run.task)
        .order_by(run.task, run.training_run_id.desc())
    )
    return dict(conn.execute(newest).tuples().all())


def task_of(conn: Connection, version: str) -> str:
    """Name the task of a registered version.

    Raises
    ------
    StoreError
        It is not registered.
    """
    found = select(model_version.c.task).where(model_version.c.model_version == version)
    task = conn.execute(found).scalar_one_or_none()
    if task is None:
        raise StoreError(f"The model version {version} is not registered.", "Register it first.")
    return str(task)


def promote(conn: Connection, version: str, reason: str) -> None:
    """Let a registered version answer its task from now on, without a comparison.

    Nothing changes where it does so already.

    Raises
    ------
    StoreError
        The version is not registered.
    """
    _one_decision_at_a_time(conn)
    task = task_of(conn, version)
    standing = champion(conn, task)
    if standing != version:
        _decide(conn, task=task, model_version=version, judged_against=standing, verdict="promoted", reason=reason)


def roll_back(conn: Connection, reason: str, task: str = "beats") -> str:
    """Let the version answer a task again that did so before its champion first did; its name.

    Going back again goes further back, never to and fro.

    Raises
    ------
    StoreError
        No version scored before the champion.
    """
    _one_decision_at_a_time(conn)
    standing = champion(conn, task)
    first = select(training_run.c.judged_against).where(
        training_run.c.model_version == standing, training_run.c.verdict == "promoted"
    )
    before = conn.execute(first.order_by(training_run.c.training_run_id).limit(1)).scalar_one_or_none()
    if before is None:
        raise StoreError(
            f"No model version scored before {standing}."
            if standing
            else f"No model version of the task {task} was ever promoted.",
            "ecg models promote VERSION lets any version score.",
        )
    _decide(conn, task=task, model_version=before, judged_against=standing, verdict="promoted", reason=reason)
    return str(before)


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version and the newest decision about it.

    `state` is ``champion`` of its task, ``challenger`` (judged last of its task, not promoted) or ``archived``.
    `reason` and `decided_at` are None where nothing was ever decided about it.
    """

    model_version: str
    state: str
    family: str
    created_at: datetime
    decided_at: datetime | None
    reason: str | None
    task: str = "beats"


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of ``ecg.training_run``."""

    decided_at: datetime
    verdict: str
    judged_against: str | None
    reason: str
    figures: Mapping[str, Any] | None


def versions(conn: Connection) -> list[Version]:
    """List registered versions by task: the champion first, then the challenger, then the others, newest first."""
    known = ("model_version", "family", "created_at", "task")
    rows = conn.execute(select(*(model_version.c[name] for name in known))).all()
    decided = conn.execute(select(training_run).order_by(training_run.c.training_run_id)).all()
    newest = {row.model_version: row for row in decided}
    last = {row.task: row.model_version for row in decided}
    states = dict.fromkeys(last.values(), "challenger") | dict.fromkeys(champions(conn).values(), "champion")
    found = [
        Version(
            row.model_version,
            states.get(row.model_version, "archived"),
            row.family,
            row.created_at,
            newest[row.model_version].decided_at if row.model_version in newest else None,
            newest[row.model_version].reason if row.model_version in newest else None,
            row.task,
        )
        for row in rows
    ]
    order = ("champion", "challenger", "archived")
    newest_first = sorted(found, key=lambda v: v.created_at, reverse=True)
    return sorted(newest_first, key=lambda v: (v.task, order.index(v.state)))


def decisions(conn: Connection, version: str) -> list[Decision]:
    """Every decision about a version, newest first."""
    rows = select(training_run).where(training_run.c.model_version == version)
    return [
        Decision(row.decided_at, row.verdict, row.judged_against, row.reason, row.figures)
        for row in conn.execute(rows.order_by(training_run.c.training_run_id.desc()))
    ]


def record_training_run(
    conn: Connection,
    *,
    run_id: str,
    challenger: str,
    champion: str | None,
    figures: Mapping[str, Any],
    promoted: bool,
    reason: str,
) -> None:
    """Write what a training run led to, and promote its challenger if it is to be.

    A run decides once for each task: called again for the same `run_id` (a retried step), nothing changes.

    Parameters
    ----------
    conn : Connection
    run_id : str
        The scheduler's name of the run.
    challenger, champion : str
        Registered versions of one task; `champion` is the one that the challenger was judged against,
        None where the task had none.
    figures : mapping
        JSON-able figures on the deciding set.
    promoted : bool
    reason : str
        A sentence with the figures.

    Raises
    ------
    StoreError
        A version is not registered, they are of different tasks, or another one became champion since the challenger
        was judged.
    """
    _one_decision_at_a_time(conn)
    task = task_of(conn, challenger)
    other = task if champion is None else task_of(conn, champion)
    if task != other:
        raise StoreError(
            f"{challenger} answers the task {task}, {champion} the task {other}.", "Compare versions of one task."
        )
    done = select(training_run.c.verdict).where(training_run.c.run_id == run_id, training_run.c.task == task)
    if conn.execute(done).first() is not None:
        return
    standing = champions(conn).get(task)
    if promoted and standing not in (None, champion):
        raise StoreError(
            f"{challenger} was judged against {champion}, but {standing} has become the champion since.",
            "Evaluate the challenger against the new champion, then decide again.",
        )
    _decide(
        conn,
        task=task,
        run_id=run_id,
        model_version=challenger,
        judged_against=champion,
        verdict="promoted" if promoted else "kept",
        reason=reason,
        figures=as_stored(figures),
    )


def _one_decision_at_a_time(conn: Connection) -> None:
    """Hold off other decisions, not readers, until this transaction ends."""
    conn.execute(text("LOCK TABLE ecg.training_run IN SHARE ROW EXCLUSIVE MODE"))


def _decide(conn: Connection, **values: object) -> None:
    conn.execute(insert(training_run).values(**values))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_stored(value: object) -> object:
    """Return `value` as JSON can hold it: NaN is unknown, and unknown is null."""
    if isinstance(value, Mapping):
        return {str(key): as_stored(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_stored(item) for item in value]
    return None if isinstance(value, float) and value != value else value
