"""The command `ecg`, run as a user runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecg_core.datasets import synth


def ecg(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).parent / "ecg"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ECG_")}
    return subprocess.run(
        [command, *arguments], cwd=folder, env={**plain, **environment}, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with two recordings and a letter."""
    made = tmp_path_factory.mktemp("user")
    synth.write_wfdb(synth.synthesise(20.0, n_leads=1, sampling_rate_hz=250, seed=3), made, "one")
    synth.write_wfdb(synth.synthesise(20.0, n_leads=12, pvc_per_minute=9.0, seed=4), made, "twelve")
    (made / "letter.txt").write_text("Dear colleague,\n")
    return made


def test_files_are_scored_without_airflow_and_postgres_and_a_bad_one_stops_nobody(folder: Path):
    # A gain of 0 is WFDB's word for "not calibrated": the reader assumes one and says so.
    header = (folder / "one.hea").read_text()
    (folder / "uncalibrated.hea").write_text(re.sub(r"\d[\d.]*(\(-?\d+\))?/mV", "0", header))
    files = ("one.hea", "letter.txt", "twelve.hea", "uncalibrated.hea")
    done = ecg("score", *files, "--out", "results", folder=folder)
    assert done.returncode == 1, "a script must notice that one file was set aside"
    assert "200 units per millivolt is assumed" in " ".join(done.stderr.split()), "our warnings are seen"
    assert "letter.txt: set aside (unsupported format)" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "cpu_feature_guard" not in done.stderr, "TensorFlow's greetings are no news to a user"
    reports = sorted((folder / "results").glob("*.html"))
    documents = [json.loads(path.read_text()) for path in sorted((folder / "results").glob("*.json"))]
    assert len(reports) == len(documents) == 3
    assert {len(document["recording"]["lead_names"]) for document in documents} == {1, 12}
    assert all(document["recording"]["synthetic"] for document in documents)
    assert all("synthetic" in path.read_text().lower() for path in reports)


@pytest.fixture(scope="module")
def scored(folder: Path) -> list[dict]:
    """The beats of the recording with twelve leads, as other programs get them."""
    done = ecg("score", "twelve.hea", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["beats"]


def test_json_for_other_programs_is_one_document_with_every_beat(scored: list[dict]):
    beats = scored
    assert len(beats) > 15
    assert [beat["r_sample"] for beat in beats] == sorted(beat["r_sample"] for beat in beats)
    for beat in beats:
        assert beat["r_time_s"] == pytest.approx(beat["r_sample"] / 360, abs=0.005)
        assert sum(beat["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_r_peaks_alone_are_those_of_scoring_at_the_files_own_rate(folder: Path, scored: list[dict]):
    done = ecg("qrs", "twelve.hea", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sampling_rate_hz"] == 360
    assert len(found["r_sample"]) == len(found["r_time_s"]) > 15
    for sample, seconds in zip(found["r_sample"], found["r_time_s"], strict=True):
        assert seconds == pytest.approx(sample / 360, abs=0.002)
    assert [beat["r_sample"] for beat in scored] == found["r_sample"]
    assert {beat["inconclusive"] for beat in scored} <= {True, False}
    lines = ecg("qrs", "twelve.hea", folder=folder).stdout.splitlines()
    assert [int(line.split("\t")[0]) for line in lines] == found["r_sample"]


@pytest.mark.parametrize("name", ["letter.txt", "nowhere.hea", "."])
def test_r_peaks_of_no_ecg_are_refused_in_a_sentence(folder: Path, name: str):
    done = ecg("qrs", name, "--json", folder=folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 2


def test_the_log_level_says_how_much_is_logged(folder: Path):
    """Of a file whose gain is assumed, reading warns; all of it is on stderr, so that stdout stays one document."""
    header = (folder / "one.hea").read_text()
    (folder / "unscaled.hea").write_text(re.sub(r"\d[\d.]*(\(-?\d+\))?/mV", "0", header))
    said = {
        level: ecg("qrs", "unscaled.hea", "--json", folder=folder, ECG_LOG_LEVEL=level).stderr
        for level in ("WARNING", "ERROR")
    }
    assert "is assumed" in said["WARNING"]
    assert said["ERROR"] == ""
    assert ecg("--help", folder=folder, ECG_LOG_LEVEL="LOUD").returncode == 0
    assert "ECG_LOG_LEVEL='LOUD' does not fit" in ecg("status", folder=folder, ECG_LOG_LEVEL="LOUD").stderr


def test_an_error_is_one_sentence_with_its_mend(folder: Path):
    done = ecg("score", "one.hea", "--model", "no-such-version", folder=folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "There is no model version 'no-such-version'. Choose one of these: cnn-" in done.stderr
    done = ecg("status", folder=folder, ECG_CHUNKSIZE="4")
    assert done.stderr.strip() == "settings: ECG_CHUNKSIZE is no setting. Did you mean ECG_CHUNK_SIZE?"


def test_the_same_seed_makes_the_same_recording(folder: Path, tmp_path: Path):
    for name in ("x", "y"):
        assert ecg("synth", name, "--seed", "5", "--duration-s", "10", folder=tmp_path).returncode == 0
    assert (tmp_path / "x" / "generated.dat").read_bytes() == (tmp_path / "y" / "generated.dat").read_bytes()
