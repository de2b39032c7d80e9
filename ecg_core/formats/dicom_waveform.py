"""DICOM waveforms: 12-lead, general and ambulatory ECG (PS3.3 C.10.9), read with pydicom, decoded here.

A file holds multiplex groups: stretches of channels that were sampled together. The originals among them are laid on
one time line by their offsets (a printed page is often stored as four groups of 2.5 s); derived ones, like the median
beat, are not the recording and are left out. Samples of fewer bits than are allocated are masked and their sign is
extended; ``value = sample × sensitivity × correction + baseline``.

Identity in these files: every name, id, date of birth, address, institution, physician, operator, accession and UID of
the patient, study and series modules, private tags, comments and free annotations. The patient's id leaves as a keyed
hash; sex, age, maker and model, filters, coded measurements, drugs and reasons for the study are kept; nothing else.
"""

from __future__ import annotations

import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnsupportedFormat, UnusableSignal
from ecg_core.formats import leads
from ecg_core.formats.assembling import (
    Channel,
    Header,
    assemble,
    damaged,
    identity,
    joined,
    read_whole,
    runs_of_three,
)
from ecg_core.formats.dicom_header import header_of
from ecg_core.recording import Recording

if TYPE_CHECKING:
    from pydicom import Dataset

_MEND = "Export the recording again as a DICOM waveform."
_LARGEST_BYTES = 1_000_000_000
_MOST_CHANNELS = 512
_DEFLATED, _PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1"
_META_BYTES, _UNSUSPICIOUS_BYTES, _MOST_RATIO = 4096, 10_000_000, 100
# Electrodes of an EEG, EMG or EOG, and of catheters within the heart.
_NO_ECG_CLASSES = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.9\.(?:3\.1|7\.\d|8\.1)")
_DERIVED = re.compile(r"median|average|averaged|template|representative|beat", re.IGNORECASE)
_FIRST_ELEMENT = re.compile(
    rb"[\x02\x08]\x00[\x00-\x20]\x00(?:UL|UI|CS|SH|LO|DA|TM|[\x00-\x40]\x00\x00\x00)", re.DOTALL
)
# ISO 11073-10102 and SCP-ECG number the leads alike.
_LEAD_CODES = {1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR", 9: "V7", 66: "V8", 67: "V9"}
_LEAD_CODES |= {3 + i: f"V{i + 1}" for i in range(6)} | {11: "V3R", 12: "V4R", 13: "V5R", 14: "V6R", 15: "V7R"}
_LEAD_CODES |= {16: "X", 17: "Y", 18: "Z"}


def is_dicom(suffix: str, head: bytes) -> bool:
    """Whether a file begins as DICOM does, with its preamble or without."""
    return b"DICM" in (head[128:132], head[:4]) or _FIRST_ELEMENT.match(head) is not None


def read_dicom(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read a DICOM waveform; see `ecg_core.formats.read_recording`."""
    from io import BytesIO

    import pydicom
    from pydicom import config

    raw = whole = read_whole(path, _LARGEST_BYTES)
    # A preamble that was cut off can leave the mark behind it.
    raw = bytes(128) + raw if raw[:4] == b"DICM" else raw
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(BytesIO(_inflated(raw)), force=True)
            header = header_of(data, identity(whole, recording_id))
            channels = _channels(data, header)
            recording = assemble(channels, header, pseudonym_key, _MEND)
    except Exception as error:  # pydicom raises of every kind on damaged files
        raise damaged("a DICOM file", error) from None
    return recording


def _inflated(raw: bytes) -> bytes:
    """Return a deflated file as one that is not; any other as it is."""
    if _DEFLATED not in raw[:_META_BYTES] or raw[128:132] != b"DICM":
        return raw
    # The group of meta data begins with its own length.
    end = 144 + int.from_bytes(raw[140:144], "little")
    limit = max(_UNSUSPICIOUS_BYTES, _MOST_RATIO * len(raw))
    content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw[end:], limit)
    if len(content) >= limit:
        raise CorruptHeader("The DICOM file unfolds to far more than a recording is.", _MEND)
    return raw[:end].replace(_DEFLATED, _PLAIN.ljust(len(_DEFLATED), b"\0")) + content


# --- multiplex groups


def _channels(data: Dataset, header: Header) -> list[Channel]:
    if _NO_ECG_CLASSES.fullmatch(str(data.get("SOPClassUID", ""))):
        raise UnusableSignal("The DICOM waveform is of another kind: none of it is an ECG lead.", "Export the ECG.")
    if "WaveformSequence" not in data:
        raise UnsupportedFormat(
            "The DICOM file holds no waveform: it may be an image or a report of the ECG.",
            "Export the ECG's waveform (12-lead, general or ambulatory ECG).",
        )
    groups = list(data.WaveformSequence)
    originals = [group for group in groups if not _is_derived(group)]
    if not originals:
        header.doubt("derived", "The file calls all of its waveforms derived: what they are derived from is not known.")
        originals = [g for g in groups if _seconds(g) >= leads.SHORTEST_S and not _DERIVED.search(_label(g))]
    if not originals:
        raise UnusableSignal("The file holds derived waveforms alone, like a median beat.", "Export the rhythm strip.")
    first = min(_offset_s(group) for group in originals)
    if header.start_time is not None:
        header.start_time += timedelta(seconds=first)
    found: list[tuple[str, Channel]] = []
    for group in originals:
        seen: Counter[str] = Counter()
        for name, channel in _read_group(group, _offset_s(group) - first, header):
            # Of one group all are leads of their own, however they are called.
            spelled = leads.spelling(name)
            seen[spelled] += 1
            found.append((f"{spelled} {seen[spelled]}", channel))
    by_place = joined([replace(channel, name=place) for place, channel in found])
    names = {place: channel.name for place, channel in found}
    return [replace(channel, name=names[channel.name]) for channel in by_place]


def _is_derived(group: Dataset) -> bool:
    return str(group.get("WaveformOriginality", "")).strip().upper() == "DERIVED" or bool(
        _DERIVED.search(_label(group))
    )


def _label(group: Dataset) -> str:
    return str(group.get("MultiplexGroupLabel", "") or "")


def _seconds(group: Dataset) -> float:
    rate = float(group.get("SamplingFrequency", 0) or 0)
    return int(group.get("NumberOfWaveformSamples", 0) or 0) / rate if rate > 0 else 0.0


def _offset_s(group: Dataset) -> float:
    value = group.get("MultiplexGroupTimeOffset")
    offset = float(value) / 1000 if value not in (None, "") else 0.0
    if not abs(offset) < 7 * 86400:
        raise CorruptHeader("A waveform's time offset cannot be.", _MEND)
    return offset


def _read_group(group: Dataset, offset_s: float, header: Header) -> Iterable[tuple[str, Channel]]:
    """Yield (lead's name in the file, channel) of one multiplex group, with NaN before its offset."""
    n_channels, n_samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    rate_hz = float(group.SamplingFrequency)
    if not 0 < n_channels <= _MOST_CHANNELS or n_samples <= 0 or not rate_hz > 0:
        raise CorruptHeader(f"A waveform of {n_channels} channels and {n_samples} samples cannot be.", _MEND)
    samples = _samples(group, n_channels, n_samples)
    definitions = list(group.ChannelDefinitionSequence)
    if len(definitions) != n_channels:
        raise CorruptHeader(f"{n_channels} channels are promised, {len(definitions)} are described.", _MEND)
    lead_in = round(offset_s * rate_hz)
    if lead_in > 10 * n_samples + 3600 * rate_hz:
        raise UnsupportedFormat("The file's waveforms lie further apart than is read.", "Export them one by one.")
    padding = _padding(group, samples.dtype)
    for column, definition in enumerate(definitions):
        digital = samples[:, column]
        sensitivity, unit = _sensitivity(definition)
        whole, bits = _significant(digital, definition, group, header)
        values = whole * np.float64(sensitivity) + float(definition.get("ChannelBaseline") or 0.0)
        if padding is not None:
            values[digital == padding] = np.nan
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if digital.dtype.kind == "i" else (0, (1 << bits) - 1)
        values[runs_of_three((whole == low) | (whole == high))] = np.nan
        if lead_in > 0:
            values = np.concatenate([np.full(lead_in, np.nan), values])
        name = _lead_name(definition)
        for kind, tag in (("high pass", "FilterLowFrequency"), ("low pass", "FilterHighFrequency")):
            _note_filter(header, kind, definition.get(tag))
        _note_filter(header, "notch", definition.get("NotchFilterFrequency"))
        yield name, Channel(name, unit, rate_hz, values)


def _samples(group: Dataset, n_channels: int, n_samples: int) -> npt.NDArray[np.integer]:
    """Return the group's numbers as they are stored, shape (n_samples, n_channels)."""
    bits = int(group.get("WaveformBitsAllocated", 16))
    kind = str(group.get("WaveformSampleInterpretation", "SS")).strip().upper()
    if kind not in {"SS", "US", "SB", "UB", "SL", "UL"} or bits not in {8, 16, 32}:
        raise UnsupportedFormat(f"The waveform is stored as {kind[:2]} of {bits} bits, which is not read.", _MEND)
    raw = bytes(group.WaveformData)
    needed = n_channels * n_samples * bits // 8
    if len(raw) < needed:
        raise TruncatedSignal(
            f"The waveform holds {len(raw):,} bytes, but {needed:,} are promised.", "Send the recording again."
        )
    # pydicom gives the bytes as they stand in the file.
    order = ">" if group.original_encoding[1] is False else "<"
    dtype = np.dtype(f"{order}{'i' if kind[0] == 'S' else 'u'}{bits // 8}")
    return np.frombuffer(raw, dtype=dtype, count=n_channels * n_samples).reshape(n_samples, n_channels)


def _significant(
    digital: npt.NDArray[np.integer], definition: Dataset, group: Dataset, header: Header
) -> tuple[npt.NDArray[np.int64], int]:
    """Mask what lies above the bits that are stored, and extend the sign; also return how many bits that are.

    Where the signal runs more evenly with the bits above, fewer are stated than there are: the samples are taken as
    they stand.
    """
    allocated = int(group.get("WaveformBitsAllocated", 16))
    stored = int(definition.get("WaveformBitsStored") or allocated)
    if not 0 < stored <= allocated:
        raise CorruptHeader(f"{stored} bits are said to be stored in {allocated}.", _MEND)
    whole = digital.astype(np.int64)
    if stored == allocated:
        return whole, allocated
    masked = whole & ((1 << stored) - 1)
    has_zeros_above = bool((masked == whole).all())
    if digital.dtype.kind == "i":
        masked = np.where(masked >= 1 << (stored - 1), masked - (1 << stored), masked)
    if not has_zeros_above and np.abs(np.diff(whole)).sum() < 0.98 * np.abs(np.diff(masked)).sum():
        header.doubt("gain", f"The file states {stored} bits of a sample, and uses more: all of them are read.")
        return whole, allocated
    return masked, stored


def _sensitivity(definition: Dataset) -> tuple[float, str]:
    value = definition.get("ChannelSensitivity")
    if value in (None, ""):
        return 1.0, ""
    units = definition.get("ChannelSensitivityUnitsSequence") or []
    unit = str(units[0].get("CodeValue", "")) if units else ""
    return float(value) * float(definition.get("ChannelSensitivityCorrectionFactor") or 1.0), unit


def _padding(group: Dataset, dtype: np.dtype[np.integer]) -> np.ndarray[tuple[int], np.dtype[np.integer]] | None:
    """Return the sample that stands for a missing one, in the bytes of a sample."""
    value = group.get("WaveformPaddingValue")
    if value is None:
        return None
    if not isinstance(value, bytes):
        value = int(value).to_bytes(8, "big" if dtype.byteorder == ">" else "little", signed=True)
        value = value[-dtype.itemsize :] if dtype.byteorder == ">" else value
    return np.frombuffer(value[: dtype.itemsize], dtype=dtype) if len(value) >= dtype.itemsize else None


def _lead_name(definition: Dataset) -> str:
    """Name the lead by its code where that is a known one, by the code's meaning or the label otherwise."""
    sources = definition.get("ChannelSourceSequence") or []
    if sources:
        code = re.fullmatch(r"(?:2:|5\.6\.3-9-)(\d{1,3})", str(sources[0].get("CodeValue", "")).strip())
        meaning = str(sources[0].get("CodeMeaning", "") or "").strip()
        coded = _LEAD_CODES.get(int(code[1])) if code else None
        if coded and leads.spelling(meaning) != coded:
            return coded
        if meaning:
            return meaning
    return str(definition.get("ChannelLabel", "") or "")


def _note_filter(header: Header, kind: str, value: object) -> None:
    if value in (None, ""):
        return
    frequency = float(str(value))
    text = f"{kind} {frequency:g} Hz"
    if frequency > 0 and text not in header.stated.filters:
        header.stated = replace(header.stated, filters=(*header.stated.filters, text))
