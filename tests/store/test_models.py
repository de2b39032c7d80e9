"""Model versions and the champion: always at most one, with its history."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from ecg_core.errors import StoreError
from ecg_core.store import models


@pytest.fixture
def register(build_result):
    def enter(conn, *versions):
        for version in versions:
            models.register_version(conn, build_result(0, version=version).model, {"version": version, "loss": [0.5]})

    return enter


def _decide(conn, run_id, challenger, champion, promoted):
    models.record_training_run(
        conn,
        run_id=run_id,
        challenger=challenger,
        champion=champion,
        figures={challenger: {"macro_f1": 0.9, "recall": {"Q": float("nan")}}, champion: {"macro_f1": 0.8}},
        promoted=promoted,
        reason="Macro F1 .9 against .8.",
    )


def _runs(conn):
    found = text("SELECT run_id, model_version, judged_against, verdict FROM ecg.training_run ORDER BY training_run_id")
    return [tuple(row) for row in conn.execute(found)]


def test_there_is_no_champion_at_first(engine):
    with engine.connect() as conn:
        assert models.champion(conn) is None


def test_registering_twice_changes_nothing_and_undefined_figures_are_null(engine, register):
    with engine.begin() as conn:
        register(conn, "a")
        before = conn.execute(text("SELECT * FROM ecg.model_version")).one()
        register(conn, "a")
        assert conn.execute(text("SELECT * FROM ecg.model_version")).one() == before
        assert before.figures == {"ds2.V.sensitivity": 0.93, "ds2.Q.sensitivity": None}


def test_a_version_is_never_changed(engine, register, build_result):
    with engine.begin() as conn:
        register(conn, "a")
        with pytest.raises(StoreError, match="another manifest"):
            models.register_version(conn, build_result(0, version="a").model, {"version": "a", "loss": [0.4]})


def test_a_manifest_is_added_to_a_version_known_by_its_scores(engine, register, build_result):
    with engine.begin() as conn:
        models.register_version(conn, build_result(0, version="a").model)
        assert conn.execute(text("SELECT manifest FROM ecg.model_version")).scalar_one() is None
        register(conn, "a")
        assert conn.execute(text("SELECT manifest FROM ecg.model_version")).scalar_one()["loss"] == [0.5]


def test_a_naive_time_of_creation_is_utc(engine, build_result):
    facts = build_result(0).model
    with engine.begin() as conn:
        models.register_version(conn, dataclasses.replace(facts, created_at=facts.created_at.replace(tzinfo=None)))
        assert conn.execute(text("SELECT created_at FROM ecg.model_version")).scalar_one() == facts.created_at


def test_promoting_gives_one_champion_and_a_history(engine, register):
    with engine.begin() as conn:
        register(conn, "a", "b")
        models.promote(conn, "a", "Ships with the platform.")
        models.promote(conn, "a", "Again.")
        models.promote(conn, "b", "A person said so.")
        models.promote(conn, "a", "Back.")
        assert models.champion(conn) == "a"
        assert [row[1:3] for row in _runs(conn)] == [("a", None), ("b", "a"), ("a", "b")]


def test_an_unregistered_version_is_not_promoted(engine, register):
    with engine.begin() as conn:
        with pytest.raises(StoreError, match="not registered"):
            models.promote(conn, "ghost", "No.")
        register(conn, "a")
        with pytest.raises(StoreError, match="ghost is not registered"):
            _decide(conn, "run-1", "a", "ghost", True)


@pytest.mark.parametrize(("promoted", "verdict", "champion"), [(True, "promoted", "b"), (False, "kept", "a")])
def test_a_training_run_promotes_or_keeps_with_its_reason_and_figures(engine, register, promoted, verdict, champion):
    with engine.begin() as conn:
        register(conn, "a", "b")
        models.promote(conn, "a", "First.")
        _decide(conn, "run-1", "b", "a", promoted)
        assert models.champion(conn) == champion
        row = conn.execute(text("SELECT * FROM ecg.training_run WHERE run_id = 'run-1'")).one()
        assert (row.verdict, row.reason, row.judged_against) == (verdict, "Macro F1 .9 against .8.", "a")
        assert row.figures["b"] == {"macro_f1": 0.9, "recall": {"Q": None}}


def test_a_retried_decision_changes_nothing_even_later(engine, register):
    with engine.begin() as conn:
        register(conn, "a", "b")
        models.promote(conn, "a", "First.")
        _decide(conn, "run-1", "b", "a", True)
        models.promote(conn, "a", "b was bad.")
        before = _runs(conn)
        _decide(conn, "run-1", "b", "a", True)
        assert _runs(conn) == before
        assert models.champion(conn) == "a"


def test_a_challenger_judged_against_a_former_champion_is_not_promoted(engine, register):
    with engine.begin() as conn:
        register(conn, "a", "b", "c")
        models.promote(conn, "a", "First.")
        _decide(conn, "run-1", "b", "a", True)
        with pytest.raises(StoreError, match="c was judged against a, but b has become the champion"):
            _decide(conn, "run-2", "c", "a", True)
        _decide(conn, "run-3", "c", "a", False)
        assert models.champion(conn) == "b"


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(engine, register):
    with engine.begin() as conn:
        register(conn, "a", "b", "c")
        models.promote(conn, "a", "First.")
    start = threading.Barrier(2)

    def decide(challenger: str) -> str:
        start.wait()
        try:
            with engine.begin() as conn:
                _decide(conn, f"run-{challenger}", challenger, "a", True)
        except StoreError as error:
            return str(error)
        return "promoted"

    with ThreadPoolExecutor(2) as pool:
        outcomes = dict(zip("bc", pool.map(decide, "bc"), strict=True))
    assert sorted(outcome == "promoted" for outcome in outcomes.values()) == [False, True]
    with engine.connect() as conn:
        assert outcomes[models.champion(conn)] == "promoted"


def test_rolling_back_goes_further_back_each_time_never_to_and_fro(engine, register):
    with engine.begin() as conn:
        register(conn, "a", "b", "c")
        for version in "abc":
            models.promote(conn, version, "better")
        assert [models.roll_back(conn, "worse"), models.roll_back(conn, "worse")] == ["b", "a"]
        with pytest.raises(StoreError, match="No model version scored before a"):
            models.roll_back(conn, "worse")
        assert models.champion(conn) == "a"
        # Nothing is forgotten: every step is a decision of its own.
        assert [run[3] for run in _runs(conn)] == ["promoted"] * 5


def test_there_is_nothing_to_roll_back_at_first(engine):
    with engine.begin() as conn, pytest.raises(StoreError, match="ever promoted"):
        models.roll_back(conn, "worse")


def test_the_challenger_is_the_version_judged_last(engine, register):
    with engine.begin() as conn:
        register(conn, "a", "b", "c")
        assert {v.state for v in models.versions(conn)} == {"archived"}
        models.promote(conn, "a", "the first")
        _decide(conn, "night 1", "b", "a", promoted=False)
        _decide(conn, "night 2", "c", "a", promoted=False)
        states = [(v.model_version, v.state) for v in models.versions(conn)]
        assert states[:2] == [("a", "champion"), ("c", "challenger")]
        assert states[2] == ("b", "archived")
        assert [(d.verdict, d.judged_against) for d in models.decisions(conn, "b")] == [("kept", "a")]
        _decide(conn, "night 3", "b", "a", promoted=True)
        assert [d.verdict for d in models.decisions(conn, "b")] == ["promoted", "kept"]
        assert [v.state for v in models.versions(conn)] == ["champion", "archived", "archived"]
