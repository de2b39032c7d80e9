"""What a file does not say and its sender knows: the profile of generic CSV and JSON, a TOML of a few lines.

It lies beside the file under the same name (``holter.csv``, ``holter.toml``), or as ``.ecg-profile.toml`` in the
folder, for all files in it that have none of their own. Where a folder has neither, the profile that ``ECG_SITES`` has
for the site counts, and then ``ECG_CSV_PROFILES``, a folder with ``ward3.toml`` for files in folders called ward3,
``default.toml`` for all others. What a profile says and the file says
otherwise is told as doubt; the profile holds::

    rate_hz = 250            # or: time_column = "t", time_unit = "s"
    unit = "mV"
    columns = ["ch1", "ch2"] # which columns are ECG leads; their numbers, from 1, where the file has no header
    leads = ["II", "V1"]     # what these are called
    separator = ";"
    decimal = ","
"""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ecg_core.errors import CorruptHeader
from ecg_core.formats import leads
from ecg_core.settings import Settings

FOLDER_PROFILE = ".ecg-profile.toml"
PROFILED_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".json", ".gz", ".zip"})
SITE_DEFAULT = "default.toml"
_MOST_BYTES = 100_000
_TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0}


@dataclass(frozen=True, slots=True)
class Profile:
    """A parsed profile; None or empty where it does not say."""

    rate_hz: float | None = None
    time_column: str | None = None
    time_unit: str | None = None
    unit: str | None = None
    columns: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str | None = None


def own_profile_name(name: str) -> str:
    """Name of the profile that belongs to one file: ``holter.toml`` for ``holter.csv`` and ``holter.csv.gz``."""
    stem, suffix = os.path.splitext(name)
    if suffix.lower() == ".gz":
        inner, inner_suffix = os.path.splitext(stem)
        stem = inner if inner_suffix.lower() in {*PROFILED_SUFFIXES, ".tar"} else stem
    return f"{stem}.toml"


def profile_of(path: Path) -> Path | None:
    """Return the profile that lies beside a file or in its folder; None where there is none."""
    beside, folder = path.parent / own_profile_name(path.name), path.parent / FOLDER_PROFILE
    return beside if beside.is_file() else folder if folder.is_file() else None


Profiles = Callable[[str], Path | None]
"""Gives the profile that a file has by its address; None for none."""


def in_folder(profiles: Path | None) -> Profiles:
    """Give what a folder of profiles holds for files in folders of a name."""

    def find(source: str) -> Path | None:
        if profiles is None:
            return None
        own = profiles / f"{PurePosixPath(source).parent.name}.toml"
        return next((path for path in (own, profiles / SITE_DEFAULT) if path.is_file()), None)

    return find


NO_PROFILES: Profiles = in_folder(None)


def profiles_of(settings: Settings) -> Profiles:
    """Give the profile of the site that a file is of, or else what ``ECG_CSV_PROFILES`` holds."""
    find, sites = in_folder(settings.csv_profiles), settings.site_profiles

    def find_by_site(source: str) -> Path | None:
        site = settings.site_of(source) if sites else None
        return (sites[site].csv_profile if site else None) or find(source)

    return find_by_site


@contextmanager
def with_site_profile(path: Path, profiles: Profiles) -> Iterator[Path]:
    """Give a file's path; where a site's profile holds for it, that of a link to it beside a copy of the profile."""
    wanted = path.suffix.lower() in PROFILED_SUFFIXES and path.is_file() and profile_of(path) is None
    profile = profiles(str(path.resolve())) if wanted else None
    if profile is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ecg-profile-") as name:
        link = Path(name) / f"recording{''.join(path.suffixes[-2:])}"
        link.symlink_to(path.resolve())
        shutil.copyfile(profile, Path(name) / own_profile_name(link.name))
        yield link


def lend_profile(archive: Path, folder: Path) -> None:
    """Put the profile of an archive into the folder that it was unpacked to, for what has none of its own in there."""
    profile = profile_of(archive)
    if profile is not None and not (folder / FOLDER_PROFILE).exists():
        shutil.copyfile(profile, folder / FOLDER_PROFILE)


def parse_profile(raw: bytes) -> Profile:
    """Parse a profile.

    Raises
    ------
    CorruptHeader
        It is no TOML, or holds a key or value that is none of a profile.
    """
    try:
        values = tomllib.loads(raw[: _MOST_BYTES + 1].decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise CorruptHeader(
            "The profile of the file is no TOML.", "Correct it: one line a value, as unit = 'mV'."
        ) from None
    known = Profile.__dataclass_fields__
    unknown = [key for key in values if key not in known]
    if unknown or len(raw) > _MOST_BYTES:
        raise CorruptHeader(
            f"The profile of the file holds {len(unknown)} line(s) that mean nothing.", f"Known are {', '.join(known)}."
        )
    for key in ("columns", "leads"):
        if key in values:
            values[key] = tuple(str(item) for item in _as_list(values[key]))
    profile = Profile(**values)
    _check(profile)
    return profile


def seconds_per(unit: str) -> float | None:
    """Seconds per unit of time; None for another unit."""
    return _TIME_UNITS.get(unit.strip().casefold().replace("µ", "u").replace("μ", "u"))


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _check(profile: Profile) -> None:
    rate = profile.rate_hz
    wrong = None
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, (int, float)) or not rate > 0):
        wrong = "rate_hz must be a number, as in rate_hz = 250"
    elif profile.unit is not None and (not isinstance(profile.unit, str) or not _is_voltage(profile.unit)):
        wrong = 'unit must be a voltage, as in unit = "mV"'
    elif profile.time_unit is not None and (
        not isinstance(profile.time_unit, str) or seconds_per(profile.time_unit) is None
    ):
        wrong = 'time_unit must be "s", "ms", "us" or "ns"'
    elif profile.decimal not in (None, ".", ","):
        wrong = 'decimal must be "." or ","'
    elif profile.separator not in (None, ",", ";", "\t", "|", " "):
        wrong = 'separator must be ",", ";", "|", " " or "\\t"'
    elif profile.time_column is not None and not isinstance(profile.time_column, (str, int)):
        wrong = 'time_column must be a column\'s name, as in time_column = "t"'
    elif profile.leads and profile.columns and len(profile.leads) != len(profile.columns):
        wrong = "leads must be as many as columns"
    if wrong:
        raise CorruptHeader("The profile of the file holds a value that cannot be.", f"Correct it: {wrong}.")


def _is_voltage(unit: str) -> bool:
    return bool(unit.strip()) and leads.millivolts_per(unit) is not None
