"""A sampling rate, a start and gaps from a column of times."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnsupportedFormat
from ecg_core.formats.assembling import Header
from ecg_core.formats.profile import Profile, seconds_per

_TIME_UNIT = re.compile(r"(?:[\[(_ ]\s*)(ns|us|µs|ms|msec|s|sec|seconds?)\s*(?:[\])]\s*)?$", re.IGNORECASE)
_CLOCK = r"\d{1,3}:\d{2}(?::\d{2})?(?:[.,]\d{1,9})?"
_ISO = re.compile(rf"(\d{{4}}-\d{{2}}-\d{{2}})[ T]({_CLOCK})(Z|\s?[+-]\d{{2}}:?\d{{2}})?", re.ASCII)
_EUROPEAN = re.compile(rf"(\d{{1,2}})([./])(\d{{1,2}})[./](\d{{4}})[ T]({_CLOCK})", re.ASCII)
_DAY_FIRST = re.compile(r"^(\d{1,2})[./](\d{1,2})[./](\d{4})[ T]", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}", re.ASCII)
_TIME_OF_DAY = re.compile(rf"\[?({_CLOCK})\]?", re.ASCII)
_EPOCHS_S = (1_104_537_600.0, 4_102_444_800.0)
"""From 2005 to 2100; another clock counts from another moment."""
_DAY_S = 86_400.0
_MEND = "Correct the file, or state rate_hz in its profile."


def is_moment(cell: str) -> bool:
    """Whether a cell holds a moment, a day or a time of day: 2020-01-01 12:00:00.004, 01.02.2020 12:00:00, 0:00.004."""
    text = cell.strip().strip("'\"")
    return any(shape.fullmatch(text) for shape in (_ISO, _EUROPEAN, _TIME_OF_DAY, _DAY))


def seconds_between(moments: list[str]) -> npt.NDArray[np.float64]:
    """Seconds since the first of these moments; NaN where one of them is none."""
    texts = [text.strip().strip("'\"") for text in moments]
    seconds = _of_moments(texts) if _ISO.fullmatch(texts[0]) or _EUROPEAN.fullmatch(texts[0]) else _of_clocks(texts)
    since: npt.NDArray[np.float64] = seconds - seconds[0]
    return since


def _of_moments(texts: list[str]) -> npt.NDArray[np.float64]:
    # The zone is the same in all of them but where a clock was changed; what counts here are the steps.
    bare = [re.sub(r"(?:Z|\s?[+-]\d{2}:?\d{2})$", "", text).replace(",", ".") for text in texts]
    bare = [_DAY_FIRST.sub(_iso_day, text) for text in bare]
    try:
        times = np.array(bare, "datetime64[ns]")
    except ValueError:
        return np.full(len(bare), np.nan)
    seconds: npt.NDArray[np.float64] = (times - times[0]).astype(np.float64) / 1e9
    return seconds


def _iso_day(match: re.Match[str]) -> str:
    """Day and month in ISO's order; where it cannot be told which is which, the day first: the steps count."""
    day, month = int(match[1]), int(match[2])
    day, month = (month, day) if month > 12 else (day, month)
    return f"{match[3]}-{month:02d}-{day:02d}T"


def _of_clocks(texts: list[str]) -> npt.NDArray[np.float64]:
    seconds = np.full(len(texts), np.nan)
    for place, text in enumerate(texts):
        if match := _TIME_OF_DAY.fullmatch(text):
            parts = [float(part) for part in match[1].replace(",", ".").split(":")]
            seconds[place] = sum(part * 60.0**power for power, part in enumerate(reversed(parts)))
    # Past midnight the clock begins anew.
    turns = np.concatenate([[0], np.cumsum(np.diff(seconds) < -_DAY_S / 2)])
    return seconds + _DAY_S * turns


def start_of_epoch(times: npt.NDArray[np.float64], seconds_per_unit: float | None) -> datetime | None:
    """Return the moment of a first time that counts from 1970, in UTC; None where it cannot."""
    return moment_of_epoch(float(times[0]) * seconds_per_unit) if seconds_per_unit and times.size else None


def moment_of_epoch(seconds: float) -> datetime | None:
    """Return the moment so many seconds after 1970 began, in UTC; None where no ECG was recorded so then."""
    return datetime.fromtimestamp(round(seconds, 6), UTC) if _EPOCHS_S[0] < seconds < _EPOCHS_S[1] else None


def unevenness(times: npt.NDArray[np.float64]) -> float:
    """Mean distance of the steps from their median, as a share of it."""
    steps = np.diff(times)
    middle = float(np.nanmedian(steps)) if np.isfinite(steps).any() else 0.0
    return float(np.nanmean(np.abs(steps - middle))) / middle if middle > 0 else np.inf


def stated_seconds_per(name: str, profile: Profile) -> float | None:
    """Seconds per unit of a column of times, as the profile or the column's name states it; None where neither does."""
    if profile.time_unit:
        return seconds_per(profile.time_unit)
    bare = r"(seconds?|millis(?:econds)?|m?s|[un]s|sec|msec)"
    match = _TIME_UNIT.search(name) or re.fullmatch(bare, name.strip(), re.IGNORECASE)
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
