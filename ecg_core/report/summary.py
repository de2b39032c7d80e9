"""Page one below the findings: what a reader signs from, in figures, two small strips and the whole recording."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.report.compared import compared_view
from ecg_core.report.strips import small_strip
from ecg_core.report.trend import draw_trend, trend_text
from ecg_core.report.view import Figure, SmallStrip, SummaryView
from ecg_core.report.wording import Clock, duration, number, percent
from ecg_core.result import Result, Reviewed
from ecg_core.result.past import PastRecording
from ecg_core.result.summary import (
    burdens,
    interval_flags,
    longest_pause,
    underlying_rhythm,
    worst_run,
)
from ecg_core.texts import say, say_count


def summary_view(result: Result, reviewed: Reviewed | None, last: PastRecording | None) -> SummaryView:
    """Put what stands into figures beside the findings; `last` is the patient's recording before this one."""
    return SummaryView(
        figures=(*_rhythm(result), *_rates(result), *_burdens(result), *_extremes(result), _intervals(result)),
        compared=compared_view(result, last),
        strips=tuple(_strips(result)),
        trend=draw_trend(result),
        trend_text=trend_text(result),
        signed=bool(reviewed and reviewed.signature and reviewed.signature.holds),
    )


def _rhythm(result: Result) -> Iterator[Figure]:
    kind, note = _rhythm_in_words(result)
    yield Figure(say("underlying"), kind, "", note, None)
    share = result.quality.analysable_share
    yield Figure(say("analysable"), percent(share), "", say("analysable_note"), None)


def rhythm_sentence(result: Result) -> str:
    """Say the underlying rhythm, and in brackets what that rests on."""
    kind, note = _rhythm_in_words(result)
    return f"{kind} ({note})" if note else kind


def _rhythm_in_words(result: Result) -> tuple[str, str]:
    kind, share = underlying_rhythm(result)
    return say(f"underlying_{kind}"), say(f"underlying_{kind}_note", share=percent(share)) if share is not None else ""


def _rates(result: Result) -> Iterator[Figure]:
    rate, clock = result.rhythm.heart_rate, Clock(result.recording.start_time)
    if rate is None:
        yield Figure(say("rate_mean"), number(None), "", say("rate_unknown_note"), None)
        return
    yield Figure(say("rate_mean"), number(rate.mean_bpm), say("rate_unit"), say("rate_mean_note"), None)
    for key, bpm, at_s in (("min", rate.min_bpm, rate.min_at_s), ("max", rate.max_bpm, rate.max_at_s)):
        yield Figure(say(f"rate_{key}"), number(bpm), say("rate_unit"), say("rate_at", time=clock.at(at_s)), None)


def _burdens(result: Result) -> Iterator[Figure]:
    found = burdens(result)
    episodes = [episode.kind for episode in result.rhythm.episodes]
    for letter, share in (("v", found.ventricular), ("s", found.supraventricular)):
        n = int((result.beats.analysable & (result.beats.class_index == CLASSES.index(letter.upper()))).sum())
        note = say_count("burden_note", n)
        runs, couplets = episodes.count(f"{letter}_run"), episodes.count(f"{letter}_couplet")
        if runs or couplets:
            note += say("burden_in", runs=number(runs), couplets=number(couplets))
        yield Figure(say(f"burden_{letter}_figure"), percent(share), "", note, None)
    stretches = [e for e in result.rhythm.episodes if e.kind == "atrial_fibrillation"]
    longest = max((e.end_s - e.start_s for e in stretches), default=0.0)
    note = say("burden_af_none") if found.fibrillation is not None else say("burden_af_unknown")
    if stretches:
        note = say_count("burden_af_note", len(stretches), longest=duration(longest))
    yield Figure(say("burden_af_figure"), percent(found.fibrillation), "", note, None)


def _extremes(result: Result) -> Iterator[Figure]:
    clock = Clock(result.recording.start_time)
    pause, run = longest_pause(result), worst_run(result)
    if pause is None:
        yield Figure(say("longest_pause"), say("none"), "", say("longest_pause_none"), None)
    else:
        seconds = number(pause.end_s - pause.start_s, 1)
        yield Figure(say("longest_pause"), seconds, "s", say("rate_at", time=clock.at(pause.start_s)), None)
    if run is None:
        yield Figure(say("worst_run"), say("none"), "", say("worst_run_none"), None)
        return
    long = run.kind != "v_run"
    value = duration(run.end_s - run.start_s) if long else number(run.last_beat - run.first_beat + 1)
    note = say("rate_at", time=clock.at(run.start_s))
    if run.heart_rate_bpm is not None:
        note = say("worst_run_note", bpm=number(run.heart_rate_bpm), time=clock.at(run.start_s))
    yield Figure(say("worst_run"), value, "" if long else say("worst_run_unit"), note, None)


def _intervals(result: Result) -> Figure:
    found = interval_flags(result)
    if not found:
        return Figure(say("intervals_figure"), number(None), "", say("intervals_none"), None)
    names = ("pr_ms", "qrs_duration_ms", "qt_ms", "qtc_fridericia_ms")
    values = " · ".join(number(found[name][0]) if name in found else number(None) for name in names)
    flagged = [(name, found[name][1]) for name in names if name in found and found[name][1]]
    flags = [say(f"flag_{flag}", name=say(f"interval_{name}")) for name, flag in flagged]
    return Figure(say("intervals_figure"), values, "ms", "; ".join(flags) or say("intervals_usual"), None)


def _strips(result: Result) -> Iterator[SmallStrip]:
    rate = result.rhythm.heart_rate
    if rate is None or not result.signal_mv.size:
        return
    clock = Clock(result.recording.start_time)
    for key, bpm, at_s in (("min", rate.min_bpm, rate.min_at_s), ("max", rate.max_bpm, rate.max_at_s)):
        if np.isfinite(at_s):
            title = say(f"small_{key}", bpm=number(bpm), time=clock.at(at_s))
            yield SmallStrip(title, small_strip(result, at_s, title))
