"""`ecg inspect`: what is understood of a file, before anything is scored."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecg_core.cli.app import app
from ecg_core.datasets import synth


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ECG_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, ["inspect", *map(str, arguments)])


@pytest.fixture
def header(tmp_path: Path) -> Path:
    path = synth.write_wfdb(synth.synthesise(12.0, n_leads=2, sampling_rate_hz=250, seed=3), tmp_path, "one")
    path.write_text(path.read_text() + "# <age>: 93  <sex>: F\n# name: Ada Mustermann\n")
    return path


def test_what_is_understood_is_told_in_words_and_as_json(run, header):
    told = run(header)
    assert told.exit_code == 0, told.output
    for words in ("wfdb", "250 Hz", "12.0 s", "mV", "not stated", "90 years or older, female", "comments"):
        assert words in told.output
    assert "Mustermann" not in told.output
    document = json.loads(run("--json", header).output)
    assert document["sampling_rate_hz"] == 250
    assert document["stated"]["age_years"] == 90
    assert document["doubts"] == []
    assert len(document["fingerprint"]) == 64


def test_a_file_that_cannot_be_used_is_told_with_what_mends_it_and_stops_nobody(run, header, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" + "1,2\n" * 3000)
    told = run(table, header)
    assert told.exit_code == 1
    assert "rate_hz = " in told.output
    assert "unit = " in told.output
    assert "250 Hz" in told.output


def test_nothing_is_left_behind(run, header, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    run(header)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and "home" not in path.parts] == []
