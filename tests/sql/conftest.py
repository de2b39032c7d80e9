"""A database with known results, reviews, arrivals and drift; one for all tests that only read it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, insert, text

from benchmarks import made_up
from ecg_core.labels import CLASSES
from ecg_core.result import PLAYERS, Result, ShapleyValues
from ecg_core.result.findings import with_findings
from ecg_core.store import arrivals, ledger, migrate, open_engine, tables, write_result
from ecg_core.store.arrivals import Arrival
from ecg_core.store.install import ROLES
from ecg_core.store.readings import reading_of

OLD, NEW = "cnn-test-1", "cnn-test-2"
SIGN_IN = [role for role in ROLES if role != "ecg_owner"]


@pytest.fixture(scope="session")
def build_result() -> Callable[..., Result]:
    return made_up.varied


@pytest.fixture(scope="session")
def recording_id_of() -> Callable[[int], str]:
    return made_up.recording_id_of


@pytest.fixture(scope="session")
def make_database(new_database: Callable[..., AbstractContextManager[str]]) -> Iterator[Callable[[], Engine]]:
    """Make migrated databases that are dropped at the end."""
    with ExitStack() as stack:

        def make() -> Engine:
            engine = open_engine(stack.enter_context(new_database("mart")))
            stack.callback(engine.dispose)
            migrate(engine)
            return engine

        yield make


@pytest.fixture(scope="session")
def known(make_database, build_result, recording_id_of) -> SimpleNamespace:
    """Two patients' recordings under an older and a newer version, three other arrivals, reviews, drift."""
    engine = make_database()
    old = [build_result(200, seed=seed, version=OLD) for seed in range(2)]
    # The newer version calls every beat of recording 0 normal.
    new = [_all_normal(build_result(200, seed=0, version=NEW)), build_result(200, seed=1, version=NEW)]
    with engine.begin() as conn:
        _arrive(conn, recording_id_of)
        runs = [[write_result.write_result(conn, result, "test") for result in results] for results in (old, new)]
        for results, numbers in zip((old, new), runs, strict=True):
            for result, run in zip(results, numbers, strict=True):
                sha256 = result.recording.recording_id
                write_result.write_report(
                    conn, reading_of(conn, run), path=f"{run}.html", sha256=sha256, size_bytes=9, stages={"read": 2.0}
                )
        for seed in range(2):
            ledger.mark_scored(conn, recording_id_of(seed))
        reviews = _review(conn, old, runs[0])
        _drift(conn)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("ANALYZE"))
    return SimpleNamespace(engine=engine, old=old, new=new, runs=runs, reviews=reviews)


@pytest.fixture
def conn(known) -> Iterator[Connection]:
    with known.engine.connect() as connection:
        yield connection


def _all_normal(result: Result) -> Result:
    import dataclasses

    probabilities = np.tile(np.float32([0.96, 0.01, 0.01, 0.01, 0.01]), (200, 1))
    beats = dataclasses.replace(result.beats, class_index=np.zeros(200, np.int8), probabilities=probabilities)
    nothing = ShapleyValues(np.zeros(0, np.int64), np.zeros((0, len(PLAYERS)), np.float32))
    return with_findings(dataclasses.replace(result, beats=beats, shapley=nothing))


def _arrive(conn: Connection, recording_id_of: Callable[[int], str]) -> None:
    for name, seed in {"a.hea": 0, "b.hea": 1, "Erika_Mustermann.hea": 9, "copy.hea": 9, "waiting.hea": 8}.items():
        arrivals.register(
            conn,
            [
                Arrival(
                    source=f"inbox/{name}",
                    recording_id=recording_id_of(seed),
                    size_bytes=7,
                    changed_at=0.0,
                    staged_path=f"{seed}/recording.hea",
                )
            ],
        )
    ledger.set_aside(conn, recording_id_of(9), "truncated signal", "Erika_Mustermann.dat holds half of it.")


def _review(conn: Connection, results: list[Result], runs: list[int]) -> SimpleNamespace:
    """One reviewer disagrees on the first V beat of recording 0 (on second thought), agrees on its first N beat."""
    beats = results[0].beats
    first = {
        name: int(np.flatnonzero((beats.class_index == CLASSES.index(name)) & beats.analysable)[0]) for name in "VN"
    }
    reviewer = conn.execute(
        insert(tables.reviewer).values(user_name="Dr. Mabuse").returning(tables.reviewer.c.reviewer_id)
    ).scalar_one()
    shared = {"reading_id": reading_of(conn, runs[0]), "reviewer_id": reviewer}
    for answer in (
        {"subject": "beat", "beat_index": first["V"], "agrees": True, "corrected_class": None},
        {"subject": "beat", "beat_index": first["V"], "agrees": False, "corrected_class": "N"},
        {"subject": "beat", "beat_index": first["N"], "agrees": True, "corrected_class": None},
    ):
        conn.execute(insert(tables.review).values(**shared, **answer, comment="Frau Mustermann klagt."))
    signed = {"reading_id": reading_of(conn, runs[1]), "reviewer_id": reviewer, "subject": "recording", "signed": True}
    conn.execute(insert(tables.review).values(**signed))
    return SimpleNamespace(beat=first)


def _drift(conn: Connection) -> None:
    reference = {"model_version": OLD, "quantity": "class", "bins": list("NSVFQ"), "source": "made up"}
    conn.execute(insert(tables.drift_reference).values(**reference, shares=[0.9, 0.025, 0.025, 0.025, 0.025]))
    for day, index in (("2026-11-01", 0.05), ("2026-11-02", 0.3)):
        measured = {"model_version": OLD, "quantity": "class", "scored_on": day, "n_beats": 10}
        conn.execute(
            insert(tables.drift).values(
                **measured, shares=[0.8, 0.05, 0.05, 0.05, 0.05], population_stability_index=index
            )
        )


@pytest.fixture(scope="module")
def sign_in(known) -> Iterator[Callable[[str], Engine]]:
    """Open an engine as one of the roles; only these tests give them a password."""
    password = secrets.token_hex(16)
    with known.engine.begin() as conn:
        for role in SIGN_IN:
            conn.execute(text(f"ALTER ROLE {role} PASSWORD '{password}'"))
    engines = {
        role: open_engine(known.engine.url.set(username=role, password=password).render_as_string(hide_password=False))
        for role in SIGN_IN
    }
    yield engines.__getitem__
    for engine in engines.values():
        engine.dispose()
    with known.engine.begin() as conn:
        for role in SIGN_IN:
            conn.execute(text(f"ALTER ROLE {role} PASSWORD NULL"))
