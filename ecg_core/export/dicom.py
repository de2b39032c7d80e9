"""A recording and its result as DICOM: the waveform with our annotations, and the report as an encapsulated PDF.

Both are instances of one study. Their UIDs follow from the recording and from what is said of it, so that what is sent
twice is one instance. The patient is a pseudonym. Samples are written in steps of 1 µV; a missing one is the padding
value. PS3.3 A.34 (waveforms), C.10.9, C.10.10, A.45.1 (encapsulated PDF).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from ecg_core.errors import UnsupportedFormat
from ecg_core.export.codes import FINDINGS, NOTICE, measured
from ecg_core.labels import CLASSES
from ecg_core.recording import Recording
from ecg_core.result import FinalFacts, Result, RunFacts

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.sequence import Sequence
    from pydicom.uid import UID

_NAMESPACE: Final = uuid.UUID("9a3a3d5e-0d0e-4f0b-8a39-0f9d1c7f3a52")
_TWELVE_LEAD, _GENERAL, _AMBULATORY = (f"1.2.840.10008.5.1.4.1.1.9.1.{n}" for n in (1, 2, 3))
_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
_EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
_LEADS: Final = {name: f"2:{code}" for name, code in zip(
    "I II V1 V2 V3 V4 V5 V6 III aVR aVL aVF -aVR V7 V8 V9 V3R V4R V5R V6R V7R X Y Z".split(),
    (1, 2, 3, 4, 5, 6, 7, 8, 61, 62, 63, 64, 65, 9, 66, 67, 11, 12, 13, 14, 15, 16, 17, 18),
    strict=True,
)}  # fmt: skip
"""MDC's (ISO 11073-10102) codes of the leads."""
_STANDARD: Final = frozenset("I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split())
_PADDING: Final = -32768
_HIGHEST: Final = 32767
_MOST_CHANNELS: Final = 24
_TWELVE_LEAD_SAMPLES: Final = 16_384
_LARGEST_BYTES: Final = 2**32 - 2
_MOST_BEATS: Final = 5_000
"""Of a day's beats no archive shows each."""


def dicom_waveform(recording: Recording, result: Result, run: RunFacts, final: FinalFacts | None = None) -> Dataset:
    """Make the waveform's instance, with measurements, findings and beats as annotations.

    Parameters
    ----------
    recording : Recording
        As recorded.
    result : Result
    run : RunFacts
    final : FinalFacts, optional

    Raises
    ------
    UnsupportedFormat
        It is longer than an instance holds, or has more leads.
    """
    n_samples, n_leads = recording.signal.shape
    if n_leads > _MOST_CHANNELS or 2 * n_samples * n_leads > _LARGEST_BYTES:
        raise UnsupportedFormat(
            f"A recording of {n_leads} leads and {n_samples:,} samples does not fit into a DICOM waveform.",
            "Export it as EDF from its source.",
        )
    data = _instance(result, run, final, "waveform", _class_of(recording))
    data.Modality, data.SeriesNumber, data.InstanceNumber = "ECG", 1, 1
    data.SynchronizationTrigger, data.AcquisitionTimeSynchronized = "NO TRIGGER", "N"
    data.SynchronizationFrameOfReferenceUID = _uid(f"{recording.recording_id} time")
    data.AcquisitionContextSequence = _sequence([])
    data.WaveformSequence = _sequence([_group(recording)])
    data.WaveformAnnotationSequence = _sequence(_annotations(result, final))
    return data


def dicom_pdf(result: Result, run: RunFacts, final: FinalFacts | None, pdf: bytes) -> Dataset:
    """Make the instance that holds the report as a PDF; parameters as of `dicom_waveform`."""
    data = _instance(result, run, final, "report", _PDF)
    data.Modality, data.SeriesNumber, data.InstanceNumber = "DOC", 2, 1
    data.ConversionType, data.BurnedInAnnotation = "WSD", "YES"
    data.DocumentTitle, data.MIMETypeOfEncapsulatedDocument = "ECG report", "application/pdf"
    data.ConceptNameCodeSequence = _sequence([_code("11524-6", "LN", "EKG study")])
    data.VerificationFlag = "VERIFIED" if final is not None and final.signature_holds else "UNVERIFIED"
    data.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    data.EncapsulatedDocumentLength = len(pdf)
    return data


def _instance(result: Result, run: RunFacts, final: FinalFacts | None, part: str, sop_class: str) -> Dataset:
    """Patient, study, series and equipment, as both instances have them."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    recording = result.recording
    said_at = run.scored_at if final is None else final.holds_since
    start: datetime | None = recording.start_time
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = UID(sop_class)
    data.SOPInstanceUID = _uid(f"{recording.recording_id} {sorted(result.versions.items())} {said_at} {part}")
    data.PatientID = recording.patient_pseudonym or f"unknown-{recording.recording_id[:16]}"
    data.PatientName, data.PatientBirthDate = "", ""
    data.PatientSex = {"female": "F", "male": "M"}.get(recording.stated.sex or "", "")
    if recording.stated.age_years is not None:
        data.PatientAge = f"{recording.stated.age_years:03d}Y"
    data.StudyInstanceUID = _uid(f"{recording.recording_id} study")
    data.SeriesInstanceUID = _uid(f"{recording.recording_id} {part} series")
    data.StudyDate = data.ContentDate = start.strftime("%Y%m%d") if start else ""
    data.StudyTime = data.ContentTime = start.strftime("%H%M%S.%f") if start else ""
    data.AcquisitionDateTime = start.strftime("%Y%m%d%H%M%S.%f%z") if start else ""
    data.InstanceCreationDate, data.InstanceCreationTime = said_at.strftime("%Y%m%d"), said_at.strftime("%H%M%S")
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = recording.recording_id[:16], "", ""
    data.Manufacturer, data.ManufacturerModelName = "ECG platform", (recording.device or "")[:64]
    data.SoftwareVersions = [version[:64] for version in result.versions.values()]
    data.SeriesDescription = NOTICE
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE_ENDIAN)
    return data


def _class_of(recording: Recording) -> str:
    """Return the SOP class whose limits the recording keeps: twelve leads of seconds, general, or ambulatory."""
    n_samples, n_leads = recording.signal.shape
    usual_rate = 200 <= recording.sampling_rate_hz <= 1000
    if usual_rate and set(recording.lead_names) >= _STANDARD and n_leads <= 13 and n_samples <= _TWELVE_LEAD_SAMPLES:
        return _TWELVE_LEAD
    short = n_samples / recording.sampling_rate_hz <= 600
    return _GENERAL if usual_rate and short else _AMBULATORY


def _group(recording: Recording) -> Dataset:
    from pydicom.dataset import Dataset

    microvolts = np.nan_to_num(np.round(recording.signal * 1000.0), nan=_PADDING)
    samples = np.where(np.isfinite(recording.signal), np.clip(microvolts, _PADDING + 1, _HIGHEST), _PADDING).astype(
        "<i2"
    )
    group = Dataset()
    group.MultiplexGroupTimeOffset, group.MultiplexGroupLabel = 0, "RHYTHM"
    group.WaveformOriginality, group.SamplingFrequency = "ORIGINAL", recording.sampling_rate_hz
    group.NumberOfWaveformSamples, group.NumberOfWaveformChannels = samples.shape
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new(0x5400100A, "OW", np.array([_PADDING], dtype="<i2").tobytes())
    group.ChannelDefinitionSequence = _sequence([_channel(name, i) for i, name in enumerate(recording.lead_names)])
    group.WaveformData = samples.tobytes()
    return group


def _channel(name: str, place: int) -> Dataset:
    from pydicom.dataset import Dataset

    channel = Dataset()
    source = _code(_LEADS[name], "MDC", f"Lead {name}") if name in _LEADS else _code("2:0", "MDC", name)
    channel.WaveformChannelNumber, channel.ChannelLabel = place + 1, name[:16]
    channel.ChannelSourceSequence = _sequence([source])
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 1, 1
    channel.ChannelSensitivityUnitsSequence = _sequence([_code("uV", "UCUM", "microvolt")])
    channel.ChannelBaseline, channel.ChannelSampleSkew, channel.WaveformBitsStored = 0, 0, 16
    return channel


def _annotations(result: Result, final: FinalFacts | None) -> list[Dataset]:
    """Measurements, findings and beats, each in a group of annotations of its own; the notice first."""
    from pydicom.dataset import Dataset

    def note(group: int) -> Dataset:
        made = Dataset()
        made.AnnotationGroupNumber = group
        found.append(made)
        return made

    found: list[Dataset] = []
    note(0).UnformattedTextValue = NOTICE
    for one in measured(result, final):
        made = note(1)
        made.ConceptNameCodeSequence = _sequence([_code(one.code, "LN", one.term)])
        made.NumericValue = f"{one.value:g}"
        made.MeasurementUnitsCodeSequence = _sequence([_code(one.unit, "UCUM", one.unit)])
    for finding in result.findings if final is None else final.findings:
        made = note(2)
        if finding.kind in FINDINGS:
            code, term = FINDINGS[finding.kind]
            made.ConceptNameCodeSequence = _sequence([_code("8601-7", "LN", "EKG impression")])
            made.ConceptCodeSequence = _sequence([_code(code, "SCT", term)])
        else:
            made.UnformattedTextValue = finding.kind.replace("_", " ")
    # What a reader changed of the beats is not among the result's own: then none is told.
    for i in range(min(len(result.beats), _MOST_BEATS) if final is None else 0):
        made = note(3)
        made.UnformattedTextValue = f"beat {CLASSES[result.beats.class_index[i]]}"
        made.ReferencedWaveformChannels, made.TemporalRangeType = [1, 0], "POINT"
        made.ReferencedSamplePositions = int(result.beats.r_sample[i]) + 1
    return found


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value[:16], scheme, meaning[:64]
    return code


def _sequence(items: list[Dataset]) -> Sequence:
    from pydicom.sequence import Sequence

    return Sequence(items)


def _uid(text: str) -> UID:
    from pydicom.uid import UID

    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, text).int}")
