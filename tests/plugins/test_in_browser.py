"""Worklist, report and review in a real Chromium, served by Airflow's real API app over HTTP."""

import base64

import pytest


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
    report.locator("#bar .tool-callipers").click()
    assert "ms" in report.locator(".measure").first.inner_text()
    page.get_by_label("disagree").first.check()
    page.get_by_text("Correct by hand").click()
    page.locator("#from-0").fill("soon")
    page.locator("#class-0").select_option("S")
    page.get_by_label("Comment").fill("Looks aberrant.")
    page.get_by_role("button", name="Sign", exact=True).click()
    assert "is no time" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Comment").input_value() == "Looks aberrant."
    assert page.get_by_label("disagree").first.is_checked()
    page.get_by_text("Correct by hand").click()
    page.locator("#from-0").fill("0:00:08")
    page.locator("#to-0").fill("0:00:10")
    page.get_by_role("button", name="Sign", exact=True).click()
    assert "Saved." in page.get_by_role("status").inner_text()
    page.frame_locator("iframe").locator("#sign .review").wait_for()
    signed = page.frame_locator("iframe").locator("#sign")
    assert "Looks aberrant." in signed.inner_text()
    assert "are S." in signed.inner_text()
    page.goto(f"{served}/ecg/?state=signed")
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


def test_twenty_files_are_dropped_and_each_leads_to_its_report(page, served, writable, twenty):
    page.goto(f"{served}/ecg/")
    page.get_by_role("link", name="Upload recordings").click()
    page.set_input_files("#files", [])  # nothing chosen sends nothing
    assert page.inner_text("#said") == ""
    drop = page.evaluate_handle(
        """(files) => {
          const data = new DataTransfer();
          for (const [name, bytes] of files) {
            data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
          }
          return data;
        }""",
        [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in twenty],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": drop})
    page.locator("#rows a").nth(15).wait_for(timeout=120_000)
    rows = {row.split("\t")[0]: row for row in page.locator("#rows tr").all_inner_texts()}
    assert len(rows) == 18
    assert "Set aside" in rows["letter.txt"]
    assert "no ECG" in rows["letter.txt"]
    assert any(name.startswith("Zzyzxname-1.hea, Zzyzxname-1.dat") for name in rows)
    page.locator("#rows a").first.click()
    assert "For research use" in page.inner_text("body")


def test_who_may_only_read_is_told_so(chromium, served, token_of, writable):
    context = chromium.new_context()
    context.add_cookies([{"name": "_token", "value": token_of("viewer"), "url": served}])
    page = context.new_page()
    page.goto(f"{served}/ecg/uploads")
    assert "may read reports and not upload" in page.inner_text("body")
    assert page.locator("input[type=file]").count() == 0
    context.close()
