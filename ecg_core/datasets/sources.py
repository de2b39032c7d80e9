"""Where PhysioNet's file tree can be read from: a folder, or a web address. Both answer the same three questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import httpx
import structlog

from ecg_core.errors import DatasetUnavailable

_log = structlog.get_logger(__name__)

ATTEMPTS = 4
FIRST_PAUSE_S = 0.5
"""Pause before the second attempt; it doubles each time."""
_CHUNK_BYTES = 1 << 18
_MEND = "Check the network and ECG_PHYSIONET_BASE, then fetch again: it goes on where it stopped."

T = TypeVar("T")
OnBytes = Callable[[int], None]


class NotThere(Exception):
    """The source does not have this file."""


class Source(Protocol):
    """A database's folder, wherever it is. Paths are relative to it."""

    def names(self) -> list[str] | None:
        """List all files; None where the source cannot list."""

    def text(self, name: str) -> str:
        """Return a small text file; raises `NotThere` or `DatasetUnavailable`."""

    def version_of(self, name: str) -> str | None:
        """Tell without reading the file whether it changed: another text means another content. None: unknown."""

    def download(self, name: str, part: Path, on_bytes: OnBytes) -> None:
        """Write the file to `part`, after what is there already; raises `NotThere` or `DatasetUnavailable`."""

    def close(self) -> None:
        """Release connections."""


def open_source(base: str, folder: str) -> Source:
    """Open ``<base>/<folder>``, `base` being a folder or an http(s) address."""
    if base.startswith(("http://", "https://")):
        return HttpSource(f"{base.rstrip('/')}/{folder}/")
    return FolderSource(Path(base).expanduser() / folder)


class FolderSource:
    """A folder laid out as PhysioNet's file tree."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DatasetUnavailable(f"The folder {folder} does not exist.", "Set ECG_PHYSIONET_BASE to one that does.")
        self._folder = folder

    def names(self) -> list[str] | None:
        """List all files."""
        return [path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file()]

    def text(self, name: str) -> str:
        """Return a small text file."""
        path = self._folder / name
        if not path.is_file():
            raise NotThere(name)
        return path.read_text("utf-8", errors="replace")

    def version_of(self, name: str) -> str | None:
        """Size and modification time."""
        path = self._folder / name
        if not path.is_file():
            raise NotThere(name)
        facts = path.stat()
        return f"{facts.st_size}-{facts.st_mtime_ns}"

    def download(self, name: str, part: Path, on_bytes: OnBytes) -> None:
        """Copy the file; a copy starts anew."""
        path = self._folder / name
        if not path.is_file():
            raise NotThere(name)
        with path.open("rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                writer.write(chunk)
                on_bytes(len(chunk))

    def close(self) -> None:
        """Nothing to release."""


class HttpSource:
    """A web address laid out as PhysioNet's file tree."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Bytes as they lie there: a compressed transfer could not be resumed.
        self._client = httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(30.0, connect=10.0),
            headers={"Accept-Encoding": "identity"},
        )

    def names(self) -> list[str] | None:
        """Return None: a web address cannot be listed."""
        return None

    def text(self, name: str) -> str:
        """Return a small text file."""

        def get() -> str:
            response = self._client.get(self._url + name)
            _check(response, name)
            return response.text

        return _with_retries(get, self._url)

    def version_of(self, name: str) -> str | None:
        """Unknown: asking for each file would cost a request each."""
        return None

    def download(self, name: str, part: Path, on_bytes: OnBytes) -> None:
        """Fetch the file, going on after the bytes that are there already."""
        _with_retries(lambda: self._download_once(name, part, on_bytes), self._url)

    def _download_once(self, name: str, part: Path, on_bytes: OnBytes) -> None:
        there = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={there}-"} if there else {}
        with self._client.stream("GET", self._url + name, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                # All of it is there already, or more than the file has: the caller's hash tells which.
                return
            _check(response, name)
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            if there and not resumed:
                on_bytes(-there)
            with part.open("ab" if resumed else "wb") as writer:
                for chunk in response.iter_raw(_CHUNK_BYTES):
                    writer.write(chunk)
                    on_bytes(len(chunk))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _check(response: httpx.Response, name: str) -> None:
    """Raise `NotThere` for a missing file, an error of httpx for all that is no success."""
    if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise NotThere(name)
    response.raise_for_status()


def _with_retries(step: Callable[[], T], address: str) -> T:
    """Do `step` until it succeeds, at most `ATTEMPTS` times, where trying again can help."""
    pause = FIRST_PAUSE_S
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return step()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
                raise DatasetUnavailable(f"{address} refuses the request ({status}).", _MEND) from None
            reason = f"status {status}"
        except httpx.TransportError as error:
            reason = type(error).__name__
        except httpx.HTTPError as error:
            raise DatasetUnavailable(f"{address} does not answer as expected ({error}).", _MEND) from None
        if attempt < ATTEMPTS:
            _log.info("fetch_retry", address=address, reason=reason, attempt=attempt)
            time.sleep(pause)
            pause *= 2
    raise DatasetUnavailable(f"{address} does not answer ({reason}, {ATTEMPTS} attempts).", _MEND)
