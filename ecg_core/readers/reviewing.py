"""Readers' answers, and what follows from them: what stands is worked out again, kept, and drawn again.

An answer is only ever added. What readers have signed counts: a signature signs all that was answered so far.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from ecg_core import depot
from ecg_core.beats.reviewed import NEAREST_BEAT_S, as_reviewed, place, with_answers
from ecg_core.errors import StoreError
from ecg_core.export.annotations import CORRECTED, corrected_annotations
from ecg_core.messages.notices import tell_amended
from ecg_core.report import sentences, write_report
from ecg_core.result import Correction, Result, Review, Reviewed, StatedFinding
from ecg_core.result.reviewed import NAMED, digest
from ecg_core.settings import Settings
from ecg_core.store import audit, finals, read_result, reviews, worklist
from ecg_core.store import reports as rows
from ecg_core.store.acting import acting_for
from ecg_core.store.database import store_engine
from ecg_core.store.patients import last_before
from ecg_core.store.readings import BEATS, reading_of, runs_of
from ecg_core.store.reports import ReportKey

__all__ = [
    "CORRECTED",
    "News",
    "ReportKey",
    "ReviewPage",
    "add_review",
    "corrected_beats",
    "draw_what_stands",
    "news",
    "review_page",
    "take",
]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A report with what it states and what readers answered, oldest first."""

    key: ReportKey
    findings: tuple[StatedFinding, ...]
    reviews: tuple[Review, ...]


def review_page(settings: Settings, report_id: int) -> ReviewPage | None:
    """Gather what a reader answers to; None where there is no such report."""
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        key = rows.report_of(connection, report_id)
        if key is None:
            return None
        findings = reviews.read_findings(connection, key.reading_id)
        return ReviewPage(key, findings, reviews.read_reviews(connection, key.reading_id))


def take(settings: Settings, report_id: int, user_name: str) -> None:
    """Enter that somebody who may answer has opened a report's review form: the worklist says who has it."""
    with acting_for(settings, user_name) as connection:
        key = rows.report_of(connection, report_id)
        if key is not None:
            audit.enter_opened(connection, key.reading_id, user_name, "took")


@dataclass(frozen=True, slots=True)
class News:
    """How many answers a report has, whose the last is (empty: nobody's), and who else took it lately."""

    n: int
    last: str
    others: list[str]


def news(settings: Settings, report_id: int, user_name: str) -> News | None:
    """Tell a reader what others do with the report that they have open; None where there is no such report."""
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        key = rows.report_of(connection, report_id)
        if key is None:
            return None
        answers = reviews.read_reviews(connection, key.reading_id)
        others = audit.took_lately(connection, key.reading_id, but=user_name)
    return News(len(answers), answers[-1].reviewer if answers else "", others)


def add_review(settings: Settings, report_id: int, review: Review, seen: int | None = None) -> None:
    """Add a reader's answer, and let everything follow from it.

    Corrections of one moment are of the beat that lies nearest. Values, findings and urgency that stand are written
    with the answer or not at all; the report is drawn again after that, or when it is next asked for.

    Parameters
    ----------
    settings : Settings
    report_id : int
    review : Review
    seen : int, optional
        How many answers the reader had before them. A signature is refused where there are more by now: it signs all.

    Raises
    ------
    StoreError
        There is no such report, no beat lies where one is corrected, a finding is judged that the report does not
        state, or others have answered since what is being signed was shown. Nothing is written then.
    """
    with acting_for(settings, review.reviewer) as connection:
        key = rows.report_of(connection, report_id)
        if key is None:
            raise StoreError("There is no such report.", "Open it from the worklist.")
        reviews.lock_reading(connection, key.reading_id)
        so_far = reviews.read_reviews(connection, key.reading_id)
        if review.signed and seen is not None and len(so_far) > seen:
            raise StoreError(
                f"{so_far[-1].reviewer} has answered since this page was opened, so nothing was signed.",
                "Their answer now stands below: look at it, then sign again.",
            )
        result = _as_scored(connection, key.scoring_run_id, key.reading_id)
        review = replace(review, corrections=_placed(review, key.duration_s, result, so_far))
        if review.signed:
            review = replace(review, sha256=digest(with_answers(result, (*so_far, review)).result))
        reviews.write_review(connection, key.reading_id, review)
        reviewed = as_reviewed(result, reviews.read_reviews(connection, key.reading_id))
        finals.write_final(connection, key.reading_id, result.beats, reviewed, sentences(reviewed.result))
        worklist.place(connection, settings, [key.reading_id])
    if reviewed.signature is not None:
        draw_what_stands(settings, key.reading_id)


def catch_up(settings: Settings, reading_id: int) -> None:
    """Work out what stands of a reading that was signed under a release that did not yet."""
    with store_engine(settings, "ecg_reviewer").begin() as connection:
        reviews.lock_reading(connection, reading_id)
        answers = reviews.read_reviews(connection, reading_id)
        if finals.newest_final(connection, reading_id) is not None or not any(answer.signed for answer in answers):
            return
        result = _as_scored(connection, runs_of(connection, reading_id)[BEATS], reading_id)
        reviewed = as_reviewed(result, answers)
        finals.write_final(connection, reading_id, result.beats, reviewed, sentences(reviewed.result))
        worklist.place(connection, settings, [reading_id])
    draw_what_stands(settings, reading_id)


def draw_what_stands(settings: Settings, reading_id: int) -> None:
    """Render the report of a reading again with its final values, beside the report as scored, which stays.

    Where retention has dropped the beats nothing is drawn.
    """
    with store_engine(settings).begin() as connection:
        reviews.lock_reading(connection, reading_id)
        final_id, file = finals.newest_final(connection, reading_id), rows.report_file_of(connection, reading_id)
        if final_id is None or file is None or file.final_id == final_id:
            return
        run = runs_of(connection, reading_id)[BEATS]
        answers = reviews.read_reviews(connection, reading_id)
        try:
            result = read_result.read_result(connection, run, reading_id=reading_id)
        except StoreError as error:
            if error.retryable:
                raise
            log.warning("report not drawn again", reading_id=reading_id, reason=str(error))
            return
        name = f"{re.sub(r'-final-[0-9]+$', '', file.path.removesuffix('.html'))}-final-{final_id}.html"
        last = last_before(connection, result.recording.recording_id, settings.site_profiles)
        stands = as_reviewed(result, answers)
        written = write_report(result, settings.reports_dir / name, answers, stands, last)
        depot.put(settings, written.path)
        tell_amended(connection, settings, stands.result, reading_id, final_id)
        finals.point_report(
            connection, reading_id, final_id, path=name, sha256=written.sha256, size_bytes=written.size_bytes
        )


def corrected_beats(settings: Settings, recording_id: str, model_version: str | None = None) -> bytes:
    """Give the beats of a recording, as its readers corrected them, as a WFDB annotation file.

    Only what is signed counts. Beats that a reader corrected or added carry the note ``reviewed``.

    Raises
    ------
    StoreError
        It was not scored.
    """
    with store_engine(settings, "ecg_reviewer").connect() as connection:
        scoring_run_id = read_result.find_scoring_run(connection, recording_id, model_version)
        reading_id = reading_of(connection, scoring_run_id)
        reviewed = what_stands(connection, scoring_run_id, reading_id)
    return corrected_annotations(reviewed)


def what_stands(connection: Connection, scoring_run_id: int, reading_id: int) -> Reviewed:
    """Work out what stands of a reading from its beats and answers."""
    return as_reviewed(_as_scored(connection, scoring_run_id, reading_id), reviews.read_reviews(connection, reading_id))


def _as_scored(connection: Connection, scoring_run_id: int, reading_id: int) -> Result:
    return read_result.read_result(
        connection,
        scoring_run_id,
        reading_id=reading_id,
        with_signal=False,
        with_explanations=False,
        even_without_beats=True,
    )


def _placed(review: Review, duration_s: float, result: Result, so_far: tuple[Review, ...]) -> tuple[Correction, ...]:
    """Give each correction its beat; those of one answer see the ones before them."""
    placed: tuple[Correction, ...] = ()
    for correction in review.corrections:
        start_s, end_s = correction.start_s, correction.end_s
        if not 0 <= start_s <= end_s <= duration_s:
            raise StoreError(
                f"{start_s:g} to {end_s:g} s does not lie in the recording.",
                f"It is {duration_s:g} s long; give times from its start.",
            )
        if correction.action == "rhythm" and (correction.rhythm not in NAMED or start_s == end_s):
            raise StoreError(
                "A stretch that is named needs a begin, an end and a name.", f"The names are {', '.join(NAMED)}."
            )
        if correction.action == "rhythm" or start_s < end_s:
            placed += (correction,)
            continue
        found = place(correction, result, (*so_far, replace(review, corrections=placed)))
        if found is None and correction.action == "added":
            raise StoreError(
                f"There is a beat within {1000 * NEAREST_BEAT_S:.0f} ms of {start_s:g} s already.",
                "Correct that one, or give another time.",
            )
        if found is None:
            raise StoreError(
                f"No beat was detected within {1000 * NEAREST_BEAT_S:.0f} ms of {start_s:g} s.",
                "Give the time of a beat as the strips show it, or a stretch.",
            )
        placed += (found,)
    return placed
