"""Drugs and indications: those that files code or name are kept, and nothing that could be a person's."""

import format_writers as w
import pytest

from ecg_core.formats import drugs, read_recording
from ecg_core.recording import Drug

KEY = b"key"
TAKEN = {
    "wfdb": ("Digoxin", "Inderal", "Quinidine tid 200 mg"),
    "dicom": ("Digoxin (SCT 387461009)",),
    "scp": ("digoxin (SCP 1.1)", "metoprolol 50 mg (SCP 7.4)"),
    "mortara": ("Digoxin 0.25 mg",),
    "csv": ("Digoxin 0.25 mg",),
}
REASON = {"wfdb", "dicom", "aecg", "muse", "sierra", "csv"}


@pytest.mark.parametrize("name", sorted(TAKEN.keys() | REASON))
def test_what_files_state_is_kept_and_the_name_among_it_is_left_out_and_told(tmp_path, name):
    path, _ = w.write(tmp_path, name)
    recording = read_recording(path, KEY)
    assert tuple(drug.words() for drug in recording.stated.drugs) == TAKEN.get(name, ())
    reason = ("Chest pain (SCT 29857009)",) if name == "dicom" else ("Chest pain",)
    assert recording.stated.indications == (reason if name in REASON else ())
    assert [mark for mark in w.MARKS if mark in repr(recording.stated)] == []
    if name in TAKEN:
        assert "text_left_out" in [doubt.code for doubt in recording.doubts]


@pytest.mark.parametrize(
    ("text", "name", "dose", "unit"),
    [
        ("Digoxin 0.25 mg", "Digoxin", 0.25, "mg"),
        ("L-Thyroxine 75 mcg", "", None, ""),
        ("Levothyroxine 75mcg od", "Levothyroxine od", 75.0, "µg"),
        ("metoprolol 47,5 mg 1-0-1", "metoprolol 1-0-1", 47.5, "mg"),
        ("Beta blocker", "Beta blocker", None, ""),
        ("Digoxin of Miller", "", None, ""),
        ("Digoxin 1951-02-03", "", None, ""),
        ("daily", "", None, ""),
        ("Type A", "", None, ""),
        ("Calcium channel blocker", "Calcium channel blocker", None, ""),
    ],
)
def test_a_drug_is_a_drug_by_each_of_its_words(text, name, dose, unit):
    kept, left_out = drugs.keep(drugs.of_text(text))
    assert kept == ((Drug(name, "", dose, unit),) if name else ())
    assert left_out == (0 if name else 1)


@pytest.mark.parametrize("nothing", ["", "None", "n/a", " no ", ";;"])
def test_no_drug_is_none(nothing):
    assert drugs.of_text(nothing) == []
    assert not drugs.are_drugs(nothing)


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("ATC C01AA05", True),
        ("SCT 387461009", True),
        ("SCT 387461008", False),
        ("SCT 77318842", False),
        ("ICD10 I48.0", True),
        ("ICD10 Id77318842", False),
        ("SCP 1.1", True),
        ("C01AA05", False),
        ("LOCAL 12345", False),
        ("", False),
    ],
)
def test_a_code_is_kept_in_its_systems_shape_alone(code, kept):
    assert drugs.is_code(code) is kept
    assert drugs.keep([Drug("", code)]) == (((Drug("", code),), 0) if kept else ((), 1))


def test_a_line_of_a_header_is_drugs_only_where_all_of_it_is():
    assert drugs.are_drugs("Digoxin, Quinaglute")
    assert not drugs.are_drugs("The PVCs are uniform")
    assert not drugs.are_drugs("channel."), "the end of a sentence about a channel, in record 200 of MIT-BIH"
    assert not drugs.are_drugs(f"Digoxin, {w.NAME}")
