"""A platform is backed up and comes back elsewhere, whole; what is not whole is refused."""

import hashlib
import secrets
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pydantic import PostgresDsn
from s3fs import S3FileSystem
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from benchmarks import made_up
from ecg_core.errors import BackupError
from ecg_core.operations.backup import back_up, restore
from ecg_core.operations.doctor import examine
from ecg_core.pipeline.versions import prepare_database
from ecg_core.result import Review
from ecg_core.settings import Settings
from ecg_core.store import arrivals, ledger, reviews, write_result
from ecg_core.store.acting import acting_for
from ecg_core.store.arrivals import Arrival
from ecg_core.store.catalog import differences
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.readings import reading_of
from ecg_core.store.tables import metadata


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    yield engine
    engine.dispose()


def new_home(server: Engine, home: Path) -> Settings:
    """Settings of an empty home with an empty database."""
    name = f"backup_{secrets.token_hex(6)}"
    with server.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(server.url).set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    return Settings(_env_file=None, home=home, database_url=PostgresDsn(url), alert_disk_free_gb=0.0)


def drop(server: Engine, settings: Settings) -> None:
    for engine in (store_engine(settings), owner_engine(settings)):
        engine.dispose()
    with server.connect() as conn:
        conn.execute(text(f"DROP DATABASE {make_url(str(settings.database_url)).database} WITH (FORCE)"))


def fill(settings: Settings, n: int) -> None:
    """Make a home with so many scored recordings, a signed review, reports and a version of its own."""
    prepare_database(settings)
    for seed in range(n):
        result = made_up.varied(20, seed=seed)
        recording_id, staged = result.recording.recording_id, f"{seed}/recording.hea"
        for folder, name in ((settings.recordings_dir, staged), (settings.reports_dir, f"{seed}.html")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(secrets.token_bytes(300_000))
        with store_engine(settings).begin() as conn:
            arrivals.register(conn, [Arrival(f"inbox/{seed}.hea", recording_id, 9, 0.0, staged)])
            run = write_result.write_result(conn, result, "test", ["Made up."] * len(result.findings))
            reading, sha256 = reading_of(conn, run), hashlib.sha256(b"").hexdigest()
            write_result.write_report(conn, reading, path=f"{seed}.html", sha256=sha256, size_bytes=1, stages={})
            ledger.mark_scored(conn, recording_id)
    with acting_for(settings, "ada") as conn:
        reviews.write_review(conn, reading, Review("ada", None, "Seen — ✓.", True, {}, ()))
    version = settings.models_dir / "cnn-own"
    version.mkdir(parents=True)
    (version / "manifest.json").write_text("{}")
    (settings.models_dir / ".prepared").mkdir()
    (settings.models_dir / ".prepared" / "cache.npz").write_bytes(b"can be had again")
    settings.pseudonym_secret()
    prepare_database(settings)  # as each start does, which gives reports their places in the worklist


@pytest.fixture(scope="module")
def original(server: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with scored recordings, a signed review, reports and a version of its own."""
    settings = new_home(server, tmp_path_factory.mktemp("original"))
    fill(settings, 3)
    yield settings
    drop(server, settings)


@pytest.fixture
def elsewhere(server: Engine, tmp_path: Path) -> Iterator[Settings]:
    settings = new_home(server, tmp_path / "elsewhere")
    yield settings
    drop(server, settings)


def state(settings: Settings) -> dict[str, str]:
    """Checksums of every table and of every file that a backup keeps."""
    found = {}
    with owner_engine(settings).connect() as conn:
        for table in metadata.sorted_tables:
            if table.name != "sign_of_life":  # a backup gives one
                rows = f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table.fullname} AS t"
                found[table.name] = conn.execute(text(rows)).scalar_one()
    for path in sorted(settings.home.rglob("*")):
        name = path.relative_to(settings.home).as_posix()
        if path.is_file() and ".prepared" not in name:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_what_was_backed_up_comes_back(original, elsewhere, tmp_path, passphrase):
    file = str(tmp_path / "backup.tar")
    before = state(original)
    made = back_up(original, file, passphrase)
    assert made.rows["scoring_run"] == 3
    assert oct(Path(file).stat().st_mode & 0o777) == "0o600"
    assert restore(elsewhere, file, passphrase).rows == made.rows
    assert state(elsewhere) == before
    assert elsewhere.pseudonym_secret() == original.pseudonym_secret()
    with owner_engine(elsewhere).connect() as conn:
        assert differences(conn) == []
    wrong = [found for found in examine(elsewhere) if found.wrong and "looked at" not in found.check]
    assert wrong == []
    key = (original.home / "pseudonym.key").read_bytes()
    assert (key in Path(file).read_bytes()) == (passphrase is None)


@pytest.mark.long
def test_two_hundred_recordings_come_back(server, elsewhere, tmp_path, capsys):
    many = new_home(server, tmp_path / "many")
    try:
        fill(many, 200)
        before, started = state(many), time.monotonic()
        made = back_up(many, str(tmp_path / "backup.tar"), "correct horse")
        written = time.monotonic()
        assert restore(elsewhere, str(tmp_path / "backup.tar"), "correct horse").rows == made.rows
        took_s = written - started, time.monotonic() - written
        assert state(elsewhere) == before
        with owner_engine(elsewhere).connect() as conn:
            assert conn.execute(text("SELECT count(*) FROM ecg.review WHERE signed")).scalar_one() == 1
        with capsys.disabled():
            size = (tmp_path / "backup.tar").stat().st_size / 1e6
            print(f"\n[200 recordings, {size:.0f} MB: written in {took_s[0]:.1f} s, back in {took_s[1]:.1f} s]")  # noqa: T201
    finally:
        drop(server, many)


def test_through_an_object_store(original, elsewhere, monkeypatch):
    import boto3

    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        endpoint = "http://{}:{}".format(*store.get_host_and_port())
        for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        # Another test of this process may have asked another server.
        S3FileSystem.clear_instance_cache()
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="backups")
        back_up(original, "s3://backups/ecg.tar", "secret")
        with pytest.raises(BackupError, match="exists already"):
            back_up(original, "s3://backups/ecg.tar", "secret")
        assert restore(elsewhere, "s3://backups/ecg.tar", "secret").rows["reading"] == 3
    finally:
        store.stop()


def test_a_backup_overwrites_nothing_and_a_restore_neither(original, tmp_path):
    file = str(tmp_path / "backup.tar")
    back_up(original, file)
    with pytest.raises(BackupError, match="exists already"):
        back_up(original, file)
    with pytest.raises(BackupError, match="something in recordings, reports, models, the database"):
        restore(original, file)


@pytest.mark.parametrize(
    "damage", ["cut off", "changed", "wrong passphrase", "no passphrase", "no backup", "file missing"]
)
def test_what_is_not_whole_is_refused_and_leaves_all_as_empty_as_before(original, elsewhere, tmp_path, damage):
    file, passphrase = tmp_path / "backup.tar", None if damage == "file missing" else "secret"
    back_up(original, str(file), passphrase)
    content = bytearray(file.read_bytes())
    if damage == "cut off":
        file.write_bytes(content[:-500_000])
    elif damage == "changed":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "no backup":
        file.write_bytes(b"milk, bread")
    elif damage == "file missing":
        with tarfile.open(file) as archive, tarfile.open(tmp_path / "less.tar", "w") as less:
            for member in archive.getmembers():
                if member.name != "reports/1.html":
                    less.addfile(member, archive.extractfile(member))
        file = tmp_path / "less.tar"
    given = {"wrong passphrase": "wrong", "no passphrase": None}.get(damage, passphrase)
    with pytest.raises(BackupError):
        restore(elsewhere, str(file), given)
    with owner_engine(elsewhere).connect() as conn:
        assert conn.execute(text("SELECT to_regnamespace('ecg')")).scalar() is None
    assert [path.name for path in elsewhere.home.rglob("*") if path.is_file()] == []


def test_the_doctor_names_what_is_wrong_and_what_mends_it(original, tmp_path):
    ill = original.model_copy(
        update={"inbox": str(tmp_path / "nowhere"), "message_rules": {"*": ("pager",)}, "home": tmp_path}
    )
    wrong = {found.check: found.wrong for found in examine(ill) if found.wrong}
    assert "does not exist" in wrong["the inbox is there"]
    assert "3 of 3 reports have no file" in wrong["reports are there"]
    assert "lacks: pager" in wrong["messages get through"]
    nowhere = original.model_copy(update={"database_url": PostgresDsn("postgresql://a:b@127.0.0.1:1/ecg")})
    assert "127.0.0.1:1/ecg failed" in {f.check: f.wrong for f in examine(nowhere)}["reports are there"]
