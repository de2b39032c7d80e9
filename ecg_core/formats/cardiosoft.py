"""GE CardioSoft's and CASE's XML (``CardiologyXML``): the strip is read, median beats are left out.

The full disclosure of an exercise test is not read: in which order its channels' samples follow each other is
documented nowhere.

Identity in these files: ``PatientInfo`` (id, names, birth date, race), ``PatientVisit`` and orders (physicians,
technician, location), ``UID``, comments and notes. The patient's id leaves as a keyed hash; sex, age, pacemaker,
device, filters, measurements and statements that `words` lets pass are kept; nothing else.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnusableSignal
from ecg_core.formats.assembling import Channel, Header, age_years, assemble, believable_age, identity, sex
from ecg_core.formats.xml_file import listed_numbers, number_of, parse_xml, text_of
from ecg_core.recording import Recording, Stated

_TITLE = "CardioSoft XML"
_MEND = "Export the recording again as CardioSoft XML."
_UNITS = {"uvperlsb": "uV", "µvperlsb": "uV", "mvperlsb": "mV", "nvperlsb": "nV"}
_MEASUREMENTS = {
    "VentricularRate": "heart_rate_per_min",
    "RRInterval": "rr_ms",
    "PQInterval": "pr_ms",
    "PRInterval": "pr_ms",
    "QRSDuration": "qrs_ms",
    "QTInterval": "qt_ms",
    "QTCInterval": "qtc_ms",
    "PAxis": "p_axis_deg",
    "RAxis": "qrs_axis_deg",
    "TAxis": "t_axis_deg",
}


def is_cardiosoft(suffix: str, head: bytes) -> bool:
    """Whether a file begins as CardioSoft's XML does."""
    return b"<CardiologyXML" in head.replace(b"\0", b"")


def read_cardiosoft(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read an export; see `ecg_core.formats.read_recording`."""
    raw, root = parse_xml(path, _TITLE)
    strips = [strip for strip in root.iter("StripData") if strip.find("WaveformData") is not None]
    if not strips:
        raise UnusableSignal(
            "The file holds no ECG strip (full disclosure alone is not read).", "Export it with its strips."
        )
    header = _header(root, identity(raw, recording_id))
    if len(strips) > 1:
        strips.sort(key=lambda strip: number_of(strip, "ChannelSampleCountTotal") or 0.0, reverse=True)
        header.doubt("left_out", f"The file holds {len(strips)} strips: the longest is read.")
    return assemble(_channels(strips[0]), header, pseudonym_key, _MEND)


def _channels(strip: ET.Element) -> list[Channel]:
    rate, per_bit = number_of(strip, "SampleRate"), number_of(strip, "Resolution")
    resolution = strip.find("Resolution")
    unit = _UNITS.get((resolution.get("units") or "").casefold(), "") if resolution is not None else ""
    if rate is None or per_bit is None or not unit:
        raise CorruptHeader("The file does not state the strip's sampling rate, resolution or unit.", _MEND)
    promised = number_of(strip, "ChannelSampleCountTotal")
    channels = []
    for wave in strip.iterfind("WaveformData"):
        samples = listed_numbers(text_of(wave), _TITLE)
        if promised is not None and samples.size < promised:
            raise TruncatedSignal(
                f"A lead holds {samples.size:,} samples, but {promised:,.0f} are promised.", "Send it again."
            )
        channels.append(Channel(wave.get("lead") or "", unit, rate, samples * per_bit))
    return channels


def _header(root: ET.Element, recording_id: str) -> Header:
    start = _moment(root.find("ObservationDateTime"))
    born = _moment(root.find("PatientInfo/BirthDateTime"))
    age = root.find("PatientInfo/Age")
    stated_age = None
    if age is not None and (age.get("units") or "years").casefold() in {"years", "year", "y"}:
        stated_age = believable_age(number_of(age))
    header = Header("cardiosoft-xml", recording_id, start)
    header.patient = text_of(root, "PatientInfo/PID") or None
    header.device = text_of(root, "ClinicalInfo/DeviceInfo/Desc")
    measured = root.find(".//RestingECGMeasurements")
    header.stated = Stated(
        age_years=age_years(born.date() if born else None, start.date() if start else None)
        if stated_age is None
        else stated_age,
        sex=sex(text_of(root, "PatientInfo/Gender")),
        pacemaker={"yes": True, "no": False}.get(text_of(root, "PatientInfo/PaceMaker").casefold()),
        filters=_filters(root.find(".//FilterSetting")),
        measurements=tuple(
            (ours, value)
            for theirs, ours in _MEASUREMENTS.items()
            if (value := number_of(measured, theirs)) is not None
        ),
    )
    fields = ("PID", "Name/FamilyName", "Name/GivenName", "BirthDateTime/Year", "Race")
    header.saw(
        **{f"PatientInfo/{path}": text_of(root, f"PatientInfo/{path}") for path in fields}, UID=text_of(root, "UID")
    )
    header.saw(PatientVisit="".join(part.text or "" for part in root.iterfind(".//PatientVisit//*")).strip())
    header.texts = [text_of(statement) for statement in root.iter("DiagnosisText")]
    return header


def _filters(settings: ET.Element | None) -> tuple[str, ...]:
    found = []
    for name, text in (("Filter50Hz", "notch 50 Hz"), ("Filter60Hz", "notch 60 Hz"), ("CubicSpline", "cubic spline")):
        if text_of(settings, name).casefold() == "yes":
            found.append(text)
    low_pass = number_of(settings, "LowPass")
    return (*found, f"low pass {low_pass:g} Hz") if low_pass else tuple(found)


def _moment(element: ET.Element | None) -> datetime | None:
    """CardioSoft writes each part of a moment into an element of its own."""
    parts = [number_of(element, name) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
    if any(part is None for part in parts[:3]):
        return None
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
