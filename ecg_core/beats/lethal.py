"""What kills, joined: standstill, ventricular rhythms and pacing, and which of them speaks first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ecg_core.beats.families import Families, find_families
from ecg_core.beats.fibrillation import Trees
from ecg_core.beats.ventricular import LIKELY_FROM, VentricularStretch, find_ventricular
from ecg_core.beats.wide_complex import UNLIKE_CONDUCTED, RateAndWidth, name_by_rate_and_width
from ecg_core.recording import FloatArray, Recording
from ecg_core.result import ANALYSIS_RATE_HZ, RhythmEpisode
from ecg_core.signal.cleaning import CleanSignal
from ecg_core.signal.pacing import PacingSpikes, find_pacing_spikes
from ecg_core.signal.standstill import Standstill, find_contact, find_standstill

MOST_LEADS: Final = 3
_LEADS_THAT_DIFFER: Final = ("II", "V1", "V5", "MLII", "AVF", "V2", "I", "V6", "V4", "V3", "III", "AVL", "AVR")
_MOSTLY: Final = 0.5
_ROUGH_EDGE_S: Final = 1.0
_LONG_ENOUGH_S: Final = 5.0
_EDGE_S: Final = 2.5
_FEWEST_MARKS: Final = 10
_MARKS_AROUND: Final = 31
_LOOK_LIKE_OTHERS: Final = 0.55
_QRS_AND_T_S: Final = 0.3
_POSSIBLE: Final = 0.3
_FLUTTER_BPM: Final = 240.0
_TOUCHES_S: Final = 0.15
_AT_SPIKE_S: Final = 0.04
_AV_DELAY_S: Final = (0.1, 0.35)
_STANDSTILLS: Final = {"pause": "pause", "lost_contact": "lost_contact", "cannot_tell": "standstill_unclear"}
_NAMED: Final = {
    "wide_complex_tachycardia": "wide_complex_tachycardia",
    "wide_complex_rhythm": "idioventricular",
    "wide_escape": "escape",
    "narrow_tachycardia": "svt",
}

BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LethalRhythms:
    """What was found.

    Attributes
    ----------
    ventricular : tuple of VentricularStretch
        By the signal alone.
    standstills : tuple of Standstill
        Pauses that lie mostly in fibrillation are told as ``cannot_tell``: fine fibrillation, or asystole.
    named : tuple of RateAndWidth
        By beats; what `ventricular` has already, and what lies in a standstill, is left out.
    spikes : PacingSpikes or None
    conducted_s : ndarray of float64
        R peaks that have the shape of conducted beats.
    noise_s : ndarray of float64
        R peaks among which most look like no other of the recording: marks that noise made.
    """

    ventricular: tuple[VentricularStretch, ...]
    standstills: tuple[Standstill, ...]
    named: tuple[RateAndWidth, ...]
    spikes: PacingSpikes | None
    conducted_s: Array
    noise_s: Array

    def without_beats(self, r_time_s: Array) -> BoolArray:
        """Tell which R peaks lie in VF, in flutter or inside a pause: none of them is a beat; shape (n,)."""
        inside = np.zeros(r_time_s.shape, dtype=bool)
        for stretch in self.ventricular:
            if stretch.kind == "vf" and stretch.likely:
                inside |= (r_time_s >= stretch.start_s) & (r_time_s < stretch.end_s)
        inside |= self._atrial_spikes(r_time_s)
        for pause in self.standstills:
            if pause.kind == "pause":
                # The complexes at its ends are beats.
                first = pause.start_s + (0.0 if pause.at_start else 0.2)
                inside |= (r_time_s > first) & (r_time_s < pause.end_s - (0.0 if pause.at_end else 0.2))
        return inside

    def _atrial_spikes(self, r_time_s: Array) -> BoolArray:
        """Tell which detections are a spike that a complex follows after an atrioventricular delay."""
        if self.spikes is None or r_time_s.size < 2:
            return np.zeros(r_time_s.shape, dtype=bool)
        spikes = self.spikes.time_s
        near = np.minimum(np.searchsorted(spikes, r_time_s), spikes.size - 1)
        distance = np.minimum(np.abs(spikes[near] - r_time_s), np.abs(spikes[np.maximum(near - 1, 0)] - r_time_s))
        next_s = np.append(np.diff(r_time_s), np.inf)
        return np.asarray((distance <= _AT_SPIKE_S) & (next_s >= _AV_DELAY_S[0]) & (next_s <= _AV_DELAY_S[1]))

    def intervals(self, r_time_s: Array, rr_ms: FloatArray) -> FloatArray:
        """Correct the intervals before each beat, float32, shape (n,).

        Across fibrillation, lost contact and what cannot be told, no interval is known; across a pause it is, whatever
        the signal's quality there.
        """
        rr_ms = rr_ms.copy()
        start_s, end_s = r_time_s[:-1], r_time_s[1:]

        def across(stretch: VentricularStretch | Standstill) -> BoolArray:
            return np.asarray(np.minimum(end_s, stretch.end_s) - np.maximum(start_s, stretch.start_s) > _TOUCHES_S)

        for pause in self.standstills:
            if pause.kind == "pause":
                rr_ms[1:][across(pause)] = 1000 * (end_s - start_s)[across(pause)]
        unknown: list[VentricularStretch | Standstill] = [s for s in self.standstills if s.kind != "pause"]
        unknown += [v for v in self.ventricular if v.kind == "vf" and v.likely]
        for stretch in unknown:
            rr_ms[1:][across(stretch)] = np.nan
        return rr_ms

    def episodes(self, r_time_s: Array) -> tuple[RhythmEpisode, ...]:
        """Give what was found as episodes of the rhythm, by start, with the beats around, where there are any."""
        found: list[tuple[str, float, float, float | None, float | None]] = []
        for v in self.ventricular:
            name = "wide_complex_tachycardia" if v.kind == "wide_complex" else str(v.kind)
            kind = name if v.likely or v.kind == "wide_complex" else f"possible_{v.kind}"
            if v.kind != "wide_complex" or v.likely:
                found.append((kind, v.start_s, v.end_s, v.rate_bpm, v.probability))
        found += [(_STANDSTILLS[s.kind], s.start_s, s.end_s, None, None) for s in self.standstills]
        # What is unlike the conducted beats is told by its beats, which are ventricular then.
        by_rate = [n for n in self.named if not n.unlike_conducted]
        found += [(_NAMED[n.kind], n.start_s, n.end_s, n.rate_bpm, None) for n in by_rate]
        if self.spikes is not None:
            found.append(("pacing", float(self.spikes.time_s[0]), float(self.spikes.time_s[-1]), None, None))
        last_row = max(0, r_time_s.size - 1)
        episodes = []
        for kind, start_s, end_s, rate, probability in sorted(found, key=lambda each: each[1:3]):
            first = int(np.searchsorted(r_time_s, start_s))
            last = int(np.searchsorted(r_time_s, end_s, side="right")) - 1
            # Where there is no beat inside, those before and after it.
            first, last = (min(max(row, 0), last_row) for row in sorted((first, last)))
            episodes.append(RhythmEpisode(kind, start_s, end_s, first, last, rate, probability))
        return tuple(episodes)

    def ventricular_probability(self, r_time_s: Array) -> FloatArray:
        """How probable the VT is in which each R peak lies, of the likely ones; 0 outside, shape (n,)."""
        probability = np.zeros(r_time_s.shape, dtype=np.float32)
        for stretch in self.ventricular:
            if stretch.kind == "vt" and stretch.likely:
                probability[(r_time_s >= stretch.start_s) & (r_time_s < stretch.end_s)] = stretch.probability
        return np.maximum(probability, np.where(self.unlike_conducted(r_time_s), np.float32(UNLIKE_CONDUCTED), 0))

    def unlike_conducted(self, r_time_s: Array) -> BoolArray:
        """Tell which R peaks lie in a fast row of wide beats that no conducted beat of the recording is like."""
        return _between(r_time_s, [n for n in self.named if n.unlike_conducted])

    def escapes(self, r_time_s: Array) -> BoolArray:
        """Tell which R peaks lie in a slow rhythm of wide beats."""
        return _between(r_time_s, [n for n in self.named if n.kind == "wide_escape"])


def find_lethal(
    recording: Recording,
    cleaned: CleanSignal,
    r_time_s: Array,
    waves_ms: FloatArray,
    analysable: BoolArray,
    trees: Trees,
) -> LethalRhythms:
    """Look for everything that kills; beats, if there are any, only serve to name rhythms by rate and width.

    Parameters
    ----------
    recording : Recording
    cleaned : CleanSignal
        Of the same recording.
    r_time_s : ndarray of float64, shape (n_beats,)
    waves_ms : ndarray of float32, shape (n_beats, 8)
    analysable : ndarray of bool, shape (n_beats,)
    trees : Trees
        Of a version of the task ``ventricular``.
    """
    contact = find_contact(recording, cleaned)
    readable = contact.readable
    leads = _asked(recording.lead_names, readable)
    ventricular = find_ventricular(cleaned.signal_mv[:, leads], trees, readable[:, leads])
    standstills = tuple(_against_fibrillation(s, ventricular) for s in find_standstill(cleaned, contact))
    r_index = np.rint(r_time_s * ANALYSIS_RATE_HZ).astype(np.int64)
    rr_ms = (1000 * np.diff(r_time_s, prepend=np.nan)).astype(np.float32)
    families = find_families(cleaned.signal_mv[:, leads], r_index, rr_ms, waves_ms, analysable)
    ventricular = tuple(_without_conducted(v, r_time_s, families) for v in ventricular)
    named = name_by_rate_and_width(
        r_time_s,
        families,
        waves_ms,
        analysable,
        _between(r_time_s, [v for v in ventricular if v.kind != "wide_complex"]),
    )
    conducted_s = r_time_s[families.of_beat == families.conducted] if families.conducted is not None else np.zeros(0)
    ventricular = tuple(_between_conducted(v, conducted_s) for v in ventricular)
    ventricular, standstills, named = _settled(ventricular, standstills, named)
    noise = _look_like_none(families.of_beat) & ~_between(r_time_s, [*ventricular, *named])
    return LethalRhythms(ventricular, standstills, named, find_pacing_spikes(recording), conducted_s, r_time_s[noise])


def _look_like_none(of_beat: npt.NDArray[np.int64]) -> BoolArray:
    """Tell around which beats most are of no family.

    Of 30 s recordings of the Challenge of 2017 (every 16th, 24th or so of each class) under .6 of the beats look like
    others in half of those that its annotators call noise, and in none of 145 that they call anything else.
    """
    if of_beat.size < _FEWEST_MARKS:
        return np.zeros(of_beat.size, dtype=bool)
    share = ndimage.uniform_filter1d((of_beat >= 0).astype(np.float64), _MARKS_AROUND, mode="nearest")
    return np.asarray(share < _LOOK_LIKE_OTHERS)


def _without_conducted(stretch: VentricularStretch, r_time_s: Array, families: Families) -> VentricularStretch:
    """Take possible fibrillation for likely where the recording's conducted beats stop: over tremor they go on.

    Fibrillation, or tachycardia where the signal comes again.
    """
    inside = (r_time_s >= stretch.start_s + _ROUGH_EDGE_S) & (r_time_s <= stretch.end_s - _ROUGH_EDGE_S)
    if stretch.kind != "vf" or stretch.likely or families.conducted is None or stretch.duration_s < _LONG_ENOUGH_S:
        return stretch
    if (
        stretch.probability < _POSSIBLE
        or (families.conducted_within | (families.of_beat == families.conducted))[inside].any()
    ):
        return stretch
    # What comes again, no faster than flutter, is a tachycardia.
    tachycardia = stretch.rate_bpm is not None and stretch.rate_bpm <= _FLUTTER_BPM
    kind: Literal["vt", "vf"] = "vt" if tachycardia else "vf"
    return replace(stretch, kind=kind, probability=LIKELY_FROM[kind])


def _between_conducted(stretch: VentricularStretch, conducted_s: Array) -> VentricularStretch:
    """Let fibrillation, found by windows of seconds, begin after the last conducted beat and end at the next."""
    if stretch.kind != "vf":
        return stretch
    middle_s = (stretch.start_s + stretch.end_s) / 2
    before = conducted_s[(conducted_s >= stretch.start_s) & (conducted_s < min(middle_s, stretch.start_s + _EDGE_S))]
    after = conducted_s[(conducted_s > max(middle_s, stretch.end_s - _EDGE_S)) & (conducted_s < stretch.end_s)]
    start_s = float(before[-1]) + _QRS_AND_T_S if before.size else stretch.start_s
    end_s = float(after[0]) if after.size else stretch.end_s
    return replace(stretch, start_s=start_s, end_s=end_s) if end_s > start_s else stretch


def _settled(
    ventricular: tuple[VentricularStretch, ...],
    standstills: tuple[Standstill, ...],
    named: tuple[RateAndWidth, ...],
) -> tuple[tuple[VentricularStretch, ...], tuple[Standstill, ...], tuple[RateAndWidth, ...]]:
    """Let one speak where two say something of the same stretch."""
    tachycardias = [n for n in named if n.kind.endswith("tachycardia")]
    # Broad waves without pause are low in the band of complexes; a row of one shape is no standstill.
    standstills = tuple(s for s in standstills if not _mostly_in(s.start_s, s.end_s, tachycardias))
    likely = [v for v in ventricular if v.likely]
    pauses = [s for s in standstills if s.kind == "pause"]
    named = tuple(n for n in named if n.unlike_conducted or not _speaks_first(n, likely, pauses))
    # What the signal makes possible, or cannot tell from block, is said once where shape and rate name it.
    unlike = [n for n in named if n.unlike_conducted]
    fast = [n for n in named if n.kind == "wide_complex_tachycardia"]

    def is_told(v: VentricularStretch) -> bool:
        certain = v.kind == "vf" and v.likely
        return not certain and _mostly_in(v.start_s, v.end_s, unlike if v.likely else fast)

    return tuple(v for v in ventricular if not is_told(v)), standstills, named


def _between(r_time_s: Array, stretches: Sequence[VentricularStretch | RateAndWidth]) -> BoolArray:
    inside = np.zeros(r_time_s.shape, dtype=bool)
    for stretch in stretches:
        inside |= (r_time_s >= stretch.start_s) & (r_time_s <= stretch.end_s)
    return inside


def _speaks_first(named: RateAndWidth, likely: Sequence[VentricularStretch], pauses: Sequence[Standstill]) -> bool:
    """Whether a stretch is told by something else; an escape rhythm may be so slow that it is all pauses."""
    return _mostly_in(named.start_s, named.end_s, likely) or (
        named.kind != "wide_escape" and _mostly_in(named.start_s, named.end_s, pauses)
    )


def _asked(names: tuple[str, ...], readable: BoolArray) -> list[int]:
    """Choose up to three leads that can be read for long and look from different directions."""
    share = readable.mean(axis=0)
    order = [_LEADS_THAT_DIFFER.index(n.upper()) if n.upper() in _LEADS_THAT_DIFFER else 99 for n in names]
    good = [k for k in range(len(names)) if share[k] >= share.max() - 0.05]
    return sorted(sorted(good, key=lambda k: order[k])[:MOST_LEADS])


def _against_fibrillation(standstill: Standstill, ventricular: tuple[VentricularStretch, ...]) -> Standstill:
    fibrillation = [s for s in ventricular if s.kind == "vf"]
    if standstill.kind != "pause" or not _mostly_in(standstill.start_s, standstill.end_s, fibrillation):
        return standstill
    return Standstill(
        standstill.start_s,
        standstill.end_s,
        "cannot_tell",
        standstill.seen_s,
        standstill.atrial_activity,
        standstill.at_start,
        standstill.at_end,
    )


def _mostly_in(
    start_s: float,
    end_s: float,
    stretches: Sequence[VentricularStretch | Standstill | RateAndWidth],
) -> bool:
    overlap = sum(max(0.0, min(end_s, s.end_s) - max(start_s, s.start_s)) for s in stretches)
    return overlap > _MOSTLY * (end_s - start_s)
