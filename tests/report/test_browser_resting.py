"""The report of a resting ECG in a real Chromium: whole at 1000 px, on a phone without moving sideways, on paper."""

import re

import pytest

from ecg_core.datasets.synth import synthesise
from ecg_core.models import SHIPPED, load_model, load_version
from ecg_core.pipeline.score import read_beats
from ecg_core.report import write_report


@pytest.fixture(scope="module", params=["normal", "hyp"])
def path(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("resting")
    made = synthesise(10, 500, 12, pvc_per_minute=0, sveb_per_minute=0, kind=request.param, seed=1)
    model, resting = load_model(SHIPPED["beats"], folder), load_version(SHIPPED["resting"], folder)
    result = read_beats(made.recording, model, others=[resting])[0]
    return write_report(result, folder / f"{request.param}.html").path


def opened(chromium, path, width):
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    return page


def test_the_page_of_twelve_leads_is_whole_and_visible_at_1000_px(chromium, path):
    page = opened(chromium, path, 1000)
    box = page.locator("#twelve svg").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1000
    for label in ("V4", "V5", "V6"):
        place = page.locator("#twelve text.lead", has_text=label).bounding_box()
        assert place["x"] + place["width"] < 1000
    table = page.locator(".measured table").bounding_box()
    assert table["x"] + table["width"] <= 1000, "the measurements of V6 are seen, too"
    page.close()


def test_a_phone_need_not_move_sideways(chromium, path):
    page = opened(chromium, path, 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_it_prints_on_three_pages_and_true_to_scale(chromium, path, tmp_path):
    page = opened(chromium, path, 1000)
    pdf = page.pdf(format="A4", landscape=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 3
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1055, "height": 726})
    pen = page.locator("#resting .pen").bounding_box()
    assert pen["y"] + pen["height"] < 726, "the line for a signature is on the first sheet, 192 mm high"
    assert page.locator("#print-all").count() == 0, "everything is printed as it is"
    box = page.locator("#twelve svg").bounding_box()
    assert box["width"] / 96 * 25.4 == pytest.approx(265, abs=0.5), "millimetres: 25 mm/s and 10 mm/mV"
    # First of all what was found, then the signal, then the reasons.
    order = ("#glance", "#twelve", "#resting_why", "#resting_method")
    tops = [page.locator(place).bounding_box()["y"] for place in order]
    assert tops == sorted(tops)
    page.close()
