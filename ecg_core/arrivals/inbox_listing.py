"""Every file that lies in an inbox, and what has become of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from upath import UPath

from ecg_core.arrivals.registering import existing
from ecg_core.formats import Candidate, look_at, profiles_of
from ecg_core.settings import Settings
from ecg_core.store import arrivals
from ecg_core.store.arrivals import Entry, Outcome
from ecg_core.store.database import store_engine

State = Literal["scored", "waiting", "set aside", "ignored"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of an inbox: its state, why, since when, and the file whose recording it is a part of (or empty)."""

    file: str
    state: State
    why: str
    since: datetime | None = None
    part_of: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of an inbox; `untold` are files that lie there and are in no row, which must not be."""

    files: tuple[Listed, ...]
    untold: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Files by state."""
        return dict(Counter(listed.state for listed in self.files))


def list_inbox(settings: Settings, inbox: UPath | None = None) -> Listing:
    """Say of every file in an inbox whether it is scored, waiting, set aside or ignored, and why.

    Parameters
    ----------
    settings : Settings
    inbox : UPath, optional
        The setting's where it is left out.

    Raises
    ------
    SettingsError
        There is no such folder.
    """
    folder = existing(inbox if inbox is not None else UPath(settings.inbox_address), settings)
    prefix = f"{str(folder).rstrip('/')}/"
    look = look_at(folder, profiles_of(settings))
    with store_engine(settings).connect() as connection:
        entries = arrivals.entries(connection, prefix)
        outcomes = arrivals.outcomes(connection, prefix)
    now = datetime.now(UTC)
    rows: dict[str, Listed] = {}
    for told in look.told:
        entry = entries.get(arrivals.source_key(prefix + told.name))
        rows[told.name] = Listed(told.name, "set aside", told.reason, _since(entry, now))
    for told in look.ignored:
        rows[told.name] = Listed(told.name, "ignored", told.reason)
    for candidate in look.candidates:
        source = arrivals.source_key(prefix + candidate.name)
        row = _row(candidate, outcomes.get(source), entries.get(source), now)
        rows[candidate.name] = row
        for part in candidate.parts:
            if not part.startswith("../"):
                rows.setdefault(part, Listed(part, row.state, row.why, row.since, candidate.name))
    untold = [name for name in _names(folder) if name not in rows]
    return Listing(tuple(rows[name] for name in sorted(rows)), tuple(untold))


def _row(candidate: Candidate, outcome: Outcome | None, entry: Entry | None, now: datetime) -> Listed:
    name = candidate.name
    if outcome is not None and outcome.stamp == candidate.stamp:
        if outcome.state == "scored":
            return Listed(name, "scored", outcome.reason, outcome.since)
        if outcome.state == "set aside":
            return Listed(name, "set aside", outcome.reason, outcome.since)
        why = "It is being scored." if outcome.state == "claimed" else "It waits to be scored."
        return Listed(name, "waiting", why, outcome.since)
    if entry is not None and entry.stamp == candidate.stamp:
        return Listed(name, entry.state, entry.reason, _since(entry, now))
    return Listed(name, "waiting", "The next look at the inbox takes it in.")


def _since(entry: Entry | None, now: datetime) -> datetime | None:
    return now - timedelta(seconds=entry.age_s) if entry is not None else None


def _names(folder: UPath) -> Iterator[str]:
    """Names of all files, counted in another way than the look: what a look passes over is found here."""
    if folder.protocol not in ("", "file", "local"):
        return
    root = str(folder.path)
    for where, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = os.path.relpath(os.path.join(where, name), root)
            yield path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
