"""After a reader's word report, worklist, mart, FHIR and annotations all say the same, and the signature guards it."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import wfdb
from pydantic import PostgresDsn
from sqlalchemy import text

from benchmarks.made_up import drawn
from ecg_core.beats import summarise_rhythm
from ecg_core.beats.rhythm import in_single_precision
from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.readers import exports, reports, reviewing
from ecg_core.report import sentences, write_report
from ecg_core.result import Correction, Review
from ecg_core.result.findings import with_findings
from ecg_core.settings import Settings
from ecg_core.store import migrate, write_result
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.readings import reading_of
from ecg_core.store.reports import Filters

LETTERS = "N" * 12 + "V" + "N" * 30 + "VV" + "N" * 60


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    made = Settings(_env_file=None, home=tmp_path / "home", database_url=PostgresDsn(database))
    migrate(owner_engine(made))
    return made


@pytest.fixture
def scored(settings: Settings) -> SimpleNamespace:
    """A result of known beats, stored with its report as scoring does."""
    result = drawn(LETTERS)
    table = result.beats
    rhythm = summarise_rhythm(table.r_time_s, table.rr_prev_ms, table.class_index, table.analysable)
    result = with_findings(replace(result, rhythm=in_single_precision(rhythm)))
    written = write_report(result, settings.reports_dir / "scored.html")
    with store_engine(settings).begin() as conn:
        run_id = write_result.write_result(conn, result, "test", sentences(result))
        facts = {"path": written.path.name, "sha256": written.sha256, "size_bytes": written.size_bytes}
        write_result.write_report(conn, reading_of(conn, run_id), **facts, stages={})
    [row] = reports.list_reports(settings, Filters()).reports
    return SimpleNamespace(report_id=row.report_id, recording_id=row.recording_id, result=result, row=row)


def _mart(settings: Settings, sql: str) -> list[dict[str, object]]:
    with owner_engine(settings).connect() as conn:
        return [dict(row) for row in conn.execute(text(sql)).mappings()]


def _answer(settings: Settings, scored: SimpleNamespace, *corrections: Correction, sign: bool = True, **agrees: bool):
    review = Review("ada", None, "Seen.", sign, agrees, corrections)
    reviewing.add_review(settings, scored.report_id, review)


def _at(scored: SimpleNamespace, row: int) -> float:
    return float(scored.result.beats.r_time_s[row])


def test_one_review_and_everything_follows(settings, scored, tmp_path):
    """Three beats corrected, one added, one taken out, a stretch named, then signed."""
    first = _mart(settings, "SELECT * FROM ecg_mart.score_final")
    assert [(r["state"], r["is_newest"], r["holds_until"]) for r in first] == [("preliminary", True, None)]
    quiet = [row for row in range(2, len(scored.result.beats)) if scored.result.beats.class_index[row] == 0]
    start = next(row for row in quiet if {row + 1, row + 2, row + 3, row + 4} <= set(quiet))
    run = [Correction(_at(scored, row), _at(scored, row), "V") for row in range(start, start + 3)]
    added_s = (_at(scored, 0) + _at(scored, 1)) / 2
    gone_s = _at(scored, start + 4)
    named_s = (scored.result.recording.duration_s - 9.0, scored.result.recording.duration_s - 1.0)
    _answer(
        settings,
        scored,
        *run,
        Correction(added_s, added_s, "S", action="added"),
        Correction(gone_s, gone_s, action="no_beat"),
        Correction(*named_s, action="rhythm", rhythm="atrial_fibrillation"),
    )
    # the report
    html = reports.report_html(settings, scored.report_id)
    assert "Amended: signed by ada" in html
    assert "Changed by readers" in html
    assert html == reports.render_again(settings, scored.recording_id, None, tmp_path).path.read_text("utf-8")
    files = sorted(path.name for path in settings.reports_dir.rglob("*.html"))
    assert len(files) == 2, "the report as scored stays beside it"
    # the worklist
    [row] = reports.list_reports(settings, Filters(state="signed")).reports
    assert row.signed_by == "ada"
    assert row.beats["V"] == scored.row.beats["V"] + 3
    assert row.episodes["atrial_fibrillation"] == 1
    assert row.episodes["v_run"] >= 1
    assert row.urgency >= 100
    assert reports.list_reports(settings, Filters(finding="v_run")).reports == (row,)
    # the mart
    then, now = _mart(settings, "SELECT * FROM ecg_mart.score_final ORDER BY holds_since")
    assert (then["is_newest"], then["holds_until"]) == (False, now["holds_since"])
    assert (now["state"], now["n_beats_changed"], now["signature_holds"]) == ("amended", 5, True)
    assert now["n_beats"] == len(scored.result.beats)
    beats = _mart(settings, "SELECT * FROM ecg_mart.beat_final ORDER BY r_time_s")
    assert len(beats) == now["n_beats"]
    by_time = {round(float(b["r_time_s"]), 3): b for b in beats}
    assert by_time[round(added_s, 3)]["class"] == "S"
    assert by_time[round(added_s, 3)]["model_class"] is None
    assert round(gone_s, 3) not in by_time
    assert by_time[round(_at(scored, start), 3)]["class"] == "V"
    assert by_time[round(_at(scored, start), 3)]["model_class"] == "N"
    assert {b["holds_since"] for b in beats} == {now["holds_since"]}
    stands = {r["finding"] for r in _mart(settings, "SELECT finding FROM ecg_mart.finding_final WHERE is_newest")}
    assert {"v_run", "atrial_fibrillation"} <= stands
    named = _mart(settings, "SELECT * FROM ecg_mart.rhythm_episode_final WHERE kind = 'atrial_fibrillation'")
    assert [(r["start_s"], r["end_s"], r["reviewer_id"] is not None) for r in named] == [(*named_s, True)]
    # FHIR
    bundle = json.loads(exports.export_fhir(settings, scored.recording_id, tmp_path).read_text())
    resources = [entry["resource"] for entry in bundle["entry"]]
    [report] = [r for r in resources if r["resourceType"] == "DiagnosticReport"]
    [practitioner] = [r for r in resources if r["resourceType"] == "Practitioner"]
    assert report["status"] == "amended"
    assert report["performer"][0]["reference"] == f"urn:uuid:{practitioner['id']}"
    assert "v_run" in report["conclusion"]
    observed = {r["code"]["text"]: r for r in resources if r["resourceType"] == "Observation"}
    of_v = next(r for name, r in observed.items() if name.startswith("beats of class V"))
    assert (of_v["valueQuantity"]["value"], of_v["status"]) == (row.beats["V"], "amended")
    # WFDB
    (tmp_path / "x.rev").write_bytes(reviewing.corrected_beats(settings, scored.recording_id))
    read = wfdb.rdann(str(tmp_path / "x"), "rev")
    analysable = [b for b in beats if b["analysable"]]
    assert read.symbol == [b["class"] for b in analysable]
    assert read.sample.tolist() == [b["r_sample"] for b in analysable]
    assert [note.strip("\0") for note in read.aux_note].count("reviewed") == 4
    # The model's own stays.
    assert len(_mart(settings, "SELECT FROM ecg_mart.beat")) == len(scored.result.beats)


def test_a_signed_disagreement_takes_what_is_urgent_off_the_worklist(settings, scored):
    with owner_engine(settings).begin() as conn:
        # A generated recording holds nothing urgent of itself.
        conn.execute(text("UPDATE ecg.finding SET urgency = 'urgent' WHERE kind = 'v_beats'"))
        conn.execute(text("UPDATE ecg.report SET urgency = 100"))
    _answer(settings, scored, v_beats=False)
    [row] = reports.list_reports(settings, Filters()).reports
    assert row.urgency < 100
    [finding] = _mart(settings, "SELECT disputed FROM ecg_mart.finding WHERE finding = 'v_beats'")
    assert finding["disputed"] is True
    assert _mart(settings, "SELECT FROM ecg_mart.finding_final WHERE finding = 'v_beats'") == []
    html = reports.report_html(settings, scored.report_id)
    assert "does not stand" in html
    assert '<span class="tag">Urgent</span>' not in html


def test_signed_as_it_is_it_is_final(settings, scored, tmp_path):
    _answer(settings, scored, v_beats=True)
    assert "Final: signed by ada" in reports.report_html(settings, scored.report_id)
    bundle = json.loads(exports.export_fhir(settings, scored.recording_id, tmp_path).read_text())
    assert bundle["entry"][0]["resource"]["status"] == "final"


def test_a_later_change_voids_the_signature_everywhere(settings, scored, tmp_path):
    _answer(settings, scored)
    _answer(settings, scored, Correction(_at(scored, 4), _at(scored, 4), "F"), sign=False)
    assert "Signature void: ada signed" in reports.report_html(settings, scored.report_id)
    assert reports.list_reports(settings, Filters(state="signed")).reports == ()
    newest = _mart(settings, "SELECT * FROM ecg_mart.score_final WHERE is_newest")
    assert [(r["state"], r["signature_holds"], r["n_class_f"]) for r in newest] == [
        ("preliminary", False, scored.row.beats["F"])
    ]
    bundle = json.loads(exports.export_fhir(settings, scored.recording_id, tmp_path).read_text())
    report = bundle["entry"][0]["resource"]
    assert report["status"] == "preliminary"
    assert "signature is void" in report["conclusion"]
    assert "performer" not in report
    # Signed again, with what was changed.
    _answer(settings, scored)
    assert "Amended: signed by ada" in reports.report_html(settings, scored.report_id)
    [now] = _mart(settings, "SELECT * FROM ecg_mart.score_final WHERE is_newest")
    assert (now["state"], now["n_class_f"]) == ("amended", scored.row.beats["F"] + 1)


def test_beats_that_were_changed_in_the_database_void_the_signature(settings, scored, tmp_path):
    _answer(settings, scored)
    with owner_engine(settings).begin() as conn:
        conn.execute(text("UPDATE ecg.beat SET class = 'F' WHERE beat_index = 3"))
    drawn = reports.render_again(settings, scored.recording_id, None, tmp_path).path.read_text("utf-8")
    assert "what is stored is no longer what was signed" in drawn


def test_two_readers_at_once_lose_nothing_and_the_second_to_sign_is_told(settings, scored):
    told: list[Exception] = []

    def answer(name: str, row: int) -> None:
        correction = Correction(_at(scored, row), _at(scored, row), "F")
        try:
            reviewing.add_review(settings, scored.report_id, Review(name, None, "", True, {}, (correction,)), seen=0)
        except StoreError as error:
            told.append(error)

    readers = [threading.Thread(target=answer, args=(name, row)) for name, row in (("ada", 3), ("bob", 6))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    [refused] = told
    [first] = reviewing.review_page(settings, scored.report_id).reviews
    assert str(refused).startswith(f"{first.reviewer} has answered since")
    second, row = ("bob", 6) if first.reviewer == "ada" else ("ada", 3)
    answer(second, row)  # still by what they saw
    assert len(told) == 2
    correction = Correction(_at(scored, row), _at(scored, row), "F")
    reviewing.add_review(settings, scored.report_id, Review(second, None, "", True, {}, (correction,)), seen=1)
    [line] = reports.list_reports(settings, Filters()).reports
    assert line.beats["F"] == scored.row.beats["F"] + 2


@pytest.mark.parametrize(
    ("correction", "told"),
    [
        (lambda at: Correction(at(3), at(3), "V", action="added"), "There is a beat within"),
        (lambda at: Correction(1.0, 1.0, action="rhythm", rhythm="vt"), "needs a begin, an end and a name"),
        (lambda at: Correction(1.0, 3.0, action="rhythm", rhythm="bigfoot"), "The names are vf"),
        (lambda at: Correction(at(3) + 0.35, at(3) + 0.35, action="no_beat"), "No beat was detected"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(settings, scored, correction, told):
    good = Correction(_at(scored, 5), _at(scored, 5), "F")
    with pytest.raises(StoreError, match=told):
        _answer(settings, scored, good, correction(lambda row: _at(scored, row)))
    assert reviewing.review_page(settings, scored.report_id).reviews == ()


def test_a_report_that_nobody_lived_to_draw_is_drawn_when_it_is_asked_for(settings, scored, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(reviewing, "draw_what_stands", lambda *_: None)
        _answer(settings, scored, Correction(_at(scored, 4), _at(scored, 4), "F"))
    assert "Amended: signed by ada" in reports.report_html(settings, scored.report_id)


def test_the_classes_that_stand_are_those_of_the_mart(settings, scored):
    _answer(settings, scored, Correction(0.0, 10.0, "S"))
    counted = _mart(settings, "SELECT class, count(*) AS n FROM ecg_mart.beat_final WHERE analysable GROUP BY class")
    [now] = _mart(settings, "SELECT * FROM ecg_mart.score_final WHERE is_newest")
    found = {row["class"]: row["n"] for row in counted}
    assert {name: now[f"n_class_{name.lower()}"] for name in CLASSES} == {name: found.get(name, 0) for name in CLASSES}
