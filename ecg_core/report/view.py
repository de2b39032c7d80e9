"""What the templates are fed: every value is text or a coordinate that is ready to print; templates compute nothing.

Coordinates are millimetres in the figure's own frame, as text with at most two decimals.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecg_core.report.wording import Shown


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and what stands beside it."""

    term: str
    value: Shown


@dataclass(frozen=True, slots=True)
class Link:
    """A jump within the report; `href` starts with ``#``."""

    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Banner:
    """A sentence over everything else; `tone` is ``notice`` or ``warning``."""

    tone: str
    text: str


@dataclass(frozen=True, slots=True)
class HeadView:
    """Who, when, how long, and under which caveats."""

    patient: Shown
    recording: Shown
    recording_id: str
    banners: tuple[Banner, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding: `tone` is ``urgent``, ``notable``, ``info`` or ``doubt``; `tag` says the same in a word."""

    tone: str
    tag: str
    sentence: str
    doubt: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A big number with its name and what qualifies it."""

    label: str
    value: str
    unit: str
    note: str
    link: Link | None


@dataclass(frozen=True, slots=True)
class Text:
    """A word at a place in a figure."""

    x: str
    y: str
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """Path data and the class of style it is drawn in; `strength` is an opacity 0 to 1, or empty."""

    d: str
    kind: str
    strength: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle and its style; `strength` as for `Shape`."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    strength: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG whose user unit is a millimetre; painted in the order boxes, shapes, words."""

    width: str
    height: str
    name: str
    boxes: tuple[Box, ...]
    shapes: tuple[Shape, ...]
    words: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class StripView:
    """A strip of ECG paper with the text beside it."""

    anchor: str
    title: str
    place: str
    drawing: Drawing
    description: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Beats of one class."""

    letter: str
    shape: str
    name: str
    count: str
    share: str
    mean_probability: str
    uncertain: str


@dataclass(frozen=True, slots=True)
class Table:
    """A plain table: first column is the row's head."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RhythmView:
    """Heart rate, the trend over the whole recording, and beats by class."""

    figures: tuple[Figure, ...]
    trend: Drawing
    trend_text: str
    classes: tuple[ClassRow, ...]
    beats_text: str


@dataclass(frozen=True, slots=True)
class WhyCard:
    """One beat, explained."""

    title: str
    place: str
    letter: str
    shape: str
    sentences: tuple[str, ...]
    shape_figure: Drawing
    counterpart_figure: Drawing
    context_figure: Drawing | None
    context_text: str


@dataclass(frozen=True, slots=True)
class WhyView:
    """Why the model said what it said."""

    cards: tuple[WhyCard, ...]
    segments: Table | None


@dataclass(frozen=True, slots=True)
class TrustView:
    """How far to trust it."""

    facts: tuple[Fact, ...]
    training_data: tuple[Shown, ...]
    figures: Table | None
    other_figures: tuple[Fact, ...]
    limits: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """The whole report, in reading order."""

    title: str
    head: HeadView
    findings: tuple[FindingView, ...]
    not_found: str
    rhythm: RhythmView
    strips: tuple[StripView, ...]
    opening: tuple[StripView, ...]
    why: WhyView
    trust: TrustView
    method: tuple[Shown, ...]
    footer: str
