"""No template holds a word of English: every text comes from a catalogue, so that a translation is a file."""

import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser

import pytest
from jinja2 import Environment

from ecg_core.report.render import TEMPLATES_DIR
from ecg_core.texts import TEXTS

TEMPLATES = sorted(TEMPLATES_DIR.rglob("*.j2"))
SPOKEN = {"aria-label", "aria-description", "title", "alt", "placeholder", "content", "label", "summary"}
"""Attributes that a person reads or hears."""
NOT_SPOKEN_META = {"viewport", "color-scheme", "referrer", "robots"}
CODE = re.compile(r"[a-z0-9_./:#?&=%-]*")
"""What a string within an expression may be: a name, a class, a path; not a sentence, and no word with a capital."""


class Spoken(HTMLParser):
    """Collects what a person would read of a template whose expressions were taken out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag, attrs):
        self._inside.append(tag)
        facts = dict(attrs)
        for name, value in attrs:
            if name in SPOKEN and not (tag == "meta" and facts.get("name") in NOT_SPOKEN_META):
                self._take(value or "")

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self._inside[-1:]):
            self._take(data)

    def _take(self, text):
        if re.search(r"[^\W\d_]", text):
            self.found.append(" ".join(text.split()))


def english_in(source: str) -> list[str]:
    """Literal words of a template: in its markup, and in strings of its expressions."""
    markup, strings = [], []
    for _, kind, text in Environment(autoescape=True).lex(source):
        if kind == "data":
            markup.append(text)
        elif kind in ("variable_end", "block_end"):
            markup.append("§" if kind == "variable_end" else "")
        elif kind == "string" and re.search(r"[^\W\d_]", text) and not CODE.fullmatch(text[1:-1]):
            strings.append(text)
    reader = Spoken()
    reader.feed("".join(markup))
    return reader.found + strings


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(TEMPLATES_DIR).as_posix())
def test_no_template_holds_literal_english(path):
    # The clock's example in the review form is digits; everything else that is shown is a text of the catalogue.
    assert english_in(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Beats</p>", ["Beats"]),
        ("<p>{{ t.beats }} of them</p>", ["§ of them"]),
        ('<nav aria-label="Pages">{{ t.x }}</nav>', ["Pages"]),
        ('{{ "Signed" if x else t.review }}', ['"Signed"']),
        ('{{ "no beat" }}', ['"no beat"']),
        ('{# A comment. #}<p class="note" title="{{ t.x }}">1 · {{ t.y }}</p>{% include "partials/a.html.j2" %}', []),
    ],
)
def test_what_the_check_finds(source, found):
    assert english_in(source) == found


def test_every_text_that_a_template_names_is_there():
    for path in TEMPLATES:
        names = set(re.findall(r"\bt\.(\w+)", path.read_text("utf-8")))
        if path.parent.name == "partials" or path.name == "report.html.j2":
            assert names <= set(TEXTS), path.name


CATALOGUES = {path.name.split(".")[1]: tomllib.loads(path.read_text()) for path in TEMPLATES_DIR.glob("texts.*.toml")}


@pytest.mark.parametrize("language", sorted(CATALOGUES.keys() - {"en"}))
@pytest.mark.parametrize("part", sorted(CATALOGUES["en"]))
def test_a_translation_has_the_same_keys_and_braces(language, part):
    def braces(texts):
        return {key: sorted(re.findall(r"{\w+}", text)) for key, text in texts.items()}

    said = CATALOGUES[language][part]
    assert braces(said) == braces(CATALOGUES["en"][part])
    assert said["language"] == language
    assert {key for key, text in said.items() if not text} == {
        k for k, text in CATALOGUES["en"][part].items() if not text
    }


def test_a_report_is_in_the_language_that_is_set(tmp_path):
    """By a process of its own: texts are read once."""
    code = """
from pathlib import Path; import sys
from benchmarks.made_up import drawn; from ecg_core.report import write_report
write_report(drawn("N" * 60 + "V" + "N" * 30), Path(sys.argv[1]))
"""
    path = tmp_path / "report.html"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env={**os.environ, "ECG_LANGUAGE": "de"})
    html = path.read_text("utf-8")
    assert '<html lang="de"' in html
    assert "Eine ventrikuläre Extrasystole" in html
    assert "Nur für Forschung, nicht zur Diagnose." in html
    english = [text for text in ("At a glance", "Heart rate", "For research use", "Ventricular") if text in html]
    assert english == []
