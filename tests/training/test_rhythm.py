"""Learning fibrillation: the arrays say what scikit-learn says, and the figures are those of the folds."""

import shutil
from collections import Counter

import numpy as np
import pytest

from benchmarks.rhythm import measure_on_mitdb
from ecg_core.beats.fibrillation import RHYTHMS
from ecg_core.datasets import challenge2017
from ecg_core.datasets.annotated import load_rhythm
from ecg_core.errors import DatasetError, DatasetUnavailable
from ecg_core.models import SHIPPED, load_version
from ecg_core.models.version import SHIPPED_DIR
from ecg_core.training import rhythm
from ecg_core.training.rhythm import RhythmWindows, challenge_windows


@pytest.fixture(scope="module")
def challenge(mitdb):
    folder = mitdb.parents[1] / "challenge-2017" / "1.0.0"
    if not folder.is_dir():
        pytest.skip("no recordings of the Challenge 2017 beside the MIT-BIH records")
    return folder


@pytest.fixture(scope="module")
def few(challenge, tmp_path_factory):
    """A base with ten recordings of each rhythm."""
    folder = tmp_path_factory.mktemp("challenge")
    (folder / "training").mkdir()
    rhythms = challenge2017.references(challenge)
    chosen = [name for rhythm in RHYTHMS for name in [n for n, r in rhythms.items() if r == rhythm][:10]]
    for name in chosen:
        for suffix in ("hea", "mat"):
            shutil.copyfile(
                challenge / "training" / name[:3] / f"{name}.{suffix}", folder / "training" / f"{name}.{suffix}"
            )
    lines = [f"{name},{rhythms[name]}" for name in chosen]
    (folder / "training" / "REFERENCE.csv").write_text("\n".join([*lines, "A99999,N"]) + "\n")
    return folder


@pytest.fixture(scope="module")
def windows(few):
    return challenge_windows(few)


def test_windows_are_prepared_of_the_recordings_that_are_there(few, windows):
    assert len(windows.names) == 40
    assert "A99999" not in windows.names
    assert np.bincount(windows.rhythm).tolist() == [10, 10, 10, 10]
    assert windows.recording.max() == 39
    assert len(windows.features) >= 40
    assert challenge2017.content_sha256(few, ["A00001"]) != challenge2017.content_sha256(few, ["A00002"])


def test_arrays_say_what_the_trees_said(windows):
    told = np.isfinite(windows.features[:, 0])
    features, truth = windows.features[told], windows.rhythm[windows.recording][told]
    fitted = rhythm._fit(features, truth, 3)
    trees = rhythm._as_trees(fitted, 1.0)
    assert trees.probabilities(features) == pytest.approx(fitted.predict_proba(features), abs=2e-4)
    again = rhythm._as_trees(rhythm._fit(features, truth, 3), 1.0)
    assert all(np.array_equal(getattr(trees, name), getattr(again, name)) for name in ("feature", "threshold", "value"))


def test_no_recording_is_on_both_sides(windows):
    fold = rhythm._dealt(windows.rhythm, 1)
    for code in range(4):
        assert np.bincount(fold[windows.rhythm == code]).tolist() == [2] * 5


def test_too_few_recordings_are_refused():
    with pytest.raises(DatasetError, match="4 recordings of rhythm N"):
        rhythm._dealt(np.array([0] * 4 + [1] * 9 + [2] * 9 + [3] * 9, np.int8), 1)


def test_figures_by_hand():
    """Five recordings: one of each rhythm right, one N called A; the one without features is called noise."""
    windows = RhythmWindows(
        np.zeros((6, 1), np.float32), np.array([0, 1, 2, 3, 4, 4]), np.array([0, 1, 2, 3, 0], np.int8), tuple("abcde")
    )
    logits = np.full((6, 4), -9.0)
    logits[[0, 1, 2], [0, 1, 2]] = 9
    logits[3] = np.nan
    # Two windows of one recording: the surer one decides.
    logits[4], logits[5] = (9, -9, -9, -9), (-9, 9, -9, -9)
    logits[4, 1] = 8
    figures = rhythm.figures_of(windows.rhythm, rhythm.of_recordings(windows, logits))
    assert figures["N"]["sensitivity"] == 0.5
    assert figures["N"]["f1"] == pytest.approx(2 / 3)
    assert figures["A"]["precision"] == 0.5
    assert figures["A"]["f1"] == pytest.approx(2 / 3)
    assert figures["O"]["f1"] == figures["~"]["f1"] == 1
    assert figures["overall"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_intervals_of_f1_are_over_recordings():
    classes = np.tile(np.int8([0, 1, 2, 3]), 50)
    sure = np.eye(4, dtype=np.float32)[classes]
    wrong = sure.copy()
    wrong[:40] = np.roll(wrong[:40], 1, axis=1)
    assert rhythm.f1_intervals(classes, np.stack([sure, sure]))["A"] == (1.0, 1.0)
    low, high = rhythm.f1_intervals(classes, np.stack([wrong, wrong]))["A"]
    assert low < 0.8 < high, "a fifth of the recordings is wrong"
    assert 0.05 < high - low < 0.3


def test_shipped_weights_reach_what_was_asked_and_tell_their_origin():
    manifest = load_version(SHIPPED["rhythm"], SHIPPED_DIR).manifest
    figures = manifest["figures"]["folds"]["classes"]
    assert figures["A"]["f1"] >= 0.75
    assert figures["N"]["f1"] >= 0.78
    assert len(manifest["training_data"]["databases"]["challenge-2017"]) == 64


def test_shipped_weights_were_learned_from_these_recordings(challenge):
    training_data = load_version(SHIPPED["rhythm"], SHIPPED_DIR).manifest["training_data"]
    rhythms = challenge2017.references(challenge)
    learned = training_data["records"]
    if not set(learned) <= set(rhythms):
        pytest.skip(f"not all of the {len(learned)} recordings learned from are here")
    counts = Counter(rhythms[name] for name in learned)
    assert training_data["sentences"][0].endswith(", ".join(f"{rhythm} {counts[rhythm]}" for rhythm in RHYTHMS))
    assert challenge2017.content_sha256(challenge, learned) == training_data["databases"]["challenge-2017"]


def test_rhythm_marks_of_mitbih(mitdb, tmp_path):
    marks = load_rhythm(mitdb, "203")
    assert {mark for _, _, mark in marks} >= {"(AFIB", "(AFL"}
    assert all(start < end for start, end, _ in marks)
    assert [end for _, end, _ in marks[:-1]] == [start for start, _, _ in marks[1:]]
    assert marks[-1][1] == pytest.approx(1805.6, abs=0.1)
    with pytest.raises(DatasetUnavailable, match="203"):
        load_rhythm(tmp_path, "203")


def test_figures_on_mitbih(mitdb, trees):
    figures = measure_on_mitdb(mitdb, ["203", "112"], trees)
    assert figures["records"]["112"] == {"af": 0, "found": 0, "not_af": 60, "false": 0, "unknown": 0}
    assert figures["records"]["203"]["af"] == 49
    assert figures["specificity"] == 1
    assert figures["sensitivity"] > 0.5


@pytest.mark.parametrize("table", [None, "A00001,N\n", "A00001,nonsense\n"])
def test_a_folder_without_recordings_is_named(tmp_path, table):
    (tmp_path / "training").mkdir()
    if table:
        (tmp_path / "training" / "REFERENCE.csv").write_text(table)
    with pytest.raises(DatasetUnavailable, match="ecg fetch challenge-2017"):
        challenge2017.references(tmp_path)
