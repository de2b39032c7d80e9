"""An idle week: 2,016 looks at an inbox in which nothing is new, and what is done beside them, leave nothing behind."""

import os
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text
from upath import UPath

from ecg_core.arrivals.watching import InboxWatch
from ecg_core.messages import outbox
from ecg_core.operations import alerts, metrics, retention
from ecg_core.pipeline import inbox
from ecg_core.settings import Settings
from ecg_core.store import counts
from ecg_core.store.database import store_engine


def left(settings: Settings) -> tuple[dict[str, int], int]:
    """Rows by table, and files of the home folder."""
    with store_engine(settings).connect() as connection:
        rows = counts(connection)
        rows["sign_of_life"] = connection.execute(text("SELECT count(*) FROM ecg.sign_of_life")).scalar_one()
        rows["outbox_message"] = connection.execute(text("SELECT count(*) FROM ecg.outbox_message")).scalar_one()
    return rows, sum(path.is_file() for path in Path(settings.home).rglob("*"))


@pytest.mark.parametrize("runs", [20, pytest.param(2016, marks=pytest.mark.long)])
def test_an_idle_week_leaves_nothing_behind(settings: Settings, arrive, runs: int, capsys: pytest.CaptureFixture[str]):
    arrive("a")
    inbox.register_arrivals(settings)
    for chunk in inbox.plan_chunks(settings):
        inbox.score_chunk(settings, chunk, "test")
    watch = InboxWatch(settings, UPath(settings.inbox))
    process = psutil.Process(os.getpid())

    def idle(n: int) -> None:
        for _ in range(n):
            watch.newly_settled()
            assert inbox.register_arrivals(settings) == {"unchanged": 1}
            assert inbox.plan_chunks(settings, lane="fresh") == inbox.plan_chunks(settings, lane="archive") == []
            inbox.summarise(settings, [])
            alerts.look(settings)
            outbox.deliver_due(settings)
            metrics.prometheus(settings)

    idle(10)
    retention.keep_house(settings)
    before, memory_mb = left(settings), process.memory_info().rss / 1e6
    idle(runs)
    retention.keep_house(settings)
    grown_mb = process.memory_info().rss / 1e6 - memory_mb
    with capsys.disabled():
        rows, files = left(settings)
        print(f"\n[{runs} idle runs: {sum(rows.values())} rows, {files} files, memory grown by {grown_mb:.1f} MB]")  # noqa: T201
    assert left(settings) == before
    assert grown_mb < 50.0
