"""What stands after readers' answers, for the worklist and the mart: a row each time it changes, and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, func, insert, select, update

from ecg_core.labels import CLASSES
from ecg_core.result import BeatTable, Finding, Reviewed, beat_counts
from ecg_core.result.reviewed import FinalFacts
from ecg_core.store import tables
from ecg_core.store.read_result import read_findings_of
from ecg_core.store.reviews import reviewer_id
from ecg_core.store.write_result import urgency_of


def write_final(
    conn: Connection, reading_id: int, model: BeatTable, reviewed: Reviewed, sentences: Sequence[str] = ()
) -> int | None:
    """Enter what stands of a reading from now on; the worklist's order follows.

    Parameters
    ----------
    conn : Connection
    reading_id : int
    model : BeatTable
        The beats as the model left them; only those that are not so are kept.
    reviewed : Reviewed
        Signed at least once.
    sentences : sequence of str
        How the report states each of its findings.

    Returns
    -------
    int or None
        Number of the row; None where nobody has ever signed: then the reading stands as it was scored.
    """
    signature = reviewed.signature
    if signature is None:
        return None
    result, counts = reviewed.result, beat_counts(reviewed.result)
    rate = result.rhythm.heart_rate
    rates = {"mean": rate.mean_bpm, "min": rate.min_bpm, "max": rate.max_bpm} if rate else {}
    row = {
        "reading_id": reading_id,
        "state": reviewed.state,
        "signed_by": reviewer_id(conn, signature.reviewer),
        "signed_at": signature.signed_at or select(tables.now).scalar_subquery(),
        "signature_holds": signature.holds,
        "urgency": urgency_of(finding.urgency for finding in result.findings),
        "n_beats": len(result.beats),
        "n_beats_analysable": int(result.beats.analysable.sum()),
        **{f"n_class_{name.lower()}": n for name, n in counts.items()},
        "n_beats_changed": len(reviewed.changes),
        **{f"{name}_heart_rate_bpm": bpm for name, bpm in rates.items()},
    }
    table = tables.final_reading
    final_id = int(conn.execute(insert(table).values(**row).returning(table.c.final_id)).scalar_one())
    who = {name: reviewer_id(conn, name) for name in _names(reviewed)}
    parts: tuple[tuple[Any, list[dict[str, Any]]], ...] = (
        (tables.final_beat, _beats(model, reviewed, who)),
        (tables.final_episode, _episodes(reviewed, who)),
        (tables.final_finding, _findings(result.findings, sentences)),
    )
    for part, rows in parts:
        if rows:
            conn.execute(insert(part), [{"final_id": final_id, **each} for each in rows])
    report = tables.report
    order = {"urgency": row["urgency"], "priority": row["urgency"]}
    conn.execute(update(report).where(report.c.reading_id == reading_id).values(**order))
    return final_id


def read_final(conn: Connection, reading_id: int) -> FinalFacts | None:
    """Read what stands of a reading now; None where nobody has ever signed: then it stands as it was scored."""
    table, reviewer = tables.final_reading, tables.reviewer
    query = select(table, reviewer.c.user_name).join(reviewer, reviewer.c.reviewer_id == table.c.signed_by)
    newest = query.where(table.c.reading_id == reading_id).order_by(table.c.final_id.desc()).limit(1)
    row = conn.execute(newest).mappings().one_or_none()
    if row is None:
        return None
    rates = {name: row[f"{name}_heart_rate_bpm"] for name in ("mean", "min", "max")}
    same = ("state", "holds_since", "signed_at", "signature_holds", "n_beats")
    return FinalFacts(
        **{name: row[name] for name in same},
        signed_by=row["user_name"],
        beats={name: row[f"n_class_{name.lower()}"] for name in CLASSES},
        heart_rates_bpm={name: float(np.float32(bpm)) for name, bpm in rates.items() if bpm is not None},
        findings=read_findings_of(conn, tables.final_finding, tables.final_finding.c.final_id == row["final_id"]),
    )


def urgent_before(conn: Connection, reading_id: int, final_id: int) -> list[str | None]:
    """Return the sentences of the urgent findings that stood before these final values did."""
    final, found, scored = tables.final_reading, tables.final_finding, tables.finding
    before = select(func.max(final.c.final_id)).where(final.c.reading_id == reading_id, final.c.final_id < final_id)
    earlier: int | None = conn.execute(before).scalar_one()
    if earlier is None:
        query = select(scored.c.sentence).where(scored.c.reading_id == reading_id, scored.c.urgency == "urgent")
        return list(conn.execute(query.order_by(scored.c.finding_index)).scalars())
    query = select(found.c.sentence).where(found.c.final_id == earlier, found.c.urgency == "urgent")
    return list(conn.execute(query.order_by(found.c.finding_index)).scalars())


def newest_final(conn: Connection, reading_id: int) -> int | None:
    """Return the number of what stands of a reading now; None where it stands as it was scored."""
    table = tables.final_reading
    query = select(func.max(table.c.final_id)).where(table.c.reading_id == reading_id)
    found: int | None = conn.execute(query).scalar_one()
    return found


def point_report(conn: Connection, reading_id: int, final_id: int, *, path: str, sha256: str, size_bytes: int) -> None:
    """Say that the report of a reading is now this file, which shows these final values.

    Nothing happens where the report shows newer ones already.
    """
    table = tables.report
    older = (table.c.reading_id == reading_id) & (func.coalesce(table.c.final_id, 0) < final_id)
    facts = {"path": path, "sha256": sha256, "size_bytes": size_bytes, "final_id": final_id}
    conn.execute(update(table).where(older).values(**facts, written_at=tables.now))


def replace_report(conn: Connection, reading_id: int, *, path: str, sha256: str, size_bytes: int) -> None:
    """Say that the report of a reading is now this file, which shows the same final values."""
    table = tables.report
    facts = {"path": path, "sha256": sha256, "size_bytes": size_bytes}
    conn.execute(update(table).where(table.c.reading_id == reading_id).values(**facts, written_at=tables.now))


def _names(reviewed: Reviewed) -> set[str]:
    return {change.reviewer for change in reviewed.changes} | {stretch.reviewer for stretch in reviewed.named}


def _beats(model: BeatTable, reviewed: Reviewed, who: dict[str, int]) -> list[dict[str, Any]]:
    """Give the beats that stand otherwise than the model left them, and those of its beats that are none."""
    beats, row_of = reviewed.result.beats, reviewed.row_of
    said = {change.beat_index: change.reviewer for change in reviewed.changes if change.beat_index is not None}
    added = {change.r_time_s: change.reviewer for change in reviewed.changes if change.beat_index is None}
    known = np.flatnonzero(row_of >= 0)
    was = row_of[known]
    same = (
        (beats.class_index[known] == model.class_index[was])
        & (beats.analysable[known] == model.analysable[was])
        & _alike(beats.rr_prev_ms[known], model.rr_prev_ms[was])
        & _alike(beats.rr_next_ms[known], model.rr_next_ms[was])
    )
    rows = []
    for i in np.sort(np.concatenate([known[~same], np.flatnonzero(row_of < 0)])).tolist():
        index = int(row_of[i]) if row_of[i] >= 0 else None
        name = added.get(float(beats.r_time_s[i])) if index is None else said.get(index)
        rows.append(_beat(beats, i, index, CLASSES[beats.class_index[i]], who.get(name or "")))
    gone = np.setdiff1d(np.arange(len(model)), was)
    rows += [_beat(model, int(i), int(i), None, who.get(said.get(int(i), ""))) for i in gone]
    rows.sort(key=lambda row: row["r_time_s"])
    return [{"place": place, **row} for place, row in enumerate(rows)]


def _beat(beats: BeatTable, i: int, index: int | None, letter: str | None, reviewer: int | None) -> dict[str, Any]:
    there = letter is not None
    return {
        "beat_index": index,
        "r_sample": int(beats.r_sample[i]),
        "r_time_s": float(beats.r_time_s[i]),
        "class": letter,
        "analysable": bool(beats.analysable[i]) and there,
        "rr_prev_ms": _known(beats.rr_prev_ms[i]) if there else None,
        "rr_next_ms": _known(beats.rr_next_ms[i]) if there else None,
        "reviewer_id": reviewer,
    }


def _episodes(reviewed: Reviewed, who: dict[str, int]) -> list[dict[str, Any]]:
    named = {(stretch.kind, stretch.start_s, stretch.end_s): who[stretch.reviewer] for stretch in reviewed.named}
    n = len(reviewed.result.beats)
    return [
        {
            "episode_index": i,
            "kind": episode.kind,
            "start_s": episode.start_s,
            "end_s": episode.end_s,
            "n_beats": episode.last_beat - episode.first_beat + 1 if n else 0,
            "heart_rate_bpm": episode.heart_rate_bpm,
            "probability": episode.probability,
            "reviewer_id": named.get((episode.kind, episode.start_s, episode.end_s)),
        }
        for i, episode in enumerate(reviewed.result.rhythm.episodes)
    ]


def _findings(findings: Sequence[Finding], sentences: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"finding_index": i, "sentence": sentence, **asdict(one)}
        for i, (one, sentence) in enumerate(zip_longest(findings, sentences))
    ]


def _alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return np.asarray((one == other) | (np.isnan(one) & np.isnan(other)))


def _known(value: np.float32) -> float | None:
    return float(value) if np.isfinite(value) and value > 0 else None
