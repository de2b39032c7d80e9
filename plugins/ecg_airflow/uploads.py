"""Uploads: a page that files are dragged onto, and the same for programs as `POST /ecg/uploads`.

It takes a right of its own (`ecg_airflow.rights`). A browser shows, beside its cookie, a token that only our own
page has; a program signs in with a bearer token, which no other site can make a browser send.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from typing import Annotated, Any, Final

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ecg_airflow.review_form import refuse_foreign
from ecg_airflow.rights import DAG_ID, sites_of
from ecg_core.arrivals import uploads
from ecg_core.arrivals.uploads import LARGEST_FILE_BYTES, MOST_BYTES, MOST_FILES, UploadedFile
from ecg_core.settings import PROJECT_DIR, load_settings
from ecg_core.texts import UI_TEXTS, say_ui

TOKEN_HEADER: Final = "x-ecg-token"
SUBJECT: Final = "upload"
ROOM_FOR_NAMES_BYTES: Final = 1_000_000
DONE: Final = ("scored", "already scored", "set aside")


def sites_for(user: BaseUser) -> list[str]:
    """Name the sites that a user may upload for; with the empty name first where it may be for none."""
    seen = sites_of(user)
    return sorted(seen) if seen else ["", *(sorted(load_settings().site_profiles) if seen is None else ())]


async def upload(request: Request, user: GetUserDep, site: Annotated[str, Query(max_length=40)] = "") -> Response:
    """Take files in (multipart, each in a field of any name), and start a run that scores them.

    `site` is whose recordings they are; who uploads for one alone need not name it. Answers 201 with the upload's
    number and which files make which recording.
    """
    if request.headers.get("authorization", "").partition(" ")[0].lower() != "bearer":
        refuse_foreign(request, request.headers.get(TOKEN_HEADER, ""), SUBJECT)
    if problem := _unfit(request):
        return problem
    allowed = await run_in_threadpool(sites_for, user)
    site = site or (allowed[0] if len(allowed) == 1 else "")
    if site not in allowed:
        return _problem(422, "upload_site")
    if not await run_in_threadpool(uploads.has_room, load_settings(), site):
        return _problem(507, "upload_quota")
    async with request.form(max_files=MOST_FILES, max_fields=0) as form:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            return _problem(422, "upload_nothing")
        if any((part.size or 0) > LARGEST_FILE_BYTES for part in files):
            return _problem(413, "upload_too_large")
        sent = [UploadedFile(part.filename or "", part.file) for part in files]
        settings = load_settings()
        upload_id, recordings = await run_in_threadpool(uploads.take_in, settings, sent, site)
        await run_in_threadpool(start_scoring, str(uploads.upload_folder(settings, upload_id, site)), user.get_name())
    found = [{"number": one.number, "files": one.files, "missing": one.missing} for one in recordings]
    return JSONResponse({"upload": upload_id, "recordings": found}, 201)


def outcome(request: Request, upload_id: str, user: GetUserDep) -> Response:
    """Tell what became of an upload's recordings so far."""
    found = uploads.outcomes(load_settings(), upload_id, sites_of(user))
    if found is None:
        raise HTTPException(404)
    base = str(request.scope.get("root_path", "")).rstrip("/")
    told = [
        {
            "number": one.number,
            "outcome": one.outcome,
            "reason": one.reason,
            "report": None if one.report_id is None else f"{base}/reports/{one.report_id}",
        }
        for one in found
    ]
    return JSONResponse({"recordings": told, "done": all(one.outcome in DONE for one in found)})


def start_scoring(folder: str, user_name: str) -> None:
    """Start a run of the scoring DAG on a folder."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.utils.types import DagRunTriggeredByType

    trigger_dag(
        DAG_ID,
        triggered_by=DagRunTriggeredByType.REST_API,
        triggering_user_name=user_name,
        conf={"folder": folder},
    )


@lru_cache(maxsize=1)
def script() -> str:
    """Return the page's script."""
    return (PROJECT_DIR / "templates" / "upload.js").read_text(encoding="utf-8")


def words() -> str:
    """Return what the script says, as JSON that no browser runs."""
    said: dict[str, Any] = {key: text for key, text in UI_TEXTS.items() if key.startswith("upload_")}
    said["largest_bytes"], said["most_files"] = LARGEST_FILE_BYTES, MOST_FILES
    return json.dumps(said, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")


def policy() -> str:
    """Return the page's content security policy: its own script, by its hash, and requests to ourselves."""
    digest = base64.b64encode(hashlib.sha256(script().encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )


def _unfit(request: Request) -> Response | None:
    """Refuse what is no upload, or too large a one, before its body is read."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "multipart/form-data":
        return _problem(415, "upload_kind")
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        return _problem(411, "upload_length")
    return _problem(413, "upload_too_large") if int(length) > MOST_BYTES + ROOM_FOR_NAMES_BYTES else None


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"problem": say_ui(text)}, status)
