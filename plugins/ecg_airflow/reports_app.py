"""The report browser: a list of recordings with their findings, and the report of each, for signed-in users only.

Served by Airflow's API server under ``/ecg`` and shown within its UI. Who may read the DAG `ecg_score_inbox` may read
its reports. A report is asked for by its number, never by a path, and what is sent runs no script.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Final

import jinja2
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from ecg_core.errors import EcgError
from ecg_core.pipeline import reports
from ecg_core.settings import PROJECT_DIR, load_settings

STRICT_HEADERS: Final = {
    # Reports are whole in themselves: nothing from outside, no script, and shown in Airflow's own pages alone.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SENTENCES: Final = {
    401: "Sign in to Airflow first, then open this page again.",
    403: "You may not read these reports. Whoever runs Airflow can give you access to the DAG ecg_score_inbox.",
    404: "There is no such report. It may have been removed, or the address was typed wrongly.",
    422: "The address asks for something that does not exist: a number is out of range, or a search too long.",
    503: "The results cannot be read at the moment. Try again in a minute.",
}


@lru_cache(maxsize=1)
def build_app() -> FastAPI:
    """Build the app; every route of it asks for a signed-in user who may read the scoring DAG."""
    app = FastAPI(
        title="ECG reports",
        dependencies=[Depends(get_user), Depends(requires_access_dag("GET", param_dag_id="ecg_score_inbox"))],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_api_route("/", worklist, response_class=HTMLResponse)
    app.add_api_route("/reports/{report_id}", report, response_class=HTMLResponse)
    app.add_exception_handler(HTTPException, _plain_page)
    app.add_exception_handler(RequestValidationError, _plain_page)
    app.add_exception_handler(EcgError, _plain_page)
    app.middleware("http")(_add_strict_headers)
    return app


# Plain functions, not coroutines: they read from Postgres and the disk, so FastAPI runs them in a thread.
def worklist(
    request: Request,
    search: Annotated[str, Query(max_length=64)] = "",
    older_than: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> HTMLResponse:
    """Show recordings with their findings, the newest first."""
    found = reports.list_reports(load_settings(), search.strip().lower(), older_than)
    return _page(request, found=found, search=search, older_than=older_than)


def report(report_id: str) -> Response:
    """Send one report."""
    # Not declared as a number, so that nonsense is a page in plain words as well.
    path = reports.report_file(load_settings(), int(report_id)) if re.fullmatch(r"[0-9]{1,18}", report_id) else None
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type="text/html; charset=utf-8")


def _page(request: Request, status: int = 200, **shown: object) -> HTMLResponse:
    # Where the app is mounted, so that links hold under a base path too.
    base = str(request.scope.get("root_path", "")).rstrip("/")
    return HTMLResponse(_environment().get_template("worklist.html.j2").render(base=base, **shown), status)


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
    return _page(request, status, found=None, sentence=_SENTENCES.get(status, "This cannot be shown."))


async def _add_strict_headers(request: Request, call_next) -> Response:  # noqa: ANN001 (Starlette's own type)
    response = await call_next(request)
    response.headers.update(STRICT_HEADERS)
    return response
