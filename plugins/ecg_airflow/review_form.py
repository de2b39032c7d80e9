"""The review form: what it may send, and how we know that the reader sent it from our own page."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.configuration import conf
from fastapi import Request
from starlette.exceptions import HTTPException

from ecg_core.labels import CLASSES
from ecg_core.result import Correction, Review
from ecg_core.result.reviewed import NAMED, Action
from ecg_core.texts import say_ui

MOST_BYTES: Final = 64_000
MOST_FIELDS: Final = 500
COMMENT_CHARACTERS: Final = 4000
CORRECTION_ROWS: Final = 4
"""Rows that the form shows at first."""
MOST_CORRECTIONS: Final = 120
_PREFIX: Final = "finding."
_CLOCK: Final = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,7}(?:\.\d{1,3})?)", re.ASCII)


SAID: Final[dict[str, tuple[Action, str]]] = {
    **{letter: ("class", letter) for letter in CLASSES},
    "none": ("no_beat", ""),
    **{f"add-{letter}": ("added", letter) for letter in CLASSES},
    **{f"is-{kind}": ("rhythm", kind) for kind in NAMED},
}
"""What can be said of a beat or of a stretch, by the form's value."""


class BadForm(ValueError):
    """What was sent does not fit, in a sentence for the reader."""


Fields = Mapping[str, Sequence[str]]


async def form_fields(request: Request) -> Fields:
    """Read a form of our own kind, and no more bytes than it can have."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(422) from None


def token(request: Request, report_id: int | str) -> str:
    """Sign a form for this session and this subject: another site cannot know it, and another session cannot use it."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    credential = bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
    message = f"ecg review\0{report_id}\0{hashlib.sha256(credential.encode()).hexdigest()}"
    return hmac.new(conf.get("api", "secret_key").encode(), message.encode(), hashlib.sha256).hexdigest()


def refuse_forged(request: Request, fields: Fields, report_id: int) -> None:
    """Raise 403 unless the form was ours, for this session, and sent from our own pages.

    Airflow's cookie is SameSite=Lax, so that other sites' forms come without it; the origin and the token hold where
    a browser does not know that, or a neighbour under the same domain sends one.
    """
    refuse_foreign(request, only(fields, "token"), report_id)


def refuse_foreign(request: Request, sent: str, subject: int | str) -> None:
    """Raise 403 unless the token that was sent is this session's for the subject, and a page of ours sent it."""
    if not hmac.compare_digest(sent.encode(), token(request, subject).encode()):
        raise HTTPException(403)
    ours = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="")).netloc}
    origin = request.headers.get("origin")
    if origin is not None:
        if urlsplit(origin).netloc not in ours - {""}:
            raise HTTPException(403)
    elif request.headers.get("sec-fetch-site") != "same-origin":
        raise HTTPException(403)


def read_review(fields: Fields, reviewer: str) -> Review:
    """Turn a form into an answer.

    Raises
    ------
    BadForm
        A value does not fit; the sentence says which.
    """
    agrees: dict[str, bool] = {}
    for name in fields:
        if name.startswith(_PREFIX) and (verdict := only(fields, name)):
            if verdict not in ("agree", "disagree"):
                raise BadForm(say_ui("bad_finding"))
            agrees[name.removeprefix(_PREFIX)] = verdict == "agree"
    comment = only(fields, "comment").replace("\r\n", "\n").strip()
    if len(comment) > COMMENT_CHARACTERS:
        raise BadForm(say_ui("bad_comment", most=f"{COMMENT_CHARACTERS:,}"))
    signed = only(fields, "action") == "sign"
    corrections = tuple(c for row in range(MOST_CORRECTIONS) if (c := _correction(fields, row)) is not None)
    if not (agrees or comment or corrections or signed):
        raise BadForm(say_ui("bad_nothing"))
    return Review(reviewer, None, comment, signed, agrees, corrections)


def _correction(fields: Fields, row: int) -> Correction | None:
    start, end, name = (only(fields, f"{part}.{row}").strip() for part in ("from", "to", "class"))
    if not (start or end or name):
        return None
    said = SAID.get(name)
    if not start or said is None:
        raise BadForm(say_ui("bad_correction", n=row + 1))
    start_s, end_s = seconds(start), seconds(end or start)
    if end_s < start_s:
        raise BadForm(say_ui("bad_order", n=row + 1))
    action, what = said
    if action == "rhythm" and end_s == start_s:
        raise BadForm(say_ui("bad_stretch", n=row + 1))
    if action in ("added", "no_beat") and end_s > start_s:
        raise BadForm(say_ui("bad_moment", n=row + 1))
    if action == "rhythm":
        return Correction(start_s, end_s, action=action, rhythm=what)
    return Correction(start_s, end_s, what, action=action)


def seen(fields: Fields) -> int | None:
    """Read how many answers the form showed; None where it does not say."""
    text = only(fields, "seen")
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def seconds(text: str) -> float:
    """Read ``1:02:03.5``, ``2:03.5`` or ``123.5`` as seconds from the start."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise BadForm(say_ui("bad_time", text=text[:40]))
    hours, minutes, rest = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest)


def only(fields: Fields, name: str) -> str:
    """Return the one value of a field, nothing where it was not sent; 422 where it came several times."""
    values = fields.get(name, [""])
    if len(values) != 1:
        raise HTTPException(422)
    return values[0]
