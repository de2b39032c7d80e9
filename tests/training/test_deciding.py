"""Who decides on a promotion: nobody whom one of the two versions had seen when it said so."""

import numpy as np
import pytest

from ecg_core.errors import DatasetError, PatientLeak
from ecg_core.models import LoadedModel
from ecg_core.models.calibration import softmax
from ecg_core.training import TrainingBeats, deciding_set
from ecg_core.training.deciding import OUT_OF_FOLD, read_out_of_fold, write_out_of_fold


class Version(LoadedModel):
    """A version by its manifest and what it keeps out of fold; of patients held back it says that all is N."""

    def classify(self, waveform, context):
        return np.tile(np.float32([0.9, 0.025, 0.025, 0.025, 0.025]), (len(waveform), 1))

    def reconstruct(self, waveform, context):
        return waveform[:, :, 0], np.arange(len(waveform), dtype=np.float32)


def beats(*records, classes="NNSV"):
    n = len(classes)
    index = np.array([["NSVFQ".index(c) for c in classes]], np.int8).repeat(len(records), axis=0).ravel()
    names = np.repeat(records, n)
    patients = np.array([name if name.startswith("A0") else f"mitdb-{name}" for name in names])
    rows = len(names)
    return TrainingBeats(np.zeros((rows, 256, 2), np.float32), np.zeros((rows, 3), np.float32), index, names, patients)


def twice(*records):
    """The same beats as recorded, and in noise."""
    return beats(*records), beats(*records)


@pytest.fixture
def version(tmp_path):
    def make(name, trained, logit=1.0, keeps=True):
        folder = tmp_path / name
        folder.mkdir()
        logits = np.full((len(trained), 5), logit, np.float32)
        logits[np.arange(len(trained)), trained.class_index] = logit + 2
        if keeps:
            write_out_of_fold(logits, trained, folder / OUT_OF_FOLD)
        manifest = {
            "version": name,
            "files": {OUT_OF_FOLD: ""} if keeps else {},
            "training_data": {"records": trained.records(), "patients": trained.patients()},
            "calibration": {"temperature": 2.0},
        }
        return Version(folder, manifest)

    return make


def test_what_was_kept_comes_back(version):
    trained = beats("106", "119", "A00001")
    kept = read_out_of_fold(version("a", trained))
    assert kept.record.tolist() == trained.record.tolist()
    assert kept.patient.tolist() == trained.patient.tolist()
    assert kept.class_index.tolist() == trained.class_index.tolist()
    assert kept.logits.argmax(axis=1).tolist() == trained.class_index.tolist()
    assert read_out_of_fold(version("b", trained, keeps=False)) is None


def test_training_patients_of_both_count_as_they_were_said_out_of_fold(version):
    champion = version("a", beats("106", "119", "208"))
    challenger = version("b", beats("119", "208", "209"))
    asked = deciding_set(champion, challenger, *twice("207", "223"))
    assert asked.held_back == ("mitdb-207", "mitdb-223")
    assert asked.out_of_fold == ("mitdb-119", "mitdb-208")
    assert asked.patient.tolist() == [f"mitdb-{r}" for r in ("207", "223", "119", "208") for _ in range(4)]
    assert asked.class_index.tolist() == [0, 0, 1, 2] * 4
    for said in (asked.champion, asked.challenger):
        assert said.probabilities.shape == (16, 5)
        assert said.probabilities[:8].argmax(axis=1).tolist() == [0] * 8
        assert said.probabilities[8:].argmax(axis=1).tolist() == [0, 0, 1, 2] * 2
    # With the version's own calibration.
    assert asked.champion.probabilities[8] == pytest.approx(softmax(np.float32([[3, 1, 1, 1, 1]]), 2.0)[0], abs=1e-3)


def test_changed_labels_and_beats_that_nobody_annotated_are_no_common_ground(version):
    champion = version("a", beats("106", "119", "A00001"))
    relabelled = beats("106", "119", "A00001")
    relabelled.class_index[0] = 2
    assert deciding_set(champion, version("b", relabelled), *twice("207")).out_of_fold == ("mitdb-119",)


def test_a_champion_that_kept_nothing_is_judged_on_patients_held_back_alone(version):
    champion, challenger = version("a", beats("106"), keeps=False), version("b", beats("106"))
    assert deciding_set(champion, challenger, *twice("207", "223")).out_of_fold == ()


def test_a_patient_that_one_was_trained_on_decides_nothing(version):
    champion, challenger = version("a", beats("106", "119"), keeps=False), version("b", beats("106"))
    asked = deciding_set(champion, challenger, *twice("119", "223"))
    assert asked.held_back == ("mitdb-223",)
    with pytest.raises(DatasetError, match="Every patient"):
        deciding_set(champion, challenger, *twice("119"))


def test_v_in_noise_is_judged_on_patients_that_neither_has_seen(version):
    champion, challenger = version("a", beats("106", "119")), version("b", beats("106"))
    held_back = beats("207", "223")
    both = [deciding_set(champion, challenger, held_back, noisy) for noisy in (held_back, beats("119", classes="VV"))]
    assert [(b.champion.v_f1_in_noise, b.challenger.v_f1_in_noise) for b in both] == [(0.0, 0.0), (None, None)]


@pytest.mark.parametrize("leaked", ["207", "100", "202"])
def test_a_leak_is_an_error_not_a_patient_less(version, leaked):
    sound, leaky = version("a", beats("106")), version("b", beats("106", leaked))
    for pair in ((sound, leaky), (leaky, sound)):
        with pytest.raises(PatientLeak, match=leaked):
            deciding_set(*pair, *twice("223"))
