"""A recording: one file's signal with its leads, rate, start time and pseudonymous patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
OLDEST_AGE_YEARS = 90
"""Stands for every age above 89."""
DoubtCode = Literal[
    "checksum", "derived", "gain", "gap", "left_out", "length", "sampling_rate", "start_time", "text_left_out"
]


class Doubt(NamedTuple):
    """What is doubtful in a file that could be read: its kind, and a sentence that holds nothing of a person."""

    code: DoubtCode
    text: str


class Drug(NamedTuple):
    """A drug that the file says the person takes.

    Attributes
    ----------
    name : str
        In the file's words, or what its code stands for; empty where only a code is known.
    code : str
        With its system before it: ``"ATC C01AA05"``, ``"SCT 387461009"``, ``"SCP 1.1"``; empty where there is none.
    dose : float or None
    unit : str
        Of the dose; empty where there is none.
    """

    name: str
    code: str = ""
    dose: float | None = None
    unit: str = ""

    def words(self) -> str:
        """Say name, dose and code in one line."""
        dose = f"{self.dose:g} {self.unit}" if self.dose is not None else ""
        code = f"({self.code})" if self.code else ""
        return " ".join(part for part in (self.name, dose, code) if part)


@dataclass(frozen=True, slots=True)
class Stated:
    """What the file states beside its signal.

    It is shown as 'the device says'. Age and sex alone are fed to a model, that of resting ECGs, and limits of
    measurements depend on them; none of ST is stated where `filters` say that the device has bent it.

    No free text is kept: a statement, symptom, indication or event is here only where all of its words are those of
    electrocardiography (`ecg_core.formats.words`), a drug only where its name is one (`ecg_core.formats.drugs`).

    Attributes
    ----------
    age_years : int or None
        At the recording, from the birth date or as stated; 90 stands for every age above 89.
    sex : {"female", "male"} or None
    pacemaker : bool or None
        Whether the file says that the patient has one; None where it does not say.
    filters : tuple of str
        That the device says it applied, for instance ``"high pass 0.05 Hz"``.
    statements : tuple of str
        The device's own reading of the ECG, or that of whoever overread it.
    measurements : tuple of (str, float)
        The device's own, each with its unit in its name: ``("qt_ms", 476.0)``.
    symptoms : tuple of str
        That the person gave.
    events : tuple of (float, str)
        Seconds from the start, and what is noted there.
    drugs : tuple of Drug
        That the person takes or was given.
    indications : tuple of str
        Why the ECG was recorded; with its code behind it where the file has one.
    """

    age_years: int | None = None
    sex: str | None = None
    pacemaker: bool | None = None
    filters: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    measurements: tuple[tuple[str, float], ...] = ()
    symptoms: tuple[str, ...] = ()
    events: tuple[tuple[float, str], ...] = ()
    drugs: tuple[Drug, ...] = ()
    indications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The signal as recorded, before any filter.

    Attributes
    ----------
    recording_id : str
        SHA-256 (hex) of the content; the same content under another name is the same recording.
    signal : ndarray of float32, shape (n_samples, n_leads)
        Millivolts, as recorded; NaN where the file marks a sample as missing, where it stands at the limit of the
        ADC's range, and in the gaps of a recording that was interrupted.
    sampling_rate_hz : float
    lead_names : tuple of str
        In the order of the columns, the standard leads under one spelling (``"aVR"``, ``"V1"``); others as in the file.
    source_format : str
        For instance ``"wfdb"``.
    start_time : datetime or None
        As the file says; None where it does not. Naive where the file gives no time zone.
    patient_pseudonym : str or None
        Keyed hash of the file's patient identifier; None where it has none.
    former_pseudonyms : tuple of str
        The same by keys that were replaced (`ecg pseudonyms rotate`): a patient who is known by one keeps it.
    pseudonym_key_id : str
        Which key `patient_pseudonym` was made with; empty where there is none.
    device : str or None
        Maker and model.
    synthetic : bool
        Made by a generator, not recorded from a person.
    file_lead_names : tuple of str
        The same leads as the file spells them; empty where no file is behind the recording.
    stated : Stated
        What the file says of the patient and what its device says of the ECG.
    file_unit : str
        Of the leads in the file, before they became millivolts.
    identity_fields : tuple of str
        Names (never values) of the file's fields that identify a person and hold something; none of it is kept here.
    doubts : tuple of Doubt
        What is doubtful in the file, for instance a checksum that does not match.
    """

    recording_id: str
    signal: FloatArray
    sampling_rate_hz: float
    lead_names: tuple[str, ...]
    source_format: str
    start_time: datetime | None = None
    patient_pseudonym: str | None = None
    device: str | None = None
    synthetic: bool = False
    file_lead_names: tuple[str, ...] = ()
    stated: Stated = field(default_factory=Stated)
    file_unit: str = ""
    identity_fields: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    former_pseudonyms: tuple[str, ...] = ()
    pseudonym_key_id: str = ""

    @property
    def n_samples(self) -> int:
        """Samples per lead."""
        return int(self.signal.shape[0])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate_hz
