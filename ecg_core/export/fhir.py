"""A recording's result as a FHIR R4 bundle: a DiagnosticReport and the Observations that it rests on.

Codes are LOINC's for the study and for measurements, SNOMED CT's for findings where a concept means exactly that
(`ecg_core.export.codes`); each finding has a code of our own beside it, and so have counts of ectopic beats.
Status is ``preliminary`` until a reader has signed and where something was answered since; then ``final``, or
``amended`` where what they signed is not what the model said. https://hl7.org/fhir/R4/diagnosticreport.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ecg_core.export.codes import FINDINGS, HEART_RATE, IMPRESSION, LOINC, NOTICE, SNOMED, measured, study_code
from ecg_core.labels import CLASS_NAMES
from ecg_core.recording import OLDEST_AGE_YEARS
from ecg_core.result import FinalFacts, Finding, Result, RunFacts

OWN_CODES: Final = "urn:ecg-platform:finding"
AGE: Final = ("30525-0", "Age")
MEASURED: Final = {
    "heart_rate_per_min": HEART_RATE,
    "pr_ms": ("8625-6", "P-R Interval"),
    "qrs_ms": ("8633-0", "QRS duration"),
    "qt_ms": ("8634-8", "Q-T interval"),
    "qtc_ms": ("8636-3", "Q-T interval corrected"),
}
"""What recording devices measure, by our names of it."""
UNSIGNED: Final = "Computed by a model; nobody has signed it."

_UCUM: Final = "http://unitsofmeasure.org"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_SECTION: Final = "http://terminology.hl7.org/CodeSystem/v2-0074"
_NAMESPACE: Final = uuid.UUID("6c1f8f0e-5a39-4b0e-9c0f-6b6a5d0c2e11")

Resource = dict[str, Any]


def fhir_bundle(result: Result, run: RunFacts, final: FinalFacts | None = None) -> Resource:
    """Build the bundle; the same result gives the same bundle.

    Parameters
    ----------
    result : Result
        Its beats and signal are not looked at, so that they may be missing.
    run : RunFacts
    final : FinalFacts, optional
        What stands where a reader has signed: its values take the place of the model's.

    Returns
    -------
    dict
        A bundle of the type ``collection``, JSON-able: DiagnosticReport, Device (the model, and the recorder where it
        states something), Patient (a pseudonym alone, with the sex that the file states) where one is known,
        Practitioner (who signed), Observations. Times of the recording are left out where the file gives none.
    """
    bundle = _Bundle(result, run, final)
    resources = [*bundle.people(), *bundle.observations(), *bundle.stated_by_file()]
    report = bundle.report([one for one in resources if one["resourceType"] == "Observation"])
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(run.scored_at),
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in [report, *resources]],
    }


class _Bundle:
    """Makes the resources of one result."""

    def __init__(self, result: Result, run: RunFacts, final: FinalFacts | None) -> None:
        self.result = result
        self.run = run
        self.final = final
        self.findings = result.findings if final is None else final.findings
        self.stated = result.recording.stated
        self.status = "preliminary" if final is None else final.state
        self.key = f"{result.recording.recording_id} {result.model.version}"

    def people(self) -> Iterator[Resource]:
        names = [{"name": "ECG platform", "type": "user-friendly-name"}]
        yield {
            "resourceType": "Device",
            "id": self._id("device"),
            "deviceName": names,
            "version": [{"value": self.result.model.version}],
            "type": {"text": "beat classifier"},
        }
        if self.stated.statements or self.stated.measurements:
            recorder = {"name": self.result.recording.device or "recording device", "type": "model-name"}
            yield {"resourceType": "Device", "id": self._id("recorder"), "deviceName": [recorder]}
        pseudonym = self.result.recording.patient_pseudonym
        if pseudonym is not None:
            identifier = {"system": "urn:ecg-platform:patient-pseudonym", "value": pseudonym}
            gender = {"gender": self.stated.sex} if self.stated.sex else {}
            yield {"resourceType": "Patient", "id": self._id("patient"), "identifier": [identifier], **gender}
        if self.final is not None:
            user = {"system": "urn:ecg-platform:user", "value": self.final.signed_by}
            name = [{"text": self.final.signed_by}]
            yield {"resourceType": "Practitioner", "id": self._id("practitioner"), "identifier": [user], "name": name}

    def observations(self) -> Iterator[Resource]:
        rate, final = self.result.rhythm.heart_rate, self.final
        rates = {"mean": rate.mean_bpm, "min": rate.min_bpm, "max": rate.max_bpm} if rate else {}
        rates = rates if final is None else final.heart_rates_bpm
        n_beats, beats = (self.run.n_beats, self.run.beats) if final is None else (final.n_beats, final.beats)
        for name, bpm in rates.items():
            code = _coded(LOINC, *HEART_RATE, text=f"{name} heart rate")
            yield self._observation(f"{name} heart rate", code, round(bpm, 1), "beats/minute", "/min")
        yield self._count("n_beats", "beats detected", n_beats)
        for letter, meaning in CLASS_NAMES.items():
            text = f"beats of class {letter}: {meaning}"
            yield self._count(f"n_class_{letter.lower()}", text, beats[letter])
        share = round(self.result.quality.analysable_share * 100, 2)
        code = _coded(OWN_CODES, "analysable_share", "analysable signal")
        yield self._observation("analysable_share", code, share, "%", "%")
        for one in measured(self.result, self.final):
            if one.name != "heart_rate_bpm":
                coded = _coded(LOINC, one.code, one.term, text=one.name.replace("_", " "))
                yield self._observation(f"measured {one.name}", coded, one.value, one.unit, one.unit)
        for finding in sorted(self.findings, key=lambda one: one.kind):
            if finding.n_episodes is not None:
                yield self._episodes(finding, finding.n_episodes)
            else:
                yield self._present(finding)

    def stated_by_file(self) -> Iterator[Resource]:
        """Give what the file and its device state, as the recorder's and not as ours."""
        if self.stated.age_years is not None:
            said = self._observation("age", _coded(LOINC, *AGE), self.stated.age_years, "years", "a")
            # 90 stands for every age above 89.
            at_least = {"comparator": ">="} if self.stated.age_years == OLDEST_AGE_YEARS else {}
            yield _of(said, None, valueQuantity={**said["valueQuantity"], **at_least})
        recorder = {"reference": f"urn:uuid:{self._id('recorder')}"}
        for name, value in self.stated.measurements:
            if name in MEASURED:
                unit, ucum = ("beats/minute", "/min") if name.endswith("_per_min") else ("ms", "ms")
                code = _coded(LOINC, *MEASURED[name], text=f"{MEASURED[name][1]}, by the recording device")
                yield _of(self._observation(f"stated {name}", code, round(value, 1), unit, ucum), recorder)
        if self.stated.statements:
            code = _coded(LOINC, *IMPRESSION, text="Statements of the recording device")
            said = self._observation("stated", code, 0, "", "")
            del said["valueQuantity"]
            yield _of(said, recorder, valueString="; ".join(self.stated.statements))

    def report(self, observations: list[Resource]) -> Resource:
        return {
            "resourceType": "DiagnosticReport",
            "id": self._id("report"),
            "identifier": [{"system": "urn:ecg-platform:recording", "value": self.result.recording.recording_id}],
            "status": self.status,
            "category": [_coded(_SECTION, "EC", "Electrocardiac (e.g., EKG, EEC, Holter)")],
            "code": _coded(LOINC, *study_code(self.result)),
            **self._subject(),
            **self._effective(),
            "issued": _instant(self.run.scored_at if self.final is None else self.final.holds_since),
            **self._interpreter(),
            "result": [{"reference": f"urn:uuid:{one['id']}"} for one in observations],
            "conclusion": self._conclusion(),
            **self._conclusion_codes(),
        }

    def _conclusion_codes(self) -> Resource:
        kinds = sorted({finding.kind for finding in self.findings} & FINDINGS.keys())
        return {"conclusionCode": [_coded(SNOMED, *FINDINGS[kind]) for kind in kinds]} if kinds else {}

    def _conclusion(self) -> str:
        urgent = sorted(one.kind for one in self.findings if one.urgency == "urgent")
        return f"{'Urgent: ' + ', '.join(urgent) + '. ' if urgent else ''}{NOTICE} {self._said_by()}"

    def _said_by(self) -> str:
        if self.final is None:
            return UNSIGNED
        signed = f"{self.final.signed_by} at {_instant(self.final.signed_at)}"
        if not self.final.signature_holds:
            return f"Computed by a model; signed by {signed}, but something was answered since: the signature is void."
        return f"Computed by a model, signed by {signed}."

    def _interpreter(self) -> Resource:
        if self.final is None or not self.final.signature_holds:
            return {}
        who = [{"reference": f"urn:uuid:{self._id('practitioner')}", "display": self.final.signed_by}]
        return {"performer": who, "resultsInterpreter": who}

    def _episodes(self, finding: Finding, n_episodes: int) -> Resource:
        words = f"episodes of {finding.kind.replace('_', ' ')}"
        episodes = self._observation(finding.kind, _finding_code(finding, words), n_episodes, "count", "{count}")
        episodes["component"] = [
            {"code": _coded(OWN_CODES, part, words), "valueQuantity": _quantity(round(value, 2), unit, ucum)}
            for part, words, value, unit, ucum in (
                ("longest_s", "longest episode", finding.longest_s, "s", "s"),
                ("max_heart_rate_bpm", "highest heart rate", finding.max_heart_rate_bpm, "beats/minute", "/min"),
                ("min_heart_rate_bpm", "lowest heart rate", finding.min_heart_rate_bpm, "beats/minute", "/min"),
            )
            if value is not None
        ]
        return episodes

    def _present(self, finding: Finding) -> Resource:
        """Say that a finding that is not one of episodes is there."""
        words = finding.kind.replace("_", " ")
        present = self._observation(finding.kind, _finding_code(finding, words), 0, "", "")
        del present["valueQuantity"]
        return {**present, "valueCodeableConcept": _coded(SNOMED, "52101004", "Present")}

    def _count(self, name: str, words: str, count: int) -> Resource:
        return self._observation(name, _coded(OWN_CODES, name, words), count, "count", "{count}")

    def _observation(self, name: str, code: Resource, value: float, unit: str, ucum: str) -> Resource:
        return {
            "resourceType": "Observation",
            "id": self._id(name),
            "status": self.status,
            "category": [_coded(_CATEGORY, "procedure", "Procedure")],
            "code": code,
            **self._subject(),
            **self._effective(),
            "device": {"reference": f"urn:uuid:{self._id('device')}"},
            "valueQuantity": _quantity(value, unit, ucum),
        }

    def _subject(self) -> Resource:
        known = self.result.recording.patient_pseudonym is not None
        return {"subject": {"reference": f"urn:uuid:{self._id('patient')}"}} if known else {}

    def _effective(self) -> Resource:
        """Return the time of the recording; a time of day needs a zone in FHIR, so without one the days are told."""
        start = self.result.recording.start_time
        if start is None:
            return {}
        moments = {"start": start, "end": start + timedelta(seconds=self.result.recording.duration_s)}
        if start.tzinfo is None:
            return {"effectivePeriod": {name: moment.date().isoformat() for name, moment in moments.items()}}
        return {"effectivePeriod": {name: moment.isoformat(timespec="seconds") for name, moment in moments.items()}}

    def _id(self, part: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, f"{self.key} {part}"))


def _finding_code(finding: Finding, words: str) -> Resource:
    """Our own code of a finding, and SNOMED CT's where a concept means exactly that."""
    coded = _coded(OWN_CODES, finding.kind, words)
    if finding.kind in FINDINGS:
        coded["coding"] += _coded(SNOMED, *FINDINGS[finding.kind])["coding"]
    return coded


def _coded(system: str, code: str, display: str, text: str | None = None) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": text or display}


def _of(observation: Resource, recorder: Resource | None, **changes: object) -> Resource:
    """Say of an observation that the recorder made it, or nobody's device: it is final as it was stated."""
    kept = {name: value for name, value in observation.items() if name != "device"}
    device = {} if recorder is None else {"device": recorder}
    return {**kept, **device, "status": "final", **changes}


def _quantity(value: float, unit: str, ucum: str) -> Resource:
    return {"value": value, "unit": unit, "system": _UCUM, "code": ucum}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
