"""The last section: empty lines for the reader's pen, or what readers have answered."""

from __future__ import annotations

from collections.abc import Sequence

from ecg_core.report.view import ReviewView, SignView
from ecg_core.report.wording import Clock, moment, shown
from ecg_core.result import Correction, Review
from ecg_core.texts import say

COMMENT_CHARACTERS = 4000


def sign_view(reviews: Sequence[Review], kinds: Sequence[str]) -> SignView:
    """Say what each reader answered, the newest first; `kinds` are the report's findings in its order."""
    numbers = {kind: i + 1 for i, kind in enumerate(kinds)}
    return SignView(tuple(_review(review, numbers) for review in reversed(reviews)))


def _review(review: Review, numbers: dict[str, int]) -> ReviewView:
    answered = [
        say("review_verdicts", verdict=say(f"review_{word}"), numbers=", ".join(str(n) for n in found))
        for word, wanted in (("agrees", True), ("disagrees", False))
        if (found := sorted(numbers[k] for k, agrees in review.agrees.items() if agrees is wanted and k in numbers))
    ]
    corrected = [_corrected(c) for c in review.corrections]
    return ReviewView(
        reviewer=shown(review.reviewer),
        state=say("review_signed") if review.signed else say("review_draft"),
        signed=review.signed,
        time=moment(review.reviewed_at) if review.reviewed_at else "",
        sentences=(*answered, *corrected),
        comment=shown(review.comment, COMMENT_CHARACTERS),
    )


def _corrected(c: Correction) -> str:
    at = {"time": Clock.offset(c.start_s), "letter": c.corrected_class}
    if c.action == "rhythm":
        return say("review_rhythm", start=_place(c.start_s), end=_place(c.end_s), name=say(f"named_{c.rhythm}"))
    if c.action == "no_beat":
        return say("review_no_beat", time=_place(c.start_s))
    if c.action == "added":
        return say("review_added", time=_place(c.start_s), letter=c.corrected_class)
    if c.beat_index is not None:
        return say("review_beat", n=c.beat_index + 1, **at)
    return say("review_interval", letter=c.corrected_class, start=_place(c.start_s), end=_place(c.end_s))


def _place(seconds: float) -> str:
    return f"{Clock.offset(seconds)}.{int(seconds * 10) % 10}"
