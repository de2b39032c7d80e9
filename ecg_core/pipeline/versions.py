"""Which model version scores, and who may change that: the gate, or a person by `ecg models`."""

from __future__ import annotations

from sqlalchemy import Engine

from ecg_core.models import SHIPPED_VERSION, list_versions, load_model
from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows


def scoring_version(settings: Settings) -> str:
    """Name the champion; the shipped version on a database where none was ever promoted."""
    with store_engine(settings).connect() as connection:
        return model_rows.champion(connection) or SHIPPED_VERSION


def register_shipped(engine: Engine, settings: Settings) -> None:
    """Enter the shipped version, and make it the champion where there is none."""
    model = load_model(SHIPPED_VERSION, settings.models_dir)
    with engine.begin() as connection:
        model_rows.register_version(connection, model.facts, model.manifest)
        if model_rows.champion(connection) is None:
            model_rows.promote(connection, model.version, "The first champion: it ships with the platform.")


def known_versions(settings: Settings) -> list[model_rows.Version]:
    """List registered versions, and those that only lie in the models folder (state ``archived``)."""
    with store_engine(settings).connect() as connection:
        registered = model_rows.versions(connection)
    names = {version.model_version for version in registered}
    others = [load_model(name, settings.models_dir).facts for name in list_versions(settings.models_dir)]
    return registered + [
        model_rows.Version(facts.version, "archived", facts.family, facts.created_at, None, None)
        for facts in others
        if facts.version not in names
    ]


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
