"""A task that is made up: whether a recording's heart is fast or slow. It touches no file of the task ``beats``.

What a new task brings stands in this file alone: the class of its versions, how they are made and judged, and one row
in each of the two registries.
"""

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from upath import UPath

from ecg_core.beats import extract_from_primary_lead
from ecg_core.datasets import synth
from ecg_core.files import file_sha256
from ecg_core.models import SHIPPED, TASKS, Version
from ecg_core.models.version import find_version, seal
from ecg_core.pipeline import inbox, rescore, retrain
from ecg_core.pipeline.versions import roll_back, scoring_version, scoring_versions
from ecg_core.readers.reports import render_again
from ecg_core.result import Labels, RecordingLabel
from ecg_core.signal import analyse
from ecg_core.store import read_result
from ecg_core.store.database import store_engine
from ecg_core.store.reports import list_arrivals
from ecg_core.training.gate import Verdict
from ecg_core.training.tasks import TRAINED
from ecg_core.training.work import TrainedTask

TASK = "pace"
RATES_BPM = (50.0, 60.0, 70.0, 90.0, 100.0, 110.0)


class PaceModel(Version):
    """Says how probable it is that the heart is fast, by a logistic function of the mean RR interval."""

    def label(self, recording, analysis, beats):
        if not np.isfinite(beats.rr_prev_ms).any():
            return Labels()
        weights = json.loads((self.folder / "weights.json").read_text())
        fast = 1 / (1 + np.exp(-(weights["slope"] * mean_rate(beats) + weights["offset"])))
        told = {"fast": float(np.float32(fast)), "slow": float(np.float32(1 - fast))}
        return Labels(tuple(RecordingLabel(TASK, self.version, name, p, p >= 0.2) for name, p in told.items()))


def mean_rate(beats) -> float:
    return 60_000 / float(np.nanmean(beats.rr_prev_ms))


def learned(rates: np.ndarray, fast: np.ndarray) -> dict[str, float]:
    """Logistic regression on one figure."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(rates[:, None], fast)
    return {"slope": float(fitted.coef_[0, 0]), "offset": float(fitted.intercept_[0])}


def accuracy(weights: dict[str, float], rates: np.ndarray, fast: np.ndarray) -> float:
    return float(np.mean((weights["slope"] * rates + weights["offset"] > 0) == fast))


def pace_task(rule: Callable[[float], bool]) -> TrainedTask:
    """The task, taught by a rule; judged by the true one on recordings that were held back."""

    def rates(seed: int) -> np.ndarray:
        made = [synth.synthesise(20.0, heart_rate_bpm=rate, seed=seed).recording for rate in RATES_BPM]
        return np.array([mean_rate(extract_from_primary_lead(analyse(one), None)) for one in made])

    def train(work, family):
        folder = work.run_dir / family
        folder.mkdir(parents=True, exist_ok=True)
        seen = rates(seed=1)
        weights = learned(seen, np.array([rule(rate) for rate in seen]))
        (folder / "weights.json").write_text(json.dumps(weights))
        return folder

    def assemble(work, components):
        held_back = rates(seed=2)
        weights = json.loads((components[0] / "weights.json").read_text())
        share = accuracy(weights, held_back, held_back > 80)
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=work.settings.models_dir))
        (folder / "weights.json").write_text(json.dumps(weights))
        manifest = {
            "task": TASK,
            "family": "logistic",
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "training_data": {
                "sentences": ["six generated recordings"],
                "databases": {},
                "records": [],
                "patients": [],
            },
            "figures": {"held back": {"accuracy": share, "classes": {}}},
            "limits": ["Knows the heart rate alone."],
        }
        return seal(folder, manifest, work.settings.models_dir)

    def judge(work, champion, challenger):
        was, now = (
            None
            if name is None
            else find_version(name, work.settings.models_dir)[1]["figures"]["held back"]["accuracy"]
            for name in (champion, challenger)
        )
        worst = 0.9 if was is None else was
        verdict = "Promoted" if now >= worst else "Kept the champion"
        return Verdict(now >= worst, f"{verdict}: accuracy {now:.2f}, at least {worst:.2f}.", {"accuracy": now})

    return TrainedTask(("logistic",), (), ("recording_label",), lambda work: None, train, assemble, judge)


@pytest.fixture
def night(settings, monkeypatch):
    monkeypatch.setitem(TASKS, TASK, PaceModel)
    settings.models_dir.mkdir(parents=True, exist_ok=True)

    def run(run_id: str, rule=lambda rate: rate > 80) -> dict[str, object]:
        monkeypatch.setitem(TRAINED, TASK, pace_task(rule))
        database = str(settings.datasets_dir / "none")
        assert retrain.at_hand(settings, TASK, database)
        prepared = retrain.prepare(settings, TASK, database, run_id)
        components = [retrain.train(settings, TASK, family, prepared, run_id) for family in TRAINED[TASK].families]
        version = retrain.assemble(settings, TASK, components, prepared, run_id)
        retrain.evaluate(settings, version, prepared, run_id)
        return {"version": version, **retrain.decide(settings, version, run_id)}

    return run


def score(settings, owner: str) -> Path:
    inbox.register_arrivals(settings, UPath(settings.inbox))
    [chunk] = inbox.plan_chunks(settings)
    [outcome] = inbox.score_chunk(settings, chunk, owner)
    assert outcome["outcome"] == "scored", outcome
    return Path(str(outcome["report"]))


def rows(settings, query: str) -> list[tuple]:
    with store_engine(settings).connect() as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def test_it_is_trained_judged_promoted_and_labels_recordings(settings, night, arrive):
    arrive("a")
    before = score(settings, "before").read_text()
    assert 'id="labels"' not in before

    damaged = night("night 1", rule=lambda rate: rate < 80)
    assert damaged["promoted"] is False, "the first of its task must be good, too"
    assert TASK not in scoring_versions(settings)
    first = night("night 2")
    assert first["promoted"] is True, first["reason"]
    worse = night("night 3", rule=lambda rate: rate > 105)
    assert worse["promoted"] is False
    assert scoring_versions(settings) == {**SHIPPED, TASK: first["version"]}
    assert scoring_version(settings, TASK) == first["version"]
    decided = rows(
        settings, "SELECT run_id, verdict, judged_against FROM ecg.training_run WHERE task = 'pace' ORDER BY 1"
    )
    assert sorted(decided) == [
        ("night 1", "kept", None),
        ("night 2", "promoted", None),
        ("night 3", "kept", first["version"]),
    ]
    listed = rows(settings, "SELECT model_version, is_champion FROM ecg_mart.model_version WHERE task = 'pace'")
    assert sorted(is_champion for _, is_champion in listed) == [False, False, True]

    arrive("b")
    report = score(settings, "after").read_text()
    said = rows(
        settings,
        "SELECT model_version, task, label, in_set, probability FROM ecg_mart.recording_label ORDER BY 5 DESC",
    )
    assert [row[:3] for row in said] == [(first["version"], TASK, name) for name in ("slow", "fast")]
    assert said[0][3] is True
    assert said[0][4] + said[1][4] == pytest.approx(1)
    section = report[report.index('id="labels"') :]
    assert section.index("slow") < section.index("fast")
    assert f"{said[0][4]:.2f}" in section
    assert str(first["version"]) in section


def test_the_beats_do_not_notice(settings, night, arrive):
    night("night")
    arrive("a")
    score(settings, "test")
    assert rows(settings, "SELECT task, count(*) FROM ecg.scoring_run GROUP BY 1 ORDER BY 1") == [
        ("beats", 1),
        ("pace", 1),
        ("resting", 1),
        ("rhythm", 1),
    ]
    # What counts recordings, newest runs and reports counts runs of beats alone.
    assert rows(settings, "SELECT count(*), bool_and(is_newest) FROM ecg_mart.score") == [(1, True)]
    assert rows(settings, "SELECT n_model_versions, newest_model_version FROM ecg_mart.recording") == [
        (1, SHIPPED["beats"])
    ]
    assert rows(settings, "SELECT count(*) FROM ecg.report") == [(1,)]
    with store_engine(settings).connect() as conn:
        [recording_id] = conn.execute(text("SELECT recording_id FROM ecg.recording")).scalars()
        run = read_result.find_scoring_run(conn, recording_id)
        result = read_result.read_result(conn, run, with_signal=False)
    assert result.model.version == SHIPPED["beats"]
    assert [model.task for model in result.other_models] == ["pace", "resting", "rhythm"]
    assert {label.task for label in result.labels} == {TASK}
    # Scored again, nothing is written twice.
    with store_engine(settings).begin() as conn:
        from ecg_core.store import write_result

        assert write_result.write_result(conn, result, "again") is None
    assert rows(settings, "SELECT count(*) FROM ecg.recording_label") == [(2,)]


def test_a_task_without_a_version_before_the_first_has_nothing_to_go_back_to(settings, night):
    from ecg_core.errors import StoreError

    night("night")
    with pytest.raises(StoreError, match="No model version scored before"):
        roll_back(settings, "no good", TASK)
    assert scoring_version(settings) == SHIPPED["beats"]


def test_a_champion_whose_task_a_release_no_longer_knows_is_left_out(settings, night, arrive, monkeypatch):
    night("night")
    monkeypatch.delitem(TASKS, TASK)
    arrive("a")
    assert 'id="labels"' not in score(settings, "test").read_text()


def test_what_was_scored_before_is_labelled_by_scoring_again(settings, night, arrive, tmp_path):
    arrive("a")
    report = score(settings, "before")
    [(n_findings,)] = rows(settings, "SELECT count(*) FROM ecg.finding")
    version = str(night("night")["version"])
    plan = rescore.plan_rescoring(settings, version, dry_run=False)
    assert plan["to_score"] == 1
    [chunk] = plan["chunks"]
    assert [outcome["outcome"] for outcome in rescore.rescore_chunk(settings, chunk, "test", version)] == ["scored"]
    # A reading of its own, of the same beats: what was read and drawn before stays.
    assert rows(
        settings,
        "SELECT versions ->> 'pace', versions - 'pace', count(DISTINCT finding_index) FROM ecg.reading "
        "LEFT JOIN ecg.finding USING (reading_id) GROUP BY reading_id, 1, 2 ORDER BY reading_id",
    ) == [(name, dict(SHIPPED), n_findings) for name in (None, version)]
    assert rows(settings, "SELECT count(*) FROM ecg.scoring_run WHERE task = 'beats'") == [(1,)]
    old, new = rows(settings, "SELECT path, sha256, urgency FROM ecg.report ORDER BY reading_id")
    assert settings.reports_dir / old[0] == report
    assert old[1] == file_sha256(report)
    assert new[2] == old[2]
    drawn = settings.reports_dir / new[0]
    assert new[1] == file_sha256(drawn)
    assert 'id="labels"' in drawn.read_text()
    assert 'id="labels"' not in report.read_text()
    with store_engine(settings).connect() as conn:
        [arrival] = list_arrivals(conn)
    assert arrival.report_path == new[0], "one arrival, and its newest report"
    # Drawn again from what is stored, it is the same report.
    [(recording_id,)] = rows(settings, "SELECT recording_id FROM ecg.recording")
    assert render_again(settings, recording_id, None, tmp_path / "again").sha256 == new[1]
    assert rescore.rescore_chunk(settings, chunk, "test", version) == []
    assert rescore.plan_rescoring(settings, version)["to_score"] == 0
