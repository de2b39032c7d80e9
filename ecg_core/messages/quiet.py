"""Quiet hours: what is not critical waits for their end, in which nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ecg_core.settings import Settings
from ecg_core.sites import QuietHours
from ecg_core.store.outbox import Severity


def waiting(
    settings: Settings, severity: Severity, site: str | None, channels: Sequence[str], at_once: Sequence[str] | None
) -> Mapping[str, datetime]:
    """Tell which channels are told later, and when.

    Parameters
    ----------
    settings : Settings
    severity : {'critical', 'warning', 'info'}
        What is critical waits nowhere, unless a rule says who is told at once.
    site : str or None
    channels : sequence of str
    at_once : sequence of str or None
        Channels that a rule ``kind!quiet`` tells at once; None where there is none.
    """
    hours = hours_of(settings, site)
    end = hours and ends(hours, datetime.now(UTC))
    if not end or (at_once is None and severity == "critical"):
        return {}
    return {channel: end for channel in channels if channel not in (at_once or ())}


def hours_of(settings: Settings, site: str | None) -> QuietHours | None:
    """Return the quiet hours of a site, or else those of the settings."""
    own = settings.site_profiles.get(site or "")
    return own.quiet if own is not None and own.quiet else settings.quiet


def ends(hours: QuietHours, now: datetime) -> datetime | None:
    """Return when the quiet hours that hold at `now` end; None where none hold. Clocks may be put on or back within."""
    zone = ZoneInfo(hours.time_zone)
    here = now.astimezone(zone)
    for days in (-1, 0):
        day = (here + timedelta(days=days)).date()
        begins = datetime.combine(day, hours.begins, zone)
        end = datetime.combine(day if hours.begins < hours.ends else day + timedelta(days=1), hours.ends, zone)
        if begins.astimezone(UTC) <= now < end.astimezone(UTC):
            return end.astimezone(UTC)
    return None
