"""A migrated database for each test, and results to put into it."""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ecg_core.result import Result
from ecg_core.store import migrate, open_engine

_builder = runpy.run_path(str(Path(__file__).with_name("builder.py")))


@pytest.fixture
def empty_engine(database: str) -> Iterator[Engine]:
    engine = open_engine(database)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(empty_engine: Engine) -> Engine:
    migrate(empty_engine)
    return empty_engine


@pytest.fixture
def build_result() -> Callable[..., Result]:
    return _builder["build_result"]


@pytest.fixture
def recording_id_of() -> Callable[[int], str]:
    return _builder["recording_id_of"]


@pytest.fixture
def arrive(recording_id_of: Any) -> Callable[..., str]:
    """Register the arrival of recording number `seed`; what the ledger says of it."""
    from ecg_core.store import ledger

    def register(conn: Any, seed: int, source: str | None = None, changed_at: float = 1_700_000_000.25) -> str:
        return ledger.register_arrival(
            conn,
            source=source or f"inbox/{seed}.hea",
            recording_id=recording_id_of(seed),
            size_bytes=100 + seed,
            changed_at=changed_at,
            staged_path=f"{seed}/recording.hea",
        )

    return register
