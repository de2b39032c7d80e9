"""Which model version answers each task, and who may change that: the gate, or a person by `ecg models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Engine

from ecg_core.errors import ModelError, ModelIntegrityError, ModelOutdated, UnknownModelVersion
from ecg_core.files import make_private
from ecg_core.models import (
    BEATS,
    SHIPPED,
    RecordingModel,
    Version,
    labels_recordings,
    list_versions,
    load_version,
    with_version,
)
from ecg_core.settings import Settings
from ecg_core.store import migrate, worklist
from ecg_core.store import models as model_rows
from ecg_core.store.database import owner_engine, store_engine

log = structlog.get_logger(__name__)


_MEND_CHAMPION: Final = "Mount or restore the models folder, or decide for another version: ecg models promote."


def scoring_version(settings: Settings, task: str = BEATS) -> str:
    """Name the champion of a task; the shipped version on a database where none was ever promoted.

    Raises
    ------
    UnknownModelVersion
        No version answers this task.
    """
    found = scoring_versions(settings)
    if task not in found:
        raise UnknownModelVersion(
            f"No model version answers the task {task}.", f"Tasks that have a champion: {', '.join(sorted(found))}."
        )
    return found[task]


def scoring_versions(settings: Settings) -> dict[str, str]:
    """Name the champion of each task that has one, by the task's name."""
    with store_engine(settings).connect() as connection:
        return {**SHIPPED, **model_rows.champions(connection)}


def labelling_models(settings: Settings) -> list[RecordingModel]:
    """Load the champions of the tasks other than ``beats``. What cannot be loaded is left out, and said."""
    found = []
    for task, version in sorted(scoring_versions(settings).items()):
        if task == BEATS:
            continue
        try:
            model = load_version(version, with_version(settings, version))
        except ModelError as error:
            log.warning("task left out of scoring", task=task, version=version, reason=error.what)
            continue
        if labels_recordings(model):
            found.append(model)
    return found


def register_shipped(engine: Engine, settings: Settings) -> None:
    """Enter the shipped versions, and make each its task's champion where there is none that this release can use.

    A release that computes other features cannot use the versions before it, whichever of them was champion. One whose
    folder is out of sight or damaged stays champion: its disk may not be mounted, and nobody has decided otherwise.
    """
    for task, shipped in SHIPPED.items():
        model = load_version(shipped, settings.models_dir)
        with engine.begin() as connection:
            model_rows.register_version(connection, model.facts, model.manifest)
            champion = model_rows.champion(connection, task)
            reason = None if champion else "The first champion: it ships with the platform."
            if champion and champion != shipped:
                try:
                    load_version(champion, with_version(settings, champion))
                except ModelOutdated as error:
                    reason = f"It ships with this release, and the champion cannot score with it: {error.what}"
                    log.warning("champion replaced", champion=champion, by=shipped, reason=error.what)
                except ModelError as error:
                    log.error("champion out of sight", champion=champion, reason=error.what, mend=_MEND_CHAMPION)
            if reason:
                model_rows.promote(connection, shipped, reason)


def check_registered(settings: Settings, versions: Sequence[object]) -> None:
    """Refuse a version whose manifest is another than the registered one: its name holds but a part of the hash.

    Raises
    ------
    ModelIntegrityError
    """
    with store_engine(settings).connect() as connection:
        for version in (one for one in versions if isinstance(one, Version)):
            known = model_rows.manifest_of(connection, version.version)
            if known is not None and known != model_rows.as_stored(version.manifest):
                raise ModelIntegrityError(
                    f"The manifest of model version {version.version} is another than the one that was registered.",
                    _MEND_CHAMPION,
                )


def known_versions(settings: Settings) -> list[model_rows.Version]:
    """List registered versions, and those that only lie in the models folder (state ``archived``)."""
    with store_engine(settings).connect() as connection:
        registered = model_rows.versions(connection)
    names = {version.model_version for version in registered}
    others = []
    for name in set(list_versions(settings.models_dir)) - names:
        # The ventricular trees belong to scoring itself; no champion of theirs is chosen at night yet.
        if name.startswith("ventricular-"):
            continue
        try:
            facts = load_version(name, with_version(settings, name)).facts
        except ModelError as error:
            log.warning("not listed", version=name, reason=error.what)
            continue
        others.append(model_rows.Version(name, "archived", facts.family, facts.created_at, None, None, facts.task))
    return registered + sorted(others, key=lambda version: version.model_version)


def promote_version(settings: Settings, version: str, reason: str) -> None:
    """Let a version answer its task from the next chunk on, after checking its files.

    Raises
    ------
    UnknownModelVersion, ModelIntegrityError
        There is no such version here, or a file of it is not what was written.
    """
    model = load_version(version, with_version(settings, version))
    with store_engine(settings).begin() as connection:
        model_rows.register_version(connection, model.facts, model.manifest)
        model_rows.promote(connection, version, reason)


def roll_back(settings: Settings, reason: str, task: str = BEATS) -> str:
    """Let the version before a task's champion answer it again from the next chunk on; its name.

    Raises
    ------
    StoreError
        There was none.
    UnknownModelVersion, ModelIntegrityError
        Its folder is gone, or a file of it is not what was written: the champion stays.
    """
    with store_engine(settings).begin() as connection:
        version = model_rows.roll_back(connection, reason, task)
        load_version(version, with_version(settings, version))
    return version


def decisions_about(settings: Settings, version: str) -> list[model_rows.Decision]:
    """Every decision about a version, newest first."""
    with store_engine(settings).connect() as connection:
        return model_rows.decisions(connection, version)


def prepare_database(settings: Settings) -> list[str]:
    """Bring the schema up to date and make sure that a champion stands: the shipped version on a fresh database.

    The worklist is ordered as ``ECG_URGENCY_ORDER`` has it by now.

    Returns
    -------
    list of str
        Names of the migrations that were applied.
    """
    make_private(settings.home, settings.private_dirs)
    engine = owner_engine(settings)
    applied = migrate(engine)
    register_shipped(engine, settings)
    with engine.begin() as connection:
        worklist.place(connection, settings)
    return applied
