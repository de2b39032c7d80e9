"""Looks at the test patients are counted: a model that was chosen by looking at DS2 is no longer an honest one."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ecg_core.settings import PROJECT_DIR

LOOKS: Final = PROJECT_DIR / "benchmarks" / "ds2-looks.csv"
"""The log of looks at DS2, one line each."""


def log_look(version: str, command: str, set_name: str, figures: Mapping[str, Any], looks: Path = LOOKS) -> None:
    """Append one line to the log of looks at DS2."""
    is_new = not looks.is_file()
    with looks.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(["date", "version", "command", "set", "figures"])
        writer.writerow([datetime.now(UTC).date(), version, command, set_name, json.dumps(figures)])


def count_looks(looks: Path = LOOKS) -> int:
    """Count the looks at DS2 that are logged."""
    if not looks.is_file():
        return 0
    with looks.open(newline="") as stream:
        return sum(1 for _ in csv.DictReader(stream))
