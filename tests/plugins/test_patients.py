"""A patient's page in a real Chromium: all recordings, two side by side, and one filed under the wrong patient."""

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import create_engine, text

from ecg_core.settings import load_settings


@pytest.fixture
def of_one(platform, database, build_scored):
    """Two recordings of one patient by number of the report and id, scored one after the other; another is known."""
    reports = [build_scored(platform, database, seed=seed)[0] for seed in range(2)]
    engine = create_engine(database)
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO ecg.patient (patient_pseudonym) VALUES ('p-right')"))
        of_file = "start_time = '2026-03-01', age_years = 61, sex = 'female'"
        first = {"id": _id(conn, reports[0])}
        conn.execute(text(f"UPDATE ecg.recording SET {of_file} WHERE recording_id = :id"), first)
        ids = [_id(conn, report) for report in reports]
    yield list(zip(reports, ids, strict=True))
    engine.dispose()


def _id(conn, report_id):
    query = "SELECT recording_id FROM ecg.reading JOIN ecg.report USING (reading_id) WHERE report_id = :id"
    return conn.execute(text(query), {"id": report_id}).scalar_one()


def rows(database, query):
    engine = create_engine(database)
    with engine.connect() as conn:
        found = [tuple(row) for row in conn.execute(text(query))]
    engine.dispose()
    return found


def test_from_the_worklist_to_two_reports_side_by_side(page, served, of_one):
    page.goto(f"{served}/ecg/")
    first = page.locator("tbody tr").filter(has_text=of_one[0][1][:12])
    assert "61 years, female" in first.inner_text()
    assert "unread" in first.inner_text()
    first.get_by_role("link", name="p-1234abcd").click()
    assert page.locator("tbody tr").count() == 2
    assert [page.locator("figcaption").nth(i).inner_text() for i in range(3)] == ["Heart rate", "Burdens", "Intervals"]
    assert page.locator("svg.trend path.mark").count() >= 6
    page.get_by_role("button", name="Show two side by side").click()
    sides = page.locator("iframe")
    assert sides.count() == 2
    for i in range(2):
        assert "At a glance" in sides.nth(i).content_frame.locator("body").inner_text()
    page.goto(f"{served}/ecg/reports/{of_one[0][0]}/review")
    page.goto(f"{served}/ecg/?state=in+work")
    assert page.locator("tbody tr").count() == 1
    assert "reader" in page.locator("tbody tr").inner_text()


def test_a_recording_is_moved_and_its_report_says_so(page, served, of_one, database):
    (old, old_id), (new, new_id) = of_one
    page.goto(f"{served}/ecg/patients/p-1234abcd")
    page.select_option("#recording", old_id)
    page.fill("#to", "p-nobody")
    page.get_by_role("button", name="Move").click()
    assert "no patient with that pseudonym" in page.get_by_role("alert").inner_text()
    page.select_option("#recording", old_id)
    page.fill("#to", "p-right")
    page.get_by_role("button", name="Move").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Patient p-right"
    assert page.locator("tbody tr").count() == 1
    page.goto(f"{served}/ecg/reports/{old}")
    assert "p-right" in page.inner_text("#head")
    assert "Amended: a person filed this recording under another patient" in page.inner_text("#head")
    page.goto(f"{served}/ecg/reports/{new}")
    assert page.locator("#compared").count() == 0
    moved = "SELECT user_name, recording_id, from_patient, to_patient FROM ecg.audit WHERE action = 'moved'"
    assert rows(database, moved) == [("reader", old_id, "p-1234abcd", "p-right")]
    opened = "SELECT DISTINCT user_name FROM ecg.audit WHERE action = 'opened'"
    assert rows(database, opened) == [("reader",)]
    assert new_id != old_id


def test_who_may_only_read_moves_nothing(client, token_of, of_one, database):
    client.cookies.set("_token", token_of("viewer"))
    page = client.get("/ecg/patients/p-1234abcd").text
    assert "Filed under the wrong patient" not in page
    sent = {"recording": of_one[0][1], "to": "p-right", "token": "0" * 64}
    answer = client.post("/ecg/patients/p-1234abcd/move", data=sent, headers={"Origin": "http://testserver"})
    assert answer.status_code == 403
    client.cookies.set("_token", token_of("user"))
    forged = client.post("/ecg/patients/p-1234abcd/move", data=sent, headers={"Origin": "http://testserver"})
    assert forged.status_code == 403
    assert rows(database, "SELECT count(*) FROM ecg.audit WHERE action = 'moved'") == [(0,)]
    assert client.get("/ecg/patients/p-unknown").status_code == 404
    assert client.get(f"/ecg/compare?report={of_one[0][0]}").status_code == 422


def test_scored_again_it_stays_where_it_was_moved(of_one, database, build_scored, platform):
    from benchmarks.made_up import drawn
    from ecg_core.readers import patients
    from ecg_core.store.patients import as_filed

    moved = patients.move(load_settings(), of_one[1][1][:10], None, "ops")
    assert (moved.was, moved.now, moved.redrawn) == ("p-1234abcd", None, 1)
    facts = replace(drawn("NNN").recording, recording_id=of_one[1][1])
    engine = create_engine(database)
    with engine.connect() as conn:
        filed = as_filed(conn, facts)
    engine.dispose()
    assert (facts.patient_pseudonym, filed.patient_pseudonym) == ("p-1234abcd", None)
    assert isinstance(filed.moved_at, datetime)
