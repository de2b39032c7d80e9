"""The results database as the use cases see it: one engine per process, ready to be used."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Engine

from ecg_core.errors import SettingsError
from ecg_core.settings import Settings
from ecg_core.store import open_engine
from ecg_core.store.engine import Role


def store_engine(settings: Settings, role: Role = "ecg_writer") -> Engine:
    """Return this process's engine for ``ECG_DATABASE_URL``, whose sessions act as a role of few rights.

    Parameters
    ----------
    settings : Settings
    role : {'ecg_writer', 'ecg_reviewer'}
        The reviewer for what the review form's pages do, the writer for all the rest.

    Raises
    ------
    SettingsError
        No database is set. Under `ecg up` it always is; elsewhere the caller starts one first.
    """
    return _engine(_address(settings), role)


def owner_engine(settings: Settings) -> Engine:
    """Return the engine whose sessions act as whoever signs in: for migrations and for looking at the schema.

    Raises
    ------
    SettingsError
        No database is set.
    """
    return _engine(_address(settings), None)


def _address(settings: Settings) -> str:
    if settings.database_url is None:
        raise SettingsError(
            "ECG_DATABASE_URL is not set, so there is no database to write to.",
            "Start the embedded one with `ecg up`, or set ECG_DATABASE_URL to a Postgres of your own.",
        )
    return settings.database_url.unicode_string()


@lru_cache(maxsize=8)
def _engine(url: str, role: Role | None) -> Engine:
    return open_engine(url, role)
