"""The review form within Airflow's real API app: who may send it, what may be sent, and that forgeries are refused."""

import re

import pytest

PAGE = "http://testserver"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def reviewable(platform, database, build_scored):
    """A scored result with its report in place: number of the report, and the result."""
    return build_scored(platform, database)


@pytest.fixture
def reviewer(client, token_of):
    client.cookies.set("_token", token_of("user"))
    client.headers["Origin"] = PAGE
    return client


def token_in(page: str) -> str:
    return re.search(r'name="token" value="([0-9a-f]{64})"', page).group(1)


def send(client, report_id, token=None, headers=None, **fields):
    url = f"/ecg/reports/{report_id}/review"
    token = token_in(client.get(url).text) if token is None else token
    return client.post(url, data={"token": token, **fields}, headers=headers)


def test_a_reviewer_answers_and_it_stands_in_the_report(reviewer, reviewable):
    report_id, result = reviewable
    at_s = float(result.beats.r_time_s[5])
    fields = {"finding.v_run": "disagree", "finding.v_beats": "agree", "comment": "Aberrant <i>conduction</i>"}
    fields |= {"from.0": f"{at_s:.2f}", "class.0": "S", "from.1": "0:00:10", "to.1": "0:00:20.5", "class.1": "N"}
    answer = send(reviewer, report_id, action="sign", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/ecg/reports/{report_id}/review?saved=1")
    assert "Saved." in reviewer.get(answer.headers["location"]).text
    report = reviewer.get(f"/ecg/reports/{report_id}").text
    assert "Aberrant &lt;i&gt;conduction&lt;/i&gt;" in report
    assert "Disagrees with finding no. 1." in report
    assert "Agrees with finding no. 2." in report
    assert "Beat 6 at" in report
    assert "All beats from 0:00:10.0 to 0:00:20.5 are N." in report
    worklist = reviewer.get("/ecg/?state=signed").text
    assert "reader" in worklist
    assert f"/ecg/reports/{report_id}/review" in worklist
    assert "No report fits" in reviewer.get("/ecg/?state=unread").text
    beats = reviewer.get(f"/ecg/reports/{report_id}/beats")
    assert beats.headers["content-disposition"].endswith('.rev"')
    assert b"reviewed" in beats.content


def test_answering_again_adds_and_overwrites_nothing(reviewer, reviewable):
    report_id, _ = reviewable
    send(reviewer, report_id, action="save", comment="first thought")
    send(reviewer, report_id, action="sign", comment="second thought")
    page = reviewer.get(f"/ecg/reports/{report_id}").text
    assert page.index("second thought") < page.index("first thought")


def test_a_viewer_reads_and_does_not_write(client, token_of, reviewable):
    report_id, _ = reviewable
    client.cookies.set("_token", token_of("user"))
    client.headers["Origin"] = PAGE
    stolen = token_in(client.get(f"/ecg/reports/{report_id}/review").text)
    client.cookies.clear()
    client.cookies.set("_token", token_of("viewer"))
    page = client.get(f"/ecg/reports/{report_id}/review")
    assert page.status_code == 200
    assert "<form" not in page.text
    for token in ("", stolen):
        assert send(client, report_id, token, action="sign").status_code == 403
    assert "None yet." in client.get(f"/ecg/reports/{report_id}/review").text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://evil@testserver:81"},
    ],
)
def test_a_form_from_elsewhere_is_refused(reviewer, reviewable, headers):
    report_id, _ = reviewable
    assert send(reviewer, report_id, headers=headers, action="sign").status_code == 403
    assert "None yet." in reviewer.get(f"/ecg/reports/{report_id}/review").text


def test_without_an_origin_the_browser_must_say_that_it_is_ours(reviewer, reviewable):
    report_id, _ = reviewable
    del reviewer.headers["Origin"]
    assert send(reviewer, report_id, action="sign").status_code == 403
    assert send(reviewer, report_id, headers={"Sec-Fetch-Site": "cross-site"}, action="sign").status_code == 403
    assert send(reviewer, report_id, headers={"Sec-Fetch-Site": "same-origin"}, action="sign").status_code == 303


def test_the_token_holds_for_one_session_and_one_report_alone(reviewer, reviewable, token_of, database, add_report):
    report_id, _ = reviewable
    other, _ = add_report(database, "other.html", 77)
    token = token_in(reviewer.get(f"/ecg/reports/{report_id}/review").text)
    assert send(reviewer, other, token, action="sign").status_code == 403
    assert send(reviewer, report_id, "0" * 64, action="sign").status_code == 403
    assert send(reviewer, report_id, "é", action="sign").status_code == 403
    reviewer.cookies.clear()
    reviewer.cookies.set("_token", token_of("admin"))
    assert send(reviewer, report_id, token, action="sign").status_code == 403


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Nothing was answered"),
        ({"finding.v_run": "maybe"}, "agreed or disagreed"),
        ({"finding.nonsense": "agree"}, "no finding"),
        ({"from.0": "soon", "class.0": "V"}, "is no time"),
        ({"from.0": "5", "class.0": "X"}, "needs a time and a class"),
        ({"to.0": "5"}, "needs a time and a class"),
        ({"from.0": "9", "to.0": "5", "class.0": "V"}, "ends before"),
        ({"from.0": "0", "to.0": "99:59:59", "class.0": "V"}, "does not lie in the recording"),
        ({"from.0": "0.0", "class.0": "V"}, "No beat was detected"),
        ({"comment": "x" * 4001}, "longer than 4,000"),
        ({"from.0": "<script>alert(1)</script>", "class.0": "V"}, "&lt;script&gt;"),
    ],
)
def test_what_does_not_fit_is_said_kept_in_the_form_and_not_saved(reviewer, reviewable, fields, told):
    report_id, _ = reviewable
    answer = send(reviewer, report_id, action="save", **fields)
    assert answer.status_code == 422
    assert told in answer.text
    assert "<script>alert" not in answer.text
    if "comment" in fields:
        assert fields["comment"] in answer.text
    assert "None yet." in answer.text


def test_other_bodies_are_refused(reviewer, reviewable):
    report_id, _ = reviewable
    url = f"/ecg/reports/{report_id}/review"
    assert reviewer.post(url, json={"action": "sign"}).status_code == 415
    assert reviewer.post(url, content=b"comment=" + b"x" * 70_000, headers=FORM).status_code == 413
    assert reviewer.post(url, content=b"comment=%ff", headers=FORM).status_code == 422
    assert reviewer.post(url, content=b"&".join([b"a=1"] * 600), headers=FORM).status_code == 422
    token = token_in(reviewer.get(url).text)
    assert (
        reviewer.post(url, content=f"token={token}&action=sign&action=save".encode(), headers=FORM).status_code == 422
    )
    assert reviewer.put(url).status_code == 405
    assert "None yet." in reviewer.get(url).text


@pytest.mark.parametrize("report_id", ["0", "999999", "abc", "-1", "9" * 40])
def test_there_is_nothing_to_review_where_there_is_no_report(reviewer, report_id):
    assert reviewer.get(f"/ecg/reports/{report_id}/review").status_code == 404
    assert reviewer.get(f"/ecg/reports/{report_id}/beats").status_code == 404
    assert send(reviewer, report_id, "0" * 64, action="sign").status_code == 404


def test_the_report_may_run_its_own_script_and_no_other(reviewer, reviewable):
    report_id, _ = reviewable
    answer = reviewer.get(f"/ecg/reports/{report_id}")
    policy = answer.headers["Content-Security-Policy"]
    hashes = re.findall(r"&#39;(sha256-[^&]+)&#39;", answer.text[:2000])
    assert len(hashes) == 3  # style, the running head of each sheet, script
    assert all(f"'{digest}'" in policy for digest in hashes)
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 3000, "a\u202eb", "{{7*7}}"])
def test_hostile_user_names_and_comments_stay_text(client, token_of, reviewable, name):
    report_id, _ = reviewable
    client.cookies.set("_token", token_of("user", name))
    client.headers["Origin"] = PAGE
    assert send(client, report_id, action="sign", comment=name).status_code == 303
    for path in ("/ecg/", f"/ecg/reports/{report_id}", f"/ecg/reports/{report_id}/review"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "49" not in page or "{{7*7}}" in page or "{{7" not in name
    assert "\u202e" not in client.get(f"/ecg/reports/{report_id}").text
