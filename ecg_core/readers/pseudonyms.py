"""The keys of the pseudonyms: which there are, and a new one that leaves those who are known by their names."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from ecg_core.errors import SettingsError
from ecg_core.formats.leads import key_id
from ecg_core.settings import Settings
from ecg_core.store.database import store_engine
from ecg_core.store.patients import patients_by_key


@dataclass(frozen=True, slots=True)
class Key:
    """A key by its id, and of how many patients it made the pseudonyms; `site` is whose own it is, or empty."""

    key_id: str
    n_patients: int
    site: str = ""


def keys(settings: Settings) -> list[Key]:
    """List the keys, the newest first; patients from before keys were told apart are the oldest one's.

    Those of sites that have keys of their own come after.
    """
    ids = [key_id(key) for key in settings.pseudonym_secret().split(b"\n")]
    with_own = [name for name, site in settings.site_profiles.items() if site.pseudonym_key_file]
    of_sites = [(key_id(key), name) for name in with_own for key in settings.pseudonym_secret(name).split(b"\n")]
    with store_engine(settings).connect() as connection:
        counted = patients_by_key(connection)
    before = counted.get(None, 0)
    for_all = [Key(name, counted.get(name, 0) + (before if name == ids[-1] else 0)) for name in ids]
    return for_all + [Key(name, counted.get(name, 0), site) for name, site in of_sites]


def rotate(settings: Settings) -> str:
    """Put a new key before those that are there; its id.

    Who is known keeps the pseudonym, and new recordings of them are filed under it: for that the old keys stay. Only
    patients who come from now on are called by the new one.

    Raises
    ------
    SettingsError
        The keys stand in the setting, which is not ours to change.
    """
    if settings.pseudonym_key is not None:
        raise SettingsError(
            "The keys of the pseudonyms stand in ECG_PSEUDONYM_KEY.",
            "Put a new one before them, with a comma (`openssl rand -hex 32` makes one), and start the platform again.",
        )
    there = settings.pseudonym_secret().decode()
    fresh = secrets.token_hex(32)
    path = settings.pseudonym_file
    unfinished = path.with_name(f".pseudonym.{secrets.token_hex(4)}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(f"{fresh}\n{there}")
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(path)
    return key_id(fresh.encode())
