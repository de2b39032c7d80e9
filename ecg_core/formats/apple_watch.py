"""The CSV that Apple's Health app exports: a header of ``name,value`` lines, then one sample a line.

The header's names are in the phone's language and numbers may have decimal commas, so lines are known by their values:
the rate by its hertz, the unit by its volts, the start by its shape; the two lines before the start are the patient's
name and birth date. Those two leave this module as one keyed hash and in no other way; messages quote nothing from
the file. The hash needs both of them: a name alone is shared by many.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, UnusableSignal
from ecg_core.formats import leads
from ecg_core.recording import Recording

_MAX_BYTES = 50_000_000
_RATE = re.compile(
    r"(\d{2,5}(?:[.,]\d{1,6})?)\s*(?:hertz|hz|herz|hercios?|hertzs|герц|ヘルツ|赫兹|赫茲|헤르츠)\.?", re.IGNORECASE
)
_START = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{4}", re.ASCII)
_LEAD = re.compile(r"(?:.*\s)?(I{1,3}|aV[RLF]|V[1-6])")
_POINT_VALUES = re.compile(r"[+-]?\d{1,9}(?:\.\d{1,12})?", re.ASCII)
_COMMA_VALUES = re.compile(r"[+-]?\d{1,9}(?:,\d{1,12})?", re.ASCII)
_MEND = "Export the recording again from the Health app."


def is_apple_watch(suffix: str, head: bytes) -> bool:
    """Whether a file begins as such an export does: a CSV that states hertz and a voltage."""
    if suffix != ".csv":
        return False
    values = [value for _, value in _header(head.decode("utf-8-sig", errors="replace").splitlines())]
    return any(_RATE.fullmatch(value) for value in values) and any(_is_unit(value) for value in values)


def read_apple_watch(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read an export; see `ecg_core.formats.read_recording`."""
    with path.open("rb") as stream:
        raw = stream.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES or b"\0" in raw:
        raise CorruptHeader("The file is too large for an Apple Watch recording, or holds binary data.", _MEND)
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CorruptHeader(
            "The file begins like an Apple Watch recording, but is no text to its end.", _MEND
        ) from None
    header = _header(lines)
    values = [value for _, value in header]
    unit_at = next((i for i, value in enumerate(values) if _is_unit(value)), None)
    rate = next((m for value in values if (m := _RATE.fullmatch(value))), None)
    if unit_at is None or rate is None:
        raise CorruptHeader("The header does not state the sampling rate or the unit.", _MEND)
    rate_hz = float(rate[1].replace(",", "."))
    if not leads.RATES_HZ[0] <= rate_hz <= leads.RATES_HZ[1]:
        raise UnusableSignal(f"The header states a sampling rate of {rate_hz:g} Hz, which no ECG has.", _MEND)
    factor = leads.millivolts_per(values[unit_at]) or 1.0
    signal = _samples(lines[header[-1][0] + 1 :]) * factor
    if signal.size < leads.SHORTEST_S * rate_hz:
        raise UnusableSignal(
            f"The recording is {signal.size / rate_hz:.1f} s long; at least {leads.SHORTEST_S:g} s are needed.",
            "Record longer.",
        )
    start_at = next((i for i, value in enumerate(values) if _START.fullmatch(value)), None)
    lead = _LEAD.fullmatch(values[unit_at - 1]) if unit_at else None
    return Recording(
        recording_id=recording_id or hashlib.sha256(raw).hexdigest(),
        signal=signal.astype(np.float32)[:, None],
        sampling_rate_hz=rate_hz,
        lead_names=(lead[1] if lead else "I",),
        source_format="apple-watch-csv",
        start_time=None if start_at is None else _start_time(values[start_at]),
        patient_pseudonym=_patient(values[:start_at] if start_at else [], pseudonym_key),
        device="Apple Watch",
    )


def _header(lines: list[str]) -> list[tuple[int, str]]:
    """Return (line number, value) of the lines with a name and a value, up to the unit's."""
    found = []
    for number, line in enumerate(lines[:40]):
        # A decimal comma may stand unquoted: all that follows the first comma is the value.
        _, comma, value = line.partition(",")
        if not comma or _COMMA_VALUES.fullmatch(line.strip()):
            continue
        found.append((number, value.strip().strip('"').strip()))
        if _is_unit(found[-1][1]):
            break
    return found


def _is_unit(value: str) -> bool:
    return value != "" and leads.millivolts_per(value) is not None


def _samples(lines: list[str]) -> npt.NDArray[np.float64]:
    """One number a line, with points or with commas, never both."""
    texts = [line.strip().strip('"') for line in lines]
    texts = [text for text in texts if text]
    with_commas = any("," in text for text in texts)
    shape = _COMMA_VALUES if with_commas else _POINT_VALUES
    for number, text in enumerate(texts, start=1):
        if shape.fullmatch(text) is None:
            raise CorruptHeader(f"Sample {number} of {len(texts)} is not a number.", _MEND)
    return np.array([float(text.replace(",", ".")) for text in texts], dtype=np.float64)


def _start_time(value: str) -> datetime | None:
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None


def _patient(values: list[str], key: bytes) -> str | None:
    """Keyed hash of name and birth date."""
    if len(values) < 2 or not values[0] or not values[1]:
        return None
    return leads.pseudonym("\n".join(" ".join(value.casefold().split()) for value in values[:2]), key)
