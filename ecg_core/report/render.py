"""From the view to one self-contained HTML file: Jinja, strict, escaped, under a content security policy."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ecg_core.report.build import build_view
from ecg_core.report.texts import TEXTS
from ecg_core.result import Result
from ecg_core.settings import PROJECT_DIR

TEMPLATES_DIR: Final = PROJECT_DIR / "templates"


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """Where a report was written, the SHA-256 (hex) of its bytes, and how many there are."""

    path: Path
    sha256: str
    size_bytes: int


def render(result: Result) -> str:
    """Render the report of one recording.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        HTML, complete in itself: nothing is loaded from outside and nothing is executed. The same result gives the
        same text: neither the time nor the stages' seconds enter it.
    """
    style = (TEMPLATES_DIR / "report.css").read_text(encoding="utf-8")
    return _template().render(
        report=build_view(result),
        t=TEXTS,
        # The style is ours and holds no markup; escaping it would change what the policy's hash is of.
        style=Markup(style),
        policy=_policy(style),
    )


def write_report(result: Result, path: Path) -> WrittenReport:
    """Render a report and write it: to a temporary name beside `path`, then renamed, so that no reader sees half.

    Parameters
    ----------
    result : Result
    path : Path
        An existing file is replaced; missing folders are made.
    """
    data = render(result).encode("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    return WrittenReport(path, hashlib.sha256(data).hexdigest(), len(data))


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES_DIR),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return environment.get_template("report.html.j2")
