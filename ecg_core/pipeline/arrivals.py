"""What became of each file that arrived, for the demo and for operations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store.reports import ArrivalRow
from ecg_core.store.reports import list_arrivals as arrival_rows

STAGES: Final = (
    "read",
    "clean",
    "quality",
    "detect",
    "waves",
    "beats",
    "classify",
    "explain",
    "rhythm",
    "store",
    "report",
)
"""In the order in which a recording passes them."""


@dataclass(frozen=True, slots=True)
class ArrivalOutcome:
    """One arrived file.

    `outcome` is ``scored``, ``already scored``, ``set aside``, ``waiting`` or ``claimed``; `beats` counts analysable
    beats by class; `stages` are seconds; `report` is a path or None.
    """

    file: str
    recording_id: str
    outcome: str
    reason: str
    beats: dict[str, int]
    stages: dict[str, float]
    report: Path | None

    def known_before(self) -> ArrivalOutcome:
        """Return the same arrival as a run tells it that found its scores there already."""
        if self.outcome != "scored":
            return self
        return replace(self, outcome="already scored", reason="Its content was scored by an earlier run.")

    def details(self) -> list[str]:
        """Return what a person wants to know of it, a line each."""
        beats = ", ".join(f"{count} {name}" for name, count in self.beats.items() if count)
        stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.stages.items())
        lines = {"": self.reason, "beats: ": beats, "seconds: ": stages, "report: ": str(self.report or "")}
        return [f"{label}{text}" for label, text in lines.items() if text]

    def as_json(self) -> dict[str, object]:
        """Return the names that other programs read."""
        return {
            "file": self.file,
            "recording_id": self.recording_id,
            "outcome": self.outcome,
            "reason": self.reason,
            "beats": self.beats,
            "stages": self.stages,
            "report": str(self.report) if self.report else None,
        }


def list_arrivals(settings: Settings, folder: str) -> list[ArrivalOutcome]:
    """Tell what became of everything that arrived in a folder (or under an address), in the order of the names.

    Of several files with the same content the first that arrived is told as scored, the others as already scored.
    """
    prefix = f"{folder.rstrip('/')}/"
    with store_engine(settings).connect() as connection:
        rows = arrival_rows(connection, prefix)
    first_name = {row.recording_id: row.source.removeprefix(prefix) for row in rows if not row.duplicate}
    return [_outcome(settings, row, row.source.removeprefix(prefix), first_name) for row in rows]


def _outcome(settings: Settings, row: ArrivalRow, file: str, first_name: dict[str, str]) -> ArrivalOutcome:
    outcome, reason = row.state, row.reason or ""
    if row.duplicate and row.state == "scored":
        outcome = "already scored"
        reason = f"The same content arrived as {first_name.get(row.recording_id, 'a file elsewhere')}."
    return ArrivalOutcome(
        file=file,
        recording_id=row.recording_id,
        outcome=outcome,
        reason=reason,
        beats=row.beats,
        stages={stage: row.stage_seconds[stage] for stage in STAGES if stage in row.stage_seconds},
        report=settings.reports_dir / row.report_path if row.report_path else None,
    )
