"""Hard recordings, one test each: what must be said of them is, with its time, and what must not be said is not.

They lie beside PhysioNet's mirror (``cases/rhythms``); ``INDEX.csv`` says in words what this file says in kinds.
"""

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from ecg_core.formats import read_recording
from ecg_core.models import SHIPPED_VERSION, load_model
from ecg_core.pipeline import inbox
from ecg_core.pipeline.score import read_beats
from ecg_core.store.database import store_engine

ECTOPIC = frozenset({"v_run", "v_couplet", "v_beats", "s_run", "bigeminy", "trigeminy", "vt", "vf"})
KILLS = frozenset({"vf", "vt", "pause", "wide_complex_tachycardia", "escape"})


@dataclass(frozen=True)
class Case:
    """Kinds of which one must be said (urgent: with that urgency), kinds that all must be beside it, or must not be."""

    says: frozenset[str]
    never: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    beats: int | None = None
    seconds: float | None = None


def case(*says: str, never: frozenset[str] | set[str] = frozenset(), **more) -> Case:
    return Case(frozenset(says), frozenset(never), **more)


ASYSTOLE = {"never": ECTOPIC | {"no_analysable_beats"}}
CASES = {
    "a1_asystole8": case("pause", seconds=8.8, **ASYSTOLE),
    "a3_asystole30mid": case("pause", seconds=30.5, **ASYSTOLE),
    "a4_pstanding8": case("pause", seconds=9.2, **ASYSTOLE),
    "a6_asystole4": case("pause", seconds=4.6, **ASYSTOLE),
    "a7_asystole6": case("pause", seconds=6.8, **ASYSTOLE),
    "a8_asystole12": case("pause", seconds=12.7, **ASYSTOLE),
    "b1_chb_wide": case("escape", never={"v_run"}, beside=frozenset({"bradycardia"})),
    "c1_vf_syn20": case("vf", seconds=20.0, never={"v_run", "tachycardia", "v_beats"}),
    "c5_vf_whole": case("vf", seconds=60.0, never={"atrial_fibrillation", "v_beats", "tachycardia"}),
    "d10_vt5s": case("v_run", beats=15),
    "d11_vt10s": case("v_run", beats=29),
    "d13_vt45_in300": case("v_run", beats=128),
    "d15_aivr80": case("v_run", "idioventricular", beats=54),
    "d1_vt45": case("v_run", beats=128),
    "d7_vt_real119": case("v_run", beats=123),
    "e2_vt_whole150": case("vt", "wide_complex_tachycardia"),
    "f1_svt190": case("svt"),
    "g1_flutter21": case("tachycardia", never=ECTOPIC),
    "h2_block31": case("bradycardia", never=ECTOPIC),
    "i1_sinus35": case("bradycardia", never=ECTOPIC),
    "i3_75to40": case("bradycardia", never=ECTOPIC),
    "i6_ramp60to110": case(never=ECTOPIC | KILLS),
    "j3_vpace60_tall": case("pacing", never=KILLS),
    "k1_bigem_tinyII": case("v_beats", beside=frozenset({"bigeminy"}), never={"bradycardia"}),
    "l2_tallT": case(never=ECTOPIC | KILLS | {"tachycardia"}),
    "l4_tallT_II": case(never=ECTOPIC | KILLS | {"tachycardia"}),
    "m1_inverted": case(never=ECTOPIC | KILLS),
    "m2_low15": case(never=ECTOPIC | KILLS | {"poor_signal"}),
    "n2_bothoff10": case("lost_contact", never=ECTOPIC | KILLS, seconds=10.0),
    "n3_leadswap": case("v_beats", never={"poor_signal"}),
    "o1_60hz": case(never=ECTOPIC | KILLS | {"poor_signal"}),
    "o2_50hz": case(never=ECTOPIC | KILLS | {"poor_signal", "no_analysable_beats"}),
    "o5_tremor": case(never=(ECTOPIC - {"v_beats"}) | KILLS | {"tachycardia"}),
    "q4_nan20": case("lost_contact", never=ECTOPIC | KILLS, seconds=20.0),
    "s5_saturated": case("lost_contact", never=ECTOPIC | KILLS),
    "s9_gainsteps": case(never=ECTOPIC | KILLS | {"poor_signal"}),
    "t2_nocapture": case("pause", seconds=4.3, never=ECTOPIC),
    "t4_pause_ends": case("pause", seconds=4.9, never=ECTOPIC),
    "u1_vt24beats": case("v_run", beats=24),
    "u1_vt25beats": case("v_run", beats=25),
    "v3_aai_250": case(never=ECTOPIC | KILLS | {"tachycardia"}),
    "v4_drop19": case("lost_contact", never={"pause"}, seconds=1.9),
}


@pytest.fixture(scope="module")
def index(physionet_base):
    folder = physionet_base.parent / "cases" / "rhythms"
    if not folder.is_dir():
        pytest.skip("no hard recordings beside the PhysioNet mirror (cases/rhythms)")
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        return folder, {row["name"]: row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    return load_model(SHIPPED_VERSION, tmp_path_factory.mktemp("none"))


def test_every_hard_recording_is_tried(index):
    assert index[1].keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_what_must_be_said_is_and_what_must_not_is_not(index, champion, name):
    folder, rows = index
    row, wanted = rows[name], CASES[name]
    result, _ = read_beats(read_recording(folder / f"{name}.hea", b""), champion)
    said = {finding.kind: finding for finding in result.findings}
    assert not wanted.never & said.keys()
    assert wanted.beside <= said.keys()
    if not wanted.says:
        return
    found = [said[kind] for kind in sorted(wanted.says & said.keys())]
    assert found, f"none of {sorted(wanted.says)} in {sorted(said)}"
    if row["urgent"] == "yes":
        assert any(finding.urgency == "urgent" for finding in found)
    first, last = float(row["from_s"]), float(row["to_s"])
    assert any(e.start_s <= last + 1 and e.end_s >= first - 1 for finding in found for e in finding.evidence)
    if wanted.beats is not None:
        assert any(abs((e.n_beats or 0) - wanted.beats) <= 1 for finding in found for e in finding.evidence)
        assert sum(e.kind == "v_run" for e in result.rhythm.episodes) <= 1
    if wanted.seconds is not None:
        assert max(e.end_s - e.start_s for finding in found for e in finding.evidence) == pytest.approx(
            wanted.seconds, abs=1.1 if "vf" in said else 0.3
        )


def test_what_is_found_without_beats_is_stored_and_reported(index, settings):
    folder, _ = index
    names = ("c1_vf_syn20", "c5_vf_whole", "a3_asystole30mid", "t4_pause_ends", "v4_drop19", "j3_vpace60_tall")
    for name in names:
        for suffix in (".hea", ".dat"):
            shutil.copyfile(folder / f"{name}{suffix}", Path(settings.inbox) / f"{name}{suffix}")
    inbox.register_arrivals(settings)
    outcomes = [o for chunk in inbox.plan_chunks(settings) for o in inbox.score_chunk(settings, chunk, "test")]
    assert [(o["outcome"], o["reason"]) for o in outcomes] == [("scored", "")] * len(names)
    with store_engine(settings).connect() as connection:
        kinds = set(connection.execute(text("SELECT DISTINCT finding FROM ecg_mart.finding")).scalars())
    assert {"vf", "pause", "lost_contact", "pacing"} <= kinds
