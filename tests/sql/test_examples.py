"""Every example query runs on known data and answers the question on top of it."""

from pathlib import Path

import numpy as np
import pytest

from ecg_core.labels import CLASSES
from ecg_core.result.methods import given_to

PROJECT_DIR = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((PROJECT_DIR / "sql" / "examples").glob("*.sql"))


def _run(conn, name: str):
    return conn.exec_driver_sql((PROJECT_DIR / "sql" / "examples" / f"{name}.sql").read_text()).mappings().all()


def _rows(result, *names: str) -> np.ndarray:
    """Analysable beats of these classes."""
    wanted = np.isin(result.beats.class_index, [CLASSES.index(name) for name in names])
    return np.flatnonzero(wanted & result.beats.analysable)


def _ectopic_share(result) -> float:
    return _rows(result, *"SVF").size / result.beats.analysable.sum()


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_each_has_its_question_on_top_asks_the_mart_alone_and_gives_rows(conn, file):
    sql = file.read_text()
    assert sql.splitlines()[0].startswith("-- ")
    assert sql.splitlines()[0].endswith("?")
    assert "Reads the " in sql
    code = "\n".join(line for line in sql.splitlines() if not line.startswith("--"))
    assert "ecg." not in code
    assert _run(conn, file.stem)


def test_beats_per_class(conn, known):
    found = {(r["recording_id"], r["model_version"], r["class"]): r["n_beats"] for r in _run(conn, "beats_per_class")}
    for result in (*known.old, *known.new):
        for name in CLASSES:
            key = (result.recording.recording_id, result.model.version, name)
            assert found.get(key, 0) == _rows(result, name).size


def test_ectopic_burden_is_the_newest_versions(conn, known):
    found = [(r["patient_pseudonym"], r["hour_of_day"], r["ectopic_share"]) for r in _run(conn, "ectopic_burden")]
    expected = [
        ("pseudonym-1", None, pytest.approx(_ectopic_share(known.new[1]))),
        ("pseudonym-0", None, 0.0),
    ]
    assert found == expected


def test_unknown_patients_are_not_one_patient(conn, known):
    conn.exec_driver_sql("UPDATE ecg.recording SET patient_pseudonym = NULL")  # rolled back with the connection
    found = {r["recording_of_unknown_patient"]: r["n_recordings"] for r in _run(conn, "ectopic_burden")}
    assert found == {result.recording.recording_id: 1 for result in known.new}


def test_changed_class(conn, known):
    (row,) = (row for row in _run(conn, "changed_class") if row["changed"])
    assert row["recording_id"] == known.old[0].recording.recording_id
    leading = max("VSFQ", key=lambda name: _rows(known.old[0], name).size)
    assert (row["older_version"], row["newer_version"]) == ("cnn-test-1", "cnn-test-2")
    assert (row["older_class"], row["newer_class"]) == (leading, "N")
    assert row["older_ectopic_share"] == pytest.approx(_ectopic_share(known.old[0]))


def test_certainty_where_reviewers_disagreed_takes_the_newest_answer(conn, known):
    found = {(r["model_class"], r["agrees"]): r for r in _run(conn, "certainty_where_reviewers_disagreed")}
    assert set(found) == {("V", False), ("N", True)}
    for name, agrees in found:
        probability = known.old[0].beats.probabilities[known.reviews.beat[name], CLASSES.index(name)]
        assert found[name, agrees]["n_answers"] == 1
        assert found[name, agrees]["mean_class_probability"] == pytest.approx(float(probability))
    assert found["V", False]["corrected_to"] == ["N"]


def test_wave_behind_v_calls(conn, known):
    found = {(r["model_version"], r["method"], r["segment"]): r for r in _run(conn, "wave_behind_v_calls")}
    for i, method in enumerate(sorted(given_to("every"))):
        of_v = [result.attributions[i].segment_shares[_rows(result, "V")] for result in known.old]
        expected = np.concatenate(of_v).mean(axis=0)
        for j, segment in enumerate(("before_qrs", "qrs", "after_qrs")):
            row = found["cnn-test-1", method, segment]
            assert row["mean_share"] == pytest.approx(float(expected[j]), rel=1e-5)
            assert row["place"] == int((expected > expected[j]).sum()) + 1


def test_review_first_leaves_out_what_is_signed(conn, known):
    (row,) = _run(conn, "review_first")
    assert row["recording_id"] == known.new[0].recording.recording_id
    assert row["model_version"] == "cnn-test-2"
    assert (row["n_urgent"], row["urgent_findings"]) == (1, ["v_run"])


def test_method_agreement(conn, known):
    found = {(r["model_version"], r["class"]): r for r in _run(conn, "method_agreement")}
    for name in "SV":
        shares = [
            np.concatenate([result.attributions[i].segment_shares[_rows(result, name)] for result in known.old])
            for i in range(2)
        ]
        row = found["cnn-test-1", name]
        assert (row["one_method"], row["other_method"], row["n_beats"]) == ("gradcam", "saliency", len(shares[0]))
        apart = float(np.abs(shares[0] - shares[1]).sum(axis=1).mean()) / 2
        assert row["mean_overlap_share"] == pytest.approx(1 - apart, rel=1e-5)
        same = shares[0].argmax(axis=1) == shares[1].argmax(axis=1)
        assert row["same_segment_share"] == pytest.approx(float(same.mean()))


def test_throughput(conn, known):
    (row,) = _run(conn, "throughput")
    assert (row["n_scored"], row["n_set_aside"], row["n_beats"]) == (2, 1, 400)
    assert row["set_aside_share"] == pytest.approx(1 / 3)
    assert row["beats_per_second"] == pytest.approx(100)
    hours = sum(result.recording.duration_s for result in known.old) / 3600
    assert row["recorded_h"] == pytest.approx(hours)


def test_set_aside(conn):
    (row,) = _run(conn, "set_aside")
    assert (row["code"], row["n_contents"], row["n_files"], row["size_bytes"]) == ("truncated signal", 1, 2, 7)


def test_drift(conn):
    (row,) = _run(conn, "drift")
    assert (str(row["scored_on"]), row["population_stability_index"], row["index_the_day_before"]) == (
        "2026-11-02",
        0.3,
        0.05,
    )
    assert row["verdict"] == "far off"
