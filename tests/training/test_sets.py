"""What is learned from: which databases, whose patients, and what of them."""

from pathlib import Path

import numpy as np
import pytest
import wfdb
from scipy.signal import resample_poly

from ecg_core.beats import CONTEXT_NAMES
from ecg_core.datasets.annotated import load_record
from ecg_core.datasets.databases import DATABASES
from ecg_core.datasets.patients import PATIENT_OF
from ecg_core.datasets.splits import NEVER_LEARNED
from ecg_core.errors import DatasetUnavailable
from ecg_core.training import training_set, training_source
from ecg_core.training.sets import prepare_challenge, records_there


@pytest.fixture
def small(mitdb, tmp_path) -> dict[str, Path]:
    """A training and a test record; of the QT Database one of its own and a stretch of a test record."""
    qtdb = mitdb.parents[1] / "qtdb" / "1.0.0"
    if not qtdb.is_dir():
        pytest.skip("the QT Database is not at hand")
    folders = {"mitdb": tmp_path / "mitdb", "qtdb": tmp_path / "qtdb"}
    for source, target, names in (
        (mitdb, folders["mitdb"], ("119", "100")),
        (qtdb, folders["qtdb"], ("sel213", "sel872")),
    ):
        target.mkdir()
        for name in names:
            for suffix in ("hea", "dat", "atr"):
                (target / f"{name}.{suffix}").symlink_to(source / f"{name}.{suffix}")
    return folders


def test_only_training_patients_are_taken_from_what_is_there(small, tmp_path, trees):
    beats = training_set(small, tmp_path / "cache", trees)
    assert beats.records() == ["119", "sel872"]
    assert beats.patients() == ["mitdb-119", "qtdb-872"]
    assert not set(beats.patients()) & {PATIENT_OF[record] for record in NEVER_LEARNED}
    assert (beats.class_index[beats.record == "sel872"] == 1).sum() >= 12, "S on both leads and on both together"


def stand_in(source: Path, folder: Path, name: str, rate: int, leads: list[str], comments: list[str]) -> None:
    """Five minutes of a real record as another database would hold them: its rate, its leads, its header."""
    record = wfdb.rdrecord(str(source), sampto=108_000)
    marks = wfdb.rdann(str(source), "atr", sampto=108_000)
    mix = np.random.default_rng(0).uniform(0.3, 1.0, (2, len(leads)))
    signal = resample_poly(record.p_signal @ mix, rate, record.fs)
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        rate,
        ["mV"] * len(leads),
        leads,
        signal,
        fmt=["16"] * len(leads),
        comments=comments,
        write_dir=str(folder),
    )
    samples = marks.sample * rate // record.fs
    wfdb.wrann(name, "atr", samples, marks.symbol, fs=rate, write_dir=str(folder))


def test_further_databases_of_beats_are_learned_from_where_they_are_at_hand(mitdb, tmp_path, trees):
    svdb, incartdb = tmp_path / "svdb", tmp_path / "incartdb"
    stand_in(mitdb / "209", svdb, "800", 128, ["ECG1", "ECG2"], [])
    stand_in(mitdb / "208", svdb, "821", 128, ["ECG1", "ECG2"], [])
    for name, said in (("I01", "patient 1"), ("I02", "patient 1"), ("I03", "PVCs, noise")):
        stand_in(mitdb / "119", incartdb, name, 257, list(DATABASES["incartdb"].lead_names), [said])
    folders = {"mitdb": mitdb_with(mitdb, tmp_path, "106"), "svdb": svdb, "incartdb": incartdb}
    beats = training_set(folders, tmp_path / "cache", trees)
    patient = dict(zip(beats.record.tolist(), beats.patient.tolist(), strict=True))
    assert patient == {
        "106": "mitdb-106",
        "800": "svdb-800",
        # A stretch of it is in the QT Database as sel821.
        "821": "qtdb-821",
        "I01": "incartdb-1",
        "I02": "incartdb-1",
        "I03": "incartdb",
    }
    assert beats.annotated()[~beats.in_noise].all()
    for record, source in (("800", "209"), ("I01", "119")):
        truth = load_record(mitdb, source)
        annotated = truth.class_index[truth.r_sample < 108_000]
        taken = beats.class_index[beats.record == record]
        assert 0.9 * annotated.size < taken.size <= annotated.size, "each beat once, not once for each lead"
        assert (taken > 0).mean() == pytest.approx((annotated > 0).mean(), abs=0.03), record
    sentence = training_source(folders).sentence
    assert "Supraventricular" in sentence
    assert "INCART" in sentence
    assert list(training_source(folders).databases) == ["mitdb", "svdb", "incartdb"]


def test_recorded_noise_is_learned_from_and_named_where_it_is_at_hand(mitdb, tmp_path, trees):
    folders = {"mitdb": mitdb_with(mitdb, tmp_path, "119"), "nstdb": tmp_path / "nstdb"}
    without = training_set(folders, tmp_path / "cache", trees), training_source(folders)
    folders["nstdb"].mkdir()
    noise = np.random.default_rng(0).standard_normal((21_600, 2))
    for name in ("em", "ma"):
        wfdb.wrsamp(name, 360, ["mV"] * 2, ["noise1", "noise2"], noise, fmt=["16"] * 2, write_dir=str(folders["nstdb"]))
    beats, source = training_set(folders, tmp_path / "cache", trees), training_source(folders)
    assert (beats.without_noise().waveform == without[0].without_noise().waveform).all()
    assert beats.in_noise.sum() != without[0].in_noise.sum()
    assert "Noise Stress Test" in source.sentence
    assert source.databases.keys() - without[1].databases.keys() == {"nstdb"}


def mitdb_with(source: Path, tmp_path: Path, record: str) -> Path:
    folder = tmp_path / "mitdb"
    folder.mkdir()
    for suffix in ("hea", "dat", "atr"):
        (folder / f"{record}.{suffix}").symlink_to(source / f"{record}.{suffix}")
    return folder


def test_the_hash_tells_what_was_read(small):
    both, one = training_source(small), training_source({"mitdb": small["mitdb"]})
    assert list(both.databases) == ["mitdb", "qtdb"]
    assert "QT Database" in both.sentence
    assert "QT Database" not in one.sentence
    assert list(one.databases) == ["mitdb"]
    again = training_source(small)
    assert again.databases == both.databases
    (small["qtdb"] / "sel872.atr").unlink()
    (small["qtdb"] / "sel872.atr").write_bytes(b"another reader's")
    assert training_source(small).databases["mitdb"] == both.databases["mitdb"]
    assert training_source(small).databases["qtdb"] != both.databases["qtdb"]


def test_no_record_at_all_is_said(tmp_path, trees):
    with pytest.raises(DatasetUnavailable, match="None of the records"):
        training_set({"mitdb": tmp_path}, tmp_path / "cache", trees)
    assert records_there(tmp_path, ["119"]) == []


def test_fibrillating_recordings_teach_that_irregular_is_not_early(mitdb, tmp_path, trees):
    source = mitdb.parents[1] / "challenge-2017" / "1.0.0" / "training"
    if not source.is_dir():
        pytest.skip("the Challenge's recordings are not at hand")
    folder = tmp_path / "challenge" / "training"
    folder.mkdir(parents=True)
    chosen = {"A00001": "N", "A00004": "A", "A00005": "A", "A00008": "O", "A00022": "~"}
    (folder / "REFERENCE.csv").write_text("".join(f"{name},{rhythm}\n" for name, rhythm in chosen.items()))
    for name in chosen:
        found = next(source.rglob(f"{name}.hea"))
        for suffix in (".hea", ".mat"):
            (folder / f"{name}{suffix}").symlink_to(found.with_suffix(suffix))
    beats = prepare_challenge(folder.parent, tmp_path / "cache", trees)
    assert set(beats.records()) == {"A00001", "A00004", "A00005"}
    assert not beats.class_index.any()
    fibrillates = np.isin(beats.record, ["A00004", "A00005"])
    assert beats.context[fibrillates, CONTEXT_NAMES.index("qrs_unlike_template")].max() < 0.3
    irregular = beats.context[:, CONTEXT_NAMES.index("rr_irregularity")]
    assert np.median(irregular[fibrillates]) > np.median(irregular[~fibrillates])
    again = prepare_challenge(folder.parent, tmp_path / "cache", trees)
    assert (again.context == beats.context).all()
