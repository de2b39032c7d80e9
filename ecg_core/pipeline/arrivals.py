"""What became of each file that arrived, for the demo and for operations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ecg_core.labels import CLASSES
from ecg_core.pipeline.database import store_engine
from ecg_core.settings import Settings
from ecg_core.store import ledger


@dataclass(frozen=True, slots=True)
class ArrivalOutcome:
    """One arrived file.

    `outcome` is ``scored``, ``already scored``, ``set aside`` or ``waiting``; `beats` counts analysable beats by class;
    `stages` are seconds; `report` is a path or None.
    """

    file: str
    recording_id: str
    outcome: str
    reason: str
    beats: dict[str, int]
    stages: dict[str, float]
    report: Path | None

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

    def known_before(self) -> ArrivalOutcome:
        """Return the same arrival as told by a run that found its scores already there."""
        if self.outcome != "scored":
            return self
        return replace(self, outcome="already scored", reason="Its content was scored by an earlier run.")
