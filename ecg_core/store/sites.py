"""Which site a recording is of: the first that sent it. Whose readers see it follows from that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, or_, select, update

from ecg_core.settings import Settings
from ecg_core.store.arrivals import source_key
from ecg_core.store.tables import arrival, reading, recording, report


def site_of(conn: Connection, settings: Settings, recording_id: str) -> str | None:
    """Name the site of a recording: as it was entered, or else of the first of its arrivals that came to one."""
    entered: str | None = conn.execute(
        select(recording.c.site).where(recording.c.recording_id == recording_id)
    ).scalar_one_or_none()
    came = select(arrival.c.source).where(arrival.c.recording_id == recording_id).order_by(arrival.c.first_seen_at)
    sites = (settings.site_of(source) for source in conn.execute(came).scalars())
    return entered or next((site for site in sites if site), None)


def write_site(conn: Connection, recording_id: str, site: str | None) -> None:
    """Enter which site sent a recording, where that is known; that of one that has a site stays."""
    if site is not None:
        row = recording.c
        enter = update(recording).where(row.recording_id == recording_id, row.site.is_(None))
        conn.execute(enter.values(site=site))


def quota_used(conn: Connection, settings: Settings) -> dict[str, float]:
    """Tell which share of its quota each site's files take, as they arrived; by name, of those that have one."""
    used: dict[str, float] = {}
    for name, site in settings.site_profiles.items():
        if site.quota_gb is None:
            continue
        prefixes = [source_key(f"{place}/") for place in settings.site_places[name]]
        here = or_(*(arrival.c.source.startswith(prefix, autoescape=True) for prefix in prefixes))
        once = select(func.max(arrival.c.size_bytes).label("size")).where(here).group_by(arrival.c.recording_id)
        size = conn.execute(select(func.coalesce(func.sum(once.subquery().c.size), 0))).scalar_one()
        used[name] = float(size) / (1e9 * site.quota_gb)
    return used


def sites(conn: Connection, among: Collection[str] | None = None) -> list[str]:
    """Name the sites that recordings came from, `among` those where they are given."""
    query = select(recording.c.site).where(recording.c.site.is_not(None)).distinct().order_by(recording.c.site)
    return [site for site in conn.execute(query).scalars() if among is None or site in among]


def is_seen(conn: Connection, report_id: int, among: Collection[str] | None) -> bool:
    """Tell whether there is such a report, of a recording of these sites; of any, or of none, where they are None."""
    query = (
        select(recording.c.site)
        .select_from(report)
        .join(reading, reading.c.reading_id == report.c.reading_id)
        .join(recording, recording.c.recording_id == reading.c.recording_id)
        .where(report.c.report_id == report_id)
    )
    row = conn.execute(query).one_or_none()
    return row is not None and (among is None or row.site in among)


def of_others(conn: Connection, recording_ids: Sequence[str], among: Collection[str] | None) -> set[str]:
    """Return those of some recordings that are of another site than these; none where they are None."""
    if among is None:
        return set()
    query = select(recording.c.recording_id, recording.c.site).where(recording.c.recording_id.in_(recording_ids))
    return {recording_id for recording_id, site in conn.execute(query).tuples() if site and site not in among}


def counts(conn: Connection) -> dict[str, int]:
    """Count the recordings by their site; by the empty name those of none."""
    query = select(func.coalesce(recording.c.site, ""), func.count()).group_by(recording.c.site)
    return dict(conn.execute(query).tuples().all())


def of_none(conn: Connection) -> list[str]:
    """Return the recordings that are of no site."""
    return list(conn.execute(select(recording.c.recording_id).where(recording.c.site.is_(None))).scalars())


def of_patients_with_several(conn: Connection) -> list[str]:
    """Return the recordings of a site whose patients have recordings of another, or of none."""
    row, other = recording.c, recording.alias("other")
    apart = other.c.site.is_distinct_from(row.site)
    elsewhere = select(other.c.recording_id).where(other.c.patient_pseudonym == row.patient_pseudonym, apart)
    query = select(row.recording_id).where(row.site.is_not(None), elsewhere.exists())
    return list(conn.execute(query.order_by(row.recording_id)).scalars())
