"""Schiller's XML (SEMA, ``SchillerEDI``): events with wave data of several kinds, of which the rhythm is read.

``ECG_RHYTHMS`` holds the recording, ``ECG_AVERAGES`` the averaged beat, which is left out.

Identity in these files: ``patdata`` (id, names, birth date, ethnic), ``examdescript`` (job, user, case, order,
department, institute, location, users, serial number) and the text data. The patient's id leaves as a keyed hash; sex,
age, pacemaker, model, filters, measurements and statements that `words` lets pass are kept; nothing else.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import date, datetime
from pathlib import Path

from ecg_core.errors import CorruptHeader, TruncatedSignal, UnusableSignal
from ecg_core.formats.assembling import Channel, Header, age_years, assemble, identity, sex
from ecg_core.formats.xml_file import listed_numbers, number_of, parse_xml, text_of
from ecg_core.recording import Recording, Stated

_TITLE = "Schiller XML"
_MEND = "Export the recording again as Schiller XML."
_MEASUREMENTS = {"HR": "heart_rate_per_min", "RR": "rr_ms", "PQ": "pr_ms", "PR": "pr_ms", "QRS": "qrs_ms"}
_MEASUREMENTS |= {"QT": "qt_ms", "QTC": "qtc_ms", "P_AXIS": "p_axis_deg", "QRS_AXIS": "qrs_axis_deg"}
_MEASUREMENTS |= {"T_AXIS": "t_axis_deg", "AXIS_P": "p_axis_deg", "AXIS_QRS": "qrs_axis_deg", "AXIS_T": "t_axis_deg"}
_FILTERS = {"MAINS": "notch", "HIGHPASS_CUTOFF_FREQ": "high pass", "LOWPASS_CUTOFF_FREQ": "low pass"}


def is_schiller(suffix: str, head: bytes) -> bool:
    """Whether a file begins as Schiller's XML does."""
    return b"schilleredi" in head.replace(b"\0", b"").lower()


def read_schiller(path: Path, pseudonym_key: bytes, recording_id: str | None) -> Recording:
    """Read an export; see `ecg_core.formats.read_recording`."""
    raw, root = parse_xml(path, _TITLE)
    waves = [wave for wave in root.iter("wavedata") if "RHYTHM" in text_of(wave, "type").upper()]
    if not waves:
        raise UnusableSignal("The file holds no rhythm strip, at most averaged beats.", "Export it with its rhythm.")
    header = _header(root, identity(raw, recording_id))
    if len(waves) > 1:
        waves.sort(key=_samples_promised, reverse=True)
        header.doubt("left_out", f"The file holds {len(waves)} rhythm strips: the longest is read.")
    return assemble(_channels(waves[0]), header, pseudonym_key, _MEND)


def _samples_promised(wave: ET.Element) -> float:
    return max((number_of(channel, "samplecount") or 0.0 for channel in wave.iter("channel")), default=0.0)


def _channels(wave: ET.Element) -> list[Channel]:
    exponent = number_of(wave, "resolution/samplerate/exponent")
    rate = number_of(wave, "resolution/samplerate/value")
    per_bit = number_of(wave, "resolution/yres/unitperbit")
    unit = text_of(wave, "resolution/yres/units")
    if rate is None or per_bit is None or not unit:
        raise CorruptHeader("The file does not state the rhythm's sampling rate, resolution or unit.", _MEND)
    if exponent not in (None, 0.0, 1.0):
        raise CorruptHeader(f"The sampling rate is {rate:g} with an exponent of {exponent:g}: that is not read.", _MEND)
    # An exponent of 1 stands beside 500 in files of 500 Hz: it is a power, not one of ten.
    rate_hz = rate
    channels = []
    for channel in wave.iter("channel"):
        kind = text_of(channel, "datastype").upper()
        if kind not in ("", "COMMASEPARATE", "COMMASEPARATED"):
            raise CorruptHeader("The rhythm is stored in a way that is not read.", "Export it comma separated.")
        samples = listed_numbers(text_of(channel, "data"), _TITLE)
        promised = number_of(channel, "samplecount")
        if promised is not None and samples.size < promised:
            raise TruncatedSignal(
                f"A lead holds {samples.size:,} samples, but {promised:,.0f} are promised.", "Send it again."
            )
        channels.append(Channel(text_of(channel, "name"), unit, rate_hz, samples * per_bit))
    return channels


def _header(root: ET.Element, recording_id: str) -> Header:
    start = _start(root)
    maker = root.find("examdescript/aquiringdevice/hardware")
    device = " ".join(part for part in (text_of(maker, "vendor"), text_of(maker, "model")) if part)
    header = Header("schiller-xml", recording_id, start, patient=text_of(root, "patdata/id") or None, device=device)
    pacemaker = text_of(root, "patdata/pacemaker/value").upper()
    measurements: dict[str, float] = {}
    for note in root.iter("annotation_global"):
        name, value = _MEASUREMENTS.get(text_of(note, "name").upper()), number_of(note, "value")
        if name and value is not None:
            measurements.setdefault(name, value)
    header.stated = Stated(
        age_years=age_years(_date(text_of(root, "patdata/birthdate")), start.date() if start else None),
        sex=sex(text_of(root, "patdata/gender")),
        pacemaker={"ON": True, "YES": True, "OFF": False, "NO": False}.get(pacemaker),
        filters=_filters(root),
        measurements=tuple(measurements.items()),
    )
    fields = [f"patdata/{name}" for name in ("id", "lastname", "firstname", "birthdate", "ethnic")]
    fields += [f"examdescript/{name}_id" for name in ("job", "user", "case", "order", "department", "institute")]
    fields += ["examdescript/location/id", "examdescript/aquiringdevice/hardware/serialnum"]
    header.saw(**{path: text_of(root, path).replace("UNDEFINED", "") for path in fields})
    header.texts = [line for part in root.iter("textdata") for line in (part.text or "").splitlines()]
    return header


def _filters(root: ET.Element) -> tuple[str, ...]:
    """Those of the data, not those of the display."""
    found = []
    for entry in root.iterfind(".//filters_data/filter"):
        kind, value = _FILTERS.get(text_of(entry, "name").upper()), number_of(entry, "value")
        if kind and value:
            found.append(f"{kind} {value:g} Hz")
    return tuple(found)


def _start(root: ET.Element) -> datetime | None:
    day = _date(text_of(root, "examdescript/startdatetime/date"))
    clock = re.fullmatch(r"(\d{2})(\d{2})(\d{2})(\d{3})?", text_of(root, "examdescript/startdatetime/time"), re.ASCII)
    if day is None or clock is None:
        return None
    try:
        return datetime(
            day.year, day.month, day.day, int(clock[1]), int(clock[2]), int(clock[3]), int(clock[4] or 0) * 1000
        )
    except ValueError:
        return None


def _date(text: str) -> date | None:
    match = re.fullmatch(r"(\d{4})-?(\d{2})-?(\d{2})", text, re.ASCII)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
