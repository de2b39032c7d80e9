"""What the tasks other than beats say: written with the rest, read back the same, and refused where it is nonsense."""

import dataclasses
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from ecg_core.errors import RowRefused, StoreError
from ecg_core.result import ModelFacts, RecordingLabel, RecordingStretch
from ecg_core.store import counts, models, read_result, write_result
from ecg_core.store.readings import reading_of, runs_of

CREATED = datetime(2026, 1, 2, tzinfo=UTC)


def facts(version: str, task: str) -> ModelFacts:
    return ModelFacts(version, "made up", CREATED, ("a test",), {"held back.accuracy": 0.5}, ("Knows nothing.",), task)


@pytest.fixture
def labelled(build_result):
    """A result that two more tasks speak of."""
    return dataclasses.replace(
        build_result(20),
        labels=(
            RecordingLabel("pace", "pace-1", "slow", 0.75, True),
            RecordingLabel("pace", "pace-1", "fast", 0.25, True),
        ),
        stretches=(RecordingStretch("sleep", "sleep-1", 2.0, 5.5, "rem", 0.5),),
        other_models=(facts("pace-1", "pace"), facts("sleep-1", "sleep")),
    )


def test_they_come_back_as_they_were_written(engine, labelled):
    with engine.begin() as conn:
        run = write_result.write_result(conn, labelled, "test")
        again = read_result.read_result(conn, run)
    assert again.labels == labelled.labels
    assert again.stretches == labelled.stretches
    assert again.other_models == labelled.other_models
    with engine.connect() as conn:
        mart = conn.execute(text("SELECT task, from_s, to_s, label, probability FROM ecg_mart.recording_stretch")).all()
        assert [tuple(row) for row in mart] == [("sleep", 2.0, 5.5, "rem", 0.5)]
        said = conn.execute(text("SELECT model_version, label FROM ecg_mart.recording_label ORDER BY label")).all()
        assert [tuple(row) for row in said] == [("pace-1", "fast"), ("pace-1", "slow")]
        runs = conn.execute(text("SELECT task, n_beats FROM ecg.scoring_run ORDER BY task")).all()
        assert [tuple(row) for row in runs] == [("beats", 20), ("pace", None), ("sleep", None)]
        assert conn.execute(text("SELECT count(*) FROM ecg_mart.score")).scalar_one() == 1
        assert read_result.find_scoring_run(conn, labelled.recording.recording_id) == run


def test_a_newer_version_of_one_task_makes_a_new_reading_of_the_same_beats(engine, labelled):
    newer = dataclasses.replace(
        labelled,
        labels=(RecordingLabel("pace", "pace-2", "slow", 0.5, False),),
        stretches=(),
        other_models=(facts("pace-2", "pace"), facts("sleep-1", "sleep")),
    )
    with engine.begin() as conn:
        run = write_result.write_result(conn, labelled, "test")
        first = reading_of(conn, run)
        of_first = runs_of(conn, first)
        before = counts(conn)
        assert write_result.write_result(conn, newer, "later") == run, "the beats are those that stand there"
        second = reading_of(conn, run)
        after = counts(conn)
        assert second != first
        assert runs_of(conn, first) == of_first, "what was read before stays"
        assert runs_of(conn, second) == {**of_first, "pace": runs_of(conn, second)["pace"]} != of_first
        new = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        n_findings = len(labelled.findings)
        assert new == {
            **{"model_version": 1, "scoring_run": 1, "recording_label": 1, "reading": 1, "reading_run": 3},
            **({"finding": n_findings} if n_findings else {}),
        }
        again = read_result.read_result(conn, run)
        assert again.labels == newer.labels
        assert again.stretches == labelled.stretches, "the same version of the other task says the same"
        assert [model.version for model in again.other_models] == ["pace-2", "sleep-1"]
        mart = text("SELECT DISTINCT reading_id, is_newest FROM ecg_mart.reading ORDER BY reading_id")
        assert [tuple(row) for row in conn.execute(mart)] == [(first, False), (second, True)]
        # Either of them again, or in another order, changes nothing.
        newer = dataclasses.replace(newer, other_models=newer.other_models[::-1])
        for result in (newer, labelled):
            assert write_result.write_result(conn, result, "again") is None
        assert counts(conn) == after


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": (RecordingLabel("pace", "pace-1", "slow", 1.5, True),)},
        {"labels": (RecordingLabel("pace", "pace-1", "", 0.5, True),)},
        {"labels": (RecordingLabel("pace", "pace-1", "slow", float("nan"), True),)},
        {"labels": (RecordingLabel("pace", "pace-1", "slow", 0.5, True),) * 2},
        {"stretches": (RecordingStretch("sleep", "sleep-1", 5.0, 5.0, "rem", 0.5),)},
        {"stretches": (RecordingStretch("sleep", "sleep-1", -1.0, 5.0, "rem", 0.5),)},
    ],
)
def test_nonsense_is_refused_and_leaves_nothing(engine, labelled, wrong):
    with pytest.raises(RowRefused), engine.begin() as conn:
        write_result.write_result(conn, dataclasses.replace(labelled, **wrong), "test")
    with engine.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM ecg.scoring_run")).scalar_one() == 0


def test_each_task_has_its_own_champion(engine, labelled):
    with engine.begin() as conn:
        for version, task in (("b1", "beats"), ("p1", "pace"), ("p2", "pace")):
            models.register_version(conn, facts(version, task))
        models.promote(conn, "b1", "first")
        models.promote(conn, "p1", "first")
        assert models.champions(conn) == {"beats": "b1", "pace": "p1"}
        decided = {"figures": {}, "promoted": True, "reason": "better"}
        with pytest.raises(StoreError, match="p2 answers the task pace, b1 the task beats"):
            models.record_training_run(conn, run_id="night", challenger="p2", champion="b1", **decided)
        models.record_training_run(conn, run_id="night", challenger="p2", champion="p1", **decided)
        # The same night decides about the other task as well, and once for each.
        models.record_training_run(conn, run_id="night", challenger="b1", champion="b1", **decided)
        models.record_training_run(conn, run_id="night", challenger="p1", champion="p2", **decided)
        assert models.champions(conn) == {"beats": "b1", "pace": "p2"}
        assert models.roll_back(conn, "worse", "pace") == "p1"
        assert models.champion(conn) == "b1"
        with pytest.raises(StoreError, match="No model version scored before b1"):
            models.roll_back(conn, "worse")
        states = {version.model_version: version.state for version in models.versions(conn)}
        assert states == {"b1": "champion", "p1": "champion", "p2": "archived"}
