"""What the templates are fed: every value is text or a coordinate that is ready to print; templates compute nothing.

Coordinates are millimetres in the figure's own frame, as text with at most two decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """Who, when, how long, and under which caveats; `more` is of the file, the device and the model."""

    patient: Shown
    recording: Shown
    recording_id: str
    banners: tuple[Banner, ...]
    facts: tuple[Fact, ...]
    more: tuple[Fact, ...]


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
    """Path data and the class of style it is drawn in; without data the page's own ``minor`` or ``major`` grid.

    `strength` is an opacity 0 to 1, or empty; `scale` is the length of the path's unit in mm, or empty.
    """

    d: str
    kind: str
    strength: str = ""
    scale: str = ""


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
    """A strip of ECG paper with the text beside it; where it begins, empty where its paper is on no time axis.

    `seconds` is how long it is, empty where it is as long as most.
    """

    anchor: str
    start_s: str
    title: str
    place: str
    drawing: Drawing
    description: str
    notes: tuple[str, ...]
    seconds: str = ""


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
    """A plain table: first column is the row's head; `totals` are its last rows."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One episode: from and to in seconds for the script, a link to what is drawn of it, when it was, and its facts."""

    at_s: str
    end_s: str
    kind: str
    href: str
    time: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpisodeTable:
    """The episodes of a kind; those beyond the first are folded under `fold`; `left_out` says that there are more.

    `on_paper` says how many are not printed; empty where all are.
    """

    caption: str
    rows: tuple[EpisodeRow, ...]
    folded: tuple[EpisodeRow, ...]
    fold: str
    on_paper: str
    left_out: str


@dataclass(frozen=True, slots=True)
class EpisodesView:
    """Every episode, a table a kind."""

    columns: tuple[str, ...]
    tables: tuple[EpisodeTable, ...]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """What file and device state, and what is doubtful in the file."""

    facts: tuple[Fact, ...]
    statements: tuple[Shown, ...]
    measurements: Table | None
    events: Table | None
    doubts: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class ChangesView:
    """What stands otherwise than the model said, and who said so."""

    table: Table
    text: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """The intervals as histogram and Poincaré plot, and the measures of variability with what they rest on."""

    histogram: Drawing
    histogram_text: str
    poincare: Drawing
    poincare_text: str
    measures: tuple[Fact, ...]
    note: str


@dataclass(frozen=True, slots=True)
class SmallStrip:
    """A few seconds of one lead, true to scale, for page one."""

    title: str
    drawing: Drawing


@dataclass(frozen=True, slots=True)
class ComparedView:
    """The patient's last recording beside this one, and which kinds of finding are new or gone."""

    table: Table
    text: str


@dataclass(frozen=True, slots=True)
class SummaryView:
    """Page one below the findings; `signed` where a signature holds: then no lines for a pen are printed.

    `compared` is None where no earlier recording of the patient is known.
    """

    figures: tuple[Figure, ...]
    compared: ComparedView | None
    strips: tuple[SmallStrip, ...]
    trend: Drawing
    trend_text: str
    signed: bool


@dataclass(frozen=True, slots=True)
class FormFigure:
    """Beats of one form over one another."""

    name: str
    drawing: Drawing


@dataclass(frozen=True, slots=True)
class FormsView:
    """The forms of a class: rows that lead to the first beat of each, and a figure of each."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[EpisodeRow, ...]
    figures: tuple[FormFigure, ...]
    note: str


@dataclass(frozen=True, slots=True)
class StView:
    """The ST trend: a chart, what it is and is not, and a folded table."""

    drawing: Drawing
    note: str
    fold: str
    table: Table


@dataclass(frozen=True, slots=True)
class RhythmView:
    """Beats by class, intervals, ectopy, and the hours."""

    classes: tuple[ClassRow, ...]
    beats_text: str
    intervals: Table | None
    intervals_text: str
    distribution: Distribution | None
    ectopy: Table | None
    forms: FormsView | None
    st: StView | None
    hourly: Table | None


@dataclass(frozen=True, slots=True)
class Panel:
    """Some rows of the folded recording; coordinates are whole units of the figure's own frame."""

    start_s: str
    name: str
    text: str
    width: str
    height: str
    width_mm: str
    height_mm: str
    trace: str
    ticks: tuple[tuple[str, str], ...]
    words: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class DisclosureView:
    """The whole recording, folded."""

    text: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class OverlayView:
    """Beats of one class over one another, with their median."""

    letter: str
    shape: str
    drawing: Drawing
    text: str


@dataclass(frozen=True, slots=True)
class StepsView:
    """From file to beats."""

    raw: Drawing | None
    raw_text: str
    overlays: tuple[OverlayView, ...]
    beat: Drawing | None
    beat_facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class WhyCard:
    """One beat, explained."""

    anchor: str
    title: str
    place: str
    letter: str
    shape: str
    lead: str
    sentences: tuple[str, ...]
    shape_figure: Drawing
    shapley_figure: Drawing | None
    shapley_text: str
    counterpart_figure: Drawing
    context_figure: Drawing | None
    context_text: str


@dataclass(frozen=True, slots=True)
class WhyView:
    """Why the model said what it said; `methods` can be laid over a beat, the best first.

    `classes` are sentences on what moved the calls of each class; `signed`, `unsigned` and `lime` say which parts of
    the legend are needed.
    """

    banner: Banner | None
    methods: tuple[tuple[str, str], ...]
    signed: bool
    unsigned: bool
    lime: bool
    classes: tuple[str, ...]
    cards: tuple[WhyCard, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class TrustView:
    """How far to trust it."""

    facts: tuple[Fact, ...]
    training_data: tuple[Shown, ...]
    figures: tuple[Table, ...]
    calibration: tuple[Drawing, str] | None
    explanations: Table | None
    explanations_text: str
    explanations_failed: Banner | None
    shares: tuple[str, ...]
    other_figures: tuple[Fact, ...]
    limits: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class ReviewView:
    """What one reader answered."""

    reviewer: Shown
    state: str
    signed: bool
    time: str
    sentences: tuple[str, ...]
    comment: Shown


@dataclass(frozen=True, slots=True)
class SignView:
    """Answers, the newest first; empty lines are printed where there are none."""

    reviews: tuple[ReviewView, ...]


@dataclass(frozen=True, slots=True)
class GlanceView:
    """What was found, the most urgent first, and what was looked for and not found."""

    findings: tuple[FindingView, ...]
    not_found: str


@dataclass(frozen=True, slots=True)
class StripsView:
    """The signal: strips of the findings or else the opening, twelve leads at once, the whole recording folded."""

    strips: tuple[StripView, ...]
    opening: tuple[StripView, ...]
    twelve: StripView | None
    disclosure: DisclosureView | None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One recording of a patient; without a `report_id` it has no report."""

    report_id: str
    recording_id: str
    when: str
    urgent: str
    cells: tuple[str, ...]
    findings: str


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A patient's recordings, the newest first, and their trends over time, where two or more are known."""

    rows: tuple[HistoryRow, ...]
    trends: tuple[Drawing, ...]


@dataclass(frozen=True, slots=True)
class ReportView:
    """The whole report but its sign-off, which is filled in later.

    `sections` stand in reading order, by name: the partial that shows one, its anchor and its title are called so.
    `patient` and `recording` stand on each sheet of paper. `embedded` is what the script draws further strips from.
    """

    title: str
    patient: str
    recording: str
    sections: Mapping[str, object]
    footer: str
    embedded: str
