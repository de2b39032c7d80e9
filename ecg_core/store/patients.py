"""A patient's recordings, as they stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, RowMapping, text

from ecg_core.errors import StoreError
from ecg_core.recording import Recording
from ecg_core.result import RecordingFacts
from ecg_core.result.intervals import MEASURES
from ecg_core.result.past import PastRecording
from ecg_core.sites import Site, compared_with

SHORTEST_START: Final = 8
_HISTORY: Final = text("""
SELECT
    recording.recording_id, report.report_id, recording.start_time, recording.start_utc_offset_s, recording.arrived_at,
    recording.duration_s, coalesce(final.state, 'preliminary') AS state,
    CASE WHEN final.final_id IS NULL THEN run.mean_heart_rate_bpm ELSE final.mean_heart_rate_bpm END AS mean_heart_rate_bpm,
    CASE WHEN final.final_id IS NULL THEN run.min_heart_rate_bpm ELSE final.min_heart_rate_bpm END AS min_heart_rate_bpm,
    CASE WHEN final.final_id IS NULL THEN run.max_heart_rate_bpm ELSE final.max_heart_rate_bpm END AS max_heart_rate_bpm,
    coalesce(final.n_class_v, run.n_class_v)::float8
        / nullif(coalesce(final.n_beats_analysable, run.n_beats_analysable), 0) AS ventricular,
    coalesce(final.n_class_s, run.n_class_s)::float8
        / nullif(coalesce(final.n_beats_analysable, run.n_beats_analysable), 0) AS supraventricular,
    run.median_pr_ms, run.median_qrs_duration_ms, run.median_qt_ms, run.median_qtc_bazett_ms, run.median_qtc_fridericia_ms,
    found.kinds, coalesce(found.n_urgent, 0) AS n_urgent, found.longest_pause_s,
    least(1, coalesce(found.fibrillation_s, 0) / recording.duration_s) AS fibrillation
FROM ecg.recording AS recording
JOIN LATERAL (
    SELECT reading.reading_id, part.scoring_run_id
    FROM ecg.reading AS reading
    JOIN ecg.reading_run AS part ON part.reading_id = reading.reading_id AND part.task = 'beats'
    WHERE reading.recording_id = recording.recording_id
    ORDER BY reading.reading_id DESC
    LIMIT 1
) AS newest ON true
JOIN ecg.scoring_run AS run ON run.scoring_run_id = newest.scoring_run_id
LEFT JOIN ecg.report AS report ON report.reading_id = newest.reading_id
LEFT JOIN LATERAL (
    SELECT * FROM ecg.final_reading WHERE final_reading.reading_id = newest.reading_id ORDER BY final_id DESC LIMIT 1
) AS final ON true
LEFT JOIN LATERAL (
    SELECT
        array_agg(stands.kind ORDER BY stands.finding_index) FILTER (WHERE stands.urgency IN ('urgent', 'notable')) AS kinds,
        (count(*) FILTER (WHERE stands.urgency = 'urgent'))::integer AS n_urgent,
        max(stands.longest_s) FILTER (WHERE stands.kind = 'pause') AS longest_pause_s,
        max(stands.total_s) FILTER (WHERE stands.kind = 'atrial_fibrillation') AS fibrillation_s
    FROM (
        SELECT kind, finding_index, urgency, longest_s, total_s FROM ecg.finding
        WHERE finding.reading_id = newest.reading_id AND final.final_id IS NULL
        UNION ALL
        SELECT kind, finding_index, urgency, longest_s, total_s FROM ecg.final_finding
        WHERE final_finding.final_id = final.final_id
    ) AS stands
) AS found ON true
WHERE recording.patient_pseudonym = :patient
    AND (:all OR recording.site = ANY(CAST(:sites AS text[])))
    AND NOT EXISTS (SELECT FROM ecg_mart.ingest WHERE ingest.recording_id = recording.recording_id AND superseded_by IS NOT NULL)
ORDER BY coalesce(recording.start_time, recording.arrived_at AT TIME ZONE 'UTC') DESC, recording.recording_id
""")  # noqa: E501 (one line a column)


def history_of(
    conn: Connection, patient_pseudonym: str, sites: Iterable[str] | None = None
) -> tuple[PastRecording, ...]:
    """Return a patient's scored recordings, the newest first; those that were but the beginning of another left out.

    `sites` are those whose recordings are meant; all, and those of no site, where it is None.
    """
    facts = {"patient": patient_pseudonym, **_only(sites)}
    return tuple(_past(row) for row in conn.execute(_HISTORY, facts).mappings())


def last_before(conn: Connection, recording_id: str, sites: Mapping[str, Site]) -> PastRecording | None:
    """Return the recording of the same patient that came last before one; None where there is none, or no patient.

    By the recorders' clocks, or where one of the two has none, by their arrival. Of another of `sites` only where
    whoever sees the one sees the other.
    """
    patient = patient_of(conn, recording_id)
    if patient is None:
        return None
    history = history_of(conn, patient, compared_with(sites, _site_of(conn, recording_id)))
    this = next((one for one in history if one.recording_id == recording_id), None)
    if this is None:
        return None

    def earlier(one: PastRecording) -> bool:
        if one.start_time is None or this.start_time is None:
            return one.arrived_at < this.arrived_at
        return one.start_time < this.start_time

    return next((one for one in history if one is not this and earlier(one)), None)


def _past(row: RowMapping) -> PastRecording:
    own: dict[str, Any] = {
        name: row[name] for name in PastRecording.__dataclass_fields__ if name not in ("intervals_ms", "kinds")
    }
    for name in ("mean_heart_rate_bpm", "min_heart_rate_bpm", "max_heart_rate_bpm"):
        own[name] = None if own[name] is None else float(np.float32(own[name]))
    intervals_ms = {name: float(row[f"median_{name}"]) for name in MEASURES if row[f"median_{name}"] is not None}
    return PastRecording(**own, intervals_ms=intervals_ms, kinds=tuple(dict.fromkeys(row["kinds"] or ())))


def as_filed(conn: Connection, facts: RecordingFacts) -> RecordingFacts:
    """Return what a file says, under the patient under whom the recording is filed by now."""
    query = text("""
        SELECT to_patient, happened_at FROM ecg.audit
        WHERE recording_id = :id AND action = 'moved' ORDER BY audit_id DESC LIMIT 1
    """)
    moved = conn.execute(query, {"id": facts.recording_id}).one_or_none()
    if moved is None:
        return facts
    return replace(facts, patient_pseudonym=moved.to_patient, moved_at=moved.happened_at)


def patient_of(conn: Connection, recording_id: str) -> str | None:
    """Return the pseudonym under which a recording is filed."""
    query = text("SELECT patient_pseudonym FROM ecg.recording WHERE recording_id = :id")
    found: str | None = conn.execute(query, {"id": recording_id}).scalar_one_or_none()
    return found


def _site_of(conn: Connection, recording_id: str) -> str | None:
    query = text("SELECT site FROM ecg.recording WHERE recording_id = :id")
    found: str | None = conn.execute(query, {"id": recording_id}).scalar_one_or_none()
    return found


def _only(sites: Iterable[str] | None) -> dict[str, object]:
    return {"all": sites is None, "sites": sorted(sites or ())}


def under_known_pseudonym(conn: Connection, recording: Recording) -> Recording:
    """File a recording under the pseudonym by which its patient is known since a former key, if there is one."""
    if not recording.former_pseudonyms:
        return recording
    query = text("""
        SELECT patient_pseudonym FROM ecg.patient WHERE patient_pseudonym = ANY(:names) ORDER BY first_seen_at LIMIT 1
    """)
    names = [recording.patient_pseudonym, *recording.former_pseudonyms]
    known = conn.execute(query, {"names": names}).scalar_one_or_none()
    return replace(recording, patient_pseudonym=known) if known else recording


def patients_by_key(conn: Connection) -> dict[str | None, int]:
    """Count the patients by the key that their pseudonyms were made with; None: from before keys were told apart."""
    return dict(conn.execute(text("SELECT key_id, count(*) FROM ecg.patient GROUP BY key_id")).tuples().all())


def recording_named(conn: Connection, start: str, sites: Collection[str] | None = None) -> str:
    """Return the id of the one recording whose id starts so, of `sites` where they are given.

    Raises
    ------
    StoreError
        None does, several do, or the start is shorter than eight characters.
    """
    query = text("""
        SELECT recording_id FROM ecg.recording
        WHERE starts_with(recording_id, :start) AND (:all OR site = ANY(CAST(:sites AS text[]))) LIMIT 2
    """)
    facts = {"start": start, **_only(sites)}
    found = list(conn.execute(query, facts).scalars()) if len(start) >= SHORTEST_START else []
    if len(found) != 1:
        raise StoreError(
            f"No one recording has an id that starts with {start[:16]!r}.",
            f"Give at least {SHORTEST_START} characters of it, as the worklist shows it.",
        )
    return str(found[0])


def is_known(conn: Connection, patient_pseudonym: str, sites: Collection[str] | None = None) -> bool:
    """Tell whether there is such a patient; where `sites` are given, one with a recording of theirs."""
    query = text("""
        SELECT EXISTS (
            SELECT FROM ecg.patient AS patient WHERE patient.patient_pseudonym = :patient AND (:all OR EXISTS (
                SELECT FROM ecg.recording AS recording
                WHERE recording.patient_pseudonym = :patient AND recording.site = ANY(CAST(:sites AS text[]))
            ))
        )
    """)
    return bool(conn.execute(query, {"patient": patient_pseudonym, **_only(sites)}).scalar_one())


def file_under(conn: Connection, recording_id: str, patient_pseudonym: str | None) -> None:
    """File a recording under another patient, or under none."""
    move = text("UPDATE ecg.recording SET patient_pseudonym = :patient WHERE recording_id = :id")
    conn.execute(move, {"id": recording_id, "patient": patient_pseudonym})


def readings_with_report(conn: Connection, recording_id: str) -> list[int]:
    """Return the readings of a recording that have a report."""
    query = text("SELECT reading_id FROM ecg.reading JOIN ecg.report USING (reading_id) WHERE recording_id = :id")
    return list(conn.execute(query, {"id": recording_id}).scalars())
