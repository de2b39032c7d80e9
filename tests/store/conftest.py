"""A migrated database for each test, and results to put into it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import Engine, text

from benchmarks import made_up
from ecg_core.result import Result
from ecg_core.store import migrate, open_engine
from ecg_core.store.tables import metadata


@pytest.fixture
def empty_engine(empty_database: str) -> Iterator[Engine]:
    engine = open_engine(empty_database)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_engine(new_database: Callable[..., AbstractContextManager[str]]) -> Iterator[Engine]:
    """One migrated database for all tests that only put rows into it: making one takes longer than most tests."""
    with new_database("store") as url:
        engine = open_engine(url)
        migrate(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def engine(migrated_engine: Engine) -> Iterator[Engine]:
    """That database, without rows."""
    yield migrated_engine
    with migrated_engine.begin() as conn:
        names = ", ".join(table.fullname for table in metadata.sorted_tables)
        conn.execute(text(f"TRUNCATE {names}"))


@pytest.fixture
def build_result() -> Callable[..., Result]:
    return made_up.varied


@pytest.fixture
def recording_id_of() -> Callable[[int], str]:
    return made_up.recording_id_of


@pytest.fixture
def arrive(recording_id_of: Any) -> Callable[..., str]:
    """Register the arrival of recording number `seed`; what the ledger says of it."""
    from ecg_core.store import arrivals
    from ecg_core.store.arrivals import Arrival

    def register(conn: Any, seed: int, source: str | None = None, changed_at: float = 1_700_000_000.25) -> str:
        return arrivals.register(
            conn,
            [
                Arrival(
                    source=f"inbox/{seed}.hea" if source is None else source,
                    recording_id=recording_id_of(seed),
                    size_bytes=100 + seed,
                    changed_at=changed_at,
                    staged_path=f"{seed}/recording.hea",
                    stamp=f"{changed_at}",
                )
            ],
        )[0]

    return register
