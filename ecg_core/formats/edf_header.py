"""The header of EDF and BDF: fields of fixed width, checked before any of them is believed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import Header, age_years, sex
from ecg_core.recording import Stated

MEND = "Export the recording again as EDF, and send it again."
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_EDF_PLUS_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_ELECTRODE = re.compile(r"(?:fp|af|fc|cp|po|tp|ft|sp|[fcpotam])(?:\d{1,2}|z)\b", re.IGNORECASE)
_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
_MOST_SIGNALS = 512


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """One signal as the header describes it; `offset` is where its samples begin in a record, in samples."""

    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[int, int]
    prefiltering: str
    per_record: int
    offset: int

    @property
    def is_annotation(self) -> bool:
        """Whether it holds times and notes, not samples."""
        return self.label.strip().casefold() in {"edf annotations", "bdf annotations"}


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """A parsed header; `n_records` is negative where it is left open, `start` None where it is no moment."""

    bytes_per_sample: int
    patient: str
    recording: str
    start: datetime | None
    interrupted: bool
    plus: bool
    header_bytes: int
    n_records: int
    record_s: float
    signals: tuple[EdfSignal, ...]

    @property
    def record_samples(self) -> int:
        """Samples of all signals in one record."""
        return sum(signal.per_record for signal in self.signals)


def parse_header(path: Path) -> EdfHeader:
    """Parse a file's header; raise `CorruptHeader`, `TruncatedSignal` or `UnusableSignal` where it cannot be."""
    with path.open("rb") as stream:
        main = stream.read(256)
        n_signals = _integer(main[252:256], "number of signals") if len(main) == 256 else 0
        if not 0 < n_signals <= _MOST_SIGNALS:
            raise CorruptHeader(f"The EDF header promises {n_signals} signals.", MEND)
        rest = stream.read(256 * n_signals)
    if len(rest) < 256 * n_signals:
        raise TruncatedSignal("The file ends within its header.", "Send it again: the transfer probably broke off.")
    reserved = main[192:236].decode("latin-1").strip()
    record_s = _number(main[244:252], "record duration")
    if not 0 < record_s < 1e6:
        raise UnusableSignal(f"The EDF header states records of {record_s:g} s, which hold no signal.", MEND)
    recording = main[88:168].decode("latin-1").strip()
    return EdfHeader(
        bytes_per_sample=3 if main[:1] == b"\xff" else 2,
        patient=main[8:88].decode("latin-1").strip(),
        recording=recording,
        start=_start(main[168:176].decode("latin-1"), main[176:184].decode("latin-1"), recording),
        interrupted=reserved.startswith(("EDF+D", "BDF+D")),
        plus=reserved.startswith(("EDF+", "BDF+")),
        header_bytes=256 * (n_signals + 1),
        n_records=_integer(main[236:244], "number of records"),
        record_s=record_s,
        signals=_parse_signals(rest, n_signals),
    )


def _parse_signals(rest: bytes, n: int) -> tuple[EdfSignal, ...]:
    columns, at = [], 0
    for width in _FIELDS:
        columns.append([rest[at + i * width : at + (i + 1) * width] for i in range(n)])
        at += width * n
    labels, _, units, pmin, pmax, dmin, dmax, filters, counts, _ = columns
    signals, offset = [], 0
    for i in range(n):
        per_record = _integer(counts[i], "samples per record")
        if not 0 <= per_record <= 10_000_000:
            raise CorruptHeader(f"The EDF header states {per_record} samples per record for signal {i + 1}.", MEND)
        label = _text(labels[i])
        annotation = label.casefold() in {"edf annotations", "bdf annotations"}
        signals.append(
            EdfSignal(
                label=label,
                unit=_text(units[i]),
                physical=(0.0, 1.0)
                if annotation
                else (_number(pmin[i], "physical minimum"), _number(pmax[i], "physical maximum")),
                digital=(0, 1)
                if annotation
                else (_integer(dmin[i], "digital minimum"), _integer(dmax[i], "digital maximum")),
                prefiltering=_text(filters[i]),
                per_record=per_record,
                offset=offset,
            )
        )
        offset += per_record
    return tuple(signals)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").strip("\0 ")
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip("\0 ")


def _number(raw: bytes, what: str) -> float:
    text = raw.decode("latin-1").strip("\0 ").replace(",", ".")
    if re.fullmatch(r"[+-]?(?:\d{1,8}\.?\d{0,8}|\.\d{1,8})(?:[eE][+-]?\d{1,3})?", text, re.ASCII) is None:
        raise CorruptHeader(f"The EDF header's {what} is not a number.", MEND)
    return float(text)


def _integer(raw: bytes, what: str) -> int:
    value = _number(raw, what)
    if value != int(value):
        raise CorruptHeader(f"The EDF header's {what} is not a whole number.", MEND)
    return int(value)


def _start(day: str, clock: str, recording: str) -> datetime | None:
    """EDF's two-digit years are those from 1985 to 2084; EDF+ states the whole year in the recording field."""
    dates = re.fullmatch(r"\s*(\d{1,2})[./-](\d{1,2})[./-](\d{2})\s*", day, re.ASCII)
    times = re.fullmatch(r"\s*(\d{1,2})[.:](\d{1,2})[.:](\d{1,2})\s*", clock, re.ASCII)
    if dates is None or times is None:
        return None
    year = int(dates[3]) + (1900 if int(dates[3]) >= 85 else 2000)
    when = (year, int(dates[2]), int(dates[1]))
    stated = re.match(r"Startdate\s+(\S+)", recording)
    plus = _plus_date(stated[1]) if stated else None
    if plus is not None:
        when = (plus.year, plus.month, plus.day)
    try:
        return datetime(*when, int(times[1]), int(times[2]), int(times[3]))
    except ValueError:
        return None


def _plus_date(text: str) -> date | None:
    match = _EDF_PLUS_DATE.fullmatch(text)
    if match is None or match[2].upper() not in _MONTHS:
        return None
    try:
        return date(int(match[3]), _MONTHS.index(match[2].upper()) + 1, int(match[1]))
    except ValueError:
        return None


def note_patient(edf: EdfHeader, header: Header) -> None:
    """Sex and age where EDF+ separates them; the code, or the whole field of plain EDF, for the pseudonym."""
    fields = edf.patient.split()
    header.saw(patient_field=edf.patient.strip("X 0"), recording_field=re.sub(r"Startdate|X|\s", "", edf.recording))
    structured = len(fields) >= 3 and fields[1] in {"M", "F", "X"} and (fields[2] == "X" or _plus_date(fields[2]))
    if structured:
        born = _plus_date(fields[2])
        header.stated = Stated(
            age_years=age_years(born, edf.start.date() if edf.start else None), sex=sex(fields[1].replace("X", ""))
        )
        header.patient = fields[0] if fields[0] != "X" else None
    elif edf.patient.strip("X 0") and not edf.plus:
        header.patient = edf.patient


def described(edf: EdfHeader, signal: EdfSignal) -> tuple[str, str, float]:
    """Name, unit and rate; electrodes of an EEG and signals without samples get a unit that no ECG has.

    So do signals of other names where some say that they are an ECG, as in recordings of sleep.
    """
    no_ecg = signal.is_annotation or signal.per_record == 0 or _ELECTRODE.match(signal.label) is not None
    if any(leads.says_ecg(other.label) for other in edf.signals) and not leads.says_ecg(signal.label):
        no_ecg |= leads.spelling(signal.label) not in leads.KNOWN_LEADS
    unit = "%" if no_ecg else signal.unit.replace("Â", "")
    return signal.label, unit, signal.per_record / edf.record_s


def stated_filters(texts: list[str]) -> tuple[str, ...]:
    """Return the filters of prefiltering texts like ``HP:0.1Hz LP:75Hz N:50Hz``."""
    found: dict[str, None] = {}
    for kind, name in (("HP", "high pass"), ("LP", "low pass"), ("N(?:OTCH)?", "notch")):
        for text in texts:
            match = re.search(rf"\b{kind}\s*[:=]?\s*(\d{{1,4}}(?:[.,]\d{{1,4}})?)\s*Hz", text, re.IGNORECASE)
            if match:
                found[f"{name} {float(match[1].replace(',', '.')):g} Hz"] = None
    return tuple(found)
