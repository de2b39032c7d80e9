"""SCP-ECG, HL7 aECG, GE MUSE, Philips Sierra, Mortara ELI, MFER and Kardia: decoded by the package ecgdatakit.

ecgdatakit knows the grammars; what it makes of them is checked and put into our own terms here. Where it differs from
us: it rounds sampling rates to whole hertz (the exact one is taken from its metadata), it leaves uncalibrated samples
unitless (refused here), it keeps names, comments and dates (left behind here), and it warns in texts that quote the
file (turned into sentences of ours or dropped). Its decoding of compressed Philips leads has no limit; ours is checked
before it runs.

Identity in these files: patient's id, names, birth date, race; physicians, technicians, institution, room, serial and
order numbers; comments, history; the document's own names and ids. The patient's id leaves as a keyed hash; age, sex,
pacemaker, maker and model, filters, measurements, drugs that `drugs` knows, and statements and indications that `words`
lets pass are kept; nothing else.
"""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecg_core.errors import CorruptHeader, RecordingError, TruncatedSignal, UnsupportedFormat, UnusableSignal
from ecg_core.formats import drugs, words
from ecg_core.formats.assembling import (
    LARGEST_TEXT_BYTES,
    Channel,
    Header,
    age_years,
    assemble,
    believable_age,
    identity_of_file,
    joined,
    runs_of_three,
    sex,
)
from ecg_core.formats.xml_file import refuse_hostile
from ecg_core.recording import Doubt, DoubtCode, Drug, Recording, Stated

if TYPE_CHECKING:
    from ecgdatakit.models import ECGRecord, FilterSettings
    from ecgdatakit.parsing.parser import Parser

_MEASUREMENTS = {
    "heart_rate": "heart_rate_per_min",
    "rr_interval": "rr_ms",
    "pr_interval": "pr_ms",
    "qrs_duration": "qrs_ms",
    "qt_interval": "qt_ms",
    "qtc_bazett": "qtc_bazett_ms",
    "qtc_fridericia": "qtc_fridericia_ms",
    "p_axis": "p_axis_deg",
    "qrs_axis": "qrs_axis_deg",
    "t_axis": "t_axis_deg",
}
_DOUBTS: tuple[tuple[str, DoubtCode, str], ...] = (
    (r"CRC.*mismatch|checksum", "checksum", "A checksum of the file does not match: it may be damaged."),
    (
        r"missing sample|no data|truncat|odd number",
        "length",
        "The file is shorter than it says: what is missing is a gap.",
    ),
    (
        r"only the first is read|ignored in|not loaded",
        "left_out",
        "The file holds several recordings or leads of other kinds.",
    ),
    (
        r"not applied \(undocumented\)|CHANNEL OFFSET",
        "gain",
        "The file states an offset of a lead that is documented nowhere.",
    ),
    (
        r"default of 1000 Hz",
        "sampling_rate",
        "The file states no sampling rate: the standard's 1000 Hz is assumed.",
    ),
)
_EXPANSION_LIMIT = 8


@dataclass(frozen=True, slots=True)
class KitFormat:
    """One format of ecgdatakit: our name for it, its title, and where its parser is."""

    name: str
    title: str
    module: str
    parser: str
    largest_bytes: int = LARGEST_TEXT_BYTES

    def recognises(self, suffix: str, head: bytes) -> bool:
        """Whether a file begins as this format does."""
        return bool(self._parser().can_parse(Path(f"recording{suffix}"), head))

    def read(self, path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
        """Read a file; see `ecg_core.formats.read_recording`."""
        if path.stat().st_size > self.largest_bytes:
            raise CorruptHeader(f"The file is larger than any recording in {self.title}.", "Export it again.")
        if self.name.endswith(("-xml", "-aecg")):
            refuse_hostile(path.read_bytes())
        if self.name == "philips-xml":
            refuse_expansion(path)
        record, doubts = self._parse(path)
        try:
            header = _header(record, self.name, identity_of_file(path, recording_id), doubts)
            channels = _channels(record)
        except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # What the package took out of a damaged file can be of other kinds than it says.
            raise _reason(error, self.title) from None
        return assemble(channels, header, pseudonym_key, f"Export the recording again as {self.title}.")

    def _parser(self) -> type[Parser]:
        import importlib

        parser: type[Parser] = getattr(importlib.import_module(self.module), self.parser)
        return parser

    def _parse(self, path: Path) -> tuple[ECGRecord, list[Doubt]]:
        """Run the parser; its errors and warnings quote the file, so that ours say what it is in our words."""
        from ecgdatakit.exceptions import MissingElementError, UnsupportedFormatError

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                record = self._parser()().parse(path)
            except OSError:
                raise
            except UnsupportedFormatError:
                raise UnsupportedFormat(
                    f"The file is of a kind or compression of {self.title} that is not read.",
                    "Export it uncompressed, in another version of the format, or in another format.",
                ) from None
            except MissingElementError:
                raise CorruptHeader(f"The file lacks a part that {self.title} needs.", "Export it again.") from None
            except Exception as error:
                raise _reason(error, self.title) from None
        told = [str(warning.message) for warning in caught]
        doubts = [
            Doubt(code, ours) for pattern, code, ours in _DOUBTS if any(re.search(pattern, text) for text in told)
        ]
        return record, doubts


_KIT = "ecgdatakit.parsing.parsers"
KIT_FORMATS: tuple[KitFormat, ...] = (
    KitFormat("scp-ecg", "SCP-ECG", "ecg_core.formats.scp_bimodal", "BimodalParser", 20_000_000),
    KitFormat("hl7-aecg", "HL7 aECG", "ecg_core.formats.aecg_page", "PageParser"),
    KitFormat("philips-xml", "Philips Sierra XML", f"{_KIT}.sierra_xml", "SierraXMLParser", 30_000_000),
    KitFormat("ge-muse-xml", "GE MUSE XML", f"{_KIT}.ge_muse_xml", "GEMuseXMLParser"),
    KitFormat("mortara-xml", "Mortara ELI XML", f"{_KIT}.mortara_el250", "MortaraEL250Parser"),
    KitFormat("kardia-json", "Kardia JSON", f"{_KIT}.alivecor_kardia", "AliveCorKardiaParser"),
    KitFormat("mfer", "MFER", f"{_KIT}.mfer", "MFERParser", 500_000_000),
)


def _reason(error: Exception, title: str) -> RecordingError:
    """Return what is wrong in our words: the package's texts quote names of files and leads."""
    text = str(error)
    if isinstance(error, RecordingError):
        return error
    if re.search(r"entit", text, re.IGNORECASE):
        return CorruptHeader("The XML declares entities, which no ECG needs.", "Export the recording again.")
    if re.search(r"No rhythm|no ECG lead|no waveform|No CHANNEL|no samples|no ECG data", text, re.IGNORECASE):
        return UnusableSignal(f"The file is {title}, but holds no ECG signal.", "Export it with its waveforms.")
    if re.search(r"truncat|ends after|expected|only .* remain|exceeds the section|outside the", text):
        return TruncatedSignal(f"The {title} file holds less than it promises.", "Send the recording again.")
    if re.search(r"sampling rate|increment|SampleBase|SAMPLE_FREQ|frequency", text, re.IGNORECASE):
        return CorruptHeader("The file does not state a usable sampling rate.", "Export the recording again.")
    return CorruptHeader(f"The file begins as {title}, but it is damaged or incomplete.", "Export and send it again.")


def _channels(record: ECGRecord) -> list[Channel]:
    """One channel a lead, in its own unit; leads that begin later than the others get a gap before them."""
    exact = _exact_rates(record)
    channels = []
    for place, lead in enumerate(record.leads):
        unit = lead.resolution_unit if lead.is_raw else lead.units
        samples = lead.samples
        at_limit = runs_of_three((samples == 32767) | (samples == -32768))
        if lead.is_raw and unit:
            samples = samples * lead.resolution + lead.offset
        samples = np.where(at_limit, np.nan, samples)
        late = int(lead.annotations.get("start_sample", "1")) - 1
        if 0 < late < samples.size * 10:
            samples = np.concatenate([np.full(late, np.nan), samples])
        rate = exact[place] if place < len(exact) else float(lead.sampling_rate)
        channels.append(Channel(lead.label, unit, rate, samples))
    return joined(channels) if "rates_by_lead" in _rhythm_time(record) else channels


def _exact_rates(record: ECGRecord) -> list[float]:
    """Rates in hertz by lead, before the package rounded them; empty where it kept none."""
    facts, time = record.raw_metadata, _rhythm_time(record)
    if by_lead := time.get("rates_by_lead"):
        return [round(float(rate), 4) for rate in by_lead]
    if facts.get("rhythm_sample_interval_us"):
        return [1e6 / facts["rhythm_sample_interval_us"]] * len(record.leads)
    if time.get("sampling_rate_exact"):
        # An increment is written with a few digits: 0.002 s are 500 Hz, .00195 s the 512.82 Hz that they say.
        return [round(float(time["sampling_rate_exact"]), 4)] * len(record.leads)
    rates = facts.get("sampling_rates")
    return [float(rate) for rate in rates] if isinstance(rates, list) else []


def _rhythm_time(record: ECGRecord) -> dict[str, Any]:
    time = record.raw_metadata.get("rhythm_time")
    return time if isinstance(time, dict) else {}


def _header(record: ECGRecord, name: str, recording_id: str, doubts: list[Doubt]) -> Header:
    patient, recording = record.patient, record.recording
    device = " ".join(part for part in (recording.device.manufacturer, recording.device.model) if part)
    header = Header(name, recording_id, recording.date, patient=patient.patient_id or None, device=device)
    on = recording.date.date() if recording.date else None
    born: date | None = patient.birth_date.date() if patient.birth_date else None
    stated_age = believable_age(patient.age)
    header.stated = Stated(
        age_years=age_years(born, on) if stated_age is None else stated_age,
        sex=sex(patient.sex),
        pacemaker=patient.has_pacemaker,
        filters=_filters(recording.acquisition.filters),
        measurements=tuple(
            (ours, float(value))
            for theirs, ours in _MEASUREMENTS.items()
            if (value := getattr(record.measurements, theirs)) is not None
        ),
    )
    header.texts = [left for left, _ in record.interpretation.statements]
    header.texts += [right for _, right in record.interpretation.statements if right]
    header.texts += record.annotations.get("machine_interpretation", "").splitlines()
    header.drugs, header.indications = list(_drugs(record)), list(_indications(record))
    header.doubts = doubts
    header.saw(
        patient_id=patient.patient_id,
        name=f"{patient.first_name}{patient.last_name}",
        birth_date=born,
        race=patient.race,
        history=patient.clinical_history,
        technician=recording.technician,
        physician=f"{recording.referring_physician}{record.interpretation.interpreter}",
        place=f"{recording.room}{recording.location}{recording.device.institution}{recording.device.department}",
        serial_number=recording.device.serial_number,
        comments=record.annotations.get("comments") or record.annotations.get("comment"),
    )
    return header


def _drugs(record: ECGRecord) -> Iterator[Drug]:
    """Yield what is taken: as SCP-ECG codes it, as Mortara's elements name it, or as texts, not yet sifted."""
    facts = record.raw_metadata
    if "scp_drugs" in facts:
        yield from (drug for coded in facts["scp_drugs"] if (drug := drugs.of_scp(*coded)) is not None)
        return
    for text in record.patient.medications:
        yield from drugs.of_text(text)


def _indications(record: ECGRecord) -> Iterator[tuple[str, str]]:
    """Yield the reasons that an order gives; of aECG, whose reasons are mostly a trial's protocol, those in our words.

    SCP-ECG's tag 13 and the patient's history hold diagnoses as well, as free text: they stay out.
    """
    facts = record.raw_metadata
    order = facts.get("order_info")
    ordered = order.get("reasonfororder") if isinstance(order, dict) else None
    for reason in (facts.get("TestReason"), record.annotations.get("reason_for_test"), ordered):
        if isinstance(reason, str):
            yield reason, ""
    for of_trial in (facts.get("reason"), facts.get("visit_reason")):
        if isinstance(of_trial, str) and words.is_free_of_names(of_trial):
            yield of_trial, ""


def _filters(filters: FilterSettings) -> tuple[str, ...]:
    found = []
    for kind, value in (("high pass", filters.highpass), ("low pass", filters.lowpass), ("notch", filters.notch)):
        if value:
            found.append(f"{kind} {value:g} Hz")
    if filters.artifact_filter:
        found.append("artefact filter")
    return tuple(found)


# --- Philips' compression


def refuse_expansion(path: Path) -> None:
    """Raise where a Philips file's compressed leads would unfold to far more than the file says they are.

    The leads are compressed with LZW of 10-bit codes, whose strings grow by one with each code: 100 kB can stand for
    40 MB. Only their lengths are followed here, and only until they are too many.
    """
    raw = path.read_bytes()
    text = raw.decode("utf-16", "ignore") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else raw.decode("latin-1")
    for opening in re.finditer(r"<parsedwaveforms\b([^>]{0,4000})>", text):
        if "XLI" not in opening[1].upper():
            continue
        end = text.find("<", opening.end())
        try:
            data = base64.b64decode(text[opening.end() : end if end > 0 else None])
        except (binascii.Error, ValueError):
            return
        limit = _EXPANSION_LIMIT * len(data) + 100_000
        at = 0
        while at + 8 < len(data):
            size = int.from_bytes(data[at : at + 4], "little")
            limit -= _unfolded_bytes(data[at + 8 : at + 8 + size], limit)
            at += 8 + max(size, 1)
        if limit < 0:
            raise CorruptHeader("The compressed leads unfold to far more than a recording is.", "Export it again.")


def _unfolded_bytes(chunk: bytes, limit: int) -> int:
    """Bytes that a chunk of 10-bit LZW codes stands for; counted to `limit` and a little more."""
    lengths = [1] * 256
    total = previous = 0
    for number in range(len(chunk) * 8 // 10):
        at = number * 10
        code = int.from_bytes(chunk[at // 8 : at // 8 + 2], "big") >> (6 - at % 8) & 0x3FF
        length = lengths[code] if code < len(lengths) else previous + 1
        if previous and len(lengths) < 1022:
            lengths.append(previous + 1)
        total += length
        previous = length
        if total > limit:
            break
    return total
