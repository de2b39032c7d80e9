"""Fetching, from a folder and from a real web server that cuts connections, lies and lacks files."""

import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from ecg_core.datasets import sources
from ecg_core.datasets.physionet import DATABASES, fetch
from ecg_core.errors import ChecksumMismatch, DatasetUnavailable

RECORDS = ("100", "101", "102")


@pytest.fixture
def base(tmp_path):
    """A slice of what PhysioNet publishes as mitdb: three records, random content, and a list of sums."""
    folder = tmp_path / "base" / "mitdb" / "1.0.0"
    folder.mkdir(parents=True)
    lines = []
    for seed, record in enumerate(RECORDS):
        for suffix, size in (("hea", 200), ("dat", 3_000_000), ("atr", 5_000)):
            content = bytes((seed + 1) * i % 251 for i in range(1000)) * (size // 1000) + record.encode()
            (folder / f"{record}.{suffix}").write_bytes(content)
            lines.append(f"{hashlib.sha256(content).hexdigest()} {record}.{suffix}")
    (folder / "mitdbdir").mkdir()
    (folder / "mitdbdir" / "intro.htm").write_text("not needed")
    lines += [f"{hashlib.sha256(b'not needed').hexdigest()} mitdbdir/intro.htm", f"{'0' * 64} ../../../evil.dat"]
    (folder / "SHA256SUMS.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "base"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder with byte ranges, as PhysioNet does, and misbehaves as told."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        path = Path(self.translate_path(self.path))
        if self.path in server.fails:
            server.fails.remove(self.path)
            self.send_error(503)
        elif not path.is_file():
            self.send_error(404)
        else:
            self.send_part(path.read_bytes(), self.path in server.cuts)

    def send_part(self, content, cut):
        wanted = self.headers.get("Range") if self.server.ranges else None
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if wanted and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if cut:
            self.server.cuts.remove(self.path)
            self.wfile.write(content[start : start + 1_000_000])
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(base, monkeypatch):
    monkeypatch.setattr(sources, "FIRST_PAUSE_S", 0.01)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(base))) as running:
        running.requests, running.fails, running.cuts, running.ranges = [], [], [], True
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.url = f"http://127.0.0.1:{running.server_port}"
        yield running
        running.shutdown()
        thread.join()


def assert_right(fetched, base):
    published = base / "mitdb" / "1.0.0"
    there = {path.name for path in fetched.path.iterdir() if not path.name.startswith(".")}
    assert there == {f"{record}.{suffix}" for record in RECORDS for suffix in ("hea", "dat", "atr")} - set(
        fetched.skipped
    )
    for name in there:
        assert (fetched.path / name).read_bytes() == (published / name).read_bytes()
    assert fetched.n_files == len(there)
    assert fetched.n_bytes == sum((fetched.path / name).stat().st_size for name in there)


def test_from_a_folder(base, tmp_path):
    fetched = fetch("mitdb", str(base), tmp_path / "here")
    assert fetched.path == tmp_path / "here" / "mitdb" / "1.0.0"
    assert fetched.skipped == ()
    assert_right(fetched, base)


def test_from_the_web(base, server, tmp_path):
    seen = []
    fetched = fetch("mitdb", server.url, tmp_path / "here", seen.append)
    assert_right(fetched, base)
    assert fetched.sha256 == fetch("mitdb", str(base), tmp_path / "there").sha256
    assert (seen[-1].files_done, seen[-1].files_total, seen[-1].bytes_done) == (9, 9, fetched.n_bytes)
    assert not any("mitdbdir" in path or "evil" in path for path, _ in server.requests)


def test_a_second_fetch_transfers_nothing(server, tmp_path):
    first = fetch("mitdb", server.url, tmp_path / "here")
    server.requests.clear()
    assert fetch("mitdb", server.url, tmp_path / "here") == first
    assert [path for path, _ in server.requests] == ["/mitdb/1.0.0/SHA256SUMS.txt"]


def test_a_connection_that_is_cut_is_taken_up_where_it_stopped(base, server, tmp_path):
    server.cuts.append("/mitdb/1.0.0/101.dat")
    assert_right(fetch("mitdb", server.url, tmp_path / "here"), base)
    ranges = [r for path, r in server.requests if path.endswith("101.dat")]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert int(ranges[1].removeprefix("bytes=").removesuffix("-")) > 0


def test_a_server_without_ranges_starts_anew(base, server, tmp_path):
    server.cuts.append("/mitdb/1.0.0/101.dat")
    server.ranges = False
    seen = []
    fetched = fetch("mitdb", server.url, tmp_path / "here", seen.append)
    assert_right(fetched, base)
    assert seen[-1].bytes_done == fetched.n_bytes


def test_a_fetch_that_died_goes_on_with_what_it_left(base, server, tmp_path):
    folder = tmp_path / "here" / "mitdb" / "1.0.0"
    folder.mkdir(parents=True)
    content = (base / "mitdb" / "1.0.0" / "100.dat").read_bytes()
    (folder / "100.dat.part").write_bytes(content[:2_000_000])
    (folder / "101.dat.part").write_bytes(b"of another version")
    (folder / "102.dat.part").write_bytes((base / "mitdb" / "1.0.0" / "102.dat").read_bytes())
    assert_right(fetch("mitdb", server.url, tmp_path / "here"), base)
    assert ("/mitdb/1.0.0/100.dat", "bytes=2000000-") in server.requests


def test_passing_trouble_is_waited_out(base, server, tmp_path):
    server.fails += ["/mitdb/1.0.0/SHA256SUMS.txt", "/mitdb/1.0.0/100.hea", "/mitdb/1.0.0/100.hea"]
    assert_right(fetch("mitdb", server.url, tmp_path / "here"), base)


def test_lasting_trouble_ends_the_fetch_and_keeps_what_is_there(base, server, tmp_path):
    server.fails += ["/mitdb/1.0.0/102.hea"] * 10
    with pytest.raises(DatasetUnavailable, match="503") as caught:
        fetch("mitdb", server.url, tmp_path / "here")
    assert caught.value.retryable
    assert (tmp_path / "here" / "mitdb" / "1.0.0" / "100.dat").exists()
    server.fails.clear()
    server.requests.clear()
    assert_right(fetch("mitdb", server.url, tmp_path / "here"), base)
    assert "/mitdb/1.0.0/100.dat" not in [path for path, _ in server.requests]


@pytest.mark.parametrize("over", ["folder", "web"])
def test_a_flipped_byte_is_found_and_not_kept(base, server, tmp_path, over):
    bad = base / "mitdb" / "1.0.0" / "101.dat"
    content = bytearray(bad.read_bytes())
    content[1_500_000] ^= 1
    bad.write_bytes(content)
    with pytest.raises(ChecksumMismatch, match=r"101\.dat") as caught:
        fetch("mitdb", server.url if over == "web" else str(base), tmp_path / "here")
    assert caught.value.retryable
    assert not list((tmp_path / "here").rglob("101.dat*"))


def test_a_file_that_was_damaged_here_is_fetched_again(base, tmp_path):
    fetched = fetch("mitdb", str(base), tmp_path / "here")
    (fetched.path / "100.dat").write_bytes(b"damaged")
    (fetched.path / "101.hea").unlink()
    assert_right(fetch("mitdb", str(base), tmp_path / "here"), base)


def test_files_put_there_by_hand_are_checked_and_kept(base, server, tmp_path):
    folder = tmp_path / "here" / "mitdb" / "1.0.0"
    folder.mkdir(parents=True)
    for file in (base / "mitdb" / "1.0.0").glob("*.dat"):
        (folder / file.name).write_bytes(file.read_bytes())
    assert_right(fetch("mitdb", server.url, tmp_path / "here"), base)
    assert not [path for path, _ in server.requests if path.endswith(".dat")]


@pytest.mark.parametrize("over", ["folder", "web"])
def test_published_files_that_the_base_lacks_are_told(base, server, tmp_path, over):
    (base / "mitdb" / "1.0.0" / "102.atr").unlink()
    fetched = fetch("mitdb", server.url if over == "web" else str(base), tmp_path / "here")
    assert fetched.skipped == ("102.atr",)
    assert_right(fetched, base)


def test_without_sums_a_folder_is_listed_and_changes_are_seen(base, tmp_path):
    folder = base / "mitdb" / "1.0.0"
    (folder / "SHA256SUMS.txt").unlink()
    first = fetch("mitdb", str(base), tmp_path / "here")
    assert_right(first, base)
    assert fetch("mitdb", str(base), tmp_path / "here") == first
    (folder / "100.hea").write_text("another version")
    second = fetch("mitdb", str(base), tmp_path / "here")
    assert_right(second, base)
    assert second.sha256 != first.sha256


def test_without_sums_the_web_is_read_by_its_list_of_records(base, server, tmp_path):
    (base / "mitdb" / "1.0.0" / "SHA256SUMS.txt").unlink()
    with pytest.raises(DatasetUnavailable, match="RECORDS"):
        fetch("mitdb", server.url, tmp_path / "here")
    (base / "mitdb" / "1.0.0" / "RECORDS").write_text("\n".join(RECORDS) + "\n999\n")
    fetched = fetch("mitdb", server.url, tmp_path / "here")
    assert fetched.skipped == ("999.atr", "999.dat", "999.hea")
    assert fetched.n_files == 9


@pytest.mark.parametrize(
    "what", ["no such folder", "an empty base", "nobody listens", "no such database", "all files gone"]
)
def test_nothing_there(base, tmp_path, monkeypatch, what):
    monkeypatch.setattr(sources, "FIRST_PAUSE_S", 0.01)
    (tmp_path / "empty" / "mitdb" / "1.0.0").mkdir(parents=True)
    if what == "all files gone":
        for file in (base / "mitdb" / "1.0.0").glob("1*"):
            file.unlink()
    addresses = {
        "no such folder": tmp_path / "nowhere",
        "an empty base": tmp_path / "empty",
        "nobody listens": "http://127.0.0.1:9",
    }
    with pytest.raises(DatasetUnavailable):
        fetch("ecgdb" if what == "no such database" else "mitdb", str(addresses.get(what, base)), tmp_path / "here")


def test_a_page_instead_of_the_list(base, server, tmp_path):
    (base / "mitdb" / "1.0.0" / "SHA256SUMS.txt").write_text("<html>Please sign in to the network</html>")
    with pytest.raises(DatasetUnavailable):
        fetch("mitdb", server.url, tmp_path / "here")


def test_what_was_fetched_whole_is_used_when_the_base_is_away(base, tmp_path):
    first = fetch("mitdb", str(base), tmp_path / "here")
    assert fetch("mitdb", str(tmp_path / "nowhere"), tmp_path / "here") == first
    (first.path / "100.dat").write_bytes(b"damaged")
    with pytest.raises(DatasetUnavailable):
        fetch("mitdb", str(tmp_path / "nowhere"), tmp_path / "here")


def test_two_fetches_at_once(base, server, tmp_path):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(fetch("mitdb", server.url, tmp_path / "here"))) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert results[0] == results[1]
    assert_right(results[0], base)
    assert len([path for path, _ in server.requests if path.endswith("100.dat")]) == 1


def test_the_real_mirror_is_checked_against_its_sums(mitdb, tmp_path):
    fetched = fetch("mitdb", str(mitdb.parents[1]), tmp_path)
    assert fetched.n_files == 48 * 3
    assert fetched.skipped == ()


@pytest.mark.parametrize("database", ["ptb-xl", "challenge-2017", "qtdb"])
def test_other_databases_of_the_mirror(mitdb, tmp_path, database):
    folder = mitdb.parents[1] / database / DATABASES[database].version
    if not folder.is_dir():
        pytest.skip(f"the mirror here lacks {database}")
    fetched = fetch(database, str(mitdb.parents[1]), tmp_path)
    headers = {path.relative_to(folder) for path in folder.rglob("*.hea")}
    assert {path.relative_to(fetched.path) for path in fetched.path.rglob("*.hea")} == headers
