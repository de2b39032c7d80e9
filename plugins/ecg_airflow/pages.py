"""What the worklist and the review form say: every value is text that is ready to print; templates compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ecg_airflow.review_form import CORRECTION_ROWS, SAID, Fields
from ecg_core.labels import CLASSES
from ecg_core.readers.model_card import ModelCard, minute
from ecg_core.readers.reports import MOST_COUNTED, ReportPage, ReportRow
from ecg_core.readers.reviewing import ReviewPage
from ecg_core.result import Review
from ecg_core.texts import UI_TEXTS, say_ui, say_ui_count

SHOWN_OF_ID: Final = 12
FINDINGS: Final = {
    key.removeprefix("finding_"): text
    for key, text in UI_TEXTS.items()
    if key.startswith("finding_") and key != "finding_line"
}
"""Kinds of findings that the worklist can be narrowed to, and how it says them, in its order."""
STATES: Final = ("unread", "in work", "signed")
NARROWING: Final = ("finding", "quality", "site", "model", "state")
OLDEST: Final = 90
"""Every age above 89 is kept as this."""
URGENT: Final = 100
"""`ReportRow.urgency` counts so much for each urgent finding."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A field with its options (value, text), and which is chosen."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class Line:
    """One recording of the worklist."""

    report_id: int
    recording_id: str
    short_id: str
    synthetic: bool
    patient: str
    pseudonym: str
    about: str
    site: str
    urgent: str
    headline: str
    state: str
    done: bool
    review: str
    review_name: str
    worked_by: str
    scored: str
    recorded: str
    length: str
    analysable: str
    rate: str
    beats: str
    findings: str
    model_version: str


@dataclass(frozen=True, slots=True)
class Worklist:
    """The page of reports; `caption` is empty, and `empty` says why, where there is none to show."""

    search: str
    choices: tuple[Choice, ...]
    narrowed: bool
    caption: str
    lines: tuple[Line, ...]
    empty: str
    after: str


@dataclass(frozen=True, slots=True)
class CardTable:
    """A table of the card of a model version; the first cell of a row is its head."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a model version; `notes` say what is missing."""

    title: str
    facts: tuple[str, ...]
    training_data: tuple[str, ...]
    databases: CardTable | None
    figures: tuple[CardTable, ...]
    notes: tuple[str, ...]
    limits: tuple[str, ...]
    decisions: CardTable | None


def card_page(card: ModelCard) -> Card:
    """Say what a reader should know of a model version."""
    names = ("task", "family", "created_at", "state")
    facts = [say_ui("card_facts", **{name: getattr(card, name) for name in names})]
    facts += [say_ui("card_parent", parent=card.parent)] if card.parent else []
    figures = []
    for of_set in card.figures:
        on = say_ui("card_set", name=of_set.name)
        figures.append(CardTable(on, ("", ""), of_set.overall))
        figures.append(CardTable(on, (say_ui("card_class"), *of_set.columns), of_set.classes))
        if of_set.confusion:
            said = tuple(row[0] for row in of_set.confusion)
            figures.append(CardTable(say_ui("card_confusion", name=of_set.name), ("", *said), of_set.confusion))
    databases = CardTable("", (say_ui("card_database"), say_ui("card_sha256")), card.databases)
    columns = tuple(say_ui(f"card_{name}") for name in ("when", "verdict", "against", "reason"))
    decisions = tuple((minute(d.decided_at), d.verdict, d.judged_against or "", d.reason) for d in card.decisions)
    kept = all(of_set.confusion for of_set in card.figures)
    return Card(
        title=say_ui("card_title", version=card.version),
        facts=tuple(facts),
        training_data=card.training_data,
        databases=databases if card.databases else None,
        figures=tuple(figures),
        notes=(say_ui("card_interval"),) if kept else (say_ui("card_interval"), say_ui("card_confusion_none")),
        limits=card.limits,
        decisions=CardTable("", columns, decisions) if decisions else None,
    )


def worklist_page(found: ReportPage, asked: Mapping[str, str], *, paged: bool) -> Worklist:
    """Say what was found and how it can be narrowed.

    Parameters
    ----------
    found : ReportPage
    asked : mapping of str to str
        ``search``, ``finding``, ``quality``, ``site``, ``model``, ``state`` and ``order`` as they were asked for.
    paged : bool
        This is a later page than the first.
    """
    narrowed = any(asked[name] for name in ("search", *NARROWING))
    return Worklist(
        search=asked["search"],
        choices=_choices(found, asked),
        narrowed=narrowed,
        caption=_caption(found.total, asked) if found.reports else "",
        lines=tuple(_line(row) for row in found.reports),
        empty="" if found.reports else _why_empty(asked, narrowed=narrowed, paged=paged),
        after="-".join(map(str, found.after)) if found.after else "",
    )


def _choices(found: ReportPage, asked: Mapping[str, str]) -> tuple[Choice, ...]:
    any_ = ("", say_ui("any"))
    options: dict[str, list[tuple[str, str]]] = {
        "finding": [any_, *FINDINGS.items()],
        "quality": [any_, *((name, say_ui(f"quality_{name}")) for name in ("good", "fair", "poor"))],
        "state": [any_, *((state, say_ui(f"is_{state.replace(' ', '_')}")) for state in STATES)],
        "site": [any_, *((site, site) for site in found.sites)],
        "model": [any_, *((version, version) for version in found.model_versions)],
        "order": [("urgent", say_ui("order_urgent")), ("newest", say_ui("order_newest"))],
    }
    return tuple(Choice(name, say_ui(f"filter_{name}"), tuple(values), asked[name]) for name, values in options.items())


def _caption(total: int, asked: Mapping[str, str]) -> str:
    facts = {
        "of": say_ui("caption_of", search=asked["search"]) if asked["search"] else "",
        "order": say_ui(f"caption_{asked['order']}"),
    }
    if total >= MOST_COUNTED:
        return f"{say_ui('caption_most', n=f'{total:,}', **facts)} {say_ui('caption_times')}"
    return f"{say_ui_count('caption', total, **facts)} {say_ui('caption_times')}"


def _why_empty(asked: Mapping[str, str], *, narrowed: bool, paged: bool) -> str:
    if asked["search"]:
        more = any(asked[name] for name in NARROWING)
        return say_ui("empty_search_and" if more else "empty_search", search=asked["search"])
    return say_ui("empty_narrowed" if narrowed else "empty_page" if paged else "empty_all")


def _line(row: ReportRow) -> Line:
    short_id = row.recording_id[:SHOWN_OF_ID]
    rate = row.mean_heart_rate_bpm
    return Line(
        report_id=row.report_id,
        recording_id=row.recording_id,
        short_id=short_id,
        synthetic=row.synthetic,
        patient=row.patient_pseudonym or say_ui("not_known"),
        pseudonym=row.patient_pseudonym or "",
        about=_about(row),
        site=row.site or "",
        urgent=say_ui("urgent", n=row.urgency // URGENT) if row.urgency >= URGENT else "",
        headline=_why(row),
        state=say_ui(f"is_{row.state.replace(' ', '_')}"),
        done=row.state == "signed",
        review=say_ui("review"),
        review_name=say_ui("review_of", recording=short_id),
        worked_by=row.worked_by or "",
        scored=_minute(row.written_at),
        recorded=_minute(row.start_time) if row.start_time else say_ui("not_known"),
        length=_length(row.duration_s),
        analysable=say_ui("share", percent=f"{100 * row.analysable_share:.0f}"),
        rate=say_ui("not_known") if rate is None else say_ui("rate", bpm=f"{rate:.0f}"),
        beats=f"{sum(row.beats.values()):,}",
        findings=_findings(row),
        model_version=row.model_version,
    )


def _why(row: ReportRow) -> str:
    """Say why it stands where it does, in one line; nothing where nothing was found that asks for attention."""
    if not row.urgency or row.headline is None:
        return ""
    return f"{row.headline} {say_ui('new_here')}" if row.headline_new else row.headline


def _about(row: ReportRow) -> str:
    """Say age and sex, as far as the file does."""
    age = "" if row.age_years is None else say_ui("oldest" if row.age_years >= OLDEST else "years", n=row.age_years)
    return ", ".join(filter(None, (age, say_ui(row.sex) if row.sex in ("female", "male") else "")))


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)  # as in the report
    if minutes < 60:
        return say_ui("length", minutes=minutes, seconds=f"{rest:02d}")
    return say_ui("length_hours", hours=minutes // 60, minutes=f"{minutes % 60:02d}")


def _findings(row: ReportRow) -> str:
    n_beats = sum(row.beats.values())
    parts = [
        say_ui("burden", letter=letter, n=f"{n:,}", percent=f"{100 * n / n_beats:.1f}")
        for letter, n in row.beats.items()
        if n and letter != "N"
    ]
    order = {kind: place for place, kind in enumerate(FINDINGS)}
    for kind, n in sorted(row.episodes.items(), key=lambda item: (order.get(item[0], -1), item[0])):
        name = FINDINGS.get(kind, kind.replace("_", " "))
        parts.append(say_ui("episodes", n=n, kind=name) if n else name)
    return " · ".join(parts) or say_ui("no_abnormal" if n_beats else "no_beats")


@dataclass(frozen=True, slots=True)
class FindingField:
    """A finding that the reader may judge: the field's name, what the report says, and what was sent before."""

    name: str
    sentence: str
    sent: str


@dataclass(frozen=True, slots=True)
class CorrectionFields:
    """One row of the form's corrections, with what was sent before."""

    number: int
    title: str
    start: str
    end: str
    letter: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one reader said before."""

    who: str
    counts: str
    comment: str


@dataclass(frozen=True, slots=True)
class ReviewForm:
    """The review form beside a report; without a `token` it only shows what was answered."""

    report_id: int
    title: str
    report_name: str
    token: str
    findings: tuple[FindingField, ...]
    judgements: tuple[tuple[str, str], ...]
    corrections: tuple[CorrectionFields, ...]
    classes: tuple[tuple[str, str], ...]
    letters: tuple[str, ...]
    seen: int
    comment: str
    kept: str
    answers: tuple[Answer, ...]
    problem: str
    saved: bool


def review_page(page: ReviewPage, token: str, user: str, problem: str, sent: Fields, *, saved: bool) -> ReviewForm:
    """Say what can be answered and what was answered; `sent` is filled in again where it was refused."""
    short_id = page.key.recording_id[:SHOWN_OF_ID]
    first = {name: values[0] for name, values in sent.items()}
    names = [f"finding.{finding.kind}" for finding in page.findings]
    return ReviewForm(
        report_id=page.key.report_id,
        title=say_ui("review_of", recording=short_id),
        report_name=say_ui("report_of", recording=short_id),
        token=token,
        findings=tuple(
            FindingField(name, say_ui("finding_line", n=n, sentence=finding.sentence), first.get(name, ""))
            for n, (name, finding) in enumerate(zip(names, page.findings, strict=True), start=1)
        ),
        judgements=(
            ("agree", say_ui("agree")),
            ("disagree", say_ui("disagree")),
            ("", say_ui("not_judged")),
        ),
        corrections=tuple(
            CorrectionFields(
                row,
                say_ui("correction", n=row + 1),
                *(first.get(f"{part}.{row}", "") for part in ("from", "to", "class")),
            )
            for row in range(CORRECTION_ROWS)
        ),
        classes=tuple(
            (value, say_ui(f"said_{action}", what=_what(action, what))) for value, (action, what) in SAID.items()
        ),
        letters=CLASSES,
        seen=len(page.reviews),
        comment=first.get("comment", ""),
        kept=say_ui("answers_kept", user=user),
        answers=tuple(_answer(review) for review in reversed(page.reviews)),
        problem=problem,
        saved=saved and not problem,
    )


def _what(action: str, what: str) -> str:
    return say_ui(f"named_{what}" if action == "rhythm" else f"class_{what}") if what else ""


def _answer(review: Review) -> Answer:
    agreed = sum(review.agrees.values())
    time = _minute(review.reviewed_at) if review.reviewed_at else say_ui("not_known")
    return Answer(
        who=say_ui("answer_signed" if review.signed else "answer_noted", reviewer=review.reviewer, time=time),
        counts=say_ui(
            "answer_counts",
            agreed=agreed,
            disagreed=len(review.agrees) - agreed,
            corrected=len(review.corrections),
        ),
        comment=review.comment,
    )


def _minute(value: datetime) -> str:
    return value.isoformat(" ", "minutes")[:16]
