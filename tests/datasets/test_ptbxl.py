"""PTB-XL's table: superclasses by its own mapping, patients in one fold, ages and sexes as stated."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ecg_core.datasets import ptbxl
from ecg_core.errors import DatasetUnavailable

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
STATEMENTS = """,description,diagnostic,form,rhythm,diagnostic_class
NORM,normal ECG,1.0,,,NORM
IMI,inferior myocardial infarction,1.0,,,MI
LVH,left ventricular hypertrophy,1.0,,,HYP
STD_,non-specific ST depression,,1.0,,
SR,sinus rhythm,,,1.0,
"""
HEAD = "ecg_id,patient_id,age,sex,device,scp_codes,heart_axis,strat_fold,filename_lr\n"


@pytest.fixture(scope="module")
def real() -> Path:
    """The folder of real records."""
    folder = MIRROR / ptbxl.DATABASE / "1.0.3"
    if not folder.is_dir():
        pytest.skip("no PTB-XL here: set ECG_PHYSIONET_BASE to a folder that holds ptb-xl/1.0.3")
    return folder


@pytest.fixture
def folder(tmp_path):
    """A folder with a table of four records, of which three are there."""
    (tmp_path / ptbxl.STATEMENTS).write_text(STATEMENTS)
    rows = [
        "2,12.0,300.0,0,CS-12   E,\"{'IMI': 35.0, 'LVH': 0.0, 'STD_': 0.0, 'SR': 0.0}\",LAD,1,a/2_lr",
        "1,12.0,,1,AT-6 C,\"{'NORM': 100.0}\",,1,a/1_lr",
        "3,13.0,91,,AT-6 C,\"{'STD_': 0.0}\",,2,a/3_lr",
        "4,14.0,50,1,AT-6 C,\"{'NORM': 100.0}\",,3,a/4_lr",
    ]
    (tmp_path / ptbxl.TABLE).write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "a").mkdir()
    for ecg_id in (1, 2, 3):
        (tmp_path / "a" / f"{ecg_id}_lr.hea").write_text("")
    return tmp_path


def test_rows_become_records(folder):
    one, two, three = ptbxl.records(folder)
    assert [record.ecg_id for record in (one, two, three)] == [1, 2, 3]
    assert one.patient == two.patient == "ptb-xl-12"
    assert (one.age_years, two.age_years, three.age_years) == (None, 90.0, 90.0)
    assert (one.sex, two.sex, three.sex) == ("female", "male", None)
    assert two.superclasses == {"MI", "HYP"}
    assert three.superclasses == frozenset()
    assert two.statements["IMI"] == 35
    assert (two.device, two.heart_axis, two.fold) == ("CS-12 E", "LAD", 1)


@pytest.mark.parametrize("missing", [ptbxl.TABLE, ptbxl.STATEMENTS])
def test_a_missing_table_is_said(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(DatasetUnavailable, match=missing):
        ptbxl.records(folder)


def test_no_recording_at_all_is_said(folder):
    shutil.rmtree(folder / "a")
    with pytest.raises(DatasetUnavailable, match="No recording"):
        ptbxl.records(folder)


def test_a_recording_that_has_gone_is_said(folder):
    records = ptbxl.records(folder)
    shutil.rmtree(folder / "a")
    with pytest.raises(DatasetUnavailable, match="1_lr"):
        next(ptbxl.recordings(folder, records))


def test_real_records_have_superclasses_patients_and_twelve_leads(real):
    records = ptbxl.records(real)
    folds = {}
    for record in records:
        folds.setdefault(record.patient, set()).add(record.fold)
        assert record.superclasses <= set(ptbxl.SUPERCLASSES)
        assert record.age_years is None or 0 <= record.age_years <= 90
    assert all(len(of_patient) == 1 for of_patient in folds.values())
    assert {fold for of_patient in folds.values() for fold in of_patient} == set(range(1, 11))
    recording = next(ptbxl.recordings(real, records))
    assert recording.signal.shape == (1000, 12)
    assert recording.sampling_rate_hz == 100
    assert np.isfinite(recording.signal).all()


def test_the_hash_is_that_of_labels_and_signals(real):
    records = ptbxl.records(real)[:3]
    hashes = {ptbxl.content_sha256(real, chosen) for chosen in (records, records[:2], records[::-1])}
    assert len(hashes) == 3
    assert ptbxl.content_sha256(real, records) in hashes
