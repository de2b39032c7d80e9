"""What is known of a recording of a patient's past, as it stands: what the next one is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PastRecording:
    """One recording of a patient, as it stands after readers' answers.

    Attributes
    ----------
    recording_id : str
    report_id : int or None
        None where it has no report.
    start_time : datetime or None
        As the file says it; None where it does not.
    arrived_at : datetime
    duration_s : float
    state : str
        ``preliminary``, ``final`` or ``amended``.
    mean_heart_rate_bpm, min_heart_rate_bpm, max_heart_rate_bpm : float or None
    ventricular, supraventricular : float or None
        Shares, 0 to 1, of the analysable beats; None where none is.
    fibrillation : float
        Share, 0 to 1, of the time in what is called, or may be, atrial fibrillation.
    longest_pause_s : float or None
        None where there is no pause.
    intervals_ms : dict of str to float
        Medians by name (`ecg_core.result.intervals.MEASURES`), those that are known.
    kinds : tuple of str
        Kinds of its urgent and notable findings, in the order in which they were told.
    n_urgent : int
    """

    recording_id: str
    report_id: int | None
    start_time: datetime | None
    arrived_at: datetime
    duration_s: float
    state: str
    mean_heart_rate_bpm: float | None
    min_heart_rate_bpm: float | None
    max_heart_rate_bpm: float | None
    ventricular: float | None
    supraventricular: float | None
    fibrillation: float
    longest_pause_s: float | None
    intervals_ms: dict[str, float]
    kinds: tuple[str, ...]
    n_urgent: int
