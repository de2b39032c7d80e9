"""EDF, EDF+C, EDF+D and BDF: a header of fixed fields, then records of so many seconds with each signal's samples.

Grammar: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+), BioSemi's 24-bit BDF. The reader is our own: libraries
join the records of an interrupted recording (EDF+D) end to end, so that every time after a gap is wrong; here the gaps
are NaN and the times right. Samples are read through a memory map in blocks, so that reading needs little more memory
than the recording itself.

Samples that stand at the stated digital minimum or maximum three times in a row are saturated, and missing; single
ones are not: some writers state the extremes that the signal really has.

Identity in these files: the patient field (code, name, birth date, and what follows), the recording field (hospital
code, technician, equipment), transducer texts and annotations. The patient field leaves as a keyed hash; of it sex
and age are kept where EDF+ separates them; annotations only where `words` lets them pass; nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnsupportedFormat, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import (
    MAX_VALUES,
    Header,
    age_years,
    check_length,
    choose_leads,
    finish,
    identity_of_file,
    sex,
)
from ecg_core.recording import Recording, Stated

_MEND = "Export the recording again as EDF, and send it again."
_BLOCK_VALUES = 1 << 21
_MOST_EVENTS = 10_000
_MOST_SIGNALS = 512
_LONGEST_GAP_VALUES = 1 << 26
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_EDF_PLUS_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_ELECTRODE = re.compile(r"(?:fp|af|fc|cp|po|tp|ft|sp|[fcpotam])(?:\d{1,2}|z)\b", re.IGNORECASE)
_ONSET = re.compile(rb"[+-]\d{1,9}(?:\.\d{0,9})?")
_END_OF_TEXT = 0x14
_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)


@dataclass(frozen=True, slots=True)
class _Signal:
    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[int, int]
    prefiltering: str
    per_record: int
    offset: int
    """Where its samples begin in a record, in samples."""

    @property
    def is_annotation(self) -> bool:
        return self.label.strip().casefold() in {"edf annotations", "bdf annotations"}


@dataclass(frozen=True, slots=True)
class _EdfHeader:
    bytes_per_sample: int
    patient: str
    recording: str
    start: datetime | None
    interrupted: bool
    plus: bool
    header_bytes: int
    n_records: int
    record_s: float
    signals: tuple[_Signal, ...]

    @property
    def record_samples(self) -> int:
        return sum(signal.per_record for signal in self.signals)


def is_edf(suffix: str, head: bytes) -> bool:
    """Whether a file begins as EDF ("0" and blanks, then text) or BDF does."""
    if head[:8] == b"\xffBIOSEMI":
        return True
    return head[:8] == b"0       " and len(head) >= 236 and head[168:184].strip() != b"" and suffix != ".hea"


def read_edf(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read an EDF or BDF file; see `ecg_core.formats.read_recording`."""
    edf = _parse_header(path)
    header = Header("bdf" if edf.bytes_per_sample == 3 else "edf", "", edf.start)
    described = [_described(edf, signal) for signal in edf.signals]
    rate_hz, chosen = choose_leads(described, _MEND, header.doubts)
    n_records = _records(path, edf, header.doubts)
    per_record = edf.signals[chosen[0]].per_record
    check_length(n_records * per_record, rate_hz, len(chosen))
    raw = _map(path, edf, n_records)
    onsets = _read_annotations(raw, edf, header)
    places, n_samples = _places(onsets, n_records, per_record, rate_hz, len(chosen))
    signal = _read_signal(raw, edf, chosen, places, n_samples)
    if onsets is not None and n_samples > n_records * per_record:
        gap_s = (n_samples - n_records * per_record) / rate_hz
        header.doubts.append(f"The recording was interrupted: {gap_s:,.1f} s in it are gaps.")
    header.recording_id = identity_of_file(path, recording_id)
    header.file_unit = edf.signals[chosen[0]].unit
    _patient(edf, header)
    header.stated = Stated(
        age_years=header.stated.age_years,
        sex=header.stated.sex,
        filters=_filters([edf.signals[i].prefiltering for i in chosen]),
    )
    return finish(signal, [edf.signals[i].label for i in chosen], rate_hz, header, pseudonym_key)


# --- header


def _parse_header(path: Path) -> _EdfHeader:
    with path.open("rb") as stream:
        main = stream.read(256)
        n_signals = _integer(main[252:256], "number of signals") if len(main) == 256 else 0
        if not 0 < n_signals <= _MOST_SIGNALS:
            raise CorruptHeader(f"The EDF header promises {n_signals} signals.", _MEND)
        rest = stream.read(256 * n_signals)
    if len(rest) < 256 * n_signals:
        raise TruncatedSignal("The file ends within its header.", "Send it again: the transfer probably broke off.")
    reserved = main[192:236].decode("latin-1").strip()
    record_s = _number(main[244:252], "record duration")
    if not 0 < record_s < 1e6:
        raise UnusableSignal(f"The EDF header states records of {record_s:g} s, which hold no signal.", _MEND)
    recording = main[88:168].decode("latin-1").strip()
    return _EdfHeader(
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


def _parse_signals(rest: bytes, n: int) -> tuple[_Signal, ...]:
    columns, at = [], 0
    for width in _FIELDS:
        columns.append([rest[at + i * width : at + (i + 1) * width] for i in range(n)])
        at += width * n
    labels, _, units, pmin, pmax, dmin, dmax, filters, counts, _ = columns
    signals, offset = [], 0
    for i in range(n):
        per_record = _integer(counts[i], "samples per record")
        if not 0 <= per_record <= 10_000_000:
            raise CorruptHeader(f"The EDF header states {per_record} samples per record for signal {i + 1}.", _MEND)
        label = _text(labels[i])
        annotation = label.casefold() in {"edf annotations", "bdf annotations"}
        signals.append(
            _Signal(
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
        raise CorruptHeader(f"The EDF header's {what} is not a number.", _MEND)
    return float(text)


def _integer(raw: bytes, what: str) -> int:
    value = _number(raw, what)
    if value != int(value):
        raise CorruptHeader(f"The EDF header's {what} is not a whole number.", _MEND)
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


def _patient(edf: _EdfHeader, header: Header) -> None:
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


def _described(edf: _EdfHeader, signal: _Signal) -> tuple[str, str, float]:
    """Name, unit and rate; electrodes of an EEG and signals without samples get a unit that no ECG has."""
    no_ecg = signal.is_annotation or signal.per_record == 0 or _ELECTRODE.match(signal.label) is not None
    unit = "%" if no_ecg else signal.unit.replace("Â", "")
    return signal.label, unit, signal.per_record / edf.record_s


def _filters(texts: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for kind, name in (("HP", "high pass"), ("LP", "low pass"), ("N(?:OTCH)?", "notch")):
        for text in texts:
            match = re.search(rf"\b{kind}\s*[:=]?\s*(\d{{1,4}}(?:[.,]\d{{1,4}})?)\s*Hz", text, re.IGNORECASE)
            if match:
                found[f"{name} {float(match[1].replace(',', '.')):g} Hz"] = None
    return tuple(found)


# --- records


def _records(path: Path, edf: _EdfHeader, doubts: list[str]) -> int:
    """Whole records that may be read: as many as promised, or as many as there are where the header leaves it open."""
    record_bytes = edf.record_samples * edf.bytes_per_sample
    if record_bytes == 0:
        raise UnusableSignal("The file's records hold no samples.", _MEND)
    there = max(0, path.stat().st_size - edf.header_bytes) // record_bytes
    if edf.n_records < 0:
        doubts.append("The header leaves the number of records open: the recording was not ended properly.")
    elif there < edf.n_records:
        raise TruncatedSignal(
            f"The file holds {there:,} records of {edf.record_s:g} s, but its header promises {edf.n_records:,}.",
            "The transfer probably broke off: send the recording again.",
        )
    elif there > edf.n_records:
        doubts.append(
            f"The file holds {there:,} records of {edf.record_s:g} s, its header promises {edf.n_records:,}: "
            "the others are left out."
        )
    return there if edf.n_records < 0 else edf.n_records


def _map(path: Path, edf: _EdfHeader, n_records: int) -> npt.NDArray[np.uint8]:
    shape = (n_records, edf.record_samples * edf.bytes_per_sample)
    return np.memmap(path, dtype=np.uint8, mode="r", offset=edf.header_bytes, shape=shape)


def _read_annotations(raw: npt.NDArray[np.uint8], edf: _EdfHeader, header: Header) -> npt.NDArray[np.float64] | None:
    """Note the events; return each record's start in seconds where the recording was interrupted, None otherwise."""
    marks = [signal for signal in edf.signals if signal.is_annotation and edf.plus]
    if not marks:
        if edf.interrupted:
            raise CorruptHeader("The file says that it was interrupted (EDF+D), but not when.", _MEND)
        return None
    onsets = _onsets(_bytes_of(raw, edf, marks[0]), edf)
    first = float(onsets[0]) if len(onsets) else 0.0
    if not np.isfinite(onsets).all() or not 0 <= first <= 86400:
        raise CorruptHeader("The times of the file's records cannot be.", _MEND)
    if edf.start is not None:
        header.start_time = edf.start + timedelta(seconds=first)
    for place, signal in enumerate(marks):
        block = _bytes_of(raw, edf, signal)
        # A record's own time takes two of these bytes, every note at least two more.
        noted = np.count_nonzero(block == _END_OF_TEXT, axis=1) > (2 if place == 0 else 0)
        for number in np.flatnonzero(noted)[:_MOST_EVENTS]:
            for at, texts in _annotation_lists(block[number].tobytes()):
                header.events += [(at - first, text) for text in texts if text.strip()]
    return onsets - first if edf.interrupted else None


def _bytes_of(raw: npt.NDArray[np.uint8], edf: _EdfHeader, signal: _Signal) -> npt.NDArray[np.uint8]:
    n = edf.bytes_per_sample
    return np.ascontiguousarray(raw[:, signal.offset * n : (signal.offset + signal.per_record) * n])


def _onsets(block: npt.NDArray[np.uint8], edf: _EdfHeader) -> npt.NDArray[np.float64]:
    """Start of each record in seconds, as its first annotation says; without gaps that of the first one is enough."""
    n_records, width = block.shape
    onsets = np.arange(n_records, dtype=np.float64) * np.float64(edf.record_s)
    text = block.tobytes()
    for number in range(n_records if edf.interrupted else min(1, n_records)):
        end = text.find(b"\x14", number * width, (number + 1) * width)
        match = _ONSET.fullmatch(text, number * width, max(end, number * width))
        if match is not None:
            onsets[number] = float(match[0])
        elif edf.interrupted:
            raise CorruptHeader(f"Record {number + 1} of the interrupted recording has no time.", _MEND)
    return onsets


def _annotation_lists(raw: bytes) -> Iterator[tuple[float, list[str]]]:
    """Yield (onset in seconds, texts) of one record's time-stamped annotation lists."""
    for piece in raw.split(b"\0"):
        onset, *texts = piece.rstrip(b"\x14").split(b"\x14")
        time = onset.split(b"\x15")[0]
        if texts and _ONSET.fullmatch(time):
            yield float(time), [text.decode("utf-8", "replace") for text in texts]


def _places(
    onsets: npt.NDArray[np.float64] | None, n_records: int, per_record: int, rate_hz: float, n_leads: int
) -> tuple[npt.NDArray[np.int64], int]:
    """First sample of each record, and the recording's length with its gaps, in samples."""
    joined = np.arange(n_records, dtype=np.int64) * per_record
    if onsets is None:
        return joined, n_records * per_record
    if onsets.max(initial=0.0) * rate_hz * n_leads > MAX_VALUES:
        raise UnsupportedFormat("The gaps of the recording are longer than can be read.", "Cut it into its parts.")
    places = np.round(onsets * rate_hz).astype(np.int64)
    # A clock's last digit may put a record a sample or two too early.
    overlap = per_record - np.diff(places)
    if (overlap > max(2.0, 0.01 * rate_hz)).any():
        raise CorruptHeader("The times of the file's records overlap or run backwards.", _MEND)
    shift = np.concatenate([[0], np.cumsum(np.clip(overlap, 0, None))])
    places = places + shift
    n_samples = int(places[-1]) + per_record
    gap = (n_samples - n_records * per_record) * n_leads
    if gap > max(4 * n_records * per_record * n_leads, _LONGEST_GAP_VALUES):
        raise UnsupportedFormat(
            f"The recording is {n_records * per_record / rate_hz:,.0f} s of signal in {n_samples / rate_hz:,.0f} s.",
            "Cut it into its parts, and send each.",
        )
    return places, n_samples


def _read_signal(
    raw: npt.NDArray[np.uint8], edf: _EdfHeader, chosen: list[int], places: npt.NDArray[np.int64], n_samples: int
) -> npt.NDArray[np.float32]:
    n_records = len(raw)
    per_record = edf.signals[chosen[0]].per_record
    joined = n_samples == n_records * per_record
    signal = np.empty((n_samples, len(chosen)), dtype=np.float32)
    if not joined:
        signal.fill(np.nan)
    step = max(1, _BLOCK_VALUES // max(1, edf.record_samples))
    for column, place in enumerate(chosen):
        _check_scale(edf.signals[place], column + 1)
    for start in range(0, n_records, step):
        block = np.asarray(raw[start : start + step])
        for column, place in enumerate(chosen):
            values = _millivolts(block, edf.signals[place], edf.bytes_per_sample)
            if joined:
                at = start * per_record
                signal[at : at + values.size, column] = values.ravel()
                continue
            for record, at in zip(values, places[start : start + step], strict=True):
                signal[at : at + per_record, column] = record
    return signal


def _check_scale(signal: _Signal, number: int) -> None:
    low, high = signal.digital
    if low >= high or signal.physical[0] == signal.physical[1]:
        raise CorruptHeader(f"The EDF header states no range for ECG lead {number}, so its scale is unknown.", _MEND)


def _millivolts(block: npt.NDArray[np.uint8], signal: _Signal, n_bytes: int) -> npt.NDArray[np.float32]:
    """One signal of a block of records, shape (records, samples per record)."""
    part = np.ascontiguousarray(block[:, signal.offset * n_bytes : (signal.offset + signal.per_record) * n_bytes])
    digital: npt.NDArray[np.signedinteger]
    if n_bytes == 2:
        digital = part.view("<i2")
    else:
        wide = np.zeros((*part.shape[:1], signal.per_record, 4), dtype=np.uint8)
        wide[:, :, 1:] = part.reshape(len(part), signal.per_record, 3)
        digital = wide.view("<i4")[:, :, 0] >> 8
    low, high = signal.digital
    factor = leads.millivolts_per(signal.unit.replace("Â", "")) or 1.0
    gain = (signal.physical[1] - signal.physical[0]) / (high - low)
    values = digital.astype(np.float32)
    values *= np.float32(gain * factor)
    values += np.float32((signal.physical[0] - low * gain) * factor)
    if digital.min(initial=0) <= low or digital.max(initial=0) >= high:
        values.ravel()[_runs((digital.ravel() <= low) | (digital.ravel() >= high))] = np.nan
    return values


def _runs(at_limit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of the samples at a limit, those that stand there three times in a row or longer."""
    padded = np.concatenate([[False, False], at_limit, [False, False]])
    three = padded[:-2] & padded[1:-1] & padded[2:]
    return np.asarray(three[:-2] | three[1:-1] | three[2:])
