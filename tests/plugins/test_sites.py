"""Two sites' readers: what each sees of the other's on every page, by every action and by direct address: nothing."""

import re

import pytest
from sqlalchemy import create_engine, text

from ecg_core import settings as settings_module
from ecg_core.datasets import synth
from ecg_core.sites import read_sites

ORIGIN = {"Origin": "http://testserver"}
SITES = """
[north]
roles = ["user"]
[south]
roles = ["op"]
"""
OF_REPORT = {"", "/review", "/answers", "/beats"}
ROUTES = {"/", "/compare", "/patients/{pseudonym}", "/patients/{pseudonym}/move", "/uploads", "/uploads/{upload_id}"}
OF_NO_PATIENT = {"/models/{version}"}


@pytest.fixture
def sites(platform, tmp_path, monkeypatch):
    (tmp_path / "sites.toml").write_text(SITES)
    monkeypatch.setenv("ECG_SITES", str(tmp_path / "sites.toml"))
    settings_module._load.cache_clear()


@pytest.fixture
def stored(sites, platform, database, build_scored):
    """Reports of three recordings of one patient by site, the last of none; another patient is the south's alone."""
    engine = create_engine(database)
    found = {}
    with engine.begin() as conn:
        for seed, site in enumerate(("north", "south", None)):
            report_id, result = build_scored(platform, database, seed=seed)
            found[site] = (report_id, result.recording.recording_id)
            facts = {"site": site, "id": result.recording.recording_id}
            conn.execute(text("UPDATE ecg.recording SET site = :site WHERE recording_id = :id"), facts)
        conn.execute(text("INSERT INTO ecg.patient (patient_pseudonym) VALUES ('p-south')"))
    with engine.begin() as conn:
        of_south = "UPDATE ecg.recording SET patient_pseudonym = 'p-south' WHERE recording_id = :id"
        conn.execute(text(of_south), {"id": build_scored(platform, database, seed=9)[1].recording.recording_id})
        conn.execute(text("UPDATE ecg.recording SET site = 'south' WHERE patient_pseudonym = 'p-south'"))
    yield found
    engine.dispose()


@pytest.fixture
def sign_in(client, token_of):
    def as_(role, name=None):
        client.headers["Authorization"] = f"Bearer {token_of(role, name or role)}"
        client.cookies.set("_token", token_of(role, name or role))
        return client

    return as_


def own_and_others(stored):
    return ("user", stored["north"], stored["south"]), ("op", stored["south"], stored["north"])


def test_every_route_is_tried_here(airflow_home):
    from ecg_airflow.reports_app import build_app

    paths = {route.path for route in build_app().routes}
    assert paths == {f"/reports/{{report_id}}{end}" for end in OF_REPORT} | ROUTES | OF_NO_PATIENT


def test_another_sites_report_is_not_found_by_any_of_its_addresses(stored, sign_in):
    for role, (own, _), (others, _) in own_and_others(stored):
        client = sign_in(role)
        for end in OF_REPORT:
            assert client.get(f"/ecg/reports/{own}{end}").status_code == 200, (role, end)
            for hidden in (others, stored[None][0], f"0{others}", f"{others} "):
                assert client.get(f"/ecg/reports/{hidden}{end}").status_code == 404, (role, end)


def test_another_sites_report_is_not_answered(stored, sign_in, database):
    for role, (own, _), (others, _) in own_and_others(stored):
        client = sign_in(role)
        form = client.get(f"/ecg/reports/{own}/review").text
        sent = {"token": re.search(r'name="token" value="([^"]+)"', form)[1], "action": "sign", "comment": "Seen."}
        assert client.post(f"/ecg/reports/{others}/review", data=sent, headers=ORIGIN).status_code == 404
        assert client.post(f"/ecg/reports/{own}/review", data=sent, headers=ORIGIN).status_code == 303
    by_reader = "SELECT user_name, count(DISTINCT reading_id) FROM ecg.audit GROUP BY 1 ORDER BY 1"
    assert rows(database, by_reader) == [("op", 1), ("user", 1)]
    assert rows(database, "SELECT count(*) FROM ecg.review") == [(2,)]


def test_the_worklist_has_ones_own_recordings_alone(stored, sign_in):
    for role, (_, own), (_, others) in own_and_others(stored):
        client = sign_in(role)
        site, other = ("north", "south") if role == "user" else ("south", "north")
        for asked in ("", f"?site={site}", "?search=p-1234abcd", "?order=newest", "?state=unread", "?finding=v_run"):
            page = client.get(f"/ecg/{asked}").text
            assert own[:12] in page, (role, asked)
            assert others[:12] not in page, (role, asked)
            assert f'value="{other}"' not in page, (role, asked)
        for asked in (f"?site={other}", f"?search={others[:12]}", f"?search={stored[None][1][:12]}"):
            page = client.get(f"/ecg/{asked}").text
            assert "/review" not in page, (role, asked)
    assert len(set(re.findall(r"/reports/\d+/review", sign_in("user").get("/ecg/").text))) == 1


def test_two_reports_are_compared_of_ones_own_alone(stored, sign_in):
    for role, (own, _), (others, _) in own_and_others(stored):
        client = sign_in(role)
        assert client.get(f"/ecg/compare?report={own}&report={own}").status_code == 200
        for pair in ((own, others), (others, own), (own, stored[None][0])):
            assert client.get("/ecg/compare", params={"report": pair}).status_code == 404


def test_a_patients_page_shows_ones_own_recordings_alone(stored, sign_in):
    for role, (_, own), (_, others) in own_and_others(stored):
        page = sign_in(role).get("/ecg/patients/p-1234abcd")
        assert (own[:12] in page.text, others[:12] in page.text) == (True, False)
        assert stored[None][1][:12] not in page.text
    assert sign_in("user").get("/ecg/patients/p-south").status_code == 404
    assert sign_in("op").get("/ecg/patients/p-south").status_code == 200


def test_another_sites_recording_is_not_moved_nor_ones_own_to_its_patient(stored, sign_in, database):
    client = sign_in("user")
    form = client.get("/ecg/patients/p-1234abcd").text
    token = re.search(r'name="token" value="([^"]+)"', form)[1]
    refused = ((stored["south"][1], ""), (stored["south"][1][:10], ""), (stored["north"][1], "p-south"))
    for recording, to in refused:
        sent = {"token": token, "recording": recording, "to": to}
        assert client.post("/ecg/patients/p-1234abcd/move", data=sent, headers=ORIGIN).status_code == 422
    assert rows(database, "SELECT count(*) FROM ecg.audit WHERE action = 'moved'") == [(0,)]
    sent = {"token": token, "recording": stored["north"][1], "to": ""}
    assert client.post("/ecg/patients/p-1234abcd/move", data=sent, headers=ORIGIN).status_code == 303


def test_who_is_of_no_site_sees_nothing_and_who_sees_all_sees_all(stored, sign_in):
    reports = [report_id for report_id, _ in stored.values()]
    assert [sign_in("viewer").get(f"/ecg/reports/{one}").status_code for one in reports] == [404] * 3
    assert "/review" not in sign_in("viewer").get("/ecg/").text
    assert [sign_in("admin").get(f"/ecg/reports/{one}").status_code for one in reports] == [200] * 3


def test_without_a_file_of_sites_all_is_seen(stored, sign_in, monkeypatch):
    monkeypatch.delenv("ECG_SITES")
    settings_module._load.cache_clear()
    assert [sign_in("viewer").get(f"/ecg/reports/{one}").status_code for one, _ in stored.values()] == [200] * 3


def test_an_upload_is_of_its_senders_site(sites, writable, sign_in, tmp_path, database):
    header = synth.write_wfdb(synth.synthesise(10.0, n_leads=1, seed=5), tmp_path / "sent", "one")
    paths = (header, header.with_suffix(".dat"))
    files = [("files", (path.name, path.read_bytes())) for path in paths]
    north = sign_in("user")
    assert north.post("/ecg/uploads?site=south", files=files).status_code == 422
    upload = north.post("/ecg/uploads", files=files).json()["upload"]
    (told,) = north.get(f"/ecg/uploads/{upload}").json()["recordings"]
    assert told["outcome"] == "scored"
    assert north.get(told["report"]).status_code == 200
    assert rows(database, "SELECT site FROM ecg.recording") == [("north",)]
    south = sign_in("op")
    assert south.get(f"/ecg/uploads/{upload}").status_code == 404
    assert south.get(told["report"]).status_code == 404
    again = south.post("/ecg/uploads", files=files).json()["upload"]
    (refused,) = south.get(f"/ecg/uploads/{again}").json()["recordings"]
    assert (refused["outcome"], refused["report"]) == ("set aside", None)
    assert "Another site sent" in refused["reason"]
    assert sign_in("admin").get(f"/ecg/uploads/{again}").status_code == 200
    (tmp_path / "sites.toml").write_text(SITES.replace("[north]", "[north]\nquota_gb = 1e-6"))
    settings_module._load.cache_clear()
    read_sites.cache_clear()
    assert sign_in("user").post("/ecg/uploads", files=files).status_code == 507
    assert sign_in("op").post("/ecg/uploads", files=files).status_code == 201


def rows(database, query):
    engine = create_engine(database)
    with engine.connect() as conn:
        found = [tuple(row) for row in conn.execute(text(query))]
    engine.dispose()
    return found
