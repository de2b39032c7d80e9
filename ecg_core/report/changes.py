"""What readers made of it: who signed, whether the signature holds, and what stands otherwise than the model said."""

from __future__ import annotations

from collections import Counter
from typing import Final

from ecg_core.report.findings import state
from ecg_core.report.view import Banner, ChangesView, Table
from ecg_core.report.wording import Clock, duration, moment, number, shown
from ecg_core.result import Result, Reviewed, beat_counts
from ecg_core.texts import say, say_count

MOST_ROWS: Final = 40
"""Changes of beats that are listed one by one; of the rest the number is told."""


def standing_banner(reviewed: Reviewed | None) -> Banner:
    """Say in one line what this report is: preliminary, final or amended, who signed it, or that it no longer holds."""
    signature = reviewed.signature if reviewed else None
    if reviewed is None or signature is None:
        return Banner("notice", say("state_preliminary"))
    who = {"reviewer": shown(signature.reviewer, 60).short}
    who["time"] = moment(signature.signed_at) if signature.signed_at else say("start_unknown")
    if signature.holds:
        return Banner("notice", say(f"state_{reviewed.state}", **who))
    if signature.changed_by:
        return Banner("warning", say("state_void", by=shown(signature.changed_by, 60).short, **who))
    return Banner("warning", say("state_void_stored", **who))


def changes_view(result: Result, reviewed: Reviewed | None) -> ChangesView | None:
    """List what stands otherwise than the model said, and who said so; None where nothing does.

    Parameters
    ----------
    result : Result
        As the model left it.
    reviewed : Reviewed or None
    """
    if reviewed is None or not (reviewed.changes or reviewed.named or reviewed.struck):
        return None
    rows = [*_findings(result, reviewed), *_stretches(result, reviewed), *_beats(result, reviewed)]
    columns = tuple(say(f"changes_{name}") for name in ("what", "model", "now", "who"))
    sentences = [_counts(result, reviewed)]
    if (left := len(reviewed.changes) - MOST_ROWS) > 0:
        sentences.append(say_count("changes_more", left))
    signed_sha256 = reviewed.signature.sha256 if reviewed.signature else None
    if signed_sha256:
        sentences.append(say("changes_sha256", sha256=signed_sha256))
    return ChangesView(Table(say("changes_caption"), columns, tuple(rows)), " ".join(sentences))


def _findings(result: Result, reviewed: Reviewed) -> list[tuple[str, ...]]:
    """Tell the findings that went, came or read otherwise."""
    was = {finding.kind: finding for finding in result.findings}
    now = {finding.kind: finding for finding in reviewed.result.findings}
    struck = {each.finding.kind: each.reviewer for each in reviewed.struck}
    rows: list[tuple[str, ...]] = []
    for kind in [*was, *(kind for kind in now if kind not in was)]:
        before = state(result, was[kind]).sentence if kind in was else say("changes_nothing")
        after = state(reviewed.result, now[kind]).sentence if kind in now else say("changes_gone")
        if before != after:
            who = shown(struck[kind], 60).short if kind in struck else say("changes_follows")
            rows.append((say("changes_finding"), before, after, who))
    return rows


def _stretches(result: Result, reviewed: Reviewed) -> list[tuple[str, ...]]:
    clock = Clock(result.recording.start_time)
    return [
        (
            say("changes_stretch", start=clock.at(one.start_s), time=duration(one.end_s - one.start_s)),
            "",
            say(f"named_{one.kind}"),
            shown(one.reviewer, 60).short,
        )
        for one in reviewed.named
    ]


def _beats(result: Result, reviewed: Reviewed) -> list[tuple[str, ...]]:
    clock = Clock(result.recording.start_time)
    return [
        (
            say("changes_beat", time=clock.at(one.r_time_s), second=number(one.r_time_s, 2)),
            one.was or say("changes_no_beat"),
            one.now or say("changes_no_beat"),
            shown(one.reviewer, 60).short,
        )
        for one in reviewed.changes[:MOST_ROWS]
    ]


def _counts(result: Result, reviewed: Reviewed) -> str:
    was, now = beat_counts(result), beat_counts(reviewed.result)
    parts = [
        say("changes_count", letter=letter, was=number(was[letter]), now=number(now[letter]))
        for letter in was
        if was[letter] != now[letter]
    ]
    kinds = Counter("added" if not c.was else "removed" if not c.now else "corrected" for c in reviewed.changes)
    told = [say_count(f"changes_{kind}", kinds[kind]) for kind in ("corrected", "added", "removed") if kinds[kind]]
    return " ".join((*told, say("changes_counts", counts="; ".join(parts)) if parts else "")).strip()
