"""The Challenge of 2021: its codes as PTB-XL's superclasses, and its copies of PTB-XL known by their number."""

import os
from pathlib import Path

import pytest

from ecg_core.datasets import challenge2021, ptbxl
from ecg_core.datasets.challenge2021 import CODES_OF, SINUS_CODES, superclasses_of, usable
from ecg_core.errors import DatasetUnavailable

MIRROR = Path(os.environ.get("ECG_PHYSIONET_BASE", Path(__file__).resolve().parents[3] / "shared" / "physionet"))
SINUS, SLOW, LBBB, LVH, FIBRILLATION, LEFT_AXIS = (
    "426783006",
    "426177001",
    "164909002",
    "164873001",
    "164889003",
    "39732003",
)


@pytest.fixture(scope="module")
def real():
    """The records of the mirror."""
    folder = MIRROR / challenge2021.DATABASE / "1.0.3"
    if not folder.is_dir():
        pytest.skip("no Challenge 2021 here: set ECG_PHYSIONET_BASE to a folder that holds challenge-2021/1.0.3")
    return challenge2021.records(folder)


def write(folder, name, facts, group="georgia"):
    place = folder / "training" / group
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.hea").write_text(f"{name} 12 500 5000\n" + "\n".join(facts) + "\n")
    (place / f"{name}.mat").write_bytes(b"")


@pytest.mark.parametrize(
    ("codes", "superclasses"),
    [
        ({SINUS}, {"NORM"}),
        ({SINUS, SLOW}, {"NORM"}),
        ({SINUS, LBBB}, {"CD"}),
        ({SINUS, LBBB, LVH}, {"CD", "HYP"}),
        ({FIBRILLATION}, set()),
        ({SINUS, FIBRILLATION}, set()),
        ({SINUS, LEFT_AXIS}, set()),
        (set(), set()),
        ({"1"}, set()),
    ],
)
def test_codes_become_superclasses(codes, superclasses):
    assert superclasses_of(codes) == superclasses


def test_no_code_stands_twice():
    codes = [code for of_class in (*CODES_OF.values(), SINUS_CODES) for code in of_class]
    assert len(codes) == len(set(codes))
    assert set(CODES_OF) == set(ptbxl.SUPERCLASSES) - {"NORM"}


def test_headers_are_read_in_both_spellings(tmp_path):
    write(tmp_path, "E00001", ["#Age: 65", "#Sex: Female", f"#Dx: {SINUS},{LBBB}"])
    write(tmp_path, "HR00042", ["# Age: 300", "# Sex: M", f"# Dx: {LVH}"], "ptb-xl/g1")
    write(tmp_path, "Q1", ["#Age: NaN", "#Sex: Unknown", "#Dx: "], "cpsc_2018")
    write(tmp_path, "Q2", ["#Age: -1"], "cpsc_2018")
    found = {record.name: record for record in challenge2021.records(tmp_path)}
    assert found["E00001"].age_years == 65
    assert found["E00001"].sex == "female"
    assert found["E00001"].database == "georgia"
    assert found["E00001"].superclasses == {"CD"}
    assert found["E00001"].ptb_xl_id is None
    assert (found["HR00042"].age_years, found["HR00042"].sex) == (90, "male")
    assert (found["HR00042"].ptb_xl_id, found["HR00042"].database) == (42, "ptb-xl")
    assert (found["Q1"].age_years, found["Q1"].sex, found["Q1"].superclasses) == (None, None, frozenset())
    assert found["Q2"].age_years is None


def test_a_header_without_its_signal_is_no_record(tmp_path):
    write(tmp_path, "E00001", [])
    (tmp_path / "training" / "georgia" / "E00001.mat").unlink()
    with pytest.raises(DatasetUnavailable, match="No recording"):
        challenge2021.records(tmp_path)


def test_copies_of_ptb_xl_and_what_does_not_map_are_left_out_and_counted(real):
    chosen, left_out = usable(real, range(1, 501))
    assert len(chosen) + sum(left_out.values()) == len(real)
    assert left_out["in_ptb_xl"] == sum(1 for record in real if record.ptb_xl_id and record.ptb_xl_id <= 500) > 0
    assert left_out["unmapped"] > 0
    assert all(record.superclasses for record in chosen)
    assert not {record.ptb_xl_id for record in chosen} & set(range(1, 501))


def test_every_real_record_is_read_with_twelve_leads(real):
    for recording in challenge2021.recordings(real):
        assert recording.signal.shape[1] == 12
