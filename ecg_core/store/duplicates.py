"""The same signal under another format, name or header: found by fingerprint, told, and scored once unless asked."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, exists, func, select

from ecg_core.errors import DuplicateSignal
from ecg_core.store.tables import StorableText, ingest_ledger, recording

_FINGERPRINT: Final = bindparam("fingerprint", type_=StorableText)
_RECORDING_ID: Final = bindparam("recording_id", type_=StorableText)
_SITE: Final = bindparam("site", type_=StorableText)
_TAKE_TURNS: Final = select(func.pg_advisory_xact_lock(func.hashtextextended(_FINGERPRINT, 0)))
_KNOWN: Final = exists().where(recording.c.recording_id == _RECORDING_ID)
_ASKED: Final = exists().where(ingest_ledger.c.recording_id == _RECORDING_ID, ingest_ledger.c.although_duplicate)
_OTHER: Final = (
    select(recording.c.recording_id, recording.c.patient_pseudonym)
    .where(recording.c.fingerprint == _FINGERPRINT, ~_KNOWN, ~_ASKED, _SITE.is_(None) | (recording.c.site == _SITE))
    .order_by(recording.c.stored_at)
    .limit(1)
)


def refuse_duplicate(
    conn: Connection, recording_id: str, fingerprint: str, patient_pseudonym: str | None, site: str | None = None
) -> None:
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
    site : str, optional
        Whose recordings are meant; those of all where it is of none.

    Raises
    ------
    DuplicateSignal
    """
    conn.execute(_TAKE_TURNS, {"fingerprint": fingerprint})
    facts = {"recording_id": recording_id, "fingerprint": fingerprint, "site": site}
    other = conn.execute(_OTHER, facts).one_or_none()
    if other is None:
        return
    differ = None not in (patient_pseudonym, other.patient_pseudonym) and patient_pseudonym != other.patient_pseudonym
    raise DuplicateSignal(
        f"The same signal was scored as recording {other.recording_id[:13]}, from a file of another format or header."
        + (" The two files name different patients: one of them is wrong." if differ else ""),
        f"See that recording's report; to score this one as well: ecg retry --recording {recording_id[:13]}.",
    )
