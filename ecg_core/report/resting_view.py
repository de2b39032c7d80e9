"""What the templates of a resting ECG are fed, as in `ecg_core.report.view`: text and coordinates, ready to print."""

from __future__ import annotations

from dataclasses import dataclass

from ecg_core.report.view import Banner, Drawing, Fact, FindingView, StripView, Table
from ecg_core.report.wording import Shown


@dataclass(frozen=True, slots=True)
class RestingView:
    """The first page: of whom, rate and intervals, rhythm, what was found, the twelve leads, the measurements.

    `caveats` are doubts that all findings share, and what was done to the leads; `signed` as in `SummaryView`.
    """

    banners: tuple[Banner, ...]
    facts: tuple[Fact, ...]
    numbers: tuple[Fact, ...]
    rhythm: str
    findings: tuple[FindingView, ...]
    caveats: tuple[str, ...]
    twelve: StripView | None
    measurements: Table
    signed: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one superclass is called: what moved it, and the measurements that speak for it and against it."""

    anchor: str
    title: str
    sentence: str
    figure: Drawing | None
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestingWhyView:
    """The second page: each superclass with its probability and answer, the reasons, the median beat."""

    paragraph: str
    generated: str
    answers: Table | None
    no_answers: str
    reasons: tuple[Reason, ...]
    median_beat: Drawing
    median_text: str


@dataclass(frozen=True, slots=True)
class RestingMethodView:
    """The last page: how it was done, and what is known of the models."""

    steps: tuple[Shown, ...]
    models: tuple[Fact, ...]
    figures: Table | None
    training_data: tuple[Shown, ...]
    limits: tuple[Shown, ...]
