"""A recording: one file's signal with its leads, rate, start time and pseudonymous patient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The signal as recorded, before any filter.

    Attributes
    ----------
    recording_id : str
        SHA-256 (hex) of the content; the same content under another name is the same recording.
    signal : ndarray of float32, shape (n_samples, n_leads)
        Millivolts, as recorded; NaN where the file marks a sample as missing.
    sampling_rate_hz : float
    lead_names : tuple of str
        As in the file, in the order of the columns.
    source_format : str
        For instance ``"wfdb"``.
    start_time : datetime or None
        As the file says; None where it does not. Naive where the file gives no time zone.
    patient_pseudonym : str or None
        Keyed hash of the file's patient identifier; None where it has none.
    device : str or None
    synthetic : bool
        Made by a generator, not recorded from a person.
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

    @property
    def n_samples(self) -> int:
        """Samples per lead."""
        return int(self.signal.shape[0])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate_hz
