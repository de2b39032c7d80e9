"""Every episode in a table: when, how long, how many beats, how fast and how sure; the strip that shows each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ecg_core.report.findings import Strip
from ecg_core.report.view import EpisodeRow, EpisodesView, EpisodeTable, Link
from ecg_core.report.wording import Clock, duration, number, shown
from ecg_core.result import Result, Reviewed, RhythmEpisode
from ecg_core.result.findings import KINDS, beats_of, called_probability, ectopic_rows, rests_on_classes
from ecg_core.texts import TEXTS, say, say_count

SHOWN: Final = 8
"""Rows of a kind that are seen at once; the others are folded."""
PRINTED: Final = 5
"""Rows of a kind that are printed, as the style has it."""
MOST_LISTED: Final = 300
"""Rows of a kind at most; that there are more is said."""
_BETWEEN_BEATS: Final = ("pause", "standstill_unclear", "lost_contact")
"""Kinds that lie between beats: their beats are not counted."""


def episodes_view(
    result: Result, reviewed: Reviewed | None, drawn: Callable[[Strip], Link | None]
) -> EpisodesView | None:
    """List the episodes of each kind in time order; None where there is none.

    Parameters
    ----------
    result : Result
        What stands.
    reviewed : Reviewed or None
        Says which of them a reader named.
    drawn : callable
        Gives the strip that is drawn already and shows an episode, None where there is none.
    """
    by_kind: dict[str, list[RhythmEpisode]] = {}
    for episode in result.rhythm.episodes:
        by_kind.setdefault(episode.kind, []).append(episode)
    known = [kind for kind in KINDS if kind in by_kind]
    kinds = [*known, *sorted(set(by_kind) - set(known))]
    if not kinds:
        return None
    named = {(n.kind, n.start_s, n.end_s): n.reviewer for n in reviewed.named} if reviewed else {}
    columns = tuple(say(f"episode_{name}") for name in ("time", "length", "beats", "rate", "certainty"))
    return EpisodesView(columns, tuple(_table(result, kind, by_kind[kind], named, drawn) for kind in kinds))


def _table(
    result: Result,
    kind: str,
    episodes: list[RhythmEpisode],
    named: dict[tuple[str, float, float], str],
    drawn: Callable[[Strip], Link | None],
) -> EpisodeTable:
    longest = sorted(episodes, key=lambda e: e.start_s - e.end_s)[:MOST_LISTED]
    listed = sorted(longest, key=lambda e: (e.start_s, e.end_s))
    rows = tuple(_row(result, episode, named, drawn) for episode in listed)
    name = TEXTS.get(f"kind_{kind}") or shown(kind.replace("_", " ")).short
    total = duration(sum(e.end_s - e.start_s for e in episodes))
    left_out = len(episodes) - len(listed)
    return EpisodeTable(
        caption=say_count("episode_caption", len(episodes), kind=name[:1].upper() + name[1:], total=total),
        rows=rows[:SHOWN],
        folded=rows[SHOWN:],
        fold=say_count("episode_fold", len(rows) - SHOWN),
        on_paper=say_count("episode_on_paper", len(rows) - PRINTED) if len(rows) > PRINTED else "",
        left_out=say_count("episode_left_out", left_out, listed=number(len(listed))) if left_out else "",
    )


def _row(
    result: Result,
    episode: RhythmEpisode,
    named: dict[tuple[str, float, float], str],
    drawn: Callable[[Strip], Link | None],
) -> EpisodeRow:
    link = drawn(Strip(episode.start_s, episode.end_s, ""))
    between, rate = episode.kind in _BETWEEN_BEATS, episode.heart_rate_bpm
    return EpisodeRow(
        at_s=f"{episode.start_s:.3f}",
        end_s=f"{episode.end_s:.3f}",
        kind=episode.kind if episode.kind in KINDS else "",
        href=link.href if link else "#disclosure",
        time=Clock(result.recording.start_time).at(episode.start_s),
        cells=(
            duration(episode.end_s - episode.start_s),
            number(None if between else beats_of(episode)),
            number(None) if between or rate is None else say("per_min", n=number(rate)),
            _certainty(result, episode, named),
        ),
    )


def _certainty(result: Result, episode: RhythmEpisode, named: dict[tuple[str, float, float], str]) -> str:
    """Say what an episode rests on: a reader's word, a probability, its beats' classes, or times alone."""
    reader = named.get((episode.kind, episode.start_s, episode.end_s))
    if reader is not None:
        return say("episode_by", reviewer=shown(reader, 40).short)
    if episode.probability is not None:
        return say("episode_probability", mean=number(episode.probability, 2))
    if not rests_on_classes(episode.kind):
        return say("episode_of_times")
    rows = ectopic_rows(result, [episode])
    known = called_probability(result)[rows]
    known = known[np.isfinite(known)]
    if not known.size:
        return say("episode_by_reader")
    doubtful = int(result.beats.inconclusive[rows].sum())
    sure = say("episode_probability", mean=number(float(known.mean()), 2))
    return sure + (say("episode_doubtful", n=number(doubtful), of=number(rows.size)) if doubtful else "")
