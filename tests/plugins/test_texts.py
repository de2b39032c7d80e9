"""The worklist and the review form in another language: a second catalogue is all that it takes."""

import json
import re
from pathlib import Path

import pytest

PROJECT_DIR = Path(__file__).resolve().parents[2]

WORD = re.compile(r"[A-Za-z]{2,}")


@pytest.fixture
def pseudo(airflow_home, monkeypatch):
    """Put a catalogue in place that is no English: each text becomes its key in letters that English lacks."""
    from ecg_airflow import pages

    from ecg_core import texts

    fields = {key: re.findall(r"{\w+}", text) for key, text in texts.UI_TEXTS.items()}
    for key, names in fields.items():
        monkeypatch.setitem(texts.UI_TEXTS, key, " ".join(["ẋẍ", *names]))
    for kind in pages.FINDINGS:
        monkeypatch.setitem(pages.FINDINGS, kind, "ẋẍ")


def spoken(html: str) -> str:
    """What a person would read of a page: its text, and the attributes that are read aloud."""
    # The script itself says nothing: its words are in the element before it.
    body = re.sub(r"<script.*?</script>", "", html.split("</style>")[1], flags=re.DOTALL)
    aloud = re.findall(r'(?:aria-label|title|placeholder)="([^"]*)"', body)
    return " ".join([re.sub(r"<[^>]*>", " ", body), *aloud])


def test_no_english_is_left_on_either_page(pseudo, client, token_of, platform, database, build_scored):
    report_id, result = build_scored(platform, database)
    client.cookies.set("_token", token_of("user"))
    client.headers["Origin"] = "http://testserver"
    page = client.get(f"/ecg/reports/{report_id}/review").text
    token = re.search(r'name="token" value="([0-9a-f]{64})"', page).group(1)
    fields = {"token": token, "finding.v_run": "agree", "action": "sign"}
    assert client.post(f"/ecg/reports/{report_id}/review", data=fields).status_code == 303
    # What may stand there beside the catalogue: names and ids, and what the report itself says of its findings.
    theirs = f"{result.recording.recording_id} {result.recording.patient_pseudonym} {result.model.version} reader"
    for path in ("", "?search=zz", f"reports/{report_id}/review", "reports/0", "?after=0"):
        html = client.get(f"/ecg/{path}").text
        text = spoken(html)
        told = re.findall(r'id="words">(.*?)</script>', html)
        assert [words for each in told for words in json.loads(each).values() if not words.startswith("ẋẍ")] == []
        for finding in re.findall(r"<(?:legend|b)>(.*?)</(?:legend|b)>", html):
            text = text.replace(finding, "")
        words = set(WORD.findall(text)) - set(WORD.findall(theirs)) - {"zz"}
        assert not {word for word in words if word not in result.recording.recording_id}, path
        assert "ẋẍ" in text
    refused = client.post(f"/ecg/reports/{report_id}/review", data={"token": token, "from.0": "zz", "class.0": "V"})
    assert refused.status_code == 422
    alert = re.search(r'role="alert">(.*?)<', refused.text).group(1)
    assert WORD.findall(alert) == ["zz"]


def test_every_text_that_a_page_names_is_there(airflow_home):
    from ecg_core.texts import UI_TEXTS as TEXTS

    for name in ("worklist", "review", "patient", "compare"):
        source = (PROJECT_DIR / "templates" / f"{name}.html.j2").read_text("utf-8")
        assert set(re.findall(r"\bt\.(\w+)", source)) <= set(TEXTS)


def test_the_worklist_can_be_narrowed_to_every_kind_of_finding_and_says_each_in_words(airflow_home):
    from ecg_airflow.pages import FINDINGS

    from ecg_core.labels import CLASSES
    from ecg_core.result.findings import KINDS
    from ecg_core.result.resting_findings import RESTING_KINDS

    burdens = {f"{letter.lower()}_beats" for letter in CLASSES if letter != "N"}
    assert set(FINDINGS) == {*KINDS, *RESTING_KINDS, *burdens, "poor_signal", "no_analysable_beats"}
    assert [text for text in FINDINGS.values() if "_" in text] == []


def test_every_name_that_a_page_looks_up_has_its_text(airflow_home):
    from ecg_core.labels import CLASSES
    from ecg_core.texts import UI_TEXTS as TEXTS

    names = {
        "filter": ("search", "finding", "quality", "site", "model", "state", "order"),
        "quality": ("good", "fair", "poor"),
        "is": ("unread", "in_work", "signed"),
        "state": ("preliminary", "final", "amended"),
        "order": ("newest", "urgent"),
        "caption": ("newest", "urgent"),
        "status": ("401", "403", "404", "413", "415", "422", "503", "other"),
        "class": CLASSES,
    }
    assert [f"{of}_{name}" for of, each in names.items() for name in each if f"{of}_{name}" not in TEXTS] == []
    # The DAG is named as Airflow names it.
    shown = {key: re.sub(r"{\w+}|ecg_score_inbox", "", text) for key, text in TEXTS.items()}
    assert [key for key, text in shown.items() if re.search(r"[a-z]_[a-z]", text)] == []
