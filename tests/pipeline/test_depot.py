"""Machines without a shared disk: what one registers another scores, and a third shows; all of it in one store."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from sqlalchemy import text

from ecg_core import depot
from ecg_core.errors import MachineError, SettingsError
from ecg_core.models import SHIPPED_VERSION, load_model, with_version
from ecg_core.models.version import SHIPPED_DIR
from ecg_core.operations import maintenance
from ecg_core.operations.backup import back_up
from ecg_core.pipeline import inbox
from ecg_core.readers import reports
from ecg_core.readers.forgetting import forget
from ecg_core.settings import Settings
from ecg_core.store.database import owner_engine

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def s3() -> Iterator[object]:
    """An S3 server with the bucket `shared`; a client of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        environment = {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "ENDPOINT_URL": endpoint}
        for name, value in (environment | {"DEFAULT_REGION": "us-east-1"}).items():
            patch.setenv(f"AWS_{name}", value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="shared")
        # Another test of this process may have asked another server by the same address.
        S3FileSystem.clear_instance_cache()
        yield client
    server.stop()


@pytest.fixture
def machines(settings: Settings, tmp_path: Path, s3: object, request: pytest.FixtureRequest) -> list[Settings]:
    """Three machines: one database, one store, a home each."""
    store = f"s3://shared/{tmp_path.name}"
    if getattr(request, "param", "object store") == "folder":
        store = str(tmp_path / "shared")
        (tmp_path / "shared").mkdir()
    shared = {**settings.model_dump(), "store": store, "pseudonym_key": KEY}
    return [Settings(**{**shared, "home": tmp_path / name}, _env_file=None) for name in ("one", "two", "three")]


def stored(machine: Settings) -> dict[str, int]:
    """Sizes of what is in the store, by name."""
    return {name: path.stat().st_size for name, path in depot.files(machine, ("recordings", "reports", "models"))}


@pytest.mark.parametrize("machines", ["object store", "folder"], indirect=True)
def test_one_registers_another_scores_and_a_third_shows(machines: list[Settings], arrive: Callable[..., Path]):
    one, two, three = machines
    arrive("a")
    arrive("b")
    assert inbox.register_arrivals(one) == {"new": 2}
    assert len(stored(one)) == 4
    [chunk] = inbox.plan_chunks(two)
    outcomes = inbox.score_chunk(two, chunk, "two")
    assert [outcome["outcome"] for outcome in outcomes] == ["scored", "scored"]
    assert not three.reports_dir.exists()
    html = reports.report_html(three, 1)
    assert html is not None
    assert "not for diagnosis" in html
    [kept] = three.reports_dir.rglob("*.html")
    # What another wrote into a cache is not shown: it is brought again.
    kept.write_text("<script>")
    assert reports.report_html(three, 1) == html
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depot, "KEPT_S", -1.0)
        (two.home / ".cache-trimmed").unlink()
        assert depot.prepare_cache(two) == 4, "copies and reports"
        assert depot.prepare_cache(two) == 0, "once an hour at most"
    assert len(stored(two)) == 6


def test_a_damaged_copy_is_set_aside_and_copied_again(machines: list[Settings], arrive: Callable[..., Path]):
    one, two, _ = machines
    arrive("a")
    inbox.register_arrivals(one)
    [signal] = [path for name, path in depot.files(one, ("recordings",)) if name.endswith(".dat")]
    signal.write_bytes(signal.read_bytes()[::-1])
    [chunk] = inbox.plan_chunks(two)
    [outcome] = inbox.score_chunk(two, chunk, "two")
    assert outcome["code"] == "copy damaged"
    assert stored(one) == {}
    assert inbox.register_arrivals(two) == {"sent again": 1}
    [outcome] = inbox.score_chunk(one, chunk, "one")
    assert outcome["outcome"] == "scored"


def test_a_store_out_of_reach_costs_no_recording(machines: list[Settings], arrive: Callable[..., Path]):
    one, two, _ = machines
    arrive("a")
    inbox.register_arrivals(one)
    [chunk] = inbox.plan_chunks(two)
    for store in ("s3://no-such-bucket/x", str(two.home / "not-mounted")):
        away = two.model_copy(update={"store": store})
        with pytest.raises(MachineError, match=r"out of (reach|sight)"):
            inbox.score_chunk(away, chunk, "two")
    with owner_engine(one).connect() as connection:
        assert connection.execute(text("SELECT state, attempts FROM ecg.ingest_ledger")).one() == ("waiting", 0)


def test_a_version_of_one_machine_scores_on_another(machines: list[Settings]):
    one, two, _ = machines
    own = one.models_dir / SHIPPED_VERSION
    shutil.copytree(SHIPPED_DIR / SHIPPED_VERSION, own)
    depot.put_folders(one, [(own, "manifest.json")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecg_core.models.version.SHIPPED_DIR", one.home / "none is shipped")
        assert load_model(SHIPPED_VERSION, with_version(two, SHIPPED_VERSION)).version == SHIPPED_VERSION
    assert (two.models_dir / SHIPPED_VERSION / "manifest.json").is_file()


def test_what_is_forgotten_and_backed_up_is_that_of_the_store(
    machines: list[Settings], arrive: Callable[..., Path], tmp_path: Path
):
    one, two, three = machines
    arrived = arrive("a")
    inbox.register_arrivals(one)
    [chunk] = inbox.plan_chunks(two)
    inbox.score_chunk(two, chunk, "two")
    assert back_up(three, str(tmp_path / "backup.tar")).n_files == 4
    for path in (arrived, arrived.with_suffix(".dat")):
        path.unlink()
    assert forget(three, chunk[0])["files"] == 3
    assert stored(one) == {}


@pytest.mark.parametrize("machines", ["object store", "folder"], indirect=True)
def test_what_a_killed_process_left_is_removed(machines: list[Settings], monkeypatch: pytest.MonkeyPatch):
    one, _, _ = machines
    file = one.reports_dir / "r.html"
    file.parent.mkdir(parents=True)
    file.write_text("half")
    with monkeypatch.context() as patch:
        # Killed between the temporary key and the file's own.
        patch.setattr(depot, "_rename", lambda *_: None)
        depot.put(one, file)
    assert stored(one) == {}
    assert maintenance.clear_half_written(one) == 0
    monkeypatch.setattr(depot, "KEPT_S", -1.0)
    assert maintenance.clear_half_written(one) == 1


def test_machines_that_share_a_store_share_the_key(tmp_path: Path):
    with pytest.raises(SettingsError, match="ECG_PSEUDONYM_KEY is not"):
        Settings(_env_file=None, home=tmp_path, store="s3://shared/x").pseudonym_secret()
