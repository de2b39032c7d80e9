"""Every format through the inbox: scored and reported alike, once for one signal, and nobody's name with it."""

import gzip
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from sqlalchemy import select, text

from ecg_core.pipeline import inbox
from ecg_core.readers import exports
from ecg_core.readers.reports import list_arrivals
from ecg_core.settings import PROJECT_DIR, Settings
from ecg_core.store.database import store_engine
from ecg_core.store.tables import metadata

sys.path.insert(0, str(PROJECT_DIR / "tests" / "formats"))
import format_writers as w

SHARED = PROJECT_DIR.parent / "shared" / "formats"
UNREADABLE = {"empty.xml", "minimum_aecg.xml", "invalid-doc-type.xml"}
"""Of the shared files: without a waveform, with three samples, of a broken kind."""
MAY_NAME_SOMEBODY = {"arrival"}
"""Tables that hold paths of arrivals, where a name can stand."""


def put(settings: Settings, name: str, change: int, file: str | None = None) -> Path:
    """Write the made-up ECG, with one sample changed by so many steps, into the inbox."""
    folder = Path(settings.inbox) / (file or name).replace(" ", "-")
    folder.mkdir()
    truth = w.Truth() if name in w.TWELVE else w.Truth(leads=("I",))
    truth.steps[700, 0] += change
    path, _ = w.write(folder, name, truth)
    return path


HANDED_ON: list[object] = []
"""What the DAG's tasks return, and Airflow keeps as XCom."""


def work_through(settings: Settings) -> dict[str, tuple[str, str]]:
    """One run of the DAG; by file: outcome and reason."""
    HANDED_ON[:] = [inbox.register_arrivals(settings), chunks := inbox.plan_chunks(settings)]
    for chunk in chunks:
        outcomes = inbox.score_chunk(settings, chunk, "test")
        HANDED_ON.extend([outcomes, inbox.summarise(settings, outcomes)])
    return {a.file: (a.outcome, a.reason) for a in list_arrivals(settings, settings.inbox_address)}


def rows(settings: Settings, name: str) -> list[dict]:
    table = metadata.tables[f"ecg.{name}"]
    with store_engine(settings).connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def test_every_format_gives_the_same_beats_and_a_report_and_nobodys_name(settings: Settings, capfd):
    for change, name in enumerate([*w.TWELVE, *w.ONE_LEAD]):
        put(settings, name, change, f"{w.NAME} {w.ID} {name}")
    # A name where a lead's should stand.
    spelled = {"wfdb": b" V6\n", "edf+": b"ECG V6".ljust(16), "csv": b"V6 [uV]", "aecg": b"LEAD_V6"}
    for change, (name, lead) in enumerate(spelled.items(), start=30):
        path = put(settings, name, change, f"lead {name}")
        named = lead.replace(b"V6", w.NAME.encode())
        path.write_bytes(path.read_bytes().replace(lead, named[: len(lead)] if name == "edf+" else named))
    told = work_through(settings)
    assert {outcome for outcome, _ in told.values()} == {"scored"}, told
    assert len(told) == len(w.TWELVE | w.ONE_LEAD) + 4

    recordings = {row["recording_id"]: row for row in rows(settings, "recording")}
    runs = {row["scoring_run_id"]: row["recording_id"] for row in rows(settings, "scoring_run")}
    times: dict[str, list[float]] = {}
    for row in rows(settings, "beat"):
        times.setdefault(runs[row["scoring_run_id"]], []).append(row["r_time_s"])
    for recording_id, row in recordings.items():
        assert len(row["lead_names"]) == (8 if len(row["lead_names"]) > 1 else 1)
        assert sorted(times[recording_id]) == pytest.approx(np.arange(12) / 1.2 + 0.4 / 1.2, abs=0.03), row
    assert len({row["fingerprint"] for row in recordings.values()}) == len(recordings)

    for recording_id in recordings:
        exports.export_fhir(settings, recording_id, settings.reports_dir)
        exports.export_json(settings, recording_id, settings.reports_dir)
    look_everywhere_for_marks(settings, capfd.readouterr())


def look_everywhere_for_marks(settings: Settings, output) -> None:
    """Names, ids and birth dates of the files stand nowhere but in paths of arrivals and staged originals."""
    marks = [mark for mark in w.MARKS if mark != str(w.BIRTH_YEAR)]
    assert [mark for mark in marks if mark in repr(HANDED_ON)] == []
    named = [row["file_lead_names"] for row in rows(settings, "recording")]
    assert any(w.NAME in name for names in named for name in names), "the test itself shows nothing"
    for table in metadata.tables.values():
        if table.name not in MAY_NAME_SOMEBODY:
            # As the file spells them they are the writer's alone (docs/privacy.md).
            held = repr(
                [{k: v for k, v in row.items() if k != "file_lead_names"} for row in rows(settings, table.name)]
            )
            assert [mark for mark in marks if mark in held] == [], table.name
    reports = [path for path in settings.reports_dir.rglob("*") if path.is_file()]
    assert {path.suffix for path in reports} == {".html", ".json"}
    for report in reports:
        held = report.name + report.read_text()
        assert [mark for mark in marks if mark in held] == []
    assert [mark for mark in marks if mark in output.out + output.err] == []


def test_the_same_signal_is_scored_once_and_the_others_are_told(settings: Settings):
    for name in ("wfdb", "dicom", "edf+"):
        put(settings, name, 0)
    told = work_through(settings)
    assert sorted(outcome for outcome, _ in told.values()) == ["scored", "set aside", "set aside"]
    (first,) = rows(settings, "recording")
    for outcome, reason in told.values():
        assert outcome == "scored" or first["recording_id"][:13] in reason
        assert "different patients" not in reason
    # Not asked for by a general retry, but by its code.
    assert inbox.wait_again(settings) == 0
    assert inbox.wait_again(settings, "duplicate signal") == 2
    assert {outcome for outcome, _ in work_through(settings).values()} == {"scored"}
    assert len({row["fingerprint"] for row in rows(settings, "recording")}) == 1
    assert len(rows(settings, "recording")) == 3


def test_the_same_signal_of_two_patients_is_told_as_such(settings: Settings, monkeypatch):
    put(settings, "wfdb", 0)
    monkeypatch.setattr(w, "ID", "Id99999999")
    put(settings, "wfdb", 0, "other")
    told = work_through(settings)
    (reason,) = [reason for outcome, reason in told.values() if outcome == "set aside"]
    assert "different patients" in reason
    assert "99999999" not in reason


def test_archives_are_scored_like_what_they_hold(settings: Settings):
    folder = Path(settings.inbox)
    for change, name in enumerate(("wfdb", "edf", "csv")):
        put(settings, name, change)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for file in (folder / "wfdb").iterdir():
            archive.write(file, file.name)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder / "edf" / "r.edf", "r.edf")
    (folder / "b.tar.gz").write_bytes(content.getvalue())
    (folder / "c.csv.gz").write_bytes(gzip.compress((folder / "csv" / "r.csv").read_bytes()))
    for path in [*folder.glob("*/*")]:
        path.unlink()
    (folder / "d.zip").write_bytes(b"PK\x03\x04 no archive")
    told = work_through(settings)
    assert [told[name][0] for name in ("a.zip", "b.tar.gz", "c.csv.gz")] == ["scored"] * 3, told
    assert told["d.zip"][0] == "set aside"


def test_every_shared_file_is_scored_or_told(settings: Settings):
    if not SHARED.is_dir():
        pytest.skip(f"no files of other devices at hand ({SHARED})")
    told = work_through(settings.model_copy(update={"inbox": str(SHARED)}))
    ecgs = {file: said for file, said in told.items() if file.endswith((".xml", ".XML", ".dcm", ".edf"))}
    assert len(ecgs) == 8
    for file, (outcome, reason) in ecgs.items():
        assert outcome == ("set aside" if Path(file).name in UNREADABLE else "scored"), (file, reason)
    assert all(told[file][0] == "set aside" for file in told.keys() - ecgs.keys())
    ages = {row["source_format"]: (row["age_years"], row["sex"]) for row in rows(settings, "recording")}
    assert ages["hl7-aecg"] == (46, "male")
    assert ages["dicom"] == (42, "female")


def test_whatever_reading_assumed_stands_in_report_json_and_mart(settings: Settings):
    """Headers as other programs write them wrong: each doubt in all three, in the same words."""
    wrong: dict[str, tuple[str, str, str]] = {
        "gain": ("200(0)/mV", "0", "no gain"),
        "start": (f"{w.START:%d/%m/%Y}", "", "but no date"),
        "checksum": (" 0 V1", "7 0 V1", "checksums are not"),
        "short": ("", "", "sample(s) of each lead shorter"),
    }
    for change, (name, (old, new, _)) in enumerate(wrong.items()):
        header = put(settings, "wfdb", change, name)
        header.write_text(header.read_text().replace(old, new) if old else header.read_text())
        if name == "short":
            signal = header.with_suffix(".dat")
            signal.write_bytes(signal.read_bytes()[:-16])
    told = work_through(settings)
    assert {outcome for outcome, _ in told.values()} == {"scored"}, told
    with store_engine(settings).connect() as connection:
        mart = connection.execute(text("SELECT recording_id, text FROM ecg_mart.recording_doubt")).all()
        paths = "SELECT recording_id, path FROM ecg_mart.reading JOIN ecg.report USING (reading_id)"
        report = {row.recording_id: row.path for row in connection.execute(text(paths))}
    for *_, said in wrong.values():
        [(recording_id, sentence)] = [row for row in mart if said in row.text]
        html = (settings.reports_dir / report[recording_id]).read_text()
        assert html.count(str(escape(sentence))) == 2, "over everything and where the device speaks"
        document = json.loads(exports.export_json(settings, recording_id, settings.reports_dir).read_text())
        assert sentence in [doubt["text"] for doubt in document["recording"]["doubts"]]
