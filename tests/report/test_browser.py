"""The report in a real Chromium: what its script can do, what holds without it, and its scale on paper."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from benchmarks import report
from ecg_core.report import write_report
from ecg_core.report.printing import print_pdf
from ecg_core.result import RawExcerpt, RhythmEpisode
from ecg_core.result.findings import with_findings


@pytest.fixture(scope="module")
def path(usual, tmp_path_factory):
    raw = RawExcerpt(0.0, 250.0, usual.signal_mv[:1750, 0] + 0.2)
    return write_report(replace(usual, raw=raw), tmp_path_factory.mktemp("report") / "report.html").path


@pytest.fixture
def page(chromium, path):
    """The report, opened; every console error and request to outside fails the test at its end."""
    faults = []
    page = chromium.new_page(viewport={"width": 1200, "height": 900})
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: faults.append(asked.url) if not asked.url.startswith("file:") else None)
    page.goto(path.as_uri())
    yield page
    page.close()
    assert faults == []


def until(page, condition):
    """Playwright's own waiting uses eval, which the page's policy refuses."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {condition}")


def view(page, strip="#strip-1"):
    return [float(x) for x in page.locator(f"{strip} svg.paper").get_attribute("viewBox").split()]


def first_beat_at(page, strip="#strip-1"):
    """Where the first N mark stands, in millimetres of paper."""
    return float(re.match(r"M([\d.]+)", page.locator(f"{strip} path.mark.cN").get_attribute("d")).group(1))


def test_it_opens_and_says_what_was_found(page):
    assert page.locator(".findings li").first.inner_text().startswith("Urgent") or "run" in page.inner_text("#glance")
    assert page.locator("figure.strip[id]").count() > 5
    assert page.locator(".tools").count() == 1


def test_a_broken_policy_would_be_noticed(chromium, path, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(path.read_text(encoding="utf-8").replace("</style>", " </style>"), encoding="utf-8")
    said = []
    page = chromium.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.goto(broken.as_uri())
    page.close()
    assert any("Content Security Policy" in text for text in said)


def test_a_foreign_script_does_not_run(chromium, path, tmp_path):
    tainted = tmp_path / "tainted.html"
    injected = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"></main>"
    tainted.write_text(path.read_text(encoding="utf-8").replace("</main>", injected), encoding="utf-8")
    page = chromium.new_page()
    page.goto(tainted.as_uri())
    assert page.title().startswith("ECG report")
    page.close()


def test_buttons_keys_and_mouse_pan_and_zoom(page):
    whole = view(page)
    page.click("#bar .tool-in")
    half = view(page)
    assert half[2] == pytest.approx(whole[2] / 2)
    page.click("#bar .tool-right")
    assert view(page)[0] > half[0]
    page.click("#bar .tool-whole")
    assert view(page) == whole
    page.focus("#strip-1 svg.paper")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    zoomed = view(page)
    assert zoomed[2] == pytest.approx(whole[2] * 0.8)
    page.locator("#strip-1 svg.paper").evaluate("svg => svg.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(700)  # the page scrolls smoothly
    box = page.locator("#strip-1 svg.paper").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.mouse.up()
    assert view(page)[0] < zoomed[0]
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    assert view(page)[2] < zoomed[2]
    page.keyboard.press("0")
    assert view(page) == whole
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 300)
    until(page, f"scrollY > {before}")
    assert view(page) == whole


def test_two_fingers_zoom(chromium, path):
    context = chromium.new_context(has_touch=True, viewport={"width": 420, "height": 800})
    page = context.new_page()
    page.goto(path.as_uri())
    page.locator("#strip-1 svg.paper").scroll_into_view_if_needed()
    whole = view(page)
    box = page.locator("#strip-1 svg.paper").bounding_box()
    y = box["y"] + 60
    session = context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": x, "y": y, "id": i} for i, x in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 150, 200)
    for apart in (10, 30, 50, 70):
        touch("touchMove", 150 - apart, 200 + apart)
    touch("touchEnd")
    assert view(page)[2] < whole[2] * 0.6
    context.close()


def test_callipers_measure_what_is_on_the_paper(page):
    page.click("#bar .tool-callipers")
    page.focus("#strip-1 svg.paper")
    assert page.inner_text("#bar .measure").startswith("200 ms, 1.00 mV")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#bar .measure").startswith("300 ms, 1.00 mV")
    page.keyboard.press("Shift+ArrowLeft")
    assert page.inner_text("#bar .measure").startswith("300 ms, 1.00 mV")
    # From one beat to the next with the mouse, at 25 and at 50 mm/s: the RR interval of 800 ms both times.
    for _ in range(2):
        marks = page.locator("#strip-1 path.mark.cN").get_attribute("d")
        first, second = (float(x) for x in re.findall(r"M([\d.]+)", marks)[:2])
        svg = page.locator("#strip-1 svg.paper")
        svg.evaluate("svg => { svg.scrollIntoView({block: 'center'}); svg.closest('.scroll').scrollLeft = 0; }")
        page.wait_for_timeout(700)  # the page scrolls smoothly
        box = svg.bounding_box()
        scale = box["width"] / view(page)[2]
        page.mouse.move(box["x"] + first * scale, box["y"] + 100)
        page.mouse.down()
        page.mouse.move(box["x"] + second * scale, box["y"] + 100, steps=3)
        page.mouse.up()
        until(page, "Math.abs(parseInt(document.querySelector('#bar .measure').textContent) - 800) <= 8")
        page.click("#bar .tool-speed")
    page.click("#bar .tool-callipers")
    assert page.locator("#strip-1 .calliper").count() == 0


def test_speed_and_gain_stretch_the_signal_and_not_the_paper(page):
    def bars():
        boxes = [page.locator(f"#strip-1 path.{kind}").first.bounding_box() for kind in ("trace", "pulse")]
        return boxes[0]["width"], boxes[1]["height"]

    at = first_beat_at(page)
    trace, pulse = bars()
    minor = page.locator("#strip-1 path.minor").get_attribute("d")
    page.click("#bar .tool-speed")
    page.click("#bar .tool-gain")
    assert first_beat_at(page) - 10 == pytest.approx(2 * (at - 10))
    wide, high = bars()
    assert wide == pytest.approx(2 * trace, rel=0.01)
    assert high == pytest.approx(2 * pulse, rel=0.02)
    assert "M1 0v" in page.locator("#strip-1 path.minor").get_attribute("d")
    assert page.locator("#bar .tool-speed").get_attribute("aria-pressed") == "true"
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert first_beat_at(page) == pytest.approx(at)
    assert page.locator("#bar .tool-speed").get_attribute("aria-pressed") == "false"
    assert len(page.locator("#strip-1 path.minor").get_attribute("d")) == pytest.approx(len(minor), rel=0.3)


def test_a_click_on_a_finding_goes_to_its_place(page):
    page.locator(".findings li").nth(1).locator(".tag").click()
    assert page.evaluate("location.hash") == "#strip-2"
    until(page, "Math.abs(document.getElementById('strip-2').getBoundingClientRect().top) < 200")


def test_what_was_measured_stays_when_the_scale_changes(page):
    page.click("#bar .tool-callipers")
    before = page.inner_text("#bar .measure")
    assert before.startswith("200 ms, 1.00 mV")
    page.click("#bar .tool-speed")
    page.click("#bar .tool-gain")
    assert page.inner_text("#bar .measure") == before
    assert float(page.locator(".calliper").get_attribute("width")) == pytest.approx(10)  # 200 ms at 50 mm/s


def test_one_toolbar_stays_in_sight_and_works_on_the_strip_last_touched(page):
    page.locator("#strip-2").scroll_into_view_if_needed()
    assert page.locator("#bar .tool-in").bounding_box()["y"] < 100
    first, second = view(page), view(page, "#strip-2")
    page.focus("#strip-2 svg.paper")
    page.click("#bar .tool-in")
    assert (view(page), view(page, "#strip-2")[2]) == (first, pytest.approx(second[2] / 2))


def test_a_row_of_the_episodes_shows_its_strip_and_the_place_is_kept(page):
    row = page.locator("#episodes tr.episode").filter(has_text="0:01:00")
    row.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    row.locator("td").first.click()
    viewer = page.locator("#viewer")
    viewer.locator("svg.paper").wait_for()
    # A pause of 2.84 s from 60 s on, in the middle of seven seconds.
    assert viewer.get_by_role("heading").inner_text() == "MLII from 0:00:57 (08:00:57)"
    asked = viewer.locator("rect.asked")
    assert float(asked.get_attribute("width")) == pytest.approx(2.84 * 25, abs=0.1)
    assert abs(page.evaluate("scrollY") - place) < 5
    viewer.get_by_role("button", name="7 s later").click()
    assert viewer.get_by_role("heading").inner_text() == "MLII from 0:01:04 (08:01:04)"
    page.keyboard.press("PageUp")
    assert viewer.get_by_role("heading").inner_text() == "MLII from 0:00:57 (08:00:57)"
    page.keyboard.press("Escape")
    assert not viewer.is_visible()


def test_a_place_of_the_trend_and_of_the_folded_recording_shows_its_strip(page, usual):
    trend = page.locator("svg.trend-figure")
    box, seconds = trend.bounding_box(), usual.recording.duration_s
    mm = box["width"] / 190
    trend.click(position={"x": (22 + 165 * 100 / seconds) * mm, "y": 20})
    heading = page.locator("#viewer h3")
    until(page, "document.querySelector('#viewer h3')?.textContent.startsWith('MLII from 0:01:36')")
    page.keyboard.press("Escape")
    page.get_by_text("Show the whole recording, folded").click()
    folded = page.locator("svg.folded").first
    folded.scroll_into_view_if_needed()
    scale = folded.bounding_box()["width"] / float(folded.get_attribute("viewBox").split()[2])
    folded.click(position={"x": (120 + 690) * scale, "y": 90 * 1.5 * scale})  # the middle of the second minute
    until(page, "document.querySelector('#viewer h3').textContent.startsWith('MLII from 0:01:26')")
    assert heading.is_visible()


def test_what_is_drawn_from_the_copy_is_the_signal(page, usual):
    page.locator("#episodes tr.episode").filter(has_text="0:00:32").first.click()
    page.locator("#viewer svg.paper").wait_for()
    start = float(re.search(r"M([\d.]+)", page.locator("#viewer path.mark.cV").get_attribute("d")).group(1))
    v_at = usual.beats.r_time_s[40]
    path = page.locator("#viewer path.trace").get_attribute("d")
    drawn = [tuple(map(float, point)) for point in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    zero = float(re.match(r"M0 ([\d.]+)", page.locator("#viewer path.pulse").get_attribute("d")).group(1))
    begin = v_at - (start - 10) / 25
    for x, y in drawn:
        first = round((begin + (x - 10) / 25) * 250)
        assert y == pytest.approx(zero - 10 * usual.signal_mv[first : first + 2, 0].mean(), abs=0.21)
    assert len(drawn) == 7 * 125


def test_a_figure_of_many_episodes_drops_none(chromium, usual, tmp_path):
    pauses = tuple(RhythmEpisode("pause", 10.0 + i, 12.6 + i, 5, 6, None) for i in range(30))
    result = with_findings(replace(usual, rhythm=replace(usual.rhythm, episodes=pauses)))
    page = chromium.new_page()
    page.goto(write_report(result, tmp_path / "many.html").path.as_uri())
    rows = page.locator("#episodes tr.episode")
    assert rows.count() == 30
    assert sum(rows.nth(i).is_visible() for i in range(30)) == 8
    page.locator("#episodes summary").click()
    assert all(rows.nth(i).is_visible() for i in range(30))
    page.emulate_media(media="print")
    assert page.get_by_text("25 more are listed in the file.").is_visible()
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_the_first_finding_is_seen_without_scrolling(chromium, path, width, height):
    page = chromium.new_page(viewport={"width": width, "height": height})
    page.goto(path.as_uri())
    box = page.locator(".findings li").first.bounding_box()
    page.close()
    assert box["y"] + box["height"] <= height


@pytest.fixture(scope="module")
def printed(path, usual, tmp_path_factory, chromium_path):
    """The report as a reader prints it, as text by page: as it is, with everything, and with many findings."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed here (poppler-utils)")
    many = replace(usual, findings=tuple(f for f in usual.findings for _ in range(2))[:12])
    crowded = write_report(many, tmp_path_factory.mktemp("crowded") / "report.html").path
    files = {
        "usual": print_pdf(path).rename(path.with_name("usual.pdf")),
        "everything": print_pdf(path, everything=True),
        "crowded": print_pdf(crowded),
    }
    return {name: _pages(file) for name, file in files.items()}


def _pages(pdf):
    told = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    return told.stdout.split("\f")[:-1]


@pytest.mark.parametrize("name", ["usual", "crowded"])
def test_page_one_is_one_page_to_sign_from(printed, name):
    first, second = printed[name][:2]
    for told in ("ECG report", "Urgent", "Underlying rhythm", "Ventricular burden", "Longest pause", "Signed by"):
        assert told in first
    assert "Heart rate and beats" in second
    assert "Signed by" not in second


def test_paper_is_spared_unless_everything_is_asked_for(printed):
    assert len(printed["usual"]) <= 8
    assert len(printed["everything"]) > len(printed["usual"])
    assert "Print everything" in " ".join("".join(printed["usual"]).split())
    assert "Opening of the recording" in "".join(printed["everything"])
    assert "Opening of the recording" not in "".join(printed["usual"])


def test_each_sheet_says_whose_it_is_and_which_of_how_many(printed, usual):
    pages = printed["usual"]
    for n, page in enumerate(pages, start=1):
        assert f"page {n} of {len(pages)}" in page
        assert f"Recording {usual.recording.recording_id[:12]}" in page


def test_the_method_over_the_beat_can_be_switched(page):
    card = page.locator("article.beat").first
    methods = ("integrated_gradients", "shap", "gradcam", "saliency")
    for method in methods:
        others = set(methods) - {method}
        page.check(f"#over-{method}")
        assert card.locator(f".over-{method}").first.is_visible()
        assert not any(card.locator(f".over-{other}").first.is_visible() for other in others)
    page.check("#over-none")
    assert not card.locator(".over-shap").first.is_visible()


def test_without_script_everything_is_there(chromium, path):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator(".tools").count() == 0
    assert page.locator("#strip-1 svg.paper").is_visible()
    for summary in ("Show the whole recording, folded", "Show how beats were found"):
        page.get_by_text(summary).click()
    assert page.locator("svg.folded").first.is_visible()
    assert page.locator("#steps .model-figure").is_visible()
    # Even the switch of methods works: it is style, not script.
    page.check("#over-saliency")
    assert page.locator(".over-saliency").first.is_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(chromium, path, axe, scheme):
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme)
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.add_script_tag(path=str(axe))
    violations = page.evaluate("async () => (await axe.run()).violations.map(v => [v.impact, v.id, v.nodes[0].html])")
    context.close()
    assert [v for v in violations if v[0] in ("serious", "critical")] == []


def test_a_phone_needs_no_sideways_scrolling_of_the_page(chromium, path):
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#episodes tr.episode th").first.click()
    page.locator("#viewer svg.paper").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    asked = page.locator("#viewer rect.asked").bounding_box()
    assert 0 <= asked["x"] < 390
    page.close()


@pytest.mark.skipif(shutil.which("pdftocairo") is None, reason="pdftocairo is not installed here (poppler-utils)")
@pytest.mark.usefixtures("chromium_path")
def test_on_paper_a_second_is_25_mm_and_a_millivolt_10(path):
    scale = report.paper_scale(path)
    assert scale["mm_per_s"] == pytest.approx(25, rel=0.01)
    assert scale["mm_per_mv"] == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("media", ["screen", "print"])
def test_no_text_is_too_small_to_read(chromium, path, media):
    page = chromium.new_page()
    page.goto(path.as_uri())
    page.emulate_media(media=media)
    small = page.evaluate("""() => [...document.querySelectorAll('main *:not(svg, svg *)')].filter(e =>
        [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
        && parseFloat(getComputedStyle(e).fontSize) < 9).map(e => e.outerHTML.slice(0, 80))""")
    page.close()
    assert small == []
