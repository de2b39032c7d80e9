"""What is understood of a file, before anything is scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ecg_core.errors import RecordingError
from ecg_core.formats.fingerprint import fingerprint
from ecg_core.formats.reading import read_recording
from ecg_core.recording import Doubt, Stated


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds, or why it cannot be used.

    Attributes
    ----------
    usable : bool
    refusal : str
        Where it is not usable: what is wrong, and what would mend it. Empty otherwise, and so are the others then.
    source_format : str
    lead_names, file_lead_names : tuple of str
        In our spelling, and in the file's.
    sampling_rate_hz, duration_s : float
    file_unit : str
        Of the leads in the file.
    start_time : datetime or None
        Naive where the file states no zone.
    device : str or None
    stated : Stated
        What file and device say of the patient and the ECG.
    identity_fields : tuple of str
        Names of the fields that identify a person and hold something; never what they hold.
    doubts : tuple of Doubt
    fingerprint : str
        Of the samples (`ecg_core.formats.fingerprint`).
    """

    usable: bool
    refusal: str = ""
    source_format: str = ""
    lead_names: tuple[str, ...] = ()
    file_lead_names: tuple[str, ...] = ()
    sampling_rate_hz: float = 0.0
    duration_s: float = 0.0
    file_unit: str = ""
    start_time: datetime | None = None
    device: str | None = None
    stated: Stated = field(default_factory=Stated)
    identity_fields: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    fingerprint: str = ""


def inspect_file(path: Path, pseudonym_key: bytes) -> Inspection:
    """Read a file and say what was understood of it.

    Parameters
    ----------
    path : Path
    pseudonym_key : bytes

    Raises
    ------
    OSError
        What says nothing about the recording: a full disk, a lost mount.
    """
    try:
        recording = read_recording(path, pseudonym_key)
    except RecordingError as error:
        return Inspection(usable=False, refusal=str(error))
    return Inspection(
        usable=True,
        source_format=recording.source_format,
        lead_names=recording.lead_names,
        file_lead_names=recording.file_lead_names,
        sampling_rate_hz=recording.sampling_rate_hz,
        duration_s=recording.duration_s,
        file_unit=recording.file_unit,
        start_time=recording.start_time,
        device=recording.device,
        stated=recording.stated,
        identity_fields=recording.identity_fields,
        doubts=recording.doubts,
        fingerprint=fingerprint(recording),
    )
