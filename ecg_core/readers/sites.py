"""The sites as the platform knows them, and recordings that came before their site was told apart."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from ecg_core.readers.patients import draw_again
from ecg_core.settings import Settings
from ecg_core.store import patients, sites, worklist
from ecg_core.store.database import store_engine

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """A site with its addresses and roles, and how many recordings it has; the empty name stands for no site."""

    name: str
    inboxes: tuple[str, ...]
    roles: tuple[str, ...]
    n_recordings: int


def list_sites(settings: Settings) -> list[SiteFacts]:
    """List the sites of the file, those that recordings are still of, and at the end those of none."""
    with store_engine(settings).connect() as connection:
        counted = sites.counts(connection)
    profiles, inboxes = settings.site_profiles, settings.site_inboxes
    names = [*profiles, *sorted(name for name in counted if name and name not in profiles), ""]
    return [
        SiteFacts(
            name, tuple(inboxes.get(name, ())), profiles[name].roles if name in profiles else (), counted.get(name, 0)
        )
        for name in names
    ]


def enter_sites(settings: Settings) -> dict[str, int]:
    """Enter the site of recordings that have none, by the address they came to; how many by site.

    The worklist is ordered anew, and reports that compare with a recording of a site that their readers do not see are
    drawn again.
    """
    entered: dict[str, int] = {}
    with store_engine(settings).begin() as connection:
        for recording_id in sites.of_none(connection):
            site = sites.site_of(connection, settings, recording_id)
            if site is not None:
                sites.write_site(connection, recording_id, site)
                entered[site] = entered.get(site, 0) + 1
        worklist.place(connection, settings)
        readings = _compared_too_far(connection, settings)
    redrawn = sum(draw_again(settings, reading_id, "site") for reading_id in readings)
    log.info("sites entered", recordings=entered, redrawn=redrawn)
    return entered


def _compared_too_far(connection: Connection, settings: Settings) -> list[int]:
    """Return the readings whose report compares with another recording than it may now."""
    found: list[int] = []
    for recording_id in sites.of_patients_with_several(connection):
        drawn = patients.last_before(connection, recording_id, {})
        may_be = patients.last_before(connection, recording_id, settings.site_profiles)
        if (drawn and drawn.recording_id) != (may_be and may_be.recording_id):
            found += patients.readings_with_report(connection, recording_id)
    return found
