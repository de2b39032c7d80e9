"""The recording's rhythm: heart rate and the stretches of beats that have a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.recording import FloatArray
from ecg_core.result import AF_WINDOW_S, HeartRate, Rhythm, RhythmEpisode

RATE_INTERVALS: Final = 8
SHORTEST_RUN: Final = 3
SHORTEST_GEMINY: Final = 3
PAUSE_MS: Final = 2500.0
BRADYCARDIA_BPM: Final = 50.0
TACHYCARDIA_BPM: Final = 120.0
FIBRILLATION_FROM: Final = 0.5
FIBRILLATION_WHILE: Final = 0.3
MOST_ECTOPIC: Final = 0.3
SURE: Final = {"v_run": 0.75, "v_couplet": 0.75, "bigeminy": 0.7, "trigeminy": 0.7}
"""Mean probability of V from which an episode of V beats is sure.

Of 98 runs told on MIT-BIH's training half and its paced records 38 are so sure, and 25 of those right; of the others 10
of 60. On 60 of svdb, which nothing learned from, all of 21. Of couplets 358 of 384 and 96 of 134, of bigeminy 73 of 99
(76 of 116 without) and 84 of 102 (95 of 151).
"""
SHORTEST_FIBRILLATION: Final = 2
"""Windows in a row: one alone is often a stretch of ectopic beats (record 208 of MIT-BIH has 18 such windows)."""

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


def summarise_rhythm(
    r_time_s: npt.NDArray[np.float64],
    rr_prev_ms: npt.NDArray[np.float32],
    class_index: npt.NDArray[np.int8],
    analysable: BoolArray,
    af: FloatArray | None = None,
    false: BoolArray | None = None,
) -> Rhythm:
    """Find heart rate and episodes; nothing is said across a beat or an interval that is not analysable.

    Definitions:

    - heart rate: over every 8 RR intervals in a row; the mean is that of all these windows' intervals. The time of an
      extreme is that of the window's middle beat.
    - ``v_couplet``, ``s_couplet``: exactly 2 beats of class V (S) in a row; ``v_run``, ``s_run``: 3 or more, at any
      rate (the rate is given; EC57 counts runs from 3 too).
    - ``bigeminy``, ``trigeminy``: at least 3 times in a row one (two) beats of class N or S, then one of class V:
      ventricular, as MIT-BIH's rhythm marks ``(B`` and ``(T``. The episode ends with its last V.
    - ``pause``: an RR interval above 2.5 s (Holter practice names 2 to 3 s).
    - ``bradycardia``, ``tachycardia``: every stretch covered by windows of 8 intervals whose mean rate is below 50/min
      (ACC/AHA/HRS bradycardia guideline 2018) or above 120/min (an ambulatory alarm limit; 100/min would mark much of
      an active day). Where pauses alone make the mean slow, it is pauses. The rate of bradycardia is that of its mean
      or its median interval, the longer: the windows at its edges reach into what is faster.
    - ``atrial_fibrillation``: windows of 30 s in a row, two at least (one in a recording that has no other), none less
      probable than .3 and .5 in the mean, where at most three beats in ten are of class V or F: more of them are reason
      enough for an irregular pulse.

    Parameters
    ----------
    r_time_s : ndarray of float64, shape (n,)
        R peaks, seconds from the start.
    rr_prev_ms : ndarray of float32, shape (n,)
        NaN where unknown.
    class_index : ndarray of int8, shape (n,)
        Index into `ecg_core.labels.CLASSES`.
    analysable : ndarray of bool, shape (n,)
    af : ndarray of float32, shape (n_windows,), optional
        From `ecg_core.beats.af_probability`; without it fibrillation is not looked for.
    false : ndarray of bool, shape (n,), optional
        Detections that are no beats; the rhythm is that of the others.

    Returns
    -------
    Rhythm
        Episodes by start time.
    """
    if false is not None and false.any():
        rows, rr_ms = without_noise(false, r_time_s, rr_prev_ms)
        rhythm = summarise_rhythm(r_time_s[rows], rr_ms, class_index[rows], analysable[rows], af)
        at = [replace(e, first_beat=int(rows[e.first_beat]), last_beat=int(rows[e.last_beat])) for e in rhythm.episodes]
        return replace(rhythm, episodes=tuple(at))
    rr = rr_prev_ms.astype(np.float64)
    follows = np.isfinite(rr) & analysable
    if follows.size:
        follows[0] = False
        follows[1:] &= analysable[:-1]
    rr[~follows] = np.nan
    spans: list[tuple[str, int, int]] = []
    for letter, name in (("V", "v"), ("S", "s")):
        spans += _ectopic_runs(analysable & (class_index == CLASSES.index(letter)), follows, name)
    ventricular = analysable & (class_index == CLASSES.index("V"))
    conducted = analysable & ((class_index == CLASSES.index("N")) | (class_index == CLASSES.index("S")))
    spans += _geminy("bigeminy", 2, ventricular, conducted, follows)
    spans += _geminy("trigeminy", 3, ventricular, conducted, follows)
    spans += [("pause", int(i) - 1, int(i)) for i in np.flatnonzero(rr > PAUSE_MS)]
    window_ms = _window_mean_ms(rr)
    slow = _sustained("bradycardia", window_ms > 60_000 / BRADYCARDIA_BPM)
    spans += [span for span in slow if _is_slow_beside_pauses(rr[span[1] + 1 : span[2] + 1])]
    spans += _sustained("tachycardia", window_ms < 60_000 / TACHYCARDIA_BPM)
    episodes = [_episode(kind, first, last, r_time_s, rr) for kind, first, last in spans]
    if af is not None:
        ectopic = ventricular | (analysable & (class_index == CLASSES.index("F")))
        episodes += _fibrillation(af, r_time_s, rr, ectopic)
    return Rhythm(_heart_rate(window_ms, r_time_s), tuple(sorted(episodes, key=lambda e: (e.start_s, e.kind))))


def without_noise(
    false: BoolArray, r_time_s: npt.NDArray[np.float64], rr_prev_ms: npt.NDArray[np.float32]
) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Leave out detections that are no beats: rows of the others, and the intervals between them.

    An interval across a false beat is the sum of its parts; it is unknown where one of them is.
    """
    rows = np.flatnonzero(~false)
    rr_ms = np.full(rows.size, np.nan, np.float32)
    known = np.concatenate([[0], np.cumsum(np.isfinite(rr_prev_ms))])
    whole = known[rows[1:] + 1] - known[rows[:-1] + 1] == np.diff(rows)
    rr_ms[1:] = np.where(whole, 1000 * np.diff(r_time_s[rows]), np.nan)
    return rows, rr_ms


def runs_in_doubt(
    rhythm: Rhythm,
    class_index: npt.NDArray[np.int8],
    probabilities: FloatArray,
    in_tachycardia: BoolArray,
    conducted: BoolArray,
) -> Rhythm:
    """Call a run of V possible where its V beats are so with less than `SURE` in the mean.

    Couplets, bigeminy and trigeminy of such beats are left out, and runs of such beats that all have the shape of
    conducted ones.

    Where the signal itself shows ventricular tachycardia, two witnesses agree.

    Parameters
    ----------
    rhythm : Rhythm
    class_index : ndarray of int8, shape (n,)
    probabilities : ndarray of float32, shape (n, 5)
        Of the beats that the rhythm was told from.
    in_tachycardia : ndarray of bool, shape (n,)
        Beats in ventricular tachycardia that was found in the signal.
    conducted : ndarray of bool, shape (n,)
        Beats of the shape of conducted ones.
    """
    v = CLASSES.index("V")
    probability = np.where(in_tachycardia, np.float32(1), probabilities[:, v])

    def named(episode: RhythmEpisode) -> RhythmEpisode | None:
        if episode.kind not in SURE:
            return episode
        rows = np.arange(episode.first_beat, episode.last_beat + 1)
        if probability[rows[class_index[rows] == v]].mean() >= SURE[episode.kind]:
            return episode
        told = episode.kind == "v_run" and not conducted[rows].all()
        return replace(episode, kind="possible_v_run") if told else None

    return replace(rhythm, episodes=tuple(kept for e in rhythm.episodes if (kept := named(e)) is not None))


def joined(rhythm: Rhythm, episodes: Sequence[RhythmEpisode]) -> Rhythm:
    """Add episodes that were found without beats.

    Pauses are theirs alone: each lead was asked for a complex there. What is counted from beats within what may be
    fibrillation is not said.
    """
    doubtful = [e for e in episodes if e.kind == "possible_vf"]

    def in_doubt(episode: RhythmEpisode) -> bool:
        overlap = sum(max(0.0, min(episode.end_s, d.end_s) - max(episode.start_s, d.start_s)) for d in doubtful)
        return overlap > 0.5 * (episode.end_s - episode.start_s)

    kept = [e for e in rhythm.episodes if e.kind != "pause" and not in_doubt(e)]
    return replace(rhythm, episodes=tuple(sorted((*kept, *episodes), key=lambda e: (e.start_s, e.kind))))


def in_single_precision(rhythm: Rhythm) -> Rhythm:
    """Round heart rates to what Postgres keeps of them, so that a report made from there is the same to the byte."""
    rate = rhythm.heart_rate
    if rate is not None:
        mean, low, high = (float(np.float32(bpm)) for bpm in (rate.mean_bpm, rate.min_bpm, rate.max_bpm))
        rate = HeartRate(mean, low, rate.min_at_s, high, rate.max_at_s)
    episodes = tuple(
        replace(e, heart_rate_bpm=_in_single(e.heart_rate_bpm), probability=_in_single(e.probability))
        for e in rhythm.episodes
    )
    return Rhythm(rate, episodes)


def _in_single(value: float | None) -> float | None:
    return None if value is None else float(np.float32(value))


def _runs(mask: BoolArray) -> tuple[IntArray, IntArray]:
    """First and last index of every run of True."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def _ectopic_runs(ectopic: BoolArray, follows: BoolArray, name: str) -> list[tuple[str, int, int]]:
    # A beat goes on with a run where the beat before it is of the kind too and nothing is unknown between them.
    goes_on = ectopic & follows
    goes_on[1:] &= ectopic[:-1]
    return [
        (f"{name}_couplet" if last - first + 2 < SHORTEST_RUN else f"{name}_run", int(first) - 1, int(last))
        for first, last in zip(*_runs(goes_on), strict=True)
    ]


def _geminy(
    kind: Literal["bigeminy", "trigeminy"],
    period: int,
    ventricular: BoolArray,
    conducted: BoolArray,
    follows: BoolArray,
) -> list[tuple[str, int, int]]:
    """Chains of groups of `period` beats, all conducted but the last."""
    v = np.flatnonzero(ventricular)
    v = v[v >= period - 1]
    group = np.ones(v.size, dtype=bool)
    for back in range(1, period):
        group &= conducted[v - back] & follows[v - back + 1]
    # Chained to the group before: it ends right before this one begins, and nothing is unknown between.
    chained = group.copy()
    if v.size:
        chained[0] = False
        chained[1:] &= group[:-1] & (np.diff(v) == period) & follows[v[1:] - period + 1]
    return [
        (kind, int(v[first - 1]) - period + 1, int(v[last]))
        for first, last in zip(*_runs(chained), strict=True)
        if last - first + 2 >= SHORTEST_GEMINY
    ]


def _fibrillation(
    af: FloatArray, r_time_s: npt.NDArray[np.float64], rr_ms: npt.NDArray[np.float64], ectopic: BoolArray
) -> list[RhythmEpisode]:
    episodes = []
    for first_window, last_window in zip(*_runs(af >= FIBRILLATION_WHILE), strict=True):
        probability = float(af[first_window : last_window + 1].mean())
        if last_window - first_window + 1 < min(SHORTEST_FIBRILLATION, af.size) or probability < FIBRILLATION_FROM:
            continue
        first, after = np.searchsorted(r_time_s, [first_window * AF_WINDOW_S, (last_window + 1) * AF_WINDOW_S])
        if ectopic[first:after].mean() > MOST_ECTOPIC:
            continue
        stretch = _episode("atrial_fibrillation", int(first), int(after) - 1, r_time_s, rr_ms)
        episodes.append(replace(stretch, probability=probability))
    return episodes


def _window_mean_ms(rr_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of the 8 intervals that end with each beat; NaN where one of them is unknown. Shape (n,)."""
    mean = np.full(rr_ms.size, np.nan)
    if rr_ms.size >= RATE_INTERVALS:
        rows = np.lib.stride_tricks.sliding_window_view(rr_ms, RATE_INTERVALS)
        mean[RATE_INTERVALS - 1 :] = rows.mean(axis=1)
    return mean


def _sustained(kind: str, window: BoolArray) -> list[tuple[str, int, int]]:
    """Stretches covered by windows; a window that ends with beat i begins with beat i - 8."""
    covered = np.zeros(window.size + 1, dtype=np.int64)
    ends = np.flatnonzero(window)
    np.add.at(covered, ends - RATE_INTERVALS + 1, 1)
    np.add.at(covered, ends + 1, -1)
    # An interval belongs to the beat that ends it, so a stretch begins one beat earlier.
    return [(kind, int(first) - 1, int(last)) for first, last in zip(*_runs(np.cumsum(covered)[:-1] > 0), strict=True)]


def _is_slow_beside_pauses(rr_ms: npt.NDArray[np.float64]) -> bool:
    """Whether the intervals that are no pauses are slow in the mean; a rhythm may be so slow that all are pauses."""
    others = rr_ms[rr_ms <= PAUSE_MS]
    return others.size < rr_ms.size / 2 or float(others.mean()) > 60_000 / BRADYCARDIA_BPM


def _episode(
    kind: str, first: int, last: int, r_time_s: npt.NDArray[np.float64], rr_ms: npt.NDArray[np.float64]
) -> RhythmEpisode:
    # An interval within fibrillation may be unknown; in stretches counted from beats none is.
    inside_ms = rr_ms[first + 1 : last + 1]
    usual_ms = np.nanmean(inside_ms)
    if kind == "bradycardia":
        usual_ms = max(usual_ms, np.nanmedian(inside_ms))
    rate = None if kind == "pause" else float(60_000 / usual_ms)
    return RhythmEpisode(kind, float(r_time_s[first]), float(r_time_s[last]), first, last, rate)


def _heart_rate(window_ms: npt.NDArray[np.float64], r_time_s: npt.NDArray[np.float64]) -> HeartRate | None:
    known = np.flatnonzero(np.isfinite(window_ms))
    if known.size == 0:
        return None
    slowest = int(known[np.argmax(window_ms[known])])
    fastest = int(known[np.argmin(window_ms[known])])
    half = RATE_INTERVALS // 2
    return HeartRate(
        mean_bpm=float(60_000 / window_ms[known].mean()),
        min_bpm=float(60_000 / window_ms[slowest]),
        min_at_s=float(r_time_s[slowest - half]),
        max_bpm=float(60_000 / window_ms[fastest]),
        max_at_s=float(r_time_s[fastest - half]),
    )
