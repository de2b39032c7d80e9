"""A sampling rate, and gaps, from a column of times."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnsupportedFormat
from ecg_core.formats.assembling import Header
from ecg_core.formats.profile import Profile, seconds_per

_TIME_UNIT = re.compile(r"(?:[\[(_ ]\s*)(ns|us|µs|ms|msec|s|sec|seconds?)\s*(?:[\])]\s*)?$", re.IGNORECASE)
_MEND = "Correct the file, or state rate_hz in its profile."


def unevenness(times: npt.NDArray[np.float64]) -> float:
    """Mean distance of the steps from their median, as a share of it."""
    steps = np.diff(times)
    middle = float(np.nanmedian(steps)) if steps.size else 0.0
    return float(np.nanmean(np.abs(steps - middle))) / middle if middle > 0 else np.inf


def stated_seconds_per(name: str, profile: Profile) -> float | None:
    """Seconds per unit of a column of times, as the profile or the column's name states it; None where neither does."""
    if profile.time_unit:
        return seconds_per(profile.time_unit)
    match = _TIME_UNIT.search(name) or re.fullmatch(r"(seconds?|millis(?:econds)?)", name.strip(), re.IGNORECASE)
    if match is None:
        return None
    unit = match[1].casefold()
    unit = "ms" if unit.startswith("m") else "s" if unit.startswith("s") else unit
    return seconds_per(unit)


def rate_from_times(times_s: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.int64] | None]:
    """Rate in hertz, and each sample's place where times are missing between them (None where none are).

    Raises
    ------
    CorruptHeader
        The times run backwards, or in steps that no rate explains.
    """
    steps = np.diff(times_s)
    if times_s.size < 2 or not np.isfinite(times_s).all() or (steps < 0).any() or not np.median(steps) > 0:
        raise CorruptHeader("The column of times is not complete, or runs backwards.", _MEND)
    step = float(np.median(steps))
    regular = steps[steps < 1.5 * step]
    # Times are written with few digits: the mean of many steps is more exact than any of them.
    rate = 1.0 / float(np.mean(regular))
    nearest = round(rate)
    rate = float(nearest) if nearest and abs(rate - nearest) < 2e-3 * nearest**0.5 else round(rate, 3)
    if np.mean(np.abs(regular - np.mean(regular))) > 0.6 * step:
        raise CorruptHeader("The steps of the column of times are too uneven to tell a rate.", _MEND)
    if regular.size == steps.size:
        return rate, None
    places = np.round((times_s - times_s[0]) * rate).astype(np.int64)
    places = np.maximum.accumulate(places - np.arange(places.size)) + np.arange(places.size)
    if places[-1] > 20 * times_s.size + 3600 * rate:
        raise UnsupportedFormat("The gaps of the recording are far longer than its signal.", "Cut it into its parts.")
    return rate, places


def with_gaps(
    values: npt.NDArray[np.float64], places: npt.NDArray[np.int64], header: Header
) -> npt.NDArray[np.float64]:
    """Lay samples on their places, with NaN between them, and note that there are gaps."""
    out = np.full(int(places[-1]) + 1, np.nan)
    out[places] = values
    if out.size > values.size:
        missing = out.size - values.size
        header.doubt("gap", f"{missing:,} samples are missing by the column of times: they are gaps.")
    return out
