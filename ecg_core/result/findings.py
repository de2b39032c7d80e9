"""What is said of a recording, with its urgency and its evidence: decided here and nowhere else.

Store, report, worklist, mart and export read `Result.findings`; they find words, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.result.interval_findings import interval_findings
from ecg_core.result.resting_findings import resting_findings
from ecg_core.result.result import Evidence, Finding, Result, RhythmEpisode, Urgency

POOR_SHARE: Final = 0.9
"""Below this analysable share the poor signal is a finding."""
VERY_POOR_SHARE: Final = 0.5
"""Below this share it comes before everything else, with a banner."""
HIGH_BURDEN: Final = 0.10
"""Share of V beats from which the burden is urgent, where there are at least `HIGH_BURDEN_BEATS`."""
HIGH_BURDEN_BEATS: Final = 10
SHORTEST_FOR_RATE_S: Final = 300.0
"""Beats per hour are not extrapolated from less analysable signal."""
FAST_BPM: Final = 150.0
SLOW_BPM: Final = 40.0
LIKELY_FIBRILLATION: Final = 0.8
"""Below this mean probability possible atrial fibrillation is told as inconclusive."""
KINDS: Final = (
    "vf",
    "vt",
    "wide_complex_tachycardia",
    "v_run",
    "pause",
    "escape",
    "possible_vf",
    "possible_vt",
    "possible_v_run",
    "standstill_unclear",
    "svt",
    "tachycardia",
    "bradycardia",
    "atrial_fibrillation",
    "v_couplet",
    "bigeminy",
    "trigeminy",
    "s_run",
    "s_couplet",
    "idioventricular",
    "pacing",
    "lost_contact",
)
"""Kinds of episode in the order in which they are told within one degree of urgency."""
BURDENS: Final = ("V", "S", "F", "Q")
"""Abnormal classes, in the order in which their burdens are told."""
_ECTOPIC: Final = {"v": CLASSES.index("V"), "s": CLASSES.index("S")}
_NEVER_DENIED: Final = (
    *("possible_vf", "possible_vt", "possible_v_run", "standstill_unclear"),
    *("pacing", "lost_contact", "idioventricular"),
)
"""That none was found says nothing, or is said by another kind."""
WIDE_URGENT_BPM: Final = 120.0
NARROW_URGENT_BPM: Final = 180.0
SUSTAINED_S: Final = 30.0
TACHYCARDIA_FROM_BPM: Final = 100.0
"""A run of V as fast, and as long, is sustained ventricular tachycardia (AHA/ACC/HRS 2017)."""
FROM_SIGNAL: Final = ("vf", "vt", "possible_vf", "possible_vt", "wide_complex_tachycardia", "escape", "svt")
"""Kinds that are found in the signal, or by rate and width, and rest on no beat's class; the longest is told."""
_ORDER: Final[dict[Urgency, int]] = {"urgent": 0, "notable": 1, "doubt": 2, "info": 3}


def with_findings(result: Result) -> Result:
    """Return the result with its findings.

    Urgent ones come first; in a recording that is mostly unreadable, that it is comes before everything.
    """
    of_beats = [*_episodes(result), *_burdens(result), *interval_findings(result)]
    urgent = [finding for finding in of_beats if finding.urgency == "urgent"]
    findings = [*urgent, *resting_findings(result), *(one for one in of_beats if one.urgency != "urgent")]
    doubt = _unreadable(result)
    first = doubt if result.quality.analysable_share < VERY_POOR_SHARE else []
    rest = findings if first else [*findings, *doubt]
    return replace(result, findings=(*first, *sorted(rest, key=lambda finding: _ORDER[finding.urgency])))


def rows_of(result: Result, finding: Finding) -> npt.NDArray[np.int64]:
    """Return the rows of `BeatTable` whose class a finding rests on; none where it rests on times alone."""
    table = result.beats
    if finding.kind in {f"{letter.lower()}_beats" for letter in BURDENS}:
        return np.flatnonzero(table.analysable & (table.class_index == CLASSES.index(finding.kind[0].upper())))
    if finding.n_called is None:
        return np.zeros(0, np.int64)
    return ectopic_rows(result, [e for e in result.rhythm.episodes if e.kind == finding.kind])


def kinds_not_found(result: Result) -> tuple[str, ...]:
    """Name the kinds of episode that were looked for without success; none where no beat is analysable.

    What is possible is not denied.
    """
    present = {episode.kind.removeprefix("possible_") for episode in result.rhythm.episodes}
    looked_for = [kind for kind in KINDS if kind not in _NEVER_DENIED]
    return tuple(kind for kind in looked_for if kind not in present) if result.beats.analysable.any() else ()


def _episodes(result: Result) -> Iterator[Finding]:
    by_kind: dict[str, list[RhythmEpisode]] = {}
    for episode in sorted(result.rhythm.episodes, key=lambda e: e.start_s):
        by_kind.setdefault(episode.kind, []).append(episode)
    unknown = sorted(set(by_kind) - set(KINDS))
    for kind in (*KINDS, *unknown):
        if kind in by_kind:
            yield _of_episodes(result, kind, by_kind[kind])


def _of_episodes(result: Result, kind: str, episodes: Sequence[RhythmEpisode]) -> Finding:
    """State one kind of episode: its urgency, its telling episodes, its sums, and how sure its beats are."""
    rates = [e.heart_rate_bpm for e in episodes if e.heart_rate_bpm is not None]
    telling = _telling(kind, episodes)
    finding = Finding(
        kind,
        _urgency(result, kind, episodes, telling[0]),
        tuple(Evidence(e.start_s, e.end_s, beats_of(e), e.heart_rate_bpm) for e in telling),
        n_episodes=len(episodes),
        n_beats=sum(map(beats_of, episodes)),
        total_s=sum(e.end_s - e.start_s for e in episodes),
        longest_s=max(e.end_s - e.start_s for e in episodes),
        min_heart_rate_bpm=min(rates, default=None),
        max_heart_rate_bpm=max(rates, default=None),
    )
    if kind == "atrial_fibrillation" or kind in FROM_SIGNAL:
        return replace(finding, mean_probability=telling[0].probability)
    return _with_doubt(result, finding, ectopic_rows(result, episodes)) if rests_on_classes(kind) else finding


def _telling(kind: str, episodes: Sequence[RhythmEpisode]) -> list[RhythmEpisode]:
    """Choose the episodes that are told and shown: the longest run and the fastest, the most extreme rate."""
    if kind in ("v_run", "possible_v_run", "s_run"):
        longest = max(episodes, key=beats_of)
        fastest = max(episodes, key=lambda e: e.heart_rate_bpm or 0.0)
        return [longest] if fastest is longest else [longest, fastest]
    if kind in ("tachycardia", "bradycardia"):
        known = [e for e in episodes if e.heart_rate_bpm is not None] or episodes
        return [(max if kind == "tachycardia" else min)(known, key=lambda e: e.heart_rate_bpm or 0.0)]
    if kind == "atrial_fibrillation":
        likely = [e for e in episodes if (e.probability or 0.0) >= LIKELY_FIBRILLATION]
        return [max(likely or episodes, key=lambda e: e.end_s - e.start_s)]
    if kind in (*FROM_SIGNAL, "pause", "standstill_unclear", "idioventricular", "pacing", "lost_contact"):
        return [max(episodes, key=lambda e: e.end_s - e.start_s)]
    if kind in KINDS:
        return [max(episodes, key=beats_of)]
    return [episodes[0]]


def _urgency(result: Result, kind: str, episodes: Sequence[RhythmEpisode], told: RhythmEpisode) -> Urgency:
    longest_s = max(e.end_s - e.start_s for e in episodes)
    fastest = max((e.heart_rate_bpm or 0.0 for e in episodes), default=0.0)
    if kind in ("vf", "vt", "escape", "v_run", "pause"):
        return "urgent"
    if kind == "wide_complex_tachycardia":
        return "urgent" if fastest >= WIDE_URGENT_BPM or longest_s >= SUSTAINED_S else "notable"
    if kind == "svt":
        return "urgent" if fastest >= NARROW_URGENT_BPM else "notable"
    if kind in ("possible_vf", "possible_v_run", "standstill_unclear"):
        return "doubt"
    if kind == "lost_contact":
        return "info"
    if kind in ("tachycardia", "bradycardia"):
        rate = told.heart_rate_bpm
        extreme = rate is not None and (rate >= FAST_BPM if kind == "tachycardia" else rate <= SLOW_BPM)
        return "urgent" if extreme else "notable"
    if kind == "atrial_fibrillation":
        return "notable" if (told.probability or 0.0) >= LIKELY_FIBRILLATION else "doubt"
    if kind == "s_run" and in_fibrillation(result, ectopic_rows(result, episodes)).all():
        return "doubt"
    return "info" if kind == "s_couplet" else "notable"


def _with_doubt(result: Result, finding: Finding, rows: npt.NDArray[np.int64]) -> Finding:
    """Add how sure the beats are that a finding rests on; nothing where no probability is known."""
    mean = mean_known(called_probability(result)[rows])
    if mean is None:
        return finding
    of_s = finding.kind.startswith("s_")
    return replace(
        finding,
        mean_probability=mean,
        n_called=int(rows.size),
        n_uncertain=int(result.beats.inconclusive[rows].sum()),
        n_in_fibrillation=int(in_fibrillation(result, rows).sum()) if of_s else None,
    )


def _burdens(result: Result) -> Iterator[Finding]:
    """State every abnormal class that occurs; its strip shows the surest beat."""
    table = result.beats
    probability = called_probability(result)
    for letter in BURDENS:
        rows = np.flatnonzero(table.analysable & (table.class_index == CLASSES.index(letter)))
        if rows.size == 0:
            continue
        share = rows.size / int(table.analysable.sum())
        high = share >= HIGH_BURDEN and rows.size >= HIGH_BURDEN_BEATS
        urgency: Urgency = "info" if letter != "V" else "urgent" if high else "notable"
        at_s = float(table.r_time_s[rows[np.argmax(np.nan_to_num(probability[rows], nan=-1.0))]])
        kind, n = f"{letter.lower()}_beats", int(rows.size)
        yield _with_doubt(result, Finding(kind, urgency, (Evidence(at_s, at_s),), n_beats=n, beat_share=share), rows)


def _unreadable(result: Result) -> list[Finding]:
    """State that nothing, or little, could be analysed; the strip shows the worst epoch."""
    quality = result.quality
    findings = [] if result.beats.analysable.any() else [Finding("no_analysable_beats", "doubt")]
    if quality.analysable_share >= POOR_SHARE:
        return findings
    bad = np.flatnonzero(~quality.readable)
    evidence: tuple[Evidence, ...] = ()
    if bad.size:
        worst = bad[np.argmin(np.nan_to_num(quality.index[bad], nan=0.0).max(axis=1))]
        start_s = float(worst) * quality.epoch_s
        evidence = (Evidence(start_s, start_s + quality.epoch_s),)
    return [*findings, Finding("poor_signal", "doubt", evidence)]


def called_probability(result: Result) -> npt.NDArray[np.float64]:
    """Probability of the class that was called; shape (n_beats,)."""
    table = result.beats
    rows = np.arange(len(table))
    return table.probabilities[rows, table.class_index].astype(np.float64)


def in_fibrillation(result: Result, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which rows of `BeatTable` lie in stretches called atrial fibrillation."""
    inside = np.zeros(len(result.beats), dtype=bool)
    for episode in result.rhythm.episodes:
        if episode.kind == "atrial_fibrillation":
            inside[episode.first_beat : episode.last_beat + 1] = True
    return inside[rows]


def ectopic_rows(result: Result, episodes: Sequence[RhythmEpisode]) -> npt.NDArray[np.int64]:
    """Return the beats that episodes of one kind are named for, without the N beats between them."""
    kind = episodes[0].kind
    rows = np.concatenate([np.arange(e.first_beat, e.last_beat + 1) for e in episodes])
    classes = result.beats.class_index[rows]
    wanted = classes == _ECTOPIC[kind[:1]] if kind[:1] in _ECTOPIC else classes != CLASSES.index("N")
    return np.asarray(rows[wanted], dtype=np.int64)


def rests_on_classes(kind: str) -> bool:
    """Whether a kind of episode follows from the beats' classes, not from their times alone."""
    counted = ("v_run", "possible_v_run", "v_couplet", "s_run", "s_couplet", "bigeminy", "trigeminy")
    return kind in counted or kind not in KINDS


def beats_of(episode: RhythmEpisode) -> int:
    """Return an episode's number of beats."""
    return episode.last_beat - episode.first_beat + 1


def mean_known(values: npt.NDArray[np.float64]) -> float | None:
    """Return the mean of what is finite; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
