"""What a DICOM waveform states beside its signal: patient, device, start, measurements, drugs and reasons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

from ecg_core.formats.assembling import Header, age_years, believable_age, sex
from ecg_core.recording import Drug, Stated

if TYPE_CHECKING:
    from pydicom import Dataset

_MEASUREMENTS = (
    (r"ventricular.*rate|heart rate|mean.*rate", "heart_rate_per_min"),
    (r"^rr interval|mean rr", "rr_ms"),
    (r"^pr interval|^pq interval|pr interval global", "pr_ms"),
    (r"qrs duration", "qrs_ms"),
    (r"qtc", "qtc_ms"),
    (r"^qt interval", "qt_ms"),
    (r"^p.axis|p wave axis", "p_axis_deg"),
    (r"^qrs.axis", "qrs_axis_deg"),
    (r"^t.axis|t wave axis", "t_axis_deg"),
)
_MOST_ANNOTATIONS = 2_000
_DRUG_GIVEN = re.compile(r"12208[123]")
"""DCM's drug start, drug end and drug administered, in the acquisition's context or as an annotation."""
_SCHEMES = {"SCT": "SCT", "ATC": "ATC", "I10": "ICD10", "ICD10": "ICD10", "I10C": "ICD10", "ICD-10": "ICD10"}
_REASONS = ("ReasonForPerformedProcedureCodeSequence", "ReasonForRequestedProcedureCodeSequence")
_IDENTIFYING = frozenset(
    """PatientID OtherPatientIDs PatientBirthDate PatientAddress AccessionNumber InstitutionName InstitutionAddress
    StationName StudyID AdmissionID DeviceSerialNumber EthnicGroup Occupation AdditionalPatientHistory PatientComments
    StudyInstanceUID SOPInstanceUID ReasonForStudy CurrentPatientLocation VisitComments""".split()
)


def header_of(data: Dataset, recording_id: str) -> Header:
    """Gather what the file states beside its waveforms."""
    start = _start(data)
    made = " ".join(str(data.get(tag, "") or "") for tag in ("Manufacturer", "ManufacturerModelName")).strip()
    age = re.fullmatch(r"(\d{3})([YMWD])", str(data.get("PatientAge", "") or "").strip())
    years = int(age[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[age[2]] if age else None
    stated_age = believable_age(years)
    if stated_age is None:
        stated_age = age_years(_date(data.get("PatientBirthDate")), start.date() if start else None)
    measurements, texts = _annotations(data)
    seen = [element.keyword for element in data if element.VR == "PN" or element.keyword in _IDENTIFYING]
    header = Header("dicom", recording_id, start, patient=str(data.get("PatientID", "") or ""), device=made)
    header.stated = Stated(
        age_years=stated_age, sex=sex(str(data.get("PatientSex", "") or "")), measurements=measurements
    )
    header.texts = texts
    header.drugs, header.indications = list(_drugs(data)), list(_indications(data))
    header.saw(**{keyword: str(data.get(keyword) or "") for keyword in seen if keyword})
    return header


def _drugs(data: Dataset) -> Iterator[Drug]:
    """Yield the drugs that are coded in the acquisition's context or as annotations."""
    context = list(data.get("AcquisitionContextSequence") or [])
    for item in (context + list(data.get("WaveformAnnotationSequence") or []))[:_MOST_ANNOTATIONS]:
        concepts = item.get("ConceptNameCodeSequence") or []
        if concepts and _DRUG_GIVEN.fullmatch(str(concepts[0].get("CodeValue", ""))):
            for coded in item.get("ConceptCodeSequence") or []:
                text, code = _coded(coded)
                yield Drug(text, code)


def _indications(data: Dataset) -> Iterator[tuple[str, str]]:
    """Yield the coded reasons for the study; the free text beside them stays out."""
    for place in (data, *list(data.get("RequestAttributesSequence") or [])[:10]):
        for sequence in _REASONS:
            yield from (_coded(coded) for coded in list(place.get(sequence) or [])[:10])


def _coded(item: Dataset) -> tuple[str, str]:
    scheme = _SCHEMES.get(str(item.get("CodingSchemeDesignator", "") or "").strip().upper(), "")
    value = str(item.get("CodeValue", "") or "").strip()
    return str(item.get("CodeMeaning", "") or ""), f"{scheme} {value}" if scheme else ""


def _annotations(data: Dataset) -> tuple[tuple[tuple[str, float], ...], list[str]]:
    measurements: dict[str, float] = {}
    texts: list[str] = []
    for note in list(data.get("WaveformAnnotationSequence") or [])[:_MOST_ANNOTATIONS]:
        if note.get("UnformattedTextValue"):
            texts.append(str(note.UnformattedTextValue))
        concepts = note.get("ConceptNameCodeSequence") or []
        value = note.get("NumericValue")
        if not concepts or value in (None, ""):
            continue
        meaning = str(concepts[0].get("CodeMeaning", "") or "").casefold()
        name = next((name for pattern, name in _MEASUREMENTS if re.search(pattern, meaning)), None)
        number = float(value[0] if isinstance(value, (list, tuple)) or hasattr(value, "append") else value)
        units = note.get("MeasurementUnitsCodeSequence") or []
        unit = str(units[0].get("CodeValue", "")) if units else ""
        factor = 1000.0 if name and name.endswith("_ms") and unit == "s" else 1.0
        if name and name not in measurements and np.isfinite(number):
            measurements[name] = number * factor
    return tuple(measurements.items()), texts


def _start(data: Dataset) -> datetime | None:
    zone = _zone(str(data.get("TimezoneOffsetFromUTC", "") or ""))
    moment = re.fullmatch(
        r"(\d{8})(\d{2})(\d{2})(\d{2})?(\.\d{1,6})?([+-]\d{4})?", str(data.get("AcquisitionDateTime", "") or "").strip()
    )
    if moment:
        clock = f"{moment[2]}{moment[3]}{moment[4] or '00'}{moment[5] or ''}"
        return _moment(moment[1], clock, _zone(moment[6] or "") or zone)
    for kind in ("Acquisition", "Content", "Study"):
        day, clock = str(data.get(f"{kind}Date", "") or ""), str(data.get(f"{kind}Time", "") or "")
        found = _moment(day.strip(), clock.strip(), zone)
        if found is not None:
            return found
    return None


def _moment(day: str, clock: str, zone: timezone | None) -> datetime | None:
    times = re.fullmatch(r"(\d{2}):?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?", clock)
    found = _date(day)
    if times is None or found is None:
        return None
    try:
        return datetime(
            found.year,
            found.month,
            found.day,
            int(times[1]),
            int(times[2]),
            min(int(times[3] or 0), 59),
            int((times[4] or "0").ljust(6, "0")),
            tzinfo=zone,
        )
    except ValueError:
        return None


def _date(value: object) -> date | None:
    match = re.fullmatch(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})", str(value or "").strip())
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def _zone(text: str) -> timezone | None:
    match = re.fullmatch(r"([+-])(\d{2})(\d{2})", text.strip())
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=minutes if match[1] == "+" else -minutes))
