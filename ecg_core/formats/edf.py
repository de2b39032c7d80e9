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
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnsupportedFormat, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import (
    MAX_VALUES,
    Header,
    check_length,
    choose_leads,
    finish,
    identity_of_file,
    runs_of_three,
)
from ecg_core.formats.edf_header import (
    MEND,
    EdfHeader,
    EdfSignal,
    described,
    note_patient,
    parse_header,
    stated_filters,
)
from ecg_core.recording import Recording, Stated

_BLOCK_VALUES = 1 << 21
_MOST_EVENTS = 10_000
_LONGEST_GAP_VALUES = 1 << 26
_ONSET = re.compile(rb"[+-]\d{1,9}(?:\.\d{0,9})?")
_END_OF_TEXT = 0x14


def is_edf(suffix: str, head: bytes) -> bool:
    """Whether a file begins as EDF ("0" and blanks, then text) or BDF does."""
    if head[:8] == b"\xffBIOSEMI":
        return True
    return head[:8] == b"0       " and len(head) >= 236 and head[168:184].strip() != b"" and suffix != ".hea"


def read_edf(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read an EDF or BDF file; see `ecg_core.formats.read_recording`."""
    edf = parse_header(path)
    header = Header("bdf" if edf.bytes_per_sample == 3 else "edf", "", edf.start)
    rate_hz, chosen = choose_leads([described(edf, signal) for signal in edf.signals], MEND, header.doubts)
    n_records = _records(path, edf, header)
    per_record = edf.signals[chosen[0]].per_record
    check_length(n_records * per_record, rate_hz, len(chosen))
    raw = _map(path, edf, n_records)
    onsets = _read_annotations(raw, edf, header)
    places, n_samples = _places(onsets, n_records, per_record, rate_hz, len(chosen))
    signal = _read_signal(raw, edf, chosen, places, n_samples)
    if onsets is not None and n_samples > n_records * per_record:
        gap_s = (n_samples - n_records * per_record) / rate_hz
        header.doubt("gap", f"The recording was interrupted: {gap_s:,.1f} s in it are gaps.")
    header.recording_id = identity_of_file(path, recording_id)
    header.file_unit = edf.signals[chosen[0]].unit
    note_patient(edf, header)
    header.stated = Stated(
        age_years=header.stated.age_years,
        sex=header.stated.sex,
        filters=stated_filters([edf.signals[i].prefiltering for i in chosen]),
    )
    return finish(signal, [edf.signals[i].label for i in chosen], rate_hz, header, pseudonym_key)


# --- records


def _records(path: Path, edf: EdfHeader, header: Header) -> int:
    """Whole records that may be read: as many as promised, or as many as there are where the header leaves it open."""
    record_bytes = edf.record_samples * edf.bytes_per_sample
    if record_bytes == 0:
        raise UnusableSignal("The file's records hold no samples.", MEND)
    there = max(0, path.stat().st_size - edf.header_bytes) // record_bytes
    if edf.n_records < 0:
        header.doubt("length", "The header leaves the number of records open: the recording was not ended properly.")
    elif there < edf.n_records:
        raise TruncatedSignal(
            f"The file holds {there:,} records of {edf.record_s:g} s, but its header promises {edf.n_records:,}.",
            "The transfer probably broke off: send the recording again.",
        )
    elif there > edf.n_records:
        header.doubt(
            "length",
            f"The file holds {there:,} records of {edf.record_s:g} s, its header promises {edf.n_records:,}: "
            "the others are left out.",
        )
    return there if edf.n_records < 0 else edf.n_records


def _map(path: Path, edf: EdfHeader, n_records: int) -> npt.NDArray[np.uint8]:
    shape = (n_records, edf.record_samples * edf.bytes_per_sample)
    return np.memmap(path, dtype=np.uint8, mode="r", offset=edf.header_bytes, shape=shape)


def _read_annotations(raw: npt.NDArray[np.uint8], edf: EdfHeader, header: Header) -> npt.NDArray[np.float64] | None:
    """Note the events; return each record's start in seconds where the recording was interrupted, None otherwise."""
    marks = [signal for signal in edf.signals if signal.is_annotation and edf.plus]
    if not marks:
        if edf.interrupted:
            raise CorruptHeader("The file says that it was interrupted (EDF+D), but not when.", MEND)
        return None
    onsets = _onsets(_bytes_of(raw, edf, marks[0]), edf)
    first = float(onsets[0]) if len(onsets) else 0.0
    if not np.isfinite(onsets).all() or not 0 <= first <= 86400:
        raise CorruptHeader("The times of the file's records cannot be.", MEND)
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


def _bytes_of(raw: npt.NDArray[np.uint8], edf: EdfHeader, signal: EdfSignal) -> npt.NDArray[np.uint8]:
    n = edf.bytes_per_sample
    return np.ascontiguousarray(raw[:, signal.offset * n : (signal.offset + signal.per_record) * n])


def _onsets(block: npt.NDArray[np.uint8], edf: EdfHeader) -> npt.NDArray[np.float64]:
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
            raise CorruptHeader(f"Record {number + 1} of the interrupted recording has no time.", MEND)
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
        raise CorruptHeader("The times of the file's records overlap or run backwards.", MEND)
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
    raw: npt.NDArray[np.uint8], edf: EdfHeader, chosen: list[int], places: npt.NDArray[np.int64], n_samples: int
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


def _check_scale(signal: EdfSignal, number: int) -> None:
    low, high = signal.digital
    if low >= high or signal.physical[0] == signal.physical[1]:
        raise CorruptHeader(f"The EDF header states no range for ECG lead {number}, so its scale is unknown.", MEND)


def _millivolts(block: npt.NDArray[np.uint8], signal: EdfSignal, n_bytes: int) -> npt.NDArray[np.float32]:
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
        values.ravel()[runs_of_three((digital.ravel() <= low) | (digital.ravel() >= high))] = np.nan
    return values
