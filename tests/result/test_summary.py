"""The rhythm that underlies a recording."""

from pathlib import Path

import pytest

from ecg_core.formats import read_recording
from ecg_core.models import LoadedModel
from ecg_core.pipeline.score import read_beats
from ecg_core.result.summary import RHYTHMS, underlying_rhythm
from ecg_core.texts import say


@pytest.mark.parametrize(
    ("name", "kind"),
    [("b1_chb_wide", "escape"), ("e2_vt_whole150", "vt"), ("c5_vf_whole", "vf"), ("i1_sinus35", "p_waves")],
)
def test_what_takes_most_of_the_time_underlies(physionet_base: Path, champion: LoadedModel, name: str, kind: str):
    header = physionet_base.parent / "cases" / "rhythms" / f"{name}.hea"
    if not header.is_file():
        pytest.skip("no hard recordings beside the PhysioNet mirror (cases/rhythms)")
    result, _ = read_beats(read_recording(header, b""), champion)
    assert underlying_rhythm(result)[0] == kind


def test_each_has_its_words():
    for kind in (*RHYTHMS, "p_waves", "few_p_waves", "sinus", "sinus_bradycardia", "sinus_tachycardia"):
        assert say(f"underlying_{kind}")
        assert "%" in say(f"underlying_{kind}_note", share="52 %")
