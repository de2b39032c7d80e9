"""What stands before Airflow's own pages: sign-in, its cookie, headers, and a database that does not answer."""

import json
from pathlib import Path

import pytest

from ecg_core.texts import say_ui


def password(airflow_home: Path) -> str:
    """Of the user that Airflow's simple sign-in made for itself."""
    kept = airflow_home / "simple_auth_manager_passwords.json.generated"
    return json.loads(kept.read_text())["admin"]


@pytest.fixture
def patient(airflow_home):
    """Forget wrong passwords of tests before."""
    from ecg_airflow import doorkeeper

    clock = [0.0]
    return doorkeeper.Attempts(lambda: clock[0]), clock


def test_each_wrong_password_waits_longer_than_the_last(patient):
    attempts, clock = patient
    for _ in range(5):
        assert attempts.wait_s("a") == 0
        attempts.wrong("a")
    waited = []
    for _ in range(12):
        waited.append(attempts.wait_s("a"))
        clock[0] += waited[-1]
        assert attempts.wait_s("a") == 0
        attempts.wrong("a")
    assert waited[:4] == [2, 4, 8, 16]
    assert waited[-1] == 900
    assert attempts.wait_s("b") == 0
    attempts.right("a")
    assert attempts.wait_s("a") == 0


def test_a_sixth_wrong_password_is_not_even_looked_at(client, airflow_home):
    def sign_in(word: str):
        return client.post("/auth/token", json={"username": "admin", "password": word})

    assert sign_in(password(airflow_home)).status_code == 201
    assert [sign_in("wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    refused = sign_in(password(airflow_home))
    assert refused.status_code == 429, "the right one neither, or an attacker would learn it"
    assert "Too many wrong passwords" in refused.json()["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 2


@pytest.mark.parametrize("path", ["/", "/auth/login", "/dags", "/api/v2/version", "/no/such/page", "/ecg/"])
def test_every_page_has_a_policy_and_strict_headers(client, path):
    response = client.get(path)
    assert "default-src" in response.headers["content-security-policy"]
    assert "'unsafe-inline'" not in response.headers["content-security-policy"].split("style-src")[0]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "SAMEORIGIN"
    assert client.get("/docs").headers["content-type"] != "application/json"


def test_signing_in_by_the_page_gives_a_cookie_that_no_script_reads(served, context, airflow_home):
    page = context.new_page()
    context.clear_cookies()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.goto(f"{served}/auth/login")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password(airflow_home))
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/auth/login" not in url)
    page.get_by_text("Dags").first.wait_for()
    [cookie] = [one for one in context.cookies() if one["name"] == "_token"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert "_token" not in page.evaluate("document.cookie")
    assert page.request.get(f"{served}/api/v2/dags").status == 200
    assert complaints == []


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("fails", ["raises", "answers 500"])
def test_without_the_database_there_is_a_sentence_and_no_bare_500(airflow_home, monkeypatch, accept, fails):
    from ecg_airflow.doorkeeper import Doorkeeper
    from fastapi.testclient import TestClient
    from starlette.responses import PlainTextResponse

    async def broken(scope, receive, send):
        if fails == "raises":
            raise RuntimeError("connection refused")
        await PlainTextResponse("Internal Server Error", 500)(scope, receive, send)

    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://x:y@127.0.0.1:1/z")
    answer = TestClient(Doorkeeper(broken)).get("/dags", headers={"accept": accept})
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith(accept)
    assert say_ui("status_503") in answer.text
    assert "default-src" in answer.headers["content-security-policy"]
