"""A finding in words: its sentence, its doubt, and what its strips are called. What is said is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ecg_core.report.resting_words import resting_sentence
from ecg_core.report.wording import Clock, duration, number, percent, shown
from ecg_core.result import Evidence, Finding, Result
from ecg_core.result.findings import (
    FROM_SIGNAL,
    SHORTEST_FOR_RATE_S,
    SUSTAINED_S,
    TACHYCARDIA_FROM_BPM,
    kinds_not_found,
)
from ecg_core.result.interval_findings import ERROR_MS
from ecg_core.result.resting_findings import RESTING_KINDS
from ecg_core.texts import say, say_count


class Strip(NamedTuple):
    """A stretch that a strip is drawn of, and what it shows."""

    start_s: float
    end_s: float
    title: str


class Statement(NamedTuple):
    """A finding as the report states it."""

    sentence: str
    doubt: str
    strips: tuple[Strip, ...]


def state(result: Result, finding: Finding) -> Statement:
    """Put a finding of this result into words."""
    return _WORDS.get(finding.kind, _other)(result, finding)


def sentences(result: Result) -> tuple[str, ...]:
    """Return the sentence of each of the result's findings, in their order."""
    return tuple(state(result, finding).sentence for finding in result.findings)


def not_found(result: Result) -> str:
    """Name what was looked for without success, and what was not looked for at all."""
    sentences = [say("not_looked_for")]
    if absent := kinds_not_found(result):
        sentences.insert(0, say("not_found", kinds=", ".join(say(f"kind_{kind}") for kind in absent)))
    return " ".join(sentences)


def _run(result: Result, finding: Finding) -> Statement:
    longest = finding.evidence[0]
    rate = say("run_rate", bpm=number(longest.heart_rate_bpm)) if longest.heart_rate_bpm else ""
    lasts_s = longest.end_s - longest.start_s
    if finding.kind == "v_run" and lasts_s >= SUSTAINED_S and (longest.heart_rate_bpm or 0) >= TACHYCARDIA_FROM_BPM:
        rate += say("run_sustained", lasts=duration(lasts_s))
    at = Clock(result.recording.start_time).at(longest.start_s)
    sentence = say_count(finding.kind, finding.n_episodes or 0, beats=longest.n_beats, time=at, rate=rate)
    strips = tuple(_strip(each, say(f"what_{finding.kind}", beats=each.n_beats)) for each in finding.evidence)
    return Statement(sentence, _doubt_of_beats(finding), strips)


def _pause(result: Result, finding: Finding) -> Statement:
    longest = finding.evidence[0]
    seconds = number(longest.end_s - longest.start_s, 2)
    at = Clock(result.recording.start_time).at(longest.start_s)
    sentence = say_count("pause", finding.n_episodes or 0, longest=seconds, time=at)
    return Statement(sentence, say("doubt_rhythm"), (_strip(longest, say("what_pause", seconds=seconds)),))


def _rate(result: Result, finding: Finding) -> Statement:
    extreme = finding.evidence[0]
    sentence = say_count(
        finding.kind,
        finding.n_episodes or 0,
        total=duration(finding.total_s or 0.0),
        bpm=number(extreme.heart_rate_bpm),
        time=Clock(result.recording.start_time).at(extreme.start_s),
    )
    return Statement(sentence, say("doubt_rhythm"), (_strip(extreme, say(f"what_{finding.kind}")),))


def _pattern(result: Result, finding: Finding) -> Statement:
    telling = finding.evidence[0]
    at = Clock(result.recording.start_time).at(telling.start_s)
    sentence = say_count(finding.kind, finding.n_episodes or 0, beats=telling.n_beats, time=at)
    return Statement(sentence, _doubt_of_beats(finding), (_strip(telling, say(f"what_{finding.kind}")),))


def _fibrillation(result: Result, finding: Finding) -> Statement:
    telling, clock = finding.evidence[0], Clock(result.recording.start_time)
    sentence = say_count(
        finding.kind,
        finding.n_episodes or 0,
        total=duration(finding.total_s or 0.0),
        start=clock.at(telling.start_s),
        end=clock.at(telling.end_s),
        probability=number(finding.mean_probability, 2),
    )
    return Statement(sentence, say("doubt_fibrillation"), (_strip(telling, say("what_atrial_fibrillation")),))


def _stretch(result: Result, finding: Finding) -> Statement:
    """Put what was found in the signal itself into words: how long, from when to when, how fast."""
    telling, clock = finding.evidence[0], Clock(result.recording.start_time)
    rate = say("stretch_rate", bpm=number(telling.heart_rate_bpm)) if telling.heart_rate_bpm else ""
    sentence = say_count(
        finding.kind,
        finding.n_episodes or 0,
        total=duration(finding.total_s or 0.0),
        longest=duration(finding.longest_s or 0.0),
        start=clock.at(telling.start_s),
        end=clock.at(telling.end_s),
        rate=rate,
    )
    return Statement(sentence, say(f"doubt_{finding.kind}"), (_strip(telling, say(f"what_{finding.kind}")),))


def _burden(result: Result, finding: Finding) -> Statement:
    letter, n = finding.kind[0].upper(), finding.n_beats or 0
    analysed_s = result.quality.analysable_share * result.recording.duration_s
    share, per_hour = percent(finding.beat_share), _per_hour(n, analysed_s)
    sentence = say_count(f"burden_{letter}", n, share=share, per_hour=per_hour)
    strips = tuple(_strip(each, say(f"what_{letter}")) for each in finding.evidence)
    return Statement(sentence, _doubt(finding, "doubt_class"), strips)


def _poor_signal(result: Result, finding: Finding) -> Statement:
    quality = result.quality
    poor = 1 - quality.analysable_share
    time = duration(poor * result.recording.duration_s)
    strips = tuple(_strip(each, say("what_poor")) for each in finding.evidence)
    return Statement(say("poor_signal", share=percent(poor), time=time), "", strips)


def _no_beats(result: Result, finding: Finding) -> Statement:
    return Statement(say("no_beats"), "", ())


def _other(result: Result, finding: Finding) -> Statement:
    """Name a kind that this release has no sentence for."""
    first = finding.evidence[0]
    kind = shown(finding.kind.replace("_", " ")).short
    at = Clock(result.recording.start_time).at(first.start_s)
    sentence = say_count("episode_other", finding.n_episodes or 0, kind=kind, time=at)
    return Statement(sentence, "", (_strip(first, say("what_other")),))


def _interval(result: Result, finding: Finding) -> Statement:
    """Say an interval's median, its limit, and how exact it is."""
    value, telling = finding.measured[0], finding.evidence[0]
    sentence = say(
        f"beyond_{finding.kind}",
        value=number(value.value),
        n=number(finding.n_beats),
        limit=number(finding.limit_value),
    )
    doubt = say("doubt_interval", error=number(ERROR_MS[finding.kind]))
    return Statement(sentence, doubt, (_strip(telling, say(f"what_{finding.kind}")),))


def _resting(result: Result, finding: Finding) -> Statement:
    if finding.kind in ERROR_MS and finding.n_beats is not None:
        return _interval(result, finding)
    return Statement(*resting_sentence(result, finding), ())


_WORDS: Final[dict[str, Callable[[Result, Finding], Statement]]] = {
    "v_run": _run,
    "possible_v_run": _run,
    "s_run": _run,
    "pause": _pause,
    "tachycardia": _rate,
    "bradycardia": _rate,
    "v_couplet": _pattern,
    "s_couplet": _pattern,
    "bigeminy": _pattern,
    "trigeminy": _pattern,
    "atrial_fibrillation": _fibrillation,
    **dict.fromkeys((*FROM_SIGNAL, "standstill_unclear", "idioventricular", "pacing", "lost_contact"), _stretch),
    "v_beats": _burden,
    "s_beats": _burden,
    "f_beats": _burden,
    "q_beats": _burden,
    "poor_signal": _poor_signal,
    "no_analysable_beats": _no_beats,
    **dict.fromkeys(RESTING_KINDS, _resting),
}


def _per_hour(count: int, analysed_s: float) -> str:
    if analysed_s < SHORTEST_FOR_RATE_S:
        return ""
    rate = number(count / analysed_s * 3600)
    if analysed_s < 3600:
        return say("per_hour_extrapolated", rate=rate, time=duration(analysed_s))
    return say("per_hour", rate=rate)


def _doubt_of_beats(finding: Finding) -> str:
    """Say how sure the ectopic beats are (not the N beats between them); nothing where that is not known."""
    return "" if finding.n_called is None else _doubt(finding, "doubt_beats")


def _doubt(finding: Finding, text: str) -> str:
    mean, n, uncertain = (finding.mean_probability, finding.n_called, finding.n_uncertain)
    inside = finding.n_in_fibrillation
    sure = say(text, mean=number(mean, 2), n=number(n), uncertain=number(uncertain))
    return sure + (say_count("doubt_in_fibrillation", inside) if inside else "")


def _strip(evidence: Evidence, title: str) -> Strip:
    return Strip(evidence.start_s, evidence.end_s, title)
