"""What is said of the whole recording: findings as sentences, urgent first, each with the beats that bear it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from ecg_core.labels import CLASSES
from ecg_core.report.wording import Clock, duration, number, percent, shown
from ecg_core.result import FindingFacts, Result, RhythmEpisode
from ecg_core.result.findings import (
    FAST_BPM,
    HIGH_BURDEN,
    HIGH_BURDEN_BEATS,
    KINDS,
    LIKELY_FIBRILLATION,
    POOR_SHARE,
    SHORTEST_FOR_RATE_S,
    SLOW_BPM,
    VERY_POOR_SHARE,
    beats_of,
    called_probability,
    ectopic_rows,
    in_fibrillation,
    mean_known,
    rests_on_classes,
    uncertain,
)
from ecg_core.texts import say, say_count


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the recording that bears a finding out."""

    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence, how urgent it is (``urgent``, ``notable``, ``info``, ``doubt``), its doubt, its evidence.

    `n` counts episodes, or beats for a burden; `rows` are the beats whose class it rests on,
    `probability` is that of a finding which rests on no beat's class.
    """

    tone: str
    sentence: str
    doubt: str
    evidence: tuple[Evidence, ...]
    kind: str = ""
    n: int | None = None
    rows: npt.NDArray[np.int64] | None = None
    probability: float | None = None


def facts_of_findings(result: Result) -> tuple[FindingFacts, ...]:
    """State the findings as the report does, in its order, for those who keep and review them."""
    return tuple(_facts(result, finding) for finding in find(result))


def _facts(result: Result, finding: Finding) -> FindingFacts:
    if finding.rows is None or finding.rows.size == 0:
        return FindingFacts(finding.kind, finding.tone, finding.sentence, finding.n, finding.probability)
    return FindingFacts(
        finding.kind,
        finding.tone,
        finding.sentence,
        finding.n,
        mean_known(called_probability(result)[finding.rows]),
        int(uncertain(result)[finding.rows].sum()),
    )


def find(result: Result) -> tuple[Finding, ...]:
    """All findings, urgent first; in a recording that is mostly unreadable, that comes before everything."""
    findings = [*_episodes(result), *_burdens(result)]
    order = {"urgent": 0, "notable": 1, "doubt": 2, "info": 3}
    doubt = _poor_signal(result)
    if not result.beats.analysable.any():
        doubt = [Finding("doubt", say("no_beats"), "", (), "no_analysable_beats"), *doubt]
    first = doubt if result.quality.analysable_share < VERY_POOR_SHARE else []
    rest = findings if first else [*findings, *doubt]
    return (*first, *sorted(rest, key=lambda finding: order[finding.tone]))


def not_found(result: Result) -> str:
    """Name what was looked for without success, and what was not looked for at all."""
    present = {episode.kind for episode in result.rhythm.episodes}
    absent = [say(f"kind_{kind}") for kind in KINDS if kind not in present]
    sentences = [say("not_looked_for")]
    if absent and result.beats.analysable.any():
        sentences.insert(0, say("not_found", kinds=", ".join(absent)))
    return " ".join(sentences)


def _episodes(result: Result) -> Iterator[Finding]:
    clock = Clock(result.recording.start_time)
    by_kind: dict[str, list[RhythmEpisode]] = {}
    for episode in result.rhythm.episodes:
        by_kind.setdefault(episode.kind, []).append(episode)
    unknown = sorted(set(by_kind) - set(KINDS))
    for kind in (*KINDS, *unknown):
        if kind in by_kind:
            told = sorted(by_kind[kind], key=lambda e: e.start_s)
            finding = _TELLERS.get(kind, _tell_other)(result, told, clock)
            rows = ectopic_rows(result, told) if finding.doubt and rests_on_classes(kind) else None
            yield replace(finding, kind=kind, n=len(told), rows=rows)


def _tell_run(result: Result, episodes: list[RhythmEpisode], clock: Clock) -> Finding:
    kind = episodes[0].kind
    doubtful = kind == "s_run" and bool(in_fibrillation(result, ectopic_rows(result, episodes)).all())
    longest = max(episodes, key=beats_of)
    fastest = max(episodes, key=lambda e: e.heart_rate_bpm or 0.0)
    rate = say("run_rate", bpm=number(longest.heart_rate_bpm)) if longest.heart_rate_bpm else ""
    sentence = say_count(kind, len(episodes), beats=beats_of(longest), time=clock.at(longest.start_s), rate=rate)
    shown_runs = [longest] if fastest is longest else [longest, fastest]
    evidence = tuple(_evidence(e, say(f"what_{kind}", beats=beats_of(e))) for e in shown_runs)
    tone = "urgent" if kind == "v_run" else "doubt" if doubtful else "notable"
    return Finding(tone, sentence, _beat_doubt(result, episodes), evidence)


def _tell_pause(result: Result, episodes: list[RhythmEpisode], clock: Clock) -> Finding:
    longest = max(episodes, key=lambda e: e.end_s - e.start_s)
    seconds = longest.end_s - longest.start_s
    sentence = say_count("pause", len(episodes), longest=number(seconds, 2), time=clock.at(longest.start_s))
    evidence = (_evidence(longest, say("what_pause", seconds=number(seconds, 2))),)
    return Finding("urgent", sentence, say("doubt_rhythm"), evidence)


def _tell_rate(result: Result, episodes: list[RhythmEpisode], clock: Clock) -> Finding:
    kind = episodes[0].kind
    fast = kind == "tachycardia"
    known = [e for e in episodes if e.heart_rate_bpm is not None] or episodes
    extreme = (max if fast else min)(known, key=lambda e: e.heart_rate_bpm or 0.0)
    rate = extreme.heart_rate_bpm
    total = duration(sum(e.end_s - e.start_s for e in episodes))
    sentence = say_count(kind, len(episodes), total=total, bpm=number(rate), time=clock.at(extreme.start_s))
    urgent = rate is not None and (rate >= FAST_BPM if fast else rate <= SLOW_BPM)
    evidence = (_evidence(extreme, say(f"what_{kind}")),)
    return Finding("urgent" if urgent else "notable", sentence, say("doubt_rhythm"), evidence)


def _tell_pattern(result: Result, episodes: list[RhythmEpisode], clock: Clock) -> Finding:
    """Couplets, bigeminy, trigeminy: the longest where length means something, else the first."""
    kind = episodes[0].kind
    told = max(episodes, key=beats_of)
    sentence = say_count(kind, len(episodes), beats=beats_of(told), time=clock.at(told.start_s))
    evidence = (_evidence(told, say(f"what_{kind}")),)
    return Finding("info" if kind == "s_couplet" else "notable", sentence, _beat_doubt(result, episodes), evidence)


def _tell_fibrillation(result: Result, episodes: list[RhythmEpisode], clock: Clock) -> Finding:
    """Tell the longest of the likely stretches, or of all where none is likely."""
    likely = [e for e in episodes if (e.probability or 0.0) >= LIKELY_FIBRILLATION]
    told = max(likely or episodes, key=lambda e: e.end_s - e.start_s)
    sentence = say_count(
        "atrial_fibrillation",
        len(episodes),
        total=duration(sum(e.end_s - e.start_s for e in episodes)),
        start=clock.at(told.start_s),
        end=clock.at(told.end_s),
        probability=number(told.probability, 2),
    )
    evidence = (_evidence(told, say("what_atrial_fibrillation")),)
    doubt = say("doubt_fibrillation")
    return Finding("notable" if likely else "doubt", sentence, doubt, evidence, probability=told.probability)


def _tell_other(result: Result, episodes: list[RhythmEpisode], clock: Clock) -> Finding:
    first = episodes[0]
    kind = shown(first.kind.replace("_", " ")).short
    sentence = say_count("episode_other", len(episodes), kind=kind, time=clock.at(first.start_s))
    return Finding("notable", sentence, "", (_evidence(first, say("what_other")),))


_TELLERS: Final[dict[str, Callable[[Result, list[RhythmEpisode], Clock], Finding]]] = {
    "v_run": _tell_run,
    "s_run": _tell_run,
    "pause": _tell_pause,
    "tachycardia": _tell_rate,
    "bradycardia": _tell_rate,
    "v_couplet": _tell_pattern,
    "s_couplet": _tell_pattern,
    "bigeminy": _tell_pattern,
    "trigeminy": _tell_pattern,
    "atrial_fibrillation": _tell_fibrillation,
}


def _burdens(result: Result) -> Iterator[Finding]:
    """Every abnormal class that occurs, as count, share of analysed beats and rate per analysed hour."""
    table = result.beats
    n_analysed = int(table.analysable.sum())
    probability = called_probability(result)
    analysed_s = result.quality.analysable_share * result.recording.duration_s
    for letter in ("V", "S", "F", "Q"):
        rows = np.flatnonzero(table.analysable & (table.class_index == CLASSES.index(letter)))
        if rows.size == 0:
            continue
        share = rows.size / n_analysed
        sentence = say_count(
            f"burden_{letter}", int(rows.size), share=percent(share), per_hour=_per_hour(int(rows.size), analysed_s)
        )
        sure = rows[np.argmax(np.nan_to_num(probability[rows], nan=-1.0))]
        at_s = float(table.r_time_s[sure])
        high = letter == "V" and share >= HIGH_BURDEN and rows.size >= HIGH_BURDEN_BEATS
        tone = "urgent" if high else "notable" if letter == "V" else "info"
        doubt = say(
            "doubt_class",
            mean=number(mean_known(probability[rows]), 2),
            n=number(rows.size),
            uncertain=number(int(uncertain(result)[rows].sum())),
        ) + _fibrillation_doubt(result, letter, rows)
        evidence = (Evidence(at_s, at_s, say(f"what_{letter}")),)
        yield Finding(tone, sentence, doubt, evidence, f"{letter.lower()}_beats", int(rows.size), rows)


def _poor_signal(result: Result) -> list[Finding]:
    quality = result.quality
    share = quality.analysable_share
    if share >= POOR_SHARE:
        return []
    lead = result.recording.lead_names[quality.primary_lead]
    sentence = say(
        "poor_signal",
        share=percent(1 - share),
        lead=shown(lead).short,
        time=duration((1 - share) * result.recording.duration_s),
    )
    bad = np.flatnonzero(~quality.analysable[:, quality.primary_lead])
    evidence: tuple[Evidence, ...] = ()
    if bad.size:
        worst = bad[np.argmin(np.nan_to_num(quality.index[bad, quality.primary_lead], nan=0.0))]
        start = float(worst) * quality.epoch_s
        evidence = (Evidence(start, start + quality.epoch_s, say("what_poor")),)
    return [Finding("doubt", sentence, "", evidence, "poor_signal")]


def _per_hour(count: int, analysed_s: float) -> str:
    if analysed_s < SHORTEST_FOR_RATE_S:
        return ""
    rate = number(count / analysed_s * 3600)
    if analysed_s < 3600:
        return say("per_hour_extrapolated", rate=rate, time=duration(analysed_s))
    return say("per_hour", rate=rate)


def _beat_doubt(result: Result, episodes: list[RhythmEpisode]) -> str:
    """How sure the ectopic beats are (not the N beats between them)."""
    rows = ectopic_rows(result, episodes)
    probability = called_probability(result)[rows]
    if probability.size == 0 or not np.isfinite(probability).any():
        return ""
    return say(
        "doubt_beats",
        mean=number(mean_known(probability), 2),
        n=number(probability.size),
        uncertain=number(int(uncertain(result)[rows].sum())),
    ) + _fibrillation_doubt(result, episodes[0].kind[0].upper(), rows)


def _fibrillation_doubt(result: Result, letter: str, rows: npt.NDArray[np.int64]) -> str:
    """Say how many S beats lie in fibrillation, where there is no rhythm that they could be early in."""
    inside = int(in_fibrillation(result, rows).sum()) if letter == "S" else 0
    return say_count("doubt_in_fibrillation", inside) if inside else ""


def _evidence(episode: RhythmEpisode, title: str) -> Evidence:
    return Evidence(episode.start_s, episode.end_s, title)
