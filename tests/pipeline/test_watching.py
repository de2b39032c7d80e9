"""What has newly settled is told once; a look takes fresh ones in before an archive's."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from ecg_core.arrivals import registering
from ecg_core.arrivals.watching import InboxWatch
from ecg_core.pipeline import inbox
from ecg_core.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, generated: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    for name in ("a.hea", "a.dat", "b.hea"):
        shutil.copyfile(generated / name, made / name)
    return made


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_what_has_settled_is_told_once_and_again_when_it_changes(folder: Path, generated: Path):
    watch = InboxWatch(Settings(_env_file=None, settle_s=5.0), UPath(folder))
    assert watch.newly_settled() == 0, "all of it was written a moment ago"
    for name in ("a.hea", "a.dat", "b.hea"):
        age(folder / name, 10)
    assert watch.newly_settled() == 1, "b waits for its signal"
    assert watch.newly_settled() == 0
    shutil.copyfile(generated / "b.dat", folder / "b.dat")
    assert watch.newly_settled() == 0
    age(folder / "b.dat", 10)
    assert watch.newly_settled() == 1
    age(folder / "a.dat", 6)
    assert watch.newly_settled() == 1
    for path in folder.iterdir():
        path.unlink()
    assert watch.newly_settled() == 0
    assert watch.told == {}


def test_the_trigger_fires_and_outlives_an_inbox_out_of_reach(folder, monkeypatch, airflow_home):
    from ecg_airflow import defaults, inbox_trigger

    settings = Settings(_env_file=None, settle_s=0.0, inbox=str(folder))
    for module in (defaults, inbox_trigger):
        monkeypatch.setattr(module, "load_settings", lambda: settings)
    looks = iter([OSError("gone"), None])
    real = InboxWatch.newly_settled

    def look(watch: InboxWatch) -> int:
        if error := next(looks, None):
            raise error
        return real(watch)

    monkeypatch.setattr(InboxWatch, "newly_settled", look)
    path, kept = inbox_trigger.InboxTrigger(0.01).serialize()
    assert path.rpartition(".")[2] == "InboxTrigger"

    async def first() -> object:
        async for event in inbox_trigger.InboxTrigger(**kept).run():
            return event.payload

    assert asyncio.run(asyncio.wait_for(first(), 20)) == {"settled": 1}


def test_fresh_ones_are_taken_in_before_an_archive(
    settings: Settings, arrive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    (Path(settings.inbox) / "archive").mkdir()
    for name in ("a", "b"):
        arrive(name, f"archive/{name}")
    arrive("c", "z")
    monkeypatch.setattr(registering, "LOOK_WITH_FRESH_S", -1.0)
    assert inbox.register_arrivals(settings) == {"new": 1, "left for the next look": 2}
    assert len(inbox.plan_chunks(settings, lane="fresh")) == 1
    assert inbox.register_arrivals(settings) == {"new": 2, "unchanged": 1}
