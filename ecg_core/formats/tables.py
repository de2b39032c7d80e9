"""Generic CSV: lines of ``name,value`` at most, a line of column names at most, then numbers, one moment a line.

Exports of Samsung Health, Withings, Fitbit, Polar's loggers, Garmin and of many programs look like this. Sampling rate
and unit are taken from the file where it states them (a line ``Sample rate,500 Hz``, a column ``ecg [uV]``, a column of
times with its unit) and from a profile otherwise (`ecg_core.formats.profile`). What neither states is not guessed: the
file is set aside with the sentence that says which lines mend it.

Identity in these files: whatever a person wrote into the lines before the numbers. A line ``Patient ID,…`` leaves as a
keyed hash; age, sex and start are kept where they have a line of their own; nothing else of them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnsupportedFormat, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import Channel, Header, assemble, identity, read_whole
from ecg_core.formats.profile import Profile, parse_profile, profile_of
from ecg_core.formats.table_facts import header_of, rate_in, start_among, unit_in
from ecg_core.formats.text_file import decoded
from ecg_core.formats.time_column import (
    is_moment,
    rate_from_times,
    seconds_between,
    start_of_epoch,
    stated_seconds_per,
    unevenness,
    with_gaps,
)
from ecg_core.formats.wfdb_record import join_digests
from ecg_core.recording import Recording

_LARGEST_BYTES = 500_000_000
_LOOKED_AT_CHARACTERS, _LOOKED_AT_LINES = 65_536, 200
_COUNTED_ROWS = 1_000
_FEWEST_ROWS = 5
_SUFFIXES = {".csv", ".tsv", ".txt"}
_NUMBER = r"[+-]?(?:\d{1,18}(?:[.,]\d{0,18})?|[.,]\d{1,18})(?:[eE][+-]?\d{1,3})?"
_CELL = re.compile(rf"\s*(?:{_NUMBER}|nan|null|na|-|)\s*", re.IGNORECASE | re.ASCII)
_COMMA_NUMBERS = re.compile(r"\s*[+-]?\d{1,9},\d{1,12}\s*")
_VOLTS = r"(?:[mµμun]|mc|micro|milli|nano)v(?:olts?)?|мк?в"
_UNIT_IN_NAME = re.compile(
    rf"[\[(]\s*(v(?:olts?)?|{_VOLTS})\s*[\])]\s*$|(?:[_ /]|^)({_VOLTS})\s*$|[_ /](volts?)\s*$", re.IGNORECASE
)
# A value with its unit is no name.
_AMOUNT = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*[a-zµμ%/]{1,5}", re.IGNORECASE)
# What a line of units below the names holds, one in each cell.
_UNIT_CELL = re.compile(
    rf"[\[(]?\s*(?:{_VOLTS}|v|[mun]?s|sec|seconds?|msec|µs|hh:mm:ss(?:[.,]m+)?|bpm|cal|raw|no[_ ]units?|%|)\s*[\])]?",
    re.IGNORECASE,
)
_TIME_NAME = re.compile(
    r"\b(?:time|timestamp|seconds?|millis(?:econds)?|elapsed|zeit|temps|tiempo|tempo|czas|tid|t)(?=[\b_\s\[(]|$)|"
    r"^(?:[mun]?s|sec|msec)$|время|时间|時間|时刻|시간",
    re.IGNORECASE,
)
_COUNTER = re.compile(r"^(?:#|index|idx|sample(?: ?(?:no|number|index|#))?|n|nr|row|counter|seq\w*)$", re.IGNORECASE)
_NO_NUMBER = ["", "nan", "NaN", "NAN", "null", "NULL", "na", "NA", "N/A", "-"]
_MEND = "Correct the file, or say how it is written in a profile: a file of the same name that ends in .toml."
_RATE_LINE, _UNIT_LINE = "rate_hz = <samples a second>", 'unit = "<mV or uV>"'


@dataclass(slots=True)
class _Layout:
    """How a table is written: where its numbers begin, what its columns are called, and what the lines above say."""

    separator: str
    decimal: str
    first_row: int
    names: list[str]
    facts: list[tuple[str, str]] = field(default_factory=list)
    moments: set[int] = field(default_factory=set)
    """Columns that hold whole moments, as 2020-01-01 12:00:00.004."""


def is_table(suffix: str, head: bytes) -> bool:
    """Whether a file is text whose first lines lead to rows of numbers."""
    text = decoded(head, cut=True) if suffix in _SUFFIXES else "\0"
    if "\0" in text[:64]:
        return False
    lines = text.splitlines()
    return _first_row(lines[:-1] if len(lines) > _FEWEST_ROWS + 1 else lines) is not None


def read_table(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read a table of numbers; see `ecg_core.formats.read_recording`.

    Raises
    ------
    UnsupportedFormat
        Rate or unit are stated neither by the file nor by a profile.
    """
    raw = read_whole(path, _LARGEST_BYTES)
    beside = profile_of(path)
    profile_raw = beside.read_bytes() if beside else b""
    profile = parse_profile(profile_raw) if beside else Profile()
    text = decoded(raw)
    layout = _layout(text, profile)
    header = header_of(layout.facts, identity_with_profile(raw, profile_raw, recording_id))
    del raw
    channels = _channels(_read_columns(text, layout, header), layout, profile, header)
    return assemble(channels, header, pseudonym_key, _MEND)


def ask_for(missing: list[str]) -> UnsupportedFormat:
    """Return the refusal that asks for what neither file nor profile states."""
    what = {_RATE_LINE: "its sampling rate", _UNIT_LINE: "its unit"}
    named = " and ".join(what[line] for line in missing)
    return UnsupportedFormat(
        f"The file does not state {named}.",
        f"Write what is true into a file of the same name that ends in .toml: {' and '.join(missing)}.",
    )


def identity_with_profile(raw: bytes, profile_raw: bytes, recording_id: str | None) -> str:
    """Return the identity that is known already, or that of the content and of the profile it is read by."""
    if recording_id is not None or not profile_raw:
        return identity(raw, recording_id)
    return join_digests([hashlib.sha256(raw).digest(), hashlib.sha256(profile_raw).digest()])


def doubt_contradictions(header: Header, profile: Profile, rate_hz: float | None, units: list[str]) -> None:
    """Note where a file states another rate or unit than its profile, which holds."""
    if profile.rate_hz and rate_hz and not math.isclose(profile.rate_hz, rate_hz, rel_tol=1e-3):
        sentence = f"The file states {rate_hz:g} Hz, its profile {profile.rate_hz:g} Hz: it is read at the profile's."
        header.doubt("sampling_rate", sentence)
    wanted = leads.millivolts_per(profile.unit) if profile.unit else None
    if wanted and any(unit and leads.millivolts_per(unit) not in (None, wanted) for unit in units):
        header.doubt("gain", "The file states another unit than its profile: it is read in the profile's.")


def missing_lines(rate_hz: float | None, unit: str) -> list[str]:
    """Return the lines of a profile that would say what is not known."""
    return [line for line, known in ((_RATE_LINE, rate_hz is not None), (_UNIT_LINE, bool(unit))) if not known]


# --- layout


def _layout(text: str, profile: Profile) -> _Layout:
    lines = text[:_LOOKED_AT_CHARACTERS].splitlines()[:_LOOKED_AT_LINES]
    first = _first_row(lines)
    if first is None:
        raise CorruptHeader("No rows of numbers are found in the first lines of the file.", _MEND)
    rows = lines[first : first + 20]
    separator = profile.separator or _separator(rows, lines[first - 1] if first else "")
    cells = _cells(rows[0], separator)
    names, n_lines = _names(lines[:first], separator, len(cells))
    facts = [fact for line in lines[: first - n_lines] if (fact := _fact(line, separator)) is not None]
    moments = {i for i, cell in enumerate(cells) if separator != " " and is_moment(cell)}
    return _Layout(separator, profile.decimal or _decimal(rows, separator), first, names, facts, moments)


def _names(above: list[str], separator: str, width: int) -> tuple[list[str], int]:
    """Return the columns' names, each with its unit where a line of units follows, and how many lines hold them."""
    at, units = len(above), [""] * width
    while at and len(found := _named(above[at - 1], separator, width)) == width:
        if not all(_UNIT_CELL.fullmatch(cell) for cell in found) or not any(found):
            break
        units = [old or cell.strip("[]() ") for old, cell in zip(units, found, strict=True)]
        at -= 1
    named = _named(above[at - 1], separator, width) if at else []
    has_names = len(named) == width and not any(_AMOUNT.fullmatch(name) or name.endswith("=") for name in named)
    if has_names and not _is_fact(above[at - 1], separator, width):
        joined = [f"{name} [{unit}]" if unit else name for name, unit in zip(named, units, strict=True)]
        return joined, len(above) - at + 1
    return _labelled_names(above, separator, width) or units, len(above) - at


def _labelled_names(above: list[str], separator: str, width: int) -> list[str]:
    """Return names and units that stand in lines called so, as LabChart writes them; none where there are none."""
    rows = {cells[0].casefold(): cells for line in above if len(cells := _cells(line, separator)) == width}
    titles, units = rows.get("channeltitle=", []), rows.get("unitname=", [""] * width)
    return ["time", *(f"{name} [{unit}]" for name, unit in zip(titles[1:], units[1:], strict=True))] if titles else []


def _named(line: str, separator: str, width: int) -> list[str]:
    # A comment can say of itself that it names the columns.
    line = re.sub(r"^[#%\s]*(?:leads?|columns?|channels?)\s*[:=]\s*", "", line, flags=re.IGNORECASE)
    cells = _cells(line, separator)
    if separator == " " and len(cells) != width:
        # Names of two words stand further apart than the words do.
        cells = re.split(r"\s{2,}", line.strip())
    return [cell.strip().lstrip("#").strip()[:200] for cell in cells]


def _first_row(lines: list[str]) -> int | None:
    """Place of the first of five lines that are all numbers (with times or empty cells between them)."""
    good = [bool(line.strip()) and _is_row(line) for line in lines]
    for start in range(max(0, len(lines) - _FEWEST_ROWS + 1)):
        if all(good[start : start + _FEWEST_ROWS]):
            return start
    return None


def _is_row(line: str) -> bool:
    divided = next((separator for separator in (";", "\t", "|") if separator in line), None)
    return any(_all_numbers(_cells(line, separator)) for separator in ([divided] if divided else [",", " "]))


def _all_numbers(cells: list[str]) -> bool:
    found = [cell for cell in cells if not is_moment(cell)]
    return all(_CELL.fullmatch(cell) for cell in found) and any(re.search(r"\d", cell) for cell in found)


def _separator(rows: list[str], above: str) -> str:
    rows = [row for row in rows if row.strip()]
    for candidate in (";", "\t", "|"):
        if all(candidate in row for row in rows):
            return candidate
    if all("," in row for row in rows) and all(_all_numbers(_cells(row, ",")) for row in rows):
        if all(_COMMA_NUMBERS.fullmatch(row) for row in rows) and above.count(",") != 1:
            # One column with decimal commas, or two of whole numbers.
            raise UnsupportedFormat(
                "It cannot be told whether the comma divides two columns or is the decimal sign.",
                'Write into a file of the same name that ends in .toml: decimal = "," or separator = ",".',
            )
        return ","
    return " " if all(len(_cells(row, " ")) > 1 for row in rows) else ","


def _decimal(rows: list[str], separator: str) -> str:
    cells = [cell for row in rows for cell in _cells(row, separator) if not is_moment(cell)]
    return "," if any("," in cell for cell in cells) and not any("." in cell for cell in cells) else "."


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        words = line.split()
        # A moment is written with a blank in it.
        return [" ".join(words[:2]), *words[2:]] if is_moment(" ".join(words[:2])) else words
    cells = next(csv.reader([line], delimiter=separator), []) if '"' in line else line.split(separator)
    return [re.sub(r"^\s*'(.*)'\s*$", r"\1", cell) for cell in cells]


def _is_fact(line: str, separator: str, width: int) -> bool:
    """Whether a line above two columns states something, rather than names them: its second cell holds a number."""
    cells = _cells(line, separator)
    return width <= 2 and len(cells) == 2 and re.search(r"\d", cells[1]) is not None and rate_in(*cells) is not None


def _fact(line: str, separator: str) -> tuple[str, str] | None:
    match = re.match(
        rf"[#%\s]*\"?([^:={re.escape(separator)}\"]{{1,60}}?)\"?\s*[:={re.escape(separator)}]\s*(.*)", line
    )
    return (match[1].strip(), match[2].strip().strip(separator).strip().strip('"').strip()) if match else None


# --- columns


def _read_columns(text: str, layout: _Layout, header: Header) -> list[npt.NDArray[np.float64]]:
    """Return every column as numbers; one of moments as seconds since its first, which is the start unless stated."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    at = 0
    if "\n" not in text:
        text = text.replace("\r", "\n")
    for _ in range(layout.first_row):
        at = text.find("\n", at) + 1
    text = text[at:].rstrip() + "\n"
    if layout.separator == " ":
        text = re.sub(r"(?m)^ | $", "", re.sub(r"[ \t]+", " ", text))
    names = [f"c{i}" for i in range(len(layout.names))]
    types = {name: pa.string() if i in layout.moments else pa.float64() for i, name in enumerate(names)}
    try:
        table = arrow.read_csv(
            io.BytesIO(text.encode()),
            read_options=arrow.ReadOptions(column_names=names, use_threads=False),
            parse_options=arrow.ParseOptions(delimiter=layout.separator, ignore_empty_lines=True),
            convert_options=arrow.ConvertOptions(
                column_types=types, null_values=_NO_NUMBER, decimal_point=layout.decimal, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        row = re.search(r"[Rr]ow #?(\d+)", str(error))
        where = f" (row {row[1]})" if row else ""
        raise CorruptHeader(f"A row of the table{where} does not hold what the others hold.", _MEND) from None
    columns, first = [], []
    for place, name in enumerate(names):
        if place in layout.moments:
            moments = table[name].to_pylist()
            columns.append(seconds_between(moments))
            first.append(moments[0].strip(" '\""))
        else:
            columns.append(np.asarray(table[name].to_numpy(), dtype=np.float64))
    header.start_time = header.start_time or start_among(first)
    return columns


def _channels(
    columns: list[npt.NDArray[np.float64]], layout: _Layout, profile: Profile, header: Header
) -> list[Channel]:
    names = layout.names
    time_at = _time_column(names, columns, profile, layout.moments)
    chosen = _ecg_columns(names, columns, profile, layout.moments | {-1 if time_at is None else time_at})
    unit = unit_in(layout.facts)
    of_file = [_unit_in_name(names[i]) or unit for i in chosen]
    units = [profile.unit or own for own in of_file]
    stated_hz = next((r for n, v in layout.facts if (r := rate_in(n, v)) is not None), None)
    doubt_contradictions(header, profile, stated_hz, of_file)
    rate_hz = profile.rate_hz or stated_hz
    places = None
    if rate_hz is None and time_at is not None:
        scale = 1.0 if time_at in layout.moments else stated_seconds_per(names[time_at], profile)
        if scale is not None:
            rate_hz, places = rate_from_times(columns[time_at] * scale)
    if header.start_time is None and time_at is not None and time_at not in layout.moments:
        header.start_time = start_of_epoch(columns[time_at], stated_seconds_per(names[time_at], profile))
    missing = missing_lines(rate_hz, min(units, key=len, default=""))
    if missing or rate_hz is None:
        raise ask_for(missing)
    spelled = list(profile.leads) or [_lead_name(names[i], layout.facts, len(chosen)) for i in chosen]
    if len(spelled) != len(chosen):
        raise CorruptHeader(f"The profile names {len(spelled)} leads, the table has {len(chosen)}.", _MEND)
    samples = [columns[i] if places is None else with_gaps(columns[i], places, header) for i in chosen]
    return [Channel(n, u, rate_hz, s) for n, u, s in zip(spelled, units, samples, strict=True)]


def _time_column(
    names: list[str], columns: list[npt.NDArray[np.float64]], profile: Profile, moments: set[int]
) -> int | None:
    """Place of the column of times: the profile's, or of those that are called so the one of the evenest steps."""
    if profile.time_column is not None:
        return _place(str(profile.time_column), names)
    found = [i for i, name in enumerate(names) if (_TIME_NAME.search(name) and not _unit_in_name(name)) or i in moments]
    return min(found, key=lambda i: unevenness(columns[i]), default=None)


def _place(name: str, names: list[str]) -> int:
    if name in names:
        return names.index(name)
    if name.isdigit() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise CorruptHeader("The profile names a column that the table does not have.", _MEND)


def _ecg_columns(
    names: list[str], columns: list[npt.NDArray[np.float64]], profile: Profile, no_leads: set[int]
) -> list[int]:
    if profile.columns:
        return [_place(name, names) for name in profile.columns]
    no_leads = no_leads | {i for i, name in enumerate(names) if _TIME_NAME.search(name) and not _unit_in_name(name)}
    no_leads |= {i for i, column in enumerate(columns) if _is_counter(column)}
    no_leads |= {i for i, column in enumerate(columns) if not names[i] and not np.isfinite(column).any()}
    found = [i for i, name in enumerate(names) if i not in no_leads and not _COUNTER.match(name)]
    found = [i for i in found if leads.is_ecg(_UNIT_IN_NAME.sub("", names[i]), "mV") and not _other_unit(names[i])]
    if not found:
        raise UnusableSignal("None of the table's columns is an ECG lead.", _MEND)
    with_unit = [i for i in found if _unit_in_name(names[i])]
    return with_unit or found


def _is_counter(column: npt.NDArray[np.float64]) -> bool:
    """Whether a column rises evenly from row to row, as numbers of rows and times do, and no ECG does."""
    steps = np.diff(column[:_COUNTED_ROWS])
    return bool(steps.size and steps[0] > 0 and np.isfinite(steps).all() and np.ptp(steps) < 0.1 * np.mean(steps))


def _unit_in_name(name: str) -> str:
    match = _UNIT_IN_NAME.search(name)
    unit = next((found for found in match.groups() if found), "") if match else ""
    return unit if leads.millivolts_per(unit) else ""


def _other_unit(name: str) -> bool:
    """Whether a column's name ends in a unit in brackets that is no voltage."""
    match = re.search(r"[\[(]([^\])]{1,12})[\])]\s*$", name)
    return match is not None and leads.millivolts_per(match[1]) is None and leads.spelling(name) == name


def _lead_name(name: str, facts: list[tuple[str, str]], n_leads: int) -> str:
    """Return a column's name without its unit; the lead that a line above names, where there is one column."""
    bare = _UNIT_IN_NAME.sub("", name).strip(" _[(")
    stated = next((value for key, value in facts if re.fullmatch(r"leads?|ableitung|channel", key, re.I)), "")
    if (
        n_leads == 1
        and leads.spelling(bare) not in leads.STANDARD_LEADS
        and leads.spelling(stated) in leads.STANDARD_LEADS
    ):
        return stated
    return bare
