"""What a report states, and what readers answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """A finding as the report states it: made by `ecg_core.report`, kept by `ecg_core.store`.

    Attributes
    ----------
    kind : str
        A kind of rhythm episode, ``v_beats`` (s, f, q), ``poor_signal`` or ``no_analysable_beats``.
    tone : str
        ``urgent``, ``notable``, ``info`` or ``doubt``.
    sentence : str
    n : int or None
        Episodes, or beats for a burden.
    mean_probability : float or None
        Mean calibrated probability of the beats that it rests on.
    n_uncertain : int or None
        How many of those beats are uncertain.
    """

    kind: str
    tone: str
    sentence: str
    n: int | None = None
    mean_probability: float | None = None
    n_uncertain: int | None = None


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
        By `FindingFacts.kind`; findings that are not in it were not judged.
    corrections : tuple of Correction
        A later one goes before an earlier one.
    """

    reviewer: str
    reviewed_at: datetime | None
    comment: str
    signed: bool
    agrees: dict[str, bool]
    corrections: tuple[Correction, ...]
