"""What leaves the database is what is in it, and other programs can read it."""

import json
from datetime import date, datetime, timedelta, timezone

import numpy as np
import pyarrow.parquet as pq
import pytest
import wfdb
from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import text

from benchmarks.made_up import drawn, varied
from ecg_core.errors import StoreError
from ecg_core.export import codes as codes_of
from ecg_core.export import fhir
from ecg_core.labels import CLASSES
from ecg_core.models import SHIPPED_VERSION, load_model, shipped_labelling
from ecg_core.pipeline import inbox
from ecg_core.pipeline.score_file import score_file
from ecg_core.readers import exports, reports
from ecg_core.report import sentences
from ecg_core.result import RhythmEpisode
from ecg_core.settings import Settings
from ecg_core.store import write_result
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.readings import reading_of


@pytest.fixture
def results(settings: Settings):
    zone = timezone(timedelta(hours=2))
    made = [
        varied(300, seed=0, start_time=datetime(2026, 3, 1, 8, tzinfo=zone)),
        varied(5_000, seed=1, start_time=datetime(2026, 3, 2, 9), patient_pseudonym=None),
        varied(0, seed=2),
    ]
    with store_engine(settings).begin() as conn:
        for result in made:
            write_result.write_result(conn, result, "test")
    return made


def tomorrow() -> date:
    return date.today() + timedelta(days=1)


def test_the_mart_as_parquet_holds_what_the_views_give(settings, results, tmp_path):
    rows = exports.export_mart(settings, tmp_path / "out", date(2020, 1, 1), tomorrow())
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(rows)
    assert rows["beat"] == 5_300
    with store_engine(settings).connect() as conn:
        for view, n_rows in rows.items():
            file = pq.ParquetFile(tmp_path / "out" / f"{view}.parquet")
            table = file.read()
            assert table.num_rows == n_rows
            there = conn.execute(text(f"SELECT count(*) FROM ecg_mart.{view}")).scalar_one()
            assert n_rows == there, view
            told = conn.execute(text(f"SELECT obj_description('ecg_mart.{view}'::regclass)")).scalar_one()
            assert file.schema_arrow.metadata[b"comment"].decode() == told
            assert all(field.metadata[b"comment"] for field in file.schema_arrow)
            if n_rows:
                assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        beats = pq.read_table(tmp_path / "out" / "beat.parquet").to_pandas()
        of_first = beats[beats.recording_id == results[0].recording.recording_id].sort_values("beat_index")
    np.testing.assert_array_equal(of_first.r_sample, results[0].beats.r_sample)
    np.testing.assert_array_equal(of_first.probability_v.astype(np.float32), results[0].beats.probabilities[:, 2])
    assert of_first.rr_prev_ms.isna().sum() == 1
    samples = pq.read_table(tmp_path / "out" / "attribution_sample.parquet").to_pylist()
    assert {len(row["sample_values"]) for row in samples} == {256}
    assert json.loads(next(row for row in samples if row["method"] == "shap")["context_values"])


def test_a_period_leaves_out_what_arrived_at_other_times(settings, results, tmp_path):
    rows = exports.export_mart(settings, tmp_path / "out", date(2020, 1, 1), date(2020, 3, 1))
    assert {view for view, n_rows in rows.items() if n_rows} == {"model_version", "model_metric"}
    with pytest.raises(StoreError, match="is empty"):
        exports.export_mart(settings, tmp_path / "out", date(2020, 3, 1), date(2020, 3, 1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_fhir_bundle_is_valid_and_says_what_the_scores_say(settings, results, tmp_path, seed):
    result = results[seed]
    path = exports.export_fhir(settings, result.recording.recording_id[:16], tmp_path / "out")
    document = json.loads(path.read_text())
    bundle = Bundle.model_validate(document)
    resources = [entry.resource for entry in bundle.entry]
    (report,) = [one for one in resources if one.get_resource_type() == "DiagnosticReport"]
    observations = [one for one in resources if one.get_resource_type() == "Observation"]
    assert report.status == "preliminary"
    assert "not for diagnosis" in report.conclusion
    long = result.recording.duration_s >= 3600
    assert report.code.coding[0].code == ("18754-2" if long else "11524-6")
    addresses = {entry.fullUrl for entry in bundle.entry}
    pointed = [one.reference for one in report.result]
    assert len(pointed) == len(observations) == len(set(pointed))
    assert set(pointed) <= addresses
    by_code = {one.code.coding[0].code: one.valueQuantity.value for one in observations if one.valueQuantity}
    of_device = [one for one in observations if "device" in one.code.text]
    assert {one.code.coding[0].code for one in of_device} == {"8634-8", "8867-4", "8601-7"}
    assert all(one.device != observations[0].device and one.status == "final" for one in of_device)
    assert of_device[-1].valueString == "sinus rhythm; left axis deviation"
    assert float(by_code["30525-0"]) == 71
    analysable = result.beats.analysable
    for i, name in enumerate(CLASSES):
        assert by_code[f"n_class_{name.lower()}"] == int(((result.beats.class_index == i) & analysable).sum())
    rates = {
        one.code.text: float(one.valueQuantity.value)
        for one in observations
        if one.code.coding[0].code == "8867-4" and one not in of_device
    }
    assert rates == ({} if seed == 2 else {"mean heart rate": 72.5, "min heart rate": 55.0, "max heart rate": 110.0})
    patients = [one for one in resources if one.get_resource_type() == "Patient"]
    assert [one.identifier[0].value for one in patients] == ([] if seed == 1 else [f"pseudonym-{seed}"])
    assert all(
        set(one.model_dump(exclude_none=True)) <= {"resourceType", "id", "identifier", "gender"} for one in patients
    )
    if seed == 0:
        assert document["entry"][0]["resource"]["effectivePeriod"]["start"] == "2026-03-01T08:00:00+02:00"
        assert "v_run" in report.conclusion
    if seed == 1:
        assert document["entry"][0]["resource"]["effectivePeriod"]["start"] == "2026-03-02"
    again = exports.export_fhir(settings, result.recording.recording_id, tmp_path / "again")
    assert again.read_bytes() == path.read_bytes()


def test_the_json_of_a_scored_file_is_the_json_of_its_scores(settings, arrive, tmp_path):
    file = arrive("a")
    inbox.register_arrivals(settings)
    [chunk] = inbox.plan_chunks(settings)
    [outcome] = inbox.score_chunk(settings, chunk, "test")
    models = load_model(SHIPPED_VERSION, settings.models_dir), shipped_labelling(settings.models_dir)
    of_file = score_file(file, models[0], settings, None, others=models[1]).json
    path = exports.export_json(settings, str(outcome["recording_id"])[:12], tmp_path / "out")
    stored = json.loads(path.read_text(), parse_constant=pytest.fail)
    run = stored.pop("scoring_run")
    with store_engine(settings).connect() as conn:
        asked = text("SELECT scoring_run_id, scored_at FROM ecg_mart.score")
        scored = conn.execute(asked).one()
    assert run["scoring_run_id"] == scored.scoring_run_id
    assert abs(datetime.fromisoformat(run["scored_at"]) - scored.scored_at) < timedelta(milliseconds=1)
    of_file = json.loads(json.dumps(of_file), parse_constant=pytest.fail)
    assert of_file.pop("scoring_run") is None
    # Both took their own time.
    assert set(of_file.pop("stages")) <= set(stored.pop("stages"))
    for name, value in of_file.items():
        assert stored[name] == value, name
    assert stored.keys() == of_file.keys()
    assert stored["findings"]
    assert stored["explanations"]["shapley"]
    assert all(stored["explanations"]["segment_shares"].values())
    for chosen in stored["explanations"]["chosen_beats"]:
        assert all(chosen[name] for name in ("shapley", "lime", "blend", "deviation_by_wave", "context_shap"))


def test_a_run_of_s_within_fibrillation_is_inconclusive_wherever_one_reads_it(settings, tmp_path):
    letters = "N" * 100 + "SSS" + "N" * 100
    af = RhythmEpisode("atrial_fibrillation", 60.0, 120.0, 74, 148, 90.0, float(np.float32(0.87)))
    run_of_s = RhythmEpisode("s_run", 80.8, 82.4, 100, 102, 75.0)
    result = drawn(letters, episodes=(af, run_of_s))
    stated = dict(zip((finding.kind for finding in result.findings), sentences(result), strict=True))
    with store_engine(settings).begin() as conn:
        run = write_result.write_result(conn, result, "test", sentences(result))
        write_result.write_report(conn, reading_of(conn, run), path="r.html", sha256="a" * 64, size_bytes=1, stages={})
        for query in (
            "SELECT urgency, sentence, n_called, n_in_fibrillation FROM ecg.finding WHERE kind = 's_run'",
            "SELECT urgency, sentence, n_called, n_in_fibrillation FROM ecg_mart.finding WHERE finding = 's_run'",
        ):
            assert tuple(conn.execute(text(query)).one()) == ("doubt", stated["s_run"], 3, 3)
    [row] = reports.list_reports(settings, reports.Filters(finding="s_run")).reports
    assert (row.urgency, row.episodes) == (11, {"atrial_fibrillation": 1, "s_run": 1})
    document = json.loads(exports.export_json(settings, "0123", tmp_path).read_text())
    assert [f["kind"] for f in document["findings"]] == [f.kind for f in result.findings]
    [in_json] = [finding for finding in document["findings"] if finding["kind"] == "s_run"]
    assert (in_json["urgency"], in_json["sentence"]) == ("doubt", stated["s_run"])
    bundle = json.loads(exports.export_fhir(settings, "0123", tmp_path).read_text())
    assert "s_run" not in bundle["entry"][0]["resource"]["conclusion"]
    html = reports.render_again(settings, "0123", None, tmp_path).path.read_text(encoding="utf-8")
    item = html[: html.index(stated["s_run"])].rpartition("<li ")[2]
    assert item.startswith('class="doubt"')


def test_without_its_beats_a_result_is_no_more_exported_but_for_its_summary(settings, results, tmp_path):
    recording_id = results[0].recording.recording_id
    before = exports.export_fhir(settings, recording_id, tmp_path / "before").read_text()
    assert "P-R Interval" in before
    with owner_engine(settings).begin() as conn:
        conn.execute(text("TRUNCATE ecg.beat, ecg.attribution, ecg.shapley, ecg.chosen_beat, ecg.attribution_sample"))
    after = exports.export_fhir(settings, recording_id, tmp_path / "after").read_text()
    assert without_intervals(after) == without_intervals(before)
    assert "P-R Interval" not in after
    for refused in (exports.export_json, exports.export_annotations):
        with pytest.raises(StoreError, match="has dropped"):
            refused(settings, recording_id, tmp_path)


def without_intervals(text):
    """The bundle without medians of intervals, which are those of the beats."""
    kept = [e["resource"] for e in json.loads(text)["entry"]]
    codes = {code for code, _ in codes_of._INTERVALS.values()}
    gone = {one["id"] for one in kept if "measured" not in one.get("code", {}).get("text", "")
            and one.get("code", {}).get("coding", [{}])[0].get("code") in codes}  # fmt: skip
    kept = [one for one in kept if one["id"] not in gone]
    for one in kept:
        one["result"] = [ref for ref in one.get("result", []) if ref["reference"][-36:] not in gone]
    return kept


def test_the_codes_of_snomed_are_those_published():
    """The last digit of an identifier checks the others (Verhoeff)."""
    turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    powers = [list(range(10))]
    for _ in range(7):
        powers.append([turn[i] for i in powers[-1]])
    for code, term in codes_of.FINDINGS.values():
        check = 0
        for place, digit in enumerate(reversed(code)):
            moved = powers[place % 8][int(digit)]
            # The dihedral group of ten elements.
            a, b = check, moved
            check = (a + b) % 5 + (5 if (b >= 5) else 0) if a < 5 else (a - b) % 5 + (0 if b >= 5 else 5)
        assert check == 0, (code, term)


def test_the_codes_of_loinc_are_those_published():
    """A check digit ends each code (mod 10): a slip of the pen would not pass. https://loinc.org/kb/users-guide/"""
    ours = (codes_of.HOLTER, codes_of.RESTING, codes_of.IMPRESSION, codes_of.HEART_RATE)
    ours += (*codes_of._INTERVALS.values(), *codes_of._AXES.values())
    for code, _ in (*ours, fhir.AGE, *fhir.MEASURED.values()):
        digits, check = code.split("-")
        doubled = str(int("".join(reversed(digits))[::2]) * 2)
        rest = "".join(reversed(digits))[1::2]
        total = sum(map(int, rest + doubled))
        assert (10 - total % 10) % 10 == int(check)


def test_annotations_come_back_through_wfdb(settings, results, tmp_path):
    beats = results[0].beats
    path = exports.export_annotations(settings, results[0].recording.recording_id, tmp_path / "out")
    read = wfdb.rdann(str(path.with_suffix("")), "ecg")
    np.testing.assert_array_equal(read.sample, beats.r_sample)
    expected = [CLASSES[c] if good else "?" for c, good in zip(beats.class_index, beats.analysable, strict=True)]
    assert read.symbol == expected
    assert read.fs == 360


def test_what_cannot_be_written_is_said(settings, results, tmp_path):
    with pytest.raises(StoreError, match="no beat to write"):
        exports.export_annotations(settings, results[2].recording.recording_id, tmp_path)
    for write in (exports.export_fhir, exports.export_json):
        with pytest.raises(StoreError, match="No recording whose id starts with"):
            write(settings, "zz", tmp_path)
        with pytest.raises(StoreError, match="No recording whose id starts with"):
            write(settings, "", tmp_path)
        with pytest.raises(StoreError, match="under model version other"):
            write(settings, results[0].recording.recording_id, tmp_path, "other")
    assert list(tmp_path.glob("*.json")) == []
