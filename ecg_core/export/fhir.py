"""A recording's result as a FHIR R4 bundle: a DiagnosticReport and the Observations that it rests on.

Codes are LOINC's where one says exactly this (18754-2 Holter study, 11524-6 EKG study, 8867-4 heart rate); counts of
ectopic beats and rhythm episodes have codes of our own, because LOINC has none that name their definition.
Status is ``preliminary``: nobody has signed it. https://hl7.org/fhir/R4/diagnosticreport.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from ecg_core.labels import CLASS_NAMES
from ecg_core.store.read_result import StoredResult

LOINC: Final = "http://loinc.org"
OWN_CODES: Final = "urn:ecg-platform:finding"
HOLTER: Final = ("18754-2", "Ambulatory cardiac rhythm monitor (Holter) study")
RESTING: Final = ("11524-6", "EKG study")
HEART_RATE: Final = ("8867-4", "Heart rate")
HOLTER_FROM_S: Final = 3600.0
"""A recording of at least this length is told as a Holter study, a shorter one as an ECG."""
NOTICE: Final = "For research use, not for diagnosis. Computed by a model; nobody has signed it."

_UCUM: Final = "http://unitsofmeasure.org"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_SECTION: Final = "http://terminology.hl7.org/CodeSystem/v2-0074"
_NAMESPACE: Final = uuid.UUID("6c1f8f0e-5a39-4b0e-9c0f-6b6a5d0c2e11")

Resource = dict[str, Any]


def fhir_bundle(result: StoredResult) -> Resource:
    """Build the bundle; the same result gives the same bundle.

    Parameters
    ----------
    result : StoredResult

    Returns
    -------
    dict
        A bundle of the type ``collection``, JSON-able: DiagnosticReport, Device (the model), Patient (a pseudonym
        alone) where one is known, Observations. Times of the recording are left out where the file gives none.
    """
    told = _Told(result)
    resources = [*told.people(), *told.observations()]
    report = told.report([one for one in resources if one["resourceType"] == "Observation"])
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(result.score["scored_at"]),
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in [report, *resources]],
    }


class _Told:
    """One result, told resource by resource."""

    def __init__(self, result: StoredResult) -> None:
        self.result = result
        self.key = f"{result.score['recording_id']} {result.score['model_version']}"

    def people(self) -> Iterator[Resource]:
        version = self.result.score["model_version"]
        names = [{"name": "ECG platform", "type": "user-friendly-name"}]
        yield {
            "resourceType": "Device",
            "id": self._id("device"),
            "deviceName": names,
            "version": [{"value": version}],
            "type": {"text": "beat classifier"},
        }
        pseudonym = self.result.recording["patient_pseudonym"]
        if pseudonym is not None:
            identifier = {"system": "urn:ecg-platform:patient-pseudonym", "value": pseudonym}
            yield {"resourceType": "Patient", "id": self._id("patient"), "identifier": [identifier]}

    def observations(self) -> Iterator[Resource]:
        score = self.result.score
        for name in ("mean", "min", "max"):
            rate = score[f"{name}_heart_rate_bpm"]
            if rate is not None:
                code = _coded(LOINC, *HEART_RATE, text=f"{name} heart rate")
                yield self._observation(f"{name} heart rate", code, round(rate, 1), "beats/minute", "/min")
        yield self._count("n_beats", "beats detected", score["n_beats"])
        for letter, meaning in CLASS_NAMES.items():
            text = f"beats of class {letter}: {meaning}"
            yield self._count(f"n_class_{letter.lower()}", text, score[f"n_class_{letter.lower()}"])
        share = round(score["analysable_share"] * 100, 2)
        code = _coded(OWN_CODES, "analysable_share", "analysable signal")
        yield self._observation("analysable_share", code, share, "%", "%")
        for finding in self.result.findings:
            if finding["n_episodes"] is not None:
                yield self._episodes(finding)

    def report(self, observations: list[Resource]) -> Resource:
        code = HOLTER if self.result.recording["duration_s"] >= HOLTER_FROM_S else RESTING
        return {
            "resourceType": "DiagnosticReport",
            "id": self._id("report"),
            "identifier": [{"system": "urn:ecg-platform:recording", "value": self.result.score["recording_id"]}],
            "status": "preliminary",
            "category": [_coded(_SECTION, "EC", "Electrocardiac (e.g., EKG, EEC, Holter)")],
            "code": _coded(LOINC, *code),
            **self._subject(),
            **self._effective(),
            "issued": _instant(self.result.score["scored_at"]),
            "result": [{"reference": f"urn:uuid:{one['id']}"} for one in observations],
            "conclusion": self._conclusion(),
        }

    def _conclusion(self) -> str:
        urgent = sorted(one["finding"] for one in self.result.findings if one["urgency"] == "urgent")
        return f"{'Urgent: ' + ', '.join(urgent) + '. ' if urgent else ''}{NOTICE}"

    def _episodes(self, finding: Mapping[str, Any]) -> Resource:
        name = finding["finding"]
        told = self._count(name, f"episodes of {name.replace('_', ' ')}", finding["n_episodes"])
        told["component"] = [
            {"code": _coded(OWN_CODES, part, words), "valueQuantity": _quantity(round(float(value), 2), unit, ucum)}
            for part, words, value, unit, ucum in (
                ("longest_s", "longest episode", finding["longest_s"], "s", "s"),
                ("max_heart_rate_bpm", "highest heart rate", finding["max_heart_rate_bpm"], "beats/minute", "/min"),
                ("min_heart_rate_bpm", "lowest heart rate", finding["min_heart_rate_bpm"], "beats/minute", "/min"),
            )
            if value is not None
        ]
        return told

    def _count(self, name: str, words: str, count: int) -> Resource:
        return self._observation(name, _coded(OWN_CODES, name, words), count, "count", "{count}")

    def _observation(self, name: str, code: Resource, value: float, unit: str, ucum: str) -> Resource:
        return {
            "resourceType": "Observation",
            "id": self._id(name),
            "status": "preliminary",
            "category": [_coded(_CATEGORY, "procedure", "Procedure")],
            "code": code,
            **self._subject(),
            **self._effective(),
            "device": {"reference": f"urn:uuid:{self._id('device')}"},
            "valueQuantity": _quantity(value, unit, ucum),
        }

    def _subject(self) -> Resource:
        known = self.result.recording["patient_pseudonym"] is not None
        return {"subject": {"reference": f"urn:uuid:{self._id('patient')}"}} if known else {}

    def _effective(self) -> Resource:
        """Return the time of the recording; a time of day needs a zone in FHIR, so without one the days are told."""
        facts = self.result.recording
        start: datetime | None = facts["start_time"]
        if start is None:
            return {}
        end = start + timedelta(seconds=facts["duration_s"])
        offset = facts["start_utc_offset_s"]
        if offset is None:
            return {"effectivePeriod": {"start": start.date().isoformat(), "end": end.date().isoformat()}}
        zone = timezone(timedelta(seconds=offset))
        told = (moment.replace(tzinfo=zone).isoformat(timespec="seconds") for moment in (start, end))
        return {"effectivePeriod": dict(zip(("start", "end"), told, strict=True))}

    def _id(self, part: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self.key} {part}"))


def _coded(system: str, code: str, display: str, text: str | None = None) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": text or display}


def _quantity(value: float, unit: str, ucum: str) -> Resource:
    return {"value": value, "unit": unit, "system": _UCUM, "code": ucum}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
