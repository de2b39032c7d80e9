"""The same signal under another format, name or header: found by fingerprint, told, and scored once unless asked."""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, select

from ecg_core.errors import DuplicateSignal
from ecg_core.store.tables import ingest_ledger, recording


def refuse_duplicate(conn: Connection, recording_id: str, fingerprint: str, patient_pseudonym: str | None) -> None:
    """Raise where another recording of the same signal has scores, and nobody asked for this one's.

    Two tasks that score the same signal take turns here: in the transaction that stores, the second one sees the first.

    Parameters
    ----------
    conn : Connection
    recording_id : str
    fingerprint : str
        Of its samples (`ecg_core.formats.fingerprint`).
    patient_pseudonym : str or None
        Whose heart its file says it is.

    Raises
    ------
    DuplicateSignal
    """
    conn.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(fingerprint, 0))))
    known = exists().where(recording.c.recording_id == recording_id)
    asked = exists().where(ingest_ledger.c.recording_id == recording_id, ingest_ledger.c.although_duplicate)
    other = conn.execute(
        select(recording.c.recording_id, recording.c.patient_pseudonym)
        .where(recording.c.fingerprint == fingerprint, ~known, ~asked)
        .order_by(recording.c.stored_at)
        .limit(1)
    ).one_or_none()
    if other is None:
        return
    differ = None not in (patient_pseudonym, other.patient_pseudonym) and patient_pseudonym != other.patient_pseudonym
    raise DuplicateSignal(
        f"The same signal was scored as recording {other.recording_id[:13]}, from a file of another format or header."
        + (" The two files name different patients: one of them is wrong." if differ else ""),
        f"See that recording's report; to score this one as well: ecg retry --recording {recording_id[:13]}.",
    )
