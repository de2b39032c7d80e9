"""What a report states, and what readers answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StatedFinding:
    """A finding as its report states it, for a reader to answer to: its `Finding.kind` and the sentence."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A class that a reader gives to a beat (`beat_index`, a row of `BeatTable`) or to all beats of an interval."""

    start_s: float
    end_s: float
    corrected_class: str
    beat_index: int | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """One answer of a reader to a report, as sent at once.

    Attributes
    ----------
    reviewer : str
        The user who was signed in.
    reviewed_at : datetime or None
        None until it is stored.
    agrees : dict of str to bool
        By `Finding.kind`; findings that are not in it were not judged.
    corrections : tuple of Correction
        A later one goes before an earlier one.
    """

    reviewer: str
    reviewed_at: datetime | None
    comment: str
    signed: bool
    agrees: dict[str, bool]
    corrections: tuple[Correction, ...]
