"""The report browser within Airflow's real API app, with its real sign-in, on a real Postgres."""

import pytest

from ecg_core import settings as settings_module

HOSTILE = '<script>alert("x")</script>'


def _paths(app) -> list[str]:
    return [
        route.path.replace("{report_id}", "1")
        .replace("{version}", "v1")
        .replace("{upload_id}", "u1")
        .replace("{pseudonym}", "p1")
        for route in app.routes
    ]


def test_app_is_mounted_and_listed_in_the_navigation(signed_in):
    views = [view for plugin in signed_in.get("/api/v2/plugins").json()["plugins"] for view in plugin["external_views"]]
    assert signed_in.get("/ecg/").status_code == 200
    # A viewer may not list plugins; the navigation asks for them under another address.
    assert views == [] or any(view["name"] == "ECG reports" for view in views)


@pytest.mark.parametrize("credentials", [{}, {"Authorization": "Bearer nonsense"}, {"Cookie": "_token=nonsense"}])
def test_nobody_reads_anything_without_signing_in(client, platform, database, credentials, add_report):
    from ecg_airflow.reports_app import build_app

    (platform / "reports" / "r.html").write_text("secret findings")
    add_report(database, "r.html", html="secret findings")
    paths = _paths(build_app())
    of_reports = {
        "/",
        "/reports/1",
        "/reports/1/review",
        "/reports/1/beats",
        "/reports/1/answers",
        "/models/v1",
        "/compare",
    }
    assert set(paths) == of_reports | {"/uploads", "/uploads/u1", "/patients/p1", "/patients/p1/move"}
    for path in paths:
        answer = (client.post if path.endswith("/move") else client.get)(f"/ecg{path}", headers=credentials)
        assert answer.status_code in (401, 403), path
        assert "secret" not in answer.text
        assert "Recording" not in answer.text


def test_a_user_without_access_to_the_dag_reads_nothing(client, token_of):
    answer = client.get("/ecg/", headers={"Authorization": f"Bearer {token_of(None)}"})
    assert answer.status_code == 403
    assert "You may not do this" in answer.text


def test_the_api_describes_nothing_of_itself(signed_in):
    for path in ("docs", "redoc", "openapi.json"):
        assert signed_in.get(f"/ecg/{path}").status_code == 404


def test_the_cookie_of_the_ui_signs_in(client, token_of):
    client.cookies.set("_token", token_of("viewer"))
    assert client.get("/ecg/").status_code == 200


def test_empty_worklist_says_what_to_do(signed_in):
    answer = signed_in.get("/ecg/")
    assert answer.status_code == 200
    assert "No recording has been scored yet" in answer.text


def test_worklist_shows_findings_and_links_to_the_report(signed_in, platform, database, add_report):
    (platform / "reports" / "r.html").write_text("<html>the report</html>")
    report_id, recording_id = add_report(database, "r.html", html="<html>the report</html>")
    page = signed_in.get("/ecg/").text
    assert f'href="/ecg/reports/{report_id}"' in page
    assert recording_id[:12] in page
    assert "V 3 (23.1 %)" in page
    assert "synthetic" in page
    answer = signed_in.get(f"/ecg/reports/{report_id}")
    assert answer.status_code == 200
    assert answer.text == "<html>the report</html>"


def test_search_and_paging(signed_in, database, add_report):
    from ecg_core.readers.reports import PAGE_SIZE

    ids = [add_report(database, f"{n}.html", n) for n in range(PAGE_SIZE + 3)]
    first = signed_in.get("/ecg/").text
    assert first.count('/review"') == PAGE_SIZE
    assert ids[-1][1][:12] in first
    older = f"after=0-{ids[3][0]}"
    assert older in first
    second = signed_in.get(f"/ecg/?{older}").text
    assert second.count('/review"') == 3
    assert "First page" in second
    assert "Next page" not in second
    found = signed_in.get("/ecg/", params={"search": ids[7][1][:20].upper()}).text
    assert found.count('/review"') == 1
    assert f"/ecg/reports/{ids[7][0]}" in found
    for wildcard in ("%", "_", "\\"):
        assert "No recording or patient has an id" in signed_in.get("/ecg/", params={"search": wildcard}).text


@pytest.mark.parametrize(
    "report_id",
    ["0", "99999", "-1", "1.5", "abc", "9" * 40, "..%2F..%2Fetc%2Fpasswd", "..%5C..", "1%00", "1%20OR%201=1", "٣"],
)
def test_what_is_no_number_of_a_report_is_a_404_in_plain_words(signed_in, report_id):
    answer = signed_in.get(f"/ecg/reports/{report_id}")
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["../secret.html", "/etc/passwd", "gone.html", "."])
def test_a_row_cannot_reach_outside_the_reports(signed_in, platform, database, path, add_report):
    (platform / "secret.html").write_text("secret")
    report_id, _ = add_report(database, path, html="secret")
    answer = signed_in.get(f"/ecg/reports/{report_id}")
    assert answer.status_code == 404
    assert "There is no such report" in answer.text


def test_a_link_out_of_the_reports_is_not_followed(signed_in, platform, database, add_report):
    (platform / "secret.html").write_text("secret")
    (platform / "reports" / "link.html").symlink_to(platform / "secret.html")
    report_id, _ = add_report(database, "link.html", html="secret")
    assert signed_in.get(f"/ecg/reports/{report_id}").status_code == 404


def test_hostile_names_are_escaped(signed_in, database, add_report):
    add_report(database, "r.html", version=HOSTILE)
    for page in (signed_in.get("/ecg/").text, signed_in.get("/ecg/", params={"search": HOSTILE}).text):
        assert "<script" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "query",
    ["after=0", "after=x-1", f"after=0-{2**70}", "search=" + "a" * 65, "quality=best", "state=1", "order=id"],
)
def test_out_of_range_is_said_in_plain_words(signed_in, query):
    answer = signed_in.get(f"/ecg/?{query}")
    assert answer.status_code == 422
    assert "out of range" in answer.text


def test_every_answer_carries_strict_headers(client, signed_in, platform, database, add_report):
    (platform / "reports" / "r.html").write_text("<script>alert(1)</script>")
    report_id, _ = add_report(database, "r.html", html="<script>alert(1)</script>")
    answers = [signed_in.get(f"/ecg{path}") for path in ("/", f"/reports/{report_id}", "/reports/0", "/?after=0")]
    client.headers.pop("Authorization")
    answers.append(client.get("/ecg/"))
    assert [answer.status_code for answer in answers] == [200, 200, 404, 422, 401]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "script-src" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_lost_database_is_said_in_plain_words(signed_in, monkeypatch):
    monkeypatch.setenv("ECG_DATABASE_URL", "postgresql://nobody:hidden@127.0.0.1:1/none")
    settings_module._load.cache_clear()
    answer = signed_in.get("/ecg/")
    assert answer.status_code == 503
    assert "cannot be read at the moment" in answer.text
    assert "hidden" not in answer.text


def test_the_worklists_model_leads_to_its_card(signed_in, platform, database, add_report):
    from ecg_core.models import SHIPPED_VERSION
    from ecg_core.pipeline.versions import prepare_database

    prepare_database(settings_module.load_settings())
    (platform / "reports" / "r.html").write_text("x")
    add_report(database, "r.html", html="x", version=SHIPPED_VERSION)
    assert f'href="/ecg/models/{SHIPPED_VERSION}"' in signed_in.get("/ecg/").text
    answer = signed_in.get(f"/ecg/models/{SHIPPED_VERSION}")
    assert answer.status_code == 200
    for said in ("Task beats", "MIT-BIH", "Confusion on deciding", "pacemakers", "it ships with the platform"):
        assert said in answer.text, said
    assert signed_in.get("/ecg/models/no-such-version").status_code == 404
    assert signed_in.get("/ecg/models/%3Cscript%3E").status_code == 404
