"""Labelled beats of MIT-BIH, and the wall between training and test patients."""

import numpy as np
import pytest

from ecg_core.datasets.annotated import load_record
from ecg_core.datasets.patients import PATIENT_OF, check_no_leak
from ecg_core.datasets.splits import DECIDING, DS1, DS2, PACED, TEST, TRAINING
from ecg_core.errors import DatasetUnavailable, PatientLeak
from ecg_core.labels import CLASSES


def counts(folder, records):
    loaded = [load_record(folder, record) for record in records]
    return dict(zip(CLASSES, np.bincount(np.concatenate([r.class_index for r in loaded]), minlength=5), strict=True))


def test_the_published_counts_of_de_chazal(mitdb):
    assert counts(mitdb, DS2) == {"N": 44_259, "S": 1837, "V": 3221, "F": 388, "Q": 7}


def test_each_class_occurs_usefully_in_both_parts(mitdb):
    deciding, training = counts(mitdb, DECIDING), counts(mitdb, TRAINING)
    # The figures in the docstring of DECIDING.
    assert deciding == {"N": 12_534, "S": 217, "V": 910, "F": 30, "Q": 0}
    assert {name: training[name] + deciding[name] for name in "NSVF"} == {"N": 44_231, "S": 816, "V": 3590, "F": 413}


def test_the_parts_cover_ds1_but_for_201():
    assert sorted((*TRAINING, *DECIDING, "201")) == sorted(DS1)
    assert TEST == DS2
    own = [PATIENT_OF[record] for record in (*DS1, *DS2, *PACED)]
    assert len(set(own)) == len(own) - 1, "201 and 202 are one person"
    assert not {*TRAINING, *DECIDING, *TEST} & set(PACED)


def test_no_patient_is_on_both_sides():
    check_no_leak(TRAINING, DECIDING)
    check_no_leak((*TRAINING, *DECIDING), TEST)


@pytest.mark.parametrize(
    ("training", "held_out"), [(["201"], ["202"]), (["202"], ["201"]), (["100"], ["100"]), (["x"], ["x"])]
)
def test_a_leak_is_refused_by_patient(training, held_out):
    with pytest.raises(PatientLeak, match=held_out[0]):
        check_no_leak(["101", *training], ["105", *held_out])


def test_beats_lie_at_the_recordings_peaks(mitdb):
    loaded = load_record(mitdb, "100")
    lead = loaded.recording.signal[:, 0]
    assert loaded.r_sample.dtype == np.int64
    assert loaded.class_index.dtype == np.int8
    assert len(loaded.r_sample) == len(loaded.class_index) == 2273
    around = loaded.r_sample[5:-5, None] + np.arange(-60, 61)
    assert (np.abs(lead[around].argmax(axis=1) - 60) <= 4).mean() > 0.95


def test_mapping_b_counts_escape_beats_as_supraventricular(mitdb):
    a, b = (load_record(mitdb, "222", mapping).class_index for mapping in "AB")
    assert (b == CLASSES.index("S")).sum() - (a == CLASSES.index("S")).sum() == 212


def test_a_record_that_is_not_there(tmp_path):
    with pytest.raises(DatasetUnavailable, match="ecg fetch mitdb"):
        load_record(tmp_path, "100")
