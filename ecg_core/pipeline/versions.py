"""Which model version scores."""

from __future__ import annotations

from sqlalchemy import Engine

from ecg_core.models import SHIPPED_VERSION, load_model
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
