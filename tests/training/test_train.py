import json

import numpy as np
import pytest

from ecg_core.errors import DatasetError, PatientLeak
from ecg_core.models import load_model
from ecg_core.training import (
    IMBALANCES,
    TrainingOptions,
    TrainingSource,
    architectures,
    assemble,
    evaluate,
    prepare_records,
    train_family,
)
from ecg_core.training.architectures import early_learner
from ecg_core.training.augment import SHIFT_SAMPLES, augment
from ecg_core.training.figures import area_under_roc
from ecg_core.training.train import RECIPES, fit


@pytest.fixture(scope="module")
def few(two_patients):
    return two_patients.select(np.arange(0, len(two_patients), 3))


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("imbalance", IMBALANCES)
def test_one_pass_runs_under_every_setting_for_imbalance(imbalance, few):
    few = few.select(np.arange(0, len(few), 4))
    model = fit(RECIPES["cnn"], few, TrainingOptions(imbalance, epochs=1, seed=1), epochs=1)
    logits = model.predict([few.waveform, few.context], verbose=0)
    assert np.isfinite(logits).all()
    assert logits.std(axis=0).min() > 0


def test_the_second_question_is_learned_from_the_features_first_and_then_left_alone(few, eagerly):
    said = []
    options = TrainingOptions("class_weights", epochs=2, seed=1)
    fit(RECIPES["cnn"], few, options, 2, lambda _, model: said.append(early_learner(model).predict(few.context)))
    after_one, after_two = said
    assert (after_one == after_two).all()
    of_either = few.class_index <= 1
    assert area_under_roc(after_one[of_either].mean(axis=1), few.class_index[of_either] == 1) > 0.9


@pytest.mark.parametrize("every", [16, pytest.param(2, marks=pytest.mark.long)])
def test_the_same_seed_gives_the_same_model_and_another_seed_another(few, every, request):
    if every == 16:
        request.getfixturevalue("eagerly")
    few = few.select(np.arange(0, len(few), every))
    models = [fit(RECIPES["cnn"], few, TrainingOptions(epochs=1, seed=seed), epochs=1) for seed in (5, 5, 6)]
    said = [model.predict([few.waveform, few.context], verbose=0) for model in models]
    assert (said[0] == said[1]).all()
    assert (said[0] != said[2]).any()


@pytest.mark.parametrize("learner", ["members", "early", "autoencoder"])
def test_no_gradient_is_a_sum_whose_order_is_left_to_chance(few, learner):
    """TensorFlow adds up three tensors or more from whichever it can overwrite: at full size weights differed by it."""
    import tensorflow as tf

    waveform, context = few.waveform[:8], few.context[:8]
    classifier = architectures.build_cnn(context.shape[1])
    model, inputs = {
        "members": (architectures.cnn_learner(classifier), [waveform, context]),
        "early": (architectures.early_learner(classifier), context),
        "autoencoder": (architectures.build_autoencoder(4), waveform),
    }[learner]

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs, training=True))
        return tape.gradient(loss, model.trainable_variables)

    operations = gradients.get_concrete_function().graph.get_operations()
    assert any("Conv" in o.type or "MatMul" in o.type for o in operations)
    assert [o.name for o in operations if o.type == "AddN" and len(o.inputs) > 2] == []


def test_a_component_says_how_it_was_made(components, two_patients):
    for component in components:
        facts = json.loads((component / "component.json").read_text())
        assert facts["onnx_difference"] < 1e-4
        assert facts["epochs_used"] == 1
        assert facts["parameters"] <= 100_000
        with np.load(component / "held_out.npz", allow_pickle=False) as said:
            assert np.isfinite(said["answer"]).all()
            assert len(said["answer"]) == len(two_patients)


def test_every_patient_is_held_out_once(components, two_patients):
    facts = json.loads((components[0] / "component.json").read_text())
    assert facts["held_out_in_turn"] == [["mitdb-209"], ["mitdb-119"]] or facts["held_out_in_turn"] == [
        ["mitdb-119"],
        ["mitdb-209"],
    ]
    assert facts["patients"] == two_patients.patients()


@pytest.mark.parametrize("leak", ["100", "223", "202"])
def test_training_on_a_deciding_or_test_patient_is_stopped(leak, two_patients, tmp_path):
    record = np.where(two_patients.record == "119", leak, two_patients.record)
    leaking = type(two_patients)(
        two_patients.waveform, two_patients.context, two_patients.class_index, record, two_patients.patient
    )
    with pytest.raises(PatientLeak, match=leak):
        train_family("cnn", leaking, TrainingOptions(epochs=1), tmp_path)


def test_the_same_person_under_another_record_is_stopped(two_patients, tmp_path):
    record = np.where(two_patients.record == "119", "201", two_patients.record)
    leaking = type(two_patients)(
        two_patients.waveform, two_patients.context, two_patients.class_index, record, two_patients.patient
    )
    with pytest.raises(PatientLeak, match="202"):
        train_family("cnn", leaking, TrainingOptions(epochs=1), tmp_path)


def test_measuring_on_a_training_patient_is_stopped(tiny_model, two_patients):
    with pytest.raises(PatientLeak):
        evaluate(tiny_model, two_patients)


def test_one_patient_is_too_few(two_patients, tmp_path):
    with pytest.raises(DatasetError, match="two patients"):
        train_family("cnn", two_patients.select(two_patients.record == "119"), TrainingOptions(epochs=1), tmp_path)


def test_a_version_needs_both_families_and_the_same_records(components, two_patients, tmp_path):
    source = TrainingSource("x", {"mitdb": "0" * 64})
    with pytest.raises(DatasetError, match="autoencoder"):
        assemble(components[:1], two_patients, {}, source, tmp_path)
    with pytest.raises(DatasetError, match="other records"):
        assemble(components, two_patients.select(two_patients.record == "119"), {}, source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_measuring_a_new_version_on_its_training_patients_leaves_no_folder(components, two_patients, tmp_path):
    with pytest.raises(PatientLeak):
        assemble(
            components, two_patients, {"deciding": two_patients}, TrainingSource("x", {"mitdb": "0" * 64}), tmp_path
        )
    assert list(tmp_path.iterdir()) == []


def test_the_background_is_of_training_beats_of_every_class(tiny_model, two_patients):
    waveform, context = tiny_model.background()
    assert waveform.shape[1:] == (256, 2)
    assert waveform.dtype == np.float32
    assert 20 < len(waveform) <= 100
    nearest = np.abs(two_patients.context[:, None] - context[None]).sum(axis=2).min(axis=0)
    assert nearest.max() == 0


def test_prepared_beats_come_from_the_cache_unchanged(mitdb, cache_dir, trees):
    first = prepare_records(mitdb, ["119"], "detected", cache_dir, trees)
    files = {path: path.stat().st_mtime_ns for path in cache_dir.iterdir()}
    again = prepare_records(mitdb, ["119"], "detected", cache_dir, trees)
    assert {path: path.stat().st_mtime_ns for path in cache_dir.iterdir()} == files
    assert (first.waveform == again.waveform).all()
    assert (first.class_index == again.class_index).all()


def test_detected_beats_carry_the_labels_of_the_annotated_ones(mitdb, cache_dir, trees):
    detected = prepare_records(mitdb, ["119"], "detected", cache_dir, trees)
    reference = prepare_records(mitdb, ["119"], "reference", cache_dir, trees)
    counts = [np.bincount(b.class_index, minlength=5) for b in (detected, reference)]
    assert counts[1].tolist() == [1543, 0, 444, 0, 0]
    assert np.abs(counts[0] - counts[1]).max() <= 10
    training = prepare_records(mitdb, ["119"], "training", cache_dir, trees)
    assert len(training) > 1.5 * len(reference), "both leads"


def test_augmenting_moves_both_channels_alike_and_adds_noise_to_the_beat_alone(two_patients):
    before = two_patients.waveform[:200]
    after = augment(before, np.random.default_rng(0))
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert (before == two_patients.waveform[:200]).all()
    shifts = range(-SHIFT_SAMPLES, SHIFT_SAMPLES + 1)
    middle = slice(10, -10)
    found = set()
    for b, a in zip(before, after, strict=True):
        by_shift = {s: np.abs(np.roll(b[:, 1], -s)[middle] - a[middle, 1]).max() for s in shifts}
        shift = min(by_shift, key=by_shift.get)
        found.add(shift)
        assert by_shift[shift] == 0
        added = a[middle, 0] - np.roll(b[:, 0], -shift)[middle]
        assert 0 < np.abs(added).max() < 0.25
    assert found == set(shifts)


def test_a_model_can_be_loaded_after_training_in_the_same_process(tiny_version):
    assert load_model(tiny_version.name, tiny_version.parent).version == tiny_version.name
