"""The manual marks of the QT Database, and which of its records may be chosen on."""

import numpy as np
import pytest

from ecg_core.datasets.qtdb_marks import CHOOSING, MEASURED, load_record
from ecg_core.datasets.splits import DS2
from ecg_core.errors import DatasetUnavailable


def test_the_parts_are_apart_and_whole(qtdb_folder):
    assert not set(CHOOSING) & set(MEASURED)
    assert {path.stem for path in qtdb_folder.glob("*.q1c")} == {*CHOOSING, *MEASURED}


def test_no_ds2_patient_was_chosen_on():
    assert not {f"sel{record}" for record in DS2} & set(CHOOSING)


@pytest.mark.parametrize(
    ("record", "n_beats", "n_p", "n_t_on"), [("sel16265", 30, 30, 0), ("sel30", 30, 30, 30), ("sel102", 85, 0, 0)]
)
def test_marks_belong_to_their_beats(qtdb_folder, record, n_beats, n_p, n_t_on):
    bounded = load_record(qtdb_folder, record)
    assert bounded.marks.shape == (n_beats, 8)
    assert np.isfinite(bounded.marks[:, 1]).sum() == n_p
    assert np.isfinite(bounded.marks[:, 5]).sum() == n_t_on
    known = np.where(np.isnan(bounded.marks), -np.inf, bounded.marks)
    assert (np.maximum.accumulate(known, axis=1)[np.isfinite(known)] == known[np.isfinite(known)]).all()
    inside = (bounded.marks[:, 3] <= bounded.qrs_sample) & (bounded.qrs_sample <= bounded.marks[:, 4])
    assert inside.all()
    assert (np.diff(bounded.qrs_sample) > 0).all()


def test_a_record_that_is_not_there_says_so(tmp_path):
    with pytest.raises(DatasetUnavailable, match=r"sel1\.hea"):
        load_record(tmp_path, "sel1")
