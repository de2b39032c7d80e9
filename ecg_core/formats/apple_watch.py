"""The CSV that Apple's Health app exports: a header of ``name,value`` lines, then one sample a line.

The header's names are in the phone's language, numbers may have decimal commas, and some programs save the file anew
with semicolons, so lines are known by their values: the rate by its hertz, the unit by its volts, the start by its
shape; the two lines before the start are the patient's name and birth date, the two after it the classification and
the symptoms. Name and birth date leave this module as one keyed hash and in no other way; messages quote nothing from
the file. The hash needs both of them: a name alone is shared by many.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import Header, age_years, check_length, finish
from ecg_core.formats.text_file import decoded
from ecg_core.recording import Recording, Stated

_MAX_BYTES = 50_000_000
# Hertz in the languages of the export, with their endings: "hercios", "hertziä", "герца".
_HERTZ = r"hz|h[eé]r[tczk]\w{0,6}|héc|hertsi\w{0,3}|гц|герц\w{0,3}|χερτζ|هرتز|הרץ|हर्ट्ज़?|เฮิรตซ์|ヘルツ|赫兹|赫茲|헤르츠"
_RATE = re.compile(rf"(\d{{2,5}}(?:[.,]\d{{1,6}})?)\s*(?:{_HERTZ})\.?", re.IGNORECASE)
_START = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}", re.ASCII)
_LEAD = re.compile(r"(?<![A-Za-z])(I{1,3}|aV[RLF]|V[1-6])(?![A-Za-z0-9])")
_HEART_RATE = re.compile(
    r"(\d{2,3})\s*(?:bpm|bpm\.|/min|min⁻¹|lpm|bat/min|spm|slag/min|уд/мин|次/分|拍/分)", re.IGNORECASE
)
_POINT_VALUES = re.compile(r"[+-]?(?:\d{1,9}|\d{1,3}(?:,\d{3}){1,2})(?:\.\d{1,12})?", re.ASCII)
_COMMA_VALUES = re.compile(r"[+-]?(?:\d{1,9}|\d{1,3}(?:\.\d{3}){1,2})(?:,\d{1,12})?", re.ASCII)
# Between thousands: blanks that do not break, the thin one, apostrophes.
_DIVIDERS = {ord(c): None for c in "\u00a0\u202f\u2009'\u2019"}
_HEADER_LINES = 40
_USUAL_S = 30.0
_MEND = "Export the recording again from the Health app."
_DATES = ("%b %d, %Y", "%d.%m.%Y", "%Y-%m-%d", "%d %b %Y", "%d/%m/%Y", "%d %B %Y", "%B %d, %Y")


def is_apple_watch(suffix: str, head: bytes) -> bool:
    """Whether a file begins as such an export does: a CSV with hertz, a voltage, no start of another shape, one column.

    Other makers write the same lines; theirs have names in one language and are read by these (`tables`).
    """
    if suffix != ".csv":
        return False
    lines = decoded(head, cut=True).splitlines()
    header, first = _header(lines)
    below = lines[first : first + 20]
    one_column = 2 * sum(_is_value(line) for line in below) >= len(below)
    of_others = any(_MOMENT.match(value) for value in header) and not any(_START.fullmatch(value) for value in header)
    stated = any(_RATE.fullmatch(value) for value in header) and any(_is_unit(value) for value in header)
    return stated and one_column and not of_others


def read_apple_watch(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read an export; see `ecg_core.formats.read_recording`."""
    with path.open("rb") as stream:
        raw = stream.read(_MAX_BYTES + 1)
    text = decoded(raw)
    if len(raw) > _MAX_BYTES or "\0" in text:
        raise CorruptHeader("The file is too large for an Apple Watch recording, or holds binary data.", _MEND)
    lines = text.splitlines()
    values, first_sample = _header(lines)
    unit_at = next((i for i, value in enumerate(values) if _is_unit(value)), None)
    rate = next((m for value in values if (m := _RATE.fullmatch(value))), None)
    if unit_at is None or rate is None:
        raise CorruptHeader("The header does not state the sampling rate or the unit.", _MEND)
    rate_hz = float(rate[1].replace(",", "."))
    if not leads.RATES_HZ[0] <= rate_hz <= leads.RATES_HZ[1]:
        raise UnusableSignal(f"The header states a sampling rate of {rate_hz:g} Hz, which no ECG has.", _MEND)
    signal = _samples(lines[first_sample:]) * (leads.millivolts_per(values[unit_at]) or 1.0)
    check_length(signal.size, rate_hz, 1)
    lead = _LEAD.search(values[unit_at - 1]) if unit_at else None
    header = _stated(values, recording_id or hashlib.sha256(raw).hexdigest())
    header.file_unit = values[unit_at]
    if signal.size < (_USUAL_S - 1.0) * rate_hz:
        header.doubt(
            "length",
            f"The recording ends after {signal.size / rate_hz:.1f} s, where the watch takes {_USUAL_S:g} s: "
            "the file may be cut off.",
        )
    return finish(signal.astype(np.float32)[:, None], [lead[1] if lead else "I"], rate_hz, header, pseudonym_key)


def _header(lines: list[str]) -> tuple[list[str], int]:
    """Return the values of the lines ``name,value`` before the samples, and the number of the first sample's line.

    The samples begin after the unit, with the first line that is no such pair: others can stand in between.
    """
    separator = ";" if sum(";" in line for line in lines[:8]) > sum("," in line for line in lines[:8]) else ","
    values: list[str] = []
    seen_unit = False
    for number, line in enumerate(lines[:_HEADER_LINES]):
        is_number = _is_value(line)
        # A decimal comma may stand unquoted: all that follows the first comma is the value.
        _, found, value = line.partition(separator)
        if is_number or not found:
            if seen_unit and line.strip():
                return values, number
            continue
        values.append(value.strip().strip('"').strip())
        seen_unit |= _is_unit(values[-1])
    return values, min(len(lines), _HEADER_LINES)


def _is_value(line: str) -> bool:
    text = line.translate(_DIVIDERS).strip().strip('"')
    return any(shape.fullmatch(text) is not None for shape in (_POINT_VALUES, _COMMA_VALUES))


def _is_unit(value: str) -> bool:
    return value != "" and leads.millivolts_per(value) is not None


def _samples(lines: list[str]) -> npt.NDArray[np.float64]:
    """One number a line; the decimal sign is the same in all, and stands after what divides thousands."""
    texts = [line.translate(_DIVIDERS).strip().strip('"') for line in lines]
    texts = [text for text in texts if text]
    both = next((text for text in texts if "," in text and "." in text), "")
    with_commas = both.rfind(",") > both.rfind(".") if both else any("," in text for text in texts)
    shape, divider, decimal = (_COMMA_VALUES, ".", ",") if with_commas else (_POINT_VALUES, ",", ".")
    for number, text in enumerate(texts, start=1):
        # Without a number that holds both, one sign alone can be the decimal's.
        if shape.fullmatch(text) is None or (divider in text and not both):
            raise CorruptHeader(f"Sample {number} of {len(texts)} is not a number.", _MEND)
    return np.array([float(text.replace(divider, "").replace(decimal, ".")) for text in texts], dtype=np.float64)


def _stated(values: list[str], recording_id: str) -> Header:
    start_at = next((i for i, value in enumerate(values) if _START.fullmatch(value)), None)
    header = Header("apple-watch-csv", recording_id, device="Apple Watch")
    if start_at is None:
        return header
    header.start_time = _start_time(values[start_at])
    on = header.start_time.date() if header.start_time else None
    measured = next((float(m[1]) for value in values if (m := _HEART_RATE.fullmatch(value))), None)
    born = _birth_date(values[start_at - 1]) if start_at >= 2 else None
    header.stated = Stated(
        age_years=age_years(born, on), measurements=(("heart_rate_per_min", measured),) if measured else ()
    )
    if start_at >= 2:
        header.saw(name=values[0], birth_date=values[1])
    if start_at >= 2 and values[0] and values[1]:
        header.patient = "\n".join(" ".join(value.casefold().split()) for value in values[:2])
    header.texts = values[start_at + 1 : start_at + 2]
    header.symptoms = values[start_at + 2 : start_at + 3]
    return header


def _start_time(value: str) -> datetime | None:
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def _birth_date(value: str) -> date | None:
    """Return a birth date whose parts can be read in one order only: of ``3/4/1950`` nobody knows the month."""
    for form in _DATES:
        try:
            found = datetime.strptime(value, form).date()
        except ValueError:
            continue
        return None if "/" in value and found.day <= 12 else found
    return None
