"""Which model version scores, and who may change that: the gate, or a person by `ecg models`."""

from __future__ import annotations

import structlog
from sqlalchemy import Engine

from ecg_core.errors import ModelError, ModelOutdated, UnknownModelVersion
from ecg_core.models import SHIPPED_VERSION, list_versions, load_model
from ecg_core.pipeline.database import owner_engine, store_engine
from ecg_core.settings import Settings
from ecg_core.store import migrate
from ecg_core.store import models as model_rows

log = structlog.get_logger(__name__)


def scoring_version(settings: Settings) -> str:
    """Name the champion; the shipped version on a database where none was ever promoted."""
    with store_engine(settings).connect() as connection:
        return model_rows.champion(connection) or SHIPPED_VERSION


def register_shipped(engine: Engine, settings: Settings) -> None:
    """Enter the shipped version, and make it the champion where there is none that this release can score with.

    A release that computes other features cannot use the versions before it, whichever of them was champion.
    """
    model = load_model(SHIPPED_VERSION, settings.models_dir)
    with engine.begin() as connection:
        model_rows.register_version(connection, model.facts, model.manifest)
        champion = model_rows.champion(connection)
        reason = None if champion else "The first champion: it ships with the platform."
        if champion and champion != SHIPPED_VERSION:
            try:
                load_model(champion, settings.models_dir)
            except (UnknownModelVersion, ModelOutdated) as error:
                reason = f"It ships with this release, and the champion cannot score with it: {error.what}"
                log.warning("champion replaced", champion=champion, by=SHIPPED_VERSION, reason=error.what)
        if reason:
            model_rows.promote(connection, SHIPPED_VERSION, reason)


def known_versions(settings: Settings) -> list[model_rows.Version]:
    """List registered versions, and those that only lie in the models folder (state ``archived``)."""
    with store_engine(settings).connect() as connection:
        registered = model_rows.versions(connection)
    names = {version.model_version for version in registered}
    others = []
    for name in set(list_versions(settings.models_dir)) - names:
        try:
            facts = load_model(name, settings.models_dir).facts
        except ModelError as error:
            log.warning("not listed", version=name, reason=error.what)
            continue
        others.append(model_rows.Version(name, "archived", facts.family, facts.created_at, None, None))
    return registered + sorted(others, key=lambda version: version.model_version)


def promote_version(settings: Settings, version: str, reason: str) -> None:
    """Let a version score from the next chunk on, after checking its files.

    Raises
    ------
    UnknownModelVersion, ModelIntegrityError
        There is no such version here, or a file of it is not what was written.
    """
    model = load_model(version, settings.models_dir)
    with store_engine(settings).begin() as connection:
        model_rows.register_version(connection, model.facts, model.manifest)
        model_rows.promote(connection, version, reason)


def roll_back(settings: Settings, reason: str) -> str:
    """Let the version before the champion score again from the next chunk on; its name.

    Raises
    ------
    StoreError
        There was none.
    UnknownModelVersion, ModelIntegrityError
        Its folder is gone, or a file of it is not what was written: the champion stays.
    """
    with store_engine(settings).begin() as connection:
        version = model_rows.roll_back(connection, reason)
        load_model(version, settings.models_dir)
    return version


def decisions_about(settings: Settings, version: str) -> list[model_rows.Decision]:
    """Every decision about a version, newest first."""
    with store_engine(settings).connect() as connection:
        return model_rows.decisions(connection, version)


def prepare_database(settings: Settings) -> list[str]:
    """Bring the schema up to date and make sure that a champion stands: the shipped version on a fresh database.

    Returns
    -------
    list of str
        Names of the migrations that were applied.
    """
    from ecg_core.pipeline.versions import register_shipped

    engine = owner_engine(settings)
    applied = migrate(engine)
    register_shipped(engine, settings)
    return applied
