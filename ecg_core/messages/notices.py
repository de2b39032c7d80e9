"""Readers are told of urgent findings, systems of results: each once, without a name, with where to look."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, func, select

from ecg_core.messages.outbox import RESULT, Message, all_rules, channels_for, tell
from ecg_core.report import sentences
from ecg_core.result import Result
from ecg_core.settings import Settings
from ecg_core.store import finals
from ecg_core.store.database import store_engine
from ecg_core.store.sites import site_of
from ecg_core.store.tables import final_reading, outbox_message, report
from ecg_core.store.tables import reading as reading_table

URGENT = "urgent_finding"
AMENDED = "urgent_finding_amended"
_MOST_AT_ONCE: Final = 100


def tell_urgent(connection: Connection, settings: Settings, result: Result, reading_id: int) -> int | None:
    """Put a notice into the outbox where a finding is urgent, in the transaction that stores the report.

    Returns
    -------
    int or None
        The message's number; None where nothing is urgent, or this recording was told of before.
    """
    urgent = _urgent(result)
    if not urgent:
        return None
    recording_id = result.recording.recording_id
    synthetic = ["The recording is synthetic: no person was recorded."] if result.recording.synthetic else []
    lines = [
        *urgent,
        *synthetic,
        _place(connection, settings, recording_id, reading_id),
        "Found by software, seen by nobody yet. For research use, not for diagnosis.",
    ]
    return tell(
        connection,
        settings,
        Message(
            kind=URGENT,
            subject=f"ECG: urgent finding in recording {recording_id[:8]}",
            body="\n".join(lines),
            severity="critical",
            key=f"{URGENT}/{recording_id}",
            once=True,
            site=site_of(connection, settings, recording_id),
            reading_id=reading_id,
        ),
    )


def tell_result(
    connection: Connection, settings: Settings, recording_id: str, reading_id: int, final_id: int | None = None
) -> int | None:
    """Let systems be sent what is said of a reading, where a rule names any; in the transaction that makes it stand.

    Parameters
    ----------
    connection : Connection
    settings : Settings
    recording_id : str
    reading_id : int
    final_id : int, optional
        What a reader's answers made of it; as scored where it is left out.

    Returns
    -------
    int or None
        The message's number; None where nobody is to be sent it, or it was told before.
    """
    site = site_of(connection, settings, recording_id)
    if not channels_for(settings, RESULT, site):
        return None
    how = "as scored" if final_id is None else "as its reader left it"
    message = Message(
        kind=RESULT,
        subject=f"ECG: result of recording {recording_id[:8]}",
        body=f"Recording {recording_id[:16]}, {how}. For research use, not for diagnosis.",
        severity="info",
        key=f"{RESULT}/{reading_id}/{final_id or 'scored'}",
        once=True,
        site=site,
        reading_id=reading_id,
    )
    return tell(connection, settings, message)


def tell_signed(settings: Settings) -> int:
    """Let systems be sent what readers have signed or answered since, the newest state of each reading; how many.

    Readings of which systems were never sent anything are left alone.
    """
    if not any(RESULT in rules for rules in all_rules(settings)):
        return 0
    final, message = final_reading.c, outbox_message.c
    sent = select(message.reading_id).where(message.kind == RESULT)
    newest = (
        select(final.reading_id, func.max(final.final_id).label("final_id"))
        .where(final.reading_id.in_(sent))
        .group_by(final.reading_id)
        .subquery()
    )
    key = func.concat(f"{RESULT}/", newest.c.reading_id, "/", newest.c.final_id)
    told = select(message.message_id).where(message.dedupe_key == key).exists()
    query = (
        select(newest.c.reading_id, newest.c.final_id, reading_table.c.recording_id)
        .join(reading_table, reading_table.c.reading_id == newest.c.reading_id)
        .where(~told)
        .limit(_MOST_AT_ONCE)
    )
    with store_engine(settings).begin() as connection:
        rows = connection.execute(query).all()
        return sum(
            tell_result(connection, settings, row.recording_id, row.reading_id, row.final_id) is not None
            for row in rows
        )


def tell_amended(
    connection: Connection, settings: Settings, result: Result, reading_id: int, final_id: int
) -> int | None:
    """Put a notice into the outbox where readers' answers changed what is urgent; None where they did not.

    `result` is what stands with these final values.
    """
    urgent = _urgent(result)
    before = finals.urgent_before(connection, reading_id, final_id)
    if urgent == before:
        return None
    recording_id = result.recording.recording_id
    lines = [
        *(urgent or ["No urgent finding stands any more."]),
        *(f"No longer so: {sentence}" for sentence in before if sentence and sentence not in urgent),
        _place(connection, settings, recording_id, reading_id),
        "Changed by what readers have signed. For research use, not for diagnosis.",
    ]
    return tell(
        connection,
        settings,
        Message(
            kind=AMENDED,
            subject=f"ECG: urgent findings amended in recording {recording_id[:8]}",
            body="\n".join(lines),
            severity="critical" if urgent else "info",
            key=f"{AMENDED}/{final_id}",
            once=True,
            site=site_of(connection, settings, recording_id),
            reading_id=reading_id,
        ),
    )


def _urgent(result: Result) -> list[str]:
    told = zip(result.findings, sentences(result), strict=True)
    return [sentence for finding, sentence in told if finding.urgency == "urgent"]


def _place(connection: Connection, settings: Settings, recording_id: str, reading_id: int) -> str:
    report_id = connection.execute(select(report.c.report_id).where(report.c.reading_id == reading_id)).scalar_one()
    where = f"{settings.public_url.rstrip('/')}/ecg/reports/{report_id}/review" if settings.public_url else ""
    return f"Recording {recording_id[:16]}, report {report_id}. {where}".rstrip()
