"""What a report states, what readers answer to it, and what stands after their answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ecg_core.result.result import Finding, Result

NAMED: Final = (
    "vf",
    "vt",
    "wide_complex_tachycardia",
    "svt",
    "atrial_fibrillation",
    "escape",
    "idioventricular",
    "pause",
    "pacing",
    "sinus",
    "noise",
)
"""What a reader can call a stretch: kinds of episode, ``sinus`` (none of them) and ``noise`` (nothing is said)."""

Action = Literal["class", "added", "no_beat", "rhythm"]
State = Literal["preliminary", "final", "amended"]


@dataclass(frozen=True, slots=True)
class StatedFinding:
    """A finding as its report states it, for a reader to answer to: its `Finding.kind` and the sentence."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What a reader says of a beat or of a stretch.

    Attributes
    ----------
    start_s, end_s : float
        The same for one beat.
    corrected_class : str
        For ``class`` and ``added``.
    beat_index : int or None
        The model's beat (a row of its `BeatTable`) that is meant; None for a stretch, and for a beat that it missed.
    action : str
        ``class``: it has this class, or all beats of the stretch do; ``added``: the model missed a beat there;
        ``no_beat``: what it found is none; ``rhythm``: the stretch is called `rhythm`.
    rhythm : str
        One of `NAMED`.
    """

    start_s: float
    end_s: float
    corrected_class: str = ""
    beat_index: int | None = None
    action: Action = "class"
    rhythm: str = ""


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
    sha256 : str or None
        `digest` of what stood when it was signed; None where it is not signed, or was before there were digests.
    """

    reviewer: str
    reviewed_at: datetime | None
    comment: str
    signed: bool
    agrees: dict[str, bool]
    corrections: tuple[Correction, ...]
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class BeatChange:
    """A beat of which a reader said something else than the model.

    `was` is empty where the model found none, `now` where there is none; `beat_index` is the model's row.
    """

    beat_index: int | None
    r_time_s: float
    was: str
    now: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class NamedStretch:
    """A stretch that a reader named; `kind` is one of `NAMED`."""

    start_s: float
    end_s: float
    kind: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class StruckFinding:
    """A finding that a reader disagreed with and that no correction made another one of."""

    finding: Finding
    reviewer: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed what. It holds until something is answered after it, or what is stored is not what was signed."""

    reviewer: str
    signed_at: datetime | None
    sha256: str | None
    holds: bool
    changed_by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reviewed:
    """What stands after readers' answers, beside what the model said.

    Attributes
    ----------
    result : Result
        With the beats, the rhythm and the findings that stand; its explanations are the model's, of the model's rows.
    row_of : ndarray of int64, shape (n_beats,)
        The model's row of each beat; -1 for one that a reader added.
    state : str
        ``preliminary`` until a reader has signed and where the signature no longer holds; then ``final``, or
        ``amended`` where what stands is not what the model said.
    """

    result: Result
    row_of: npt.NDArray[np.int64]
    state: State = "preliminary"
    signature: Signature | None = None
    changes: tuple[BeatChange, ...] = ()
    named: tuple[NamedStretch, ...] = ()
    struck: tuple[StruckFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class FinalFacts:
    """What stands of a reading now, as it is kept: it outlives the beats.

    `beats` counts the analysable ones by class.
    """

    state: str
    holds_since: datetime
    signed_by: str
    signed_at: datetime
    signature_holds: bool
    n_beats: int
    beats: dict[str, int]
    heart_rates_bpm: dict[str, float]
    findings: tuple[Finding, ...]


def signed_part(reviews: Sequence[Review]) -> Sequence[Review]:
    """Return the answers that count: those up to the newest signature, which signs all that was answered so far."""
    signed = [i for i, review in enumerate(reviews) if review.signed]
    return reviews[: signed[-1] + 1] if signed else ()


def digest(result: Result) -> str:
    """Hash what a signature signs: recording, versions, every beat with its class, and the findings; 64 hex digits."""
    beats = result.beats
    of_beats = hashlib.sha256()
    for column in (beats.r_sample.astype("<i8"), beats.class_index.astype("i1"), beats.analysable.astype("i1")):
        of_beats.update(column.tobytes())
    signed = {
        "recording": result.recording.recording_id,
        "versions": result.versions,
        "beats": of_beats.hexdigest(),
        "findings": [_rounded(asdict(finding)) for finding in result.findings],
    }
    return hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()


def _rounded(value: object) -> object:
    """Round to what survives being stored in single precision."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
