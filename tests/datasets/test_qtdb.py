"""Who is who in the QT Database: nobody of MIT-BIH's patients may come back through it."""

import pytest

from ecg_core.datasets import qtdb
from ecg_core.datasets.patients import PATIENT_OF, check_no_leak
from ecg_core.datasets.splits import DECIDING, TEST
from ecg_core.datasets.splits import TRAINING as MITDB_TRAINING
from ecg_core.errors import PatientLeak


def test_no_record_to_learn_from_is_of_a_mit_bih_patient():
    patients = {PATIENT_OF[record] for record in qtdb.TRAINING}
    assert not patients & {PATIENT_OF[record] for record in (*DECIDING, *TEST, *MITDB_TRAINING)}
    check_no_leak(qtdb.TRAINING, (*DECIDING, *TEST))


def test_every_stretch_of_a_mit_bih_record_is_known_as_that_patient():
    assert len(qtdb.MITDB_RECORD_OF) == 15
    assert all(PATIENT_OF[f"sel{record}"] == PATIENT_OF[record] for record in qtdb.MITDB_RECORD_OF.values())


@pytest.mark.parametrize("record", ["sel100", "sel213", "sel232", "sel233", "sel223"])
def test_a_stretch_of_a_test_or_deciding_record_is_stopped(record):
    with pytest.raises(PatientLeak, match=record):
        check_no_leak((*qtdb.TRAINING, record), (*DECIDING, *TEST))


def test_records_that_may_be_of_one_person_stand_together():
    assert PATIENT_OF["sele0121"] == PATIENT_OF["sele0122"]
    assert PATIENT_OF["sele0104"] == PATIENT_OF["sele0136"]
    assert len(qtdb.TRAINING) == 67
