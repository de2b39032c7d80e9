"""A retraining from fetch to gate, and both of its outcomes."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import wfdb
from sqlalchemy import text
from structlog.testing import capture_logs

from ecg_core.datasets import splits
from ecg_core.errors import DatasetUnavailable, PatientLeak, StoreError
from ecg_core.models import SHIPPED_VERSION, load_model
from ecg_core.pipeline import retrain
from ecg_core.pipeline.versions import roll_back, scoring_version
from ecg_core.settings import Settings
from ecg_core.store import models as model_rows
from ecg_core.store.database import store_engine
from ecg_core.training import (
    FAMILIES,
    Limits,
    TrainingOptions,
    deciding_set,
    gate,
    prepare_records,
    train_family,
    training_set,
)
from ecg_core.training.deciding import read_out_of_fold

LIMITS = Limits(0.005, 0.02, {}, 0.01, 1000.0)
PURPOSES = ("detected", "noise")
TRAINED = ("106", "119", "208", "209")


pytestmark = pytest.mark.usefixtures("quick_training")


def with_base(settings: Settings, base: Path, **changes: object) -> Settings:
    return settings.model_copy(update={"physionet_base": str(base), "retrain_epochs": 1, **changes})


def run(settings: Settings, run_id: str, components: Sequence[str] = ()) -> dict[str, object]:
    """Every step of the DAG, in its order; given components are not trained again."""
    prepared = retrain.prepare(settings, "beats", retrain.fetch(settings), run_id)
    missing = [family for family in FAMILIES if family not in {Path(component).name for component in components}]
    with without_graphs(settings.retrain_epochs == 1):
        components = [*components, *(retrain.train(settings, "beats", family, prepared, run_id) for family in missing)]
    version = retrain.assemble(settings, "beats", components, prepared, run_id)
    retrain.evaluate(settings, version, prepared, run_id)
    return {"version": version, **retrain.decide(settings, version, run_id)}


@contextmanager
def without_graphs(quick: bool = True) -> Iterator[None]:
    """One pass is too little to be worth the graphs that TensorFlow makes for a fit."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(quick)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def autoencoder(first_components) -> list[str]:
    """The component that knows no labels: whatever is done to these, it is the same."""
    return [component for component in first_components if Path(component).name == "autoencoder"]


@pytest.fixture(scope="module")
def first_components(quick_training, smallest_base, trees, tmp_path_factory) -> list[str]:
    """A component of each family, trained on the smallest base once for the tests of this file."""
    folder = tmp_path_factory.mktemp("first")
    training = training_set({"mitdb": smallest_base / "mitdb" / "1.0.0"}, folder / "beats", trees)
    with without_graphs():
        return [str(train_family(family, training, TrainingOptions(epochs=1), folder)) for family in FAMILIES]


def relabelled(base: Path, target: Path, relabel: Callable[[list[str]], list[str]]) -> Path:
    """A copy of a base with other labels in its training records."""
    shutil.copytree(base, target)
    folder = target / "mitdb" / "1.0.0"
    for name in TRAINED:
        marks = wfdb.rdann(str(folder / name), "atr")
        marks.symbol = relabel(marks.symbol)
        marks.wrann(write_fs=True, write_dir=str(folder))
    return target


def shuffled(symbols: list[str]) -> list[str]:
    return [str(symbol) for symbol in np.random.default_rng(0).permutation(symbols)]


def without_v(symbols: list[str]) -> list[str]:
    return ["N" if symbol == "V" else symbol for symbol in symbols]


@pytest.mark.long
def test_a_model_of_shuffled_labels_is_kept_out_and_a_sound_one_takes_its_place(
    settings, smallest_base, small_base, tmp_path
):
    first = scoring_version(settings)
    damaged = with_base(settings, relabelled(smallest_base, tmp_path / "damaged", shuffled))
    worse = run(damaged, "scheduled__2026-11-21T02:00:00+00:00")
    assert worse["promoted"] is False
    assert "Kept the champion" in str(worse["reason"])
    assert scoring_version(settings) == first

    # Had the damaged one been let in, a sound one takes its place.
    with store_engine(settings).begin() as connection:
        model_rows.promote(connection, str(worse["version"]), "by hand, for this test")
    shutil.rmtree(settings.datasets_dir)
    # The damaged one finds every N: it calls all beats N. A few minutes of four patients do not teach that and V too.
    floorless = {"gate_recall_floors": {}, "gate_recall_margin": 0.1, "gate_ms_per_beat": 1000.0, "retrain_epochs": 3}
    better = run(with_base(settings, small_base, **floorless), "scheduled__2026-11-22T02:00:00+00:00")
    assert better["promoted"] is True, better["reason"]
    assert scoring_version(settings) == better["version"]
    with store_engine(settings).connect() as connection:
        decisions = "SELECT run_id, verdict, reason, figures FROM ecg.training_run WHERE task = 'beats'"
        rows = connection.execute(text(f"{decisions} ORDER BY training_run_id")).all()
    assert [(row.run_id, row.verdict) for row in rows if row.reason] == [
        (None, "promoted"),
        ("scheduled__2026-11-21T02:00:00+00:00", "kept"),
        (None, "promoted"),
        ("scheduled__2026-11-22T02:00:00+00:00", "promoted"),
    ]
    # Each night leaves every figure; labels that were changed are no common ground.
    figures = rows[-1].figures
    assert {
        "macro_F1",
        "recall_of_V",
        "ECE",
        "deviation_AUC",
        "ms_per_beat",
        "macro_f1_difference",
        "V_F1_in_noise",
    } <= set(figures)
    assert figures["patients"] == {"held_back": ["mitdb-116", "mitdb-207", "mitdb-223"], "out_of_fold": []}

    # The version before it scores again by one command, and another step goes further back.
    assert roll_back(settings, "for this test") == worse["version"]
    assert scoring_version(settings) == worse["version"]
    assert roll_back(settings, "for this test") == first
    with pytest.raises(StoreError, match="No model version scored before"):
        roll_back(settings, "for this test")


def test_a_model_that_never_learned_a_class_is_kept_out(settings, smallest_base, autoencoder, tmp_path):
    damaged = with_base(settings, relabelled(smallest_base, tmp_path / "damaged", without_v))
    kept = run(damaged, "run", autoencoder)
    assert kept["promoted"] is False
    assert "recall of V from" in str(kept["reason"])


@pytest.mark.parametrize("leaked", ["207", "100"])
def test_a_patient_of_the_other_side_is_found_under_another_name(settings, smallest_base, tmp_path, mitdb, leaked):
    base = tmp_path / "leaked"
    shutil.copytree(smallest_base, base)
    folder = base / "mitdb" / "1.0.0"
    if leaked == "100":
        for suffix in ("hea", "dat", "atr"):
            shutil.copyfile(mitdb / f"100.{suffix}", folder / f"100.{suffix}")
    for suffix in ("hea", "dat", "atr"):
        content = (folder / f"{leaked}.{suffix}").read_bytes()
        (folder / f"119.{suffix}").write_bytes(content.replace(leaked.encode(), b"119") if suffix == "hea" else content)
    leaky = with_base(settings, base)
    with pytest.raises(PatientLeak, match=f"119 has the signal of record {leaked}"):
        retrain.prepare(leaky, "beats", retrain.fetch(leaky), "run")


def test_test_patients_are_never_trained_on(settings, smallest_base, monkeypatch):
    monkeypatch.setitem(splits.LEARNED_FROM, "mitdb", (*TRAINED, "207"))
    leaky = with_base(settings, smallest_base)
    prepared = retrain.fetch(leaky)
    with pytest.raises(PatientLeak, match="207"):
        retrain.train(leaky, "beats", "cnn", prepared, "run")


@pytest.mark.long
def test_the_champion_is_judged_by_what_it_kept_of_its_own_training(
    settings, smallest_base, first_components, trees, monkeypatch
):
    """Patients that both were trained on count out of fold; those of one alone do not count at all."""
    first = run(with_base(settings, smallest_base), "first", first_components)
    with store_engine(settings).begin() as connection:
        model_rows.promote(connection, str(first["version"]), "by hand, for this test")
    monkeypatch.setitem(splits.LEARNED_FROM, "mitdb", ("106", "119", "208"))
    second = run(with_base(settings, smallest_base, seed=8), "second")
    document = json.loads((settings.models_dir / ".runs" / "second" / "beats" / "verdict.json").read_text())
    assert document["champion"] == first["version"]
    assert document["figures"]["patients"]["out_of_fold"] == ["mitdb-106", "mitdb-119", "mitdb-208"]
    assert document["figures"]["n_patients"] == 6
    champion, challenger = (load_model(str(v["version"]), settings.models_dir) for v in (first, second))
    kept = read_out_of_fold(champion)
    assert sorted(set(kept.patient.tolist())) == [f"mitdb-{name}" for name in TRAINED]
    held_out = np.load(Path(first_components[0]) / "held_out.npz")
    assert kept.logits == pytest.approx(held_out["answer"], rel=1e-3, abs=1e-2)
    # The same version against itself is no gain.
    beats = deciding_set(challenger, challenger, *(prepare_records(*_deciding(settings, p), trees) for p in PURPOSES))
    verdict = gate(beats.class_index, beats.patient, beats.champion, beats.challenger, LIMITS)
    assert "the same on every figure" in verdict.reason


def _deciding(settings: Settings, purpose: str) -> tuple[Path, list[str], str, Path]:
    folder = settings.datasets_dir / "mitdb" / "1.0.0"
    return folder, ["116", "207", "223"], purpose, settings.models_dir / ".prepared"


@pytest.mark.parametrize(
    ("answer", "promoted", "said"),
    [
        (retrain.Answer(True, "Dr. Mabuse"), True, "Promoted with the approval of Dr. Mabuse. The gate: Promoted: "),
        (retrain.Answer(False, "Dr. Mabuse"), False, "Kept the champion: Dr. Mabuse said no."),
        (retrain.Answer(False, None), False, "nobody answered within 12 h, and silence means no"),
        (None, False, "nobody answered"),
    ],
)
def test_where_a_person_is_asked_silence_means_no(settings, answer, promoted, said):
    asking = settings.model_copy(update={"approve_promotion": True})
    document = {"champion": SHIPPED_VERSION, "promote": True, "reason": "Promoted: macro F1.", "figures": {}}
    folder = settings.models_dir / ".runs" / "run" / "beats"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps(document))
    # Any registered version will do as the challenger.
    decided = retrain.decide(asking, SHIPPED_VERSION, "run", answer)
    assert decided["promoted"] is promoted
    assert said in str(decided["reason"])
    (folder / "verdict.json").write_text(json.dumps({**document, "promote": False, "reason": "Kept the champion: V."}))
    assert retrain.decide(asking, SHIPPED_VERSION, "run", answer) == {
        "promoted": False,
        "reason": "Kept the champion: V.",
    }


def test_steps_that_are_run_again_change_nothing(settings, smallest_base, first_components):
    settings = with_base(settings, smallest_base)
    first = run(settings, "run", first_components)
    again = {
        "version": retrain.assemble(settings, "beats", [], "", "run"),
        **retrain.decide(settings, str(first["version"]), "run"),
    }
    assert again == first
    manifest = json.loads((settings.models_dir / str(first["version"]) / "manifest.json").read_text())
    assert manifest["training_data"]["records"] == ["106", "119", "208", "209"]
    assert load_model(str(first["version"]), settings.models_dir).version == first["version"]
    with store_engine(settings).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ecg.training_run WHERE run_id = 'run'")).scalar_one() == 1


def test_a_base_that_does_not_answer_is_named(settings, tmp_path):
    with pytest.raises(DatasetUnavailable) as caught:
        retrain.fetch(with_base(settings, tmp_path / "nothing-here"))
    assert caught.value.retryable
    assert "ECG_PHYSIONET_BASE" in str(caught.value)


def test_databases_that_are_not_at_hand_are_left_out_and_said(settings, smallest_base):
    settings = with_base(settings, smallest_base)
    with capture_logs() as logs:
        retrain.fetch(settings)
    left_out = [line["database"] for line in logs if "left out of training" in line["event"]]
    assert left_out == ["qtdb", "svdb", "incartdb", "challenge-2017", "nstdb", "ptb-xl"]
    assert all(line["reason"] for line in logs if "left out of training" in line["event"])
