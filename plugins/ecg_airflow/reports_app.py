"""The report browser: a worklist, the report of each recording, and the form that takes the reader's answer.

Served by Airflow's API server under ``/ecg`` and shown within its UI; `ecg_airflow.rights` says who may what. A report
is asked for by its number, never by a path.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Final, Literal
from urllib.parse import quote

import jinja2
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from ecg_airflow import pages, review_script, uploads
from ecg_airflow.review_form import (
    BadForm,
    Fields,
    form_fields,
    only,
    read_review,
    refuse_foreign,
    refuse_forged,
    seen,
    token,
)
from ecg_airflow.rights import may, may_see, needs, sites_of
from ecg_core.errors import EcgError, StoreError, UnknownModelVersion
from ecg_core.readers import patients, reports, reviewing
from ecg_core.readers.model_card import model_card
from ecg_core.readers.reports import Filters
from ecg_core.readers.reviewing import ReviewPage
from ecg_core.settings import PROJECT_DIR, load_settings
from ecg_core.texts import UI_TEXTS, say_ui

LOOK_EVERY_MS: Final = 5000
"""How often an open review asks whether others have answered."""
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
STRICT_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    # Not "no-referrer": a form would then be sent without saying where it comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@lru_cache(maxsize=1)
def build_app() -> FastAPI:
    """Build the app; every route of it asks for a signed-in user, and for a right of theirs."""
    app = FastAPI(
        title=say_ui("worklist_title"),
        dependencies=[Depends(get_user)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    reads, signs = APIRouter(dependencies=[Depends(needs("read"))]), [Depends(needs("sign"))]
    reads.add_api_route("/", worklist, response_class=HTMLResponse)
    of_report = APIRouter(prefix="/reports/{report_id}", dependencies=[Depends(may_see)])
    of_report.add_api_route("", report, response_class=HTMLResponse)
    of_report.add_api_route("/review", review_form, response_class=HTMLResponse)
    of_report.add_api_route("/review", answer, methods=["POST"], dependencies=signs)
    of_report.add_api_route("/answers", answers, response_class=JSONResponse)
    of_report.add_api_route("/beats", beats, response_class=Response)
    reads.include_router(of_report)
    reads.add_api_route("/patients/{pseudonym}", patient, response_class=HTMLResponse)
    reads.add_api_route("/patients/{pseudonym}/move", move, methods=["POST"], dependencies=signs)
    reads.add_api_route("/compare", compare, response_class=HTMLResponse)
    reads.add_api_route("/models/{version}", model, response_class=HTMLResponse)
    sends = [Depends(needs("upload"))]
    app.add_api_route("/uploads", upload_form, response_class=HTMLResponse)
    app.add_api_route("/uploads", uploads.upload, methods=["POST"], dependencies=sends)
    app.add_api_route("/uploads/{upload_id}", uploads.outcome, dependencies=sends)
    app.include_router(reads)
    app.add_exception_handler(HTTPException, _plain_page)
    app.add_exception_handler(RequestValidationError, _plain_page)
    app.add_exception_handler(EcgError, _plain_page)
    app.middleware("http")(_add_strict_headers)
    return app


# Plain functions, not coroutines: they read from Postgres and the disk, so FastAPI runs them in a thread.
def worklist(
    request: Request,
    user: GetUserDep,
    search: Annotated[str, Query(max_length=64)] = "",
    finding: Annotated[str, Query(max_length=40)] = "",
    quality: Literal["", "good", "fair", "poor"] = "",
    model: Annotated[str, Query(max_length=200)] = "",
    state: Literal["", "unread", "in work", "signed"] = "",
    site: Annotated[str, Query(max_length=100)] = "",
    order: Literal["newest", "urgent"] = "urgent",
    after: Annotated[str, Query(pattern=r"^([0-9]{1,9}-[0-9]{1,18})?$")] = "",
) -> HTMLResponse:
    """Show recordings with their findings."""
    filters = Filters(
        search=search.strip().lower(),
        finding=finding,
        quality=quality,
        model_version=model,
        state=state,
        site=site,
        sites=sites_of(user),
    )
    priority, _, report_id = after.partition("-")
    cursor = (int(priority), int(report_id)) if after else None
    found = reports.list_reports(load_settings(), filters, urgent_first=order == "urgent", after=cursor)
    asked = {"search": search, "finding": finding, "quality": quality, "site": site, "model": model, "state": state}
    asked["order"] = order
    shown = pages.worklist_page(found, asked, paged=bool(after))
    return _page(request, "worklist", list=shown, asked=asked, paged=bool(after))


def report(report_id: str, user: GetUserDep) -> Response:
    """Send one report, with what readers answered; who opened it is kept."""
    html = reports.report_html(load_settings(), _number(report_id), user.get_name())
    if html is None:
        raise HTTPException(404)
    return HTMLResponse(html, headers={"Content-Security-Policy": _report_policy(html)})


def review_form(request: Request, report_id: str, user: GetUserDep) -> Response:
    """Show the form beside the report; who may only read sees the answers alone."""
    if may(user, "sign"):
        reviewing.take(load_settings(), _number(report_id), user.get_name())
    return _review_page(request, _review(report_id), user)


def answer(
    request: Request, report_id: str, user: GetUserDep, fields: Annotated[Fields, Depends(form_fields)]
) -> Response:
    """Take an answer. It is only ever added: answering again is another one."""
    page = _review(report_id)
    refuse_forged(request, fields, page.key.report_id)
    try:
        review = read_review(fields, user.get_name())
        reviewing.add_review(load_settings(), page.key.report_id, review, seen(fields))
    except (BadForm, StoreError) as error:
        if isinstance(error, StoreError) and error.retryable:
            raise
        # Read again: what others answered meanwhile is why a signature is refused.
        return _review_page(request, _review(report_id), user, 422, problem=str(error), sent=fields)
    # A reload of the page that follows sends nothing again.
    return RedirectResponse(f"{_base(request)}/reports/{page.key.report_id}/review?saved=1", 303)


def answers(report_id: str, user: GetUserDep) -> JSONResponse:
    """Tell how many answers there are, whose the last is, and who else has the report open."""
    news = reviewing.news(load_settings(), _number(report_id), user.get_name())
    if news is None:
        raise HTTPException(404)
    return JSONResponse({"n": news.n, "last": news.last, "others": news.others})


def upload_form(request: Request, user: GetUserDep) -> Response:
    """Show the page that files are dragged onto; who may only read is told so."""
    if not (may(user, "upload") or may(user, "read")):
        raise HTTPException(403)
    signed = token(request, uploads.SUBJECT) if may(user, "upload") else ""
    words, script = Markup(uploads.words()), Markup(uploads.script())
    response = _page(request, "upload", token=signed, sites=uploads.sites_for(user), words=words, script=script)
    response.headers["Content-Security-Policy"] = uploads.policy()
    return response


def beats(report_id: str) -> Response:
    """Send the beats as readers corrected them, as a WFDB annotation file."""
    page = _review(report_id)
    data = reviewing.corrected_beats(load_settings(), page.key.recording_id, page.key.model_version)
    name = f"{page.key.recording_id[:16]}.{reviewing.CORRECTED}"
    return Response(
        data, media_type="application/octet-stream", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def patient(request: Request, pseudonym: str, user: GetUserDep) -> HTMLResponse:
    """Show all recordings of a patient, and how they went over time."""
    return _patient_page(request, pseudonym, user)


def move(
    request: Request, pseudonym: str, user: GetUserDep, fields: Annotated[Fields, Depends(form_fields)]
) -> Response:
    """File a recording of this patient under another."""
    refuse_foreign(request, only(fields, "token"), f"move {pseudonym}")
    recording_id, to = only(fields, "recording"), only(fields, "to").strip()
    try:
        patients.move(load_settings(), recording_id, to or None, user.get_name(), sites_of(user))
    except StoreError as error:
        if error.retryable:
            raise
        return _patient_page(request, pseudonym, user, 422, str(error))
    return RedirectResponse(f"{_base(request)}/patients/{quote(to, safe='')}" if to else f"{_base(request)}/", 303)


def compare(request: Request, user: GetUserDep, report: Annotated[list[str], Query(max_length=18)]) -> HTMLResponse:
    """Show two reports side by side."""
    if len(report) != 2:
        raise HTTPException(422)
    for each in report:
        may_see(each, user)
    sides = [_review(each).key for each in report]
    return _page(request, "compare", sides=[(key.report_id, key.recording_id[: pages.SHOWN_OF_ID]) for key in sides])


def _patient_page(
    request: Request, pseudonym: str, user: GetUserDep, status: int = 200, problem: str = ""
) -> HTMLResponse:
    history = patients.patient_page(load_settings(), pseudonym, sites_of(user))
    if history is None:
        raise HTTPException(404)
    signed = token(request, f"move {pseudonym}") if may(user, "sign") else ""
    return _page(request, "patient", status, view=history, pseudonym=pseudonym, token=signed, problem=problem)


def model(request: Request, version: str) -> Response:
    """Show the card of a model version."""
    try:
        card = model_card(load_settings(), version)
    except UnknownModelVersion:
        raise HTTPException(404) from None
    return _page(request, "model_card", card=pages.card_page(card))


def _number(report_id: str) -> int:
    # Not declared as a number, so that nonsense is a page in plain words as well.
    if not re.fullmatch(r"[0-9]{1,18}", report_id):
        raise HTTPException(404)
    return int(report_id)


def _review(report_id: str) -> ReviewPage:
    page = reviewing.review_page(load_settings(), _number(report_id))
    if page is None:
        raise HTTPException(404)
    return page


def _review_page(
    request: Request,
    page: ReviewPage,
    user: GetUserDep,
    status: int = 200,
    problem: str = "",
    sent: Fields | None = None,
) -> HTMLResponse:
    may_sign = may(user, "sign")
    form = pages.review_page(
        page,
        token(request, page.key.report_id) if may_sign else "",
        user.get_name(),
        problem,
        sent or {},
        saved=request.query_params.get("saved") == "1",
    )
    own = {"words": Markup(review_script.words()), "script": Markup(review_script.script()), "every_ms": LOOK_EVERY_MS}
    response = _page(request, "review", status, form=form, **own)
    response.headers["Content-Security-Policy"] = review_script.policy()
    return response


def _report_policy(html: str) -> str:
    """Send the policy that the report itself holds: its own style and script, by their hashes, and nothing else.

    The file's SHA-256 was compared with the one in Postgres, so the policy is the one that was written.
    """
    digest = r"&#39;sha256-[A-Za-z0-9+/]{43}=&#39;"
    hashes = dict(re.findall(rf"(style|script)-src ({digest}(?: {digest})*)", html[:4000]))
    inline = " ".join(f"{kind}-src {found};" for kind, found in sorted(hashes.items())).replace("&#39;", "'")
    return f"default-src 'none'; {inline} form-action 'none'; base-uri 'none'; frame-ancestors 'self'"


def _page(request: Request, name: str, status: int = 200, **shown: object) -> HTMLResponse:
    html = _environment().get_template(f"{name}.html.j2").render(base=_base(request), t=UI_TEXTS, **shown)
    return HTMLResponse(html, status, headers={"Content-Security-Policy": PAGE_POLICY})


def _base(request: Request) -> str:
    # Where the app is mounted, so that links hold under a base path too.
    return str(request.scope.get("root_path", "")).rstrip("/")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROJECT_DIR / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )


async def _plain_page(request: Request, error: Exception) -> HTMLResponse:
    if isinstance(error, HTTPException):
        status = error.status_code
    else:
        status = 422 if isinstance(error, RequestValidationError) else 503
    sentence = UI_TEXTS.get(f"status_{status}") or say_ui("status_other")
    return _page(request, "worklist", status, list=None, sentence=sentence)


async def _add_strict_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers.update(STRICT_HEADERS)
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    return response
