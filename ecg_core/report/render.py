"""From the view to one self-contained HTML file: Jinja, strict, escaped, under a content security policy."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ecg_core.report import paper
from ecg_core.report.build import build_view
from ecg_core.report.sign import sign_view
from ecg_core.report.view import ReportView
from ecg_core.result import Result, Review, Reviewed
from ecg_core.result.methods import MAPS
from ecg_core.result.past import PastRecording
from ecg_core.settings import PROJECT_DIR
from ecg_core.texts import TEXTS, say

TEMPLATES_DIR: Final = PROJECT_DIR / "templates"


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """Where a report was written, the SHA-256 (hex) of its bytes, and how many there are."""

    path: Path
    sha256: str
    size_bytes: int


def render(
    result: Result,
    reviews: tuple[Review, ...] = (),
    reviewed: Reviewed | None = None,
    last: PastRecording | None = None,
) -> str:
    """Render the report of one recording.

    Parameters
    ----------
    result : Result
    reviews : tuple of Review
        What readers answered, oldest first: fills the last section in.
    reviewed : Reviewed, optional
        What stands after them: it is told in place of what the model said, with what changed.
    last : PastRecording, optional
        The patient's recording before this one.

    Returns
    -------
    str
        HTML, complete in itself: nothing is loaded from outside, and its one script is optional. The same result gives
        the same text: neither the time nor the stages' seconds enter it.
    """
    view = build_view(result, reviewed, last)
    running = _running_head(view)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=view,
            sign=sign_view(reviews, [finding.kind for finding in result.findings]),
            t=TEXTS,
            # Style and script are ours and hold no markup; escaping them would change what the policy's hashes are of.
            style=Markup(_style()),
            running=Markup(running),
            script=Markup(_file("report.js")),
            words=Markup(_words()),
            embedded=Markup(view.embedded),
            grids={
                "minor": paper.grid(*paper.SHARED_GRID_MM, paper.MINOR_MM),
                "major": paper.grid(*paper.SHARED_GRID_MM, paper.MAJOR_MM),
            },
            policy=f"default-src 'none'; {_inline_sources(running)}; base-uri 'none'; form-action 'none'",
        )
    )


def _inline_sources(running: str) -> str:
    """Name the report's own styles and script by their hashes, as directives of a content security policy.

    The page that serves a report sends the same, so that nothing but these runs there either.
    """
    return f"style-src '{_hash(_style())}' '{_hash(running)}'; script-src '{_hash(_file('report.js'))}'"


def _running_head(view: ReportView) -> str:
    """Let each sheet of paper say whose it is, and which of how many."""
    patient = _css_string(say("running_patient", patient=view.patient))
    recording = _css_string(say("running_recording", recording=view.recording))
    page, of = (_css_string(TEXTS[f"running_{word}"]) for word in ("page", "of"))
    number = f'{page} " " counter(page) " " {of} " " counter(pages)'
    font = "font: 8pt sans-serif; color: #444;"
    return (
        f"@page {{ @top-left {{ content: {patient}; {font} }} @top-center {{ content: {recording}; {font} }} "
        f"@top-right {{ content: {number}; {font} }} }}"
    )


def _css_string(text: str) -> str:
    """Write a text as a string of CSS: what could end it, or the style, as numbers."""
    return '"' + "".join(c if c.isascii() and (c.isalnum() or c in " .-_:") else f"\\{ord(c):x} " for c in text) + '"'


def with_reviews(html: str, reviews: tuple[Review, ...], kinds: Sequence[str]) -> str:
    """Fill the last section of a rendered report in with what readers answered since.

    Parameters
    ----------
    html : str
        As `render` made it. Text from files is escaped in it, so the section's own tags are found for certain.
    reviews : tuple of Review
        Oldest first.
    kinds : sequence of str
        Kinds of the report's findings, in its order.
    """
    start = html.rfind('<section id="sign">')
    end = html.find("</section>", start)
    if not reviews or start < 0 or end < 0:
        return html
    partial = _environment().get_template("partials/sign.html.j2")
    section = partial.render(sign=sign_view(reviews, kinds), t=TEXTS)
    return html[:start] + section + html[end + len("</section>") :]


def with_whole(html: str, recording_id: str) -> str:
    """Say above all else in a rendered report that its recording was but the beginning of another, which came later."""
    sentence = escape(say("superseded", recording=recording_id[:16]))
    return html.replace("<main>\n", f'<main>\n<p class="warn warning">{sentence}</p>\n', 1)


def write_report(
    result: Result,
    path: Path,
    reviews: tuple[Review, ...] = (),
    reviewed: Reviewed | None = None,
    last: PastRecording | None = None,
) -> WrittenReport:
    """Render a report and write it: to a temporary name beside `path`, then renamed, so that no reader sees half.

    Parameters
    ----------
    result : Result
    path : Path
        An existing file is replaced; missing folders are made.
    reviews : tuple of Review
        What readers answered, oldest first.
    reviewed : Reviewed, optional
        What stands after them.
    last : PastRecording, optional
        The patient's recording before this one.
    """
    data = render(result, reviews, reviewed, last).encode("utf-8")
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


@lru_cache(maxsize=2)
def _file(name: str) -> str:
    return (TEMPLATES_DIR / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _style() -> str:
    """Fill in what depends on the methods: a rule for each map that can be switched to."""
    return _environment().get_template("report.css").render(maps=MAPS) + "\n"


def _words() -> str:
    """Give the script its words from the same catalogue, as data, which no browser runs."""
    words = {key: text for key, text in TEXTS.items() if key.startswith("js_")}
    # A tag within would end the element.
    return json.dumps(words, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"sha256-{digest}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES_DIR),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
