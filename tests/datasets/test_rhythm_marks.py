"""Rhythm marks of vfdb and cudb."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from ecg_core.datasets.rhythm_marks import TEST, TRAINING, load_marked, records_there
from ecg_core.errors import DatasetUnavailable, PatientLeak

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))


@pytest.mark.parametrize("database", ["vfdb", "cudb"])
def test_test_patients_are_refused_and_on_one_side(database: str, tmp_path: Path):
    assert not set(TEST[database]) & set(TRAINING[database])
    for record in TEST[database]:
        with pytest.raises(PatientLeak, match=record):
            load_marked(tmp_path, database, record)


def test_what_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(DatasetUnavailable, match="418"):
        load_marked(tmp_path, "vfdb", "418")
    with pytest.raises(DatasetUnavailable):
        records_there(tmp_path, "cudb")


@pytest.mark.parametrize("database", ["vfdb", "cudb"])
def test_marks_follow_one_another_to_the_end(database: str):
    folder = MIRROR / database / "1.0.0"
    if not folder.is_dir():
        pytest.skip(f"no {database} here: set ECG_PHYSIONET_BASE to a folder that holds {database}/1.0.0")
    for record in records_there(folder, database):
        marked = load_marked(folder, database, record)
        assert marked.marked[0].start_s == 0
        assert marked.marked[-1].end_s == marked.recording.duration_s
        assert all(one.end_s == other.start_s for one, other in pairwise(marked.marked))
        assert any(mark.kind in ("vf", "vt") for mark in marked.marked)
