"""What a file's device says of patient and ECG, and what is doubtful in the file: written, and read again."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from ecg_core.recording import Doubt, Drug, Stated
from ecg_core.result import RecordingFacts
from ecg_core.store import tables


def write_statements(conn: Connection, facts: RecordingFacts) -> None:
    """Write the doubts and the device's statements of a recording that has none yet."""
    key = {"recording_id": facts.recording_id}
    doubts = [{**key, "place": i, **doubt._asdict()} for i, doubt in enumerate(facts.doubts)]
    said = [{**key, "place": i, **row} for i, row in enumerate(_rows(facts.stated))]
    for table, rows in ((tables.recording_doubt, doubts), (tables.device_statement, said)):
        if rows:
            conn.execute(insert(table), rows)


def _rows(stated: Stated) -> Iterator[dict[str, object]]:
    blank = {"measured_value": None, "at_s": None, "code": None, "unit": None}
    for kind, texts in (("statement", stated.statements), ("filter", stated.filters), ("symptom", stated.symptoms)):
        for text in texts:
            yield {**blank, "kind": kind, "text": text}
    for name, value in stated.measurements:
        yield {**blank, "kind": "measurement", "text": name, "measured_value": value}
    for at_s, text in stated.events:
        yield {**blank, "kind": "event", "text": text, "at_s": at_s}
    for text in stated.indications:
        yield {**blank, "kind": "indication", "text": text}
    for drug in stated.drugs:
        coded = {"code": drug.code or None, "unit": drug.unit or None, "measured_value": drug.dose}
        yield {**blank, "kind": "drug", "text": drug.name or drug.code, **coded}


def read_stated(conn: Connection, recording_id: str) -> Stated:
    """Read what the device said; age, sex and pacemaker stand in the recording's own row."""
    said = tables.device_statement
    rows = conn.execute(select(said).where(said.c.recording_id == recording_id).order_by(said.c.place)).all()

    def of(kind: str) -> tuple[str, ...]:
        return tuple(row.text for row in rows if row.kind == kind)

    return Stated(
        filters=of("filter"),
        statements=of("statement"),
        symptoms=of("symptom"),
        measurements=tuple((row.text, row.measured_value) for row in rows if row.kind == "measurement"),
        events=tuple((row.at_s, row.text) for row in rows if row.kind == "event"),
        indications=of("indication"),
        drugs=tuple(
            Drug("" if row.text == row.code else row.text, row.code or "", row.measured_value, row.unit or "")
            for row in rows
            if row.kind == "drug"
        ),
    )


def read_doubts(conn: Connection, recording_id: str) -> tuple[Doubt, ...]:
    """Read what is doubtful in a recording's file."""
    doubt = tables.recording_doubt
    rows = conn.execute(select(doubt).where(doubt.c.recording_id == recording_id).order_by(doubt.c.place))
    return tuple(Doubt(row.code, row.text) for row in rows)
