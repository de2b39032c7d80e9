"""Worklist, report and review in a real Chromium, served by Airflow's real API app over HTTP."""

import socket
import threading
import time

import pytest
import uvicorn


@pytest.fixture
def served(api_app, platform):
    """The API app on a port of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(api_app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def context(chromium, served, token_of):
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.add_cookies([{"name": "_token", "value": token_of("user"), "url": served, "sameSite": "Lax"}])
    yield context
    context.close()


@pytest.fixture
def page(context, served):
    """A page; every console error and every request elsewhere fails the test at its end."""
    faults = []
    page = context.new_page()
    page.on(
        "console", lambda said: faults.append(said.text) if said.type == "error" and "422" not in said.text else None
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(served) else faults.append(asked.url))
    yield page
    assert [fault for fault in faults if "favicon" not in fault] == []


def test_from_worklist_to_signature(page, served, platform, database, build_scored, add_report):
    build_scored(platform, database)
    for n in range(3):
        add_report(database, f"{n}.html", n, version=f"v{n}")
    page.goto(f"{served}/ecg/")
    assert page.locator("tbody tr").count() == 4
    page.select_option("#finding", "v_run")
    page.click("text=Show")
    assert page.locator("tbody tr").count() == 1
    assert "1 urgent" in page.inner_text("tbody")
    page.select_option("#finding", "")
    page.select_option("#order", "urgent")
    page.click("text=Show")
    assert "urgent" in page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Review").first.click()
    report = page.frame_locator("iframe")
    report.locator("#strip-1 .tool-callipers").click()
    assert "ms" in report.locator("#strip-1 .measure").inner_text()
    page.get_by_label("disagree").first.check()
    page.locator("#from-0").fill("soon")
    page.locator("#class-0").select_option("S")
    page.get_by_label("Comment").fill("Looks aberrant.")
    page.get_by_role("button", name="Sign", exact=True).click()
    assert "is no time" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Comment").input_value() == "Looks aberrant."
    assert page.get_by_label("disagree").first.is_checked()
    page.locator("#from-0").fill("0:00:08")
    page.locator("#to-0").fill("0:00:10")
    page.get_by_role("button", name="Sign", exact=True).click()
    assert "Saved." in page.get_by_role("status").inner_text()
    signed = page.frame_locator("iframe").locator("#sign")
    assert "Looks aberrant." in signed.inner_text()
    assert "are S." in signed.inner_text()
    page.goto(f"{served}/ecg/?reviewed=yes")
    assert page.locator("tbody tr").count() == 1
    assert "reader" in page.inner_text("tbody")


def test_another_site_cannot_send_the_form(context, served, platform, database, build_scored):
    """The cookie alone is not enough: a page of another origin posts, and nothing is written."""
    report_id, _ = build_scored(platform, database)
    page = context.new_page()
    url = f"{served}/ecg/reports/{report_id}/review"
    # Another port is another origin, and the same site: SameSite does not hold here, the rest must.
    page.route("http://127.0.0.1:1/**", lambda route: route.fulfill(content_type="text/html", body=f"""
        <form method="post" action="{url}"><input name="action" value="sign"><input name="token" value="{'0' * 64}">
        </form>"""))  # fmt: skip
    page.goto("http://127.0.0.1:1/evil")
    with page.expect_navigation():
        page.evaluate("document.forms[0].submit()")
    assert "You may not do this" in page.inner_text("body")
    page.goto(url)
    assert "None yet." in page.inner_text("body")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(chromium, served, token_of, platform, database, build_scored, axe, scheme):
    report_id, _ = build_scored(platform, database)
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme)
    context.add_cookies([{"name": "_token", "value": token_of("user"), "url": served}])
    page = context.new_page()
    found = []
    for path in ("/ecg/", f"/ecg/reports/{report_id}/review", "/ecg/reports/0"):
        page.goto(served + path)
        page.add_script_tag(path=str(axe))
        run = "async () => (await axe.run({iframes: false})).violations.map(v => [v.impact, v.id, v.nodes[0].html])"
        found += page.evaluate(run)
    context.close()
    assert [violation for violation in found if violation[0] in ("serious", "critical")] == []


def test_the_worklist_works_without_script(chromium, served, token_of, platform, database, build_scored):
    build_scored(platform, database)
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "_token", "value": token_of("user"), "url": served}])
    page = context.new_page()
    page.goto(f"{served}/ecg/")
    page.get_by_role("link", name="Review").first.click()
    page.get_by_label("agree", exact=True).first.check()
    page.get_by_role("button", name="Save without signing").click()
    assert "1 agreed" in page.inner_text("body")
    context.close()
