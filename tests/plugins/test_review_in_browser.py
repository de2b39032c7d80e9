"""Reviewing beside the report, in a real Chromium: by clicking and by keys alone, and all that follows from it."""

import json
import re

import pytest
import wfdb
from playwright.sync_api import expect
from sqlalchemy import create_engine, text

from benchmarks.made_up import drawn
from ecg_core.datasets.synth import synthesise
from ecg_core.models import SHIPPED, load_model, load_version
from ecg_core.pipeline.score import read_beats
from ecg_core.readers import exports
from ecg_core.result.resting import STANDARD_LEADS
from ecg_core.settings import load_settings


@pytest.fixture
def scored(platform, database, build_scored):
    """43 beats at 75/min with a run of three V (rows 20 to 22); its notice is told to a channel that nobody reads."""
    return build_scored(platform, database)


@pytest.fixture
def opened(page, served, scored):
    page.goto(f"{served}/ecg/reports/{scored[0]}/review")
    report = page.frame_locator("iframe")
    report.locator("body.reviewing").wait_for()
    return report


def mart(database, query):
    engine = create_engine(database)
    with engine.connect() as conn:
        found = [dict(row) for row in conn.execute(text(query)).mappings()]
    engine.dispose()
    return found


def click_at(strip, seconds, **how):
    """Click a strip at a time of the recording."""
    svg = strip.locator("svg.paper")
    svg.scroll_into_view_if_needed()
    box, start = svg.bounding_box(), float(strip.get_attribute("data-start"))
    mm = box["width"] / float(svg.get_attribute("viewBox").split()[2])
    svg.click(position={"x": (10 + (seconds - start) * 25) * mm, "y": 60}, **how)


def test_three_corrected_one_added_one_deleted_a_stretch_named_and_everything_follows(
    page, opened, served, scored, database, tmp_path
):
    report_id, result = scored
    at = [float(seconds) for seconds in result.beats.r_time_s]
    chosen = page.locator("#chosen p")
    strip = opened.locator("#strip-1")
    for row in (20, 21, 22):  # the run of V is none
        click_at(strip, at[row])
        # Report and form talk by messages: what is chosen stands there a moment later.
        expect(chosen).to_have_text(f"Beat at 0:00:{at[row]:05.2f}, called V")
        page.locator("#chosen").get_by_role("button", name="S", exact=True).click()
    click_at(strip, (at[18] + at[19]) / 2)
    expect(chosen).to_contain_text("no beat was found here")
    page.get_by_role("button", name="a missed beat: V").click()
    click_at(strip, at[23])
    expect(chosen).to_have_text(f"Beat at 0:00:{at[23]:05.2f}, called N")
    page.get_by_role("button", name="no beat").click()
    click_at(strip, at[17])
    expect(chosen).to_have_text(f"Beat at 0:00:{at[17]:05.2f}, called N")
    click_at(strip, at[18], modifiers=["Shift"])
    expect(chosen).to_contain_text(" to ")
    place = opened.locator("html").evaluate("html => html.scrollTop")
    page.select_option("#name-stretch", "is-svt")
    expect(page.locator("#said li")).to_have_count(6)
    assert "2 of 2 findings are not judged" in page.locator("#unjudged").inner_text()
    page.locator("input[name='finding.v_run'][value=disagree]").check()
    expect(opened.locator("#strip-1 text.said")).to_have_text(["S", "S", "S", "+V", "×", "svt"])
    # What was said outlives the page.
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    opened.locator("body.reviewing").wait_for()
    expect(page.locator("#said li")).to_have_count(6)
    opened.locator("html").evaluate(f"html => html.scrollTo({{top: {place}, behavior: 'instant'}})")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    opened.locator("#changes").wait_for()
    expect(page.locator("#said li")).to_have_count(0)
    # The report, and the place in it is kept.
    assert "Amended: signed by reader" in opened.locator("#head").inner_text()
    until_near = "html => document.querySelector('#strips').getBoundingClientRect().top < 600"
    assert opened.locator("html").evaluate(until_near)
    # The worklist.
    page.goto(f"{served}/ecg/?state=signed")
    line = page.locator("tbody tr").inner_text()
    assert "runs of V" not in line
    assert "narrow-complex tachycardia" in line
    # The mart.
    [row] = mart(database, "SELECT * FROM ecg_mart.score_final WHERE is_newest")
    assert (row["state"], row["n_class_v"], row["n_class_s"], row["n_beats"]) == ("amended", 1, 3, 43)
    stands = {r["finding"] for r in mart(database, "SELECT finding FROM ecg_mart.finding_final WHERE is_newest")}
    assert "v_run" not in stands
    assert "svt" in stands
    [stretch] = mart(database, "SELECT * FROM ecg_mart.rhythm_episode_final WHERE kind = 'svt'")
    assert (stretch["start_s"], stretch["end_s"]) == pytest.approx((at[17], at[18]), abs=0.01)
    # FHIR and WFDB.
    settings = load_settings()
    bundle = json.loads(exports.export_fhir(settings, result.recording.recording_id, tmp_path).read_text())
    [fhir] = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
    assert fhir["status"] == "amended"
    assert "v_run" not in fhir["conclusion"]
    (tmp_path / "x.rev").write_bytes(page.request.get(f"{served}/ecg/reports/{report_id}/beats").body())
    annotations = wfdb.rdann(str(tmp_path / "x"), "rev")
    assert (annotations.symbol.count("V"), annotations.symbol.count("S"), len(annotations.symbol)) == (1, 3, 43)
    # The notice.
    [notice] = mart(database, "SELECT * FROM ecg.outbox_message WHERE kind = 'urgent_finding_amended'")
    assert "No longer so: One run of ventricular beats" in notice["body"]
    assert not re.search(r"\breader\b|p-1234abcd", notice["subject"] + notice["body"])
    # Signed, changed, void.
    page.goto(f"{served}/ecg/reports/{report_id}/review")
    opened.locator("body.reviewing").wait_for()
    click_at(opened.locator("#strip-1"), at[16])
    expect(page.locator("#chosen p")).to_contain_text(f"{at[16]:05.2f}")
    page.locator("#chosen").get_by_role("button", name="F", exact=True).click()
    page.get_by_role("button", name="Save without signing").click()
    page.get_by_text("Saved.").wait_for()
    page.goto(f"{served}/ecg/reports/{report_id}")
    assert "Signature void" in page.inner_text("#head")


def test_by_keys_alone(page, opened):
    svg = opened.locator("#strip-1 svg.paper")
    svg.focus()
    for key in (".", ".", "v", ".", "x", ",", "[", ".", ".", "]"):
        page.keyboard.press(key)
        page.wait_for_timeout(60)
    said = page.locator("#said li").all_inner_texts()
    assert [line.split(": ")[1][:1] for line in said] == ["V", "n"]
    focused = page.evaluate("document.activeElement.id")
    assert focused == "name-stretch"
    page.select_option("#name-stretch", "is-noise")
    assert "noise" in page.locator("#said li").last.inner_text()
    svg = opened.locator("#viewer svg.paper, #strip-1 svg.paper").first
    svg.focus()
    page.keyboard.press("Backspace")
    page.wait_for_timeout(60)
    expect(page.locator("#said li")).to_have_count(2)


@pytest.fixture(params=["sheet of a resting ECG", "page of a longer recording"])
def of_twelve_leads(request, loaded_once, tmp_path):
    """Results whose first ten seconds are drawn on all twelve leads at once."""
    if request.param.startswith("page"):
        return drawn("N" * 60, lead_names=STANDARD_LEADS)
    resting = load_version(SHIPPED["resting"], tmp_path)
    made = synthesise(10, 500, 12, pvc_per_minute=0, sveb_per_minute=0, kind="normal", seed=1)
    return read_beats(made.recording, load_model(SHIPPED["beats"], tmp_path), others=[resting])[0]


def test_a_beat_is_corrected_on_the_page_of_twelve_leads(
    page, served, platform, database, build_scored, of_twelve_leads
):
    report_id, result = build_scored(platform, database, result=of_twelve_leads)
    page.goto(f"{served}/ecg/reports/{report_id}/review")
    report = page.frame_locator("iframe")
    report.locator("body.reviewing").wait_for()
    at = [float(seconds) for seconds in result.beats.r_time_s]
    sheet = report.locator("#twelve")
    for row in (5, 8):  # of the second and of the third or fourth column of leads
        click_at(sheet, at[row])
        expect(page.locator("#chosen p")).to_have_text(f"Beat at 0:00:{at[row]:05.2f}, called N")
        page.locator("#chosen").get_by_role("button", name="V", exact=True).click()
    expect(page.locator("#said li")).to_have_count(2)
    expect(report.locator("#twelve text.said")).to_have_text(["V", "V"])
    places = [mark.bounding_box() for mark in report.locator("#twelve rect.said").all()]
    paper = sheet.locator("svg.paper").bounding_box()
    mm = paper["width"] / 265
    for row, place in zip((5, 8), places, strict=True):
        middle = place["x"] + place["width"] / 2 - paper["x"]
        assert middle == pytest.approx((10 + at[row] * 25) * mm, abs=1.5), "the mark stands at the beat"
    sheet.locator("svg.paper").focus()
    page.keyboard.press(".")
    expect(page.locator("#chosen p")).to_contain_text(f"{at[9]:05.2f}")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    report.locator("#changes").wait_for()
    [score] = mart(database, "SELECT * FROM ecg_mart.score_final WHERE is_newest")
    assert (score["state"], score["n_class_v"]) == ("amended", 2)


def test_an_episode_is_chosen_by_its_row_and_named_otherwise(page, opened):
    opened.locator("#episodes tr.episode").first.locator("td").first.click()
    page.locator("#chosen").wait_for()
    page.select_option("#name-stretch", "is-noise")
    assert "noise" in page.locator("#said li").inner_text()
    expect(opened.locator("#viewer text.said")).to_have_text("noise")


def test_two_readers_at_once_lose_nothing_and_are_both_told(chromium, served, token_of, scored, monkeypatch, database):
    from ecg_airflow import reports_app

    monkeypatch.setattr(reports_app, "LOOK_EVERY_MS", 200)
    pages = {}
    for name in ("ada", "ben"):
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        context.add_cookies([{"name": "_token", "value": token_of("user", name), "url": served, "sameSite": "Lax"}])
        pages[name] = context.new_page()
        pages[name].goto(f"{served}/ecg/reports/{scored[0]}/review")
        pages[name].frame_locator("iframe").locator("body.reviewing").wait_for()
    ada, ben = pages["ada"], pages["ben"]
    ada.get_by_text("ben has this report open, too.").wait_for()
    ben.get_by_text("ada has this report open, too.").wait_for()
    at = [float(seconds) for seconds in scored[1].beats.r_time_s]
    click_at(ada.frame_locator("iframe").locator("#strip-1"), at[20])
    ada.locator("#chosen").get_by_role("button", name="N", exact=True).click()
    click_at(ben.frame_locator("iframe").locator("#strip-1"), at[21])
    ben.locator("#chosen").get_by_role("button", name="F", exact=True).click()
    ada.get_by_role("button", name="Save without signing").click()
    ada.get_by_text("Saved.").wait_for()
    ben.get_by_text("ada has answered since you opened this (1 new).").wait_for()
    ben.get_by_role("button", name="Sign", exact=True).click()
    assert "ada has answered since" in ben.get_by_role("alert").inner_text()
    expect(ben.locator("#said li")).to_have_count(1)
    ben.get_by_role("button", name="Sign", exact=True).click()
    ben.get_by_text("Saved.").wait_for()
    ada.get_by_text("ben has answered since you opened this (1 new).").wait_for()
    ada.get_by_role("button", name="Show it").click()
    ada.get_by_text("ben signed").wait_for()
    changed = (
        "SELECT class, model_class FROM ecg_mart.beat_final WHERE class IS DISTINCT FROM model_class ORDER BY r_time_s"
    )
    assert [(r["class"], r["model_class"]) for r in mart(database, changed)] == [("N", "V"), ("F", "V")]
    for page in pages.values():
        page.context.close()
