"""Uploads within Airflow's real API app: who may, what comes of it, and that nothing a sender names steers the disk."""

import re

import pytest

PAGE = "http://testserver"


@pytest.fixture
def sender(client, writable, token_of):
    """A program with the right to write."""
    client.headers["Authorization"] = f"Bearer {token_of('user')}"
    return client


def post(client, paths, **headers):
    return client.post(
        "/ecg/uploads", files=[("files", (path.name, path.read_bytes())) for path in paths], headers=headers
    )


def test_a_program_uploads_and_is_told_what_became_of_each(sender, twenty, writable):
    answer = post(sender, twenty)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert len(twenty) == 20
    assert len(told["recordings"]) == len(twenty) - 2
    assert sorted(at for one in told["recordings"] for at in one["files"]) == list(range(len(twenty)))
    found = sender.get(f"/ecg/uploads/{told['upload']}").json()
    assert found["done"]
    by_number = {one["number"]: one for one in found["recordings"]}
    for at in (18, 19):  # a signal file without its header, and a letter
        refused = by_number.pop(at)
        assert (refused["outcome"], refused["report"]) == ("set aside", None)
    assert {one["outcome"] for one in by_number.values()} == {"scored"}, by_number
    for one in by_number.values():
        assert sender.get(one["report"]).status_code == 200
    names = [str(path.relative_to(writable)) for path in writable.rglob("*") if "Zzyzxname/" not in str(path)]
    assert [name for name in names if "zzyzx" in name.lower() and name != "Zzyzxname"] == []


@pytest.mark.parametrize(
    "name",
    ["../../evil.edf", "/etc/evil.edf", "..\\evil.hea", "evil\0.edf", ".ecg-profile.toml", "a" * 400, "", "con.hea"],
)
def test_no_name_steers_the_disk(sender, writable, name):
    before = set(writable.rglob("*"))
    answer = sender.post("/ecg/uploads", files=[("files", (name, b"evil 1 250 10 evil\n../evil.dat 16\n"))])
    assert answer.status_code in (201, 400, 422), answer.text
    new = [path for path in writable.rglob("*") if path not in before]
    assert [path for path in new if "evil" in path.name or path.stem == "con" or "profile" in path.name] == []
    uploads = [path for path in (writable / "uploads").rglob("*") if path.is_file()]
    assert all(
        re.fullmatch(r"[0-9a-f]{32}/\d+/recording\.[a-z0-9.]+", str(p.relative_to(writable / "uploads")))
        for p in uploads
    )
    assert not (writable.parent / "evil.edf").exists()


def test_without_sign_in_or_right_nothing_is_taken(client, writable, token_of, twenty):
    assert post(client, twenty[:1]).status_code == 401
    client.headers["Authorization"] = f"Bearer {token_of('viewer')}"
    assert post(client, twenty[:1]).status_code == 403
    assert "may read reports and not upload" in client.get("/ecg/uploads").text
    assert not any((writable / "uploads").rglob("*"))


def test_a_browsers_upload_needs_the_pages_token_and_our_origin(client, writable, token_of, twenty):
    client.cookies.set("_token", token_of("user"))
    token = re.search(r'data-token="([0-9a-f]{64})"', client.get("/ecg/uploads").text).group(1)
    assert post(client, twenty[:1], Origin=PAGE).status_code == 403
    assert post(client, twenty[:1], **{"x-ecg-token": "0" * 64, "Origin": PAGE}).status_code == 403
    assert post(client, twenty[:1], **{"x-ecg-token": token, "Origin": "https://evil.example"}).status_code == 403
    assert post(client, twenty[:1], **{"x-ecg-token": token}).status_code == 403
    assert not any((writable / "uploads").rglob("*"))
    assert post(client, twenty[:1], **{"x-ecg-token": token, "Origin": PAGE}).status_code == 201


def test_what_is_no_upload_or_too_large_is_refused_before_it_is_read(sender, writable, monkeypatch):
    from ecg_airflow import uploads

    assert sender.post("/ecg/uploads", content=b"x").status_code == 415
    assert sender.post("/ecg/uploads", files={}).status_code in (415, 422)
    many = [("files", (f"{i}.edf", b"x")) for i in range(101)]
    assert sender.post("/ecg/uploads", files=many).status_code in (400, 413)
    monkeypatch.setattr(uploads, "LARGEST_FILE_BYTES", 1000)
    large = sender.post("/ecg/uploads", files=[("files", ("a.edf", bytes(1001)))])
    assert (large.status_code, "200 MB" in large.json()["problem"]) == (413, True)
    monkeypatch.setattr(uploads, "MOST_BYTES", 1000)
    monkeypatch.setattr(uploads, "ROOM_FOR_NAMES_BYTES", 0)
    assert sender.post("/ecg/uploads", files=[("files", ("a.edf", bytes(2000)))]).status_code == 413
    assert not any((writable / "uploads").rglob("*"))


def test_a_missing_signal_file_is_named_to_the_sender(sender, writable, twenty):
    header = next(path for path in twenty if path.suffix == ".hea")
    told = post(sender, [header]).json()
    assert told["recordings"] == [{"number": 0, "files": [0], "missing": ["Zzyzxname-1.dat"]}]
    (found,) = sender.get(f"/ecg/uploads/{told['upload']}").json()["recordings"]
    assert found["outcome"] == "set aside"


@pytest.mark.parametrize("upload_id", ["0" * 32, "x", "0" * 31 + "g"])
def test_an_unknown_upload_is_not_found(sender, writable, upload_id):
    assert sender.get(f"/ecg/uploads/{upload_id}").status_code == 404
