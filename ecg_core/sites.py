"""Sites of one installation: who sends where, and whose readers see what.

One TOML file, a table a site::

    [north]
    inboxes = ["north", "s3://north/ecg"]  # folders of ECG_INBOX, or addresses; a folder called as the site if left out
    roles = ["north"]                      # who holds one of these sees this site's recordings
    urgency_order = ["vf", "pause"]        # in place of ECG_URGENCY_ORDER
    messages = {urgent_finding = ["ward"]} # before ECG_MESSAGE_RULES
    quiet_hours = "22:00-07:00"            # in place of ECG_QUIET_HOURS; in the site's time zone unless it names one
    priority = 1                           # before sites of 0, which is left out; below 0: behind, as an archive
    quota_gb = 500                         # what its files may take; without a bound if left out
    time_zone = "Europe/Berlin"            # of clocks in files that state none
    csv_profile = "/etc/ecg/north.toml"    # before ECG_CSV_PROFILES
    pseudonym_key_file = "/run/secrets/n"  # in place of ECG_PSEUDONYM_KEY

Where there are sites, a reader sees those of their roles alone; a recording of no site is seen by `SEES_ALL` alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, time, timezone
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from ecg_core.errors import SettingsError

SEES_ALL: Final = frozenset({"ecg admin", "ecg analyst", "Admin", "admin"})
"""Roles whose holders see every site's recordings, unless they hold a site's role too; two are Airflow's own."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
"""It names a folder of uploads; shorter than an upload's number, which it must not be taken for."""


class QuietHours(NamedTuple):
    """From when to when, each day, by the clock of which zone; they may run over midnight."""

    begins: time
    ends: time
    time_zone: str


_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: (\S+))?")


def quiet_hours_of(text: str, time_zone: str | None = None) -> QuietHours | None:
    """Read quiet hours as they are set: ``22:00-07:00 Europe/Berlin``; None where there are none.

    Raises
    ------
    ValueError
        They are no hours, or it is not said in which time zone.
    """
    if not text:
        return None
    match = _HOURS.fullmatch(text)
    if match is None or match.group(1, 2) == match.group(3, 4):
        raise ValueError("quiet hours as 22:00-07:00 Europe/Berlin")
    zone = match[5] or time_zone
    if zone not in available_timezones():
        raise ValueError("quiet hours with a time zone, as 22:00-07:00 Europe/Berlin")
    begins, ends = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    return QuietHours(begins, ends, str(zone))


class Site(BaseModel):
    """What is a site's own; what is left out is as the settings say for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inboxes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    urgency_order: tuple[str, ...] = ()
    messages: dict[str, tuple[str, ...]] = {}
    quiet_hours: str = ""
    priority: int = 0
    quota_gb: float | None = Field(None, gt=0)
    time_zone: str | None = None
    csv_profile: FilePath | None = None
    pseudonym_key_file: FilePath | None = None

    @field_validator("inboxes")
    @classmethod
    def _of_folders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not one.strip("/") or ".." in one.split("/") for one in value):
            raise ValueError("folders of ECG_INBOX, absolute folders or addresses")
        return tuple(one.rstrip("/") for one in value)

    @field_validator("time_zone")
    @classmethod
    def _that_there_is(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError("a time zone as Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _of_a_clock(self) -> Self:
        quiet_hours_of(self.quiet_hours, self.time_zone)
        return self

    @property
    def quiet(self) -> QuietHours | None:
        """Its quiet hours; None where it has none of its own."""
        return quiet_hours_of(self.quiet_hours, self.time_zone)

    @field_validator("urgency_order")
    @classmethod
    def _of_entries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return known_entries(value)


def with_time_zone(start: datetime | None, time_zone: str | None) -> datetime | None:
    """Give a clock that states no time zone the site's; an hour that comes twice a year, or never, stays without."""
    if start is None or start.tzinfo is not None or time_zone is None:
        return start
    first, second = (start.replace(tzinfo=ZoneInfo(time_zone), fold=fold).utcoffset() for fold in (0, 1))
    return start if first is None or first != second else start.replace(tzinfo=timezone(first))


def known_entries(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Return an order of the worklist as it is.

    Raises
    ------
    ValueError
        An entry is no kind of finding with ``!new`` or ``!urgent``.
    """
    for entry in entries:
        if not re.fullmatch(r"[a-z0-9_]+(!new|!urgent)*", entry):
            raise ValueError(f"a kind of finding, perhaps with !new or !urgent, not {entry!r}")
    return entries


@lru_cache(maxsize=8)
def read_sites(path: Path) -> Mapping[str, Site]:
    """Read the sites of a file by their names; once per process.

    Raises
    ------
    SettingsError
        It cannot be read, a key or value means nothing, or two sites have the same inbox.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        sites = TypeAdapter(dict[str, Site]).validate_python(tables)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{where} in ECG_SITES={path} does not fit: {first['msg']}.", f"Correct {where}.") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"ECG_SITES={path} cannot be read: {error}.", "Correct the file or its name.") from None
    if wrong := [name for name in sites if not _NAME.fullmatch(name)]:
        raise SettingsError(
            f"No site can be called {wrong[0]!r} in ECG_SITES={path}.",
            "Small letters, digits, - and _, 31 at most; its folders may be called otherwise: inboxes = […].",
        )
    inboxes = [inbox for name, site in sites.items() for inbox in site.inboxes or (name,)]
    if twice := [inbox for inbox in inboxes if inboxes.count(inbox) > 1]:
        raise SettingsError(f"Two sites in ECG_SITES={path} have the inbox {twice[0]}.", "Give it to one of them.")
    return sites


def seen_by(sites: Mapping[str, Site], roles: Collection[str]) -> frozenset[str] | None:
    """Tell the sites whose recordings somebody with these roles sees; None for all of them, and those of no site."""
    own = frozenset(name for name, site in sites.items() if not set(site.roles).isdisjoint(roles))
    return own if own or (sites and SEES_ALL.isdisjoint(roles)) else None


def compared_with(sites: Mapping[str, Site], site: str | None) -> Iterable[str] | None:
    """Tell the sites with whose recordings one of `site` may be compared; None for all of them, and those of no site.

    Whoever sees the one must see the other: a report says of the earlier recording what it found.
    """
    if site is None or not sites:
        return None
    own = set(sites[site].roles) if site in sites else set()
    return {name for name, other in sites.items() if site in sites and own <= set(other.roles)} | {site}
