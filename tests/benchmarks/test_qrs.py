"""`ecg benchmark qrs`: the rules by which beats are counted, on made-up times and on real records."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import qrs
from benchmarks.qrs import RECORDS, count, measure_detection
from ecg_core.datasets.annotated import LabelledRecording, load_record
from ecg_core.recording import Recording
from ecg_core.settings import Settings


def labelled(times_s, flutter_s=()):
    recording = Recording("x" * 64, np.zeros((100_000, 1), np.float32), 100.0, ("I",), "test")
    r_sample = np.rint(np.asarray(times_s) * 100).astype(np.int64)
    return LabelledRecording("made up", "p", recording, r_sample, np.zeros(len(times_s), np.int8), flutter_s)


@pytest.mark.parametrize(
    ("annotated", "found", "hits_missed_extra"),
    [
        ([1, 2, 3], [1, 2, 3], [3, 0, 0]),
        ([1, 2, 3], [], [0, 3, 0]),
        ([], [1, 2], [0, 0, 2]),
        ([1, 2], [1.149, 2.151], [1, 1, 1]),
        ([1], [0.9, 1.05], [1, 0, 1]),
        ([1, 1.2], [1.1], [1, 1, 0]),
        ([1, 1.1], [1.0, 1.12], [2, 0, 0]),
    ],
)
def test_beats_are_matched_one_to_one_within_150_ms(annotated, found, hits_missed_extra):
    assert count(labelled(annotated), np.asarray(found, float), 0.0).tolist() == hits_missed_extra


def test_flutter_counts_on_neither_side_and_the_learning_time_can_be_left_out():
    record = labelled([10, 50.4, 400], flutter_s=((50, 60),))
    assert count(record, np.array([10, 55, 59.9, 400]), 0.0).tolist() == [2, 0, 0]
    assert count(record, np.array([10, 55, 61, 400]), 300.0).tolist() == [1, 0, 0]


def test_all_48_records_are_counted():
    assert len(RECORDS) == len(set(RECORDS)) == 48


@pytest.fixture(scope="module")
def figures(small_base, tmp_path_factory) -> dict:
    """Of the first minutes of two records: xqrs takes long."""
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), physionet_base=str(small_base))
    return json.loads(json.dumps(measure_detection(settings, ("119", "223"))))


def test_figures_have_the_names_that_other_programs_read(figures):
    assert figures["gross"]["sensitivity"] > 0.997
    assert figures["gross"]["precision"] > 0.997
    assert figures["seconds_per_lead_hour"] == pytest.approx(sum(figures["stages"].values()), abs=1e-3)
    assert set(figures["peers"]) == {"sleepecg", "neurokit2", "wfdb_xqrs"}, "one that is missing is said, not left out"
    assert sum(of_one["missed"] for of_one in figures["records"].values()) == figures["gross"]["missed"]
    assert figures["gross_after_5_minutes"]["beats"] == 0, "the records were cut there"
    assert figures["gross_after_5_minutes"]["sensitivity"] is None


def test_the_peers_are_really_run_and_not_better_than_they_are(figures):
    xqrs = figures["peers"]["wfdb_xqrs"]
    assert 0.9 < xqrs["sensitivity"] <= 1
    assert xqrs["beats"] == figures["gross"]["beats"]
    assert xqrs["seconds_per_lead_hour"] > 0


def test_a_peer_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "sleepecg", None)
    peers, absent = qrs._installed_peers()
    assert "sleepecg" not in peers
    assert "not installed" in absent["sleepecg"]


@pytest.mark.parametrize("record", ["105", "116", "118"])
def test_the_spike_at_the_end_of_a_record_is_no_beat(mitdb, record):
    """Some MIT-BIH records end with one sample far off."""
    read = load_record(Path(mitdb), record)
    found, _ = qrs._detect(read.recording)
    assert found[-1] < read.recording.duration_s - 0.05
