import numpy as np
import pytest

from ecg_core.training import TrainingBeats, join_beats
from ecg_core.training.balance import MAX_GROWTH, MAX_WEIGHT, class_weights, resample
from ecg_core.training.beats import deal_patients
from ecg_core.training.prepare import match_beats


def beats(counts_by_patient, seed=0):
    random = np.random.default_rng(seed)
    classes = np.concatenate([np.repeat(np.arange(5), counts) for counts in counts_by_patient.values()]).astype(np.int8)
    patient = np.concatenate([np.full(sum(counts), name) for name, counts in counts_by_patient.items()])
    n = len(classes)
    waveform = random.normal(size=(n, 256, 2)).astype(np.float32) + classes[:, None, None]
    return TrainingBeats(waveform, random.normal(size=(n, 6)).astype(np.float32), classes, patient, patient)


def test_every_patient_is_dealt_once_and_every_fold_has_ectopic_beats():
    counts = {f"p{i}": [200, 0, 0, 0, 0] for i in range(8)} | {
        "s1": [150, 40, 0, 0, 0],
        "s2": [150, 50, 5, 0, 0],
        "v1": [150, 0, 60, 0, 0],
        "v2": [150, 2, 50, 9, 0],
    }
    all_beats = beats(counts)
    folds = deal_patients(all_beats, 2)
    assert sorted(patient for fold in folds for patient in fold) == sorted(counts)
    for fold in folds:
        of_fold = np.bincount(all_beats.class_index[np.isin(all_beats.patient, fold)], minlength=5)
        assert of_fold[1] >= 40
        assert of_fold[2] >= 50
        assert of_fold[0] >= 600


def test_there_are_never_more_folds_than_patients_and_none_is_empty():
    for n_patients in (2, 3, 5):
        folds = deal_patients(beats({f"p{i}": [5, 0, 0, 0, 0] for i in range(n_patients)}), 3)
        assert len(folds) == min(3, n_patients)
        assert all(folds)


def test_joining_and_selecting_keep_rows_together():
    a, b = beats({"a": [3, 2, 1, 0, 0]}), beats({"b": [1, 0, 4, 0, 0]}, seed=1)
    joined = join_beats([a, b])
    assert len(joined) == 11
    of_b = joined.select(joined.patient == "b")
    assert (of_b.waveform == b.waveform).all()
    assert of_b.patients() == ["b"]


@pytest.mark.parametrize("method", ["smote", "adasyn"])
def test_resampling_adds_beats_of_rare_classes_only_and_within_the_cap(method):
    original = beats({"a": [400, 20, 60, 3, 0], "b": [400, 20, 60, 0, 0]})
    resampled = resample(original, method, seed=0)
    before, after = np.bincount(original.class_index, minlength=5), np.bincount(resampled.class_index, minlength=5)
    assert after[0] == before[0]
    assert (after <= np.maximum(before, MAX_GROWTH * before)).all()
    assert after[3] == before[3], "three beats are too few to interpolate between"
    if method == "smote":
        assert after[1] == MAX_GROWTH * before[1]
    made = resampled.select(resampled.patient == "synthetic")
    assert made.waveform.dtype == np.float32
    assert np.isfinite(made.waveform).all()
    kept = resampled.select(resampled.patient != "synthetic")
    assert (kept.waveform == original.waveform).all()


def test_rare_classes_weigh_more_but_not_without_end():
    weights = class_weights(np.repeat(np.arange(5), [90_000, 4_900, 2_500, 51, 3]).astype(np.int8), 10_000)
    assert weights == pytest.approx([1, 10 / 7, 2, MAX_WEIGHT, 1])


def test_a_detection_belongs_to_one_annotation_the_nearest():
    reference = np.array([100, 300, 320, 700, 900])
    detected = np.array([105, 318, 500, 737, 938])
    assert match_beats(reference, detected).tolist() == [0, -1, 1, 3, -1]
    assert match_beats(reference, np.zeros(0, np.int64)).tolist() == [-1] * 5
    assert match_beats(np.zeros(0, np.int64), detected).size == 0
    assert match_beats(np.array([90, 110]), np.array([100])).tolist() == [0, -1]
