"""Readers are told of urgent findings: once a recording, without a name, with where to look."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ecg_core.pipeline.outbox import Message, known_site, tell
from ecg_core.report import sentences
from ecg_core.result import Result
from ecg_core.settings import Settings
from ecg_core.store.tables import arrival, report

URGENT = "urgent_finding"


def tell_urgent(connection: Connection, settings: Settings, result: Result, reading_id: int) -> int | None:
    """Put a notice into the outbox where a finding is urgent, in the transaction that stores the report.

    Returns
    -------
    int or None
        The message's number; None where nothing is urgent, or this recording was told of before.
    """
    urgent = [
        sentence
        for finding, sentence in zip(result.findings, sentences(result), strict=True)
        if finding.urgency == "urgent"
    ]
    if not urgent:
        return None
    recording_id = result.recording.recording_id
    report_id = connection.execute(select(report.c.report_id).where(report.c.reading_id == reading_id)).scalar_one()
    where = f"{settings.public_url.rstrip('/')}/ecg/reports/{report_id}/review" if settings.public_url else ""
    synthetic = ["The recording is synthetic: no person was recorded."] if result.recording.synthetic else []
    lines = [
        *urgent,
        *synthetic,
        f"Recording {recording_id[:16]}, report {report_id}. {where}".rstrip(),
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


def site_of(connection: Connection, settings: Settings, recording_id: str) -> str | None:
    """Name the site: the folder of the inbox in which the recording first arrived, where the rules know it."""
    first = select(arrival.c.source).where(arrival.c.recording_id == recording_id).order_by(arrival.c.first_seen_at)
    source = connection.execute(first.limit(1)).scalar_one_or_none()
    inbox = f"{settings.inbox_address.rstrip('/')}/"
    if source is None or not source.startswith(inbox):
        return None
    folder, slash, _ = source.removeprefix(inbox).partition("/")
    return known_site(settings, folder) if slash else None
