"""From a result to the view of the report: every section's facts, as text."""

from __future__ import annotations

from typing import Final

import numpy as np

from ecg_core.labels import CLASSES
from ecg_core.report import paper
from ecg_core.report.changes import changes_view, standing_banner
from ecg_core.report.device import device_view
from ecg_core.report.disclosure import disclosure
from ecg_core.report.distribution import distribution
from ecg_core.report.embedded import embedded
from ecg_core.report.episodes import episodes_view
from ecg_core.report.findings import Strip, not_found, state
from ecg_core.report.head import head_view
from ecg_core.report.labels import label_tables
from ecg_core.report.morphology import forms_view
from ecg_core.report.resting import SHORT_S, resting_view
from ecg_core.report.resting_method import resting_method_view
from ecg_core.report.resting_why import resting_why_view
from ecg_core.report.st import st_view
from ecg_core.report.steps import steps_view
from ecg_core.report.strips import STRIP_LEADS, leads_in_order, make_strip, opening, strip_start
from ecg_core.report.summary import summary_view
from ecg_core.report.tables import ectopy_table, hourly_table
from ecg_core.report.trust import trust_view
from ecg_core.report.twelve import twelve_leads
from ecg_core.report.view import (
    ClassRow,
    FindingView,
    GlanceView,
    Link,
    ReportView,
    RhythmView,
    StripsView,
    StripView,
    WhyView,
)
from ecg_core.report.waves import interval_table, interval_text
from ecg_core.report.why import explain
from ecg_core.report.wording import Shown, duration, number, percent, shown
from ecg_core.result import ANALYSIS_RATE_HZ, WINDOW_SAMPLES, Finding, Result, Reviewed
from ecg_core.result.findings import called_probability, rows_of
from ecg_core.result.past import PastRecording
from ecg_core.texts import say, say_count

MOST_STRIPS: Final = 14
SAME_STRIP_S: Final = 2.0
"""Two findings whose strips would begin so close together share one."""


def build_view(result: Result, reviewed: Reviewed | None = None, last: PastRecording | None = None) -> ReportView:
    """Say everything that the report says, in reading order.

    A section is a row of `_sections` or `_resting_sections`, named as its partial; one whose view is empty is left out.
    What readers have signed is told and drawn; why the model said what it said, and how far to trust it, stays the
    model's own.
    """
    resting = result.resting
    measured = resting is not None and not resting.not_measured
    make = _resting_sections if measured else _sections
    sections = make(result, reviewed, last)
    return ReportView(
        title=say("page_title", recording=_short_id(result)),
        patient=shown(result.recording.patient_pseudonym or say("patient_unknown"), 40).short,
        recording=_short_id(result),
        sections={name: view for name, view in sections.items() if view},
        footer=say(
            "footer",
            recording=_short_id(result),
            model=shown(result.model.version, 40).short,
        ),
        embedded=embedded(reviewed.result if reviewed else result),
    )


def _sections(
    result: Result, reviewed: Reviewed | None, last: PastRecording | None, twelve: bool = True
) -> dict[str, object]:
    """Name the sections of a recording that is no resting ECG."""
    stands = reviewed.result if reviewed else result
    strips = _Strips(stands)
    why = explain(result)
    # First of all: the strips are numbered in the order in which they are asked for.
    findings = tuple(
        _finding_view(stands, finding, strips, _why_link(result, finding, why)) for finding in stands.findings
    )
    _rate_strips(stands, strips)
    page = twelve_leads(stands) if twelve else None
    return {
        "head": head_view(stands, standing_banner(reviewed)),
        "glance": GlanceView(findings, " ".join((not_found(stands), *_no_superclass(result)))),
        "summary": summary_view(stands, reviewed, last),
        "changes": changes_view(result, reviewed),
        "rhythm": _rhythm(stands),
        "episodes": episodes_view(stands, reviewed, strips.drawn),
        "labels": label_tables(result),
        "device_says": device_view(result),
        "strips": StripsView(tuple(strips.made), opening(stands), page, disclosure(stands)),
        "why": why,
        "trust": trust_view(result),
        "steps": steps_view(result),
        "method": _method(result),
    }


def _resting_sections(result: Result, reviewed: Reviewed | None, last: PastRecording | None) -> dict[str, object]:
    """Name the sections of a resting ECG; what lasts longer than its page shows has the usual ones as well."""
    stands = reviewed.result if reviewed else result
    first: dict[str, object] = {
        "resting": resting_view(stands, reviewed, lambda finding: _finding_view(stands, finding, None, None)),
        "changes": changes_view(result, reviewed),
        "resting_why": resting_why_view(stands, _generated(result, reviewed)),
        "device_says": device_view(result),
        "resting_method": resting_method_view(result),
    }
    if result.recording.duration_s <= SHORT_S:
        return first
    others = _sections(result, reviewed, last, twelve=False)
    kept = {name: view for name, view in others.items() if name not in ("head", "glance", "labels", "method")}
    return first | kept


def _generated(result: Result, reviewed: Reviewed | None) -> str:
    """Give the rephrased findings; none once a reader has signed, since what stands may be something else."""
    signed = reviewed is not None and reviewed.signature is not None
    return "" if signed or result.resting is None else result.resting.text


def _no_superclass(result: Result) -> tuple[str, ...]:
    """Say why there are no superclasses, where a model that weighs them was asked."""
    reason = result.resting.not_measured if result.resting else ""
    return (say("labels_none", reason=shown(reason, 300).short),) if reason else ()


class _Strips:
    """Makes the strips that evidence asks for, each once, up to `MOST_STRIPS`."""

    def __init__(self, result: Result) -> None:
        self.made: list[StripView] = []
        self._starts: list[float] = []
        self._result = result
        self._leads = leads_in_order(result)[:STRIP_LEADS]
        self._duration_s = result.signal_mv.shape[0] / ANALYSIS_RATE_HZ

    def link(self, wanted: Strip) -> Link | None:
        """Give the jump to the strip that shows it; None where there is no room for another strip."""
        if self._duration_s == 0:
            return None
        start_s = strip_start(wanted.start_s, wanted.end_s, self._duration_s)
        for i, other in enumerate(self._starts):
            if abs(other - start_s) < SAME_STRIP_S and _shows(other, wanted):
                return self._to(i)
        if len(self.made) == MOST_STRIPS:
            return None
        n = len(self.made) + 1
        title = say("strip_title", n=n, what=wanted.title)
        self.made.append(make_strip(self._result, start_s, f"strip-{n}", title, self._leads))
        self._starts.append(start_s)
        return self._to(n - 1)

    def drawn(self, wanted: Strip) -> Link | None:
        """Give the jump to a strip that shows it and is made already; None where there is none."""
        return next((self._to(i) for i, start_s in enumerate(self._starts) if _shows(start_s, wanted)), None)

    def _to(self, index: int) -> Link:
        return Link(f"#{self.made[index].anchor}", say("see_strip", n=index + 1))


def _shows(start_s: float, wanted: Strip) -> bool:
    """Tell whether a strip from `start_s` shows a stretch, or the first four seconds of a long one."""
    return start_s <= wanted.start_s and min(wanted.end_s, wanted.start_s + 4) <= start_s + paper.STRIP_S


def _why_link(result: Result, finding: Finding, why: WhyView) -> Link | None:
    """Give the jump to an explained beat of the finding, or else of its class; None where none was explained.

    `result` is the model's: what it did not say itself, it cannot explain.
    """
    said = next((each for each in result.findings if each.kind == finding.kind), None)
    rows = rows_of(result, said) if said else np.zeros(0, np.int64)
    letters = {CLASSES[index] for index in np.unique(result.beats.class_index[rows]) if index}
    of_class = [i for i, card in enumerate(why.cards) if card.letter in letters]
    own = [i for i in of_class if result.chosen[i].beat_index in rows]
    return Link(f"#{why.cards[(own or of_class)[0]].anchor}", say("see_why")) if of_class else None


def _finding_view(result: Result, finding: Finding, strips: _Strips | None, why: Link | None) -> FindingView:
    stated = state(result, finding)
    links = [link for strip in stated.strips if strips is not None and (link := strips.link(strip))]
    links += [why] if why else []
    return FindingView(
        tone=finding.urgency,
        tag=say(f"tag_{finding.urgency}"),
        sentence=stated.sentence,
        doubt=stated.doubt,
        links=tuple(dict.fromkeys(links)),
    )


def _rate_strips(result: Result, strips: _Strips) -> None:
    """Draw the lowest and the highest heart rate, after what the findings show."""
    rate = result.rhythm.heart_rate
    for key, at_s in (("min", rate.min_at_s), ("max", rate.max_at_s)) if rate else ():
        if np.isfinite(at_s):
            strips.link(Strip(at_s, at_s, say(f"what_rate_{key}")))


def _rhythm(result: Result) -> RhythmView:
    n = int(result.beats.analysable.sum())
    left_out = len(result.beats) - n
    sentences = [say_count("beats_text", n)]
    if left_out:
        sentences.append(say_count("beats_left_out", left_out))
    return RhythmView(
        classes=_class_rows(result),
        beats_text=" ".join(sentences),
        intervals=interval_table(result),
        intervals_text=interval_text(result),
        distribution=distribution(result),
        ectopy=ectopy_table(result),
        forms=forms_view(result),
        st=st_view(result),
        hourly=hourly_table(result),
    )


def _class_rows(result: Result) -> tuple[ClassRow, ...]:
    table = result.beats
    probability = called_probability(result)
    doubtful = result.beats.inconclusive
    n = int(table.analysable.sum())
    rows: list[ClassRow] = []
    for index, letter in enumerate(CLASSES):
        mask = table.analysable & (table.class_index == index)
        known = probability[mask & np.isfinite(probability)]
        count = int(mask.sum())
        rows.append(
            ClassRow(
                letter=letter,
                shape=paper.MARK_SHAPES[letter],
                name=say(f"class_{letter}"),
                count=number(count),
                share=percent(count / n) if n else number(None),
                mean_probability=number(float(known.mean()), 2) if known.size else number(None),
                uncertain=number(int(doubtful[mask].sum())),
            )
        )
    return tuple(rows)


def _method(result: Result) -> tuple[Shown, ...]:
    lead = shown(result.recording.lead_names[result.quality.primary_lead], 24).short
    filters = shown("; ".join(result.quality.filters) or say("filters_none"), 400)
    window = f"{WINDOW_SAMPLES / ANALYSIS_RATE_HZ:.3g} s"
    return (
        Shown(say("method_signal", rate=f"{ANALYSIS_RATE_HZ:g}", filters=filters.short), filters.full),
        Shown(say("method_quality", epoch=duration(result.quality.epoch_s), lead=lead), ""),
        Shown(say("method_classes", window=window), ""),
        Shown(say("method_waves"), ""),
        Shown(say("method_rate"), ""),
        Shown(say("method_id", id=shown(result.recording.recording_id, 100).short), ""),
    )


def _short_id(result: Result) -> str:
    return shown(result.recording.recording_id, 13).short.rstrip("…")
