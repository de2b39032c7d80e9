"""What stands before all of Airflow's pages: sign-in slowed down, a cookie that scripts cannot read, strict headers.

Airflow's simple sign-in knows none of it: its page sets the token's cookie by script, nothing counts wrong passwords,
and no page has a Content-Security-Policy. An auth manager may add middlewares on the outside of all else (`Doorkept`),
so that a database that does not answer is a sentence too, wherever in Airflow it is missed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
from airflow.api_fastapi.app import get_cookie_path
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.configuration import conf
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecg_core.texts import say_ui

FREE_ATTEMPTS: Final = 5
LONGEST_WAIT_S: Final = 900.0
FORGOTTEN_AFTER_S: Final = 2 * LONGEST_WAIT_S
POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
"""Of Airflow's own pages, which style by script; those under ``/ecg`` have stricter ones."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}
_SIGN_IN: Final = ("/auth/token", "/auth/token/cli")


class Doorkept(SimpleAuthManager):
    """Airflow's simple sign-in behind the doorkeeper."""

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """Put the doorkeeper outside of what asks the database who is there."""
        return [*super().get_fastapi_middlewares(), (Doorkeeper, {})]


class Attempts:
    """Wrong passwords by the address they came from; after five each next one waits twice as long as the last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait_s(self, address: str) -> float:
        """Return how long this address has to wait before its next attempt."""
        count, last = self._wrong.get(address, (0, 0.0))
        if count < FREE_ATTEMPTS:
            return 0.0
        return max(0.0, last + min(2.0 ** (count - FREE_ATTEMPTS + 1), LONGEST_WAIT_S) - self._clock())

    def wrong(self, address: str) -> None:
        """Count a wrong password; who sent none for long is forgotten."""
        now = self._clock()
        self._wrong = {a: seen for a, seen in self._wrong.items() if now - seen[1] < FORGOTTEN_AFTER_S}
        self._wrong[address] = self._wrong.get(address, (0, 0.0))[0] + 1, now

    def right(self, address: str) -> None:
        """Forget an address that signed in."""
        self._wrong.pop(address, None)


class Doorkeeper:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._attempts = Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            if message["type"] == "http.response.start":
                _add_headers(message)
            await send(message)

        signs_in = scope["method"] == "POST" and str(scope["path"]).endswith(_SIGN_IN)
        try:
            if signs_in:
                await self._sign_in(scope, receive, with_headers)
            else:
                await _plainly(self._app, scope, receive, with_headers)
        except Exception:
            if begun or await _database_answers():
                raise
            await _unavailable(scope)(scope, receive, with_headers)

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = (scope.get("client") or ("",))[0]
        if wait_s := self._attempts.wait_s(address):
            told = say_ui("too_many_attempts", seconds=f"{wait_s:.0f}")
            refused = JSONResponse({"detail": told}, 429, {"Retry-After": f"{wait_s:.0f}"})
            await refused(scope, receive, send)
            return
        started, body = await _answered(self._app, scope, receive)
        if started["status"] == 401:
            self._attempts.wrong(address)
        elif started["status"] == 201:
            self._attempts.right(address)
            _keep_from_scripts(scope, started, body)
        await send(started)
        await send({"type": "http.response.body", "body": body})


async def _answered(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Return an answer's start and its whole body."""
    started: list[Message] = []
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return started[0], bytes(body)


def _keep_from_scripts(scope: Scope, started: Message, body: bytes) -> None:
    """Set the token's cookie for a browser's own page; one that scripts cannot read is not replaced by them."""
    if Headers(scope=scope).get("sec-fetch-site") != "same-origin":
        return
    response = Response()
    response.set_cookie(
        COOKIE_NAME_JWT_TOKEN,
        json.loads(body)["access_token"],
        path=get_cookie_path(),
        secure=scope.get("scheme") == "https",
        httponly=True,
        samesite="lax",
    )
    MutableHeaders(raw=started["headers"]).append("set-cookie", response.headers["set-cookie"])


async def _plainly(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request on; where it ends in a 500 while the database does not answer, say that instead."""
    held: list[Message] = []

    async def hold_500(message: Message) -> None:
        if held or (message["type"] == "http.response.start" and message["status"] == 500):
            held.append(message)
        else:
            await send(message)

    await app(scope, receive, hold_500)
    if held and not await _database_answers():
        await _unavailable(scope)(scope, receive, send)
        return
    for message in held:
        await send(message)


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(raw=message["headers"])
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


async def _database_answers() -> bool:
    """Tell whether anything listens where Airflow's database should; asked only after something went wrong."""
    url = urlsplit(conf.get("database", "sql_alchemy_conn"))
    if not url.hostname:
        return True
    try:
        with anyio.fail_after(2.0):
            stream = await anyio.connect_tcp(url.hostname, url.port or 5432)
            await stream.aclose()
    except (OSError, TimeoutError):
        return False
    return True


def _unavailable(scope: Scope) -> Response:
    """Say it as a page to who looks at one, as JSON to programs."""
    sentence = say_ui("status_503")
    if "text/html" in Headers(scope=scope).get("accept", ""):
        page = f"<!doctype html><meta charset=utf-8><title>{say_ui('worklist_title')}</title><p>{sentence}</p>\n"
        return HTMLResponse(page, 503, {"Retry-After": "30"})
    return JSONResponse({"detail": sentence}, 503, {"Retry-After": "30"})
