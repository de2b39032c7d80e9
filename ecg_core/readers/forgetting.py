"""Forget a recording or a patient: everything of it in the database, on the disk and in the store, with a receipt."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import text

from ecg_core import depot
from ecg_core.errors import StoreError
from ecg_core.settings import Settings
from ecg_core.store import forgetting
from ecg_core.store.database import owner_engine

log = structlog.get_logger(__name__)


def forget(settings: Settings, name: str) -> dict[str, object]:
    """Remove everything of a recording, or of all recordings of a patient.

    Parameters
    ----------
    settings : Settings
    name : str
        Start of a recording's id (8 characters at least), or a patient's whole pseudonym.

    Returns
    -------
    dict
        The receipt: ``forgotten_at``, ``recordings`` (how many), ``rows`` by table, ``files`` removed, and ``left``:
        sentences on what is not in this platform's hands.

    Raises
    ------
    StoreError
        It means nothing that is known, or its files still lie in an inbox, from which they would come in again.
    """
    engine = owner_engine(settings)
    with engine.begin() as connection:
        ids = forgetting.find_recordings(connection, name)
        there = [source for source in forgetting.sources_of(connection, ids) if os.path.lexists(source)]
        if there:
            raise StoreError(
                f"{len(there)} of its files still lie where they arrived, the first: {there[0]}.",
                "The platform never changes an inbox: take them away there, then forget again.",
            )
        copies = forgetting.staged_paths(connection, ids)
        rows = forgetting.forget(connection, ids)
    folders = {settings.recordings_dir / Path(path).parent for path in copies}
    folders |= {settings.reports_dir / recording_id[:2] / recording_id for recording_id in ids}
    files = sum(depot.remove(settings, folder) for folder in folders)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Deleted rows stay in the tables' files until then.
        connection.execute(text("VACUUM"))
    log.info("forgotten", recordings=len(ids), rows=sum(rows.values()), files=files)
    return {
        "forgotten_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recordings": len(ids),
        "rows": rows,
        "files": files,
        "left": [
            "Backups hold it until the next ones replace them.",
            "Exports and reports that were copied to other places are not known here.",
            "Model versions that learned from reviews of it keep what they learned.",
            *(["Other machines' copies of what lies in the store go within a day."] if settings.store else []),
        ],
    }
