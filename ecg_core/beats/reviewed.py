"""The beats, the rhythm and the findings as readers' answers leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.beats.rhythm import PAUSE_MS, in_single_precision, joined, summarise_rhythm
from ecg_core.labels import CLASSES
from ecg_core.result import INTERVALS, WAVE_POINTS, BeatTable, Finding, Result, RhythmEpisode
from ecg_core.result.findings import FROM_SIGNAL, with_findings
from ecg_core.result.reviewed import (
    BeatChange,
    Correction,
    NamedStretch,
    Review,
    Reviewed,
    Signature,
    State,
    StruckFinding,
    digest,
    signed_part,
)

NEAREST_BEAT_S: Final = 0.15
"""A time that a reader gives means the beat within so much of it (ANSI/AAMI EC57's 150 ms)."""
_WITHOUT_BEATS: Final = (*FROM_SIGNAL, "pause", "lost_contact", "standstill_unclear", "idioventricular", "pacing")
"""Kinds of episode that do not follow from classes and times of beats: they stay unless a reader says otherwise."""
_MOSTLY: Final = 0.5
_RATE_FROM_BEATS: Final = 3

Times = npt.NDArray[np.float64]


def as_reviewed(result: Result, reviews: Sequence[Review]) -> Reviewed:
    """Say what stands: the model's word, changed by what readers have signed.

    Parameters
    ----------
    result : Result
        As the model left it.
    reviews : sequence of Review
        Oldest first. Those after the newest signature are drafts: they change nothing but that the signature holds.

    Returns
    -------
    Reviewed
    """
    counted = signed_part(reviews)
    standing = with_answers(result, counted)
    if not counted:
        return standing
    newest, later = counted[-1], reviews[len(counted) :]
    changed_by = next((r.reviewer for r in later if r.agrees or r.corrections), "")
    as_signed = newest.sha256 in (None, digest(standing.result))
    signature = Signature(newest.reviewer, newest.reviewed_at, newest.sha256, as_signed and not changed_by, changed_by)
    differs = bool(standing.changes or standing.named or standing.struck)
    state: State = "preliminary" if not signature.holds else "amended" if differs else "final"
    return replace(standing, state=state, signature=signature)


def with_answers(result: Result, reviews: Sequence[Review]) -> Reviewed:
    """Apply all of these answers, oldest first, whether signed or not; the state stays ``preliminary``.

    A class, a missed beat and a false one change the table of beats; a stretch that is named takes the place of what
    the model said there. Rhythm and findings are worked out again from the beats; of findings that come out as they
    were, those that a reader disagreed with are struck.
    """
    said = _Said(result.beats)
    for review in reviews:
        for correction in review.corrections:
            said.take(correction, review.reviewer)
    row_of = np.arange(len(result.beats), dtype=np.int64)
    standing = result
    if said.changes_anything:
        beats, row_of = said.table(result)
        episodes = _apart(result, said, beats)
        rhythm = summarise_rhythm(
            beats.r_time_s, beats.rr_prev_ms, beats.class_index, beats.analysable, result.af if result.af.size else None
        )
        counted = [e for e in rhythm.episodes if not _overruled(e, said.named)]
        rhythm = in_single_precision(joined(replace(rhythm, episodes=tuple(counted)), episodes))
        standing = with_findings(replace(result, beats=beats, rhythm=rhythm))
    struck = _struck(standing, result, reviews)
    if struck:
        left = tuple(f for f in standing.findings if f not in [each.finding for each in struck])
        standing = replace(standing, findings=left)
    return Reviewed(standing, row_of, changes=said.changes(), named=tuple(said.named), struck=struck)


def place(correction: Correction, result: Result, reviews: Sequence[Review]) -> Correction | None:
    """Say which beat a correction of one moment means, given all answers so far.

    Returns
    -------
    Correction or None
        With the model's `beat_index`, or with the time of a beat that a reader added; None where no beat is near, or,
        for ``added``, where there is one already.
    """
    standing = with_answers(result, reviews)
    times, at_s = standing.result.beats.r_time_s, correction.start_s
    row = _nearest(times, at_s)
    if correction.action == "added":
        if row is not None:
            return None
        gone = _nearest(result.beats.r_time_s, at_s)
        # A beat that was called none comes back as what it was found as.
        return correction if gone is None else replace(correction, action="class", beat_index=gone)
    if row is None:
        return None
    index, at_s = int(standing.row_of[row]), float(times[row])
    if index >= 0:
        return replace(correction, beat_index=index)
    action = "added" if correction.action == "class" else correction.action
    return replace(correction, start_s=at_s, end_s=at_s, action=action)


def _nearest(times: Times, at_s: float) -> int | None:
    if times.size == 0:
        return None
    row = int(np.argmin(np.abs(times - at_s)))
    return row if abs(times[row] - at_s) <= NEAREST_BEAT_S else None


@dataclass(slots=True)
class _Added:
    at_s: float
    letter: str
    reviewer: str


@dataclass(slots=True)
class _Said:
    """What readers said of each of the model's beats, what they added, and the stretches that they named."""

    beats: BeatTable
    letters: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Class, or nothing for no beat, and who said so, by the model's row."""
    added: list[_Added] = field(default_factory=list)
    named: list[NamedStretch] = field(default_factory=list)

    @property
    def changes_anything(self) -> bool:
        return bool(self.letters or self.added or self.named)

    def take(self, c: Correction, reviewer: str) -> None:
        if c.action == "rhythm":
            same = [n for n in self.named if _share_within(n.start_s, n.end_s, c.start_s, c.end_s) > _MOSTLY]
            self.named = [n for n in self.named if n not in same]
            self.named.append(NamedStretch(c.start_s, c.end_s, c.rhythm, reviewer))
        elif c.beat_index is not None:
            if c.beat_index < len(self.beats):
                self.letters[c.beat_index] = ("" if c.action == "no_beat" else c.corrected_class, reviewer)
        elif c.action == "class":
            inside = (self.beats.r_time_s >= c.start_s) & (self.beats.r_time_s <= c.end_s)
            for row in np.flatnonzero(inside).tolist():
                if self.letters.get(row, ("N", ""))[0]:
                    self.letters[row] = (c.corrected_class, reviewer)
            for one in self.added:
                if c.start_s <= one.at_s <= c.end_s:
                    one.letter, one.reviewer = c.corrected_class, reviewer
        else:
            self.added = [one for one in self.added if abs(one.at_s - c.start_s) > NEAREST_BEAT_S]
            if c.action == "added":
                self.added.append(_Added(c.start_s, c.corrected_class, reviewer))

    def changes(self) -> tuple[BeatChange, ...]:
        beats = self.beats
        changes = [
            BeatChange(row, float(beats.r_time_s[row]), was, now, who)
            for row, (now, who) in self.letters.items()
            if (was := CLASSES[beats.class_index[row]]) != now or not beats.analysable[row]
        ]
        changes += [BeatChange(None, one.at_s, "", one.letter, one.reviewer) for one in self.added]
        return tuple(sorted(changes, key=lambda change: change.r_time_s))

    def table(self, result: Result) -> tuple[BeatTable, npt.NDArray[np.int64]]:
        """Give the beats that stand, and the model's row of each."""
        was, n = self.beats, len(self.beats)
        rows = np.array([row for row in range(n) if self.letters.get(row, ("N", ""))[0]], np.int64)
        new_s = np.array([one.at_s for one in self.added], np.float64)
        times = np.concatenate([was.r_time_s[rows], new_s])
        order = np.argsort(times, kind="stable")
        times = times[order]
        row_of = np.concatenate([rows, np.full(new_s.size, -1, np.int64)])[order]
        table = _taken(was, row_of, times, result.recording.sampling_rate_hz)
        letters = {row: letter for row, (letter, _) in self.letters.items()}
        new_letters = {one.at_s: one.letter for one in self.added}
        told = [
            (i, letters.get(int(row), "") if row >= 0 else new_letters[float(times[i])])
            for i, row in enumerate(row_of)
            if row < 0 or int(row) in letters
        ]
        for i, letter in told:
            index = CLASSES.index(letter)
            # The model's probabilities are of its own word: of the reader's none is known, and nothing is in doubt.
            table.class_index[i], table.analysable[i] = index, True
            table.probabilities[i] = np.nan
            table.in_set[i] = np.arange(len(CLASSES)) == index
        for stretch in self.named:
            inside = (times >= stretch.start_s) & (times <= stretch.end_s)
            if stretch.kind in ("noise", "vf"):
                table.analysable[inside] = False
            elif stretch.kind == "vt":
                # As the model's own: beats of ventricular tachycardia are ventricular.
                inside[[i for i, _ in told]] = False
                table.class_index[inside], table.probabilities[inside] = CLASSES.index("V"), np.nan
                table.in_set[inside] = np.arange(len(CLASSES)) == CLASSES.index("V")
        rr_ms = _intervals(was, row_of, times)
        rr_next_ms = np.append(rr_ms[1:], np.float32(np.nan))[: times.size]
        return replace(table, rr_prev_ms=rr_ms, rr_next_ms=rr_next_ms), row_of


def _taken(was: BeatTable, row_of: npt.NDArray[np.int64], times: Times, rate_hz: float) -> BeatTable:
    """Take these rows of a table; of rows -1 nothing is known but the time."""
    known = row_of >= 0

    def floats(column: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        taken = np.full((row_of.size, *column.shape[1:]), np.nan, np.float32)
        taken[known] = column[row_of[known]]
        return taken

    r_sample = np.rint(times * rate_hz).astype(np.int64)
    r_sample[known] = was.r_sample[row_of[known]]
    class_index, analysable = np.zeros(row_of.size, np.int8), np.ones(row_of.size, np.bool_)
    class_index[known], analysable[known] = was.class_index[row_of[known]], was.analysable[row_of[known]]
    in_set = np.zeros((row_of.size, len(CLASSES)), np.bool_)
    in_set[known] = was.in_set[row_of[known]]
    return BeatTable(
        r_sample=r_sample,
        r_time_s=times,
        rr_prev_ms=floats(was.rr_prev_ms),
        rr_next_ms=floats(was.rr_next_ms),
        class_index=class_index,
        probabilities=floats(was.probabilities.reshape(-1, len(CLASSES))),
        deviation=floats(was.deviation),
        analysable=analysable,
        waves_ms=floats(was.waves_ms.reshape(-1, len(WAVE_POINTS))),
        intervals_ms=floats(was.intervals_ms.reshape(-1, len(INTERVALS))),
        in_set=in_set,
    )


def _intervals(was: BeatTable, row_of: npt.NDArray[np.int64], times: Times) -> npt.NDArray[np.float32]:
    """Return the interval before each beat: the model's between its own neighbours, else the time between them.

    Where the model knew none (lost contact, a gap in the signal), a beat that a reader set makes one known only if it
    is no pause.
    """
    rr_ms = np.full(times.size, np.nan, np.float32)
    for i in range(1, times.size):
        before, here = row_of[i - 1], row_of[i]
        if here >= 0 and before == here - 1:
            rr_ms[i] = was.rr_prev_ms[here]
            continue
        apart_ms = 1000 * (times[i] - times[i - 1])
        first = before if before >= 0 else _last_known(row_of, i - 1)
        last = here if here >= 0 else _next_known(row_of, i, len(was))
        known = bool(np.isfinite(was.rr_prev_ms[first + 1 : last + 1]).all()) and 0 <= first < last < len(was)
        rr_ms[i] = apart_ms if known or apart_ms <= PAUSE_MS else np.nan
    return rr_ms


def _last_known(row_of: npt.NDArray[np.int64], i: int) -> int:
    earlier = row_of[: i + 1][row_of[: i + 1] >= 0]
    return int(earlier[-1]) if earlier.size else -1


def _next_known(row_of: npt.NDArray[np.int64], i: int, n: int) -> int:
    later = row_of[i:][row_of[i:] >= 0]
    return int(later[0]) if later.size else n


def _apart(result: Result, said: _Said, beats: BeatTable) -> list[RhythmEpisode]:
    """Give the episodes that do not follow from classes: the model's that stand, new pauses, and what readers named."""
    added_s = np.array([one.at_s for one in said.added])
    kept = [e for e in result.rhythm.episodes if e.kind in _WITHOUT_BEATS and not _overruled(e, said.named)]
    kept = [e for e in kept if e.kind != "pause" or not ((added_s > e.start_s) & (added_s < e.end_s)).any()]
    gone_s = said.beats.r_time_s[[row for row, (letter, _) in said.letters.items() if not letter]]
    for i in np.flatnonzero(beats.rr_prev_ms > PAUSE_MS):
        start_s, end_s = float(beats.r_time_s[i - 1]), float(beats.r_time_s[i])
        if ((gone_s > start_s) & (gone_s < end_s)).any():
            pause = RhythmEpisode("pause", start_s, end_s, 0, 0, None)
            kept += [] if _overruled(pause, said.named) else [pause]
    kept += [
        RhythmEpisode(n.kind, n.start_s, n.end_s, 0, 0, None, 1.0 if n.kind not in ("pause", "pacing") else None)
        for n in said.named
        if n.kind not in ("sinus", "noise")
    ]
    return [_on_rows(episode, beats.r_time_s) for episode in kept]


def _on_rows(episode: RhythmEpisode, times: Times) -> RhythmEpisode:
    """Say which beats lie in an episode, or around it, and how fast they are where that is not known yet."""
    last_row = max(0, times.size - 1)
    first = int(np.searchsorted(times, episode.start_s))
    last = int(np.searchsorted(times, episode.end_s, side="right")) - 1
    rate = episode.heart_rate_bpm
    if rate is None and episode.probability == 1.0 and last - first + 1 >= _RATE_FROM_BEATS:
        rate = float(60 * (last - first) / (times[last] - times[first]))
    first, last = (min(max(row, 0), last_row) for row in sorted((first, last)))
    return replace(episode, first_beat=first, last_beat=last, heart_rate_bpm=rate)


def _overruled(episode: RhythmEpisode, named: Sequence[NamedStretch]) -> bool:
    """Tell whether a reader has called most of an episode something; runs and couplets follow from the beats alone."""
    if episode.kind not in (*_WITHOUT_BEATS, "atrial_fibrillation"):
        return any(
            n.kind in ("vf", "noise") and _share_within(episode.start_s, episode.end_s, n.start_s, n.end_s) > _MOSTLY
            for n in named
        )
    return any(_share_within(episode.start_s, episode.end_s, n.start_s, n.end_s) > _MOSTLY for n in named)


def _share_within(start_s: float, end_s: float, from_s: float, to_s: float) -> float:
    """How much of the first stretch lies within the second, 0 to 1."""
    if end_s <= start_s:
        return float(from_s <= start_s <= to_s)
    return max(0.0, min(end_s, to_s) - max(start_s, from_s)) / (end_s - start_s)


def _struck(standing: Result, model: Result, reviews: Sequence[Review]) -> tuple[StruckFinding, ...]:
    """Find what a reader disagreed with, by the newest word on it, and what still stands as the model said it."""
    verdicts: dict[str, tuple[bool, str]] = {}
    for review in reviews:
        verdicts |= {kind: (agrees, review.reviewer) for kind, agrees in review.agrees.items()}
    stated = {finding.kind: finding for finding in model.findings}
    return tuple(
        StruckFinding(finding, verdicts[finding.kind][1])
        for finding in standing.findings
        if not verdicts.get(finding.kind, (True, ""))[0] and _same(finding, stated.get(finding.kind))
    )


def _same(finding: Finding, stated: Finding | None) -> bool:
    if stated is None:
        return False
    return (finding.n_episodes, finding.n_beats) == (stated.n_episodes, stated.n_beats)
