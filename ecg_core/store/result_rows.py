"""One recording's stored result, read back for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from ecg_core.errors import StoreError


@dataclass(frozen=True, slots=True)
class StoredResult:
    """Rows of the mart about one scoring run: its score, its recording, its findings, and its beats in time order."""

    score: Mapping[str, Any]
    recording: Mapping[str, Any]
    findings: list[Mapping[str, Any]]
    beats: list[Mapping[str, Any]]


def find_recording(conn: Connection, start: str) -> str:
    """Return the id of the one scored recording whose id begins with `start`.

    Raises
    ------
    StoreError
        None does, or several do.
    """
    like = "SELECT DISTINCT recording_id FROM ecg.scoring_run WHERE starts_with(recording_id, :start) LIMIT 2"
    found = list(conn.execute(text(like), {"start": start.lower()}).scalars())
    if not start or len(found) != 1:
        how_many = "Several scored recordings begin" if len(found) > 1 else "No scored recording begins"
        raise StoreError(f"{how_many} with {start!r}.", "Give more digits of its id, as in ecg_mart.score.")
    return str(found[0])


def read_result(conn: Connection, recording_id: str, model_version: str | None = None) -> StoredResult:
    """Read what a model version said of a recording; the newest scoring run where none is named.

    Raises
    ------
    StoreError
        That version has not scored it.
    """
    score = (
        conn.execute(
            text(
                "SELECT * FROM ecg_mart.score WHERE recording_id = :id "
                "AND (model_version = :version OR (CAST(:version AS text) IS NULL AND is_newest))"
            ),
            {"id": recording_id, "version": model_version},
        )
        .mappings()
        .one_or_none()
    )
    if score is None:
        raise StoreError(
            f"The recording {recording_id[:16]}… has no scores of {model_version}.",
            "ecg_mart.score says which versions have scored it.",
        )
    run = {"run": score["scoring_run_id"], "month": score["arrived_month"], "id": recording_id}

    def rows(query: str) -> list[Mapping[str, Any]]:
        return [dict(row) for row in conn.execute(text(query), run).mappings()]

    return StoredResult(
        score=dict(score),
        recording=rows("SELECT * FROM ecg_mart.recording WHERE recording_id = :id")[0],
        findings=rows("SELECT * FROM ecg_mart.finding WHERE scoring_run_id = :run ORDER BY finding"),
        beats=rows(
            "SELECT r_sample, r_time_s, class, analysable FROM ecg_mart.beat "
            "WHERE scoring_run_id = :run AND arrived_month = :month ORDER BY beat_index"
        ),
    )
