"""How often a finding is right: episodes that are claimed, held against those that reference beats and marks give.

A true episode is what the product's own definitions (`ecg_core.beats.summarise_rhythm`) give on the annotators' beats;
rhythm kinds are what the rhythm marks say. Each true episode pairs with one claim of its kind that overlaps it within
2 s; a second claim on it is false. Stretches marked as ventricular flutter count for ``vf`` alone: they have no beats,
so what is claimed or true of other kinds within them is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ecg_core.beats import summarise_rhythm
from ecg_core.datasets.annotated import LabelledRecording
from ecg_core.result import Rhythm, RhythmEpisode

KINDS: Final = (
    "v_run",
    "v_couplet",
    "s_run",
    "s_couplet",
    "pause",
    "tachycardia",
    "bradycardia",
    "bigeminy",
    "trigeminy",
)
WITHIN_S: Final = 2.0
RATE_WITHIN_BPM: Final = 5.0

Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tally:
    """Episodes of one kind: claimed, right among them, true, and seconds of recording that were read."""

    claimed: int = 0
    right: int = 0
    true: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.claimed + other.claimed,
            self.right + other.right,
            self.true + other.true,
            self.seconds + other.seconds,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the counts, precision, sensitivity and false claims in 24 h; None where nothing is to divide by."""
        false = self.claimed - self.right
        return {
            "claimed": self.claimed,
            "right": self.right,
            "true": self.true,
            "missed": self.true - self.right,
            "precision": self.right / self.claimed if self.claimed else None,
            "sensitivity": self.right / self.true if self.true else None,
            "false_per_24h": false * 86_400 / self.seconds if self.seconds else None,
        }


def true_rhythm(labelled: LabelledRecording) -> Rhythm:
    """Summarise the annotators' beats as the product summarises its own."""
    r_time_s = labelled.r_sample / labelled.recording.sampling_rate_hz
    rr_ms = np.diff(r_time_s, prepend=np.nan).astype(np.float32) * np.float32(1000)
    # The interval over a stretch of flutter is no interval between two beats.
    for start_s, end_s in labelled.flutter_s:
        rr_ms[1:][(r_time_s[:-1] <= start_s) & (r_time_s[1:] >= end_s)] = np.nan
    return summarise_rhythm(r_time_s, rr_ms, labelled.class_index, np.ones(r_time_s.size, dtype=bool))


def tally(claims: Sequence[Stretch], truths: Sequence[Stretch], seconds: float) -> Tally:
    """Pair true stretches with claims that overlap them within `WITHIN_S`, one to one, in time order."""
    free = sorted(claims)
    right = 0
    for start_s, end_s in sorted(truths):
        hit = next((c for c in free if c[0] <= end_s + WITHIN_S and c[1] >= start_s - WITHIN_S), None)
        if hit is not None:
            free.remove(hit)
            right += 1
    return Tally(len(claims), right, len(truths), seconds)


def tallies(claimed: Rhythm, true: Rhythm, labelled: LabelledRecording) -> dict[str, Tally]:
    """Count every kind of `KINDS` on one recording."""
    seconds = labelled.recording.duration_s
    return {
        kind: tally(
            _stretches(claimed.episodes, kind, labelled.flutter_s),
            _stretches(true.episodes, kind, labelled.flutter_s),
            seconds,
        )
        for kind in KINDS
    }


def rate_extremes_hold(claimed: Rhythm, true: Rhythm) -> bool:
    """Whether both the highest and the lowest rate lie within `RATE_WITHIN_BPM` of the true ones."""
    if claimed.heart_rate is None or true.heart_rate is None:
        return claimed.heart_rate is true.heart_rate
    pairs = (
        (claimed.heart_rate.max_bpm, true.heart_rate.max_bpm),
        (claimed.heart_rate.min_bpm, true.heart_rate.min_bpm),
    )
    return all(abs(ours - theirs) <= RATE_WITHIN_BPM for ours, theirs in pairs)


def durations(
    claims: Sequence[Stretch], truths: Sequence[Stretch], left_out: Sequence[Stretch] = ()
) -> dict[str, float]:
    """Return seconds ``true``, ``claimed`` and ``both``, at a resolution of .1 s; stretches left out count nowhere."""
    every = (*claims, *truths, *left_out)
    n = round(10 * max((end for _, end in every), default=0.0)) + 1
    masks = []
    for stretches in (claims, truths, left_out):
        mask = np.zeros(n, dtype=bool)
        for start_s, end_s in stretches:
            mask[round(10 * start_s) : round(10 * end_s)] = True
        masks.append(mask)
    said, is_true, out = masks
    counts = {"true": is_true & ~out, "claimed": said & ~out, "both": said & is_true & ~out}
    return {name: float(mask.sum()) / 10 for name, mask in counts.items()}


def _stretches(episodes: Sequence[RhythmEpisode], kind: str, flutter_s: Sequence[Stretch]) -> list[Stretch]:
    """Return one kind's stretches outside of flutter."""
    of_kind = [(e.start_s, e.end_s) for e in episodes if e.kind == kind]
    return [(a, b) for a, b in of_kind if not any(a < end and b > start for start, end in flutter_s)]
