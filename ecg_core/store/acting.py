"""A reviewer's session acts for one person: what it writes in another's name is refused by the database.

`ecg_reviewer` cannot read the key that claims are made with, and `ecg_writer`, which can, may not add answers. So it
takes both to answer in somebody's name, and no SQL that is said in the reviewer's session does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from ecg_core.settings import Settings
from ecg_core.store.database import store_engine
from ecg_core.store.tables import storable

_KEY = text("SELECT key, CAST(extract(epoch FROM clock_timestamp()) AS bigint) FROM ecg.answer_key")


@contextmanager
def acting_for(settings: Settings, user_name: str) -> Iterator[Connection]:
    """Open a transaction as `ecg_reviewer` that writes in this person's name and in no other's.

    Parameters
    ----------
    settings : Settings
    user_name : str
        Who is signed in.
    """
    name = storable(user_name)
    with store_engine(settings).connect() as writer:
        key, now_s = writer.execute(_KEY).one()
    with store_engine(settings, "ecg_reviewer").begin() as connection:
        # The session's number: who sees the claim in the list of sessions cannot use it in another one.
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        said = f"{number} {now_s} {name}".encode()
        inner = hashlib.sha256(bytes(key) + said).digest()
        claim = f"{hashlib.sha256(bytes(key) + inner).hexdigest()} {now_s} {name}"
        connection.execute(text("SELECT set_config('ecg.acts_for', :claim, true)"), {"claim": claim})
        yield connection
