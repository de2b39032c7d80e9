"""The order of the worklist: by the first of a site's kinds of finding that a report has, as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from ecg_core.settings import Settings
from ecg_core.sites import compared_with

NEW: Final = "new"
URGENT: Final = "urgent"
MOST_PLACES: Final = 1000
"""Orders of sites differ in length: what is first in one is as near to the top as what is first in another."""

# An earlier recording is one that was made before, or arrived before where one of the two has no time.
_PLACE: Final = """
WITH entry AS (
    SELECT * FROM unnest(CAST(:sites AS text[]), CAST(:kinds AS text[]), CAST(:places AS integer[]),
        CAST(:only_new AS boolean[]), CAST(:only_urgent AS boolean[]), CAST(:before_end AS integer[]))
        AS entry (site, kind, place, only_new, only_urgent, before_end)
),
compared AS (
    SELECT * FROM unnest(CAST(:of_sites AS text[]), CAST(:with_sites AS text[])) AS compared (site, other)
),
subject AS (
    SELECT report.report_id, report.reading_id, report.urgency, recording.recording_id, recording.patient_pseudonym,
        recording.start_time, recording.arrived_at, recording.site AS sent_by,
        CASE WHEN recording.site IN (SELECT site FROM entry) THEN recording.site ELSE '*' END AS site,
        (SELECT max(final_id) FROM ecg.final_reading AS final WHERE final.reading_id = report.reading_id) AS final_id
    FROM ecg.report AS report
    JOIN ecg.reading AS reading ON reading.reading_id = report.reading_id
    JOIN ecg.recording AS recording ON recording.recording_id = reading.recording_id
    WHERE report.reading_id = ANY(:readings) OR :all
),
earlier AS (
    SELECT subject.report_id, newest.reading_id,
        (SELECT max(final_id) FROM ecg.final_reading AS final WHERE final.reading_id = newest.reading_id) AS final_id
    FROM subject
    JOIN ecg.recording AS before ON before.patient_pseudonym = subject.patient_pseudonym
        AND before.recording_id <> subject.recording_id
        AND coalesce(before.start_time < subject.start_time, before.arrived_at < subject.arrived_at)
        AND (subject.sent_by IS NULL OR NOT :apart OR before.site = subject.sent_by
            OR EXISTS (SELECT FROM compared WHERE compared.site = subject.sent_by AND compared.other = before.site))
    JOIN LATERAL (
        SELECT max(reading_id) AS reading_id FROM ecg.reading WHERE recording_id = before.recording_id
    ) AS newest ON newest.reading_id IS NOT NULL
),
found AS (
    SELECT subject.report_id, subject.site, stands.kind, stands.urgency, stands.finding_index,
        CASE WHEN NOT EXISTS (SELECT FROM earlier WHERE earlier.report_id = subject.report_id) THEN NULL
        ELSE NOT EXISTS (
            SELECT FROM earlier
            WHERE earlier.report_id = subject.report_id AND (
                EXISTS (
                    SELECT FROM ecg.final_finding AS was
                    WHERE was.final_id = earlier.final_id AND was.kind = stands.kind
                )
                OR earlier.final_id IS NULL AND EXISTS (
                    SELECT FROM ecg.finding AS was WHERE was.reading_id = earlier.reading_id AND was.kind = stands.kind
                )
            )
        ) END AS is_new
    FROM subject
    CROSS JOIN LATERAL (
        SELECT kind, urgency, finding_index FROM ecg.finding
        WHERE finding.reading_id = subject.reading_id AND subject.final_id IS NULL
        UNION ALL
        SELECT kind, urgency, finding_index FROM ecg.final_finding WHERE final_finding.final_id = subject.final_id
    ) AS stands
    WHERE stands.urgency IN ('urgent', 'notable', 'doubt')
),
first AS (
    SELECT DISTINCT ON (found.report_id) found.report_id, found.kind, found.is_new, entry.before_end
    FROM found
    JOIN entry ON entry.site = found.site AND entry.kind = found.kind
    WHERE (NOT entry.only_new OR found.is_new IS NOT FALSE) AND (NOT entry.only_urgent OR found.urgency = 'urgent')
    ORDER BY found.report_id, entry.place, found.finding_index
),
placed AS (
    SELECT subject.report_id, first.kind, first.is_new,
        32768 * coalesce(first.before_end, 0) + subject.urgency AS priority
    FROM subject LEFT JOIN first ON first.report_id = subject.report_id
)
UPDATE ecg.report AS report
SET priority = placed.priority, priority_kind = placed.kind, priority_new = placed.is_new
FROM placed
WHERE placed.report_id = report.report_id AND (report.priority, report.priority_kind, report.priority_new)
    IS DISTINCT FROM (placed.priority, placed.kind, placed.is_new)
"""


def place(conn: Connection, settings: Settings, readings: Sequence[int] | None = None) -> int:
    """Give reports their place in the worklist; how many have another one than before.

    Parameters
    ----------
    conn : Connection
    settings : Settings
        ``ECG_URGENCY_ORDER``, or a site's own, names kinds of finding, the one to be read first at the beginning;
        ``kind!new`` is of one that no earlier recording of the patient has (that the site's readers see), and
        ``kind!urgent`` of one that is urgent; both may be asked. What is named nowhere comes after, by its urgency.
    readings : sequence of int, optional
        Whose reports; all of them where it is left out.
    """
    sites = settings.site_profiles
    order = {"*": settings.urgency_order} | {
        name: site.urgency_order for name, site in sites.items() if site.urgency_order
    }
    compared = [(name, other) for name in sites for other in compared_with(sites, name) or ()]
    entries = [
        (site, kind, i, NEW in asked, URGENT in asked, MOST_PLACES - i)
        for site, kinds in order.items()
        for i, (kind, *asked) in enumerate(entry.split("!") for entry in kinds)
    ]
    names = ("sites", "kinds", "places", "only_new", "only_urgent", "before_end")
    columns = {name: list(values) for name, values in zip(names, zip(*entries, strict=True), strict=False)}
    empty: dict[str, list[object]] = {name: [] for name in names}
    facts = {**empty, **columns, "readings": list(readings or ()), "all": readings is None, "apart": bool(sites)}
    facts |= {"of_sites": [name for name, _ in compared], "with_sites": [other for _, other in compared]}
    return conn.execute(text(_PLACE), facts).rowcount
