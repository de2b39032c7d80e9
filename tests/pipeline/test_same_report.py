"""A report rendered again from Postgres alone is the same to the byte; corrected beats go out as WFDB annotations."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb
from sqlalchemy import text

from ecg_core.errors import StoreError
from ecg_core.labels import CLASSES
from ecg_core.pipeline import inbox, retrain
from ecg_core.readers import reports, reviewing
from ecg_core.result import Correction, Review
from ecg_core.settings import Settings
from ecg_core.store import read_result
from ecg_core.store.database import owner_engine, store_engine
from ecg_core.store.reports import Filters


@pytest.fixture
def scored(settings: Settings, arrive: Callable[..., Path]) -> tuple[str, int]:
    arrive("a")
    inbox.register_arrivals(settings)
    [chunk] = inbox.plan_chunks(settings)
    [outcome] = inbox.score_chunk(settings, chunk, "test")
    [row] = reports.list_reports(settings, Filters()).reports
    return str(outcome["recording_id"]), row.report_id


def test_rendered_again_without_files_it_is_the_same_to_the_byte(settings, scored, tmp_path):
    recording_id, report_id = scored
    [file] = settings.reports_dir.rglob("*.html")
    first = file.read_bytes()
    shutil.rmtree(settings.recordings_dir)
    shutil.rmtree(settings.reports_dir)
    again = reports.render_again(settings, recording_id[:10], None, tmp_path)
    assert again.path.read_bytes() == first
    assert again.sha256 == hashlib.sha256(first).hexdigest()
    # After a review, both ways of showing it agree as well.
    (settings.reports_dir / file.parent.relative_to(settings.reports_dir)).mkdir(parents=True)
    file.write_bytes(first)
    answer = Review("ada", None, "Ünlike.", True, {}, (Correction(10.0, 20.0, "S"),))
    reviewing.add_review(settings, report_id, answer)
    reviewed = reports.render_again(settings, recording_id, None, tmp_path).path.read_text(encoding="utf-8")
    assert reviewed == reports.report_html(settings, report_id)
    assert "Ünlike." in reviewed
    assert "All beats from 0:00:10.0 to 0:00:20.0 are S." in reviewed


def test_a_file_that_was_changed_is_not_served(settings, scored):
    _, report_id = scored
    [file] = settings.reports_dir.rglob("*.html")
    assert reports.report_html(settings, report_id)
    file.write_text(file.read_text(encoding="utf-8").replace("ECG report", "ECG rep0rt"), encoding="utf-8")
    assert reports.report_html(settings, report_id) is None


def test_corrected_beats_are_read_back_by_wfdb(settings, scored, tmp_path):
    recording_id, report_id = scored
    with store_engine(settings).connect() as conn:
        beats = read_result.read_result(conn, read_result.find_scoring_run(conn, recording_id)).beats
    at_s = float(beats.r_time_s[4])
    reviewing.add_review(
        settings, report_id, Review("ada", None, "", True, {}, (Correction(at_s + 0.05, at_s + 0.05, "F"),))
    )
    reviewing.add_review(settings, report_id, Review("ada", None, "", False, {}, (Correction(0.0, 30.0, "Q"),)))
    (tmp_path / "x.rev").write_bytes(reviewing.corrected_beats(settings, recording_id))
    read = wfdb.rdann(str(tmp_path / "x"), "rev")
    wanted = [CLASSES[c] for c in beats.class_index]
    wanted[4] = "F"
    assert read.symbol == [letter for letter, ok in zip(wanted, beats.analysable, strict=True) if ok]
    assert read.sample.tolist() == beats.r_sample[beats.analysable].tolist()
    assert [note.strip("\0") for note in read.aux_note].count("reviewed") == 1


@pytest.mark.parametrize(("start", "end"), [(-1.0, 2.0), (5.0, 4.0), (0.0, 1e9), (29.99, 29.99), (float("nan"), 1.0)])
def test_a_correction_outside_the_recording_or_without_a_beat_writes_nothing(settings, scored, start, end):
    _, report_id = scored
    with pytest.raises(StoreError):
        reviewing.add_review(settings, report_id, Review("ada", None, "", True, {}, (Correction(start, end, "V"),)))
    assert reviewing.review_page(settings, report_id).reviews == ()


def test_signed_corrections_become_training_data_where_the_setting_says_so(settings, scored, trees):
    recording_id, report_id = scored
    with store_engine(settings).connect() as conn:
        beats = read_result.read_result(conn, read_result.find_scoring_run(conn, recording_id)).beats
    row = int(np.flatnonzero(beats.analysable)[5])
    at_s = float(beats.r_time_s[row])
    reviewing.add_review(settings, report_id, Review("ada", None, "", True, {}, (Correction(at_s, at_s, "F"),)))
    reviewing.add_review(settings, report_id, Review("ada", None, "", False, {}, (Correction(0.0, 30.0, "Q"),)))
    assert retrain.reviewed_beats(settings, trees) == []  # a generator made it
    with owner_engine(settings).begin() as conn:
        conn.execute(text("UPDATE ecg.recording SET synthetic = false"))
    [added] = retrain.reviewed_beats(settings, trees)
    assert [CLASSES[c] for c in added.class_index] == ["F"] * 3  # on each lead, and with what both say together
    assert set(added.record) == {f"reviewed-{recording_id[:16]}"}
    assert retrain.reviewed_beats(settings, trees, held_out={recording_id}) == []
    folder = settings.recordings_dir
    assert retrain.with_reviewed(settings, added, folder) is added
    willing = settings.model_copy(update={"train_on_reviews": True})
    assert len(retrain.with_reviewed(willing, added, folder)) == 6


def test_what_was_never_scored_cannot_be_rendered(settings, tmp_path):
    with pytest.raises(StoreError, match="was scored"):
        reports.render_again(settings, "0" * 64, None, tmp_path)
    assert not list(tmp_path.glob("*.html"))
