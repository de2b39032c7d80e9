"""Every example query runs on known data and answers the question on top of it."""

import runpy
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from ecg_core.labels import CLASSES
from ecg_core.store import ledger, migrate, open_engine, scores

PROJECT_DIR = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((PROJECT_DIR / "sql" / "examples").glob("*.sql"))
_builder = runpy.run_path(str(PROJECT_DIR / "tests" / "store" / "builder.py"))
build_result, recording_id_of = _builder["build_result"], _builder["recording_id_of"]


@pytest.fixture(scope="module")
def results():
    return [build_result(200, seed=seed) for seed in range(2)]


@pytest.fixture
def conn(database: str, results) -> Iterator[Connection]:
    engine = open_engine(database)
    migrate(engine)
    with engine.begin() as conn:
        for result in results:
            scores.write_result(conn, result, "test")
        for name in ("broken.hea", "copy of broken.hea", "waiting.hea"):
            ledger.register_arrival(
                conn,
                source=f"inbox/{name}",
                recording_id=recording_id_of(9 if "broken" in name else 8),
                size_bytes=7,
                changed_at=0.0,
                staged_path=f"{uuid.uuid4().hex}/recording.hea",
            )
        ledger.set_aside(conn, recording_id_of(9), "truncated signal", "Half of it is missing.")
        yield conn
    engine.dispose()


def _run(conn: Connection, name: str):
    return conn.exec_driver_sql((PROJECT_DIR / "sql" / "examples" / f"{name}.sql").read_text()).all()


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_each_has_its_question_on_top_and_gives_rows(conn, file):
    assert file.read_text().splitlines()[0].startswith("-- ")
    assert file.read_text().splitlines()[0].endswith("?")
    assert _run(conn, file.stem)


def test_beats_per_class(conn, results):
    found = {(row.recording_id, row[2]): row.n_beats for row in _run(conn, "beats_per_class")}
    for result in results:
        beats = result.beats
        for i, name in enumerate(CLASSES):
            expected = int(((beats.class_index == i) & beats.analysable).sum())
            assert found.get((result.recording.recording_id, name), 0) == expected


def test_ectopic_burden(conn, results):
    def share(result) -> float:
        classes = result.beats.class_index[result.beats.analysable]
        return sum(int((classes == CLASSES.index(name)).sum()) for name in "SVF") / classes.size

    found = [(row.recording_id, row.ectopic_share) for row in _run(conn, "ectopic_burden")]
    expected = sorted(((share(r), r.recording.recording_id) for r in results), reverse=True)
    assert [recording_id for recording_id, _ in found] == [recording_id for _, recording_id in expected]
    assert [value for _, value in found] == pytest.approx([value for value, _ in expected])


def test_set_aside(conn):
    found = [(row.source, row.code, row.reason) for row in _run(conn, "set_aside")]
    assert found == [
        (f"inbox/{name}", "truncated signal", "Half of it is missing.") for name in ("broken.hea", "copy of broken.hea")
    ]
