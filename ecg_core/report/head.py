"""The report's head: who, when, how long, with what, and the banners that stand over everything."""

from __future__ import annotations

from ecg_core.report.device import patient_facts
from ecg_core.report.view import Banner, Fact, HeadView
from ecg_core.report.wording import Shown, duration, moment, percent, shown
from ecg_core.result import Result
from ecg_core.result.findings import POOR_SHARE
from ecg_core.texts import say, say_count


def head_view(result: Result, standing: Banner) -> HeadView:
    """Facts of the recording, as the reader should see them; `standing` says who has signed."""
    recording = result.recording
    identity = shown(recording.recording_id, 100)
    return HeadView(
        patient=shown(recording.patient_pseudonym or say("patient_unknown"), 40),
        recording=Shown(shown(recording.recording_id, 13).short.rstrip("…"), identity.full or identity.short),
        recording_id=identity.short,
        banners=(*banners(result), standing),
        facts=(
            Fact(say("start"), Shown(start_text(result), "")),
            Fact(say("length"), Shown(duration(recording.duration_s), "")),
            *patient_facts(result),
            Fact(say("analysable"), _analysable(result)),
        ),
        more=(
            Fact(say("device"), shown(recording.device or say("device_unknown"))),
            Fact(say("leads"), _leads(result)),
            Fact(say("sampling"), _sampling(result)),
            Fact(say("filters"), shown("; ".join(result.quality.filters) or say("filters_none"), 240)),
            Fact(say("model"), shown(result.model.version)),
        ),
    )


def banners(result: Result) -> tuple[Banner, ...]:
    """Say what stands over everything: research use, made-up signals, poor ones, doubts about the file."""
    found = [Banner("notice", say("banner_research"))]
    if result.recording.synthetic:
        found.append(Banner("warning", say("banner_synthetic")))
    share = result.quality.analysable_share
    if share == 0 or not result.beats.analysable.any():
        found.append(Banner("warning", say("banner_nothing")))
    elif share < POOR_SHARE:
        found.append(Banner("warning", say("banner_poor", share=percent(share))))
    if recording_moved := result.recording.moved_at:
        found.append(Banner("notice", say("banner_moved", time=moment(recording_moved.replace(microsecond=0)))))
    # That a text was left out says nothing of the signal.
    if doubts := [doubt.text for doubt in result.recording.doubts if doubt.code != "text_left_out"]:
        found.append(Banner("warning", say_count("banner_doubts", len(doubts), first=shown(doubts[0], 200).short)))
    return tuple(found)


def start_text(result: Result) -> str:
    """When the recording began, as the file says."""
    start = result.recording.start_time
    if start is None:
        return say("start_unknown")
    return moment(start) if start.tzinfo else say("start_no_zone", start=moment(start))


def _leads(result: Result) -> Shown:
    names = [shown(name, 24) for name in result.recording.lead_names]
    listed = ", ".join(name.short for name in names)
    primary = names[result.quality.primary_lead].short
    full = ", ".join(name.full or name.short for name in names) if any(name.full for name in names) else ""
    return Shown(say("lead_primary", leads=listed, primary=primary), full[:10_000])


def _sampling(result: Result) -> Shown:
    recording = result.recording
    return shown(
        say(
            "sampling_value",
            rate=f"{recording.sampling_rate_hz:g}",
            samples=f"{recording.n_samples:,}",
            format=shown(recording.source_format.upper(), 20).short,
        ),
        120,
    )


def _analysable(result: Result) -> Shown:
    share = result.quality.analysable_share
    time = duration(share * result.recording.duration_s)
    return Shown(say("analysable_value", share=percent(share), time=time), "")
