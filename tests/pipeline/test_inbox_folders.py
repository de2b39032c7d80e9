"""A run over a folder takes that folder's recordings alone; the folder may be a bucket."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem
from sqlalchemy import text
from upath import UPath

from ecg_core.errors import SettingsError
from ecg_core.formats import read_recording
from ecg_core.pipeline import inbox
from ecg_core.readers.reports import list_arrivals
from ecg_core.settings import Settings
from ecg_core.store.database import owner_engine


@pytest.fixture
def other(settings: Settings, generated: Path) -> UPath:
    """Another folder, whose name begins as the inbox's does, with one recording."""
    folder = Path(f"{settings.inbox}-2")
    folder.mkdir()
    for suffix in (".hea", ".dat"):
        shutil.copyfile(generated / f"b{suffix}", folder / f"b{suffix}")
    return UPath(folder)


def names(settings: Settings, chunks: list[list[str]], *folders: str) -> set[str]:
    of_id = {a.recording_id: a.file for folder in folders for a in list_arrivals(settings, folder)}
    return {of_id[recording_id] for chunk in chunks for recording_id in chunk}


def test_a_run_takes_what_arrived_in_its_folder_alone(settings: Settings, arrive: Callable[..., Path], other: UPath):
    arrive("a")
    both = (settings.inbox, str(other))
    inbox.register_arrivals(settings)
    inbox.register_arrivals(settings, other)
    assert names(settings, inbox.plan_chunks(settings, inbox=other), *both) == {"b.hea"}
    assert names(settings, inbox.plan_chunks(settings), *both) == {"a.hea"}
    # The same content in both is either's.
    arrive("b", "copy")
    inbox.register_arrivals(settings)
    assert len([i for chunk in inbox.plan_chunks(settings) for i in chunk]) == 2


def test_what_a_run_over_another_folder_left_is_taken_in_the_end(settings: Settings, other: UPath):
    inbox.register_arrivals(settings, other)
    assert inbox.plan_chunks(settings) == []
    with owner_engine(settings).begin() as connection:
        age = f"first_seen_at - interval '{settings.claim_lease_s + 1} s'"
        connection.execute(text(f"UPDATE ecg.ingest_ledger SET first_seen_at = {age}"))
    assert len(inbox.plan_chunks(settings)) == 1


def test_an_archive_waits_behind_what_is_fresh(settings: Settings, arrive: Callable[..., Path]):
    arrive("a")
    old = arrive("b")
    for suffix in (".hea", ".dat"):
        os.utime(old.with_suffix(suffix), (1_700_000_000, 1_700_000_000))
    (Path(settings.inbox) / "archive").mkdir()
    arrive("c", "archive/c")
    inbox.register_arrivals(settings)
    folder = settings.inbox

    def planned(lane: Literal["fresh", "archive"] | None) -> set[str]:
        return names(settings, inbox.plan_chunks(settings, lane=lane), folder)

    assert planned("fresh") == {"a.hea"}
    assert planned("archive") == {"b.hea", "archive/c.hea"}
    assert planned(None) == {"a.hea", "b.hea", "archive/c.hea"}
    # What comes fresh once is fresh, though an archive holds it too.
    arrive("c")
    inbox.register_arrivals(settings)
    in_fresh = [i for chunk in inbox.plan_chunks(settings, lane="fresh") for i in chunk]
    assert len(in_fresh) == 2


@pytest.fixture(scope="module")
def bucket(generated: Path) -> Iterator[str]:
    """An S3 server with a bucket `arrivals` that holds one recording and an empty one; its address."""
    import boto3

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        environment = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "ENDPOINT_URL": endpoint}
        for name, value in (environment | {"DEFAULT_REGION": "eu-central-1"}).items():
            patch.setenv(f"AWS_{name}", value)
        client = boto3.client("s3")
        for name in ("arrivals", "empty"):
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        for suffix in (".hea", ".dat"):
            client.upload_file(str(generated / f"a{suffix}"), "arrivals", f"ward/a{suffix}")
        # Another test of this process may have asked another server by the same address.
        S3FileSystem.clear_instance_cache()
        yield endpoint
    server.stop()


def test_recordings_of_a_bucket_are_registered_and_staged_whole(settings: Settings, bucket: str, generated: Path):
    in_bucket = settings.model_copy(update={"inbox": "s3://arrivals"})
    assert inbox.register_arrivals(in_bucket) == {"new": 1}
    assert inbox.register_arrivals(in_bucket) == {"unchanged": 1}
    [[recording_id]] = inbox.plan_chunks(in_bucket)
    [arrival] = list_arrivals(settings, "s3://arrivals")
    assert arrival.file == "ward/a.hea"
    of_file = read_recording(generated / "a.hea", b"key")
    assert recording_id == of_file.recording_id


def test_an_empty_bucket_is_an_empty_inbox_and_a_missing_one_is_told(settings: Settings, bucket: str):
    assert inbox.register_arrivals(settings.model_copy(update={"inbox": "s3://empty/ward"})) == {}
    with pytest.raises(SettingsError, match="has no bucket nowhere"):
        inbox.register_arrivals(settings.model_copy(update={"inbox": "s3://nowhere/ward"}))
