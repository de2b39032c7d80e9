"""What `ecg benchmark faults` kills: ``python -m benchmarks.faults_process WHAT [ARGUMENT]``, settings from outside."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from ecg_core.pipeline import inbox, versions
from ecg_core.readers import exports, reports, reviewing
from ecg_core.readers.forgetting import forget
from ecg_core.result import Review
from ecg_core.settings import Settings, load_settings
from ecg_core.store import migrate
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.reports import Filters


def register(settings: Settings, _: str) -> None:
    """Look at the inbox."""
    inbox.register_arrivals(settings)


def score(settings: Settings, _: str) -> None:
    """Score what waits."""
    for chunk in inbox.plan_chunks(settings):
        inbox.score_chunk(settings, chunk, "killed")


def render(settings: Settings, out: str) -> None:
    """Render every report again."""
    for row in reports.list_reports(settings, Filters()).reports:
        reports.render_again(settings, row.recording_id, None, Path(out))


def export(settings: Settings, out: str) -> None:
    """Write the mart as Parquet."""
    exports.export_mart(settings, Path(out), date(2020, 1, 1), date(2100, 1, 1))


def review(settings: Settings, _: str) -> None:
    """Answer each report once."""
    for row in reports.list_reports(settings, Filters()).reports:
        reviewing.add_review(settings, row.report_id, Review("bench", None, "seen", False, {}, ()))


def promote(settings: Settings, names: str) -> None:
    """Let two versions answer by turns."""
    for name in names.split(",") * 10:
        versions.promote_version(settings, name, "benchmark")


def migrate_database(settings: Settings, _: str) -> None:
    """Bring an empty database up to date."""
    migrate(owner_engine(settings))


def forget_one(settings: Settings, recording_id: str) -> None:
    """Forget a recording."""
    forget(settings, recording_id)


WORK = {
    "registering": register,
    "scoring": score,
    "rendering": render,
    "exporting": export,
    "reviewing": review,
    "promoting": promote,
    "migrating": migrate_database,
    "forgetting": forget_one,
}

if __name__ == "__main__":
    found = load_settings()
    store_engine(found)
    print("began", flush=True)  # noqa: T201
    WORK[sys.argv[1]](found, sys.argv[2] if len(sys.argv) > 2 else "")
