"""How quick the mart's questions are, and how quick COPY is, on a database filled with made-up beats."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Engine, create_engine, make_url, text

from benchmarks.fill import DAY_S, fill_database, wandering, write_made_up
from ecg_core.errors import StoreError
from ecg_core.settings import PROJECT_DIR
from ecg_core.store import migrate, open_engine

EXAMPLES_DIR: Final = PROJECT_DIR / "sql" / "examples"
DATABASE: Final = "ecg_made_up"
READERS: Final = 2
_FIRST_SEED: Final = 10_000_000
_VIEWS_BY_GRAIN: Final = {
    "beat": "SELECT * FROM ecg_mart.beat WHERE scoring_run_id = {run}",
    "attribution_segment": "SELECT * FROM ecg_mart.attribution_segment WHERE scoring_run_id = {run}",
    "attribution_sample": "SELECT * FROM ecg_mart.attribution_sample WHERE scoring_run_id = {run}",
    "hourly": "SELECT * FROM ecg_mart.hourly WHERE scoring_run_id = {run}",
    "finding": "SELECT * FROM ecg_mart.finding WHERE scoring_run_id = {run}",
    "score": "SELECT * FROM ecg_mart.score",
    "recording": "SELECT * FROM ecg_mart.recording",
    "ingest": "SELECT * FROM ecg_mart.ingest",
}
"""Each of the large views as it is read for one recording, or whole where it has a row for each recording."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One query: what it must read (``hourly``, ``recording`` or ``beat``), seconds, rows given, and its plan."""

    grain: str
    seconds: float
    rows: int
    plan: str


@dataclass(slots=True)
class MartFigures:
    """What `measure_mart` found. Rows are those of beats and attributions; beats come with both."""

    beats: int
    database_bytes: int
    queries: dict[str, Timed] = field(default_factory=dict)
    copy_rows_per_second: float = 0.0
    copy_beats_per_second: float = 0.0
    copy_rows_per_second_with_readers: float = 0.0
    copy_beats_per_second_with_readers: float = 0.0

    def as_json(self) -> dict[str, object]:
        """Return the names that other programs read."""
        return {
            "beats": self.beats,
            "database_bytes": self.database_bytes,
            "copy_rows_per_second": round(self.copy_rows_per_second),
            "copy_beats_per_second": round(self.copy_beats_per_second),
            "copy_rows_per_second_with_readers": round(self.copy_rows_per_second_with_readers),
            "copy_beats_per_second_with_readers": round(self.copy_beats_per_second_with_readers),
            "concurrent_readers": READERS,
            "queries": {
                name: {"grain": timed.grain, "seconds": round(timed.seconds, 4), "rows": timed.rows}
                for name, timed in self.queries.items()
            },
        }


def made_up_database(server_url: str, name: str = DATABASE) -> str:
    """Make a database of its own on a server, unless it is there; its address, migrated."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise StoreError(f"{name!r} is no name for a database here.", "Use small letters, digits and underscores.")
    url = make_url(server_url).set(drivername="postgresql+psycopg2")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        if not conn.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).scalar():
            conn.execute(text(f'CREATE DATABASE "{name}"'))
    server.dispose()
    address = url.set(database=name).render_as_string(hide_password=False)
    engine = open_engine(address)
    migrate(engine)
    engine.dispose()
    return address


def drop_made_up_database(server_url: str, name: str = DATABASE) -> None:
    """Drop a database that `made_up_database` made; nothing where it is not there."""
    server = create_engine(make_url(server_url).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
    with server.connect() as conn:
        conn.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    server.dispose()


def fill_to(address: str, n_beats: int, on_beats: Callable[[int], None] | None = None) -> int:
    """Fill a made-up database up to `n_beats` beats; how many it has then."""
    engine = open_engine(address)
    try:
        there = _count_beats(engine)
        if there < n_beats:
            with engine.connect() as conn:
                recordings: int = conn.execute(text("SELECT count(*) FROM ecg.recording")).scalar_one()
            told = (lambda written: on_beats(there + written)) if on_beats else None
            fill_database(engine, n_beats - there, told, seed=recordings)
        return _count_beats(engine)
    finally:
        engine.dispose()


def measure_mart(address: str, on_query: Callable[[str, Timed], None] | None = None, n_copied: int = 8) -> MartFigures:
    """Time every example query and a look at each large view, then COPY without and with readers.

    Each query runs twice and the second counts, as for an analyst at work; rows are fetched. What COPY writes is
    committed, and stays: `n_copied` recordings of 24 hours each time.
    """
    engine = open_engine(address)
    try:
        with engine.connect() as conn:
            size = conn.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        figures = MartFigures(_count_beats(engine), size)
        for name, query, grain in _queries(engine):
            figures.queries[name] = _time(engine, query, grain)
            if on_query is not None:
                on_query(name, figures.queries[name])
        figures.copy_beats_per_second, figures.copy_rows_per_second = _time_copy(engine, n_copied)
        with _readers(address):
            beats_s, rows_s = _time_copy(engine, n_copied)
        figures.copy_beats_per_second_with_readers, figures.copy_rows_per_second_with_readers = beats_s, rows_s
        return figures
    finally:
        engine.dispose()


def grain_of(sql: str) -> str:
    """Tell from an example's head what it must read: ``hourly``, ``recording``, ``drift`` or ``beat``."""
    found = re.search(r"Reads the (hourly|recording|drift) grain", sql)
    return found[1] if found else "beat"


def _queries(engine: Engine) -> Iterator[tuple[str, str, str]]:
    for path in sorted(EXAMPLES_DIR.glob("*.sql")):
        sql = path.read_text("utf-8")
        yield path.stem, sql, grain_of(sql)
    longest = "SELECT scoring_run_id FROM ecg.scoring_run ORDER BY n_beats DESC, scoring_run_id LIMIT 1"
    with engine.connect() as conn:
        run = conn.execute(text(longest)).scalar_one()
    for view, sql in _VIEWS_BY_GRAIN.items():
        whole = "{run}" not in sql
        yield f"view_{view}", sql.format(run=run), "recording" if whole or view in ("hourly", "finding") else "beat"


def _time(engine: Engine, sql: str, grain: str) -> Timed:
    with engine.connect() as conn:
        plan = "\n".join(conn.exec_driver_sql(f"EXPLAIN {sql}").scalars())
        conn.exec_driver_sql(sql).all()
        started = time.perf_counter()
        rows = len(conn.exec_driver_sql(sql).all())
        return Timed(grain, time.perf_counter() - started, rows, plan)


def _time_copy(engine: Engine, n_recordings: int) -> tuple[float, float]:
    """Write recordings of 24 hours whole, a transaction each; beats a second, and rows of beats and attributions."""
    now = datetime.now(UTC)
    with engine.connect() as conn:
        first: int = conn.execute(text("SELECT count(*) FROM ecg.recording")).scalar_one()
    results = [wandering(_FIRST_SEED + first + i, DAY_S) for i in range(n_recordings)]
    beats = rows = 0
    seconds = 0.0
    for result in results:
        started = time.perf_counter()
        with engine.begin() as conn:
            write_made_up(conn, result, now)
        seconds += time.perf_counter() - started
        beats += len(result.beats)
        abnormal = int((result.beats.analysable & (result.beats.class_index != 0)).sum())
        rows += len(result.beats) + abnormal * len(result.attributions) + len(result.shapley)
    return beats / seconds, rows / seconds


@contextmanager
def _readers(address: str) -> Iterator[None]:
    """Let some sessions ask the hourly questions over and over."""
    stop = threading.Event()
    queries = [path.read_text("utf-8") for path in sorted(EXAMPLES_DIR.glob("*.sql"))]
    queries = [query for query in queries if grain_of(query) in ("hourly", "recording")]

    def read() -> None:
        engine = open_engine(address)
        with engine.connect() as conn:
            while not stop.is_set():
                for query in queries:
                    conn.exec_driver_sql(query).all()
        engine.dispose()

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _count_beats(engine: Engine) -> int:
    with engine.connect() as conn:
        return int(conn.execute(text("SELECT coalesce(sum(n_beats), 0) FROM ecg.scoring_run")).scalar_one())


def plans_text(figures: MartFigures) -> str:
    """Write each query's time and plan as text."""
    lines = []
    for name, timed in figures.queries.items():
        lines.append(f"{name} ({timed.grain}): {timed.seconds:.3f} s, {timed.rows} rows\n{timed.plan}\n")
    return "\n".join(lines)
